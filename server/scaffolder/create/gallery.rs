//! `/create`: every golden path as a card.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use crate::catalog::{Entity, EntityRef};
use crate::language::{Text, counted, filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::template::Template;
use crate::web::{Error, Query, Shell, SignedIn, page};

#[derive(askama::Template)]
#[template(path = "scaffolder/gallery.html")]
struct GalleryPage {
    shell: Shell,
    cards: Vec<Card>,
    /// Cards before the filters.
    total: usize,
    tabs: Vec<Tab>,
    search: String,
    kind: String,
    tag: String,
}

struct Card {
    path: String,
    title: String,
    description: String,
    owner: String,
    kind: String,
    tags: Vec<(String, String)>,
    /// `5 fields · 4 steps`
    facts: Text,
    /// Why it cannot be run.
    broken: Option<String>,
}

struct Tab {
    href: String,
    label: Text,
    count: usize,
    current: bool,
}

#[derive(Debug, Default, Deserialize)]
pub struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    tag: String,
}

fn address(search: &str, kind: &str, tag: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("q", search), ("type", kind), ("tag", tag)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        "/create".to_owned()
    } else {
        format!("/create?{query}")
    }
}

pub async fn list(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(_): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Response, Error> {
    let entities = scaffolder.outside().catalog.list_kind("Template").await?;
    let words: Vec<String> = filters.q.split_whitespace().map(str::to_lowercase).collect();
    let found: Vec<&Entity> = entities
        .iter()
        .filter(|entity| matches(entity, &words, &filters.tag))
        .collect();
    let mut kinds: Vec<&str> = entities.iter().filter_map(|entity| entity.spec("type")).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let count = |kind: &str| found.iter().filter(|entity| entity.spec("type") == Some(kind)).count();
    let mut tabs = vec![Tab {
        href: address(&filters.q, "", &filters.tag),
        label: text!("All"),
        count: found.len(),
        current: filters.kind.is_empty(),
    }];
    tabs.extend(kinds.iter().map(|kind| Tab {
        href: address(&filters.q, kind, &filters.tag),
        label: (*kind).into(),
        count: count(kind),
        current: filters.kind == *kind,
    }));
    let mut cards: Vec<Card> = found
        .iter()
        .filter(|entity| filters.kind.is_empty() || entity.spec("type") == Some(&filters.kind))
        .map(|entity| card(entity, &filters))
        .collect();
    cards.sort_by_key(|card| card.title.to_lowercase());
    page(
        shell.locale,
        &GalleryPage {
            shell,
            cards,
            total: entities.len(),
            tabs,
            search: filters.q,
            kind: filters.kind,
            tag: filters.tag,
        },
    )
}

fn tags(entity: &Entity) -> impl Iterator<Item = &str> {
    entity.body["metadata"]["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
}

fn matches(entity: &Entity, words: &[String], tag: &str) -> bool {
    let text = format!(
        "{} {} {} {}",
        entity.title(),
        entity.name(),
        entity.description().unwrap_or_default(),
        tags(entity).collect::<Vec<_>>().join(" ")
    )
    .to_lowercase();
    (tag.is_empty() || tags(entity).any(|known| known == tag)) && words.iter().all(|word| text.contains(word))
}

fn card(entity: &Entity, filters: &Filters) -> Card {
    let template = Template::read(entity);
    let facts = match &template {
        Ok(template) => {
            let fields: usize = template
                .parameters
                .iter()
                .map(|page| page["properties"].as_object().map_or(0, serde_json::Map::len))
                .sum();
            Text::Joined {
                parts: vec![
                    counted!(fields, "{count} field", "{count} fields"),
                    counted!(template.steps.len(), "{count} step", "{count} steps"),
                ],
                separator: " · ",
            }
        }
        Err(_) => Text::default(),
    };
    Card {
        path: path(&entity.entity_ref()),
        title: entity.title().to_owned(),
        description: entity.description().unwrap_or_default().to_owned(),
        owner: owner(entity),
        kind: entity.spec("type").unwrap_or_default().to_owned(),
        tags: tags(entity)
            .map(|tag| (tag.to_owned(), address(&filters.q, &filters.kind, tag)))
            .collect(),
        facts,
        broken: template.err(),
    }
}

/// The owner's name, with its kind where it is no group.
pub(super) fn owner(entity: &Entity) -> String {
    let Some(owner) = entity.spec("owner") else {
        return String::new();
    };
    match EntityRef::parse(owner, Some("group"), Some(entity.namespace())) {
        Ok(owner) if owner.kind == "group" => owner.name,
        Ok(owner) => format!("{} {}", owner.kind, owner.name),
        Err(_) => owner.to_owned(),
    }
}

/// Address of a template's form.
pub(in crate::scaffolder) fn path(entity_ref: &EntityRef) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let part = |text| {
        utf8_percent_encode(text, NON_ALPHANUMERIC)
            .to_string()
            .replace("%2D", "-")
    };
    format!(
        "/create/templates/{}/{}",
        part(&entity_ref.namespace),
        part(&entity_ref.name)
    )
}
