//! `GET /catalog`: what there is, filtered by links.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::{Pages, icon, plural};
use crate::catalog::queries::list::{self, Column};
use crate::catalog::queries::search;
use crate::catalog::{Entity, EntityRef, Filter};
use crate::web::{Error, Query, Shell, SignedIn, page};

const PAGE: i64 = 50;
/// Values listed under each filter.
const VALUES: i64 = 12;

/// A link of a filter.
struct Choice {
    label: String,
    href: String,
    count: i64,
    chosen: bool,
    icon: &'static str,
}

struct Facet {
    title: &'static str,
    choices: Vec<Choice>,
}

/// A filter that is on.
struct Chip {
    label: String,
    /// The list without it.
    href: String,
}

struct Heading {
    title: &'static str,
    href: Option<String>,
    /// `ascending`, `descending` or empty.
    sorted: &'static str,
    class: &'static str,
}

struct Row {
    entity: Entity,
    icon: &'static str,
    path: String,
    owner: Option<(String, String)>,
    cells: Vec<(&'static str, Option<String>)>,
    changed_at: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "catalog/list.html")]
struct ListPage {
    shell: Shell,
    /// Where the news was before the catalog was read.
    since: String,
    asked: Asked,
    heading: String,
    facets: Vec<Facet>,
    chips: Vec<Chip>,
    headings: Vec<Heading>,
    live: Vec<&'static str>,
    rows: Vec<Row>,
    total: i64,
    first: i64,
    last: i64,
    here: String,
    previous: Option<String>,
    next: Option<String>,
    all: String,
    mine: String,
    /// The catalog holds nothing at all but what stands for locations.
    nothing: bool,
    /// What stands there when the catalog has nothing of this kind.
    nothing_of_kind: String,
    /// The list of this kind without filters.
    unfiltered: String,
}

pub async fn list(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let asked = asked.clean();
    let db = pages.catalog.db();
    let owners = caller.ownership_refs();
    let words = asked.words();
    let kind = asked.kind();
    let of_kind = match kind.as_str() {
        "all" => Filter::everything(),
        kind => Filter::key_value("kind", kind),
    };
    let mut conditions = asked.filters(&owners);
    let without_kind = Filter::All(conditions.clone());
    conditions.push(of_kind.clone());
    let filter = Filter::All(conditions);
    let mut query = search::Query::of(filter.clone());
    query.order = vec![asked.order()];
    query.limit = Some(PAGE);
    query.offset = i64::from(asked.page() - 1) * PAGE;
    let (found, total) = list::list_rows(db, &query, &words).await?;

    let kinds = list::column_counts(db, &without_kind, &words, Column::Kind, 20).await?;
    let nothing = total == 0
        && kinds.iter().all(|(kind, _)| kind == "Location")
        && asked.filters(&owners).is_empty()
        && words.is_empty();
    let facets = vec![
        Facet {
            title: "Kind",
            choices: kinds
                .into_iter()
                .map(|(label, count)| {
                    let value = label.to_lowercase();
                    Choice {
                        href: asked.with(|other| {
                            other.kind = Some(value.clone());
                            other.kind_type = None;
                        }),
                        count,
                        chosen: value == kind,
                        icon: icon(&value),
                        label,
                    }
                })
                .collect(),
        },
        Facet {
            title: "Type",
            choices: choices(&pages, &asked, &filter, &words, Column::Type).await?,
        },
        Facet {
            title: "Lifecycle",
            choices: choices(&pages, &asked, &filter, &words, Column::Lifecycle).await?,
        },
        Facet {
            title: "Owner",
            choices: choices(&pages, &asked, &filter, &words, Column::Owner).await?,
        },
    ];
    let here = asked.href();
    let turn = |to: u32| {
        let mut other = asked.clone();
        other.page = Some(to);
        other.href()
    };
    let shown = i64::try_from(found.len()).unwrap_or(PAGE);
    let previous = (asked.page() > 1).then(|| turn(asked.page() - 1));
    let next = (query.offset + shown < total).then(|| turn(asked.page() + 1));
    let rows = found
        .into_iter()
        .map(|row| {
            let entity_ref = row.entity.entity_ref();
            Row {
                icon: icon(&entity_ref.kind),
                path: entity_ref.path(),
                owner: owner(&row.entity),
                cells: pages
                    .columns
                    .iter()
                    .map(|column| (column.title(), column.cell(&row.entity)))
                    .collect(),
                changed_at: row.changed_at,
                entity: row.entity,
            }
        })
        .collect();
    let mut live: Vec<&'static str> = pages.columns.iter().filter_map(|column| column.live_url()).collect();
    live.sort_unstable();
    live.dedup();
    page(&ListPage {
        since,
        heading: heading(total, &kind),
        nothing_of_kind: format!("There are no {} in the catalog yet.", many(&kind)),
        unfiltered: Asked {
            kind: asked.kind.clone(),
            ..Asked::default()
        }
        .href(),
        facets,
        chips: chips(&asked),
        headings: headings(&pages, &asked),
        live,
        rows,
        total,
        first: if shown == 0 { 0 } else { query.offset + 1 },
        last: query.offset + shown,
        here,
        previous,
        next,
        all: asked.with(|other| other.owner = None),
        mine: asked.with(|other| other.owner = Some("me".to_owned())),
        nothing,
        asked,
        shell,
    })
}

/// `1 component`, `3 APIs`.
fn heading(total: i64, kind: &str) -> String {
    match (total, kind) {
        (1, "api") => "1 API".to_owned(),
        (1, "all") => "1 entity".to_owned(),
        (1, kind) => format!("1 {kind}"),
        (total, kind) => format!("{total} {}", many(kind)),
    }
}

/// The plural within a sentence.
fn many(kind: &str) -> String {
    match kind {
        "api" => plural(kind),
        kind => plural(kind).to_lowercase(),
    }
}

async fn choices(
    pages: &Pages,
    asked: &Asked,
    filter: &Filter,
    words: &[String],
    column: Column,
) -> Result<Vec<Choice>, Error> {
    let counts = list::column_counts(pages.catalog.db(), filter, words, column, VALUES).await?;
    Ok(counts
        .into_iter()
        .map(|(value, count)| {
            let current = match column {
                Column::Kind => &asked.kind,
                Column::Type => &asked.kind_type,
                Column::Owner => &asked.owner,
                Column::Lifecycle => &asked.lifecycle,
            };
            let chosen = current.as_deref() == Some(value.as_str());
            // Chosen again, a filter goes off.
            let to = (!chosen).then(|| value.clone());
            let href = asked.with(|other| match column {
                Column::Kind => other.kind = to,
                Column::Type => other.kind_type = to,
                Column::Owner => other.owner = to,
                Column::Lifecycle => other.lifecycle = to,
            });
            Choice {
                label: match column {
                    Column::Owner => short_ref(&value),
                    _ => value,
                },
                href,
                count,
                chosen,
                icon: "",
            }
        })
        .collect())
}

fn chips(asked: &Asked) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut add = |title: &str, value: &Option<String>, change: fn(&mut Asked)| {
        if let Some(value) = value {
            let value = match title {
                "Owner" if value == "me" => "me and my groups".to_owned(),
                "Owner" => short_ref(value),
                _ => value.clone(),
            };
            chips.push(Chip {
                label: format!("{title}: {value}"),
                href: asked.with(change),
            });
        }
    };
    add("Type", &asked.kind_type, |other| other.kind_type = None);
    add("Lifecycle", &asked.lifecycle, |other| other.lifecycle = None);
    add("Owner", &asked.owner, |other| other.owner = None);
    add("Tag", &asked.tag, |other| other.tag = None);
    add("Text", &asked.text, |other| other.text = None);
    chips
}

fn headings(pages: &Pages, asked: &Asked) -> Vec<Heading> {
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
    let mut headings = vec![
        sortable("Name", "name", ""),
        sortable("Owner", "owner", "w5"),
        sortable("Type", "type", "w3 opt"),
        sortable("Lifecycle", "lifecycle", "w3 opt"),
    ];
    headings.extend(pages.columns.iter().map(|column| Heading {
        title: column.title(),
        href: None,
        sorted: "",
        class: "w4",
    }));
    headings.push(sortable("Changed", "changed", "w2 opt"));
    headings
}

/// Words and path of the owner that the spec names.
fn owner(entity: &Entity) -> Option<(String, String)> {
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
    fn headings_count_in_words() {
        for (total, kind, expected) in [
            (1, "component", "1 component"),
            (0, "component", "0 components"),
            (1, "api", "1 API"),
            (2, "api", "2 APIs"),
            (1, "all", "1 entity"),
            (9, "all", "9 entities"),
        ] {
            assert_eq!(heading(total, kind), expected);
        }
    }

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
