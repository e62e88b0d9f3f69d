//! `GET /catalog/<namespace>/<kind>/<name>/source`: the document as the catalog holds it, and where it comes from.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Pages;
use super::entity::Head;
use crate::catalog::{Entity, EntityRef, yaml_text};
use crate::language::filters;
use crate::web::{Error, Query, Shell, SignedIn, page};

/// Bytes of a document that a page shows; the download has all.
const SHOWN: usize = 512 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// `json`; else YAML.
    format: Option<String>,
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

impl Format {
    fn of(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            _ => Self::Yaml,
        }
    }

    fn write(self, entity: &Entity) -> Result<String, Error> {
        match self {
            Self::Yaml => yaml_text::write(&entity.body, &yaml_text::Style::default()).map_err(Error::internal),
            Self::Json => serde_json::to_string_pretty(&entity.body)
                .map(|text| text + "\n")
                .map_err(Error::internal),
        }
    }
}

#[derive(Template)]
#[template(path = "catalog/source.html")]
struct SourcePage {
    shell: Shell,
    head: Head,
    since: String,
    format: Format,
    text: String,
    /// The document is longer than what is shown of it.
    cut: bool,
}

impl SourcePage {
    /// A text of the metadata.
    fn metadata(&self, key: &str) -> &str {
        self.head.view.entity.body["metadata"][key].as_str().unwrap_or("–")
    }
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let head = Head::of(&pages.entities, &caller, &entity_ref, "source").await?;
    let format = Format::of(wanted.format.as_deref().unwrap_or_default());
    let mut text = format.write(&head.view.entity)?;
    let cut = text.len() > SHOWN;
    if cut {
        // Between letters.
        let end = (0..=SHOWN).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
    }
    page(
        shell.locale,
        &SourcePage {
            shell,
            head,
            since,
            format,
            text,
            cut,
        },
    )
}

/// `GET …/source.yaml`
pub async fn yaml(
    pages: State<Pages>,
    caller: SignedIn,
    path: Path<(String, String, String)>,
) -> Result<Response, Error> {
    download(pages, caller, path, Format::Yaml).await
}

/// `GET …/source.json`
pub async fn json(
    pages: State<Pages>,
    caller: SignedIn,
    path: Path<(String, String, String)>,
) -> Result<Response, Error> {
    download(pages, caller, path, Format::Json).await
}

async fn download(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    format: Format,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let entity = pages.catalog.get(&entity_ref).await?;
    let (kind, end) = match format {
        Format::Yaml => ("application/yaml; charset=utf-8", "yaml"),
        Format::Json => ("application/json", "json"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&entity_ref.name, end)),
    ];
    Ok((headers, format.write(&entity)?).into_response())
}

/// Names the file that a browser keeps. Names of entities have letters, digits and `-_.` only; what else an address may
/// hold is left out.
pub(super) fn attachment(name: &str, end: &str) -> String {
    let kept: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter))
        .collect();
    format!("attachment; filename=\"{kept}.{end}\"")
}
