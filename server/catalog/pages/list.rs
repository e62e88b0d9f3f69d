//! `GET /catalog`: what there is, filtered by links.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::asked::Asked;
use super::star::Star;
use super::{Pages, icon, words};
use crate::catalog::queries::list::{self, Column};
use crate::catalog::queries::search;
use crate::catalog::{Entity, EntityRef, Filter};
use crate::language::{Text, filters, text};
use crate::web::{Error, Query, Shell, SignedIn, page};

const PAGE: i64 = 50;
/// Values listed under each filter.
const VALUES: usize = 12;
/// Kinds listed.
const KINDS: usize = 20;

/// A link of a filter.
struct Choice {
    label: Text,
    href: String,
    count: i64,
    chosen: bool,
    icon: &'static str,
}

struct Facet {
    title: Text,
    choices: Vec<Choice>,
}

/// A filter that is on.
struct Chip {
    label: Text,
    /// The list without it.
    href: String,
}

struct Heading {
    title: Text,
    href: Option<String>,
    /// `ascending`, `descending` or empty.
    sorted: &'static str,
    class: &'static str,
}

struct Row {
    entity: Entity,
    icon: &'static str,
    path: String,
    star: Star,
    owner: Option<(String, String)>,
    cells: Vec<(Text, Option<String>)>,
    changed_at: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "catalog/list.html")]
struct ListPage {
    shell: Shell,
    /// Where the news was before the catalog was read.
    since: String,
    asked: Asked,
    heading: Text,
    facets: Vec<Facet>,
    chips: Vec<Chip>,
    headings: Vec<Heading>,
    live: Vec<&'static str>,
    /// How far the columns' cells can be trusted.
    notices: Vec<String>,
    rows: Vec<Row>,
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
    /// What stands there when the catalog has nothing of this kind.
    nothing_of_kind: Text,
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
    let owners = caller.ownership_refs();
    let stars = pages.catalog.starred(&caller.actor()).await?;
    let sought = asked.words();
    let kind = asked.kind();
    let of_kind = match kind.as_str() {
        "all" => Filter::everything(),
        kind => Filter::key_value("kind", kind),
    };
    let mut conditions = asked.filters(&owners, &stars);
    let without_kind = Filter::All(conditions.clone());
    conditions.push(of_kind.clone());
    let filter = Filter::All(conditions);
    let mut query = search::Query::of(filter.clone());
    query.order = vec![asked.order()];
    query.limit = Some(PAGE);
    query.offset = i64::from(asked.page() - 1) * PAGE;
    let reads = pages.catalog.reads();
    let mut reader = reads.reader().await?;
    let (found, total) = list::list_rows(reads, &mut reader, &query, &sought).await?;
    let kinds = list::kind_counts(reads, &mut reader, &without_kind, &sought).await?;
    let counts = list::column_counts(reads, &mut reader, &filter, &sought).await?;
    reader.keep();
    let choices = |column| choices(&asked, list::of_column(&counts, column, VALUES), column);
    let nothing = total == 0
        && kinds.iter().all(|(_, kind, _)| kind == "Location")
        && asked.filters(&owners, &stars).is_empty()
        && sought.is_empty();
    let facets = vec![
        Facet {
            title: text!("Kind"),
            choices: kinds
                .iter()
                .take(KINDS)
                .map(|(_, label, count)| {
                    let value = label.to_lowercase();
                    Choice {
                        href: asked.with(|other| {
                            other.kind = Some(value.clone());
                            other.kind_type = None;
                        }),
                        count: *count,
                        chosen: value == kind,
                        icon: icon(&value),
                        label: words::one(label),
                    }
                })
                .collect(),
        },
        Facet {
            title: text!("Type"),
            choices: choices(Column::Type),
        },
        Facet {
            title: text!("Lifecycle"),
            choices: choices(Column::Lifecycle),
        },
        Facet {
            title: text!("Owner"),
            choices: choices(Column::Owner),
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
                star: Star::new(
                    &entity_ref,
                    row.entity.title(),
                    stars.contains(&entity_ref.to_string()),
                    &here,
                ),
                owner: owner(&row.entity),
                cells: pages
                    .columns
                    .iter()
                    .map(|column| (column.title(), column.cell(&row.entity, shell.locale)))
                    .collect(),
                changed_at: row.changed_at,
                entity: row.entity,
            }
        })
        .collect::<Vec<Row>>();
    let mut live: Vec<&'static str> = pages.columns.iter().filter_map(|column| column.live_url()).collect();
    live.sort_unstable();
    live.dedup();
    page(
        shell.locale,
        &ListPage {
            since,
            heading: words::count(total, &kind),
            nothing_of_kind: text!(
                "There are no {things} in the catalog yet.",
                things = words::many_within(&kind)
            ),
            unfiltered: Asked {
                kind: asked.kind.clone(),
                ..Asked::default()
            }
            .href(),
            facets,
            chips: chips(&asked),
            headings: headings(&pages, &asked),
            live,
            notices: notices(&pages, &rows, &shell),
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
            asked,
            shell,
        },
    )
}

/// What the columns say of the cells that are there.
fn notices(pages: &Pages, rows: &[Row], shell: &Shell) -> Vec<String> {
    let columns = pages.columns.iter().enumerate();
    columns
        .filter(|(index, _)| rows.iter().any(|row| row.cells[*index].1.is_some()))
        .filter_map(|(_, column)| column.notice(shell.locale, shell.now))
        .collect()
}

fn choices(asked: &Asked, counts: impl Iterator<Item = (String, i64)>, column: Column) -> Vec<Choice> {
    counts
        .map(|(value, count)| {
            let current = match column {
                Column::Type => &asked.kind_type,
                Column::Owner => &asked.owner,
                Column::Lifecycle => &asked.lifecycle,
            };
            let chosen = current.as_deref() == Some(value.as_str());
            // Chosen again, a filter goes off.
            let to = (!chosen).then(|| value.clone());
            let href = asked.with(|other| match column {
                Column::Type => other.kind_type = to,
                Column::Owner => other.owner = to,
                Column::Lifecycle => other.lifecycle = to,
            });
            Choice {
                label: match column {
                    Column::Owner => short_ref(&value).into(),
                    _ => value.into(),
                },
                href,
                count,
                chosen,
                icon: "",
            }
        })
        .collect()
}

fn chips(asked: &Asked) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut add = |title: Text, value: Option<Text>, change: fn(&mut Asked)| {
        chips.extend(value.map(|value| Chip {
            label: Text::about(title, value),
            href: asked.with(change),
        }));
    };
    let given = |value: &Option<String>| value.as_deref().map(Text::from);
    let owner = asked.owner.as_deref().map(|owner| match owner {
        "me" => text!("me and my groups"),
        owner => short_ref(owner).into(),
    });
    add(text!("Type"), given(&asked.kind_type), |other| other.kind_type = None);
    add(text!("Lifecycle"), given(&asked.lifecycle), |other| {
        other.lifecycle = None
    });
    add(text!("Owner"), owner, |other| other.owner = None);
    add(text!("Tag"), given(&asked.tag), |other| other.tag = None);
    add(text!("Text"), given(&asked.text), |other| other.text = None);
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
        sortable(text!("Name"), "name", ""),
        sortable(text!("Owner"), "owner", "w5"),
        sortable(text!("Type"), "type", "w3 opt"),
        sortable(text!("Lifecycle"), "lifecycle", "w3 opt"),
    ];
    headings.extend(pages.columns.iter().map(|column| Heading {
        title: column.title(),
        href: None,
        sorted: "",
        class: "w4",
    }));
    headings.push(sortable(text!("Changed"), "changed", "w2 opt"));
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
