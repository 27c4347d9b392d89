//! Coverage of quantiles trained on simulated outcomes, of which 30% are right-censored at the row's
//! age.
//!
//! The outcome is 1 + x + (0.5 + x) e, e exponential with mean 1, x uniform: its quantile at level
//! t is 1 + x - (0.5 + x) ln(1 - t). A row whose outcome exceeds its age is censored; a column has
//! nearly the age.
#![expect(clippy::unwrap_used, reason = "a test that cannot train has failed")]

use boost::{Columns, Model, Params, Target, train};
use statistics::SplitMix64;

const LEVELS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Simulated rows, with their true outcomes.
struct Fixture {
    columns: Vec<Vec<f32>>,
    outcomes: Vec<f32>,
    ages: Vec<f32>,
}

impl Fixture {
    /// Rows with ages up to `age_max`, which are the first column but for some noise.
    fn new(n: usize, age_max: f64, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut fixture = Self { columns: vec![Vec::new(); 3], outcomes: vec![], ages: vec![] };
        for _ in 0..n {
            let (x, age) = (random.unit(), random.unit() * age_max);
            let outcome = 1.0 + x - (0.5 + x) * (1.0 - random.unit()).ln();
            let row = [age + random.unit() * 0.1, x, random.unit()];
            fixture.columns.iter_mut().zip(row).for_each(|(column, v)| column.push(v as f32));
            fixture.outcomes.push(outcome as f32);
            fixture.ages.push(age as f32);
        }
        fixture
    }

    fn observed(&self) -> Vec<bool> {
        self.outcomes.iter().zip(&self.ages).map(|(outcome, age)| outcome <= age).collect()
    }

    fn kept(&self, keep: &[bool]) -> Self {
        let kept = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(&value, _)| value).collect()
        };
        Self {
            columns: self.columns.iter().map(|column| kept(column)).collect(),
            outcomes: kept(&self.outcomes),
            ages: kept(&self.ages),
        }
    }

    fn train(&self, observed: &[bool]) -> Model {
        let values: Vec<f32> =
            self.outcomes.iter().zip(&self.ages).map(|(o, a)| o.min(*a)).collect();
        let params = Params { rounds: 60, ..Params::default() }.check().unwrap();
        let columns = Columns::new(&self.columns, &[false; 3]);
        let target = Target::Quantiles { values: &values, observed, levels: &LEVELS };
        train(&columns, &target, &params).unwrap()
    }

    /// The share of all outcomes at or below each predicted quantile.
    fn coverage(&self, model: &Model) -> Vec<f64> {
        let predicted = model.predict(&self.columns).unwrap();
        let mut covered = vec![0.0; LEVELS.len()];
        for (row, outcome) in predicted.chunks(LEVELS.len()).zip(&self.outcomes) {
            for (covered, quantile) in covered.iter_mut().zip(row) {
                *covered += f64::from(u8::from(f64::from(*outcome) <= *quantile))
                    / self.outcomes.len() as f64;
            }
        }
        covered
    }
}

#[test]
fn training_on_censored_rows_keeps_the_coverage_that_dropping_them_loses() {
    // About 30% are censored: the mean outcome is 2.5, the mean age 4.
    let past = Fixture::new(60_000, 8.0, 1);
    let observed = past.observed();
    let censored = observed.iter().filter(|&&observed| !observed).count() as f64 / 60_000.0;
    assert!((0.25..0.35).contains(&censored), "{censored}");
    // The columns of new rows are those of young rows, but their outcomes are known.
    let future = Fixture::new(60_000, 2.5, 2);
    let dropped = past.kept(&observed);

    let model = past.train(&observed);
    let of_all = Fixture::new(60_000, 8.0, 3).coverage(&model);
    let of_young = future.coverage(&model);
    let of_dropped = future.coverage(&dropped.train(&vec![true; dropped.outcomes.len()]));
    let report = format!("all {of_all:.3?} young {of_young:.3?} dropped {of_dropped:.3?}");
    for (k, level) in LEVELS.iter().enumerate() {
        assert!((of_all[k] - level).abs() < 0.01, "level {level}: {report}");
        assert!((of_young[k] - level).abs() < 0.025, "level {level}: {report}");
    }
    assert!(of_dropped[2] < 0.25, "{report}");
}

#[test]
fn rows_censored_at_random_keep_the_coverage() {
    // About 30% are censored at a time that does not depend on the row.
    let mut past = Fixture::new(150_000, 8.0, 4);
    let mut random = SplitMix64::new(5);
    for age in &mut past.ages {
        *age = if random.unit() < 0.6 { random.unit() as f32 * 5.0 } else { f32::INFINITY };
    }
    let observed = past.observed();
    let censored = observed.iter().filter(|&&observed| !observed).count() as f64 / 150_000.0;
    assert!((0.27..0.33).contains(&censored), "{censored}");
    let test = Fixture::new(150_000, 8.0, 6);
    let covered = test.coverage(&past.train(&observed));
    // The coverage of a training on as many uncensored rows.
    past.ages.fill(f32::INFINITY);
    let of_uncensored = test.coverage(&past.train(&past.observed()));
    let report = format!("censored {covered:.3?} uncensored {of_uncensored:.3?}");
    for (k, level) in LEVELS.iter().enumerate() {
        assert!((covered[k] - level).abs() < 0.01, "level {level}: {report}");
        assert!((covered[k] - of_uncensored[k]).abs() < 0.005, "level {level}: {report}");
    }
}
