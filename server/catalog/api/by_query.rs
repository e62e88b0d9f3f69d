//! `/entities/by-query`: pages of entities, forth and back.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fields::Fields;
use super::pagination::Cursor;
use super::wire::{EntitiesPage, JsonText, PageInfo};
use super::{FIELDS, FILTER, LIMIT, OFFSET, fields_of, shown};
use crate::catalog::queries::search::{self, FullText, Query};
use crate::catalog::{Catalog, Filter};
use crate::web::openapi::{Form, Parameter, Parameters};
use crate::web::{Error, Json, SignedIn};

/// Entities of a page where no limit is given.
const DEFAULT_LIMIT: i64 = 200;
/// The most that one page holds.
const MAX_LIMIT: i64 = 10_000;

pub const PARAMETERS: &[Parameter] = &[
    FILTER,
    FIELDS,
    LIMIT,
    OFFSET,
    Parameter::new(
        "orderField",
        Form::Texts,
        "field,asc or field,desc; only the first counts",
    ),
    Parameter::new("cursor", Form::Text, "Of the answer before; brings its own question"),
    Parameter::new(
        "fullTextFilterTerm",
        Form::Text,
        "Part of a value, ignoring case; % and _ stand for any text",
    ),
    Parameter::new(
        "fullTextFilterFields",
        Form::CommaList,
        "Fields to look in; the sort field where none is named",
    ),
    Parameter::new(
        "totalItems",
        Form::OneOf(&["include", "exclude"]),
        "exclude spares the count",
    ),
];

/// What is asked, by GET or POST.
#[derive(Debug)]
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
pub async fn list(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<JsonText, Error> {
    let parameters = Parameters::read(query.as_deref(), PARAMETERS)?;
    let order = match parameters.one("orderField") {
        None => None,
        Some(text) => {
            let mut parts = text.split(',');
            let field = parts.next().unwrap_or_default();
            Some(order(field, parts.next().unwrap_or("asc"))?)
        }
    };
    let term = parameters.one("fullTextFilterTerm");
    let asked = Asked {
        fields: fields_of(&parameters)?,
        limit: parameters.number("limit").unwrap_or(DEFAULT_LIMIT),
        offset: parameters.number("offset").unwrap_or(0),
        count: parameters.one("totalItems") != Some("exclude"),
        order,
        full_text: term.map(|term| (term.to_owned(), parameters.parts("fullTextFilterFields"))),
        filters: Some(parameters.all("filter")),
        predicate: None,
        cursor: parameters.one("cursor").map(Cursor::decode).transpose()?,
    };
    answer(&catalog, asked).await
}

/// The field in lower case, and whether from the end.
fn order(field: &str, direction: &str) -> Result<(String, bool), Error> {
    if field.is_empty() || !["asc", "desc"].contains(&direction) {
        return Err(Error::invalid(
            "orderField",
            "Invalid order field order, must be asc or desc",
        ));
    }
    Ok((field.to_lowercase(), direction == "desc"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryBody {
    /// A predicate: {field: value}, {field: {$in, $exists, $hasPrefix, $contains}}, $all, $any, $not.
    #[serde(default = "everything")]
    query: Value,
    fields: Option<Vec<String>>,
    limit: Option<u32>,
    offset: Option<u32>,
    #[serde(default)]
    order_by: Vec<OrderBody>,
    cursor: Option<String>,
    full_text_filter: Option<FullTextBody>,
    /// include or exclude.
    total_items: Option<String>,
}

/// The predicate where none is given.
pub fn everything() -> Value {
    json!({})
}

#[derive(Deserialize, JsonSchema)]
struct OrderBody {
    field: String,
    /// asc or desc.
    order: String,
}

#[derive(Deserialize, JsonSchema)]
struct FullTextBody {
    term: Option<String>,
    fields: Option<Vec<String>>,
}

/// `POST /entities/by-query`, with a predicate.
pub async fn list_by_body(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<QueryBody>,
) -> Result<JsonText, Error> {
    let order = match body.order_by.first() {
        Some(by) => Some(order(&by.field, &by.order)?),
        None => None,
    };
    let count = match body.total_items.as_deref() {
        None | Some("include") => true,
        Some("exclude") => false,
        Some(other) => {
            let text = format!("Invalid totalItems value \"{other}\", expected one of: include, exclude");
            return Err(Error::invalid("totalItems", text));
        }
    };
    let asked = Asked {
        fields: Fields::parse(body.fields.iter().flatten().map(String::as_str))?,
        limit: body.limit.map_or(DEFAULT_LIMIT, i64::from),
        offset: body.offset.map_or(0, i64::from),
        count,
        order,
        full_text: body
            .full_text_filter
            .map(|filter| (filter.term.unwrap_or_default(), filter.fields.unwrap_or_default())),
        filters: None,
        predicate: Some(body.query),
        cursor: body.cursor.as_deref().map(Cursor::decode).transpose()?,
    };
    answer(&catalog, asked).await
}

async fn answer(catalog: &Catalog, asked: Asked) -> Result<JsonText, Error> {
    let question = format!("{asked:?}");
    let answer = catalog.reads().answer(question, work_out(catalog, asked)).await;
    answer.map(JsonText)
}

async fn work_out(catalog: &Catalog, asked: Asked) -> Result<Bytes, Error> {
    let limit = asked.limit.min(MAX_LIMIT);
    let order = asked.order.clone();
    let full_text = asked.full_text.map(|(term, fields)| {
        let fields = match fields.is_empty() {
            false => fields.iter().map(|field| field.to_lowercase()).collect(),
            true => vec![order.as_ref().map_or("metadata.uid", |(field, _)| field).to_owned()],
        };
        (term.trim().to_owned(), fields)
    });
    let initial = asked.cursor.is_none();
    // A cursor brings its own question.
    let mut cursor = asked.cursor.unwrap_or(Cursor {
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
    match initial {
        true => query.offset = asked.offset,
        false => {
            query.from = Some(cursor.from.clone());
            query.backwards = cursor.is_previous;
        }
    }
    let mut reader = catalog.reads().reader().await?;
    if initial && asked.count {
        cursor.total_items = search::total(catalog.reads(), &mut reader, &query).await?;
    }
    let total = asked.count.then_some(cursor.total_items);
    let mut found = match limit {
        0 => Vec::new(),
        _ => search::page(&mut reader, &query, total).await?,
    };
    reader.keep();
    let more = i64::try_from(found.len()).unwrap_or(i64::MAX) > limit;
    if more {
        // The one too many is at the far end of the direction of reading.
        match query.backwards {
            true => drop(found.remove(0)),
            false => drop(found.pop()),
        }
    }
    let place = |found: &search::Found| (found.value.clone(), found.row.entity_ref.clone());
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
    let mut page_info = PageInfo::default();
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        if more || query.backwards {
            page_info.next_cursor = Some(at(place(last), false));
        }
        if !initial && place(first) != cursor.first {
            page_info.prev_cursor = Some(at(place(first), true));
        }
    }
    let fields = asked.fields.as_ref();
    let items: Result<Vec<String>, Error> = found.into_iter().map(|found| shown(found.row, fields)).collect();
    Ok(EntitiesPage::text(&items?, cursor.total_items, &page_info))
}
