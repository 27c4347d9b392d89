//! Ranges of metrics by the block bootstrap over order days.
//!
//! Shipments of one day share weather, backlog and strikes, so whole days are resampled, and not rows.
//! All forecasts, segments and differences use the same resamples, so comparisons are paired.
//!
//! Limits: consecutive days are correlated too, so the ranges are somewhat too narrow; with a handful
//! of days they are not reliable.
//!
//! Source: Künsch, The Jackknife and the Bootstrap for General Stationary Observations, The Annals
//! of Statistics 17(3), 1989, with blocks of one day that do not overlap.

use serde::{Deserialize, Serialize};
use statistics::{SplitMix64, quantile};

/// The central 95% of the resampled values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The 2.5% quantile.
    pub low: f64,
    /// The 97.5% quantile.
    pub high: f64,
}

/// A value with its range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on the rows themselves, not resampled.
    pub value: f64,
    /// Its range over the resamples; `None` without rounds.
    pub range: Option<Range>,
}

/// How often each day is drawn in each round. Shapes: n_rounds × n_days.
#[derive(Debug, Clone)]
pub(crate) struct Draws(Vec<Vec<u32>>);

impl Draws {
    pub(crate) fn new(days: usize, rounds: usize, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let round = |_| {
            let mut times = vec![0; days];
            for _ in 0..days {
                times[random.below(days)] += 1;
            }
            times
        };
        Self((0..rounds).map(round).collect())
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

    #[test]
    fn the_seed_decides_the_draws() {
        assert_eq!(Draws::new(10, 5, 7).0, Draws::new(10, 5, 7).0);
        assert_ne!(Draws::new(10, 5, 7).0, Draws::new(10, 5, 8).0);
    }

    #[test]
    fn every_round_draws_as_many_days_as_there_are() {
        let draws = Draws::new(10, 50, 1);
        assert!(draws.0.iter().all(|times| times.iter().sum::<u32>() == 10));
    }

    #[test]
    fn the_range_of_a_constant_is_the_constant() {
        let constant = Draws::new(4, 20, 3).rounds(|_| Some(2.5));
        assert_eq!(range_of(constant), Some(Range { low: 2.5, high: 2.5 }));
        assert_eq!(range_of(Draws::new(4, 0, 3).rounds(|_| Some(2.5))), None);
    }
}
