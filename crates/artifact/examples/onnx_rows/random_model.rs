//! Models at random, with whatever a model may be made of.

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{
    Calibration, Clock, Factors, Parts, Recalibration, Regressor, Segment, TimeScale, WeekdayRates,
};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, LEVELS, column};

use crate::random::Random;

/// The model of a seed.
///
/// # Errors
/// If it is no model, which no seed makes it.
pub(crate) fn random_model(seed: u64) -> Result<Parts, Box<dyn std::error::Error>> {
    let mut random = Random::new(seed);
    let random = &mut random;
    let features = features(random);
    let grains = [Grain::Instant, Grain::WholeDays, Grain::Date];
    let last_day = 60 * (1 + random.below(4) as u32);
    let days = DayGrid::up_to(last_day).ok_or("no grid of days")?;
    let gate_trees = random.below(30);
    let gate = model(random, &features, gate_trees, &[0.3], 0.2, OutputOrder::AsAdded)?;
    let n_regressors = 1 + random.below(3);
    let regressors = (0..n_regressors)
        .map(|_| regressor(random, &features))
        .collect::<Result<Vec<_>, boost::Error>>()?;
    let recalibration = match random.below(3) {
        0 => Recalibration::identity(),
        _ => {
            let ratios = (0..8).map(|_| 0.3 + 3.0 * random.unit()).collect();
            Recalibration { stretch: 0.1 + random.unit(), ratios }
        }
    };
    Ok(Parts {
        gate,
        regressors,
        tail_ratio: 0.05 + random.unit(),
        calibration: calibration(random),
        recalibration,
        grain: grains[random.below(3)],
        days,
        features,
    })
}

fn features(random: &mut Random) -> FeatureList {
    let numeric = |name: &str| Feature { name: name.into(), kind: FeatureKind::Numeric };
    let mut categorical = |name: &str, n: usize| {
        let levels = (0..1 + random.below(n)).map(|level| format!("{level:05}")).collect();
        Feature { name: name.into(), kind: FeatureKind::Categorical { levels } }
    };
    FeatureList(vec![
        numeric("distance_km"),
        categorical("region", 30),
        numeric(column::HOLIDAYS_AHEAD),
        numeric("weight_g"),
        numeric(column::ORDERED_WEEK_HOURS),
        categorical("zone", 3000),
        numeric(column::LEVEL_HOURS),
    ])
}

fn regressor(random: &mut Random, features: &FeatureList) -> Result<Regressor, boost::Error> {
    let level_otherwise_hours = random.chance(0.6).then(|| 20.0 + 100.0 * random.unit());
    let clock = random.chance(0.7).then(|| clock(random, features));
    let time_scale = TimeScale { level_otherwise_hours, clock };
    // In months, now and then.
    let hours = if random.chance(0.2) { 3000.0 } else { 90.0 };
    let unit = if level_otherwise_hours.is_some() { 1.0 } else { hours };
    let base = LEVELS.map(|level| (unit * (0.3 + level)) as f32);
    let n_trees = random.below(60);
    let trees = model(random, features, n_trees, &base, 0.1 * unit as f32, OutputOrder::Rising)?;
    Ok(Regressor { trees, time_scale, weight: 0.1 + random.unit() })
}

fn clock(random: &mut Random, features: &FeatureList) -> Clock {
    let by = random.chance(0.5).then(|| {
        let levels = match &features.0[1].kind {
            FeatureKind::Categorical { levels } => levels.len(),
            FeatureKind::Numeric => 0,
        };
        (features.0[1].name.clone(), (0..levels).map(|_| rates(random)).collect())
    });
    let holiday_factor = if random.chance(0.3) { 1.0 } else { 0.01 + random.unit() };
    Clock { weekday_rates: rates(random), holiday_factor, by }
}

fn rates(random: &mut Random) -> WeekdayRates {
    let shares: [f64; 7] =
        std::array::from_fn(|_| if random.chance(0.2) { 0.0 } else { random.unit().into() });
    let sum = shares.iter().sum::<f64>() + 1e-6;
    Clock::rates_of_shares(shares.map(|share| share / sum))
}

fn calibration(random: &mut Random) -> Calibration {
    let factors =
        |random: &mut Random| -> Factors { std::array::from_fn(|_| 0.7 + 0.6 * random.unit()) };
    let mut end = 0.0;
    let n_segments = random.below(4);
    let is_open = random.chance(0.5);
    let segments = (0..n_segments).map(|position| {
        end += 0.4 + 60.0 * random.unit() * random.unit() * random.unit();
        let upper_median = (position + 1 < n_segments || !is_open).then_some(end);
        Segment { upper_median, factors: factors(random) }
    });
    let segments = segments.collect();
    Calibration { segments, pooled: factors(random) }
}

fn model(
    random: &mut Random,
    features: &FeatureList,
    n_trees: usize,
    base: &[f32],
    size: f32,
    order: OutputOrder,
) -> Result<Model, boost::Error> {
    let trees = (0..n_trees).map(|_| tree(random, features, base.len(), size));
    Model::new(base.to_vec(), trees.collect::<Result<_, _>>()?, features.len(), order)
}

/// Splits of which each is the child of the one before, to either side; some trees have none.
fn tree(
    random: &mut Random,
    features: &FeatureList,
    n_outputs: usize,
    size: f32,
) -> Result<Tree, boost::Error> {
    let n_splits = random.below(9);
    let mut splits = Vec::new();
    for position in 0..n_splits {
        let feature = random.below(features.len());
        let rule = rule(random, &features.0[feature]);
        let leaf = Child::Leaf(position as u32);
        let next = match position + 1 == n_splits {
            true => Child::Leaf(n_splits as u32),
            false => Child::Split(position as u32 + 1),
        };
        let (left, right) = if random.chance(0.5) { (leaf, next) } else { (next, leaf) };
        let missing_left = random.chance(0.5);
        splits.push(Split { feature: feature as u32, rule, missing_left, left, right, gain: 1.0 });
    }
    let n_values = (n_splits + 1) * n_outputs;
    let values = (0..n_values).map(|_| size * (random.unit() - 0.5)).collect();
    Tree::new(&splits, values, n_outputs)
}

fn rule(random: &mut Random, feature: &Feature) -> SplitRule {
    match &feature.kind {
        FeatureKind::Categorical { levels } => {
            let n_codes = random.below(1 + levels.len().min(80));
            SplitRule::Codes((0..n_codes).map(|_| random.below(levels.len()) as u32).collect())
        }
        FeatureKind::Numeric => {
            let range = match feature.name.as_str() {
                column::HOLIDAYS_AHEAD => 1e7,
                column::ORDERED_WEEK_HOURS => 168.0,
                _ => 200.0,
            };
            let infinite = [f32::INFINITY, f32::NEG_INFINITY];
            let rare = infinite[random.below(2)];
            SplitRule::AtMost(if random.chance(0.02) { rare } else { range * random.unit() })
        }
    }
}
