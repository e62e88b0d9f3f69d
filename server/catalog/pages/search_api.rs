//! `GET /api/search/query`: Backstage's search API over the same sections as `/search`.

use axum::extract::{RawQuery, State};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Pages;
use super::search::{others, sought};
use crate::catalog::Entity;
use crate::web::{Error, Json, SignedIn};

/// The type of entities, as Backstage's collator names it.
const ENTITIES: &str = "software-catalog";
const DEFAULT_LIMIT: usize = 25;
/// Results of a page, and of all pages: what is deeper nobody reads.
const MOST: usize = 100;
const DEEPEST: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    results: Vec<SearchResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_page_cursor: Option<String>,
    number_of_results: usize,
}

#[derive(Serialize)]
struct SearchResult {
    #[serde(rename = "type")]
    kind: &'static str,
    document: Value,
    /// From 1.
    rank: usize,
}

/// What is asked for: `types[]`, `types[0]` and `types` are the same.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    term: String,
    types: Vec<String>,
    /// Key and the values of which one must be there.
    filters: Vec<(String, Vec<String>)>,
    page: usize,
    limit: usize,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Error> {
        let mut asked = Self {
            limit: DEFAULT_LIMIT,
            ..Self::default()
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let (name, key) = match name.split_once('[') {
                Some((name, rest)) => (name, rest.split(']').next().unwrap_or_default()),
                None => (&*name, ""),
            };
            match name {
                "term" => asked.term = sought(&value),
                "types" => asked.types.push(value.into_owned()),
                "filters" if !key.is_empty() => {
                    let value = value.to_lowercase();
                    match asked.filters.iter_mut().find(|(known, _)| known == key) {
                        Some((_, values)) => values.push(value),
                        None => asked.filters.push((key.to_owned(), vec![value])),
                    }
                }
                "pageLimit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    asked.limit =
                        limit.ok_or_else(|| Error::invalid("pageLimit", format!("pageLimit must be 1 to {MOST}")))?;
                }
                "pageCursor" if !value.is_empty() => {
                    asked.page = value
                        .strip_prefix('p')
                        .and_then(|page| page.parse().ok())
                        .filter(|page| *page < DEEPEST)
                        .ok_or_else(|| Error::invalid("pageCursor", "Malformed cursor; begin again without it"))?;
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    fn wants(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind)
    }

    /// Does the document have what the filters ask for?
    fn admits(&self, document: &Value) -> bool {
        self.filters.iter().all(|(key, values)| {
            let own = document[key].as_str().unwrap_or_default().to_lowercase();
            values.contains(&own)
        })
    }
}

/// All that the term finds, the best first, entities before what other features know; `term` must not be empty.
pub async fn query(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Results>, Error> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let wanted = ((asked.page + 1) * asked.limit + 1).min(DEEPEST);
    let mut found: Vec<(&'static str, Value)> = Vec::new();
    if asked.wants(ENTITIES) {
        let entities = pages.catalog.search(&asked.term, wanted, usize::MAX).await?;
        let entities = entities.groups.iter().flat_map(|group| &group.entities);
        found.extend(entities.map(|entity| (ENTITIES, document(entity))));
    }
    for other in others(&pages, &caller, &asked.term, wanted).await {
        if asked.wants(other.name) {
            let hits = other.found.hits.into_iter().map(|hit| {
                let text = hit.note.to_string();
                (
                    other.name,
                    json!({"title": hit.title, "text": text, "location": hit.path}),
                )
            });
            found.extend(hits);
        }
    }
    found.retain(|(_, document)| asked.admits(document));
    found.truncate(DEEPEST);
    let number_of_results = found.len();
    let start = asked.page * asked.limit;
    let results: Vec<SearchResult> = found
        .into_iter()
        .enumerate()
        .skip(start)
        .take(asked.limit)
        .map(|(place, (kind, document))| SearchResult {
            kind,
            document,
            rank: place + 1,
        })
        .collect();
    Ok(Json(Results {
        next_page_cursor: (number_of_results > start + asked.limit).then(|| format!("p{}", asked.page + 1)),
        previous_page_cursor: asked.page.checked_sub(1).map(|page| format!("p{page}")),
        results,
        number_of_results,
    }))
}

/// As the collator of Backstage's catalog writes it, as far as the search has it.
fn document(entity: &Entity) -> Value {
    let entity_ref = entity.entity_ref();
    let mut document = Map::new();
    let mut put = |key: &str, value: &str| drop(document.insert(key.to_owned(), value.into()));
    put("title", entity.title());
    put("text", entity.description().unwrap_or_default());
    put("location", &entity_ref.path());
    put("kind", entity.kind());
    put("namespace", &entity_ref.namespace);
    put("name", entity.name());
    put("entityTitle", entity.title());
    document.insert(
        "authorization".to_owned(),
        json!({"resourceRef": entity_ref.to_string()}),
    );
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_clients_write_them() {
        let asked = Asked::read(
            "term=+a%00b+&types%5B%5D=tasks&types[0]=software-catalog&types=techdocs&filters[kind]=API&filters[kind][]=Group\
             &pageLimit=7&pageCursor=p2&unknown=1",
        )
        .unwrap();
        assert_eq!((asked.term.as_str(), asked.page, asked.limit), ("a b", 2, 7));
        assert_eq!(asked.types, ["tasks", "software-catalog", "techdocs"]);
        assert_eq!(
            asked.filters,
            [("kind".to_owned(), vec!["api".to_owned(), "group".to_owned()])]
        );
        for wrong in [
            "pageLimit=0",
            "pageLimit=101",
            "pageLimit=x",
            "pageCursor=x",
            "pageCursor=p-1",
            "pageCursor=p99999",
        ] {
            assert!(Asked::read(wrong).is_err(), "{wrong}");
        }
    }
}
