//! `GET /catalog/<namespace>/<kind>/<name>/definition`

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::outline::{Item, Outline, Part, Section};
use super::{Pages, Read, definition};
use crate::catalog::{Entity, EntityRef, Heading};
use crate::language::{Text, filters, text};
use crate::web::{self, Error, Query, Shell, SignedIn, code};

/// Things of a page.
const SHOWN: usize = 60;
/// Bytes of a text that a page shows; the download has all.
const SHOWN_TEXT: usize = 256 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Only things that say this.
    q: String,
    /// From 1.
    page: Option<usize>,
    /// The page on which the thing with this id is.
    item: Option<String>,
}

/// A section as far as this page has it.
struct Shown<'a> {
    section: &'a Section,
    /// The section began on an earlier page.
    goes_on: bool,
    items: Vec<&'a Item>,
}

#[derive(Template)]
#[template(path = "definitions/outline.html")]
struct OutlinePage<'a> {
    shell: Shell,
    heading: Heading,
    path: String,
    outline: &'a Outline,
    sections: Vec<Shown<'a>>,
    q: &'a str,
    /// The thing that is unfolded.
    open: &'a str,
    found: usize,
    page: usize,
    pages: usize,
}

impl OutlinePage<'_> {
    fn at(&self, page: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(format!("{}?", self.path));
        if !self.q.is_empty() {
            query.append_pair("q", self.q);
        }
        query.append_pair("page", &page.to_string()).finish()
    }

    /// Where the thing with this id is, which may be another page.
    fn item(&self, id: &str) -> String {
        let here = self
            .sections
            .iter()
            .any(|section| section.items.iter().any(|item| item.id == id));
        match here {
            true => format!("#{id}"),
            false => format!("{}?item={id}#{id}", self.path),
        }
    }
}

#[derive(Template)]
#[template(path = "definitions/text.html")]
struct TextPage {
    shell: Shell,
    heading: Heading,
    path: String,
    /// Why it is shown as text.
    reason: Option<Text>,
    /// Escaped and coloured.
    html: String,
    cut: bool,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let heading = pages
        .entities
        .heading(&caller, &shell, &entity_ref, "definition")
        .await?;
    let text = definition(&heading.entity).ok_or_else(none)?;
    let read: Arc<Read> = pages.definitions.read(&heading.entity).await?;
    let path = format!("{}/definition", entity_ref.path());
    let outline = match &*read {
        Read::Outline(outline) => outline,
        Read::Text(reason) => {
            let shown = shortened(text);
            let page = TextPage {
                html: code(language(&heading.entity), shown),
                cut: shown.len() < text.len(),
                reason: reason.clone(),
                shell,
                path,
                heading,
            };
            return web::page(page.shell.locale, &page);
        }
    };
    let q = wanted.q.trim();
    let matching = matching(outline, q);
    let found: usize = matching.iter().map(|(_, items)| items.len()).sum();
    let pages = usize::max(1, found.div_ceil(SHOWN));
    let flat = || matching.iter().flat_map(|(_, items)| items);
    let of_item = wanted
        .item
        .as_ref()
        .and_then(|id| flat().position(|item| item.id == *id))
        .map(|place| place / SHOWN + 1);
    let page = of_item.or(wanted.page).unwrap_or(1).clamp(1, pages);
    let shown = OutlinePage {
        sections: on_page(&matching, page),
        outline,
        q,
        open: wanted.item.as_deref().unwrap_or_default(),
        found,
        page,
        pages,
        path,
        heading,
        shell,
    };
    web::page(shown.shell.locale, &shown)
}

/// `GET …/definition/raw`: the definition as it is.
pub async fn raw(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let entity = pages.definitions.0.catalog.get(&entity_ref).await?;
    let text = definition(&entity).ok_or_else(none)?.to_owned();
    let end = match language(&entity) {
        "graphql" => "graphql",
        "proto" => "proto",
        "json" => "json",
        "yaml" => "yaml",
        _ => "txt",
    };
    // Names of entities are letters, digits and `-_.`, which no header minds.
    let plain: String = entity_ref
        .name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{plain}.{end}\""),
        ),
    ];
    Ok((headers, text).into_response())
}

fn none() -> Error {
    Error::NotFound(text!("Only APIs have a definition."))
}

/// As [`code`] names it.
fn language(entity: &Entity) -> &'static str {
    let kind = entity.spec("type").unwrap_or_default().to_lowercase();
    let text = entity.spec("definition").unwrap_or_default();
    match kind.as_str() {
        "graphql" => "graphql",
        "grpc" | "protobuf" | "proto" => "proto",
        _ if text.trim_start().starts_with(['{', '[']) => "json",
        "openapi" | "asyncapi" => "yaml",
        _ => "",
    }
}

fn shortened(text: &str) -> &str {
    if text.len() <= SHOWN_TEXT {
        return text;
    }
    let end = (0..=SHOWN_TEXT)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    let end = text[..end].rfind('\n').unwrap_or(end);
    &text[..end]
}

/// The things that say a text, by section.
fn matching<'a>(outline: &'a Outline, q: &str) -> Vec<(&'a Section, Vec<&'a Item>)> {
    let words: Vec<String> = q
        .to_lowercase()
        .split_whitespace()
        .take(10)
        .map(str::to_owned)
        .collect();
    let says = |item: &&Item| {
        let text = format!("{} {} {} {}", item.badge, item.name, item.summary, item.id).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let sections = outline.sections.iter();
    sections
        .map(|section| (section, section.items.iter().filter(says).collect()))
        .collect()
}

/// What of it is on a page, from 1.
fn on_page<'a>(matching: &[(&'a Section, Vec<&'a Item>)], page: usize) -> Vec<Shown<'a>> {
    let (first, mut before) = ((page - 1) * SHOWN, 0);
    let mut shown = Vec::new();
    for (section, items) in matching {
        let start = first.saturating_sub(before).min(items.len());
        let end = (first + SHOWN).saturating_sub(before).min(items.len());
        before += items.len();
        if start < end {
            shown.push(Shown {
                section,
                goes_on: start > 0,
                items: items[start..end].to_vec(),
            });
        }
    }
    shown
}
