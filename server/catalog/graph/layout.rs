//! Where the boxes of a graph stand: in layers from left to right, in an order that crosses few lines. The same graph
//! always looks the same.

use std::collections::BTreeMap;

use super::{Edge, Node};

/// Width and height of a box.
pub const BOX: (i32, i32) = (216, 48);
/// Room between layers, for lines and their words; between boxes of a layer; and around everything.
const BETWEEN_LAYERS: i32 = 120;
const BETWEEN_BOXES: i32 = 12;
const AROUND: i32 = 4;
/// How far a line bends out that stays in its layer.
const BEND: i32 = 56;
/// How often the order is improved: more changes little.
const SWEEPS: usize = 6;

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub width: i32,
    pub height: i32,
    /// Left upper corner of each node's box.
    pub places: Vec<(i32, i32)>,
    /// Nodes from left to right, each layer from top to bottom.
    pub order: Vec<usize>,
    /// The line of each edge as the attribute `d` of a path, and the middle of the line.
    pub lines: Vec<(String, (i32, i32))>,
}

/// Places every node by its layer, whatever the edges are: cycles, loops and edges within a layer too.
pub fn lay_out(nodes: &[Node], edges: &[Edge]) -> Layout {
    let mut layers: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        layers.entry(node.layer).or_default().push(index);
    }
    let mut layers: Vec<Vec<usize>> = layers.into_values().collect();
    order(&mut layers, nodes.len(), edges);

    let tallest = layers.iter().map(Vec::len).max().unwrap_or(0);
    let row = BOX.1 + BETWEEN_BOXES;
    let mut places = vec![(0, 0); nodes.len()];
    for (column, layer) in layers.iter().enumerate() {
        let above = (pixels(tallest) - pixels(layer.len())) * row / 2;
        for (index, &node) in layer.iter().enumerate() {
            places[node] = (
                AROUND + pixels(column) * (BOX.0 + BETWEEN_LAYERS),
                AROUND + above + pixels(index) * row,
            );
        }
    }
    let columns = pixels(layers.len());
    // A line that stays in the last layer bends out on its right.
    let last_bends = edges.iter().any(|edge| {
        places[edge.from].0 == places[edge.to].0 && layers.last().is_some_and(|last| last.contains(&edge.from))
    });
    Layout {
        width: columns * BOX.0 + (columns - 1).max(0) * BETWEEN_LAYERS + 2 * AROUND + if last_bends { BEND } else { 0 },
        height: pixels(tallest) * row - BETWEEN_BOXES + 2 * AROUND,
        lines: edges
            .iter()
            .map(|edge| line(places[edge.from], places[edge.to]))
            .collect(),
        order: layers.concat(),
        places,
    }
}

/// A count as a coordinate; graphs have few nodes.
fn pixels(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / 1024)
}

/// Orders the layers so that each node is near the middle of its neighbours in the others.
fn order(layers: &mut [Vec<usize>], nodes: usize, edges: &[Edge]) {
    let mut neighbours = vec![Vec::new(); nodes];
    for edge in edges.iter().filter(|edge| edge.from != edge.to) {
        neighbours[edge.from].push(edge.to);
        neighbours[edge.to].push(edge.from);
    }
    let mut layer_of = vec![0; nodes];
    let mut height = vec![0.0; nodes];
    for (column, layer) in layers.iter().enumerate() {
        for &node in layer {
            layer_of[node] = column;
        }
        measure(layer, &mut height);
    }
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let count = layers.len();
        for step in 0..count {
            let column = if forward { step } else { count - 1 - step };
            let layer = &mut layers[column];
            let mut wished: Vec<(f64, usize)> = layer
                .iter()
                .map(|&node| {
                    let others = neighbours[node].iter().filter(|&&other| layer_of[other] != column);
                    let (sum, number) =
                        others.fold((0.0, 0.0), |(sum, number), &other| (sum + height[other], number + 1.0));
                    let wish = if number > 0.0 { sum / number } else { height[node] };
                    (wish, node)
                })
                .collect();
            // Stable: nodes that wish for the same height keep their order.
            wished.sort_by(|a, b| a.0.total_cmp(&b.0));
            *layer = wished.into_iter().map(|(_, node)| node).collect();
            measure(layer, &mut height);
        }
    }
}

/// Heights of the nodes of a layer, whose middle is at 0.
fn measure(layer: &[usize], height: &mut [f64]) {
    let middle = f64::from(pixels(layer.len())) / 2.0;
    for (index, &node) in layer.iter().enumerate() {
        height[node] = f64::from(pixels(index)) + 0.5 - middle;
    }
}

/// A curve from one box to another, and its middle.
fn line(from: (i32, i32), to: (i32, i32)) -> (String, (i32, i32)) {
    let (y1, y2) = (from.1 + BOX.1 / 2, to.1 + BOX.1 / 2);
    if from.0 == to.0 {
        let (x, out) = (from.0 + BOX.0, from.0 + BOX.0 + BEND);
        // A box that points at itself: the ends stand apart.
        let apart = if y1 == y2 { BOX.1 / 4 } else { 0 };
        let path = format!(
            "M{x} {} C{out} {} {out} {} {x} {}",
            y1 - apart,
            y1 - apart,
            y2 + apart,
            y2 + apart
        );
        return (path, (x + BEND * 3 / 4, (y1 + y2) / 2));
    }
    let (x1, x2) = match from.0 < to.0 {
        true => (from.0 + BOX.0, to.0),
        false => (from.0, to.0 + BOX.0),
    };
    let middle = (x1 + x2) / 2;
    (
        format!("M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"),
        (middle, (y1 + y2) / 2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, layer: i32) -> Node {
        Node {
            entity_ref: name.to_owned(),
            layer,
        }
    }

    fn edge(from: usize, to: usize) -> Edge {
        Edge {
            from,
            to,
            kind: "dependsOn".to_owned(),
        }
    }

    #[test]
    fn layers_stand_from_left_to_right_and_boxes_apart() {
        let nodes = [node("m", 0), node("a", 1), node("b", 1), node("c", -1), node("d", 2)];
        let edges = [edge(0, 1), edge(0, 2), edge(3, 0), edge(1, 4)];
        let layout = lay_out(&nodes, &edges);
        let left = |index: usize| layout.places[index].0;
        assert!(left(3) < left(0) && left(0) < left(1) && left(1) == left(2) && left(2) < left(4));
        assert!((layout.places[1].1 - layout.places[2].1).abs() >= BOX.1);
        assert_eq!(layout.order.len(), nodes.len());
        assert_eq!(layout.order[0], 3, "the tab key goes from left to right");
        for (x, y) in &layout.places {
            assert!(*x >= 0 && *y >= 0 && x + BOX.0 <= layout.width && y + BOX.1 <= layout.height);
        }
        assert_eq!(lay_out(&nodes, &edges), layout, "the same graph looks the same");
    }

    #[test]
    fn lines_do_not_cross_where_they_need_not() {
        // Two chains, whose ends are found in the other order.
        let nodes = [node("m", 0), node("a", 1), node("b", 1), node("y", 2), node("x", 2)];
        let layout = lay_out(&nodes, &[edge(0, 1), edge(0, 2), edge(1, 4), edge(2, 3)]);
        let top = |index: usize| layout.places[index].1;
        assert_eq!(top(1) < top(2), top(4) < top(3));
    }

    #[test]
    fn cycles_loops_and_nothing_are_drawn_too() {
        let nodes = [node("m", 0), node("a", 1), node("b", 0)];
        let layout = lay_out(&nodes, &[edge(0, 1), edge(1, 0), edge(0, 2), edge(2, 0), edge(1, 1)]);
        assert_eq!(layout.lines.len(), 5);
        assert!(layout.lines.iter().all(|(path, _)| path.starts_with('M')));
        let alone = lay_out(&nodes[..1], &[]);
        assert_eq!((alone.width, alone.height), (BOX.0 + 8, BOX.1 + 8));
        assert!(lay_out(&[], &[]).places.is_empty());
    }

    #[test]
    fn hundreds_of_nodes_are_placed() {
        let nodes: Vec<Node> = (0..300).map(|index| node("n", index % 7 - 3)).collect();
        let edges: Vec<Edge> = (0..2_000)
            .map(|index| edge(index * 7 % 300, index * 13 % 300))
            .collect();
        let layout = lay_out(&nodes, &edges);
        let mut places = layout.places.clone();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 300, "no box stands on another");
    }
}
