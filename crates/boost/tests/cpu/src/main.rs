//! Trains nine quantiles of right-censored outcomes and the log-odds of an event, on generated data,
//! predicts and explains rows with both, and prints all that came out: a name and bytes in hexadecimal
//! a line. Whatever the processor and the number of threads, it is to print the same.

use std::error::Error;

use boost::{Columns, Direction, Model, Params, Target, train};
use statistics::SplitMix64;

const ROWS: usize = 6_000;
const LEVELS: [f64; 9] = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95];
/// Rows that are explained.
const EXPLAINED: usize = 100;

struct Data {
    columns: Vec<Vec<f32>>,
    values: Vec<f32>,
    observed: Vec<bool>,
    outcomes: Vec<bool>,
}

/// Numbers, many of them missing, one of few values, and 40 categories. Only operations that are exact
/// or rounded by IEEE 754 are used.
fn data() -> Data {
    let mut random = SplitMix64::new(20);
    let mut columns = vec![Vec::with_capacity(ROWS); 10];
    let (mut values, mut observed, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let row: Vec<f64> = (0..10).map(|_| random.unit()).collect();
        let category = random.below(40);
        for (at, (column, value)) in columns.iter_mut().zip(&row).enumerate() {
            column.push(match at {
                9 => category as f32,
                8 => (value * 5.0).floor() as f32,
                7 if random.unit() < 0.4 => f32::NAN,
                _ => *value as f32,
            });
        }
        let signal = 3.0 * row[0] + 2.0 * row[1] * row[2] + row[3] * row[3] + (category % 7) as f64 / 3.0;
        let noise = random.unit() * random.unit() * (0.5 + 2.0 * row[4]);
        let (outcome, age) = (1.0 + signal + noise, 12.0 * random.unit());
        values.push(outcome.min(age) as f32);
        observed.push(outcome <= age);
        outcomes.push(random.unit() < row[5] * row[0]);
    }
    Data { columns, values, observed, outcomes }
}

fn print(name: &str, bytes: impl IntoIterator<Item = u8>) {
    let text: String = bytes.into_iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{name} {text}");
}

fn print_model(name: &str, model: Model, columns: &[Vec<f32>]) -> Result<(), Box<dyn Error>> {
    let model = model.counted(columns)?;
    print(&format!("{name}.model"), model.encode());
    let predicted = model.predict(columns)?;
    print(&format!("{name}.predictions"), predicted.iter().flat_map(|value| value.to_le_bytes()));
    let explainer = model.explainer();
    let mut values = vec![0.0; model.n_features() * model.n_outputs()];
    let mut explanations = explainer.expected().to_vec();
    for row in 0..EXPLAINED {
        let row: Vec<f32> = columns.iter().map(|column| column[row]).collect();
        explainer.explain_row(&row, &mut values);
        explanations.extend(&values);
    }
    let bytes = explanations.iter().flat_map(|value| value.to_le_bytes());
    print(&format!("{name}.explanations"), bytes);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Data { columns, values, observed, outcomes } = data();
    let mut categorical = [false; 10];
    categorical[9] = true;
    let mut directions = [None; 10];
    directions[0] = Some(Direction::Rising);
    let of_columns = Columns::new(&columns, &categorical).directed(&directions);

    let params = Params { rounds: 30, row_fraction_per_tree: 0.7, ..Params::default() }.check()?;
    let target = Target::Quantiles { values: &values, observed: &observed, levels: &LEVELS };
    print_model("quantiles", train(&of_columns, &target, &params)?, &columns)?;

    let params = Params {
        rounds: 60,
        early_stopping_rows: 1_000,
        early_stopping_rounds: 10,
        ..Params::default()
    };
    let target = Target::Probability { outcomes: &outcomes };
    print_model("log_odds", train(&of_columns, &target, &params.check()?)?, &columns)
}
