//! The loss of several quantiles at once, of outcomes of which some are still open.
//!
//! The pinball loss of level t at prediction q has the gradient 1[y < q] - t (Koenker and Bassett
//! 1978). All levels share one tree, so a row's gradient is the mean over levels: the rank of its
//! outcome among its current quantiles, less the mean level.
//!
//! An open row has only a lower bound a. Its 1[y < q] is replaced by the probability of it given
//! y > a under the row's own current distribution F,
//!
//! ```text
//! P(y < q_k | y > a) = (t_k - F(a)) / (1 - F(a))  if q_k > a, else 0,
//! ```
//!
//! which is Efron's (1967) self-consistent redistribution of its weight to the right, conditional
//! on the columns as in Portnoy (2003). F is read off the row's current quantiles, linear between
//! them; below the first it falls to 0 at the lowest outcome of the training set, above the last it
//! rises to 1 at three times the last's distance from there. That tail is an assumption: it only
//! matters for rows that are open beyond their last quantile.
//!
//! A leaf's step is, for each level, the Kaplan-Meier quantile of its residuals (`leaf`). Where too
//! many are open for a level to be reached, all that is known is that the quantile lies beyond the
//! largest residual: the step goes there if that is upwards, and otherwise there is none.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::leaf::{Quantile, kaplan_meier};
use crate::loss::{BLOCK_ROWS, Loss};
use crate::numbers::{Packing, Sums, Word};
use crate::predict::sort_rising;

/// The top of an open row's distribution: this many times the last quantile's distance from the
/// lowest outcome.
const TAIL: f64 = 3.0;

/// The largest share that an open row may have behind it, so that something is left to share out.
const SHARE_MAX: f64 = 0.999;

/// Pinball loss of all levels over checked outcomes.
pub(crate) struct Pinball<'a> {
    values: &'a [f32],
    observed: &'a [bool],
    levels: &'a [f64],
    lowest: f64,
}

impl<'a> Pinball<'a> {
    pub(crate) fn new(values: &'a [f32], observed: &'a [bool], levels: &'a [f64]) -> Self {
        let lowest = values.iter().copied().fold(f32::INFINITY, f32::min).into();
        Self { values, observed, levels, lowest }
    }

    /// The gradient of an open row: the mean over levels of the expected 1[y < q] - t.
    pub(crate) fn open_gradient(&self, bound: f64, rising: &[f32]) -> f64 {
        let behind = self.share_behind(bound, rising);
        let below = |(&quantile, &level): (&f32, &f64)| {
            let is_right = f64::from(quantile) > bound;
            let share = ((level - behind) / (1.0 - behind)).clamp(0.0, 1.0);
            if is_right { share - level } else { -level }
        };
        rising.iter().zip(self.levels).map(below).sum::<f64>() / self.levels.len() as f64
    }

    /// F at the bound of an open row.
    fn share_behind(&self, bound: f64, rising: &[f32]) -> f64 {
        let n_below = rising.iter().filter(|&&quantile| f64::from(quantile) <= bound).count();
        let knot = |k: usize| (f64::from(rising[k]), self.levels[k]);
        let (from, share_from) = if n_below == 0 { (self.lowest, 0.0) } else { knot(n_below - 1) };
        let (to, share_to) = if n_below == rising.len() {
            (self.lowest + TAIL * (f64::from(rising[n_below - 1]) - self.lowest), 1.0)
        } else {
            knot(n_below)
        };
        let way = if to > from { ((bound - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        (share_from + (share_to - share_from) * way).min(SHARE_MAX)
    }
}

impl Loss<1> for Pinball<'_> {
    fn base(&self) -> Vec<f32> {
        let of = |wanted: bool| -> Vec<f32> {
            let rows = self.values.iter().zip(self.observed);
            rows.filter(|&(_, &observed)| observed == wanted).map(|(&value, _)| value).collect()
        };
        let (mut events, mut open) = (of(true), of(false));
        let quantile = |&level| match kaplan_meier(&mut events, &mut open, level) {
            Quantile::At(value) | Quantile::Beyond(value) => value,
        };
        self.levels.iter().map(quantile).collect()
    }

    fn order(&self) -> OutputOrder {
        OutputOrder::Rising
    }

    fn gradients(&self, current: &[f32], words: &mut [Word<1>]) -> Packing {
        let packing = Packing::new(words.len(), 1.0, 1.0);
        let n_levels = self.levels.len();
        let sum: f64 = self.levels.iter().sum();
        // An observed outcome's gradient is its rank: one word for each.
        let of_rank: Vec<Word<1>> = (0..=n_levels)
            .map(|rank| packing.pack((rank as f64 - sum) / n_levels as f64))
            .collect();
        let blocks =
            words.par_chunks_mut(BLOCK_ROWS).zip(current.par_chunks(BLOCK_ROWS * n_levels));
        blocks.enumerate().for_each(|(block, (words, current))| {
            let mut rising = vec![0.0; n_levels];
            let first = block * BLOCK_ROWS;
            let rows = words.iter_mut().zip(current.chunks_exact(n_levels));
            let outcomes = self.values[first..].iter().zip(&self.observed[first..]);
            for ((word, current), (&value, &observed)) in rows.zip(outcomes) {
                *word = if observed {
                    of_rank[current
                        .iter()
                        .map(|&quantile| usize::from(value < quantile))
                        .sum::<usize>()]
                } else {
                    rising.copy_from_slice(current);
                    sort_rising(&mut rising);
                    packing.pack(self.open_gradient(value.into(), &rising))
                };
            }
        });
        packing
    }

    fn leaf(&self, rows: &[u32], _: &Sums, current: &[f32], values: &mut [f32]) {
        let (n_levels, n_rows) = (self.levels.len(), rows.len());
        let n_events = rows.iter().filter(|&&row| self.observed[row as usize]).count();
        // Shapes: n_levels x n_rows, events before open rows.
        let mut residuals = vec![0.0; n_levels * n_rows];
        let (mut next_event, mut next_open) = (0, n_events);
        for &row in rows {
            let row = row as usize;
            let next = if self.observed[row] { &mut next_event } else { &mut next_open };
            let quantiles = &current[row * n_levels..][..n_levels];
            for (level, quantile) in quantiles.iter().enumerate() {
                residuals[level * n_rows + *next] = self.values[row] - quantile;
            }
            *next += 1;
        }
        let of_level = residuals.par_chunks_mut(n_rows).zip(self.levels);
        of_level.zip(values).for_each(|((residuals, &level), value)| {
            let (events, open) = residuals.split_at_mut(n_events);
            *value = match kaplan_meier(events, open, level) {
                Quantile::At(residual) => residual,
                Quantile::Beyond(residual) => residual.max(0.0),
            };
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_row_expects_what_is_left_of_its_distribution() {
        let levels = [0.25, 0.5, 0.75];
        let loss = Pinball::new(&[0.0, 2.0], &[true, false], &levels);
        let quantiles = [1.0, 2.0, 3.0];
        // At its median: the shares below the quantiles are 0, 0 and (0.75 - 0.5) / 0.5.
        assert_eq!(loss.open_gradient(2.0, &quantiles), (0.5 - 1.5) / 3.0);
        // Just open: nothing is behind it, so nothing is learned.
        assert_eq!(loss.open_gradient(0.0, &quantiles), 0.0);
        // Open for very long: as if it were observed above all quantiles.
        assert_eq!(loss.open_gradient(100.0, &quantiles), -0.5);
    }

    #[test]
    fn a_row_that_has_waited_longer_pulls_upwards_more() {
        let levels = [0.1, 0.5, 0.9];
        let loss = Pinball::new(&[0.0], &[true], &levels);
        let pulls: Vec<f64> = (0..40)
            .map(|bound| loss.open_gradient(f64::from(bound) / 4.0, &[1.0, 4.0, 7.0]))
            .collect();
        assert!(pulls.is_sorted_by(|a, b| a >= b), "{pulls:?}");
    }

    #[test]
    fn a_leaf_of_open_rows_below_their_quantiles_stays() {
        let levels = [0.5];
        let loss = Pinball::new(&[1.0, 2.0, 9.0], &[false, false, true], &levels);
        let sums = Sums { count: 2, gradient: 0.0, hessian: 2.0 };
        let mut values = [7.0];
        loss.leaf(&[0, 1], &sums, &[5.0; 3], &mut values);
        assert_eq!(values, [0.0]);
        loss.leaf(&[0, 1], &sums, &[1.5; 3], &mut values);
        assert_eq!(values, [0.5]);
    }
}
