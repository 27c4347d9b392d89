//! Values of features at which readers of trees go wrong: thresholds and their neighbours, missing
//! and infinite ones, zeros of both signs, categories that no training has seen.

use std::collections::BTreeSet;

use boost::{CATEGORY_CODE_MAX, Model, SplitRule};
use scorer::Parts;
use statistics::SplitMix64;
use terms::{FeatureKind, HolidaysAhead, column};

/// Of each feature what its values may be.
pub(super) struct ValuePools(Vec<Pool>);

enum Pool {
    /// Positions of so many levels.
    Codes { n_levels: usize },
    /// Numbers, with the thresholds that splits have on them.
    Numbers { thresholds: Vec<f32>, range: (f32, f32) },
    /// Holidays as bits, of which all may be set.
    Holidays,
}

impl ValuePools {
    pub(super) fn new(parts: &Parts) -> Self {
        let features = &parts.features.0;
        let mut thresholds = vec![BTreeSet::new(); features.len()];
        for split in models(parts).flat_map(Model::trees).flat_map(boost::Tree::splits) {
            if let SplitRule::AtMost(threshold) = split.rule {
                // Bits of floats of one sign are in their order, so equal thresholds are one.
                thresholds[split.feature as usize].insert(threshold.to_bits());
            }
        }
        let pool = |(feature, thresholds): (&terms::Feature, BTreeSet<u32>)| match &feature.kind {
            FeatureKind::Categorical { levels } => Pool::Codes { n_levels: levels.len() },
            FeatureKind::Numeric if feature.name == column::HOLIDAYS_AHEAD => Pool::Holidays,
            FeatureKind::Numeric => {
                let thresholds: Vec<f32> = thresholds.into_iter().map(f32::from_bits).collect();
                let finite = thresholds.iter().copied().filter(|threshold| threshold.is_finite());
                let low = finite.clone().fold(0.0, f32::min);
                let high = finite.fold(168.0, f32::max);
                Pool::Numbers { thresholds, range: (low, high) }
            }
        };
        Self(features.iter().zip(thresholds).map(pool).collect())
    }

    /// A value of a feature: mostly a common one, at times one of those at its edges.
    pub(super) fn draw(&self, feature: usize, random: &mut SplitMix64) -> f32 {
        match &self.0[feature] {
            Pool::Codes { n_levels } => match random.below(20) {
                0 | 1 => f32::NAN,
                2 => *n_levels as f32,
                3 => [(n_levels + 31) as f32, CATEGORY_CODE_MAX as f32, 1e9][random.below(3)],
                4 => [-1.0, -0.0, f32::INFINITY, f32::NEG_INFINITY][random.below(4)],
                _ => random.below((*n_levels).max(1)) as f32,
            },
            Pool::Holidays => match random.below(10) {
                0 => f32::NAN,
                1 => -1.0,
                2 | 3 => random.below(1 << HolidaysAhead::DAYS) as f32,
                4 => (1_u32 << random.below(HolidaysAhead::DAYS as usize)) as f32,
                _ => 0.0,
            },
            Pool::Numbers { thresholds, range } => match random.below(20) {
                0 | 1 => f32::NAN,
                2 => [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY][random.below(4)],
                3 => [-1.0, 1.0, f32::MAX, f32::MIN, 33.9][random.below(5)],
                4..=11 if !thresholds.is_empty() => {
                    let threshold = thresholds[random.below(thresholds.len())];
                    [threshold, threshold.next_down(), threshold.next_up()][random.below(3)]
                }
                _ => range.0 + (range.1 - range.0) * random.unit() as f32,
            },
        }
    }

    /// The values of a feature at a threshold and on both its sides: the threshold and its neighbouring
    /// floats; of codes, which have no fractions, the one below it, twice, and the one above.
    pub(super) fn around(&self, threshold: f32, feature: usize) -> [f32; 3] {
        match self.0[feature] {
            Pool::Codes { .. } => [threshold.floor(), threshold.floor(), threshold.floor() + 1.0],
            _ => [threshold, threshold.next_down(), threshold.next_up()],
        }
    }

    /// A code that is not in a set: by its neighbour where the set ends, another level, or one that
    /// no training has seen.
    pub(super) fn code_outside(
        &self,
        codes: &[u32],
        feature: usize,
        random: &mut SplitMix64,
    ) -> f32 {
        let is_outside = |code: &u32| !codes.contains(code);
        let neighbours = codes.iter().map(|code| code + 1).filter(is_outside).collect::<Vec<_>>();
        let n_levels = match &self.0[feature] {
            Pool::Codes { n_levels } => *n_levels as u32,
            _ => 0,
        };
        let levels = (0..n_levels).filter(is_outside).collect::<Vec<_>>();
        let candidates =
            if random.below(2) == 0 || levels.is_empty() { neighbours } else { levels };
        match candidates.len() {
            0 => f32::NAN,
            n => candidates[random.below(n)] as f32,
        }
    }
}

/// The gate, then the regressors.
pub(super) fn models(parts: &Parts) -> impl Iterator<Item = &Model> {
    std::iter::once(&parts.gate).chain(parts.regressors.iter().map(|regressor| &regressor.trees))
}
