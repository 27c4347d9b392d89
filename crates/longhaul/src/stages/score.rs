//! The score stage: predictions of the champion for open shipments and for lanes. Outputs:
//! `predictions.parquet`, `at_risk.parquet` and `speed_table.parquet`, each as its contract says, and
//! `speed_table.bin` for looking lanes up.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, Result};
use intake::{Contract, OutputFile};
use polars::prelude::DataFrame;
use scorer::{is_in_flight_file, is_model_file};
use serde::{Deserialize, Serialize};
use terms::{AsOf, DayGrid, count};

use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::features::{FeatureSet, OPEN};
use crate::stages::lanes::Lanes;
use crate::stages::late_shares::{LateShares, late_shares};
use crate::stages::open_shipments::OpenForecasts;
use crate::stages::speed_table::LaneTable;

/// The table of the predictions.
pub(crate) const PREDICTIONS: &str = "predictions";

/// The table of the open shipments that have a promise.
const AT_RISK: &str = "at_risk";

/// Rows that are a table in memory at the same time: of a million they would take gigabytes.
const ROWS_AT_ONCE: usize = 1 << 17;

/// The table of lanes.
const SPEED_TABLE: &str = "speed_table";

/// The name of the file of a table.
pub(crate) fn file_of(table: &str) -> String {
    format!("{table}.parquet")
}

/// File name of the same table as it is looked up; not there if nothing was ordered lately.
pub(crate) const SPEED_LOOKUP: &str = "speed_table.bin";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The model that scored.
    pub(crate) model_id: String,
    /// Open shipments.
    pub(crate) rows: usize,
    /// Those of them that have a promise.
    pub(crate) promised: usize,
    /// Lanes with enough recent orders, by all groupings.
    pub(crate) lanes: usize,
    /// Lanes and carriers that have become later.
    pub(crate) late_shares: LateShares,
}

/// Writes one prediction by a model for each shipment that is open at the as-of, and the lane speed
/// table.
///
/// # Errors
/// If the model cannot be read, or the feature set lacks a feature of it.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
    model_id: String,
) -> Result<StageResult> {
    let settings = &resolved.settings.score;
    let given_still_open = settings.given_still_open;
    let shipments_min = settings.lane_shipments_min as usize;
    let mut inputs = FeatureSet::inputs(features);
    inputs.insert(OPEN.to_owned(), features.digest(OPEN));
    inputs.insert("model".to_owned(), model_id.clone());
    inputs.insert("given_still_open".to_owned(), given_still_open.to_string());
    inputs.insert("lane_shipments_min".to_owned(), shipments_min.to_string());
    stage::run(context, "score", inputs, || {
        let is_wanted = |name: &str| is_model_file(name) || is_in_flight_file(name);
        let bundle = artifact::read_files(context.store, &model_id, is_wanted)?;
        let scorer = bundle.scorer()?;
        let feature_set =
            FeatureSet::read_for_scoring(context, resolved, features, scorer.features())?;
        let matrix = &feature_set.matrix;
        let of_model = (context.as_of, model_id.as_str());
        let lanes = Lanes::of(&feature_set)?;
        let mut files = BTreeMap::new();
        let mut write = |table: &str, frames: &mut dyn Iterator<Item = Result<DataFrame>>| {
            let bytes = written(table, scorer.days(), of_model, frames)?;
            files.insert(file_of(table), bytes);
            anyhow::Ok(())
        };
        let model = (matrix, &scorer);
        let table = LaneTable::of(&feature_set, (&lanes, shipments_min), model, of_model)?;
        let (n_lanes, lookup) = (table.n_rows(), table.to_file()?);
        write(SPEED_TABLE, &mut std::iter::once(table.to_frame()))?;
        drop(table);
        // Lanes before snapshots: each takes a gigabyte for a while.
        let in_flight = if given_still_open { bundle.in_flight_scorer()? } else { None };
        let snapshots = feature_set.open(context, features)?;
        let in_flight = (in_flight.as_ref(), &snapshots);
        let open =
            OpenForecasts::new(&feature_set, &scorer, in_flight, of_model, given_still_open)?;
        // Of a million open shipments they take half a gigabyte.
        drop(snapshots);
        let (rows, promised) = (open.len(), open.promised());
        // At least one part, so that a file has its columns.
        let parts = |n_rows: usize| {
            let starts = (0..n_rows.max(1)).step_by(ROWS_AT_ONCE);
            starts.map(move |start| start..n_rows.min(start + ROWS_AT_ONCE))
        };
        let at_risk = |part: Range<usize>| open.at_risk(&promised[part], &lanes);
        write(AT_RISK, &mut parts(promised.len()).map(at_risk))?;
        write(PREDICTIONS, &mut parts(rows).map(|part| open.predictions(part)))?;
        files.extend(lookup.map(|bytes| (SPEED_LOOKUP.to_owned(), bytes)));
        Ok(Output {
            line: format!(
                "{} open shipments and {} lanes by {model_id}",
                count(rows),
                count(n_lanes)
            ),
            summary: serde_json::to_value(&Summary {
                model_id: model_id.clone(),
                rows,
                promised: promised.len(),
                lanes: n_lanes,
                late_shares: late_shares((&feature_set, &lanes), matrix, &scorer, context.as_of)?,
            })?,
            files,
        })
    })
}

/// A table as the shipped contract for these days says.
fn written(
    table: &str,
    days: DayGrid,
    (as_of, model_id): (AsOf, &str),
    frames: &mut dyn Iterator<Item = Result<DataFrame>>,
) -> Result<Vec<u8>> {
    let contract = Contract::shipped_on(table, days);
    let contract = contract.with_context(|| format!("no contract of {table} is shipped"))??;
    let about = [("as_of", &*as_of.to_string()), ("model_id", model_id)];
    let mut file = OutputFile::new(&contract, &about);
    for frame in frames {
        file.write(&frame?)?;
    }
    Ok(file.finish()?)
}

/// The champion; if it is withdrawn or as of a later moment, the newest model that passed, is not, and is not
/// withdrawn.
///
/// # Errors
/// If there is none, or the store fails.
pub(super) fn model_as_of(context: &RunContext<'_>, pipeline: &str) -> Result<String> {
    let decisions = artifact::Decisions::of(context.store, pipeline)?;
    if let Some(champion) = artifact::current(context.store, pipeline)?
        && champion.as_of <= context.as_of
        && decisions.against(&champion.model_id).is_none()
    {
        return Ok(champion.model_id);
    }
    let models = artifact::eligible(context.store, pipeline)?.into_iter();
    let mut earlier = models.filter(|model| model.about.as_of <= context.as_of);
    let model = earlier.next().map(|manifest| manifest.model_id);
    Ok(model.ok_or_else(|| no_model(context.as_of))?)
}

/// Nothing has been published as of a moment.
pub(super) fn no_model(as_of: AsOf) -> Refusal {
    Refusal::Missing {
        what: format!("score as of {as_of}"),
        expected: "a published model of that moment or before".to_owned(),
        hint: "longhaul publish trains and publishes one".to_owned(),
    }
}
