//! Squared error, halved: the gradient is the error, the hessian is the weight.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::fixed_point::{Gradient, Packing, Sums, order_free_mean, unit};
use crate::loss::{BLOCK_ROWS, Loss, newton_steps};

/// Bits of a row's squared error in their sum: a u64 holds the sum of 2^28 rows.
pub(crate) const SQUARE_BITS: u32 = 34;

/// Squared error over the rows of a training set.
pub(crate) struct SquaredError<'a> {
    values: &'a [f32],
    weights: Option<&'a [f32]>,
    n_trained: usize,
    l2: f64,
    /// The mean weight of the rows to learn from.
    mean_weight: f64,
    /// The weighted mean squared error at the last gradients.
    noise: f64,
}

impl<'a> SquaredError<'a> {
    /// From checked values. Shapes: `values` and `weights` n_rows, of which the first `n_trained` are
    /// learned from.
    pub(crate) fn new(
        values: &'a [f32],
        weights: Option<&'a [f32]>,
        n_trained: usize,
        l2: f64,
    ) -> Self {
        let mean_weight = weights.map_or(1.0, |weights| order_free_mean(&weights[..n_trained]));
        Self { values, weights, n_trained, l2, mean_weight, noise: 0.0 }
    }

    /// The weighted mean of the values to learn from.
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

    /// Writes gradients, and returns the mean over rows of the weighted squared errors, each at most
    /// `largest`. `fix` gives both for a row and its error. Shapes: `gradients` n_trained.
    fn write_gradients<const W: usize>(
        &self,
        current: &[f32],
        gradients: &mut [Gradient<W>],
        largest: f64,
        fix: impl Fn(usize, f64) -> (Gradient<W>, f64) + Sync,
    ) -> f64 {
        // Integers, so that the sum does not depend on the order of rows.
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

    /// The largest value of `figure`, a function of a row to learn from and its error.
    fn largest(&self, current: &[f32], figure: impl Fn(usize, f64) -> f64 + Sync) -> f64 {
        let rows = current.par_iter().zip(&self.values[..self.n_trained]).enumerate();
        rows.with_min_len(BLOCK_ROWS)
            .map(|(row, (&current, &value))| figure(row, f64::from(current) - f64::from(value)))
            .reduce(|| 0.0, f64::max)
    }

    /// The weighted mean squared error of the rows from `first_row` on.
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
        self.noise = self.write_gradients(current, gradients, largest * largest, |_, error| {
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
        let mean_square = self.write_gradients(current, gradients, largest_square, |row, error| {
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
