//! Rows that reach every side of every split, and every part of the model.

use boost::{Split, SplitRule};
use scorer::Parts;
use terms::{FeatureKind, column};

use crate::random::Random;

/// Makes them.
pub(crate) struct Rows<'a> {
    parts: &'a Parts,
    splits: Vec<Split>,
    random: Random,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(parts: &'a Parts) -> Self {
        let models = parts.regressors.iter().map(|regressor| &regressor.trees);
        let trees = models.chain([&parts.gate]).flat_map(|model| model.trees());
        let splits = trees.flat_map(|tree| tree.splits()).collect();
        Self { parts, splits, random: Random::new(20) }
    }

    /// `n` random rows, and rows at the splits, at most `n` of which are looked at.
    pub(crate) fn all(mut self, n: usize) -> Vec<Vec<f32>> {
        let mut rows: Vec<Vec<f32>> = (0..n).map(|_| self.row()).collect();
        let every = self.splits.len().div_ceil(n.max(1)).max(1);
        let chosen: Vec<Split> = self.splits.iter().step_by(every).cloned().collect();
        for split in chosen {
            let values = match &split.rule {
                SplitRule::AtMost(at) => vec![*at, at.next_up(), at.next_down()],
                SplitRule::Codes(codes) => {
                    let code = codes.first().map_or(0.0, |&code| code as f32);
                    vec![code, code + 1.0, code + 0.5, f32::NAN]
                }
            };
            for value in values {
                let mut row = self.row();
                row[split.feature as usize] = value;
                rows.push(row);
            }
        }
        rows
    }

    fn row(&mut self) -> Vec<f32> {
        let features = &self.parts.features.0;
        let features = features.iter().enumerate();
        features.map(|(at, feature)| self.value(at, &feature.name, &feature.kind)).collect()
    }

    fn value(&mut self, at: usize, name: &str, kind: &FeatureKind) -> f32 {
        const EXTREMES: [f32; 8] =
            [f32::INFINITY, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 0.5, 1e9, f32::MIN_POSITIVE];
        match self.random.below(40) {
            0..4 => return f32::NAN,
            4 => return EXTREMES[self.random.below(EXTREMES.len())],
            _ => {}
        }
        if let FeatureKind::Categorical { levels } = kind {
            // Some beyond the last level.
            return self.random.below(levels.len() + 2) as f32;
        }
        match name {
            column::LEVEL_HOURS => 200.0 * self.random.unit(),
            column::ORDERED_WEEK_HOURS => 168.0 * self.random.unit(),
            column::HOLIDAYS_AHEAD => {
                ((self.random.bits() & self.random.bits() & self.random.bits()) % (1 << 24)) as f32
            }
            _ => {
                let of_feature: Vec<f32> = (self.splits.iter())
                    .filter(|split| split.feature as usize == at)
                    .filter_map(|split| match split.rule {
                        SplitRule::AtMost(threshold) => Some(threshold),
                        SplitRule::Codes(_) => None,
                    })
                    .collect();
                let threshold = of_feature.get(self.random.below(of_feature.len())).copied();
                threshold.unwrap_or(1.0) * (0.5 + self.random.unit()) + self.random.unit() - 0.5
            }
        }
    }
}
