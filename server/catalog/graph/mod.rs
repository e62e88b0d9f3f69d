//! The relations around an entity, as far as they can be shown: found step by step, so that a hub with thousands of
//! neighbours costs no more than what is shown of it.

mod layout;

use std::collections::HashMap;

use super::{Catalog, EntityRef, Kinds, queries};

pub use layout::{BOX, Layout, lay_out};

/// The longest way from the entity to another.
pub const DEEPEST: usize = 3;

/// Entities shown at most.
const MOST_NODES: usize = 300;
/// Relations shown at most.
const MOST_EDGES: usize = 2_000;
/// Of one type, of one entity, by how far it is away.
const MOST_ALIKE: [i64; DEEPEST] = [40, 12, 6];

/// Which relations are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    #[default]
    Both,
    /// To what the entity needs, and to whom it belongs.
    Out,
    /// To what needs the entity, and to what belongs to it.
    In,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub direction: Direction,
    /// 1 to [`DEEPEST`].
    pub depth: usize,
    /// Kinds in lower case; all, if there is none.
    pub kinds: Vec<String>,
    /// The first of each pair; all, if there is none.
    pub relations: Vec<String>,
}

/// An entity of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub entity_ref: String,
    /// 0 for the entity in the middle; further right is what is needed, further left what needs.
    pub layer: i32,
}

/// A relation as the first of its pair says it, between places of the list of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub kind: String,
}

/// Relations that are there and not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub node: usize,
    pub kind: String,
    pub count: i64,
}

/// What is shown. The first node is the entity in the middle.
#[derive(Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    pub left_out: Vec<LeftOut>,
    /// There are more relations among these entities than are shown.
    pub too_dense: bool,
}

impl Catalog {
    /// The relations around an entity, whether the catalog has it or not.
    pub(super) async fn graph(&self, middle: &EntityRef, wanted: &Wanted) -> Result<Graph, sqlx::Error> {
        let pairs: Vec<(&str, &str)> = self
            .kinds()
            .pairs()
            .filter(|(forward, _)| wanted.relations.is_empty() || wanted.relations.iter().any(|name| name == forward))
            .collect();
        let followed: Vec<String> = pairs
            .iter()
            .flat_map(|&(forward, back)| match wanted.direction {
                Direction::Both => vec![forward.to_owned(), back.to_owned()],
                Direction::Out => vec![forward.to_owned()],
                Direction::In => vec![back.to_owned()],
            })
            .collect();
        let mut graph = Graph::default();
        let mut places = HashMap::from([(middle.to_string(), 0)]);
        graph.nodes.push(Node {
            entity_ref: middle.to_string(),
            layer: 0,
        });
        let mut frontier = 0..1;
        for limit in MOST_ALIKE.into_iter().take(wanted.depth.clamp(1, DEEPEST)) {
            let refs: Vec<String> = graph.nodes[frontier.clone()]
                .iter()
                .map(|node| node.entity_ref.clone())
                .collect();
            let found =
                queries::graph::neighbours(self.reads().readers(), &refs, &followed, &wanted.kinds, limit).await?;
            let reached = graph.nodes.len();
            graph.add(self.kinds(), &mut places, &found);
            frontier = reached..graph.nodes.len();
            if frontier.is_empty() {
                break;
            }
        }
        let refs: Vec<String> = graph.nodes.iter().map(|node| node.entity_ref.clone()).collect();
        let forward: Vec<String> = pairs.iter().map(|(forward, _)| (*forward).to_owned()).collect();
        let limit = i64::try_from(MOST_EDGES).unwrap_or(i64::MAX);
        // One more tells whether there are more.
        let mut edges = queries::graph::edges(self.reads().readers(), &refs, &forward, limit + 1).await?;
        graph.too_dense = edges.len() > MOST_EDGES;
        edges.truncate(MOST_EDGES);
        graph.edges = edges
            .into_iter()
            .filter_map(|edge| {
                Some(Edge {
                    from: *places.get(&edge.source_ref)?,
                    to: *places.get(&edge.target_ref)?,
                    kind: edge.kind,
                })
            })
            .collect();
        Ok(graph)
    }
}

impl Graph {
    /// Takes in what was found around some of its nodes.
    fn add(&mut self, kinds: &Kinds, places: &mut HashMap<String, usize>, found: &[queries::graph::Neighbour]) {
        for alike in found.chunk_by(|a, b| (&a.source_ref, &a.kind) == (&b.source_ref, &b.kind)) {
            let Some((first, &source)) = alike
                .first()
                .and_then(|first| Some((first, places.get(&first.source_ref)?)))
            else {
                continue;
            };
            let step = if kinds.is_forward(&first.kind) { 1 } else { -1 };
            let layer = self.nodes[source].layer + step;
            let mut shown = 0;
            for neighbour in alike {
                if !places.contains_key(&neighbour.target_ref) {
                    if self.nodes.len() >= MOST_NODES {
                        continue;
                    }
                    places.insert(neighbour.target_ref.clone(), self.nodes.len());
                    self.nodes.push(Node {
                        entity_ref: neighbour.target_ref.clone(),
                        layer,
                    });
                }
                shown += 1;
            }
            if first.total > shown {
                self.left_out.push(LeftOut {
                    node: source,
                    kind: first.kind.clone(),
                    count: first.total - shown,
                });
            }
        }
    }
}
