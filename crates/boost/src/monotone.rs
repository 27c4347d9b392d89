//! Predictions that follow a column in one direction.
//!
//! A split by such a column is only made if its two sides already step the right way, judged by
//! their mean gradients. That binds the two sides as wholes and not their leaves, so when the
//! leaves have their values, each output of each leaf is moved into bounds: going down from the
//! root, a split by such a column bounds all leaves on its lower side from above, and all on its
//! upper side from below, by the middle between the two sides' means (LightGBM calls this `basic`).
//! Every tree then follows the column in every output, and so does their sum; sorting quantiles
//! keeps the order, since the k-th smallest of larger numbers is larger.
//!
//! Missing values are bound with the side that they join. Categorical columns have no direction.

use serde::{Deserialize, Serialize};

use crate::Child;
use crate::numbers::Sums;

/// Which way predictions must follow a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// They never fall when the column rises.
    Rising,
    /// They never rise when the column rises.
    Falling,
}

impl Direction {
    /// Whether the mean steps below and above a border follow the direction.
    pub(crate) fn is_followed(self, below: &Sums, above: &Sums) -> bool {
        // A step is -G / H.
        let [below, above] = [below, above].map(|sums| -sums.gradient / sums.hessian);
        match self {
            Self::Rising => below <= above,
            Self::Falling => above <= below,
        }
    }
}

/// A split of a grown tree: where it leads, and the direction of its column.
pub(crate) struct Fork {
    pub(crate) children: [Child; 2],
    pub(crate) direction: Option<Direction>,
}

/// Moves the leaves' values so that every output follows the forks' directions.
///
/// Shapes: `forks` with the root first and children later; `weights` n_leaves; `values` n_leaves x
/// n_outputs, changed.
pub(crate) fn bind(forks: &[Fork], weights: &[f64], values: &mut [f32]) {
    if forks.iter().all(|fork| fork.direction.is_none()) {
        return;
    }
    let n_outputs = values.len() / weights.len();
    for output in 0..n_outputs {
        let mut bounds = vec![(f32::NEG_INFINITY, f32::INFINITY); forks.len()];
        let means = means(forks, weights, values, n_outputs, output);
        for (at, fork) in forks.iter().enumerate() {
            let (low, high) = bounds[at];
            let middle = fork.direction.map(|_| {
                let [left, right] = fork.children.map(|child| match child {
                    Child::Split(split) => means[split as usize].0,
                    Child::Leaf(leaf) => f64::from(values[leaf as usize * n_outputs + output]),
                });
                (((left + right) / 2.0) as f32).clamp(low, high)
            });
            let sides = match (fork.direction, middle) {
                (Some(Direction::Rising), Some(middle)) => [(low, middle), (middle, high)],
                (Some(Direction::Falling), Some(middle)) => [(middle, high), (low, middle)],
                _ => [(low, high); 2],
            };
            for (child, (low, high)) in fork.children.into_iter().zip(sides) {
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

/// The mean of an output over the leaves under each fork, and their weight.
fn means(
    forks: &[Fork],
    weights: &[f64],
    values: &[f32],
    n_outputs: usize,
    output: usize,
) -> Vec<(f64, f64)> {
    let mut means = vec![(0.0, 0.0); forks.len()];
    for (at, fork) in forks.iter().enumerate().rev() {
        let of_children = fork.children.map(|child| match child {
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
    fn leaves_are_moved_to_the_middle_of_what_they_break() {
        // The root rises; its right side splits on something else into 5 and 1.
        let forks = [
            Fork {
                children: [Child::Leaf(0), Child::Split(1)],
                direction: Some(Direction::Rising),
            },
            Fork { children: [Child::Leaf(1), Child::Leaf(2)], direction: None },
        ];
        let mut values = [2.0, -9.0, 5.0, -9.0, 1.0, -9.0];
        bind(&forks, &[1.0, 1.0, 1.0], &mut values);
        // The sides' means are 2 and 3, the middle 2.5; the second output breaks nothing.
        assert_eq!(values, [2.0, -9.0, 5.0, -9.0, 2.5, -9.0]);
    }

    #[test]
    fn falling_is_rising_upside_down() {
        let fork = |direction| {
            [Fork { children: [Child::Leaf(0), Child::Leaf(1)], direction: Some(direction) }]
        };
        let mut values = [1.0, 2.0];
        bind(&fork(Direction::Falling), &[1.0, 1.0], &mut values);
        assert_eq!(values, [1.5, 1.5]);
        bind(&fork(Direction::Rising), &[1.0, 1.0], &mut values);
        assert_eq!(values, [1.5, 1.5]);
    }
}
