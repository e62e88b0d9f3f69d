//! Entities: all of them, and each by its names.

use std::collections::{HashMap, VecDeque};

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::wire::{Ancestor, Ancestry, Batch, EntityBody, JsonText};
use super::{FIELDS, FILTER, LIMIT, OFFSET, fields_of, filter_of, shown};
use crate::catalog::queries::entities::Row;
use crate::catalog::queries::search::{self, Order, Query};
use crate::catalog::{Catalog, Entity, EntityRef, Filter, queries};
use crate::web::openapi::{Form, Parameter, Parameters};
use crate::web::{Error, Json, SignedIn};

/// The most that one page holds.
const MAX_LIMIT: i64 = 10_000;
/// Entities of one part of an answer without pages.
const STREAMED: usize = 500;

pub const LIST: &[Parameter] = &[
    FILTER,
    FIELDS,
    LIMIT,
    OFFSET,
    Parameter::new("after", Form::Text, "Of the header link of the page before"),
    Parameter::new("order", Form::Texts, "asc:field or desc:field; may be repeated"),
];

/// `GET /entities`: everything, or a page with `limit`, `offset`, `after`; `order=asc:<field>`.
pub async fn list(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let parameters = Parameters::read(query.as_deref(), LIST)?;
    let fields = fields_of(&parameters)?;
    let mut query = Query::of(filter_of(&parameters)?);
    for text in parameters.all("order") {
        let (direction, field) = text.split_once(':').unwrap_or(("", &text));
        if !["asc", "desc"].contains(&direction) || field.is_empty() {
            return Err(Error::invalid(
                "order",
                format!("Invalid order parameter \"{text}\", expected \"<asc or desc>:<field name>\""),
            ));
        }
        query.order.push(Order {
            field: Some(field.to_lowercase()),
            descending: direction == "desc",
        });
    }
    let mut page = (parameters.number("limit"), parameters.number("offset"));
    if page.0 == Some(0) {
        return Err(Error::invalid("limit", "Invalid limit, must be greater than zero"));
    }
    if let Some(after) = parameters.one("after") {
        let (limit, offset) = read_after(after)?;
        page = (limit.or(page.0), offset.or(page.1));
    }
    // Without pages, entities that lack the field are left out; with pages they come last.
    query.only_sortable = page == (None, None);
    query.offset = page.1.unwrap_or(0);
    let Some(limit) = page.0.map(|limit| limit.min(MAX_LIMIT)) else {
        return everything(catalog, query, fields).await;
    };
    // One more tells whether there is a next page.
    query.limit = Some(limit + 1);
    let mut reader = catalog.reads().reader().await?;
    let mut found = search::page(&mut reader, &query, None).await?;
    reader.keep();
    let mut link = None;
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    if found.len() > length {
        found.truncate(length);
        link = Some(next_link(&parameters, limit, query.offset + limit));
    }
    let items = found.into_iter().map(|found| shown(found.row, fields.as_ref()));
    let mut response = JsonText(JsonText::list(&items.collect::<Result<Vec<_>, _>>()?).into()).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

/// All that match: the refs at once, the documents part by part, as the client takes them. No connection waits for it.
async fn everything(catalog: Catalog, query: Query, fields: Option<Fields>) -> Result<Response, Error> {
    let mut reader = catalog.reads().reader().await?;
    let refs = search::list_refs(&mut reader, &query).await?;
    reader.keep();
    let mut parts: VecDeque<Vec<String>> = refs.chunks(STREAMED).map(<[String]>::to_vec).collect();
    // What fails before the first byte is an error like any other.
    let first = documents(&catalog, &parts.pop_front().unwrap_or_default(), fields.as_ref()).await?;
    let rest = stream::try_unfold((catalog, parts, fields), |(catalog, mut parts, fields)| async move {
        let Some(refs) = parts.pop_front() else {
            return Ok::<_, Error>(None);
        };
        let part = documents(&catalog, &refs, fields.as_ref()).await?;
        // Nothing is left of a part whose entities are all gone by now.
        let text = if part.is_empty() { part } else { format!(",{part}") };
        Ok(Some((text, (catalog, parts, fields))))
    });
    let text = stream::once(async move { Ok(format!("[{first}")) })
        .chain(rest)
        .chain(stream::once(async { Ok("]".to_owned()) }))
        .map_err(|error| {
            tracing::warn!(error = %error.chain(), "an answer was cut off");
            std::io::Error::other("cut off")
        });
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(text)).into_response())
}

/// Documents in the order of their refs, with commas between them. One that was deleted meanwhile is left out.
async fn documents(catalog: &Catalog, refs: &[String], fields: Option<&Fields>) -> Result<String, Error> {
    let items: Vec<String> = rows(catalog, refs)
        .await?
        .into_iter()
        .flatten()
        .map(|row| shown(row, fields))
        .collect::<Result<_, _>>()?;
    Ok(items.join(","))
}

/// Stored documents of these refs, in their order; `None` for those that are missing.
async fn rows(catalog: &Catalog, refs: &[String]) -> Result<Vec<Option<Row>>, Error> {
    let mut reader = catalog.reads().reader().await?;
    let found = queries::entities::list_documents(&mut *reader, refs).await?;
    reader.keep();
    let found: HashMap<&str, &Row> = found.iter().map(|row| (row.entity_ref.as_str(), row)).collect();
    let rows = refs
        .iter()
        .map(|reference| found.get(reference.as_str()).map(|row| (*row).clone()));
    Ok(rows.collect())
}

/// `after` holds the size and place of the next page.
fn read_after(text: &str) -> Result<(Option<i64>, Option<i64>), Error> {
    #[derive(Deserialize)]
    struct After {
        limit: Option<u32>,
        offset: Option<u32>,
    }
    let wrong = || {
        Error::invalid(
            "after",
            "Malformed after cursor, could not be parsed; begin again without it",
        )
    };
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let after: After = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    match after.limit {
        Some(0) => Err(wrong()),
        limit => Ok((limit.map(i64::from), after.offset.map(i64::from))),
    }
}

fn next_link(parameters: &Parameters, limit: i64, offset: i64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.pairs() {
        if name != "after" && name != "offset" {
            query.append_pair(name, value);
        }
    }
    let after = json!({"limit": limit, "offset": offset}).to_string();
    query.append_pair("after", &STANDARD.encode(after));
    format!("</entities?{}>; rel=\"next\"", query.finish())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefsBody {
    /// Complete refs in lower case.
    entity_refs: Vec<String>,
    fields: Option<Vec<String>>,
    /// A predicate.
    query: Option<Value>,
}

pub const BY_REFS: &[Parameter] = &[FILTER];

/// `POST /entities/by-refs`: in order, `null` for what is missing or does not match.
pub async fn by_refs(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
    Json(body): Json<RefsBody>,
) -> Result<JsonText, Error> {
    let parameters = Parameters::read(query.as_deref(), BY_REFS)?;
    let fields = Fields::parse(body.fields.iter().flatten().map(String::as_str))?;
    let mut filters = vec![filter_of(&parameters)?];
    if let Some(predicate) = &body.query {
        filters.push(Filter::from_predicate(predicate)?);
    }
    let mut found = rows(&catalog, &body.entity_refs).await?;
    if parameters.one("filter").is_some() || body.query.is_some() {
        let mut reader = catalog.reads().reader().await?;
        let matching = search::matching_refs(&mut reader, &Filter::All(filters), &body.entity_refs).await?;
        reader.keep();
        for row in &mut found {
            row.take_if(|row| !matching.contains(&row.entity_ref));
        }
    }
    let items = found.into_iter().map(|row| match row {
        Some(row) => shown(row, fields.as_ref()),
        None => Ok("null".to_owned()),
    });
    Ok(Batch::text(&items.collect::<Result<Vec<_>, _>>()?))
}

/// `GET /entities/by-uid/{uid}`.
pub async fn by_uid(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path(uid): Path<String>,
) -> Result<Json<EntityBody>, Error> {
    let found = find_by_uid(&catalog, &uid).await?;
    let found = found.ok_or_else(|| Error::NotFound(format!("No entity with uid {uid}").into()))?;
    Ok(Json(found.into()))
}

async fn find_by_uid(catalog: &Catalog, uid: &str) -> Result<Option<Entity>, Error> {
    let Ok(id) = Uuid::parse_str(uid) else {
        return Ok(None);
    };
    Ok(queries::entities::find_by_id(catalog.db(), id).await?)
}

/// `DELETE /entities/by-uid/{uid}`: the entity is read again, so it comes back while its file has it. One that is
/// not there is gone already.
pub async fn delete_by_uid(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Path(uid): Path<String>,
) -> Result<StatusCode, Error> {
    if let Some(entity) = find_by_uid(&catalog, &uid).await? {
        catalog.delete_entity(&caller, &entity.entity_ref()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /entities/by-name/{kind}/{namespace}/{name}`, ignoring case.
pub async fn by_name(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<JsonText, Error> {
    let reference = EntityRef::new(&kind, &namespace, &name).to_string();
    let document = catalog.reads().document(reference).await?;
    document.map(JsonText).ok_or_else(|| {
        Error::NotFound(format!("No entity named '{name}' found, with kind '{kind}' in namespace '{namespace}'").into())
    })
}

/// `GET …/ancestry`: the entity and the locations that led to it.
pub async fn ancestry(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<Json<Ancestry>, Error> {
    let root = EntityRef::new(&kind, &namespace, &name);
    let chain = catalog.ancestry(&root).await?;
    if chain.is_empty() {
        return Err(Error::NotFound(format!("No such entity {root}").into()));
    }
    let items = chain.into_iter().map(|(entity, parent_entity_refs)| Ancestor {
        entity: entity.into(),
        parent_entity_refs,
    });
    Ok(Json(Ancestry {
        root_entity_ref: root.to_string(),
        items: items.collect(),
    }))
}
