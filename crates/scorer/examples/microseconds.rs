//! Prints how long one row takes, with a gate of 100 trees and a regressor of 300 trees of 31
//! leaves, on one thread.
//!
//! `cargo run --release -p scorer --example microseconds`
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

use std::hint::black_box;
use std::time::Instant;

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use scorer::{Calibration, Instructions, Parts, Recalibration, Regressor, Scorer, TimeScale};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, Matrix, N_LEVELS};

const N_FEATURES: usize = 80;
const LEAVES: usize = 31;
const ROWS: usize = 20_000;

/// Numbers in [0, 1) that look random.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f32 {
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

fn main() {
    let mut uniform = Uniform(1);
    let gate = (0..100).map(|_| tree(&mut uniform, 1, 0.1)).collect();
    let regressor = (0..300).map(|_| tree(&mut uniform, N_LEVELS, 2.0)).collect();
    let numeric =
        |position: usize| Feature { name: format!("f{position}"), kind: FeatureKind::Numeric };
    let features = FeatureList((0..N_FEATURES).map(numeric).collect());
    let base = (0..N_LEVELS).map(|level| 60.0 + 30.0 * level as f32).collect();
    let scorer = Scorer::from_parts(Parts {
        features: features.clone(),
        days: DayGrid::DAILY,
        gate: Model::new(vec![1.0], gate, N_FEATURES, OutputOrder::AsAdded).unwrap(),
        regressors: vec![Regressor {
            trees: Model::new(base, regressor, N_FEATURES, OutputOrder::Rising).unwrap(),
            time_scale: TimeScale::hours(),
            weight: 1.0,
        }],
        tail_ratio: 0.4,
        calibration: Calibration::identity(),
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    })
    .unwrap();

    let columns: Vec<Vec<f32>> =
        (0..N_FEATURES).map(|_| (0..ROWS).map(|_| uniform.next()).collect()).collect();
    let matrix = Matrix { features, columns };
    let mut rows = vec![[0.0; N_FEATURES]; ROWS];
    for (position, row) in rows.iter_mut().enumerate() {
        matrix.row_into(position, row);
    }
    let micros = |started: Instant| started.elapsed().as_secs_f64() * 1e6 / ROWS as f64;

    for instructions in [Instructions::Plain, Instructions::Portable, Instructions::Avx512] {
        let scorer = scorer.clone().with_instructions(instructions);
        let mut each = Vec::with_capacity(ROWS);
        for row in &rows {
            let started = Instant::now();
            black_box(scorer.score_row(black_box(row)));
            each.push(started.elapsed().as_secs_f64() * 1e6);
        }
        each.sort_by(f64::total_cmp);
        let at = |share: f64| each[(share * (ROWS - 1) as f64) as usize];
        let (least, p50, p99) = (at(0.0), at(0.5), at(0.99));
        println!("score_row, {instructions:?}: least {least:.2} us, p50 {p50:.2}, p99 {p99:.2}");
    }

    let started = Instant::now();
    let mixtures: Vec<_> = rows.iter().map(|row| scorer.mixture_row(row)).collect();
    println!("  of which trees and calibration: {:.2} us", micros(started));
    let started = Instant::now();
    for mixture in &mixtures {
        black_box(mixture.distribution());
    }
    println!("  of which the distribution: {:.2} us", micros(started));
    let started = Instant::now();
    black_box(scorer.score(&matrix).unwrap());
    println!("score of {ROWS} rows on all threads: {:.2} us a row", micros(started));
}
