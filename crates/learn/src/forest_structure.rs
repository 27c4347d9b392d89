//! The structure of the trees of smartcore's forests, read from their serialised form.
//!
//! smartcore gives no public access to the nodes of its trees, but serialises them: `trees`, each
//! with `nodes` of `split_feature`, `split_value`, `true_child` and `false_child`, where a row
//! goes to the true child if `x <= split_value`. A node without children is a leaf, even if it
//! still carries the split that was found for it before the depth ran out.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A tree's nodes; the first is the root.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    pub(crate) nodes: Vec<Node>,
}

/// One node of a tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// A row goes left if its value of `feature` is at most `threshold`.
    Split { feature: usize, threshold: f32, gain: f64, left: usize, right: usize },
    /// `output` is what smartcore itself predicts here.
    Leaf { output: f64 },
}

#[derive(Deserialize)]
struct WrittenForest {
    forest_regressor: WrittenTrees,
}

#[derive(Deserialize)]
struct WrittenTrees {
    trees: Vec<WrittenTree>,
}

#[derive(Deserialize)]
struct WrittenTree {
    nodes: Vec<WrittenNode>,
}

#[derive(Deserialize)]
struct WrittenNode {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    split_score: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// The trees of a trained forest.
pub(crate) fn read<F: Serialize>(
    family: &'static str,
    forest: &F,
) -> Result<Vec<Structure>, Error> {
    let unread = |source| Error::ForestStructure {
        family,
        expected: "trees with nodes as in smartcore 0.7",
        source: Some(source),
    };
    let written = serde_json::to_value(forest).map_err(unread)?;
    let forest: WrittenForest = serde_json::from_value(written).map_err(unread)?;
    forest.forest_regressor.trees.into_iter().map(|tree| structure(family, tree)).collect()
}

fn structure(family: &'static str, tree: WrittenTree) -> Result<Structure, Error> {
    let n_nodes = tree.nodes.len();
    let node = |(position, node): (usize, WrittenNode)| {
        let (Some(left), Some(right)) = (node.true_child, node.false_child) else {
            return Ok(Node::Leaf { output: node.output });
        };
        match node.split_value {
            // Children come after their parent, so that every path down ends.
            Some(value) if position < left.min(right) && left.max(right) < n_nodes => {
                Ok(Node::Split {
                    feature: node.split_feature,
                    threshold: floor_to_f32(value),
                    gain: node.split_score.unwrap_or_default(),
                    left,
                    right,
                })
            }
            _ => Err(Error::ForestStructure {
                family,
                expected: "a split value and children after their parent",
                source: None,
            }),
        }
    };
    let nodes = tree.nodes.into_iter().enumerate().map(node).collect::<Result<_, Error>>()?;
    Ok(Structure { nodes })
}

/// The largest f32 that is not above `value`: every f32 is at most `value` if and only if it is at
/// most the result.
fn floor_to_f32(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) > value { near.next_down() } else { near }
}

impl Structure {
    /// Position of the leaf of a row, whose values are given by `value(feature)`.
    pub(crate) fn leaf_of(&self, value: impl Fn(usize) -> f32) -> usize {
        let mut at = 0;
        while let Node::Split { feature, threshold, left, right, .. } = &self.nodes[at] {
            at = if value(*feature) <= *threshold { *left } else { *right };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_in_f32_routes_every_f32_as_the_one_in_f64() {
        let mut random = statistics::SplitMix64::new(5);
        for _ in 0..10_000 {
            let near = f32::from_bits(random.next_u64() as u32);
            if !near.is_finite() {
                continue;
            }
            let off = (random.next_u64() % 3) as f64 - 1.0;
            let value = f64::from(near) + off * f64::from(near).abs() * 1e-9;
            for x in [near.next_down(), near, near.next_up()] {
                assert_eq!(x <= floor_to_f32(value), f64::from(x) <= value, "{x} {value}");
            }
        }
    }
}
