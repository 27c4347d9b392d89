//! What is minimised: gradients of rows, values of leaves.
//!
//! Squared error and logistic loss are here, where a leaf's step follows from its sums:
//! -G / (H + l2). Quantiles are in `quantile`.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::numbers::{Gradient, Packing, Sums, order_free_mean, unit};

/// Rows of a task: enough to be worth it.
pub(crate) const BLOCK_ROWS: usize = 4096;

/// Bits of a row's square in their sum, which has room for 2^28 rows.
const SQUARE_BITS: u32 = 34;

/// A loss over the rows of a training set, with `W` words of sums.
pub(crate) trait Loss<const W: usize>: Sync {
    /// Where every prediction begins: a value for each output.
    fn base(&self) -> Vec<f32>;

    /// What is done with the outputs of a prediction.
    fn order(&self) -> OutputOrder;

    /// Writes the gradient of every row to learn from at its current prediction.
    ///
    /// Shapes: `current` n_rows or more x n_outputs; `gradients` n_rows, written.
    fn gradients(&mut self, round: u32, current: &[f32], gradients: &mut [Gradient<W>]) -> Packing;

    /// The variance of the last gradients per unit of hessian, of whatever the features cannot tell.
    fn noise(&self) -> f64;

    /// The steps of the leaves from the first `n` rows, before the learning rate.
    ///
    /// Shapes: `leaf_of_row` and `current` as above, `leaves` n_leaves; n_leaves x n_outputs.
    fn steps(&self, leaf_of_row: &[u16], leaves: &[Sums], n: usize, current: &[f32]) -> Vec<f32>;

    /// The mean loss from a row on.
    fn loss(&self, first_row: usize, current: &[f32]) -> f64;
}

/// Squared error, halved: the gradient is the error, the hessian 1 or the weight.
pub(crate) struct SquaredError<'a> {
    values: &'a [f32],
    weights: Option<&'a [f32]>,
    n_trained: usize,
    l2: f64,
    /// Of the rows to learn from.
    mean_weight: f64,
    /// The mean squared error at the last gradients.
    noise: f64,
}

impl<'a> SquaredError<'a> {
    /// Shapes: `values` n_rows, of which the first `n_trained` are learned from.
    pub(crate) fn new(
        values: &'a [f32],
        weights: Option<&'a [f32]>,
        n_trained: usize,
        l2: f64,
    ) -> Self {
        let mean_weight = weights.map_or(1.0, |weights| order_free_mean(&weights[..n_trained]));
        Self { values, weights, n_trained, l2, mean_weight, noise: 0.0 }
    }

    fn mean(&self) -> Vec<f32> {
        let values = &self.values[..self.n_trained];
        vec![match self.weights {
            None => order_free_mean(values) as f32,
            Some(weights) => {
                let product = |(&value, &weight): (&f32, &f32)| value * weight;
                let products: Vec<f32> = values.iter().zip(weights).map(product).collect();
                (order_free_mean(&products) / self.mean_weight) as f32
            }
        }]
    }

    /// Writes gradients from errors, and gives the mean over rows of their weighted squares, which
    /// are at most `largest`. Shapes: `gradients` n_trained.
    fn errors<const W: usize>(
        &self,
        current: &[f32],
        gradients: &mut [Gradient<W>],
        largest: f64,
        fix: impl Fn(usize, f64) -> (Gradient<W>, f64) + Sync,
    ) -> f64 {
        // Whole numbers, whose sum no order of rows changes.
        let steps = unit(largest, SQUARE_BITS).recip();
        let n_rows = gradients.len() as f64;
        let rows = gradients.par_iter_mut().zip(current).zip(self.values).enumerate();
        let sum: u64 = rows
            .with_min_len(BLOCK_ROWS)
            .map(|(row, ((gradient, &current), &value))| {
                let square;
                (*gradient, square) = fix(row, f64::from(current) - f64::from(value));
                (square * steps) as u64
            })
            .sum();
        sum as f64 / steps / n_rows
    }

    /// The largest of some figure of each row to learn from.
    fn largest(&self, current: &[f32], of: impl Fn(usize, f64) -> f64 + Sync) -> f64 {
        let rows = current.par_iter().zip(&self.values[..self.n_trained]).enumerate();
        rows.with_min_len(BLOCK_ROWS)
            .map(|(row, (&current, &value))| of(row, f64::from(current) - f64::from(value)))
            .reduce(|| 0.0, f64::max)
    }

    fn mean_square(&self, first_row: usize, current: &[f32]) -> f64 {
        let weight = |row: usize| self.weights.map_or(1.0, |weights| f64::from(weights[row]));
        let rows = || first_row..self.values.len();
        let square = |row: usize| {
            (f64::from(current[row]) - f64::from(self.values[row])).powi(2) * weight(row)
        };
        rows().map(square).sum::<f64>() / rows().map(weight).sum::<f64>()
    }
}

impl Loss<1> for SquaredError<'_> {
    fn base(&self) -> Vec<f32> {
        self.mean()
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&mut self, _: u32, current: &[f32], gradients: &mut [Gradient<1>]) -> Packing {
        let largest = self.largest(current, |_, error| error.abs());
        let packing = Packing::new(gradients.len(), largest, 1.0);
        self.noise = self.errors(current, gradients, largest * largest, |_, error| {
            (packing.fix(error), error * error)
        });
        packing
    }

    fn steps(&self, _: &[u16], leaves: &[Sums], _: usize, _: &[f32]) -> Vec<f32> {
        newton_steps(leaves, self.l2)
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        self.mean_square(first_row, current)
    }
}

impl Loss<2> for SquaredError<'_> {
    fn base(&self) -> Vec<f32> {
        self.mean()
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&mut self, _: u32, current: &[f32], gradients: &mut [Gradient<2>]) -> Packing {
        let weight = |row: usize| self.weights.map_or(1.0, |weights| f64::from(weights[row]));
        let largest = self.largest(current, |row, error| error.abs() * weight(row));
        let largest_square = self.largest(current, |row, error| error * error * weight(row));
        let heaviest = self.largest(current, |row, _| weight(row));
        let packing = Packing::new(gradients.len(), largest, heaviest);
        let mean_square = self.errors(current, gradients, largest_square, |row, error| {
            let (gradient, weight) = (error * weight(row), weight(row));
            (packing.fix_with_hessian(gradient, weight), error * gradient)
        });
        self.noise = mean_square / self.mean_weight;
        packing
    }

    fn steps(&self, _: &[u16], leaves: &[Sums], _: usize, _: &[f32]) -> Vec<f32> {
        newton_steps(leaves, self.l2)
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        self.mean_square(first_row, current)
    }
}

/// Logistic loss of log-odds: the gradient is p - y, the hessian p (1 - p), times the weight.
pub(crate) struct Logistic<'a> {
    pub(crate) outcomes: &'a [bool],
    pub(crate) weights: Option<&'a [f32]>,
    pub(crate) n_trained: usize,
    pub(crate) l2: f64,
}

impl Logistic<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row].into())
    }
}

impl Loss<2> for Logistic<'_> {
    /// The log-odds of all rows, with half an event added to either side so that they are finite.
    fn base(&self) -> Vec<f32> {
        let weigh = |wanted: bool| {
            let rows = (0..self.n_trained).filter(|&row| self.outcomes[row] == wanted);
            let weights: Vec<f32> = rows.map(|row| self.weight(row) as f32).collect();
            if weights.is_empty() { 0.0 } else { order_free_mean(&weights) * weights.len() as f64 }
        };
        vec![((weigh(true) + 0.5) / (weigh(false) + 0.5)).ln() as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn gradients(&mut self, _: u32, current: &[f32], gradients: &mut [Gradient<2>]) -> Packing {
        let heaviest =
            self.weights.map_or(1.0, |weights| weights.iter().copied().fold(0.0, f32::max).into());
        let packing = Packing::new(gradients.len(), heaviest, 0.25 * heaviest);
        let rows = gradients.par_iter_mut().zip(current).zip(self.outcomes).enumerate();
        rows.with_min_len(BLOCK_ROWS).for_each(|(row, ((gradient, &log_odds), &outcome))| {
            let (p, weight) = (1.0 / (1.0 + (-f64::from(log_odds)).exp()), self.weight(row));
            let error = p - f64::from(u8::from(outcome));
            *gradient = packing.fix_with_hessian(error * weight, p * (1.0 - p) * weight);
        });
        packing
    }

    fn steps(&self, _: &[u16], leaves: &[Sums], _: usize, _: &[f32]) -> Vec<f32> {
        newton_steps(leaves, self.l2)
    }

    /// That of a Bernoulli trial is p (1 - p), as is its hessian.
    fn noise(&self) -> f64 {
        1.0
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        let rows = || first_row..self.outcomes.len();
        let loss = |row: usize| {
            let log_odds = f64::from(current[row]);
            let against = if self.outcomes[row] { -log_odds } else { log_odds };
            // ln(1 + exp(x)) without overflow.
            (against.max(0.0) + (-against.abs()).exp().ln_1p()) * self.weight(row)
        };
        rows().map(loss).sum::<f64>() / rows().map(|row| self.weight(row)).sum::<f64>()
    }
}

fn newton_steps(leaves: &[Sums], l2: f64) -> Vec<f32> {
    let step = |sums: &Sums| match sums.hessian + l2 {
        hessian if hessian > 0.0 => (-sums.gradient / hessian) as f32,
        _ => 0.0,
    };
    leaves.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_of_squared_error_is_its_weighted_mean_in_any_order() {
        let noise = |values: &[f32], weights: Option<&[f32]>| {
            let n = values.len();
            let mut loss = SquaredError::new(values, weights, n, 0.0);
            let current = vec![1.0; n];
            match weights {
                None => drop(Loss::<1>::gradients(&mut loss, 0, &current, &mut vec![[0]; n])),
                Some(_) => drop(Loss::<2>::gradients(&mut loss, 0, &current, &mut vec![[0; 2]; n])),
            }
            loss.noise
        };
        let found = noise(&[1.0, 4.0, -1.0, 1.1], None);
        assert!((found - 13.01 / 4.0).abs() < 1e-6, "{found}");
        assert_eq!(noise(&[1.1, -1.0, 4.0, 1.0], None), found);
        let weighted = noise(&[1.0, 4.0, -1.0], Some(&[0.5, 2.0, 0.5]));
        assert!((weighted - 20.0 / 3.0).abs() < 1e-6, "{weighted}");
        assert_eq!(noise(&[1.0; 3], None), 0.0);
    }
}
