//! Ranges of metrics by the block bootstrap over order days.
//!
//! Shipments of one day share weather, backlog and strikes, and so do those of days in a row, so
//! blocks of such days are resampled, and not rows. A block begins on any day; after the last day
//! comes the first, so that each is drawn equally often. All forecasts, segments and differences use
//! the same resamples, so comparisons are paired.
//!
//! Limits: what outlasts a block counts as chance only once, so the ranges are too narrow where whole
//! weeks go together; with a handful of blocks they are not reliable.
//!
//! Source: Politis and Romano, A Circular Block-Resampling Procedure for Stationary Data, in LePage
//! and Billard, Exploring the Limits of Bootstrap, 1992, of the moving blocks of Künsch, The
//! Jackknife and the Bootstrap for General Stationary Observations, The Annals of Statistics 17(3),
//! 1989.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statistics::{SplitMix64, quantile};

use crate::Settings;

/// The central 95% of the resampled values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// The 2.5% quantile.
    pub low: f64,
    /// The 97.5% quantile.
    pub high: f64,
}

/// A value with its range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The value on the rows themselves, not resampled.
    pub value: f64,
    /// Its range over the resamples; `None` without rounds.
    pub range: Option<Range>,
}

/// How often each day is drawn in each round. Shapes: n_rounds × n_days.
#[derive(Debug, Clone)]
pub(crate) struct Draws(Vec<Vec<u32>>);

/// The blocks of a resample are at least so many.
const BLOCKS_MIN: usize = 3;

impl Draws {
    /// Blocks of `settings.block_days`, shorter if `days` are fewer than three blocks.
    pub(crate) fn new(days: usize, settings: &Settings) -> Self {
        let mut random = SplitMix64::new(settings.seed);
        let block_days = settings.block_days.min(days / BLOCKS_MIN).max(1);
        let round = |_| {
            let mut times = vec![0; days];
            let mut n_left = days;
            while n_left > 0 {
                let n_drawn = block_days.min(n_left);
                let first = random.below(days);
                (first..first + n_drawn).for_each(|day| times[day % days] += 1);
                n_left -= n_drawn;
            }
            times
        };
        Self((0..settings.rounds).map(round).collect())
    }

    /// The value of `statistic` in each round; it gets how often each day was drawn, and gives `None`
    /// for a round that drew no row.
    pub(crate) fn rounds<T>(&self, statistic: impl FnMut(&[u32]) -> Option<T>) -> Vec<T> {
        self.0.iter().map(Vec::as_slice).filter_map(statistic).collect()
    }
}

/// The range of resampled values; `None` without values.
pub(crate) fn range_of(mut values: Vec<f64>) -> Option<Range> {
    values.sort_by(f64::total_cmp);
    Some(Range { low: quantile(&values, 0.025)?, high: quantile(&values, 0.975)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(days: usize, block_days: usize, rounds: usize, seed: u64) -> Draws {
        Draws::new(days, &Settings { rounds, block_days, seed, ..Settings::default() })
    }

    #[test]
    fn the_seed_decides_the_draws() {
        assert_eq!(draws(10, 3, 5, 7).0, draws(10, 3, 5, 7).0);
        assert_ne!(draws(10, 3, 5, 7).0, draws(10, 3, 5, 8).0);
    }

    #[test]
    fn every_round_draws_as_many_days_as_there_are() {
        for block_days in [0, 1, 3, 50] {
            let draws = draws(10, block_days, 50, 1);
            assert!(draws.0.iter().all(|times| times.iter().sum::<u32>() == 10));
        }
    }

    #[test]
    fn days_in_a_row_are_drawn_together_and_all_equally_often() {
        let (days, block_days) = (28, 7);
        let draws = draws(days, block_days, 2_000, 1);
        let changes = |times: &[u32]| times.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // Each of the four blocks changes how often days are drawn at its two ends only.
        assert!(draws.0.iter().all(|times| changes(times) <= 8));
        for day in 0..days {
            let drawn: u32 = draws.0.iter().map(|times| times[day]).sum();
            assert!((1_850..2_150).contains(&drawn), "{day} is drawn {drawn} times");
        }
    }

    #[test]
    fn where_days_in_a_row_are_alike_the_range_of_blocks_is_wider() {
        let losses: Vec<f64> = (0..56).map(|day| f64::from(day / 14 % 2)).collect();
        let width = |block_days| {
            let means = draws(56, block_days, 500, 2).rounds(|times| {
                let sum: f64 = losses.iter().zip(times).map(|(l, &t)| l * f64::from(t)).sum();
                Some(sum / 56.0)
            });
            let range = range_of(means).unwrap();
            range.high - range.low
        };
        assert!(width(7) > 1.8 * width(1), "{} and {}", width(7), width(1));
    }

    #[test]
    fn the_range_of_a_constant_is_the_constant() {
        let constant = draws(4, 1, 20, 3).rounds(|_| Some(2.5));
        assert_eq!(range_of(constant), Some(Range { low: 2.5, high: 2.5 }));
        assert_eq!(range_of(draws(4, 1, 0, 3).rounds(|_| Some(2.5))), None);
    }
}
