//! Training at one origin after another, on the matrix that `longhaul backtest … --export` wrote.
//!
//! `labels.parquet` has, for each origin, the role of rows of `matrix.parquet`: delivered, with the
//! delivery hours; open (right-censored), with the hours so far; or to be predicted. Predictions
//! are written in the order of its `predict` rows, which is that of `predictions.parquet`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use boost::{Columns, Params};
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::objective::{NINE, Objective};
use crate::table::{self, Table, each};

#[derive(clap::Args)]
pub struct Origins {
    /// The folder of the exported backtest
    #[arg(long)]
    folder: PathBuf,
    /// Trains on open shipments as well, as right-censored rows
    #[arg(long)]
    censored: bool,
    /// Parameters as JSON; what is left out has its default
    #[arg(long, value_parser = crate::params, default_value = "{}")]
    params: Params,
    /// Where the predictions go: f32, little-endian, n_rows x 9
    #[arg(long)]
    predictions: PathBuf,
}

/// The rows of one origin: those to train on with their outcomes, and those to predict.
#[derive(Default)]
struct Origin {
    rows: Vec<u32>,
    hours: Vec<f32>,
    delivered: Vec<bool>,
    to_predict: Vec<u32>,
}

pub fn run(arguments: &Origins) -> Result<Value> {
    let path = arguments.folder.join("matrix.parquet");
    let matrix = Table::read(&path, usize::MAX, |_| true)?;
    let categorical = categorical(&arguments.folder.join("features.json"))?;
    let origins = read(&arguments.folder.join("labels.parquet"), arguments.censored)?;
    let objective = Objective::Quantiles(NINE.to_vec());
    let (mut seconds, mut rows, mut predictions) = (0.0, 0, Vec::new());
    for origin in origins.values() {
        let features = take(&matrix, &origin.rows);
        let columns = Columns::new(&features, &categorical);
        let (hours, delivered) = (&origin.hours, Some(origin.delivered.as_slice()));
        let started = Instant::now();
        let model =
            crate::training::train(columns, hours, delivered, &objective, &arguments.params)?;
        seconds += started.elapsed().as_secs_f64();
        rows += origin.rows.len();
        let predicted = model.predict(&take(&matrix, &origin.to_predict))?;
        predictions.extend(predicted.into_iter().map(|quantile| quantile as f32));
    }
    crate::write(&arguments.predictions, &predictions)?;
    Ok(json!({
        "engine": "ours", "origins": origins.len(), "rows": rows, "seconds": seconds,
    }))
}

fn take(matrix: &Table, rows: &[u32]) -> Vec<Vec<f32>> {
    let columns = matrix.columns.iter();
    columns.map(|column| rows.iter().map(|&row| column[row as usize]).collect()).collect()
}

fn categorical(path: &Path) -> Result<Vec<bool>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let features: Vec<Value> = serde_json::from_str(&text)?;
    Ok(features.iter().map(|feature| feature["kind"] != "numeric").collect())
}

/// Origins in rising order, as the file has them.
fn read(path: &Path, censored: bool) -> Result<BTreeMap<i64, Origin>> {
    let reader = table::open(path)?;
    let names = table::names(&reader);
    let at = |name: &str| {
        let at = names.iter().position(|other| other == name);
        at.with_context(|| format!("{} has no column {name:?}", path.display()))
    };
    let (mut moments, mut rows, mut hours) = (Vec::new(), Vec::new(), Vec::new());
    let all = reader.metadata().file_metadata().num_rows() as usize;
    table::append(&reader, at("origin")?, all, &mut moments, |number| number as i64)?;
    table::append(&reader, at("row")?, all, &mut rows, |number| number as u32)?;
    table::append(&reader, at("hours")?, all, &mut hours, |number| number as f32)?;
    let roles = roles(&reader, at("role")?)?;
    let mut origins: BTreeMap<i64, Origin> = BTreeMap::new();
    for (((moment, row), hours), role) in moments.into_iter().zip(rows).zip(hours).zip(roles) {
        let origin = origins.entry(moment).or_default();
        match role {
            Role::Predict => origin.to_predict.push(row),
            Role::Open if !censored => {}
            role => {
                origin.rows.push(row);
                origin.hours.push(hours);
                origin.delivered.push(role == Role::Delivered);
            }
        }
    }
    Ok(origins)
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Delivered,
    Open,
    Predict,
}

fn roles(reader: &SerializedFileReader<File>, column: usize) -> Result<Vec<Role>> {
    let mut roles = Vec::new();
    let mut unknown = None;
    for group in 0..reader.num_row_groups() {
        let ColumnReader::ByteArrayColumnReader(column) =
            reader.get_row_group(group)?.get_column_reader(column)?
        else {
            bail!("expected roles as text");
        };
        each(column, usize::MAX, |role| match role.as_ref().map(|role| role.data()) {
            Some(b"delivered") => roles.push(Role::Delivered),
            Some(b"open") => roles.push(Role::Open),
            Some(b"predict") => roles.push(Role::Predict),
            _ => unknown = Some(role),
        })?;
    }
    match unknown {
        None => Ok(roles),
        Some(role) => bail!("expected delivered, open or predict, found {role:?}"),
    }
}
