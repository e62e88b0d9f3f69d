//! `GET /catalog/<namespace>/<kind>/<name>/relations`: what is around an entity, as a picture and as a list.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::asked::Asked;
use super::entity::Head;
use super::list::{live_urls, short_ref};
use super::{Pages, icon, words};
use crate::catalog::graph::{BOX, DEEPEST, Direction, Graph, Layout, Wanted, lay_out};
use crate::catalog::{Entity, EntityRef, Kinds, queries};
use crate::language::{Locale, Text, counted, filters, text};
use crate::web::{Error, Query, Shell, SignedIn, page};

/// Letters of a name that a box has room for.
const LETTERS: usize = 22;
/// With more lines than this, words on them cover each other.
const MOST_WORDS: usize = 40;

/// So many lines say what is left out, those of most entities.
const MOST_MORE: usize = 12;

/// Kinds that can be chosen, in the order of the form; those that are declared follow.
const KINDS: [&str; 9] = [
    "component",
    "api",
    "resource",
    "system",
    "domain",
    "group",
    "user",
    "template",
    "location",
];

/// The question, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    /// `out` or `in`; else both.
    direction: Option<String>,
    depth: Option<usize>,
    kind: Vec<String>,
    relation: Vec<String>,
}

impl Question {
    fn wanted(self, kinds: &Kinds) -> Wanted {
        let known = |asked: Vec<String>, mut names: Vec<String>| -> Vec<String> {
            names.retain(|name| asked.contains(name));
            names
        };
        Wanted {
            direction: match self.direction.as_deref() {
                Some("out") => Direction::Out,
                Some("in") => Direction::In,
                _ => Direction::Both,
            },
            depth: self.depth.unwrap_or(1).clamp(1, DEEPEST),
            kinds: known(self.kind, choices(kinds)),
            relations: known(
                self.relation,
                kinds.pairs().map(|(forward, _)| forward.to_owned()).collect(),
            ),
        }
    }
}

/// Kinds that can be chosen.
fn choices(kinds: &Kinds) -> Vec<String> {
    let declared = kinds.declared().iter().map(|kind| kind.name.to_lowercase());
    KINDS.map(str::to_owned).into_iter().chain(declared).collect()
}

/// Something to choose in the form.
struct Choosable {
    value: String,
    label: Text,
    chosen: bool,
}

pub(super) struct Shape {
    pub(super) x: i32,
    pub(super) y: i32,
    /// `None` where the catalog does not have it.
    pub(super) path: Option<String>,
    pub(super) title: String,
    pub(super) short: String,
    pub(super) icon: &'static str,
    pub(super) kind: Text,
    /// The entity in the middle.
    pub(super) me: bool,
    pub(super) cell: Option<String>,
}

pub(super) struct Line {
    pub(super) path: String,
    pub(super) at: (i32, i32),
    pub(super) word: Text,
    pub(super) from: usize,
    pub(super) to: usize,
}

pub(super) struct More {
    text: Text,
    href: String,
}

/// The relations around an entity, drawn.
pub(super) struct Picture {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) boxes: Vec<Shape>,
    /// Places of the boxes, from left to right.
    pub(super) order: Vec<usize>,
    pub(super) lines: Vec<Line>,
    /// The words stand on the lines.
    pub(super) labelled: bool,
}

/// What a picture does not show.
pub(super) struct Around {
    pub(super) more: Vec<More>,
    /// There are more relations among its entities than are drawn.
    pub(super) too_dense: bool,
}

impl Picture {
    pub(super) async fn of(
        pages: &Pages,
        middle: &EntityRef,
        wanted: &Wanted,
        locale: Locale,
    ) -> Result<(Self, Around), Error> {
        let question = format!("{middle} {wanted:?}");
        let drawn = pages
            .catalog
            .reads()
            .known(&question, Drawn::bytes, Drawn::of(pages, middle, wanted));
        let drawn = drawn.await?;
        let Drawn { graph, known, layout } = &*drawn;
        let boxes: Vec<Shape> = graph
            .nodes
            .iter()
            .zip(&layout.places)
            .enumerate()
            .map(|(index, (node, &(x, y)))| {
                let entity_ref = EntityRef::parse(&node.entity_ref, None, None).ok();
                let kind = entity_ref.as_ref().map_or("", |entity_ref| entity_ref.kind.as_str());
                let title = known.title(&node.entity_ref);
                Shape {
                    x,
                    y,
                    path: entity_ref
                        .as_ref()
                        .filter(|_| known.titles.contains_key(&node.entity_ref))
                        .map(EntityRef::path),
                    short: shortened(&title, LETTERS),
                    title,
                    icon: icon(pages.kinds(), kind),
                    kind: words::one(pages.kinds(), kind),
                    me: index == 0,
                    cell: known.entities.get(&node.entity_ref).and_then(|entity| {
                        let mut columns = pages.columns.iter().filter(|column| column.in_graph());
                        columns.find_map(|column| column.cell(entity, locale))
                    }),
                }
            })
            .collect();
        let lines: Vec<Line> = graph
            .edges
            .iter()
            .zip(&layout.lines)
            .map(|(edge, (path, at))| Line {
                path: path.clone(),
                at: *at,
                word: pages.kinds().relation_word(&edge.kind),
                from: edge.from,
                to: edge.to,
            })
            .collect();
        let around = Around {
            more: more(pages.kinds(), graph, known),
            too_dense: graph.too_dense,
        };
        let picture = Self {
            width: layout.width,
            height: layout.height,
            labelled: lines.len() <= MOST_WORDS,
            boxes,
            order: layout.order.clone(),
            lines,
        };
        Ok((picture, around))
    }
}

#[derive(Template)]
#[template(path = "catalog/relations.html")]
struct RelationsPage {
    shell: Shell,
    head: Head,
    /// Where the news was before the graph was read.
    since: String,
    here: String,
    directions: Vec<Choosable>,
    depths: Vec<Choosable>,
    kinds: Vec<Choosable>,
    relations: Vec<Choosable>,
    picture: Picture,
    name: String,
    more: Vec<More>,
    too_dense: bool,
    live: Vec<&'static str>,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    Query(question): Query<Question>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let middle = EntityRef::new(&kind, &namespace, &name);
    let head = Head::of(&pages.entities, &caller, &middle, "relations").await?;
    let kinds = pages.kinds();
    let wanted = question.wanted(kinds);
    let (picture, around) = Picture::of(&pages, &middle, &wanted, shell.locale).await?;
    page(
        shell.locale,
        &RelationsPage {
            here: address(&middle, &wanted),
            more: around.more,
            too_dense: around.too_dense,
            directions: directions(wanted.direction),
            depths: (1..=DEEPEST)
                .map(|depth| Choosable {
                    value: depth.to_string(),
                    label: counted!(depth, "{count} step", "{count} steps"),
                    chosen: depth == wanted.depth,
                })
                .collect(),
            kinds: choices(kinds)
                .into_iter()
                .map(|kind| Choosable {
                    label: words::many(kinds, &kind),
                    chosen: wanted.kinds.contains(&kind),
                    value: kind,
                })
                .collect(),
            relations: kinds
                .pairs()
                .map(|(forward, back)| Choosable {
                    value: forward.to_owned(),
                    label: Text::Joined {
                        parts: vec![kinds.relation_word(forward), kinds.relation_word(back)],
                        separator: " / ",
                    },
                    chosen: wanted.relations.iter().any(|chosen| chosen == forward),
                })
                .collect(),
            live: match picture.boxes.iter().any(|shown| shown.cell.is_some()) {
                true => live_urls(&pages),
                false => Vec::new(),
            },
            picture,
            name: head.view.entity.title().to_owned(),
            since,
            head,
            shell,
        },
    )
}

fn directions(chosen: Direction) -> Vec<Choosable> {
    let option = |direction, value: &str, label| Choosable {
        value: value.to_owned(),
        label,
        chosen: direction == chosen,
    };
    vec![
        option(Direction::Both, "both", text!("In both directions")),
        option(Direction::Out, "out", text!("What it needs and belongs to")),
        option(Direction::In, "in", text!("What needs it and belongs to it")),
    ]
}

/// The address of this picture.
pub(super) fn address(middle: &EntityRef, wanted: &Wanted) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let direction = match wanted.direction {
        Direction::Both => "both",
        Direction::Out => "out",
        Direction::In => "in",
    };
    query.append_pair("direction", direction);
    query.append_pair("depth", &wanted.depth.to_string());
    for kind in &wanted.kinds {
        query.append_pair("kind", kind);
    }
    for relation in &wanted.relations {
        query.append_pair("relation", relation);
    }
    format!("{}/relations?{}", middle.path(), query.finish())
}

/// What is worked out once for a version of the catalog.
struct Drawn {
    graph: Graph,
    known: Known,
    layout: Layout,
}

impl Drawn {
    async fn of(pages: &Pages, middle: &EntityRef, wanted: &Wanted) -> Result<Self, Error> {
        let graph = pages.catalog.graph(middle, wanted).await?;
        Ok(Self {
            known: Known::of(pages, &graph).await?,
            layout: lay_out(&graph.nodes, &graph.edges),
            graph,
        })
    }

    /// About: an entity takes most of it.
    fn bytes(&self) -> usize {
        self.known.entities.len() * 5_000 + (self.graph.nodes.len() + self.graph.edges.len()) * 300
    }
}

/// What the catalog knows of the nodes.
struct Known {
    titles: HashMap<String, String>,
    /// Those that a column may say something of.
    entities: HashMap<String, Entity>,
}

impl Known {
    async fn of(pages: &Pages, graph: &Graph) -> Result<Self, Error> {
        let db = pages.catalog.reads().readers();
        // Definitions of APIs are long, and nothing is deployed of them: their title is enough.
        let (apis, others): (Vec<String>, Vec<String>) = graph
            .nodes
            .iter()
            .map(|node| node.entity_ref.clone())
            .partition(|reference| reference.starts_with("api:"));
        let mut titles = queries::entities::titles(db, &apis).await?;
        let entities = queries::entities::list_by_refs(db, &others).await?;
        titles.extend(
            entities
                .iter()
                .map(|(reference, entity)| (reference.clone(), entity.title().to_owned())),
        );
        Ok(Self { titles, entities })
    }

    fn title(&self, entity_ref: &str) -> String {
        self.titles
            .get(entity_ref)
            .cloned()
            .unwrap_or_else(|| short_ref(entity_ref))
    }
}

/// What is not shown, with the lists that show it.
fn more(kinds: &Kinds, graph: &Graph, known: &Known) -> Vec<More> {
    let mut sorted = graph.left_out.clone();
    sorted.sort_by_key(|left_out| std::cmp::Reverse(left_out.count));
    sorted
        .iter()
        .map(|left_out| {
            let entity_ref = &graph.nodes[left_out.node].entity_ref;
            More {
                text: text!(
                    "{entity}, {relation}: {count} more",
                    entity = known.title(entity_ref),
                    relation = kinds.relation_word(&left_out.kind),
                    count = left_out.count
                ),
                href: Asked::related_to(kinds, &left_out.kind, entity_ref).href(),
            }
        })
        .collect()
}

/// As many letters of a name as there is room for.
fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    let start: String = name.chars().take(letters - 1).collect();
    format!("{}…", start.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_letters() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("üüüüüü", 5), "üüüü…");
        assert_eq!(shortened("abc defg", 5), "abc…");
    }

    #[test]
    fn nonsense_in_the_address_is_left_out() {
        let question = Question {
            direction: Some("sideways".to_owned()),
            depth: Some(99),
            kind: vec!["api".to_owned(), "<script>".to_owned()],
            relation: vec!["dependencyOf".to_owned(), "dependsOn".to_owned()],
        };
        let wanted = question.wanted(&Kinds::default());
        assert_eq!((wanted.direction, wanted.depth), (Direction::Both, DEEPEST));
        assert_eq!(
            (wanted.kinds, wanted.relations),
            (vec!["api".to_owned()], vec!["dependsOn".to_owned()])
        );
    }
}
