//! Measures training nine quantiles on simulated data: `cargo run --release -p boost --example
//! nine_quantiles -- ROWS COLUMNS ROUNDS CENSORED_SHARE THREADS` (all optional). Prints seconds and
//! the mean pinball loss.
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Instant;

use boost::{Columns, Params, Target, train};
use statistics::SplitMix64;

const LEVELS: [f64; 9] = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95];

fn main() -> Result<(), boost::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, otherwise: f64| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (n_rows, n_columns) = (argument(0, 70_000.0) as usize, argument(1, 80.0) as usize);
    let (rounds, censored_share) = (argument(2, 120.0) as u32, argument(3, 0.1));
    let threads = Some(argument(4, 2.0) as usize);
    let mut random = SplitMix64::new(1);
    let mut columns = vec![Vec::with_capacity(n_rows); n_columns];
    let (mut values, mut observed, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rows {
        let row: Vec<f64> = (0..n_columns).map(|_| random.unit()).collect();
        for (feature, (column, value)) in columns.iter_mut().zip(&row).enumerate() {
            let value = match feature % 8 {
                7 => (value * 12.0).floor(),
                6 if random.unit() < 0.3 => f64::NAN,
                _ => *value,
            };
            column.push(value as f32);
        }
        let signal = 3.0 * row[0] + 2.0 * row[1] * row[2] + (6.0 * row[3]).sin() + row[4] + row[7];
        let noise = -(1.0 - random.unit()).ln() * (0.5 + row[5]);
        let outcome = 2.0 + signal + noise;
        let age = random.unit() * 5.0 / censored_share.max(1e-9);
        outcomes.push(outcome);
        values.push(outcome.min(age) as f32);
        observed.push(outcome <= age);
    }
    let categorical = vec![false; n_columns];
    let params = Params { rounds, threads, ..Params::default() }.check()?;
    let target = Target::Quantiles { values: &values, observed: &observed, levels: &LEVELS };
    let censored = observed.iter().filter(|&&observed| !observed).count();
    let start = Instant::now();
    let model = train(&Columns::new(&columns, &categorical), &target, &params)?;
    let trained = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let predicted = model.predict(&columns)?;
    let scored = start.elapsed().as_secs_f64();
    let rows: Vec<Vec<f32>> = (0..n_rows.min(1000))
        .map(|row| columns.iter().map(|column| column[row]).collect())
        .collect();
    let start = Instant::now();
    let mut outputs = [0.0; LEVELS.len()];
    let mut sum = 0.0;
    for row in &rows {
        model.predict_row(row, &mut outputs);
        sum += outputs[4];
    }
    let row_micros = start.elapsed().as_secs_f64() * 1e6 / rows.len() as f64;
    let mut loss = 0.0;
    for (row, outcome) in predicted.chunks_exact(LEVELS.len()).zip(&outcomes) {
        for (quantile, level) in row.iter().zip(LEVELS) {
            let error = outcome - quantile;
            loss += (level * error).max((level - 1.0) * error);
        }
    }
    let loss = loss / predicted.len() as f64;
    let bytes = model.encode().len();
    println!(
        "rows {n_rows} columns {n_columns} rounds {rounds} censored {censored} threads {threads:?}"
    );
    println!(
        "train {trained:.2} s, predict {scored:.2} s, one row {row_micros:.1} us (sum {sum:.1})"
    );
    println!("{bytes} bytes, pinball {loss:.4}");
    Ok(())
}
