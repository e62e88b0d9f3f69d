//! Entities: read, query, count.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::pagination::{Cursor, number};
use crate::catalog::queries::search::{self, FullText, Order, Query};
use crate::catalog::{Catalog, Entity, EntityRef, Filter, queries};
use crate::web::{Error, Json, SignedIn};

/// Entities of a page of by-query where no limit is given.
const DEFAULT_LIMIT: i64 = 200;
/// The most that one page holds.
const MAX_LIMIT: i64 = 10_000;

/// The parameters of a request, in order, repeated ones kept.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// Refuses empty parameters and, unless `known` is empty, unknown ones.
    fn check(&self, known: &[&str]) -> Result<(), Error> {
        for (name, value) in &self.0 {
            // Some clients write `filter[]` or `filter[0]` for lists.
            let base = name.split('[').next().unwrap_or(name);
            if !known.is_empty() && !known.contains(&base) {
                return Err(Error::invalid(name, format!("Unknown query parameter '{name}'")));
            }
            if value.is_empty() {
                return Err(Error::invalid(
                    name,
                    format!("Empty value found for query parameter '{name}'"),
                ));
            }
        }
        Ok(())
    }

    fn all(&self, name: &str) -> Vec<String> {
        let named = |given: &str| given.split('[').next() == Some(name);
        self.0
            .iter()
            .filter(|(given, _)| named(given))
            .map(|(_, value)| value.clone())
            .collect()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    fn fields(&self) -> Result<Option<Fields>, Error> {
        Fields::parse(self.all("fields").iter().map(String::as_str))
    }

    fn filter(&self) -> Result<Filter, Error> {
        Ok(Filter::from_parameters(&self.all("filter"))?)
    }
}

fn shown(entity: &Entity, fields: Option<&Fields>) -> Value {
    match fields {
        Some(fields) => fields.pick(&entity.body),
        None => entity.body.clone(),
    }
}

fn unknown(what: impl std::fmt::Display) -> Error {
    Error::NotFound(format!("No entity found for {what}"))
}

/// `GET /entities`: everything, or a page with `limit`, `offset`, `after`; `order=asc:<field>`.
pub async fn list(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let parameters = Parameters::of(query.as_deref());
    parameters.check(&[])?;
    let fields = parameters.fields()?;
    let mut query = Query::of(parameters.filter()?);
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
    let limit = number("limit", parameters.one("limit"), 0)?;
    let offset = number("offset", parameters.one("offset"), 0)?;
    let after = parameters.one("after").map(after_offset).transpose()?;
    let paged = limit.is_some() || offset.is_some() || after.is_some();
    query.offset = after.or(offset).unwrap_or(0);
    // One more tells whether there is a next page.
    query.limit = limit.map(|limit| limit.min(MAX_LIMIT) + 1);
    // Without pages, entities that lack the field are left out; with pages they come last.
    query.only_sortable = !paged;
    let mut found = search::page(catalog.db(), &query).await?;
    let mut link = None;
    if let Some(limit) = limit {
        let limit = limit.min(MAX_LIMIT);
        let length = usize::try_from(limit).unwrap_or(usize::MAX);
        if found.len() > length {
            found.truncate(length);
            link = Some(next_link(&parameters, query.offset + limit));
        }
    }
    let body: Vec<Value> = found
        .iter()
        .map(|found| shown(&found.entity, fields.as_ref()))
        .collect();
    let mut response = Json(body).into_response();
    if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

/// `after` holds the place of the next page.
fn after_offset(text: &str) -> Result<i64, Error> {
    let wrong = || Error::invalid("after", "Malformed after parameter; begin again without it");
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    value["offset"].as_i64().filter(|offset| *offset >= 0).ok_or_else(wrong)
}

fn next_link(parameters: &Parameters, offset: i64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &parameters.0 {
        if name != "after" && name != "offset" {
            query.append_pair(name, value);
        }
    }
    query.append_pair("after", &STANDARD.encode(json!({ "offset": offset }).to_string()));
    format!("</entities?{}>; rel=\"next\"", query.finish())
}

const BY_QUERY: &[&str] = &[
    "filter",
    "fields",
    "limit",
    "offset",
    "orderField",
    "cursor",
    "fullTextFilterTerm",
    "fullTextFilterFields",
    "totalItems",
];

/// What by-query is asked, by GET or POST.
struct Asked {
    fields: Option<Fields>,
    limit: i64,
    offset: i64,
    count: bool,
    order: Option<(String, bool)>,
    full_text: Option<(String, Vec<String>)>,
    filters: Option<Vec<String>>,
    predicate: Option<Value>,
    cursor: Option<Cursor>,
}

/// `GET /entities/by-query`.
pub async fn by_query(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Error> {
    let parameters = Parameters::of(query.as_deref());
    parameters.check(BY_QUERY)?;
    // Only the first sort field counts.
    let order = match parameters.all("orderField").first() {
        None => None,
        Some(text) => {
            let (field, direction) = text.split_once(',').unwrap_or((text, "asc"));
            if field.is_empty() || !["asc", "desc"].contains(&direction) {
                return Err(Error::invalid(
                    "orderField",
                    "Invalid order field order, must be asc or desc",
                ));
            }
            Some((field.to_lowercase(), direction == "desc"))
        }
    };
    let count = match parameters.one("totalItems") {
        None | Some("include") => true,
        Some("exclude") => false,
        Some(_) => {
            return Err(Error::invalid(
                "totalItems",
                "Invalid totalItems, must be include or exclude",
            ));
        }
    };
    let terms = parameters.all("fullTextFilterFields");
    answer(
        &catalog,
        Asked {
            fields: parameters.fields()?,
            limit: number("limit", parameters.one("limit"), 0)?.unwrap_or(DEFAULT_LIMIT),
            offset: number("offset", parameters.one("offset"), 0)?.unwrap_or(0),
            count,
            order,
            full_text: parameters.one("fullTextFilterTerm").map(|term| {
                let fields = terms.iter().flat_map(|list| list.split(','));
                (term.to_owned(), fields.map(str::to_owned).collect())
            }),
            filters: Some(parameters.all("filter")),
            predicate: None,
            cursor: parameters.one("cursor").map(Cursor::decode).transpose()?,
        },
    )
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryBody {
    query: Option<Value>,
    fields: Option<Vec<String>>,
    limit: Option<i64>,
    offset: Option<i64>,
    #[serde(default)]
    order_by: Vec<OrderBody>,
    cursor: Option<String>,
    full_text_filter: Option<FullTextBody>,
    total_items: Option<String>,
}

#[derive(Deserialize)]
struct OrderBody {
    field: String,
    order: Option<String>,
}

#[derive(Deserialize)]
struct FullTextBody {
    term: Option<String>,
    #[serde(default)]
    fields: Vec<String>,
}

/// `POST /entities/by-query`, with a predicate.
pub async fn by_query_body(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<QueryBody>,
) -> Result<Json<Value>, Error> {
    let positive = |name: &str, value: Option<i64>| match value {
        Some(value) if value < 0 => Err(Error::invalid(name, format!("Invalid {name}, must not be negative"))),
        value => Ok(value),
    };
    let fields = match &body.fields {
        Some(fields) => Fields::parse(fields.iter().map(String::as_str))?,
        None => None,
    };
    answer(
        &catalog,
        Asked {
            fields,
            limit: positive("limit", body.limit)?.unwrap_or(DEFAULT_LIMIT),
            offset: positive("offset", body.offset)?.unwrap_or(0),
            count: body.total_items.as_deref() != Some("exclude"),
            order: body
                .order_by
                .first()
                .map(|order| (order.field.to_lowercase(), order.order.as_deref() == Some("desc"))),
            full_text: body
                .full_text_filter
                .and_then(|filter| Some((filter.term?, filter.fields))),
            filters: None,
            predicate: Some(body.query.unwrap_or_else(|| json!({}))),
            cursor: body.cursor.as_deref().map(Cursor::decode).transpose()?,
        },
    )
    .await
}

async fn answer(catalog: &Catalog, asked: Asked) -> Result<Json<Value>, Error> {
    let limit = asked.limit.min(MAX_LIMIT);
    let order = asked.order.clone();
    let full_text = asked.full_text.map(|(term, fields)| {
        let fields = match fields.is_empty() {
            false => fields.iter().map(|field| field.to_lowercase()).collect(),
            true => vec![order.as_ref().map_or("metadata.uid", |(field, _)| field).to_owned()],
        };
        (term.trim().to_owned(), fields)
    });
    // A cursor brings its own question.
    let mut cursor = asked.cursor.clone().unwrap_or(Cursor {
        order_field: asked.order,
        from: (None, String::new()),
        is_previous: false,
        first: (None, String::new()),
        total_items: 0,
        full_text,
        filter: asked.filters,
        query: asked.predicate,
    });
    let filter = match (&cursor.query, &cursor.filter) {
        (Some(predicate), _) => Filter::from_predicate(predicate)?,
        (None, filters) => Filter::from_parameters(filters.as_deref().unwrap_or_default())?,
    };
    let mut query = Query::of(filter);
    query.full_text = cursor.full_text().filter(|text: &FullText| !text.term.is_empty());
    query.order = cursor.order();
    query.only_sortable = true;
    query.limit = Some(limit + 1);
    let initial = asked.cursor.is_none();
    match initial {
        true => query.offset = asked.offset,
        false => {
            query.from = Some(cursor.from.clone());
            query.backwards = cursor.is_previous;
        }
    }
    if initial && asked.count {
        cursor.total_items = search::count(catalog.db(), &query).await?;
    }
    let mut found = search::page(catalog.db(), &query).await?;
    let more = i64::try_from(found.len()).unwrap_or(i64::MAX) > limit;
    if more {
        // The one too many is at the far end of the direction of reading.
        match query.backwards {
            true => drop(found.remove(0)),
            false => drop(found.pop()),
        }
    }
    let place = |found: &search::Found| (found.value.clone(), found.entity.entity_ref().to_string());
    if initial && let Some(first) = found.first() {
        cursor.first = place(first);
    }
    let at = |place, is_previous| {
        Cursor {
            from: place,
            is_previous,
            ..cursor.clone()
        }
        .encode()
    };
    let mut page = serde_json::Map::new();
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        if more || query.backwards {
            page.insert("nextCursor".to_owned(), json!(at(place(last), false)));
        }
        if !initial && place(first) != cursor.first {
            page.insert("prevCursor".to_owned(), json!(at(place(first), true)));
        }
    }
    let items: Vec<Value> = found
        .iter()
        .map(|found| shown(&found.entity, asked.fields.as_ref()))
        .collect();
    Ok(Json(
        json!({ "items": items, "totalItems": cursor.total_items, "pageInfo": page }),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefsBody {
    entity_refs: Vec<String>,
    fields: Option<Vec<String>>,
    query: Option<Value>,
}

/// `POST /entities/by-refs`: in order, `null` for what is missing or does not match.
pub async fn by_refs(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
    Json(body): Json<RefsBody>,
) -> Result<Json<Value>, Error> {
    let parameters = Parameters::of(query.as_deref());
    let fields = match &body.fields {
        Some(fields) => Fields::parse(fields.iter().map(String::as_str))?,
        None => None,
    };
    let mut filters = vec![parameters.filter()?];
    if let Some(predicate) = &body.query {
        filters.push(Filter::from_predicate(predicate)?);
    }
    let filter = Filter::All(filters);
    let mut found = catalog.list_by_refs(&body.entity_refs).await?;
    let narrow = !parameters.all("filter").is_empty() || body.query.is_some();
    if narrow {
        let allowed = queries::search::matching_refs(catalog.db(), &filter, &body.entity_refs).await?;
        for entity in &mut found {
            if entity
                .as_ref()
                .is_some_and(|entity| !allowed.contains(&entity.entity_ref().to_string()))
            {
                *entity = None;
            }
        }
    }
    let items: Vec<Value> = found
        .iter()
        .map(|entity| {
            entity
                .as_ref()
                .map_or(Value::Null, |entity| shown(entity, fields.as_ref()))
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

/// `GET /entities/by-uid/{uid}`.
pub async fn by_uid(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path(uid): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(find_by_uid(&catalog, &uid).await?.body))
}

async fn find_by_uid(catalog: &Catalog, uid: &str) -> Result<Entity, Error> {
    let id = Uuid::parse_str(uid).map_err(|_| unknown(format!("uid {uid}")))?;
    let found = queries::entities::find_by_id(catalog.db(), id).await?;
    found.ok_or_else(|| unknown(format!("uid {uid}")))
}

/// `DELETE /entities/by-uid/{uid}`: the entity is read again, so it comes back while its file has it.
pub async fn delete_by_uid(
    State(catalog): State<Catalog>,
    SignedIn(caller): SignedIn,
    Path(uid): Path<String>,
) -> Result<StatusCode, Error> {
    let entity = find_by_uid(&catalog, &uid).await?;
    catalog.delete_entity(&caller, &entity.entity_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /entities/by-name/{kind}/{namespace}/{name}`, ignoring case.
pub async fn by_name(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, Error> {
    let reference = EntityRef::new(&kind, &namespace, &name);
    let entity = catalog.find(&reference).await?.ok_or_else(|| {
        Error::NotFound(format!(
            "No entity named '{name}' found, with kind '{kind}' in namespace '{namespace}'"
        ))
    })?;
    Ok(Json(entity.body))
}

/// `GET …/ancestry`: the entity and the locations that led to it.
pub async fn ancestry(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Path((kind, namespace, name)): Path<(String, String, String)>,
) -> Result<Json<Value>, Error> {
    let root = EntityRef::new(&kind, &namespace, &name);
    let chain = catalog.ancestry(&root).await?;
    if chain.is_empty() {
        return Err(unknown(root));
    }
    let items: Vec<Value> = chain
        .iter()
        .map(|(entity, parents)| json!({"entity": entity.body, "parentEntityRefs": parents}))
        .collect();
    Ok(Json(json!({"rootEntityRef": root.to_string(), "items": items})))
}

/// `GET /entity-facets?facet=…`.
pub async fn facets(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Error> {
    let parameters = Parameters::of(query.as_deref());
    parameters.check(&[])?;
    count_facets(&catalog, parameters.all("facet"), &parameters.filter()?).await
}

#[derive(Deserialize)]
pub struct FacetsBody {
    facets: Vec<String>,
    query: Option<Value>,
}

/// `POST /entity-facets`.
pub async fn facets_body(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<FacetsBody>,
) -> Result<Json<Value>, Error> {
    let filter = match &body.query {
        Some(query) => Filter::from_predicate(query)?,
        None => Filter::everything(),
    };
    count_facets(&catalog, body.facets, &filter).await
}

async fn count_facets(catalog: &Catalog, keys: Vec<String>, filter: &Filter) -> Result<Json<Value>, Error> {
    if keys.is_empty() {
        return Err(Error::invalid("facet", "Missing facet parameter"));
    }
    let mut facets = serde_json::Map::new();
    for key in keys {
        let counts = search::facet(catalog.db(), filter, &key).await?;
        let values: Vec<Value> = counts
            .into_iter()
            .map(|(value, count)| json!({"value": value, "count": count}))
            .collect();
        facets.insert(key, Value::Array(values));
    }
    Ok(Json(json!({ "facets": facets })))
}
