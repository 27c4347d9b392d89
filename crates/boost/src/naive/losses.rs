//! The losses of the naive trainer, by their definitions.

use crate::binned_matrix::BinnedMatrix;
use crate::censored_rows::CensoredRows;
use crate::fixed_point::{Packing, Sums, Word, unit};
use crate::leaf_quantiles::Buckets;
use crate::pinball_loss::{WEIGHT_STEPS, noise, packing};
use crate::squared_error::SQUARE_BITS;
use crate::{CheckedParams, Columns, OutputOrder, Target};

/// The gradients of a round.
pub(super) struct Round<const W: usize> {
    pub(super) packing: Packing,
    /// The gradient and, if `W` is 2, the hessian of each row.
    pub(super) words: Vec<Word<W>>,
    /// The variance of a gradient that no feature explains.
    pub(super) noise: f64,
}

impl<const W: usize> Round<W> {
    /// Packs the gradient and hessian of each row.
    fn new(packing: Packing, noise: f64, rows: impl Iterator<Item = (f64, f64)>) -> Self {
        let word = |(gradient, hessian)| {
            let fixed = packing.fix_with_hessian(gradient, hessian);
            packing.word(&std::array::from_fn(|w| fixed[w]))
        };
        Self { packing, words: rows.map(word).collect(), noise }
    }
}

/// What the rounds need of a loss whose sums have `W` words.
pub(super) trait NaiveLoss<const W: usize> {
    /// What every prediction begins with.
    fn base(&self) -> Vec<f32>;

    /// What is done with the outputs of a prediction.
    fn order(&self) -> OutputOrder;

    /// The gradients at the current predictions. Shapes: `current` n_rows x n_outputs.
    fn round(&mut self, round: u32, current: &[Vec<f32>]) -> Round<W>;

    /// The step of a leaf with these rows and sums, one for each output.
    fn step(&self, rows: &[usize], sums: &Sums, current: &[Vec<f32>]) -> Vec<f32>;
}

/// Pinball loss of several quantiles.
pub(super) struct Quantiles<'a> {
    values: &'a [f32],
    observed: &'a [bool],
    levels: &'a [f64],
    weights: Option<&'a [f32]>,
    censored: CensoredRows<'a>,
    buckets: Buckets,
    /// The outcomes, imputed where right-censored.
    outcomes: Vec<f32>,
}

impl<'a> Quantiles<'a> {
    pub(super) fn new(
        columns: &Columns<'a>,
        params: &CheckedParams,
        values: &'a [f32],
        observed: &'a [bool],
        levels: &'a [f64],
    ) -> Self {
        let target = Target::Quantiles { values, observed, levels };
        let matrix = BinnedMatrix::new(columns, params, || target.signal(values.len()));
        let lowest = values.iter().copied().fold(f32::MAX, f32::min);
        let highest = values.iter().copied().fold(f32::MIN, f32::max);
        Self {
            values,
            observed,
            levels,
            weights: columns.weights,
            censored: CensoredRows::new(values, observed, levels, |row| matrix.row_digest(row)),
            buckets: Buckets::new(highest - lowest),
            outcomes: values.to_vec(),
        }
    }

    /// The Kaplan-Meier quantile by its definition: the product over all observed values of the
    /// share of the weight at risk that remains.
    fn kaplan_meier(&self, level: f64) -> f32 {
        let mut rows: Vec<usize> = (0..self.values.len()).collect();
        let key = |&row: &usize| (self.values[row], !self.observed[row]);
        rows.sort_by(|a, b| key(a).0.total_cmp(&key(b).0).then(key(a).1.cmp(&key(b).1)));
        let mut survival = 1.0;
        for (before, &row) in rows.iter().enumerate() {
            let at_risk: f64 = rows[before..].iter().map(|&row| weight(self.weights, row)).sum();
            if self.observed[row] && weight(self.weights, row) > 0.0 {
                survival *= 1.0 - weight(self.weights, row) / at_risk;
                if 1.0 - survival >= level - 1e-9 {
                    return self.values[row];
                }
            }
        }
        self.values[rows[rows.len() - 1]]
    }

    /// The weight of a row as it is counted in its leaf: in whole steps.
    fn counted_weight(&self, row: usize) -> u64 {
        self.weights.map_or(1, |weights| {
            let steps = WEIGHT_STEPS / weights.iter().copied().fold(0.0, f32::max);
            (weights[row] * steps).round() as u64
        })
    }

    /// The quantile of residuals, given the bucket and counted weight of each.
    fn quantile(&self, residuals: &[(usize, u64)], level: f64) -> f32 {
        let total = residuals.iter().map(|&(_, weight)| weight).sum::<u64>() as f64;
        let wanted = total * level;
        let mut sorted = residuals.to_vec();
        sorted.sort_unstable();
        for &(bucket, _) in sorted.iter().filter(|&&(_, weight)| weight > 0) {
            let weight_of = |is_in: &dyn Fn(usize) -> bool| {
                let here = residuals.iter().filter(|&&(other, _)| is_in(other));
                here.map(|&(_, weight)| weight).sum::<u64>() as f64
            };
            let before = weight_of(&|other| other < bucket);
            let here = weight_of(&|other| other == bucket);
            if before + here >= wanted - total * 1e-9 {
                let fraction = ((wanted - before) / here).clamp(0.0, 1.0);
                return self.buckets.interpolate(bucket, fraction);
            }
        }
        0.0
    }
}

impl<const W: usize> NaiveLoss<W> for Quantiles<'_> {
    fn base(&self) -> Vec<f32> {
        self.levels.iter().map(|&level| self.kaplan_meier(level)).collect()
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::Rising
    }

    fn round(&mut self, round: u32, current: &[Vec<f32>]) -> Round<W> {
        let imputed = self.censored.impute(round, &current.concat());
        imputed.iter().for_each(|row| self.outcomes[row.row as usize] = row.outcome);
        let n_rows = current.len();
        let packing = match self.weights {
            None => packing(n_rows, self.levels),
            Some(weights) => {
                let heaviest = weights.iter().copied().fold(0.0, f32::max).into();
                Packing::new(n_rows, heaviest, heaviest)
            }
        };
        let gradient = |row: usize| {
            if let Some(imputed) = imputed.iter().find(|imputed| imputed.row as usize == row) {
                return imputed.gradient;
            }
            let n_below = current[row].iter().filter(|&&q| self.outcomes[row] < q).count();
            (n_below as f64 - self.levels.iter().sum::<f64>()) / self.levels.len() as f64
        };
        let rows = (0..n_rows).map(|row| {
            let weight = weight(self.weights, row);
            (gradient(row) * weight, weight)
        });
        Round::new(packing, noise(self.levels), rows)
    }

    fn step(&self, rows: &[usize], _: &Sums, current: &[Vec<f32>]) -> Vec<f32> {
        let step = |(k, &level): (usize, &f64)| {
            let residual = |&row: &usize| {
                (self.buckets.of(self.outcomes[row] - current[row][k]), self.counted_weight(row))
            };
            self.quantile(&rows.iter().map(residual).collect::<Vec<_>>(), level)
        };
        self.levels.iter().enumerate().map(step).collect()
    }
}

/// Squared error, halved.
pub(super) struct SquaredError<'a> {
    pub(super) values: &'a [f32],
    pub(super) weights: Option<&'a [f32]>,
    pub(super) l2: f64,
}

impl<const W: usize> NaiveLoss<W> for SquaredError<'_> {
    fn base(&self) -> Vec<f32> {
        let weight = |row| weight(self.weights, row) as f32;
        let products = mean((0..self.values.len()).map(|row| self.values[row] * weight(row)));
        let weights = mean((0..self.values.len()).map(weight));
        vec![(products / weights) as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn round(&mut self, _: u32, current: &[Vec<f32>]) -> Round<W> {
        let n_rows = current.len();
        let rows = (0..n_rows).map(|row| {
            let error = f64::from(current[row][0]) - f64::from(self.values[row]);
            (error * weight(self.weights, row), weight(self.weights, row), error)
        });
        let rows: Vec<(f64, f64, f64)> = rows.collect();
        let largest = |of: fn(&(f64, f64, f64)) -> f64| rows.iter().map(of).fold(0.0, f64::max);
        let largest_gradient = largest(|(gradient, ..)| gradient.abs());
        let packing = Packing::new(n_rows, largest_gradient, largest(|(_, weight, _)| *weight));
        // The mean of the weighted squares, each rounded down to the unit of their sum.
        let unit = unit(largest(|(_, weight, error)| error * error * weight), SQUARE_BITS);
        let squares = rows.iter().map(|(gradient, _, error)| (error * gradient / unit).floor());
        let mean_square = squares.sum::<f64>() * unit / n_rows as f64;
        let mean_weight = mean((0..n_rows).map(|row| weight(self.weights, row) as f32));
        let words = rows.iter().map(|&(gradient, weight, _)| (gradient, weight));
        Round::new(packing, mean_square / mean_weight, words)
    }

    fn step(&self, _: &[usize], sums: &Sums, _: &[Vec<f32>]) -> Vec<f32> {
        vec![newton_step(sums, self.l2)]
    }
}

/// Logistic loss of log-odds.
pub(super) struct LogOdds<'a> {
    pub(super) outcomes: &'a [bool],
    pub(super) weights: Option<&'a [f32]>,
    pub(super) l2: f64,
}

impl NaiveLoss<2> for LogOdds<'_> {
    fn base(&self) -> Vec<f32> {
        let total = |wanted: bool| {
            let rows = (0..self.outcomes.len()).filter(|&row| self.outcomes[row] == wanted);
            rows.map(|row| weight(self.weights, row)).sum::<f64>()
        };
        vec![libm::log((total(true) + 0.5) / (total(false) + 0.5)) as f32]
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::AsAdded
    }

    fn round(&mut self, _: u32, current: &[Vec<f32>]) -> Round<2> {
        let n_rows = current.len();
        let heaviest = (0..n_rows).map(|row| weight(self.weights, row)).fold(0.0, f64::max);
        let rows = (0..n_rows).map(|row| {
            let p = 1.0 / (1.0 + libm::exp(-f64::from(current[row][0])));
            let outcome = if self.outcomes[row] { 1.0 } else { 0.0 };
            let weight = weight(self.weights, row);
            ((p - outcome) * weight, p * (1.0 - p) * weight)
        });
        Round::new(Packing::new(n_rows, heaviest, heaviest / 4.0), 1.0, rows)
    }

    fn step(&self, _: &[usize], sums: &Sums, _: &[Vec<f32>]) -> Vec<f32> {
        vec![newton_step(sums, self.l2)]
    }
}

fn newton_step(sums: &Sums, l2: f64) -> f32 {
    if sums.hessian + l2 > 0.0 { (-sums.gradient / (sums.hessian + l2)) as f32 } else { 0.0 }
}

/// The weight of a row, 1 without weights.
fn weight(weights: Option<&[f32]>, row: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[row].into())
}

/// The mean of numbers whose sum an f64 can hold exactly.
fn mean(numbers: impl ExactSizeIterator<Item = f32>) -> f64 {
    let n = numbers.len() as f64;
    numbers.map(f64::from).sum::<f64>() / n
}
