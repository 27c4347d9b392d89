//! What every loss provides: gradients of rows, steps of leaves.
//!
//! `squared_error` and `logistic_loss` have Newton steps, which follow from a leaf's sums:
//! -G / (H + l2). The steps of `pinball_loss` are quantiles of residuals.

use crate::OutputOrder;
use crate::fixed_point::{Gradient, Packing, Sums};

/// Rows of a task: enough that starting it costs little.
pub(crate) const BLOCK_ROWS: usize = 4096;

/// A loss over the rows of a training set, whose sums need `W` words.
pub(crate) trait Loss<const W: usize>: Sync {
    /// What every prediction begins with. Shapes: n_outputs.
    fn base(&self) -> Vec<f32>;

    /// What is done with the outputs of a prediction.
    fn order(&self) -> OutputOrder;

    /// Writes the gradient of every row to learn from at its current prediction, and returns how
    /// gradients are packed in this round.
    ///
    /// Shapes: `current` n_rows or more x n_outputs; `gradients` n_rows, written.
    fn gradients(&mut self, round: u32, current: &[f32], gradients: &mut [Gradient<W>]) -> Packing;

    /// The variance of the last gradients per unit of hessian that no feature explains. Valid after
    /// [`Self::gradients`].
    fn noise(&self) -> f64;

    /// The steps of the leaves from the first `n` rows, before the learning rate.
    ///
    /// Shapes: `leaf_of_row` and `current` as above, `leaves` n_leaves; n_leaves x n_outputs.
    fn steps(&self, leaf_of_row: &[u16], leaves: &[Sums], n: usize, current: &[f32]) -> Vec<f32>;

    /// The weighted mean loss of the rows from `first_row` on.
    fn loss(&self, first_row: usize, current: &[f32]) -> f64;
}

/// The Newton steps of leaves with these sums; 0 where the sum of hessians and `l2` are 0.
pub(crate) fn newton_steps(leaves: &[Sums], l2: f64) -> Vec<f32> {
    let step = |sums: &Sums| match sums.hessian + l2 {
        hessian if hessian > 0.0 => (-sums.gradient / hessian) as f32,
        _ => 0.0,
    };
    leaves.iter().map(step).collect()
}
