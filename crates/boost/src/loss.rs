//! What is minimised: gradients of rows, values of leaves.
//!
//! Squared error and logistic loss are here, where a leaf's value follows from its sums:
//! -G / (H + l2). Quantiles are in `quantile`.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::numbers::{Packing, Sums, Word, order_free_mean};

/// Rows of a task: enough to be worth it.
pub(crate) const BLOCK_ROWS: usize = 4096;

/// A loss over the rows of a training set, with `W` words of sums.
pub(crate) trait Loss<const W: usize>: Sync {
    /// Where every prediction begins: a value for each output.
    fn base(&self) -> Vec<f32>;

    /// What is done with the outputs of a prediction.
    fn order(&self) -> OutputOrder;

    /// Writes the gradient of every row at its current prediction.
    ///
    /// Shapes: `current` n_rows x n_outputs; `words` n_rows, written.
    fn gradients(&self, current: &[f32], words: &mut [Word<W>]) -> Packing;

    /// Writes the step of a leaf, before the learning rate.
    ///
    /// Shapes: `current` n_rows x n_outputs; `rows` those of the leaf; `values` n_outputs, written.
    fn leaf(&self, round: u32, rows: &[u32], sums: &Sums, current: &[f32], values: &mut [f32]);
}

/// Squared error, halved: the gradient is the error, the hessian 1.
pub(crate) struct SquaredError<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) l2: f64,
}

impl Loss<1> for SquaredError<'_> {
    fn base(&self) -> Vec<f32> {
        vec![order_free_mean(self.values) as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&self, current: &[f32], words: &mut [Word<1>]) -> Packing {
        let error = |(&current, &value): (&f32, &f32)| f64::from(current) - f64::from(value);
        let errors = || current.par_iter().zip(self.values).with_min_len(BLOCK_ROWS).map(error);
        let packing =
            Packing::new(words.len(), errors().map(f64::abs).reduce(|| 0.0, f64::max), 1.0);
        (words.par_iter_mut().zip(errors())).for_each(|(word, error)| *word = packing.pack(error));
        packing
    }

    fn leaf(&self, _: u32, _: &[u32], sums: &Sums, _: &[f32], values: &mut [f32]) {
        values[0] = newton_step(sums, self.l2);
    }
}

/// Logistic loss of log-odds: the gradient is p - y, the hessian p (1 - p).
pub(crate) struct Logistic<'a> {
    pub(crate) outcomes: &'a [bool],
    pub(crate) l2: f64,
}

impl Loss<2> for Logistic<'_> {
    /// The log-odds of all rows, with half an event added to either side so that they are finite.
    fn base(&self) -> Vec<f32> {
        let events = self.outcomes.iter().filter(|&&outcome| outcome).count() as f64;
        let others = self.outcomes.len() as f64 - events;
        vec![((events + 0.5) / (others + 0.5)).ln() as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&self, current: &[f32], words: &mut [Word<2>]) -> Packing {
        let packing = Packing::new(words.len(), 1.0, 0.25);
        let rows = current.par_iter().zip(self.outcomes);
        (words.par_iter_mut().zip(rows)).with_min_len(BLOCK_ROWS).for_each(
            |(word, (&log_odds, &outcome))| {
                let p = 1.0 / (1.0 + (-f64::from(log_odds)).exp());
                *word = packing.pack_with_hessian(p - f64::from(u8::from(outcome)), p * (1.0 - p));
            },
        );
        packing
    }

    fn leaf(&self, _: u32, _: &[u32], sums: &Sums, _: &[f32], values: &mut [f32]) {
        values[0] = newton_step(sums, self.l2);
    }
}

fn newton_step(sums: &Sums, l2: f64) -> f32 {
    (-sums.gradient / (sums.hessian + l2)) as f32
}
