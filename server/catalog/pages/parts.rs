//! What the first page of an entity has because of its kind: who is in a group and what it owns, what belongs to a system,
//! as a list and as a picture, which APIs a component has.

use askama::Template;

use super::asked::Asked;
use super::columns::{Cell, Column};
use super::entity::View;
use super::list::live_urls;
use super::relations::Picture;
use super::{Pages, icon, words};
use crate::catalog::graph::{BOX, Direction, Wanted};
use crate::catalog::queries::list;
use crate::catalog::{Entity, Filter};
use crate::language::{Text, filters, text};
use crate::web::{Error, Shell};

/// Rows of a part; the list has all.
const SHOWN: i64 = 25;
/// Kinds of things that are counted.
const KINDS: i64 = 20;

/// The relations that are shown as lists on the page of a kind, in their order.
fn relations_of(kind: &str) -> &'static [(&'static str, Text)] {
    static GROUP: [(&str, Text); 3] = [
        ("hasMember", text!("Members")),
        ("parentOf", text!("Sub-groups")),
        ("ownerOf", text!("What it owns")),
    ];
    static USER: [(&str, Text); 2] = [
        ("memberOf", text!("Groups")),
        ("ownerOf", text!("Owned by this person")),
    ];
    static WHOLE: [(&str, Text); 1] = [("hasPart", text!("What belongs to it"))];
    static COMPONENT: [(&str, Text); 3] = [
        ("providesApi", text!("APIs that it provides")),
        ("consumesApi", text!("APIs that it consumes")),
        ("hasPart", text!("What belongs to it")),
    ];
    static API: [(&str, Text); 2] = [
        ("apiProvidedBy", text!("Provided by")),
        ("apiConsumedBy", text!("Consumed by")),
    ];
    match kind {
        "group" => &GROUP,
        "user" => &USER,
        "system" | "domain" => &WHOLE,
        "component" => &COMPONENT,
        "api" => &API,
        _ => &[],
    }
}

struct Heading {
    title: Text,
    class: &'static str,
}

struct Row<'a> {
    icon: &'static str,
    entity: &'a Entity,
    path: String,
    cells: Vec<Cell>,
}

/// How many of a kind there are, and their list.
struct Count {
    label: Text,
    href: String,
}

#[derive(Template)]
#[template(path = "catalog/_part.html")]
struct Part<'a> {
    shell: &'a Shell,
    id: &'a str,
    title: Text,
    total: i64,
    shown: i64,
    /// The list that has all.
    all: String,
    counts: Vec<Count>,
    headings: Vec<Heading>,
    rows: Vec<Row<'a>>,
    live: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "catalog/_part_picture.html")]
struct PicturePart {
    picture: Picture,
    name: String,
    /// The page on which the picture can be changed.
    href: String,
}

/// The sections, as finished, escaped HTML.
pub(super) async fn sections(pages: &Pages, view: &View, shell: &Shell) -> Result<Vec<String>, Error> {
    let kind = view.entity_ref.kind.as_str();
    let mut sections = Vec::new();
    // One stream serves the cells of all of them.
    let mut live = live_urls(pages);
    let own = relations_of(kind).iter().map(|(relation, title)| (*relation, title));
    for (relation, title) in own.chain(pages.kinds().declared_inverses()) {
        if view.entity.relations(relation).next().is_some() {
            sections.extend(part(pages, view, relation, title, shell, &mut live).await?);
        }
    }
    if matches!(kind, "system" | "domain") {
        sections.extend(picture(pages, view, shell).await?);
    }
    Ok(sections)
}

async fn part(
    pages: &Pages,
    view: &View,
    relation: &str,
    title: &Text,
    shell: &Shell,
    live: &mut Vec<&'static str>,
) -> Result<Option<String>, Error> {
    let asked = Asked::related_to(pages.kinds(), relation, &view.entity_ref.to_string());
    let mut query = asked.query(pages.kinds(), &[], &[]);
    query.limit = Some(SHOWN);
    let counts = match relation {
        "ownerOf" => counts(pages, &asked, &query.filter).await?,
        _ => Vec::new(),
    };
    let found = list::list_rows(pages.catalog.reads(), &query, &[]).await?;
    if found.rows.is_empty() {
        return Ok(None);
    }
    let mut columns: Vec<Column> = Column::all(&pages.columns, None)
        .into_iter()
        .filter(|column| {
            matches!(
                column,
                Column::Owner | Column::Type | Column::Lifecycle | Column::Other(_)
            )
        })
        // All have the same owner.
        .filter(|column| relation != "ownerOf" || !matches!(column, Column::Owner))
        .collect();
    // What nobody has anything in is no column.
    columns.retain(|column| {
        found
            .rows
            .iter()
            .any(|row| !matches!(column.cell(&row.entity, row.changed_at, shell.locale), Cell::Nothing))
    });
    let rows: Vec<Row<'_>> = found
        .rows
        .iter()
        .map(|row| {
            let entity_ref = row.entity.entity_ref();
            Row {
                icon: icon(pages.kinds(), &entity_ref.kind),
                path: entity_ref.path(),
                cells: columns
                    .iter()
                    .map(|column| column.cell(&row.entity, row.changed_at, shell.locale))
                    .collect(),
                entity: &row.entity,
            }
        })
        .collect();
    let is_live = columns.iter().any(|column| matches!(column, Column::Other(_)));
    let part = Part {
        shell,
        id: relation,
        title: title.clone(),
        total: found.total,
        shown: i64::try_from(rows.len()).unwrap_or(SHOWN),
        all: asked.href(),
        counts,
        headings: columns
            .iter()
            .map(|column| Heading {
                title: column.title(),
                class: column.class(),
            })
            .collect(),
        rows,
        live: if is_live { std::mem::take(live) } else { Vec::new() },
    };
    Ok(Some(shell.locale.render(&part)?))
}

async fn counts(pages: &Pages, asked: &Asked, filter: &Filter) -> Result<Vec<Count>, Error> {
    let counts = list::column_counts(pages.catalog.reads(), filter, &[], list::Column::Kind, KINDS).await?;
    let counts = counts.iter().map(|(kind, count)| {
        let (kind, count) = (kind.to_lowercase(), *count);
        Count {
            label: words::count(pages.kinds(), count, &kind),
            href: asked.with(|other| other.kind = Some(kind)),
        }
    });
    Ok(counts.collect())
}

async fn picture(pages: &Pages, view: &View, shell: &Shell) -> Result<Option<String>, Error> {
    let wanted = Wanted {
        direction: Direction::In,
        depth: 2,
        kinds: Vec::new(),
        relations: vec!["partOf".to_owned()],
    };
    let (picture, _) = Picture::of(pages, &view.entity_ref, &wanted, shell.locale).await?;
    if picture.lines.is_empty() {
        return Ok(None);
    }
    let part = PicturePart {
        href: super::relations::address(&view.entity_ref, &wanted),
        name: view.entity.title().to_owned(),
        picture,
    };
    Ok(Some(shell.locale.render(&part)?))
}
