//! Locations: register, list, move, remove; refresh.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::wire::{CreatedLocation, ListedLocation, LocationBody, LocationsPage, PageInfo};
use crate::catalog::{Catalog, EntityRef, Filter, LocationState, OnConflict, queries};
use crate::web::openapi::{Form, Parameter, Parameters};
use crate::web::{Error, Json, SignedIn};

/// Locations of a page where no limit is given.
const DEFAULT_LIMIT: u32 = 1000;

/// Locations that were registered; those of the configuration are not the API's to manage.
async fn registered(catalog: &Catalog) -> Result<Vec<LocationState>, Error> {
    let mut locations = catalog.locations().await?;
    locations.retain(|location| !location.configured && location.discovered_by.is_none());
    locations.sort_by_key(|location| location.id);
    Ok(locations)
}

async fn find(catalog: &Catalog, id: &str) -> Result<LocationState, Error> {
    let unknown = || Error::NotFound(format!("Found no location with ID {id}").into());
    let id = Uuid::parse_str(id).map_err(|_| unknown())?;
    catalog.location(id).await.map_err(|error| match error {
        crate::catalog::CatalogError::NotFound(_) => unknown(),
        other => other.into(),
    })
}

/// `GET /locations`.
pub async fn list(State(catalog): State<Catalog>, SignedIn(_): SignedIn) -> Result<Json<Vec<ListedLocation>>, Error> {
    let locations = registered(&catalog).await?;
    let listed = locations.iter().map(|state| ListedLocation {
        data: state.location().into(),
    });
    Ok(Json(listed.collect()))
}

#[derive(Deserialize, JsonSchema)]
pub struct QueryBody {
    limit: Option<u32>,
    /// A predicate on id, type and target.
    query: Option<Value>,
    cursor: Option<String>,
}

/// What the next page needs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Next {
    limit: u32,
    after_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Value>,
}

/// `POST /locations/by-query`: conditions on `id`, `type`, `target`.
pub async fn by_query(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<QueryBody>,
) -> Result<Json<LocationsPage>, Error> {
    let asked = match &body.cursor {
        Some(cursor) => {
            let bytes = STANDARD.decode(cursor).ok();
            let next: Option<Next> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            next.ok_or_else(|| Error::invalid("cursor", "Malformed cursor, unknown encoding; begin again without it"))?
        }
        None => Next {
            limit: body.limit.unwrap_or(DEFAULT_LIMIT),
            after_id: None,
            query: body.query,
        },
    };
    if asked.limit == 0 {
        return Err(Error::invalid("limit", "Limit must be a positive integer >= 1"));
    }
    let filter = match &asked.query {
        Some(query) => Filter::from_predicate(query)?,
        None => Filter::everything(),
    };
    let mut matching: Vec<LocationBody> = registered(&catalog)
        .await?
        .iter()
        .filter(|state| matches(&filter, state))
        .map(|state| state.location().into())
        .collect();
    let total_items = matching.len();
    if let Some(after) = &asked.after_id {
        matching.retain(|location| location.id > *after);
    }
    let limit = asked.limit as usize;
    let mut page_info = PageInfo::default();
    if matching.len() > limit {
        matching.truncate(limit);
        let next = Next {
            after_id: matching.last().map(|location| location.id.clone()),
            ..asked
        };
        // Serializing plain data does not fail.
        page_info.next_cursor = Some(STANDARD.encode(serde_json::to_vec(&next).unwrap_or_default()));
    }
    Ok(Json(LocationsPage {
        items: matching,
        total_items,
        page_info,
    }))
}

fn matches(filter: &Filter, location: &LocationState) -> bool {
    let value = |key: &str| match key {
        "id" => Some(location.id.to_string()),
        "type" => Some(location.kind.to_lowercase()),
        "target" => Some(location.target.to_lowercase()),
        _ => None,
    };
    match filter {
        Filter::All(all) => all.iter().all(|one| matches(one, location)),
        Filter::Any(any) => any.iter().any(|one| matches(one, location)),
        Filter::Not(inner) => !matches(inner, location),
        Filter::Exists(key) => value(key).is_some(),
        Filter::In(key, values) => value(key).is_some_and(|value| values.contains(&value)),
        Filter::Prefix(key, prefix) => value(key).is_some_and(|value| value.starts_with(prefix)),
        Filter::Relation(..) | Filter::Refs(_) => false,
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LocationInput")]
pub struct Input {
    /// url
    #[serde(rename = "type")]
    kind: String,
    target: String,
    /// Accepted and not used: a location whose file is missing says so.
    #[serde(rename = "presence")]
    _presence: Option<Presence>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Presence {
    Required,
    Optional,
}

impl Input {
    fn check(&self) -> Result<(), Error> {
        match self.kind.as_str() {
            "url" => Ok(()),
            other => Err(Error::invalid(
                "type",
                format!("Registered locations must be of an allowed type [\"url\"], not \"{other}\""),
            )),
        }
    }
}

pub const CREATE: &[Parameter] = &[
    Parameter::new("dryRun", Form::Text, "true: say what would come, and store nothing"),
    Parameter::new(
        "onConflict",
        Form::OneOf(&["refresh", "reject"]),
        "What to do where it is registered already; reject answers 409",
    ),
];

/// `POST /locations`, `?dryRun=true`, `?onConflict=refresh`: 201, or 409 for one that is there already.
pub async fn create(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    RawQuery(query): RawQuery,
    Json(body): Json<Input>,
) -> Result<(StatusCode, Json<CreatedLocation>), Error> {
    let parameters = Parameters::read(query.as_deref(), CREATE)?;
    body.check()?;
    if parameters.one("dryRun").is_some_and(is_yes) {
        let found = catalog.dry_run(&body.target).await?;
        let mut location = LocationBody::from(found.location);
        // It has no id yet.
        location.id = format!("{}:{}", body.kind, body.target);
        let answer = CreatedLocation {
            location,
            entities: found.entities.into_iter().map(Into::into).collect(),
            exists: Some(found.existed),
        };
        return Ok((StatusCode::CREATED, Json(answer)));
    }
    let on_conflict = match parameters.one("onConflict") {
        Some("refresh") => OnConflict::Refresh,
        _ => OnConflict::Reject,
    };
    let done = catalog.add_location(&caller.actor(), &body.target, on_conflict).await?;
    let answer = CreatedLocation {
        location: done.location.into(),
        entities: Vec::new(),
        exists: None,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The words that the field takes for true.
fn is_yes(text: &str) -> bool {
    ["y", "yes", "true", "1", "on"].contains(&text.to_lowercase().as_str())
}

/// `GET /locations/{id}`.
pub async fn show(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<LocationBody>, Error> {
    Ok(Json(find(&catalog, &id).await?.location().into()))
}

/// `PUT /locations/{id}`: another address for it. The entities of the old one go, those of the new one come.
pub async fn update(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Json(body): Json<Input>,
) -> Result<Json<LocationBody>, Error> {
    body.check()?;
    let old = find(&catalog, &id).await?;
    catalog.may_delete(&caller, &old)?;
    catalog.move_location(&old, &body.target).await?;
    Ok(Json(find(&catalog, &id).await?.location().into()))
}

/// `DELETE /locations/{id}`.
pub async fn delete(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let location = find(&catalog, &id).await?;
    catalog.delete_location(&caller, location.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /locations/by-entity/{kind}/{namespace}/{name}`: the registered location that an entity comes from.
pub async fn by_entity(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<Json<LocationBody>, Error> {
    let reference = EntityRef::new(&kind, &namespace, &name);
    let origin = queries::entities::find_origin(catalog.reads().readers(), &reference.to_string())
        .await?
        .ok_or_else(|| Error::NotFound(format!("found no entity for ref {reference}").into()))?;
    let state = catalog.location(origin.location_id).await?;
    match state.configured {
        false => Ok(Json(state.location().into())),
        true => Err(Error::NotFound(
            format!(
                "Found no location with type {} and target {}; it stands in the configuration",
                state.kind, state.target
            )
            .into(),
        )),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshBody {
    entity_ref: String,
}

/// `POST /refresh`: answers at once; a worker reads the entity's location.
pub async fn refresh(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<RefreshBody>,
) -> Result<StatusCode, Error> {
    let reference =
        EntityRef::parse(&body.entity_ref, None, None).map_err(|error| Error::NotFound(error.to_string().into()))?;
    catalog.refresh_entity(&reference).await?;
    Ok(StatusCode::OK)
}
