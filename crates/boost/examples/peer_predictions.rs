//! Trains on one CSV file and predicts another, for `tests/peers/compare.py`: `peer_predictions
//! TRAIN TEST LOSS ROUNDS LEAVES LEARNING_RATE ROWS_IN_LEAF L2`. LOSS is `squared`, `log_odds` or
//! `quantile:LEVEL`. Files have no header; the last column of TRAIN is the outcome, TEST has no
//! outcome, and an empty field is missing. Prints a prediction a line.
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::path::Path;

use boost::{Columns, Params, Target, train};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train_file, test_file, loss, rounds, leaves, learning_rate, rows_in_leaf, l2] =
        arguments.as_slice()
    else {
        return Err("TRAIN TEST LOSS ROUNDS LEAVES LEARNING_RATE ROWS_IN_LEAF L2".into());
    };
    let mut columns = read(train_file.as_ref())?;
    let values = columns.pop().ok_or("no columns")?;
    let params = Params {
        rounds: rounds.parse()?,
        leaves: leaves.parse()?,
        learning_rate: learning_rate.parse()?,
        rows_in_leaf_min: rows_in_leaf.parse()?,
        l2: l2.parse()?,
        // As the peers: every split may use every column.
        feature_fraction_per_split: 1.0,
        ..Params::default()
    };
    let (outcomes, observed): (Vec<bool>, Vec<bool>);
    let level;
    let target = match loss.split_once(':') {
        None if loss == "squared" => Target::Mean { values: &values },
        None if loss == "log_odds" => {
            outcomes = values.iter().map(|&value| value > 0.5).collect();
            Target::Probability { outcomes: &outcomes }
        }
        Some(("quantile", text)) => {
            (level, observed) = ([text.parse()?], vec![true; values.len()]);
            Target::Quantiles { values: &values, observed: &observed, levels: &level }
        }
        _ => return Err(format!("unknown loss {loss}").into()),
    };
    let categorical = vec![false; columns.len()];
    let model = train(&Columns::new(&columns, &categorical), &target, &params.check()?)?;
    for prediction in model.predict(&read(test_file.as_ref())?)? {
        println!("{prediction}");
    }
    Ok(())
}

/// The columns of a CSV file.
fn read(path: &Path) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut columns: Vec<Vec<f32>> = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        columns.resize(fields.len(), Vec::new());
        for (column, field) in columns.iter_mut().zip(fields) {
            column.push(if field.is_empty() { f32::NAN } else { field.parse()? });
        }
    }
    Ok(columns)
}
