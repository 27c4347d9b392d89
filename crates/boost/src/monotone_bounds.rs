//! Bounds on leaf values, so that predictions follow monotonic constraints.
//!
//! A split by a constrained column is made only if the mean steps of its two sides already follow
//! the constraint (`splitting`). That holds for the sides as wholes, not for their leaves. So when
//! the leaves have their values, each output of each leaf is clamped to bounds: going down from the
//! root, a split by a constrained column bounds all leaves on its lower side from above, and all on
//! its upper side from below, by the midpoint of the two sides' means (LightGBM's method `basic`).
//! Then every tree follows the constraint in every output, and so does their sum. Sorting quantiles
//! keeps it, since the k-th smallest of larger numbers is larger.
//!
//! A missing value is bounded with the side that it goes to. Categorical columns have no constraint.

use crate::{Child, Direction};

/// What bounds follow from a split: its children and the constraint on its column.
pub(crate) struct DirectedSplit {
    pub(crate) children: [Child; 2],
    pub(crate) direction: Option<Direction>,
}

/// Clamps leaf values so that every output follows the constraints of all splits.
///
/// Shapes: `splits` with the root first and children later; `weights` n_leaves; `values` n_leaves x
/// n_outputs, changed.
pub(crate) fn bound_leaf_values(splits: &[DirectedSplit], weights: &[f64], values: &mut [f32]) {
    if splits.iter().all(|split| split.direction.is_none()) {
        return;
    }
    let n_outputs = values.len() / weights.len();
    for output in 0..n_outputs {
        let mut bounds = vec![(f32::NEG_INFINITY, f32::INFINITY); splits.len()];
        let means = means(splits, weights, values, n_outputs, output);
        for (at, split) in splits.iter().enumerate() {
            let (low, high) = bounds[at];
            let midpoint = split.direction.map(|_| {
                let [left, right] = split.children.map(|child| match child {
                    Child::Split(split) => means[split as usize].0,
                    Child::Leaf(leaf) => f64::from(values[leaf as usize * n_outputs + output]),
                });
                (((left + right) / 2.0) as f32).clamp(low, high)
            });
            let sides = match (split.direction, midpoint) {
                (Some(Direction::Rising), Some(midpoint)) => [(low, midpoint), (midpoint, high)],
                (Some(Direction::Falling), Some(midpoint)) => [(midpoint, high), (low, midpoint)],
                _ => [(low, high); 2],
            };
            for (child, (low, high)) in split.children.into_iter().zip(sides) {
                match child {
                    Child::Split(split) => bounds[split as usize] = (low, high),
                    Child::Leaf(leaf) => {
                        let value = &mut values[leaf as usize * n_outputs + output];
                        *value = value.clamp(low, high);
                    }
                }
            }
        }
    }
}

/// The weighted mean of an output over the leaves under each split, and their weight.
fn means(
    splits: &[DirectedSplit],
    weights: &[f64],
    values: &[f32],
    n_outputs: usize,
    output: usize,
) -> Vec<(f64, f64)> {
    let mut means = vec![(0.0, 0.0); splits.len()];
    for (at, split) in splits.iter().enumerate().rev() {
        let of_children = split.children.map(|child| match child {
            Child::Split(split) => means[split as usize],
            Child::Leaf(leaf) => {
                let leaf = leaf as usize;
                (f64::from(values[leaf * n_outputs + output]), weights[leaf])
            }
        });
        let [(left, left_weight), (right, right_weight)] = of_children;
        let weight = left_weight + right_weight;
        means[at] = ((left * left_weight + right * right_weight) / weight, weight);
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_that_violate_a_constraint_are_clamped_to_the_midpoint() {
        // The root rises; its right side splits on something else into 5 and 1.
        let splits = [
            DirectedSplit {
                children: [Child::Leaf(0), Child::Split(1)],
                direction: Some(Direction::Rising),
            },
            DirectedSplit { children: [Child::Leaf(1), Child::Leaf(2)], direction: None },
        ];
        let mut values = [2.0, -9.0, 5.0, -9.0, 1.0, -9.0];
        bound_leaf_values(&splits, &[1.0, 1.0, 1.0], &mut values);
        // The sides' means are 2 and 3, the midpoint is 2.5; the second output violates nothing.
        assert_eq!(values, [2.0, -9.0, 5.0, -9.0, 2.5, -9.0]);
    }

    #[test]
    fn falling_is_rising_upside_down() {
        let split = |direction| {
            [DirectedSplit {
                children: [Child::Leaf(0), Child::Leaf(1)],
                direction: Some(direction),
            }]
        };
        let mut values = [1.0, 2.0];
        bound_leaf_values(&split(Direction::Falling), &[1.0, 1.0], &mut values);
        assert_eq!(values, [1.5, 1.5]);
        bound_leaf_values(&split(Direction::Rising), &[1.0, 1.0], &mut values);
        assert_eq!(values, [1.5, 1.5]);
    }
}
