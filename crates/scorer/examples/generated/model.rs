//! A model of a usual size, generated: a gate of 100 trees and regressors of 300 trees of 31 leaves.

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{Calibration, Parts, Recalibration, Regressor, TimeScale};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, N_LEVELS};

pub(crate) const N_FEATURES: usize = 80;
const LEAVES: usize = 31;

/// Numbers in [0, 1) that look random.
pub(crate) struct Uniform(pub(crate) u64);

impl Uniform {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A tree that grew leaf by leaf: each split replaces a random leaf.
fn tree(uniform: &mut Uniform, n_outputs: usize, size: f32) -> Tree {
    let mut splits: Vec<Split> = Vec::new();
    let mut leaves: Vec<Option<(usize, bool)>> = vec![None];
    while leaves.len() < LEAVES {
        let leaf = (uniform.next() * leaves.len() as f32) as usize;
        let (place, at) = (leaves[leaf], splits.len());
        splits.push(Split {
            feature: (uniform.next() * N_FEATURES as f32) as u32,
            rule: SplitRule::AtMost(uniform.next()),
            missing_left: uniform.next() < 0.5,
            left: Child::Leaf(leaf as u32),
            right: Child::Leaf(leaves.len() as u32),
            gain: 1.0,
        });
        if let Some((parent, is_left)) = place {
            let child = Child::Split(at as u32);
            if is_left { splits[parent].left = child } else { splits[parent].right = child }
        }
        leaves[leaf] = Some((at, true));
        leaves.push(Some((at, false)));
    }
    let values = (0..LEAVES * n_outputs).map(|_| size * (uniform.next() - 0.5)).collect();
    Tree::new(&splits, values, n_outputs).unwrap()
}

/// A model with so many regressors.
pub(crate) fn model(uniform: &mut Uniform, n_regressors: usize) -> Parts {
    let gate = (0..100).map(|_| tree(uniform, 1, 0.1)).collect();
    let numeric =
        |position: usize| Feature { name: format!("f{position}"), kind: FeatureKind::Numeric };
    let base: Vec<f32> = (0..N_LEVELS).map(|level| 60.0 + 30.0 * level as f32).collect();
    let mut regressor = || {
        let trees = (0..300).map(|_| tree(uniform, N_LEVELS, 2.0)).collect();
        Regressor {
            trees: Model::new(base.clone(), trees, N_FEATURES, OutputOrder::Rising).unwrap(),
            time_scale: TimeScale::hours(),
            weight: 1.0,
        }
    };
    Parts {
        features: FeatureList((0..N_FEATURES).map(numeric).collect()),
        days: DayGrid::DAILY,
        gate: Model::new(vec![1.0], gate, N_FEATURES, OutputOrder::AsAdded).unwrap(),
        regressors: (0..n_regressors).map(|_| regressor()).collect(),
        tail_ratio: 0.4,
        calibration: Calibration::identity(),
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    }
}
