//! Locations: register, list, remove; refresh and validate.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::catalog::read::{self, location_ref};
use crate::catalog::{Catalog, EntityRef, Location, LocationState, OnConflict, Registered, queries};
use crate::web::{Error, Json, Query, SignedIn};

fn shown(location: &Location) -> Value {
    json!({
        "id": location.id,
        "type": location.kind,
        "target": location.target,
        "entityRef": location_ref(&location.kind, &location.target).to_string(),
    })
}

/// Locations that were registered; those of the configuration are not the API's to manage.
async fn registered(catalog: &Catalog) -> Result<Vec<LocationState>, Error> {
    let mut locations = catalog.locations().await?;
    locations.retain(|location| !location.configured);
    locations.sort_by_key(|location| location.id);
    Ok(locations)
}

async fn find(catalog: &Catalog, id: &str) -> Result<LocationState, Error> {
    let unknown = || Error::NotFound(format!("Found no location with ID {id}"));
    let id = Uuid::parse_str(id).map_err(|_| unknown())?;
    catalog.location(id).await.map_err(|error| match error {
        crate::catalog::CatalogError::NotFound(_) => unknown(),
        other => other.into(),
    })
}

/// `GET /locations`.
pub async fn list(State(catalog): State<Catalog>, SignedIn(_): SignedIn) -> Result<Json<Value>, Error> {
    let locations = registered(&catalog).await?;
    let data: Vec<Value> = locations
        .iter()
        .map(|state| json!({"data": shown(&state.location())}))
        .collect();
    Ok(Json(Value::Array(data)))
}

#[derive(Deserialize)]
pub struct QueryBody {
    limit: Option<i64>,
    query: Option<Value>,
    cursor: Option<String>,
}

/// `POST /locations/by-query`: conditions on `id`, `type`, `target`.
pub async fn by_query(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<QueryBody>,
) -> Result<Json<Value>, Error> {
    let malformed = || {
        Error::invalid(
            "cursor",
            "Malformed cursor, could not be parsed; begin again without it",
        )
    };
    let (limit, query, after) = match &body.cursor {
        None => (
            body.limit.unwrap_or(1000),
            body.query.unwrap_or_else(|| json!({})),
            None,
        ),
        Some(cursor) => {
            let bytes = STANDARD.decode(cursor).map_err(|_| malformed())?;
            let value: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
            let after = value["after"]
                .as_str()
                .and_then(|id| Uuid::parse_str(id).ok())
                .ok_or_else(malformed)?;
            (
                value["limit"].as_i64().ok_or_else(malformed)?,
                value["query"].clone(),
                Some(after),
            )
        }
    };
    if limit < 1 {
        return Err(Error::invalid("limit", "Invalid limit, must be at least 1"));
    }
    let filter = crate::catalog::Filter::from_predicate(&query)?;
    let all = registered(&catalog).await?;
    let matching: Vec<&LocationState> = all.iter().filter(|location| matches(&filter, location)).collect();
    let total = matching.len();
    let rest: Vec<&LocationState> = matching
        .into_iter()
        .filter(|location| after.is_none_or(|after| location.id > after))
        .collect();
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<Value> = rest
        .iter()
        .take(length)
        .map(|location| shown(&location.location()))
        .collect();
    let mut page = json!({});
    if rest.len() > length {
        let next = json!({"after": rest[length - 1].id, "limit": limit, "query": query});
        page["nextCursor"] = json!(STANDARD.encode(next.to_string()));
    }
    Ok(Json(json!({"items": items, "totalItems": total, "pageInfo": page})))
}

fn matches(filter: &crate::catalog::Filter, location: &LocationState) -> bool {
    use crate::catalog::Filter;
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
        Filter::Relation(..) => false,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateQuery {
    dry_run: Option<String>,
    on_conflict: Option<String>,
}

#[derive(Deserialize)]
pub struct LocationBody {
    #[serde(rename = "type")]
    kind: String,
    target: String,
}

impl LocationBody {
    fn check(&self) -> Result<(), Error> {
        match self.kind.as_str() {
            "url" => Ok(()),
            other => Err(Error::invalid(
                "type",
                format!("Registered locations must be of type 'url', not '{other}'"),
            )),
        }
    }
}

/// `POST /locations`, `?dryRun=true`, `?onConflict=refresh`: 201, or 409 for one that is there already.
pub async fn create(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Query(query): Query<CreateQuery>,
    Json(body): Json<LocationBody>,
) -> Result<Response, Error> {
    body.check()?;
    if matches!(query.dry_run.as_deref(), Some("true" | "1")) {
        let Registered {
            location,
            entities,
            existed,
            ..
        } = catalog.dry_run(&body.target).await?;
        let entities: Vec<Value> = entities.into_iter().map(|entity| entity.body).collect();
        let answer = json!({"location": shown(&location), "entities": entities, "exists": existed});
        return Ok((StatusCode::CREATED, Json(answer)).into_response());
    }
    let on_conflict = match query.on_conflict.as_deref() {
        None | Some("reject") => OnConflict::Reject,
        Some("refresh") => OnConflict::Refresh,
        Some(other) => {
            return Err(Error::invalid(
                "onConflict",
                format!("onConflict is refresh or reject, not '{other}'"),
            ));
        }
    };
    let done = catalog.add_location(&caller.actor(), &body.target, on_conflict).await?;
    let answer = json!({"location": shown(&done.location), "entities": []});
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /locations/{id}`.
pub async fn show(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(shown(&find(&catalog, &id).await?.location())))
}

/// `PUT /locations/{id}`: another address for it. The entities of the old one go, those of the new one come.
pub async fn update(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Json(body): Json<LocationBody>,
) -> Result<Json<Value>, Error> {
    body.check()?;
    let old = find(&catalog, &id).await?;
    catalog.may_delete(&caller, &old)?;
    catalog.move_location(&old, &body.target).await?;
    Ok(Json(shown(&find(&catalog, &id).await?.location())))
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

/// `GET /locations/by-entity/{kind}/{namespace}/{name}`.
pub async fn by_entity(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, Error> {
    let reference = EntityRef::new(&kind, &namespace, &name);
    let origin = queries::entities::find_origin(catalog.db(), &reference.to_string())
        .await?
        .ok_or_else(|| Error::NotFound(format!("found no entity for ref {reference}")))?;
    Ok(Json(shown(&catalog.location(origin.location_id).await?.location())))
}

#[derive(Deserialize)]
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
    let reference = EntityRef::parse(&body.entity_ref, None, None)
        .map_err(|error| Error::invalid("entityRef", error.to_string()))?;
    catalog.refresh_entity(&reference).await?;
    Ok(StatusCode::OK)
}

#[derive(Deserialize)]
pub struct ValidateBody {
    entity: Value,
    location: String,
}

/// `POST /validate-entity`: 200 with an empty body, or 400 with the errors.
pub async fn validate(SignedIn(_): SignedIn, Json(body): Json<ValidateBody>) -> Result<Response, Error> {
    let url = body
        .location
        .strip_prefix("url:")
        .filter(|target| read::is_web_address(target));
    if url.is_none() {
        return Err(Error::invalid("location", "location must be of the form url:https://…"));
    }
    match read::validate(body.entity) {
        Ok(_) => Ok(StatusCode::OK.into_response()),
        Err(faults) => {
            let errors: Vec<Value> = faults
                .into_iter()
                .map(|fault| json!({"name": "InputError", "message": fault.message}))
                .collect();
            Ok((StatusCode::BAD_REQUEST, Json(json!({ "errors": errors }))).into_response())
        }
    }
}
