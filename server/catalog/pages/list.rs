//! `GET /catalog`: what there is, filtered by links.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;

use super::asked::Asked;
use super::columns::{Cell, Choosable, Chosen, Column as Shown};
use super::narrow::{self, Chip, Facet};
use super::star::Star;
use super::{Pages, icon, words};
use crate::catalog::queries::list::{self, Column};
use crate::catalog::queries::search;
use crate::catalog::{Entity, EntityRef, Filter};
use crate::language::{Text, filters, text};
use crate::web::{Error, Query, Shell, SignedIn, page};

const PAGE: i64 = 50;
/// More kinds than there can be, but for those that nobody declares any more.
const KINDS: i64 = 80;

struct Heading {
    title: Text,
    href: Option<String>,
    /// `ascending`, `descending` or empty.
    sorted: &'static str,
    class: &'static str,
}

struct Row<'a> {
    entity: &'a Entity,
    icon: &'static str,
    path: String,
    star: Star,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "catalog/list.html")]
struct ListPage<'a> {
    shell: Shell,
    /// Where the news was before the catalog was read.
    since: String,
    asked: Asked,
    heading: Text,
    facets: Vec<Facet>,
    chips: Vec<Chip>,
    headings: Vec<Heading>,
    /// Columns that can be chosen.
    columns: Vec<Choosable>,
    /// Stands for the choice among the columns of a declared kind.
    mark: Option<String>,
    live: Vec<&'static str>,
    /// How far the columns' cells can be trusted.
    notices: Vec<String>,
    rows: Vec<Row<'a>>,
    total: i64,
    first: i64,
    last: i64,
    here: String,
    previous: Option<String>,
    next: Option<String>,
    all: String,
    mine: String,
    starred: String,
    /// The catalog holds nothing at all but what stands for locations.
    nothing: bool,
    /// Nothing is spelled as it was asked for.
    similar: bool,
    /// What stands there when the catalog has nothing of this kind.
    nothing_of_kind: Text,
    /// The list of this kind without filters.
    unfiltered: String,
    /// The list as a file.
    csv: String,
    json: String,
}

pub async fn list(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let asked = asked.clean();
    let owners = caller.ownership_refs();
    let stars = pages.catalog.starred(&caller.actor()).await?;
    let mut sought = asked.words();
    let kind = asked.kind();
    let without_kind = Filter::All(asked.filters(&owners, &stars));
    let mut query = asked.query(pages.kinds(), &owners, &stars);
    let Chosen {
        columns,
        choices: choosable,
        mark,
        cookie,
    } = Chosen::of(&pages, &asked, &headers);
    query.limit = Some(PAGE);
    query.offset = i64::from(asked.page() - 1) * PAGE;
    let reads = pages.catalog.reads();
    let mut found = list::list_rows(reads, &query, &sought).await?;
    let mut similar = None;
    if found.total == 0
        && let Some(text) = &asked.text
    {
        // Nothing says so; what says nearly so is better than nothing.
        let refs = pages.catalog.similar(text).await?;
        let nearly = Filter::All(vec![query.filter.clone(), Filter::Refs(refs.to_vec())]);
        let query = search::Query {
            filter: nearly.clone(),
            ..query.clone()
        };
        found = list::list_rows(reads, &query, &[]).await?;
        similar = (found.total > 0).then_some(nearly);
    }
    let total = found.total;
    let is_similar = similar.is_some();
    if is_similar {
        sought.clear();
    }
    let filter = similar.unwrap_or_else(|| query.filter.clone());
    let kinds = list::column_counts(pages.catalog.reads(), &without_kind, &sought, Column::Kind, KINDS).await?;
    let nothing = total == 0
        && kinds.iter().all(|(kind, _)| kind == "Location")
        && asked.filters(&owners, &stars).is_empty()
        && sought.is_empty();
    let facets = narrow::facets(&pages, &asked, &filter, &kinds, &sought).await?;
    let here = asked.href();
    let turn = |to: u32| {
        let mut other = asked.clone();
        other.page = Some(to);
        other.href()
    };
    let shown = i64::try_from(found.rows.len()).unwrap_or(PAGE);
    let previous = (asked.page() > 1).then(|| turn(asked.page() - 1));
    let next = (query.offset + shown < total).then(|| turn(asked.page() + 1));
    let rows = found
        .rows
        .iter()
        .map(|row| {
            let entity_ref = row.entity.entity_ref();
            Row {
                icon: icon(pages.kinds(), &entity_ref.kind),
                path: entity_ref.path(),
                star: Star::new(
                    &entity_ref,
                    row.entity.title(),
                    stars.contains(&entity_ref.to_string()),
                    &here,
                ),
                cells: columns
                    .iter()
                    .map(|column| column.cell(&row.entity, row.changed_at, shell.locale))
                    .collect(),
                entity: &row.entity,
            }
        })
        .collect::<Vec<Row<'_>>>();
    let answer = page(
        shell.locale,
        &ListPage {
            since,
            heading: words::count(pages.kinds(), total, &kind),
            nothing_of_kind: text!(
                "There are no {things} in the catalog yet.",
                things = words::many_within(pages.kinds(), &kind)
            ),
            unfiltered: Asked {
                kind: asked.kind.clone(),
                ..Asked::default()
            }
            .href(),
            facets,
            chips: narrow::chips(pages.kinds(), &asked),
            headings: headings(&columns, &asked),
            columns: choosable,
            mark,
            live: live_urls(&pages),
            notices: notices(&columns, &rows, &shell),
            rows,
            total,
            first: if shown == 0 { 0 } else { query.offset + 1 },
            last: query.offset + shown,
            here,
            previous,
            next,
            all: asked.with(|other| (other.owner, other.starred) = (None, None)),
            mine: asked.with(|other| (other.owner, other.starred) = (Some("me".to_owned()), None)),
            starred: asked.with(|other| {
                (other.kind, other.owner) = (Some("all".to_owned()), None);
                other.starred = Some("1".to_owned());
            }),
            nothing,
            similar: is_similar,
            csv: asked.file("csv"),
            json: asked.file("json"),
            asked,
            shell,
        },
    )?;
    let cookies = cookie.map(|cookie| CookieJar::new().add(cookie));
    Ok((cookies, answer).into_response())
}

/// Streams that keep the columns of other features live, each once.
pub(super) fn live_urls(pages: &Pages) -> Vec<&'static str> {
    let mut live: Vec<&'static str> = pages.columns.iter().filter_map(|column| column.live_url()).collect();
    live.sort_unstable();
    live.dedup();
    live
}

/// What the columns say of the cells that are there.
fn notices(columns: &[Shown], rows: &[Row<'_>], shell: &Shell) -> Vec<String> {
    let is_filled = |index: usize| {
        rows.iter()
            .any(|row| row.cells.get(index).is_some_and(|cell| !matches!(cell, Cell::Nothing)))
    };
    columns
        .iter()
        .enumerate()
        .filter(|(index, _)| is_filled(*index))
        .filter_map(|(_, column)| match column {
            Shown::Other(column) => column.notice(shell.locale, shell.now),
            _ => None,
        })
        .collect()
}

fn headings(columns: &[Shown], asked: &Asked) -> Vec<Heading> {
    let sort = asked.sort.as_deref().unwrap_or("name");
    let sortable = |title, name: &str, class| {
        let sorted = match sort.strip_prefix('-') {
            Some(by) if by == name => "descending",
            None if sort == name => "ascending",
            _ => "",
        };
        let to = if sorted == "ascending" {
            format!("-{name}")
        } else {
            name.to_owned()
        };
        Heading {
            title,
            href: Some(asked.with(|other| other.sort = Some(to))),
            sorted,
            class,
        }
    };
    let mut headings = vec![sortable(text!("Name"), "name", "")];
    headings.extend(columns.iter().map(|column| match column.sorts() {
        true => sortable(column.title(), &column.name(), column.class()),
        false => Heading {
            title: column.title(),
            href: None,
            sorted: "",
            class: column.class(),
        },
    }));
    headings
}

/// Words and path of the owner that the spec names.
pub(super) fn owner(entity: &Entity) -> Option<(String, String)> {
    let reference = EntityRef::parse(entity.spec("owner")?, Some("group"), Some(entity.namespace())).ok()?;
    Some((short_ref(&reference.to_string()), reference.path()))
}

/// A ref without what goes without saying: the namespace default, and the kind group.
pub fn short_ref(reference: &str) -> String {
    let Ok(parsed) = EntityRef::parse(reference, Some("group"), None) else {
        return reference.to_owned();
    };
    let name = match parsed.namespace.as_str() {
        "default" => parsed.name,
        namespace => format!("{namespace}/{}", parsed.name),
    };
    match parsed.kind.as_str() {
        "group" => name,
        kind => format!("{kind}:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_shortened() {
        for (reference, expected) in [
            ("group:default/x", "x"),
            ("user:default/x", "user:x"),
            ("group:a/x", "a/x"),
        ] {
            assert_eq!(short_ref(reference), expected);
        }
    }
}
