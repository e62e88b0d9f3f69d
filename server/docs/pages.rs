//! `/docs`: which entities have documentation, and its pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::book::{Book, Entry};
use super::library::Opened;
use super::markdown::Rendered;
use super::place::{ENTITY, REF};
use super::{FILES, Found, Pages, book_path, is_picture_name, page_path, picture};
use crate::catalog::{CatalogError, Entity, EntityRef, Filter, Heading, Kinds};
use crate::language::{Text, filters, text};
use crate::scm::ScmError;
use crate::web::{self, Error, Query, Shell, SignedIn};

/// Entities of the list.
const LISTED: i64 = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sought {
    q: String,
}

#[derive(Template)]
#[template(path = "docs/list.html")]
struct ListPage<'a> {
    shell: Shell,
    q: String,
    rows: Vec<Row<'a>>,
    /// How many have documentation and are not listed.
    more: i64,
}

struct Row<'a> {
    path: String,
    entity: &'a Entity,
    kind: Text,
    owner: Option<(String, String)>,
}

/// `GET /docs`
pub async fn list(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    shell: Shell,
    Query(sought): Query<Sought>,
) -> Result<Response, Error> {
    let has = |key: &str| Filter::Exists(format!("metadata.annotations.{key}"));
    let found = pages
        .docs
        .0
        .catalog
        .list_matching(Filter::Any(vec![has(REF), has(ENTITY)]), LISTED)
        .await?;
    let more = found.total - found.entities.len() as i64;
    let word = sought.q.trim().to_lowercase();
    let fits = |entity: &&Entity| {
        let told = [entity.title(), entity.name(), entity.description().unwrap_or_default()];
        told.iter().any(|text| text.to_lowercase().contains(&word))
    };
    let mut rows: Vec<Row<'_>> = found
        .entities
        .iter()
        .filter(fits)
        .map(|entity| Row::of(pages.docs.0.catalog.kinds(), entity))
        .collect();
    rows.sort_by_key(|row| row.entity.title().to_lowercase());
    web::page(
        shell.locale,
        &ListPage {
            shell,
            q: sought.q.trim().to_owned(),
            rows,
            more,
        },
    )
}

impl<'a> Row<'a> {
    fn of(kinds: &Kinds, entity: &'a Entity) -> Self {
        let owner = entity
            .relations("ownedBy")
            .next()
            .and_then(|owner| EntityRef::parse(owner, None, None).ok());
        Self {
            path: book_path(&entity.entity_ref()),
            kind: kinds.word(entity.kind()),
            owner: owner.map(|owner| (owner.path(), owner.name)),
            entity,
        }
    }
}

/// A line of the navigation.
struct Line {
    title: String,
    depth: usize,
    /// `None` for the heading of a section.
    href: Option<String>,
    current: bool,
    /// It leads away.
    outside: bool,
}

#[derive(Template)]
#[template(path = "docs/page.html")]
struct DocsPage {
    shell: Shell,
    heading: Heading,
    name: String,
    lines: Vec<Line>,
    title: String,
    page: Arc<Rendered>,
    language: Option<String>,
    edit: Option<String>,
    commit: Option<(String, String)>,
    at: Option<chrono::DateTime<chrono::Utc>>,
    previous: Option<(String, String)>,
    next: Option<(String, String)>,
    /// The page of the forge that has all of a long text.
    whole: Option<String>,
    problem: Option<String>,
    partial: bool,
}

#[derive(Template)]
#[template(path = "docs/none.html")]
struct NonePage {
    shell: Shell,
    heading: Heading,
    reason: Option<Text>,
}

/// `GET /docs/…`: the first page.
pub async fn first(
    state: State<Pages>,
    caller: SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    show(
        state,
        caller,
        shell,
        EntityRef::new(&kind, &namespace, &name),
        "",
        false,
    )
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Version {
    v: String,
}

/// `GET /docs/…/<path>`: a page, or a picture.
pub async fn page(
    state: State<Pages>,
    caller: SignedIn,
    shell: Shell,
    Path((namespace, kind, name, path)): Path<(String, String, String, String)>,
    Query(version): Query<Version>,
) -> Result<Response, Error> {
    let lasting = !version.v.is_empty();
    show(
        state,
        caller,
        shell,
        EntityRef::new(&kind, &namespace, &name),
        &path,
        lasting,
    )
    .await
}

async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    entity_ref: EntityRef,
    path: &str,
    lasting: bool,
) -> Result<Response, Error> {
    if picture_path(path).is_some() {
        let name = (entity_ref.namespace, entity_ref.kind, entity_ref.name);
        let opened = pages.book(&name).await?;
        return send_picture(&pages, &opened, path, lasting).await;
    }
    let heading = pages.entities.heading(&caller, &shell, &entity_ref, "docs").await?;
    let opened = match pages.docs.open(&heading.entity).await? {
        Found::Elsewhere(address) => return Ok(Redirect::to(&address).into_response()),
        Found::Nothing(reason) if path.is_empty() => {
            return web::page(shell.locale, &NonePage { shell, heading, reason });
        }
        Found::Nothing(_) => return Err(no_page()),
        Found::Book(opened) => opened,
    };
    pages.docs.opened(&entity_ref);
    let book = opened.book.clone();
    let index = match book.page_at(path) {
        Some(index) => index,
        // A book without an index begins with its first page.
        None if path.is_empty() => 0,
        None => return Err(no_page()),
    };
    let info = &book.pages[index];
    let rendered = match pages.docs.0.library.page(&opened, &info.file).await {
        Ok(rendered) => rendered,
        Err(ScmError::NotFound { .. }) => return Err(no_page()),
        Err(error) => return Err(CatalogError::Scm(error).into()),
    };
    let order = order(&book);
    let at = order.iter().position(|known| *known == index);
    let beside = |step: isize| {
        let index = order.get(at?.checked_add_signed(step)?)?;
        let page = &book.pages[*index];
        Some((page_path(&opened.base, &page.path), page.title.clone()))
    };
    let shown = DocsPage {
        name: book.name.clone(),
        lines: lines(&book, &opened.base, index),
        title: info.title.clone(),
        language: book.language.clone(),
        edit: opened.edit_page(&info.file),
        commit: opened.commit(),
        at: opened.files.at,
        previous: beside(-1),
        next: beside(1),
        whole: rendered.cut.then(|| opened.forge_page(&info.file, false)).flatten(),
        problem: book.problem.clone(),
        partial: opened.files.partial,
        page: rendered,
        heading,
        shell,
    };
    web::page(shown.shell.locale, &shown)
}

pub(super) fn no_page() -> Error {
    Error::NotFound(text!(
        "The documentation has no such page. It may have been renamed or removed."
    ))
}

/// The file of the repository that an address names, where that is a picture.
fn picture_path(path: &str) -> Option<(&str, bool)> {
    match path.strip_prefix(FILES).and_then(|rest| rest.strip_prefix('/')) {
        Some(path) => is_picture_name(path).then_some((path, true)),
        None => is_picture_name(path).then_some((path, false)),
    }
}

/// A picture, by its path in the repository or in the folder of the pages.
pub async fn send_picture(pages: &Pages, opened: &Opened, path: &str, lasting: bool) -> Result<Response, Error> {
    let (path, from_root) = picture_path(path).ok_or_else(no_page)?;
    let folder = if from_root { "" } else { &opened.book.folder };
    let none = || Error::NotFound(text!("There is no such picture, or the file is none."));
    let file = super::book::normal(folder, path).ok_or_else(none)?;
    match pages.docs.0.library.picture(opened, &file).await {
        Ok(content) => picture::answer(content, lasting).ok_or_else(none),
        Err(ScmError::NotFound { .. } | ScmError::TooLarge { .. }) => Err(none()),
        Err(error) => Err(CatalogError::Scm(error).into()),
    }
}

/// Pages in the order of the navigation.
fn order(book: &Book) -> Vec<usize> {
    fn walk(entries: &[Entry], order: &mut Vec<usize>) {
        for entry in entries {
            match entry {
                Entry::Page(index) => order.push(*index),
                Entry::Section { entries, .. } => walk(entries, order),
                Entry::Link { .. } => {}
            }
        }
    }
    let mut order = Vec::new();
    walk(&book.entries, &mut order);
    order
}

fn lines(book: &Book, base: &str, current: usize) -> Vec<Line> {
    fn walk(book: &Book, base: &str, current: usize, entries: &[Entry], depth: usize, lines: &mut Vec<Line>) {
        for entry in entries {
            match entry {
                Entry::Page(index) => {
                    let page = &book.pages[*index];
                    lines.push(Line {
                        title: page.title.clone(),
                        depth,
                        href: Some(page_path(base, &page.path)),
                        current: *index == current,
                        outside: false,
                    });
                }
                Entry::Link { title, address } => lines.push(Line {
                    title: title.clone(),
                    depth,
                    href: Some(address.clone()),
                    current: false,
                    outside: true,
                }),
                Entry::Section { title, entries } => {
                    lines.push(Line {
                        title: title.clone(),
                        depth,
                        href: None,
                        current: false,
                        outside: false,
                    });
                    walk(book, base, current, entries, depth + 1, lines);
                }
            }
        }
    }
    let mut lines = Vec::new();
    walk(book, base, current, &book.entries, 0, &mut lines);
    lines
}
