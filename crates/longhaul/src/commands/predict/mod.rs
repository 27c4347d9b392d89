//! The command `predict`: scores rows of features from a file, as a ranking service does.
//!
//! Rows are Parquet or JSON lines ([`rows`]); predictions are Parquet, CSV or JSON lines
//! ([`predicted`]), in the same order. Both are read and written some rows at a time, but for Parquet,
//! whose predictions are kept until it is written.

mod predicted;
mod rows;

use std::path::Path;

use anyhow::Result;
use scorer::Scorer;
use serde_json::json;

use self::predicted::{Form, Predicted};
pub(crate) use self::rows::score_bytes;
use crate::command_output::envelope;
use crate::commands::model_place::ModelPlace;
use crate::commands::models;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::settings::Resolved;

/// Reads rows, scores them and writes predictions in the same order. Whoever reads them from a pipe may
/// stop to read: that ends the work, and is no error.
///
/// # Errors
/// If the model is not there, or a row lacks a feature.
pub(crate) fn run(
    resolved: &Resolved,
    (model, in_flight): (&str, bool),
    (rows, out): (&Path, &Path),
    reporter: &Reporter,
) -> Result<()> {
    let form = Form::of(out)?;
    let scorer = match (ModelPlace::of(resolved, model)?, in_flight) {
        (ModelPlace::Folder(folder), false) => Scorer::load(&folder)?,
        (ModelPlace::Folder(folder), true) => Scorer::load_in_flight(&folder)?,
        (ModelPlace::Store(store, name), false) => {
            let model_id = models::named(&store, &name)?;
            artifact::read_files(&store, &model_id, scorer::is_model_file)?.scorer()?
        }
        (ModelPlace::Store(store, name), true) => {
            let model_id = models::named(&store, &name)?;
            let bundle = artifact::read_files(&store, &model_id, scorer::is_in_flight_file)?;
            bundle.in_flight_scorer()?.ok_or_else(|| not_in_flight(&model_id))?
        }
    };
    let mut predicted = Predicted::to(out, form, &scorer, reporter);
    rows::for_each_chunk(&scorer, rows, &mut |chunk| predicted.write(chunk))?;
    let mut result = json!({ "rows": predicted.n_rows() });
    match predicted.end()? {
        Some(lines) => result["predictions"] = lines,
        None => result["out"] = json!(out),
    }
    if reporter.is_json() {
        reporter.result(&envelope("predict", result), String::new);
    }
    Ok(())
}

/// A model without one of what is in flight.
fn not_in_flight(model_id: &str) -> Refusal {
    Refusal::Missing {
        what: format!("model {model_id}"),
        expected: "a model of what is in flight".to_owned(),
        hint:
            "it is published where [snapshots] are declared and it loses no more than the model of \
               orders; metrics.json (in_flight) has both"
                .to_owned(),
    }
}
