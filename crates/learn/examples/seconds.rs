//! Prints how long `train_as_of` takes on 70,000 rows of 80 features, for each family.
//!
//! `cargo run --release -p learn --example seconds [-- boost|forest|extra_trees]`
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

use std::time::Instant as WallClock;

use learn::{FamilyName, NoCheckpoints, Settings, train_as_of};
use terms::{
    AsOf, DAY_MICROS, Feature, FeatureKind, FeatureList, HOUR_MICROS, Instant, Matrix, Outcome,
};

const N_ROWS: usize = 70_000;
const N_FEATURES: usize = 80;
const N_CATEGORICAL: usize = 6;

/// Numbers in [0, 1) that look random.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

fn main() {
    let mut uniform = Uniform(7);
    let levels: Vec<String> = (0..30).map(|level| format!("level {level:02}")).collect();
    let kind = |position: usize| match position {
        ..N_CATEGORICAL => FeatureKind::Categorical { levels: levels.clone() },
        _ => FeatureKind::Numeric,
    };
    let feature =
        |position: usize| Feature { name: format!("f{position:02}"), kind: kind(position) };
    let mut value = |position: usize| match position {
        ..N_CATEGORICAL => (30.0 * uniform.next()) as u32 as f32,
        _ if uniform.next() < 0.1 => f32::NAN,
        _ => uniform.next() as f32,
    };
    let columns: Vec<Vec<f32>> =
        (0..N_FEATURES).map(|j| (0..N_ROWS).map(|_| value(j)).collect()).collect();
    let features = FeatureList((0..N_FEATURES).map(feature).collect());
    let matrix = Matrix { features, columns };

    let day =
        |day: f64| Instant::from_micros((17_600 * DAY_MICROS) + (day * DAY_MICROS as f64) as i64);
    let ordered_at: Vec<Instant> =
        (0..N_ROWS).map(|row| day(480.0 * row as f64 / N_ROWS as f64)).collect();
    let hours: Vec<f64> = (0..N_ROWS)
        .map(|row| {
            let at = |j: usize| f64::from(matrix.columns[j][row]);
            let known: f64 = (10..30).map(|j| if at(j).is_nan() { 0.3 } else { at(j) }).sum();
            let spread = (0..6).map(|_| uniform.next() - 0.5).sum::<f64>();
            if uniform.next() < 0.1 {
                48.0 * uniform.next()
            } else {
                48.0 + (3.0 + 0.1 * known + at(0) / 30.0 + 0.6 * spread).exp()
            }
        })
        .collect();
    let outcomes = |as_of: AsOf| {
        let outcome = |(&at, &hours): (&Instant, &f64)| {
            let delivered_at = at.micros() + (hours * HOUR_MICROS as f64) as i64;
            if !as_of.knows(at) {
                Outcome::Excluded
            } else if !as_of.knows(Instant::from_micros(delivered_at)) {
                Outcome::Censored(as_of.hours_since(at) as f32)
            } else {
                Outcome::Delivered(hours as f32)
            }
        };
        ordered_at.iter().zip(&hours).map(outcome).collect::<Vec<_>>()
    };

    let only = std::env::args().nth(1);
    let settings = Settings::default();
    for name in
        [FamilyName::Boost, FamilyName::Forest, FamilyName::ExtraTrees, FamilyName::Baseline]
    {
        let called = serde_json::to_value(name).unwrap();
        let called = called.as_str().unwrap();
        if only.as_ref().is_some_and(|only| only != called) {
            continue;
        }
        let started = WallClock::now();
        let origin = AsOf::at(day(480.0));
        let trained =
            train_as_of(&matrix, &ordered_at, &outcomes, origin, name, &settings, &NoCheckpoints)
                .unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let bytes: usize = trained.parts.encode().values().map(Vec::len).sum();
        println!("{called}: {seconds:.1} s, {bytes} bytes, {:?}", trained.sizes);
        let row: Vec<f32> = matrix.columns.iter().map(|column| column[0]).collect();
        let started = WallClock::now();
        for _ in 0..10_000 {
            std::hint::black_box(trained.scorer.score_row(std::hint::black_box(&row)));
        }
        println!("  score_row: {:.1} us", started.elapsed().as_secs_f64() * 1e6 / 1e4);
        print!("{}", trained.gate_rules.text());
    }
}
