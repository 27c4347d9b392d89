//! How sure a mean is: block bootstrap over order days.
//!
//! Shipments of one day share weather, backlog and strikes, so days are drawn, not rows. One set of
//! draws serves every forecast, segment and difference, so comparisons are paired. Limits: days
//! beside each other are alike too, so the ranges are still somewhat narrow; with a handful of days
//! they say little.
//!
//! Source: Künsch, The Jackknife and the Bootstrap for General Stationary Observations, The Annals
//! of Statistics 17(3), 1989, with blocks of one day that do not overlap.

use serde::{Deserialize, Serialize};

use crate::empirical::quantile;

/// Where 95% of the resampled means lie.
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
    /// The value on the rows themselves.
    pub value: f64,
    /// Its range over the resamples; `None` without rounds.
    pub range: Option<Range>,
}

/// How often each day is drawn in each round. Shapes: n_rounds × n_days.
#[derive(Debug, Clone)]
pub(crate) struct Draws(Vec<Vec<u32>>);

impl Draws {
    pub(crate) fn new(days: usize, rounds: usize, seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let round = |_| {
            let mut times = vec![0; days];
            for _ in 0..days {
                times[random.below(days)] += 1;
            }
            times
        };
        Self((0..rounds).map(round).collect())
    }

    /// What `statistic` says of each round; it gets how often each day was drawn, and says nothing
    /// of a round that drew no row.
    pub(crate) fn rounds<T>(&self, statistic: impl FnMut(&[u32]) -> Option<T>) -> Vec<T> {
        self.0.iter().map(Vec::as_slice).filter_map(statistic).collect()
    }
}

/// The range of resampled values; `None` of nothing.
pub(crate) fn range_of(mut values: Vec<f64>) -> Option<Range> {
    values.sort_by(f64::total_cmp);
    Some(Range { low: quantile(&values, 0.025)?, high: quantile(&values, 0.975)? })
}

/// A small seeded generator of random numbers.
///
/// Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by the high half of the product.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        // From the reference implementation, seed 1234567.
        let mut random = SplitMix(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

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
