//! One measured run of our training, a process of its own so that memory is its own too: reads
//! Parquet, trains, predicts, writes the predictions as plain f32 row by row, and prints a line of
//! JSON. `benches/boost/run.py` starts it.

mod memory;
mod objective;
mod origins;
mod table;
mod training;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use boost::{Columns, Params};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::objective::Objective;
use crate::table::Table;

/// Measures our training
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    run: Run,
}

#[derive(Subcommand)]
enum Run {
    /// Trains on one table and predicts another
    Train(Train),
    /// Trains at each origin of an exported backtest and predicts what followed
    Origins(origins::Origins),
}

#[derive(clap::Args)]
struct Train {
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
    /// Trains on the right-censored `value` and `observed` instead of `outcome`
    #[arg(long)]
    censored: bool,
    /// Parameters as JSON; what is left out has its default
    #[arg(long, value_parser = params, default_value = "{}")]
    params: Params,
    /// Where the predictions go: f32, little-endian, n_rows x n_outputs
    #[arg(long)]
    predictions: PathBuf,
}

fn main() -> Result<()> {
    let line = match Arguments::parse().run {
        Run::Train(arguments) => train(&arguments)?,
        Run::Origins(arguments) => origins::run(&arguments)?,
    };
    println!("{line}");
    Ok(())
}

fn train(arguments: &Train) -> Result<Value> {
    ensure!(
        !arguments.censored || matches!(arguments.objective, Objective::Quantiles(_)),
        "only quantiles can be trained on censored outcomes"
    );
    let wanted = |name: &str| match name {
        "outcome" => !arguments.censored,
        "value" | "observed" => arguments.censored,
        _ => true,
    };
    let mut table = Table::read(&arguments.train, arguments.rows, wanted)?;
    let values = table.take(if arguments.censored { "value" } else { "outcome" })?;
    let observed = if arguments.censored { Some(table.take("observed")?) } else { None };
    let observed: Option<Vec<bool>> =
        observed.map(|column| column.iter().map(|&truth| truth != 0.0).collect());
    let categorical: Vec<bool> = table.names.iter().map(|name| name.starts_with('c')).collect();
    let data_mib = memory::mib_of(&table.columns) + memory::mib_of(&[&values]);
    let start_mib = memory::mib("VmRSS")?;
    memory::reset_peak();

    let started = Instant::now();
    let columns = Columns::new(&table.columns, &categorical);
    let (objective, params) = (&arguments.objective, &arguments.params);
    let model = training::train(columns, &values, observed.as_deref(), objective, params)?;
    let seconds = started.elapsed().as_secs_f64();
    let peak_mib = memory::mib("VmHWM")?;
    drop(table);

    let features = |name: &str| !matches!(name, "outcome" | "value" | "observed");
    let test = Table::read(&arguments.test, usize::MAX, features)?;
    let started = Instant::now();
    let mut predictions = model.predict(&test.columns)?;
    if let Objective::Over(_) = arguments.objective {
        predictions.iter_mut().for_each(|log_odds| *log_odds = 1.0 / (1.0 + (-*log_odds).exp()));
    }
    let predict_seconds = started.elapsed().as_secs_f64();
    // As the peers write theirs.
    let predictions: Vec<f32> = predictions.iter().map(|&prediction| prediction as f32).collect();
    write(&arguments.predictions, &predictions)?;
    Ok(json!({
        "engine": "ours", "rows": values.len(), "rounds": model.trees().len(), "seconds": seconds,
        "predict_seconds": predict_seconds, "data_mib": data_mib,
        "start_mib": start_mib, "peak_mib": peak_mib, "digest": digest(&model),
    }))
}

/// Of the bytes of a model.
fn digest(model: &boost::Model) -> String {
    Sha256::digest(model.encode()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parameters from JSON, the others at their defaults.
fn params(text: &str) -> Result<Params, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn write(path: &Path, numbers: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}
