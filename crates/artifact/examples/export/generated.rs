//! Models that no training makes, with all that readers of trees may trip over: thresholds at zeros
//! of both signs, subnormal, huge and infinite; sets of codes beyond the words of a bit set; missing
//! values to either side; trees of one leaf, and a regressor without trees.

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{Calibration, Parts, Recalibration, Regressor, TimeScale};
use statistics::SplitMix64;
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, LEVELS, N_LEVELS};

/// The number of levels of each categorical feature; they come after the numeric ones.
const LEVEL_COUNTS: [usize; 4] = [2, 33, 65, 300];

const N_NUMERIC: usize = 6;

/// Thresholds that are easily read wrong.
const THRESHOLDS: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    0.1,
    -0.1,
    1e-5,
    33.333_332,
    16_777_216.0,
    1e-34,
    1e-36,
    f32::MIN_POSITIVE,
    1e-45,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
];

/// The model of a seed.
pub(crate) fn generated(seed: u64) -> Result<Parts, Box<dyn std::error::Error>> {
    let mut random = SplitMix64::new(seed);
    let n_features = N_NUMERIC + LEVEL_COUNTS.len();
    let gate = trees(&mut random, 12, 1, 0.3)?;
    let first = trees(&mut random, 20, N_LEVELS, 4.0)?;
    let base = LEVELS.map(|level| 100.3 * (0.2 + level as f32)).to_vec();
    let regressor = |trees, weight| -> Result<Regressor, boost::Error> {
        let trees = Model::new(base.clone(), trees, n_features, OutputOrder::Rising)?;
        Ok(Regressor { trees, time_scale: TimeScale::hours(), weight })
    };
    Ok(Parts {
        features: features(),
        days: DayGrid::DAILY,
        gate: Model::new(vec![0.7], gate, n_features, OutputOrder::AsAdded)?,
        regressors: vec![regressor(first, 0.6)?, regressor(Vec::new(), 0.4)?],
        tail_ratio: 0.4,
        calibration: Calibration::identity(),
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    })
}

fn features() -> FeatureList {
    let numeric = (0..N_NUMERIC)
        .map(|at| Feature { name: format!("größe_{at}"), kind: FeatureKind::Numeric });
    let categorical = LEVEL_COUNTS.iter().map(|n_levels| {
        let levels = (0..*n_levels).map(|level| format!("level {level:03}")).collect();
        Feature { name: format!("of_{n_levels}"), kind: FeatureKind::Categorical { levels } }
    });
    FeatureList(numeric.chain(categorical).collect())
}

fn trees(
    random: &mut SplitMix64,
    n_trees: usize,
    n_outputs: usize,
    size: f32,
) -> Result<Vec<Tree>, boost::Error> {
    let tree = |at: usize| {
        // The first is now and then of one leaf, and so is a later one.
        let n_leaves = if at % 7 == random.below(7) { 1 } else { 2 + random.below(30) };
        let splits = splits(random, n_leaves);
        let value = |_| size * (random.unit() as f32 - 0.5);
        let values = (0..n_leaves * n_outputs).map(value).collect();
        // From few rows to many, as a training has.
        let mut random = SplitMix64::new(at as u64);
        let count = |_| {
            let most = 1 << random.below(14);
            1 + random.below(most) as u32
        };
        let counts = (0..n_leaves).map(count).collect();
        Tree::new(&splits, values, n_outputs)?.with_leaf_counts(counts)
    };
    (0..n_trees).map(tree).collect()
}

/// Splits of a tree that grew leaf by leaf, with the leaves in random order.
fn splits(random: &mut SplitMix64, n_leaves: usize) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    // Where each leaf is: the split that it is a child of, and whether it is the left one.
    let mut leaves: Vec<Option<(usize, bool)>> = vec![None];
    while leaves.len() < n_leaves {
        let (leaf, at) = (random.below(leaves.len()), splits.len());
        if let Some((parent, is_left)) = leaves[leaf] {
            let child = Child::Split(at as u32);
            if is_left { splits[parent].left = child } else { splits[parent].right = child }
        }
        let feature = random.below(N_NUMERIC + LEVEL_COUNTS.len());
        let old_is_left = random.below(2) == 0;
        let (old, new) = (Child::Leaf(leaf as u32), Child::Leaf(leaves.len() as u32));
        let (left, right) = if old_is_left { (old, new) } else { (new, old) };
        splits.push(Split {
            feature: feature as u32,
            rule: rule(random, feature),
            missing_left: random.below(2) == 0,
            left,
            right,
            gain: 0.01 + random.unit() as f32,
        });
        leaves[leaf] = Some((at, old_is_left));
        leaves.push(Some((at, !old_is_left)));
    }
    splits
}

fn rule(random: &mut SplitMix64, feature: usize) -> SplitRule {
    let Some(n_levels) = feature.checked_sub(N_NUMERIC).map(|at| LEVEL_COUNTS[at]) else {
        let special = THRESHOLDS[random.below(THRESHOLDS.len())];
        let plain = 200.0 * random.unit() as f32;
        return SplitRule::AtMost(if random.below(3) == 0 { special } else { plain });
    };
    let share = random.unit();
    let mut codes: Vec<u32> = (0..n_levels as u32).filter(|_| random.unit() < share).collect();
    // The borders of the words of a bit set.
    let borders = [0, 31, 32, 63, 64, 255, 256];
    codes.push(borders[random.below(borders.len())].min(n_levels as u32 - 1));
    codes.sort_unstable();
    codes.dedup();
    SplitRule::Codes(codes)
}
