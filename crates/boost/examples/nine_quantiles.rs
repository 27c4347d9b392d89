//! How long nine quantiles take: `cargo run --release -p boost --example nine_quantiles -- ROWS
//! COLUMNS ROUNDS OPEN_SHARE THREADS` (all optional). Prints seconds and the mean pinball loss.
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::time::Instant;

use boost::{Columns, Params, Target, train};

const LEVELS: [f64; 9] = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95];

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

fn main() -> Result<(), boost::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, otherwise: f64| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (n_rows, n_columns) = (argument(0, 70_000.0) as usize, argument(1, 80.0) as usize);
    let (rounds, open_share) = (argument(2, 120.0) as u32, argument(3, 0.1));
    let threads = Some(argument(4, 2.0) as usize);
    let mut draws = Draws(1);
    let mut columns = vec![Vec::with_capacity(n_rows); n_columns];
    let (mut values, mut observed, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rows {
        let row: Vec<f64> = (0..n_columns).map(|_| draws.next()).collect();
        for (place, (column, value)) in columns.iter_mut().zip(&row).enumerate() {
            let value = match place % 8 {
                7 => (value * 12.0).floor(),
                6 if draws.next() < 0.3 => f64::NAN,
                _ => *value,
            };
            column.push(value as f32);
        }
        let signal = 3.0 * row[0] + 2.0 * row[1] * row[2] + (6.0 * row[3]).sin() + row[4] + row[7];
        let noise = -(1.0 - draws.next()).ln() * (0.5 + row[5]);
        let outcome = 2.0 + signal + noise;
        let age = draws.next() * 5.0 / open_share.max(1e-9);
        outcomes.push(outcome);
        values.push(outcome.min(age) as f32);
        observed.push(outcome <= age);
    }
    let categorical = vec![false; n_columns];
    let params = Params { rounds, threads, ..Params::default() }.check()?;
    let target = Target::Quantiles { values: &values, observed: &observed, levels: &LEVELS };
    let open = observed.iter().filter(|&&observed| !observed).count();
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
            let error = outcome - f64::from(*quantile);
            loss += (level * error).max((level - 1.0) * error);
        }
    }
    let loss = loss / predicted.len() as f64;
    let bytes = model.encode().len();
    println!("rows {n_rows} columns {n_columns} rounds {rounds} open {open} threads {threads:?}");
    println!(
        "train {trained:.2} s, predict {scored:.2} s, one row {row_micros:.1} us (sum {sum:.1})"
    );
    println!("{bytes} bytes, pinball {loss:.4}");
    Ok(())
}
