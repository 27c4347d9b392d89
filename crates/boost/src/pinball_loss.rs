//! Pinball loss of several quantiles at once.
//!
//! The pinball loss of level t at prediction q has the gradient 1[y < q] - t (Koenker and Bassett
//! 1978). All levels share one tree, so a row's gradient is the mean over levels: the rank of its
//! outcome among its current quantiles, less the sum of the levels, divided by their number. A leaf's
//! step is, for each level, the quantile of its residuals (`leaf_quantiles`). Right-censored rows
//! have an expected gradient and an imputed outcome instead (`censored_rows`).

use rayon::prelude::*;
use statistics::{Censored, kaplan_meier};

use crate::OutputOrder;
use crate::censored_rows::{CensoredRows, Imputed};
use crate::fixed_point::{Gradient, Packing, Sums};
use crate::leaf_quantiles::{Buckets, Residuals};
use crate::loss::{BLOCK_ROWS, Loss};
use crate::prediction::sort_rising;

/// Weights are rounded to whole numbers, of which the largest becomes this one.
pub(crate) const WEIGHT_STEPS: f32 = 1_048_576.0;

/// Pinball loss of all levels, all rows of weight 1. [`WeightedPinballLoss`] adds weights.
pub(crate) struct PinballLoss<'a> {
    levels: &'a [f64],
    base: Vec<f32>,
    /// The outcomes of all rows; those of right-censored rows are imputed anew in each round.
    outcomes: Vec<f32>,
    observed: &'a [bool],
    censored: CensoredRows<'a>,
    buckets: Buckets,
    weights: Option<&'a [f32]>,
    /// The gradient of each rank. Shapes: n_levels + 1.
    gradient_of_rank: Vec<f64>,
    noise: f64,
}

impl<'a> PinballLoss<'a> {
    /// From checked values and levels; the first `n_trained` rows are learned from. `digest`
    /// distinguishes rows with the same bound by their bins. Shapes: `values`, `observed` and `weights`
    /// n_rows.
    pub(crate) fn new(
        values: &'a [f32],
        observed: &'a [bool],
        levels: &'a [f64],
        weights: Option<&'a [f32]>,
        n_trained: usize,
        digest: impl Fn(usize) -> u64 + Sync,
    ) -> Self {
        let outcome = |row: usize| Censored {
            value: values[row],
            observed: observed[row],
            weight: weights.map_or(1.0, |weights| weights[row].into()),
        };
        let mut outcomes: Vec<Censored<f32>> = (0..n_trained).map(outcome).collect();
        let base = kaplan_meier(&mut outcomes, levels);
        // They are sorted now.
        let ends = [outcomes.first(), outcomes.last()].map(|end| end.map_or(0.0, |end| end.value));
        let sum: f64 = levels.iter().sum();
        let gradient_of_rank = |rank| (rank as f64 - sum) / levels.len() as f64;
        Self {
            levels,
            base,
            outcomes: values.to_vec(),
            observed,
            censored: CensoredRows::new(
                &values[..n_trained],
                &observed[..n_trained],
                levels,
                digest,
            ),
            buckets: Buckets::new(ends[1] - ends[0]),
            weights,
            gradient_of_rank: (0..=levels.len()).map(gradient_of_rank).collect(),
            noise: noise(levels),
        }
    }

    /// Writes the gradient of every row, which `gradient` gives for the row and the rank of its
    /// outcome. Shapes: `gradients` n_trained.
    fn write_gradients<const W: usize>(
        &self,
        current: &[f32],
        gradients: &mut [Gradient<W>],
        gradient: impl Fn(usize, usize) -> Gradient<W> + Sync,
    ) {
        let n_levels = self.levels.len();
        let blocks = gradients
            .par_chunks_mut(BLOCK_ROWS)
            .zip(current.par_chunks(BLOCK_ROWS * n_levels))
            .zip(self.outcomes.par_chunks(BLOCK_ROWS));
        blocks.enumerate().for_each(|(block, ((gradients, current), outcomes))| {
            let gradient = |row, rank| gradient(block * BLOCK_ROWS + row, rank);
            // The loop over levels is unrolled where the compiler knows their number.
            match n_levels {
                1 => write_block(1, current, outcomes, gradients, gradient),
                9 => write_block(9, current, outcomes, gradients, gradient),
                n => write_block(n, current, outcomes, gradients, gradient),
            }
        });
    }

    /// The residuals of the first `n` rows.
    fn residuals<'b>(
        &'b self,
        leaf_of_row: &'b [u16],
        n: usize,
        current: &'b [f32],
    ) -> Residuals<'b> {
        let (levels, buckets) = (self.levels, self.buckets);
        Residuals { leaf_of_row, outcomes: &self.outcomes[..n], current, levels, buckets }
    }
}

/// The packing of gradients of these levels into bytes: a rank more is the same whole number of
/// steps.
pub(crate) fn packing(n_rows: usize, levels: &[f64]) -> Packing {
    let n_levels = levels.len() as u8;
    let lowest = -levels.iter().sum::<f64>() / f64::from(n_levels);
    Packing::in_bytes(n_rows, lowest, u8::MAX / n_levels * n_levels)
}

/// The variance of a gradient if the quantiles are true: the mean over all pairs of levels s and t of
/// the covariance of 1[y < q_s] and 1[y < q_t], min(s, t) - st.
pub(crate) fn noise(levels: &[f64]) -> f64 {
    let pairs = levels.iter().flat_map(|s| levels.iter().map(move |t| s.min(*t) - s * t));
    pairs.sum::<f64>() / levels.len().pow(2) as f64
}

#[inline(always)]
fn write_block<const W: usize>(
    n_levels: usize,
    current: &[f32],
    outcomes: &[f32],
    gradients: &mut [Gradient<W>],
    gradient_of: impl Fn(usize, usize) -> Gradient<W>,
) {
    let rows = gradients.iter_mut().zip(current.chunks_exact(n_levels)).zip(outcomes);
    for (row, ((gradient, current), outcome)) in rows.enumerate() {
        let rank: u32 = current.iter().map(|quantile| u32::from(outcome < quantile)).sum();
        *gradient = gradient_of(row, rank as usize);
    }
}

impl Loss<1> for PinballLoss<'_> {
    fn base(&self) -> Vec<f32> {
        self.base.clone()
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::Rising
    }

    fn gradients(&mut self, round: u32, current: &[f32], gradients: &mut [Gradient<1>]) -> Packing {
        let packing = packing(gradients.len(), self.levels);
        let of_rank = self.gradient_of_rank.iter().map(|&gradient| packing.fix(gradient));
        let of_rank: Vec<Gradient<1>> = of_rank.collect();
        self.write_gradients(current, gradients, |_, rank| of_rank[rank]);
        for Imputed { row, gradient, outcome } in self.censored.impute(round, current) {
            self.outcomes[row as usize] = outcome;
            gradients[row as usize] = packing.fix(gradient);
        }
        packing
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn steps(&self, leaf_of_row: &[u16], leaves: &[Sums], n: usize, current: &[f32]) -> Vec<f32> {
        self.residuals(leaf_of_row, n, current).quantiles(leaves.len(), |_| 1u32)
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        let n_levels = self.levels.len();
        let mut rising = vec![0.0; n_levels];
        let (mut sum, mut weights) = (0.0, 0.0);
        for (row, current) in current.chunks_exact(n_levels).enumerate().skip(first_row) {
            // The loss of a right-censored row is not known.
            let weight = self.weights.map_or(1.0, |weights| weights[row].into());
            let weight = if self.observed[row] { weight } else { 0.0 };
            rising.copy_from_slice(current);
            sort_rising(&mut rising);
            let pinball = |(&quantile, &level): (&f32, &f64)| {
                let miss = f64::from(self.outcomes[row]) - f64::from(quantile);
                miss * (level - f64::from(u8::from(miss < 0.0)))
            };
            sum += weight * rising.iter().zip(self.levels).map(pinball).sum::<f64>();
            weights += weight;
        }
        sum / (weights * n_levels as f64)
    }
}

/// Pinball loss with a weight for each row.
pub(crate) struct WeightedPinballLoss<'a> {
    pub(crate) pinball: PinballLoss<'a>,
    /// Shapes: n_trained.
    pub(crate) weights: &'a [f32],
}

impl Loss<2> for WeightedPinballLoss<'_> {
    fn base(&self) -> Vec<f32> {
        self.pinball.base()
    }

    fn order(&self) -> OutputOrder {
        self.pinball.order()
    }

    fn gradients(&mut self, round: u32, current: &[f32], gradients: &mut [Gradient<2>]) -> Packing {
        let largest = self.weights.iter().copied().fold(0.0, f32::max).into();
        let packing = Packing::new(gradients.len(), largest, largest);
        self.pinball.write_gradients(current, gradients, |row, rank| {
            let weight = f64::from(self.weights[row]);
            packing.fix_with_hessian(self.pinball.gradient_of_rank[rank] * weight, weight)
        });
        for Imputed { row, gradient, outcome } in self.pinball.censored.impute(round, current) {
            let weight = f64::from(self.weights[row as usize]);
            self.pinball.outcomes[row as usize] = outcome;
            gradients[row as usize] = packing.fix_with_hessian(gradient * weight, weight);
        }
        packing
    }

    fn noise(&self) -> f64 {
        self.pinball.noise
    }

    fn steps(&self, leaf_of_row: &[u16], leaves: &[Sums], n: usize, current: &[f32]) -> Vec<f32> {
        let unit = WEIGHT_STEPS / self.weights.iter().copied().fold(0.0, f32::max);
        let weight = |row: usize| (self.weights[row] * unit).round() as u64;
        self.pinball.residuals(leaf_of_row, n, current).quantiles(leaves.len(), weight)
    }

    fn loss(&self, first_row: usize, current: &[f32]) -> f64 {
        self.pinball.loss(first_row, current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_is_the_mean_of_the_pinball_gradients_of_all_levels() {
        let levels = [0.25, 0.5, 0.75];
        let values = [0.0, 1.0, 2.5, 9.0];
        let mut loss = PinballLoss::new(&values, &[true; 4], &levels, None, 4, |_| 0);
        let mut gradients = vec![[0]; 4];
        let packing = loss.gradients(0, &[1.0, 2.0, 3.0].repeat(4), &mut gradients);
        let found = gradients.iter().map(|row| packing.sums(&packing.word(row)).gradient);
        let expected = [1.5, 0.5, -0.5, -1.5].map(|rank| rank / 3.0);
        assert!(found.zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
    }

    #[test]
    fn the_noise_is_the_variance_of_gradients_where_the_quantiles_are_true() {
        let n = 1000;
        let values: Vec<f32> = (0..n).map(|row| (row as f32 + 0.5) / n as f32).collect();
        let observed = vec![true; n];
        for levels in [&[0.9][..], &[0.5], &[0.1, 0.25, 0.9]] {
            let mut loss = PinballLoss::new(&values, &observed, levels, None, n, |_| 0);
            let true_quantiles: Vec<f32> = levels.iter().map(|&level| level as f32).collect();
            let mut gradients = vec![[0]; n];
            let packing = loss.gradients(0, &true_quantiles.repeat(n), &mut gradients);
            let of = |row| packing.sums(&packing.word(row)).gradient;
            let squares: f64 = gradients.iter().map(|row| of(row).powi(2)).sum();
            let noise = Loss::<1>::noise(&loss);
            assert!((squares / n as f64 - noise).abs() < 0.01 * noise, "{levels:?}: {noise}");
        }
    }

    #[test]
    fn a_leaf_of_rows_censored_at_zero_stays_and_one_of_rows_censored_late_moves_up() {
        let n = 1000;
        let observed: Vec<bool> = (0..n).map(|row| row == 0).collect();
        let steps = |bound: f32| {
            let mut values = vec![bound; n];
            values[0] = 0.0;
            let levels = [0.25, 0.5, 0.75];
            let digest = |row| row as u64;
            let mut loss = PinballLoss::new(&values, &observed, &levels, None, n, digest);
            let current = [1.0, 2.0, 3.0].repeat(n);
            Loss::<1>::gradients(&mut loss, 3, &current, &mut vec![[0]; n]);
            let sums = [Sums { count: n as u64, gradient: 0.0, hessian: n as f64 }];
            Loss::<1>::steps(&loss, &vec![0; n], &sums, n, &current)
        };
        assert!(steps(0.0).iter().all(|step| step.abs() < 0.05), "{:?}", steps(0.0));
        assert!(steps(2.0).iter().all(|step| *step > 0.4), "{:?}", steps(2.0));
    }
}
