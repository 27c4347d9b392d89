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
//! them; below the first it falls to 0 at the lowest observed outcome, above the last it rises to 1
//! at three times the last's distance from there. That tail is an assumption, which matters only
//! for rows that are open beyond their last quantile.
//!
//! A leaf's step is, for each level, the quantile of its residuals. There an open row stands with
//! an outcome drawn from the same F given y > a, anew in every round: an EM step whose expectation
//! is sampled (Wei and Tanner, "A Monte Carlo implementation of the EM algorithm", 1990), and the
//! small learning rate averages over the draws. The draws of a leaf are spread evenly (multiples of
//! the golden section along the leaf's open rows in the order of their bounds), so they add little
//! noise and follow from nothing but the leaf and the round.
//!
//! Kaplan-Meier quantiles of the residuals would be an alternative that needs no F. They are used
//! for the base, but not in the leaves: where open rows are many, and a split on anything that
//! tells a row's age makes such leaves, their highest residuals carry nearly all weight, and every
//! round then pulls the upper quantiles down to the bounds. In the world of
//! `tests/censored_world.rs` they cover 0.46 where 0.5 is meant, and 0.36 among young rows; the draws
//! cover 0.50 and 0.51.
//!
//! Limit: where nothing is known (no observed row has waited as long), F can only be its start and
//! what other leaves taught it. Such quantiles hold on to that, but slowly wander with the rounds.

use rayon::prelude::*;

use crate::OutputOrder;
use crate::leaf::{Quantile, kaplan_meier, order_statistic};
use crate::loss::{BLOCK_ROWS, Loss};
use crate::numbers::{Packing, Sums, Word, sort_key};
use crate::predict::sort_rising;

/// The top of an open row's distribution: this many times the last quantile's distance from the
/// lowest outcome.
const TAIL: f64 = 3.0;

/// The largest share that an open row may have behind it, so that something is left to share out.
const SHARE_MAX: f64 = 0.999;

/// Multiples of these, less their whole part, are spread evenly: the first along the open rows of a
/// leaf, the second from round to round.
const GOLDEN_SECTION: f64 = 0.618_033_988_749_894_9;
const PLASTIC_SECTION: f64 = 0.754_877_666_246_692_8;

/// Pinball loss of all levels over checked outcomes.
pub(crate) struct Pinball<'a> {
    values: &'a [f32],
    observed: &'a [bool],
    levels: &'a [f64],
    lowest: f64,
}

impl<'a> Pinball<'a> {
    pub(crate) fn new(values: &'a [f32], observed: &'a [bool], levels: &'a [f64]) -> Self {
        let events = values.iter().zip(observed).filter(|(_, observed)| **observed);
        let lowest = events.map(|(&value, _)| value).fold(f32::INFINITY, f32::min).into();
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
        let [(from, share_from), (to, share_to)] = self.piece(n_below, rising);
        let way = if to > from { ((bound - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        (share_from + (share_to - share_from) * way).min(SHARE_MAX)
    }

    /// The outcome at which F, given that it exceeds the bound, is `share`.
    fn outcome_at(&self, share: f64, bound: f64, rising: &[f32]) -> f32 {
        let behind = self.share_behind(bound, rising);
        let share = behind + (1.0 - behind) * share;
        let n_below = self.levels.iter().filter(|&&level| level <= share).count();
        let [(from, share_from), (to, share_to)] = self.piece(n_below, rising);
        let outcome = from + (to - from) * (share - share_from) / (share_to - share_from);
        outcome.max(bound) as f32
    }

    /// The ends of the piece of F above `n_below` of its quantiles, each with its share.
    fn piece(&self, n_below: usize, rising: &[f32]) -> [(f64, f64); 2] {
        let knot = |k: usize| (f64::from(rising[k]), self.levels[k]);
        let from = if n_below == 0 { (self.lowest, 0.0) } else { knot(n_below - 1) };
        let to = if n_below == rising.len() {
            (self.lowest + TAIL * (f64::from(rising[n_below - 1]) - self.lowest), 1.0)
        } else {
            knot(n_below)
        };
        [from, to]
    }

    /// Draws an outcome for each open row of a leaf; sorts the rows.
    pub(crate) fn draw_outcomes(&self, round: u32, open: &mut [u32], current: &[f32]) -> Vec<f32> {
        let n_levels = self.levels.len();
        let quantiles = |row: u32| &current[row as usize * n_levels..][..n_levels];
        // By what the rows hold and not by where they stand.
        open.sort_unstable_by(|&a, &b| {
            let bounds = self.values[a as usize].total_cmp(&self.values[b as usize]);
            let keys = |row| quantiles(row).iter().map(|&quantile| sort_key(quantile));
            bounds.then_with(|| keys(a).cmp(keys(b)))
        });
        let mut rising = vec![0.0; n_levels];
        let mut share = f64::from(round) * PLASTIC_SECTION;
        let draw = |&row: &u32| {
            share = (share + GOLDEN_SECTION).fract();
            rising.copy_from_slice(quantiles(row));
            sort_rising(&mut rising);
            self.outcome_at(share, self.values[row as usize].into(), &rising)
        };
        open.iter().map(draw).collect()
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

    fn leaf(&self, round: u32, rows: &[u32], _: &Sums, current: &[f32], values: &mut [f32]) {
        let (n_levels, n_rows) = (self.levels.len(), rows.len());
        let (events, mut open): (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&&row| self.observed[row as usize]);
        let drawn = self.draw_outcomes(round, &mut open, current);
        let observed = events.iter().map(|&row| self.values[row as usize]);
        let outcomes = events.iter().chain(&open).zip(observed.chain(drawn));
        // Shapes: n_levels x n_rows.
        let mut residuals = vec![0.0; n_levels * n_rows];
        for (place, (&row, outcome)) in outcomes.enumerate() {
            let quantiles = &current[row as usize * n_levels..][..n_levels];
            for (level, quantile) in quantiles.iter().enumerate() {
                residuals[level * n_rows + place] = outcome - quantile;
            }
        }
        let of_level = residuals.par_chunks_mut(n_rows).zip(self.levels);
        of_level.zip(values).for_each(|((residuals, &level), value)| {
            *value = order_statistic(residuals, level);
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
    fn what_an_open_row_draws_lies_beyond_its_bound_and_rises_with_the_share() {
        let levels = [0.25, 0.5, 0.75];
        let loss = Pinball::new(&[0.0], &[true], &levels);
        let draw = |share| loss.outcome_at(share, 2.0, &[1.0, 2.0, 3.0]);
        assert_eq!([draw(0.0), draw(0.25), draw(0.5), draw(0.75)], [2.0, 2.5, 3.0, 6.0]);
    }

    #[test]
    fn a_leaf_of_rows_that_say_nothing_stays_and_one_that_waited_moves_up() {
        let n = 1000;
        let observed: Vec<bool> = (0..n).map(|row| row == 0).collect();
        let rows: Vec<u32> = (1..n).collect();
        let sums = Sums { count: 999, gradient: 0.0, hessian: 999.0 };
        let step = |bound: f32| {
            let mut values = vec![bound; n as usize];
            values[0] = 0.0;
            let loss = Pinball::new(&values, &observed, &[0.25, 0.5, 0.75]);
            let mut steps = [7.0; 3];
            loss.leaf(3, &rows, &sums, &[1.0, 2.0, 3.0].repeat(n as usize), &mut steps);
            steps
        };
        assert!(step(0.0).iter().all(|step| step.abs() < 0.05), "{:?}", step(0.0));
        assert!(step(2.0).iter().all(|step| *step > 0.4), "{:?}", step(2.0));
    }
}
