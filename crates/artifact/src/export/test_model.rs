//! A model that has every part, for tests.

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{Calibration, Clock, Parts, Recalibration, Regressor, Segment, TimeScale};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, LEVELS, N_LEVELS, column};

pub(super) fn features() -> FeatureList {
    let numeric = |name: &str| Feature { name: name.into(), kind: FeatureKind::Numeric };
    let levels = vec!["north".to_owned(), "south: \"far\"".to_owned()];
    FeatureList(vec![
        numeric("distance_km"),
        Feature { name: "region".into(), kind: FeatureKind::Categorical { levels } },
        numeric(column::LEVEL_HOURS),
        numeric(column::ORDERED_WEEK_HOURS),
        numeric(column::HOLIDAYS_AHEAD),
    ])
}

/// A tree of three leaves: by codes first, then by distance.
fn tree(n_outputs: usize, size: f32) -> Tree {
    let split = |feature, rule, missing_left, left, right| Split {
        feature,
        rule,
        missing_left,
        left,
        right,
        gain: 1.0,
    };
    let splits = [
        split(1, SplitRule::Codes(vec![0, 70]), true, Child::Split(1), Child::Leaf(2)),
        split(0, SplitRule::AtMost(500.0), true, Child::Leaf(0), Child::Leaf(1)),
    ];
    let values = (0..3 * n_outputs).map(|at| size * at as f32).collect();
    Tree::new(&splits, values, n_outputs).unwrap()
}

pub(super) fn parts() -> Parts {
    let clock = Clock {
        weekday_rates: [1.0; 7],
        holiday_factor: 0.1,
        by: Some(("region".into(), vec![[1.0; 7]; 2])),
    };
    let regressor = |time_scale, weight| {
        let leaf = Tree::new(&[], vec![0.5; N_LEVELS], N_LEVELS).unwrap();
        let trees = vec![tree(N_LEVELS, 0.01), leaf];
        let base = LEVELS.map(|level| level as f32).to_vec();
        let trees = Model::new(base, trees, 5, OutputOrder::Rising).unwrap();
        Regressor { trees, time_scale, weight }
    };
    Parts {
        features: features(),
        days: DayGrid::up_to(180).unwrap(),
        gate: Model::new(vec![0.5], vec![tree(1, 0.1)], 5, OutputOrder::AsAdded).unwrap(),
        regressors: vec![
            regressor(TimeScale { level_otherwise_hours: Some(80.0), clock: Some(clock) }, 2.0),
            regressor(TimeScale::hours(), 1.0),
        ],
        tail_ratio: 0.4,
        calibration: Calibration {
            segments: vec![Segment { upper_median: Some(0.9), factors: [1.1; N_LEVELS] }],
            pooled: [0.9; N_LEVELS],
        },
        recalibration: Recalibration { stretch: 0.4, ratios: vec![1.5, 0.8] },
        grain: Grain::Date,
    }
}
