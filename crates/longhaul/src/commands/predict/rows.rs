//! Rows of features from a file, scored some at a time: Parquet (also the months of `state/rows`), or
//! JSON lines.
#![expect(clippy::disallowed_methods, reason = "rows are a file of the caller's")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use scorer::{Distribution, Scorer};
use serde_json::{Map, Value, json};
use terms::{Feature, FeatureList, column};

use crate::refusal::Refusal;

/// How many JSON lines are scored at a time.
const LINES: usize = 10_000;

/// The ids of a row, as far as it has any.
pub(super) type Ids = Map<String, Value>;

/// Rows with what is predicted for each, in their order.
pub(super) type Chunk = Vec<(Ids, Distribution)>;

/// What takes the chunks; it says whether it wants more.
pub(super) type Sink<'a> = dyn FnMut(Chunk) -> Result<bool> + 'a;

/// Scores the rows of a file and hands them on, until there are no more or nobody wants them.
///
/// # Errors
/// If the file cannot be read, or a row lacks a feature; and those of `sink`.
pub(super) fn for_each_chunk(scorer: &Scorer, rows: &Path, sink: &mut Sink<'_>) -> Result<()> {
    if rows.extension().is_some_and(|end| end == "parquet") {
        of_parquet(scorer, rows, sink)
    } else {
        of_lines(scorer, rows, sink)
    }
}

fn of_parquet(scorer: &Scorer, rows: &Path, sink: &mut Sink<'_>) -> Result<()> {
    let path = || rows.display().to_string();
    let file = std::fs::File::open(rows).with_context(path)?;
    for scored in score_batches(scorer, file, &path())? {
        let (batch, distributions) = scored.with_context(path)?;
        let mut ids = vec![Ids::new(); batch.num_rows()];
        for name in [column::SHIPMENT_ID, column::ORDER_ID] {
            if let Some(values) = batch.column_by_name(name) {
                let values = arrow::compute::cast(values, &DataType::Utf8)?;
                if let Some(values) = values.as_any().downcast_ref::<StringArray>() {
                    for (ids, value) in ids.iter_mut().zip(values) {
                        ids.insert(name.to_owned(), json!(value));
                    }
                }
            }
        }
        if !sink(ids.into_iter().zip(distributions).collect())? {
            break;
        }
    }
    Ok(())
}

/// The batches of a Parquet file, each with its predictions. `place` is where it is, for errors.
fn score_batches<'a>(
    scorer: &'a Scorer,
    file: impl ChunkReader + 'static,
    place: &str,
) -> Result<impl Iterator<Item = Result<(RecordBatch, Vec<Distribution>)>> + 'a> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).with_context(|| place.to_owned())?;
    check_columns(scorer.features(), reader.schema(), place)?;
    let reader = reader.build().with_context(|| place.to_owned())?;
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
    for scored in score_batches(scorer, rows, "rows")? {
        all.extend(scored?.1);
    }
    Ok(all)
}

/// All features that have no column, at once.
fn check_columns(features: &FeatureList, schema: &Schema, place: &str) -> Result<()> {
    let is_missing = |feature: &&Feature| schema.column_with_name(&feature.name).is_none();
    let missing: Vec<&Feature> = features.0.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let problem = missing_features(&missing, "column");
    Err(Refusal::Input { place: place.to_owned(), problem }.into())
}

fn of_lines(scorer: &Scorer, rows: &Path, sink: &mut Sink<'_>) -> Result<()> {
    let input: Box<dyn Read> = if rows == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(rows).with_context(|| rows.display().to_string())?)
    };
    let mut pending = Vec::new();
    for (number, text) in BufReader::new(input).lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            unreadable(rows, number, &format!("expected a JSON object, found: {error}"))
        })?;
        check_values(scorer.features(), &row)
            .map_err(|problem| unreadable(rows, number, &problem))?;
        pending.push(row);
        if pending.len() == LINES && !sink(score_objects(scorer, std::mem::take(&mut pending))?)? {
            return Ok(());
        }
    }
    if !pending.is_empty() {
        sink(score_objects(scorer, pending)?)?;
    }
    Ok(())
}

fn unreadable(rows: &Path, number: usize, problem: &str) -> Refusal {
    Refusal::Input {
        place: format!("{}: line {}", rows.display(), number + 1),
        problem: problem.to_owned(),
    }
}

/// Every feature needs a key, with null for a missing value: a misspelt key must not pass for one.
fn check_values(features: &FeatureList, row: &Map<String, Value>) -> Result<(), String> {
    let is_missing = |feature: &&Feature| !row.contains_key(&feature.name);
    let missing: Vec<&Feature> = features.0.iter().filter(is_missing).collect();
    if !missing.is_empty() {
        return Err(missing_features(&missing, "key"));
    }
    for feature in &features.0 {
        let expected =
            if feature.is_categorical() { "a string or null" } else { "a number or null" };
        match (row.get(&feature.name), feature.is_categorical()) {
            (None | Some(Value::Null), _)
            | (Some(Value::String(_)), true)
            | (Some(Value::Number(_)), false) => {}
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

/// What is said of features that a row or a file lacks: all of them, with what each is.
fn missing_features(missing: &[&Feature], what: &str) -> String {
    let name = |feature: &&Feature| {
        let kind = if feature.is_categorical() { "a string" } else { "a number" };
        format!("{} ({kind})", feature.name)
    };
    let names: Vec<String> = missing.iter().map(name).collect();
    let n = missing.len();
    let plural = if n == 1 { "" } else { "s" };
    format!(
        "expected a {what} for each feature, or null in it, found none for {n} feature{plural}: {}",
        names.join(", ")
    )
}

fn score_objects(scorer: &Scorer, rows: Vec<Map<String, Value>>) -> Result<Chunk> {
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
