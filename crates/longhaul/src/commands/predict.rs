//! The command `predict`: scores rows of features from a file, as a ranking service does.
//!
//! Rows are Parquet or JSON lines, and so are the predictions, in the same order.
#![expect(clippy::disallowed_methods, reason = "rows and predictions are files of the caller")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use polars::prelude::{Column, DataFrame, NamedFrom as _, Series};
use scorer::{Distribution, Scorer};
use serde_json::{Map, Value, json};
use store::Store;
use terms::{FeatureList, column};

use crate::command_output::envelope;
use crate::commands::models;
use crate::predictions::{by_day_column, distribution_columns, to_parquet};
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::settings::Resolved;

/// How many JSON lines are scored at a time.
const LINES: usize = 10_000;

/// Reads rows, scores them and writes predictions in the same order.
///
/// # Errors
/// If the model is not there, or a row lacks a feature.
pub(crate) fn run(
    resolved: &Resolved,
    model: &str,
    (rows, out): (&Path, &Path),
    reporter: &Reporter,
) -> Result<()> {
    let scorer = load(resolved, model)?;
    let scored = if has_extension(rows, "parquet") {
        score_parquet(&scorer, rows)?
    } else {
        score_lines(&scorer, rows)?
    };
    let mut result = json!({ "rows": scored.len() });
    if has_extension(out, "parquet") {
        let bytes = to_parquet(frame(&scorer, &scored)?)?;
        write_whole(out, &bytes)?;
    } else {
        let lines = scored.iter().map(|(ids, distribution)| line(&scorer, ids, distribution));
        if out == Path::new("-") {
            let lines: Vec<Value> = lines.collect();
            let text = || lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            result["predictions"] = json!(lines);
            if reporter.is_json() || !lines.is_empty() {
                reporter.result(&envelope("predict", result), text);
            }
            return Ok(());
        }
        write_whole(out, lines.map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    }
    result["out"] = json!(out);
    if reporter.is_json() {
        reporter.result(&envelope("predict", result), String::new);
    }
    Ok(())
}

/// A model in the store, or a folder that holds a bundle.
fn load(resolved: &Resolved, model: &str) -> Result<Scorer> {
    let folder = Path::new(model);
    if folder.join("manifest.json").is_file() {
        return Ok(Scorer::load(folder)?);
    }
    let store = Store::open(&resolved.store()?)?;
    let model_id = models::named(&store, model)?;
    Ok(artifact::read_files(&store, &model_id, scorer::is_model_file)?.scorer()?)
}

/// The ids of a row, as far as it has any.
type Ids = Map<String, Value>;

fn score_parquet(scorer: &Scorer, rows: &Path) -> Result<Vec<(Ids, Distribution)>> {
    let path = || rows.display().to_string();
    let file = std::fs::File::open(rows).with_context(path)?;
    let mut scored = Vec::new();
    for scored_batch in score_batches(scorer, file).with_context(path)? {
        let (batch, distributions) = scored_batch.with_context(path)?;
        let mut ids = vec![Ids::new(); batch.num_rows()];
        for name in [column::SHIPMENT_ID, column::ORDER_ID] {
            if let Some(values) = batch.column_by_name(name) {
                let values = arrow::compute::cast(values, &arrow::datatypes::DataType::Utf8)?;
                if let Some(values) = values.as_any().downcast_ref::<StringArray>() {
                    for (ids, value) in ids.iter_mut().zip(values) {
                        ids.insert(name.to_owned(), json!(value));
                    }
                }
            }
        }
        scored.extend(ids.into_iter().zip(distributions));
    }
    Ok(scored)
}

/// The batches of a Parquet file, each with its predictions.
fn score_batches<'a>(
    scorer: &'a Scorer,
    file: impl ChunkReader + 'static,
) -> Result<impl Iterator<Item = Result<(RecordBatch, Vec<Distribution>)>> + 'a> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
    Ok(reader.map(|batch| {
        let batch = batch?;
        let distributions = scorer.distributions(&batch)?;
        Ok((batch, distributions))
    }))
}

/// Scores rows of features given as Parquet.
///
/// # Errors
/// If they are no Parquet, or lack a feature.
pub(crate) fn score_bytes(scorer: &Scorer, rows: Bytes) -> Result<Vec<Distribution>> {
    let mut all = Vec::new();
    for scored in score_batches(scorer, rows)? {
        all.extend(scored?.1);
    }
    Ok(all)
}

fn score_lines(scorer: &Scorer, rows: &Path) -> Result<Vec<(Ids, Distribution)>> {
    let input: Box<dyn Read> = if rows == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(rows).with_context(|| rows.display().to_string())?)
    };
    let mut scored = Vec::new();
    let mut pending = Vec::new();
    for (number, text) in BufReader::new(input).lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            unreadable(rows, number, &format!("expected a JSON object, found: {error}"))
        })?;
        check_names(scorer.features(), &row)
            .map_err(|problem| unreadable(rows, number, &problem))?;
        pending.push(row);
        if pending.len() == LINES {
            scored.append(&mut score_objects(scorer, std::mem::take(&mut pending))?);
        }
    }
    scored.append(&mut score_objects(scorer, pending)?);
    Ok(scored)
}

fn unreadable(rows: &Path, number: usize, problem: &str) -> Refusal {
    Refusal::Input {
        place: format!("{}: line {}", rows.display(), number + 1),
        problem: problem.to_owned(),
    }
}

/// Every feature needs a key, with null for a missing value: a misspelt key must not pass for one.
fn check_names(features: &FeatureList, row: &Map<String, Value>) -> Result<(), String> {
    for feature in &features.0 {
        let expected =
            if feature.is_categorical() { "a string or null" } else { "a number or null" };
        match (row.get(&feature.name), feature.is_categorical()) {
            (Some(Value::Null), _)
            | (Some(Value::String(_)), true)
            | (Some(Value::Number(_)), false) => {}
            (None, _) => {
                return Err(format!(
                    "column {:?}: expected {expected}, found no such key",
                    feature.name
                ));
            }
            (Some(other), _) => {
                return Err(format!(
                    "column {:?}: expected {expected}, found {other}",
                    feature.name
                ));
            }
        }
    }
    Ok(())
}

fn score_objects(
    scorer: &Scorer,
    rows: Vec<Map<String, Value>>,
) -> Result<Vec<(Ids, Distribution)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let columns = scorer.features().0.iter().map(|feature| {
        let values = rows.iter().map(|row| row.get(&feature.name));
        let array: ArrayRef = if feature.is_categorical() {
            Arc::new(values.map(|v| v.and_then(Value::as_str)).collect::<StringArray>())
        } else {
            Arc::new(values.map(|v| v.and_then(Value::as_f64)).collect::<Float64Array>())
        };
        (feature.name.clone(), array)
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    let distributions = scorer.distributions(&batch)?;
    let ids = rows.into_iter().map(|row| {
        row.into_iter()
            .filter(|(name, _)| name == column::SHIPMENT_ID || name == column::ORDER_ID)
            .collect()
    });
    Ok(ids.zip(distributions).collect())
}

fn line(scorer: &Scorer, ids: &Ids, distribution: &Distribution) -> Value {
    let mut line = ids.clone();
    line.insert(column::MODEL_ID.to_owned(), json!(scorer.model_id()));
    line.insert(column::PROBABILITY_OVER_2D.to_owned(), json!(distribution.probability_over_2d));
    for (name, hours) in column::HOURS.into_iter().zip(distribution.hours) {
        line.insert(name.to_owned(), json!(hours));
    }
    line.insert(distribution.days.column(), json!(distribution.by_day.as_slice()));
    line.into()
}

fn frame(scorer: &Scorer, scored: &[(Ids, Distribution)]) -> Result<DataFrame> {
    let mut columns: Vec<Column> = Vec::new();
    for name in [column::SHIPMENT_ID, column::ORDER_ID] {
        let texts: Vec<Option<&str>> =
            scored.iter().map(|(ids, _)| ids.get(name).and_then(Value::as_str)).collect();
        if texts.iter().any(Option::is_some) {
            columns.push(Series::new(name.into(), texts).into());
        }
    }
    let model_ids = vec![scorer.model_id(); scored.len()];
    columns.push(Series::new(column::MODEL_ID.into(), model_ids).into());
    let distributions: Vec<&Distribution> = scored.iter().map(|(_, d)| d).collect();
    columns.extend(distribution_columns(&distributions));
    columns.push(by_day_column(scorer.days(), &distributions));
    Ok(DataFrame::new(scored.len(), columns)?)
}

/// Writes a file so that it appears whole or not at all.
fn write_whole(out: &Path, bytes: &[u8]) -> Result<()> {
    let path = || out.display().to_string();
    let partial = out.with_extension("partial");
    std::fs::write(&partial, bytes).with_context(path)?;
    std::fs::rename(&partial, out).with_context(path)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|end| end == extension)
}
