//! Outcomes for rows that are still open.
//!
//! An open row has only a lower bound a of its outcome. What is known of the rest is the row's own
//! current distribution F, given y > a: self-consistency, which for no columns is Efron's (1967)
//! redistribution of its weight to the right, and conditional on the columns Portnoy's (2003).
//! Before every round, each open row's gradient is the one expected of it,
//!
//! ```text
//! P(y < q_k | y > a) = (t_k - F(a)) / (1 - F(a))  if q_k > a, else 0,
//! ```
//!
//! less t_k, the mean over k. And it is given an outcome drawn from F, with which it stands among
//! the residuals of its leaf as if that had been observed: an EM step whose expectation is sampled
//! (Wei and Tanner, "A Monte Carlo implementation of the EM algorithm", 1990), where the small
//! learning rate averages over the rounds. The gradient must not be that of the draw: trees would
//! gather rows that drew high, and raise them.
//!
//! F is read off the row's current quantiles, with a constant hazard between them (the logarithm of
//! 1 - F is linear), from 0 at the lowest observed outcome, and beyond the last one with the hazard
//! of the last piece. A tail of another density than the piece below it makes the steps of the last
//! quantile lopsided where its leaf knows little, so that it wanders: with one straight line to
//! three times the last quantile, 0.9 covered 0.95 among young rows in the world of
//! `tests/censored_world.rs`, where it covers 0.90 now.
//!
//! Draws are spread evenly, so that they add little noise: multiples of one irrational number along
//! the open rows in the order of their bounds, and of another from round to round. They follow from
//! what the rows hold and the round, not from where the rows stand.
//!
//! Kaplan-Meier quantiles of a leaf's residuals would be an alternative that needs no F. They are
//! used for the base, but not in the leaves: where open rows are many, and a split on anything that
//! tells a row's age makes such leaves, their highest residuals carry nearly all weight, and every
//! round then pulls the upper quantiles down to the bounds. In the world of
//! `tests/censored_world.rs` they covered 0.46 where 0.5 is meant, and 0.36 among young rows.
//!
//! Limit: where nothing is known (no observed row has waited as long), F can only be its start and
//! what other leaves taught it. Such quantiles hold on to that, but slowly wander with the rounds.

use rayon::prelude::*;

use crate::predict::sort_rising;

/// The largest share that an open row may have behind it, so that something is left to share out.
const SHARE_MAX: f64 = 0.999;

/// Multiples of these, less their whole part, are spread evenly: the first along the open rows, the
/// second from round to round.
const GOLDEN_SECTION: f64 = 0.618_033_988_749_894_9;
const PLASTIC_SECTION: f64 = 0.754_877_666_246_692_8;

/// Rows of a task: enough to be worth it.
const TASK_ROWS: usize = 512;

/// The open rows of a training set.
pub(crate) struct OpenRows<'a> {
    levels: &'a [f64],
    /// ln(1 - level) of each.
    log_survival: Vec<f64>,
    /// The lowest observed outcome.
    lowest: f64,
    /// In the order of their draws, each with its bound.
    rows: Vec<(u32, f32)>,
}

/// An open row in one round.
pub(crate) struct Drawn {
    pub(crate) row: u32,
    pub(crate) gradient: f64,
    pub(crate) outcome: f32,
}

impl<'a> OpenRows<'a> {
    /// The open ones of checked outcomes. `digest` tells rows of equal bounds apart by what they
    /// hold.
    pub(crate) fn new(
        values: &[f32],
        observed: &[bool],
        levels: &'a [f64],
        digest: impl Fn(usize) -> u64 + Sync,
    ) -> Self {
        let rows = || values.iter().zip(observed).zip(0..);
        let events = rows().filter(|((_, observed), _)| **observed);
        let lowest = events.map(|((&value, _), _)| value).fold(f32::INFINITY, f32::min).into();
        let open = rows().filter(|((_, observed), _)| !**observed);
        let mut open: Vec<(u32, f32)> = open.map(|((&value, _), row)| (row, value)).collect();
        open.par_sort_by(|a, b| {
            let by_digest = || digest(a.0 as usize).cmp(&digest(b.0 as usize));
            a.1.total_cmp(&b.1).then_with(by_digest)
        });
        let log_survival = levels.iter().map(|level| (1.0 - level).ln()).collect();
        Self { levels, log_survival, lowest, rows: open }
    }

    /// For every open row, what is expected of it and an outcome that it may have.
    ///
    /// Shapes: `current` n_rows x n_levels.
    pub(crate) fn draw(&self, round: u32, current: &[f32]) -> Vec<Drawn> {
        let n_levels = self.levels.len();
        let of_round = f64::from(round) * PLASTIC_SECTION;
        let draw = |rising: &mut Vec<f32>, (place, &(row, bound)): (usize, &(u32, f32))| {
            let share = (of_round + place as f64 * GOLDEN_SECTION).fract();
            rising.clear();
            rising.extend_from_slice(&current[row as usize * n_levels..][..n_levels]);
            sort_rising(rising);
            let behind = self.share_behind(bound.into(), rising);
            let gradient = self.gradient(behind, bound, rising);
            Drawn { row, gradient, outcome: self.outcome_at(share, behind, bound.into(), rising) }
        };
        self.rows.par_iter().enumerate().with_min_len(TASK_ROWS).map_init(Vec::new, draw).collect()
    }

    /// The mean over levels of the expected 1[y < q] - t.
    fn gradient(&self, behind: f64, bound: f32, rising: &[f32]) -> f64 {
        let below = |(&quantile, &level): (&f32, &f64)| {
            let share = ((level - behind) / (1.0 - behind)).clamp(0.0, 1.0);
            if quantile > bound { share - level } else { -level }
        };
        rising.iter().zip(self.levels).map(below).sum::<f64>() / self.levels.len() as f64
    }

    /// F at the bound of an open row.
    fn share_behind(&self, bound: f64, rising: &[f32]) -> f64 {
        let n_below = rising.iter().filter(|&&quantile| f64::from(quantile) <= bound).count();
        let [(from, log_from), (to, log_to)] = self.piece(n_below, rising);
        let way = if to > from { ((bound - from) / (to - from)).max(0.0) } else { 1.0 };
        (1.0 - (log_from + (log_to - log_from) * way).exp()).min(SHARE_MAX)
    }

    /// The outcome at which F, given that it exceeds the bound, is `share`.
    fn outcome_at(&self, share: f64, behind: f64, bound: f64, rising: &[f32]) -> f32 {
        let log_survival = ((1.0 - behind) * (1.0 - share)).ln();
        let n_below = self.log_survival.iter().filter(|&&level| level >= log_survival).count();
        let [(from, log_from), (to, log_to)] = self.piece(n_below, rising);
        let outcome = from + (to - from) * (log_survival - log_from) / (log_to - log_from);
        outcome.max(bound) as f32
    }

    /// Two points of ln(1 - F) on the piece above `n_below` of its quantiles: its ends, and beyond
    /// the last quantile those of the piece before.
    fn piece(&self, n_below: usize, rising: &[f32]) -> [(f64, f64); 2] {
        let to = n_below.min(rising.len() - 1);
        let knot = |k: usize| (f64::from(rising[k]), self.log_survival[k]);
        [if to == 0 { (self.lowest, 0.0) } else { knot(to - 1) }, knot(to)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_open_row_draws_lies_beyond_its_bound_and_rises_with_the_share() {
        let open = OpenRows::new(&[0.0], &[true], &[0.25, 0.5, 0.75], |_| 0);
        let rising = [1.0, 2.0, 3.0];
        let behind = open.share_behind(2.0, &rising);
        let draw = |share| open.outcome_at(share, behind, 2.0, &rising);
        // With the hazard of the last piece: a half of what is left is gone at 3, and again at 4.
        for (share, outcome) in [(0.0, 2.0), (0.5, 3.0), (0.75, 4.0), (0.875, 5.0)] {
            assert!((draw(share) - outcome).abs() < 1e-6, "{share}: {}", draw(share));
        }
    }

    #[test]
    fn an_open_row_expects_what_is_left_of_its_distribution() {
        let levels = [0.25, 0.5, 0.75];
        let gradient = |bound| {
            let open = OpenRows::new(&[0.0, bound], &[true, false], &levels, |_| 0);
            open.draw(0, &[1.0, 2.0, 3.0].repeat(2))[0].gradient
        };
        // At its median: the shares below the quantiles are 0, 0 and (0.75 - 0.5) / 0.5.
        assert_eq!(gradient(2.0), (0.5 - 1.5) / 3.0);
        // Just open: nothing is behind it, so nothing is learned.
        assert_eq!(gradient(0.0), 0.0);
        // Open for very long: as if it were observed above all quantiles.
        assert_eq!(gradient(100.0), -0.5);
        let pulls: Vec<f64> = (0..40).map(|bound| gradient(bound as f32 / 8.0)).collect();
        assert!(pulls.is_sorted_by(|a, b| a >= b), "{pulls:?}");
    }

    #[test]
    fn the_draws_of_rows_that_have_waited_no_time_follow_their_quantiles() {
        let n = 4000;
        let observed: Vec<bool> = (0..n).map(|row| row == 0).collect();
        let levels = [0.25, 0.5, 0.75];
        let open = OpenRows::new(&vec![0.0; n], &observed, &levels, |row| row as u64);
        let drawn = open.draw(3, &[1.0, 2.0, 3.0].repeat(n));
        assert_eq!(drawn.len(), n - 1);
        for (k, level) in levels.into_iter().enumerate() {
            let below = drawn.iter().filter(|drawn| drawn.outcome < (k + 1) as f32).count();
            assert!((below as f64 / (n - 1) as f64 - level).abs() < 0.002, "{level}: {below}");
        }
    }

    #[test]
    fn draws_do_not_depend_on_where_rows_stand() {
        let values = [5.0, 1.0, 1.0, 3.0, 0.5];
        let observed = [true, false, false, false, false];
        let levels = [0.2, 0.8];
        let drawn = |order: [usize; 5]| {
            let values = order.map(|row| values[row]);
            let digest = |row: usize| order[row] as u64;
            let open = OpenRows::new(&values, &order.map(|row| observed[row]), &levels, digest);
            let mut by_row = [0.0; 5];
            for drawn in open.draw(7, &[2.0, 6.0].repeat(5)) {
                by_row[order[drawn.row as usize]] = drawn.outcome;
            }
            by_row
        };
        assert_eq!(drawn([0, 1, 2, 3, 4]), drawn([4, 2, 0, 1, 3]));
    }
}
