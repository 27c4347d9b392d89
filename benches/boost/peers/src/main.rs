//! One measured run of a peer in Rust, in the form of ours: reads Parquet, trains, predicts, writes
//! the predictions as plain f32 row by row, and prints a line of JSON.

#[path = "../../ours/src/memory.rs"]
mod memory;
#[path = "../../ours/src/objective.rs"]
mod objective;
#[path = "../../ours/src/table.rs"]
mod table;

mod exact;
mod hess;
mod perpetual_booster;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use crate::objective::Objective;
use crate::table::Table;

/// Measures a peer's training
#[derive(Parser)]
struct Arguments {
    peer: Peer,
    /// Parquet, or a folder of its parts
    #[arg(long)]
    train: PathBuf,
    /// Only the first so many rows
    #[arg(long, default_value_t = usize::MAX)]
    rows: usize,
    /// Parquet, or a folder of its parts
    #[arg(long)]
    test: PathBuf,
    /// squared, quantile:LEVEL, quantiles9 or over:HOURS
    #[arg(long)]
    objective: Objective,
    /// Parameters as JSON
    #[arg(long, value_parser = params)]
    params: Params,
    /// Where the predictions go: f32, little-endian, n_rows x n_outputs
    #[arg(long)]
    predictions: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Peer {
    Hessboost,
    Perpetual,
    Smartcore,
    SmartcoreExtra,
    Linfa,
}

/// The parameters that all peers share; each peer's file says which it does not have.
#[derive(Clone, Deserialize)]
pub struct Params {
    rounds: usize,
    leaves: usize,
    bins: usize,
    learning_rate: f64,
    rows_in_leaf_min: usize,
    threads: usize,
    #[serde(default)]
    quantized: bool,
}

/// Rows to train on or to predict.
pub struct Rows {
    columns: Vec<Vec<f32>>,
    categorical: Vec<bool>,
}

/// A trained model, and the time and memory that training took.
pub struct Trained {
    seconds: f64,
    start_mib: f64,
    peak_mib: f64,
    rounds: usize,
    /// Predicts rows. Shapes: n_rows x n_outputs, row by row.
    predict: Box<dyn Fn(&Rows) -> Result<Vec<f32>>>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let features = |name: &str| !matches!(name, "outcome" | "value" | "observed");
    let mut known =
        Table::read(&arguments.train, arguments.rows, |name| name == "outcome" || features(name))?;
    let outcome = known.take("outcome")?;
    let rows = outcome.len();
    let categorical: Vec<bool> = known.names.iter().map(|name| name.starts_with('c')).collect();
    let known = Rows { columns: known.columns, categorical: categorical.clone() };
    let data_mib = memory::mib_of(&known.columns) + memory::mib_of(&[&outcome]);
    let (objective, params) = (&arguments.objective, &arguments.params);
    let trained = match arguments.peer {
        Peer::Hessboost => hess::train(known, outcome, objective, params)?,
        Peer::Perpetual => perpetual_booster::train(known, outcome, objective, params)?,
        Peer::Smartcore => exact::forest(exact::Forest::Random, known, outcome, objective, params)?,
        Peer::SmartcoreExtra => {
            exact::forest(exact::Forest::Extra, known, outcome, objective, params)?
        }
        Peer::Linfa => exact::tree(known, outcome, objective, params)?,
    };
    let test = Table::read(&arguments.test, usize::MAX, features)?;
    let test = Rows { columns: test.columns, categorical };
    let started = Instant::now();
    let predictions = (trained.predict)(&test)?;
    let predict_seconds = started.elapsed().as_secs_f64();
    let bytes: Vec<u8> = predictions.iter().flat_map(|number| number.to_le_bytes()).collect();
    let path = &arguments.predictions;
    std::fs::write(path, bytes).with_context(|| path.display().to_string())?;
    let name = arguments.peer.to_possible_value();
    let line = json!({
        "engine": name.as_ref().map_or("", |name| name.get_name()), "rows": rows,
        "rounds": trained.rounds, "seconds": trained.seconds, "predict_seconds": predict_seconds,
        "data_mib": data_mib, "start_mib": trained.start_mib,
        "peak_mib": trained.peak_mib,
    });
    println!("{line}");
    Ok(())
}

fn params(text: &str) -> Result<Params, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
