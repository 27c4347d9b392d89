//! A world whose truth is known: outcomes of which 30% are still open, because they are young.
//!
//! The outcome is 1 + x + (0.5 + x) e, e exponential with mean 1, x uniform: its quantile at level
//! t is 1 + x - (0.5 + x) ln(1 - t). A row is as old as its age, which the model sees.
#![expect(clippy::unwrap_used, reason = "a test that cannot train has failed")]

use boost::{Columns, Model, Params, Target, train};

const LEVELS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Uniform numbers below 1 from a seed (SplitMix64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct World {
    columns: Vec<Vec<f32>>,
    outcomes: Vec<f32>,
    ages: Vec<f32>,
}

impl World {
    /// Rows of up to `age_max`, which the first column nearly tells.
    fn new(n: usize, age_max: f64, seed: u64) -> Self {
        let mut draws = Draws(seed);
        let mut world = Self { columns: vec![Vec::new(); 3], outcomes: vec![], ages: vec![] };
        for _ in 0..n {
            let (x, age) = (draws.next(), draws.next() * age_max);
            let outcome = 1.0 + x - (0.5 + x) * (1.0 - draws.next()).ln();
            let row = [age + draws.next() * 0.1, x, draws.next()];
            world.columns.iter_mut().zip(row).for_each(|(column, v)| column.push(v as f32));
            world.outcomes.push(outcome as f32);
            world.ages.push(age as f32);
        }
        world
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
                *covered += f64::from(u8::from(outcome <= quantile)) / self.outcomes.len() as f64;
            }
        }
        covered
    }
}

#[test]
fn open_rows_taken_as_lower_bounds_keep_the_coverage_that_dropping_them_loses() {
    // About 30% are open: the mean outcome is 2.5 of at most 8 units of age.
    let past = World::new(60_000, 8.0, 1);
    let observed = past.observed();
    let open = observed.iter().filter(|&&observed| !observed).count() as f64 / 60_000.0;
    assert!((0.25..0.35).contains(&open), "{open}");
    // New rows look like those that are young, but are followed to their end.
    let future = World::new(60_000, 2.5, 2);
    let dropped = past.kept(&observed);

    let model = past.train(&observed);
    let of_all = World::new(60_000, 8.0, 3).coverage(&model);
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
fn rows_that_are_cut_off_by_chance_keep_the_coverage() {
    // Of 30%, a time at which one stopped looking, whatever the row.
    let mut past = World::new(150_000, 8.0, 4);
    let mut draws = Draws(5);
    for age in &mut past.ages {
        *age = if draws.next() < 0.6 { draws.next() as f32 * 5.0 } else { f32::INFINITY };
    }
    let observed = past.observed();
    let open = observed.iter().filter(|&&observed| !observed).count() as f64 / 150_000.0;
    assert!((0.27..0.33).contains(&open), "{open}");
    let test = World::new(150_000, 8.0, 6);
    let covered = test.coverage(&past.train(&observed));
    // What training on so many rows is off by anyway.
    past.ages.fill(f32::INFINITY);
    let of_known = test.coverage(&past.train(&past.observed()));
    let report = format!("cut off {covered:.3?} known {of_known:.3?}");
    for (k, level) in LEVELS.iter().enumerate() {
        assert!((covered[k] - level).abs() < 0.01, "level {level}: {report}");
        assert!((covered[k] - of_known[k]).abs() < 0.005, "level {level}: {report}");
    }
}
