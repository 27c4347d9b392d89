//! Prints how long one row takes, with a gate of 100 trees and a regressor of 300 trees of 31
//! leaves, on one thread.
//!
//! `cargo run --release -p scorer --example microseconds`
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

#[path = "generated/model.rs"]
mod generated;

use std::hint::black_box;
use std::time::Instant;

use generated::{N_FEATURES, Uniform, model};
use scorer::{Instructions, Scorer};
use terms::Matrix;

const ROWS: usize = 20_000;

fn main() {
    let mut uniform = Uniform(1);
    let parts = model(&mut uniform, 1);
    let columns: Vec<Vec<f32>> =
        (0..N_FEATURES).map(|_| (0..ROWS).map(|_| uniform.next()).collect()).collect();
    let matrix = Matrix { features: parts.features.clone(), columns };
    let mut rows = vec![[0.0; N_FEATURES]; ROWS];
    for (position, row) in rows.iter_mut().enumerate() {
        matrix.row_into(position, row);
    }
    let micros = |started: Instant| started.elapsed().as_secs_f64() * 1e6 / ROWS as f64;

    for instructions in [Instructions::Plain, Instructions::Portable, Instructions::Avx512] {
        let scorer = Scorer::with_instructions(parts.clone(), instructions).unwrap();
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

    let scorer = Scorer::from_parts(parts).unwrap();
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
