//! Tests of training as a whole, on invented orders whose true quantiles are known.

use scorer::Scorer;
use statistics::SplitMix64;
use terms::{
    AsOf, DAY_MICROS, Day, ErrorClass, Feature, FeatureKind, FeatureList, HOUR_MICROS, Instant,
    LEVELS, MEDIAN, Matrix, N_LEVELS, Outcome,
};

use crate::train_as_of;
use crate::{CalibrationBasis, Error, FamilyName, NoCheckpoints, Settings, TailBasis, Trained};

/// Quantiles of the standard normal distribution at [`LEVELS`].
const NORMAL: [f64; N_LEVELS] =
    [-1.6449, -1.2816, -0.6745, -0.2533, 0.0, 0.2533, 0.6745, 1.2816, 1.6449];

/// Orders over 240 days. Beyond two days, the excess is lognormal with a median that depends on
/// distance and region; whether it is beyond depends on `near`.
pub(crate) struct Orders {
    matrix: Matrix,
    ordered_at: Vec<Instant>,
    hours: Vec<f32>,
    /// P(more than two days) of each row.
    over: Vec<f64>,
    /// Median of the excess beyond two days of each row.
    excess: Vec<f64>,
}

/// The excess is so many times longer for orders from this day on.
pub(crate) struct Shift {
    day: i64,
    factor: f64,
}

const SPREAD: f64 = 0.4;

fn day(day: i64) -> AsOf {
    AsOf::start_of(Day::since_epoch(17_600)).plus_days(day)
}

/// The instant so many microseconds later.
fn after(instant: Instant, micros: f64) -> Instant {
    Instant::from_micros(instant.micros() + micros as i64)
}

pub(crate) fn orders(n_rows: usize, shift: Option<Shift>) -> Orders {
    let mut random = SplitMix64::new(20);
    let mut uniform = || random.unit();
    let mut orders = Orders {
        matrix: Matrix { features: features(), columns: vec![Vec::new(); 4] },
        ordered_at: Vec::new(),
        hours: Vec::new(),
        over: Vec::new(),
        excess: Vec::new(),
    };
    for row in 0..n_rows {
        let days = 240.0 * row as f64 / n_rows as f64;
        let at = after(day(0).instant(), days * DAY_MICROS as f64);
        let (distance, near, noise) = (uniform(), uniform(), uniform());
        let region = (uniform() * 3.0) as usize;
        let over = if near < 0.3 { 0.4 } else { 0.95 };
        let slower = shift.as_ref().filter(|shift| at >= day(shift.day).instant());
        let excess = (3.2 + 1.2 * distance + if region == 1 { 0.6 } else { 0.0 }).exp()
            * slower.map_or(1.0, |shift| shift.factor);
        let normal =
            (-2.0 * uniform().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
        let hours = if uniform() < over {
            48.0 + excess * (SPREAD * normal).exp()
        } else {
            6.0 + 42.0 * uniform()
        };
        let distance = if uniform() < 0.02 { f64::NAN } else { distance };
        for (column, value) in
            orders.matrix.columns.iter_mut().zip([distance, region as f64, noise, near])
        {
            column.push(value as f32);
        }
        orders.ordered_at.push(at);
        orders.hours.push(hours as f32);
        orders.over.push(over);
        orders.excess.push(excess);
    }
    orders
}

fn features() -> FeatureList {
    let levels = ["north", "south", "west"].map(str::to_owned).to_vec();
    let kinds = [
        ("distance", FeatureKind::Numeric),
        ("region", FeatureKind::Categorical { levels }),
        ("noise", FeatureKind::Numeric),
        ("near", FeatureKind::Numeric),
    ];
    FeatureList(kinds.map(|(name, kind)| Feature { name: name.into(), kind }).to_vec())
}

impl Orders {
    fn outcomes(&self, as_of: AsOf) -> Vec<Outcome> {
        let outcome = |(&at, &hours): (&Instant, &f32)| {
            if !as_of.knows(at) {
                Outcome::Excluded
            } else if !as_of.knows(after(at, f64::from(hours) * HOUR_MICROS as f64)) {
                Outcome::Censored(as_of.hours_since(at) as f32)
            } else {
                Outcome::Delivered(hours)
            }
        };
        self.ordered_at.iter().zip(&self.hours).map(outcome).collect()
    }

    pub(crate) fn train(&self, name: FamilyName, settings: &Settings) -> Result<Trained, Error> {
        self.train_with(name, settings, &|as_of| self.outcomes(as_of))
    }

    fn train_with(
        &self,
        name: FamilyName,
        settings: &Settings,
        outcomes: &dyn Fn(AsOf) -> Vec<Outcome>,
    ) -> Result<Trained, Error> {
        train_as_of(
            &self.matrix,
            &self.ordered_at,
            outcomes,
            day(210),
            name,
            settings,
            &NoCheckpoints,
        )
    }

    /// Rows ordered from the origin on.
    fn new_rows(&self) -> Vec<usize> {
        let origin = day(210).instant();
        (0..self.ordered_at.len()).filter(|&row| self.ordered_at[row] >= origin).collect()
    }

    /// Mean relative error of the quantiles beyond two days against the truth, on new rows.
    pub(crate) fn error_beyond(&self, scorer: &Scorer) -> f64 {
        let rows = self.new_rows();
        let mut values = [0.0; 4];
        let mut sum = 0.0;
        for &row in &rows {
            self.matrix.row_into(row, &mut values);
            let beyond = scorer.mixture_row(&values).given_open_for(48.0);
            for (level, normal) in LEVELS.iter().zip(NORMAL) {
                let truth = 48.0 + self.excess[row] * (SPREAD * normal).exp();
                sum += (beyond.quantile(*level) / truth - 1.0).abs();
            }
        }
        sum / (rows.len() * N_LEVELS) as f64
    }

    /// Share of new rows that are delivered by the predicted quantile of a level.
    pub(crate) fn coverage(&self, scorer: &Scorer, level: usize) -> f64 {
        let rows = self.new_rows();
        let scored = scorer.score(&self.matrix.take(&rows)).unwrap();
        let covered =
            rows.iter().zip(&scored).filter(|(row, q)| self.hours[**row] <= q.hours[level]);
        covered.count() as f64 / rows.len() as f64
    }
}

pub(crate) fn quick() -> Settings {
    let mut settings = Settings::default();
    settings.boost.rounds = 60;
    settings.boost.rows_in_leaf_min = 100;
    settings.gate.rounds = 40;
    settings.forest.trees = 20;
    settings.forest.rows_sampled = 6000;
    settings
}

#[test]
fn every_family_comes_near_the_true_quantiles() {
    let orders = orders(24_000, None);
    let limits =
        [(FamilyName::Boost, 0.07), (FamilyName::Forest, 0.10), (FamilyName::ExtraTrees, 0.10)];
    for (name, limit) in limits {
        let trained = orders.train(name, &quick()).unwrap();
        let error = orders.error_beyond(&trained.scorer);
        assert!(error < limit, "{name:?}: {error}");
        for level in [0, MEDIAN, N_LEVELS - 1] {
            let covered = orders.coverage(&trained.scorer, level);
            assert!((covered - LEVELS[level]).abs() < 0.035, "{name:?} {level}: {covered}");
        }
        let top = &trained.importance[0].0;
        assert!(["distance", "near"].contains(&top.as_str()), "{name:?}: {top}");
    }
}

#[test]
fn the_gate_beats_the_share_and_its_rules_find_the_cause() {
    let orders = orders(24_000, None);
    let trained = orders.train(FamilyName::Boost, &quick()).unwrap();
    let rows = orders.new_rows();
    let scored = trained.scorer.score(&orders.matrix.take(&rows)).unwrap();
    let over = |row: usize| f64::from(u8::from(orders.hours[row] > 48.0));
    let share = rows.iter().map(|&row| over(row)).sum::<f64>() / rows.len() as f64;
    let brier = |predicted: &dyn Fn(usize) -> f64| {
        let loss = |at: usize| (predicted(at) - over(rows[at])).powi(2);
        (0..rows.len()).map(loss).sum::<f64>() / rows.len() as f64
    };
    let of_gate = brier(&|at| f64::from(scored[at].probability_over_2d));
    let (of_share, of_truth) = (brier(&|_| share), brier(&|at| orders.over[rows[at]]));
    assert!(of_gate < 0.75 * of_share, "{of_gate} {of_share}");
    assert!(of_gate < 1.05 * of_truth, "{of_gate} {of_truth}");
    assert!(
        trained.gate_rules.text().contains("if near <= 0.3\n"),
        "{}",
        trained.gate_rules.text()
    );
    assert_eq!(trained.sizes.tail, TailBasis::Matured);
}

#[test]
fn calibration_follows_a_network_that_slowed_down() {
    let orders = orders(24_000, Some(Shift { day: 140, factor: 1.6 }));
    let mut settings = quick();
    settings.calibration.enabled = false;
    settings.recalibration.enabled = false;
    let plain = orders.train(FamilyName::Boost, &settings).unwrap();
    assert_eq!(plain.sizes.calibration, CalibrationBasis::Disabled);
    assert_eq!(plain.sizes.recalibration, CalibrationBasis::Disabled);
    settings.calibration.enabled = true;
    settings.calibration.damping = 0.8;
    settings.calibration.location_damping = 0.8;
    let calibrated = orders.train(FamilyName::Boost, &settings).unwrap();
    assert!(matches!(
        calibrated.sizes.calibration,
        CalibrationBasis::Learned { as_of, .. } if as_of == day(152)
    ));
    let miss = |trained: &Trained| (orders.coverage(&trained.scorer, MEDIAN) - 0.5).abs();
    let (before, after) = (miss(&plain), miss(&calibrated));
    assert!(before > 0.1 && after < before / 2.0, "{before} {after}");
}

#[test]
fn recalibration_follows_what_changed_before_anything_has_matured() {
    for factor in [0.6, 1.5] {
        // A fortnight before the origin, when calibration could not see it.
        let orders = orders(24_000, Some(Shift { day: 190, factor }));
        let mut settings = quick();
        settings.calibration.enabled = false;
        settings.recalibration.enabled = false;
        let plain = orders.train(FamilyName::Boost, &settings).unwrap();
        settings.recalibration.enabled = true;
        settings.recalibration.days = 20;
        settings.recalibration.damping = 1.0;
        let followed = orders.train(FamilyName::Boost, &settings).unwrap();
        let basis = &followed.sizes.recalibration;
        assert!(matches!(basis, CalibrationBasis::Learned { as_of, .. } if *as_of == day(190)));
        let miss = |trained: &Trained| (orders.coverage(&trained.scorer, MEDIAN) - 0.5).abs();
        let (before, after) = (miss(&plain), miss(&followed));
        assert!(before > 0.08 && after < before / 2.0, "{factor}: {before} {after}");
    }
}

#[test]
fn the_level_is_followed_where_it_has_never_been() {
    // The network becomes faster than it ever was, and its level says so; the trees never saw it.
    let mut orders = orders(24_000, Some(Shift { day: 200, factor: 0.5 }));
    let level = |at: &Instant| if *at >= day(200).instant() { 74.0 } else { 100.0 };
    orders.matrix.columns.push(orders.ordered_at.iter().map(level).collect());
    let feature = Feature { name: terms::column::LEVEL_HOURS.into(), kind: FeatureKind::Numeric };
    orders.matrix.features.0.push(feature);
    let mut settings = quick();
    settings.calibration.enabled = false;
    settings.recalibration.enabled = false;
    let miss = |hours_weight| {
        let mut settings = settings.clone();
        settings.time_scale.hours_weight = hours_weight;
        let trained = orders.train(FamilyName::Boost, &settings).unwrap();
        let n_regressors = trained.parts.regressors.len();
        assert_eq!(n_regressors, if hours_weight == 0.5 { 2 } else { 1 });
        orders.coverage(&trained.scorer, MEDIAN) - 0.5
    };
    let (level, hours, both) = (miss(0.0), miss(1.0), miss(0.5));
    assert!(hours > 0.15 && level.abs() < hours / 2.0, "{level} {hours}");
    assert!(level < both && both < hours, "{level} {both} {hours}");
}

#[test]
fn the_clock_is_that_of_the_deliveries() {
    // Orders of all hours of the week, all delivered 60 hours later, or on the Monday after if that
    // is a Sunday; the last two weeks have a holiday on which nothing is delivered.
    let n_rows = 8_000;
    let week_hours: Vec<f32> = (0..n_rows).map(|row| (row * 13 % 168) as f32).collect();
    let holiday = |row: usize| if row.is_multiple_of(5) { 1 << 3 } else { 0 };
    let hours = |row: usize| {
        let mut hours = 60.0;
        loop {
            let days = ((week_hours[row] % 24.0 + hours) / 24.0) as u32;
            let weekday = ((week_hours[row] + hours) / 24.0) as u32 % 7;
            if weekday != 6 && holiday(row) >> days & 1 == 0 {
                return hours;
            }
            hours += 24.0;
        }
    };
    let names = [terms::column::ORDERED_WEEK_HOURS, terms::column::HOLIDAYS_AHEAD];
    let feature = |name: &str| Feature { name: name.into(), kind: FeatureKind::Numeric };
    let orders = Orders {
        matrix: Matrix {
            features: FeatureList(names.map(feature).to_vec()),
            columns: vec![week_hours.clone(), (0..n_rows).map(|row| holiday(row) as f32).collect()],
        },
        ordered_at: (0..n_rows)
            .map(|row| {
                after(day(0).instant(), 200.0 * row as f64 / n_rows as f64 * DAY_MICROS as f64)
            })
            .collect(),
        hours: (0..n_rows).map(hours).collect(),
        over: Vec::new(),
        excess: Vec::new(),
    };
    let trained = orders.train(FamilyName::Boost, &quick()).unwrap();
    let clock = trained.parts.regressors[0].time_scale.clock.clone().unwrap();
    assert!(clock.weekday_rates[6] < 0.02, "{clock:?}");
    assert!(clock.weekday_rates[..6].iter().all(|rate| *rate > 0.9), "{clock:?}");
    assert!(clock.holiday_factor < 0.1, "{clock:?}");
    let mut settings = quick();
    settings.time_scale.clock = false;
    let plain = orders.train(FamilyName::Boost, &settings).unwrap();
    assert_eq!(plain.parts.regressors[0].time_scale.clock, None);
    settings.time_scale.clock = true;
    settings.time_scale.clock_by = Some("region".into());
    let error = orders.train(FamilyName::Boost, &settings).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Configuration, "{error}");
}

#[test]
fn right_censored_rows_are_learned_from() {
    let orders = orders(24_000, None);
    let mut settings = quick();
    settings.history_days = Some(12);
    settings.calibration.enabled = false;
    let all = orders.train(FamilyName::Boost, &settings).unwrap();
    let delivered_only = |as_of| {
        let outcomes = orders.outcomes(as_of);
        let closed = |outcome| match outcome {
            Outcome::Censored(_) => Outcome::Excluded,
            other => other,
        };
        outcomes.into_iter().map(closed).collect()
    };
    let delivered = orders.train_with(FamilyName::Boost, &settings, &delivered_only).unwrap();
    assert!(all.sizes.open > 100 && delivered.sizes.open == 0);
    let p90 = |trained: &Trained| orders.coverage(&trained.scorer, 7);
    let (with, without) = (p90(&all), p90(&delivered));
    assert!((with - 0.9).abs() < 0.03, "{with}");
    assert!(without < with - 0.02, "{without} {with}");
}

#[test]
fn the_same_inputs_give_the_same_bytes_on_any_number_of_threads() {
    let orders = orders(9_000, None);
    let mut settings = quick();
    settings.ensemble.deliveries_max = 100_000;
    for name in
        [FamilyName::Boost, FamilyName::Ensemble, FamilyName::Forest, FamilyName::ExtraTrees]
    {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trained = pool.install(|| orders.train(name, &settings).unwrap());
            let Trained { parts, gate_rules, sizes, importance, search, .. } = trained;
            (parts.encode(), gate_rules, sizes, importance, search)
        };
        assert_eq!(on(1), on(3), "{name:?}");
    }
}

#[test]
fn nothing_ordered_after_the_origin_is_used() {
    let orders = orders(9_000, None);
    let plain = orders.train(FamilyName::Boost, &quick()).unwrap();
    let mut scrambled = Orders {
        matrix: orders.matrix.clone(),
        ordered_at: orders.ordered_at.clone(),
        hours: orders.hours.clone(),
        over: Vec::new(),
        excess: Vec::new(),
    };
    for row in orders.new_rows() {
        scrambled.hours[row] = 1e3;
        for column in &mut scrambled.matrix.columns {
            column[row] = 1.0;
        }
    }
    let after = scrambled.train(FamilyName::Boost, &quick()).unwrap();
    assert_eq!(plain.parts.encode(), after.parts.encode());
}

#[test]
fn too_few_rows_are_refused_with_what_was_found_and_needed() {
    let orders = orders(200, None);
    let error = orders.train(FamilyName::Boost, &quick()).unwrap_err();
    let Error::TooFewRows { origin, found, needed } = &error else { panic!("{error}") };
    assert_eq!((*origin, *needed, error.class()), (day(210), 200, ErrorClass::Input));
    assert!(*found < 200 && error.hint().is_some());
}

#[test]
fn the_baseline_is_trained_on_any_rows_and_knows_its_lanes() {
    let with_regions = |n_rows: usize| {
        let mut orders = orders(n_rows, None);
        orders.matrix.features.0[1].name = terms::column::DESTINATION_REGION.into();
        orders
    };
    let many = with_regions(9_000);
    let trained = many.train(FamilyName::Baseline, &quick()).unwrap();
    for level in [0, MEDIAN, N_LEVELS - 1] {
        let covered = many.coverage(&trained.scorer, level);
        assert!((covered - LEVELS[level]).abs() < 0.04, "{level}: {covered}");
    }
    let median = |region: f32| trained.scorer.score_row(&[0.5, region, 0.5, 0.5]).hours[MEDIAN];
    assert!(median(1.0) > 1.2 * median(0.0), "{} {}", median(1.0), median(0.0));
    assert_eq!(trained.sizes.calibration, CalibrationBasis::Disabled);
    for n_rows in [1, 30] {
        let few = with_regions(n_rows);
        let trained = few.train(FamilyName::Baseline, &quick()).unwrap();
        assert!(few.matrix.n_rows() == n_rows && trained.importance.is_empty());
    }
    // Nothing is delivered, and nothing is ordered yet.
    let open = |as_of: AsOf| {
        let outcomes = many.outcomes(as_of);
        let opened = |(outcome, &at): (Outcome, &Instant)| match outcome {
            Outcome::Delivered(_) => Outcome::Censored(as_of.hours_since(at) as f32),
            other => other,
        };
        outcomes.into_iter().zip(&many.ordered_at).map(opened).collect()
    };
    let trained = many.train_with(FamilyName::Baseline, &quick(), &open).unwrap();
    let scored = trained.scorer.score_row(&[0.5, 1.0, 0.5, 0.5]);
    assert!(scored.hours[MEDIAN] > 1000.0 && scored.hours.is_sorted(), "{scored:?}");
    let nothing = |as_of: AsOf| vec![Outcome::Excluded; many.outcomes(as_of).len()];
    let trained = many.train_with(FamilyName::Baseline, &quick(), &nothing).unwrap();
    // The gate says one half, and an exponential distribution with a mean of two days 1/e.
    let log_odds = f64::midpoint(0.0, -(1f64.exp() - 1.0).ln());
    let expected = 1.0 / (1.0 + (-log_odds).exp());
    let found = trained.scorer.score_row(&[0.5, 1.0, 0.5, 0.5]).probability_over_2d;
    // Between its levels a distribution is a straight line.
    assert!((f64::from(found) - expected).abs() < 5e-3, "{found} {expected}");
}

#[test]
fn a_failure_of_one_family_leaves_the_others_and_a_wrong_setting_does_not() {
    let few = orders(200, None).train(FamilyName::Boost, &quick()).unwrap_err();
    assert!(few.is_of_family(), "{few}");
    let settings = Settings { rows_min: 0, ..quick() };
    assert!(!settings.check().unwrap_err().is_of_family());
    let not_kept = Error::Checkpoint { source: "the disk is full".into() };
    assert!(!not_kept.is_of_family());
}

#[test]
fn a_short_history_is_not_calibrated_and_says_so() {
    let orders = orders(700, None);
    let trained = orders.train(FamilyName::Boost, &quick()).unwrap();
    let expected = |basis: &CalibrationBasis| {
        matches!(basis, CalibrationBasis::TooFewMatured { needed: 100, .. })
    };
    assert!(expected(&trained.sizes.calibration), "{:?}", trained.sizes.calibration);
    assert!(trained.parts.calibration.is_identity());
}
