//! The score stage: predictions of the champion for open shipments and for lanes. Outputs:
//! `predictions.parquet`, `speed_table.parquet` and, for looking lanes up, `speed_table.bin`.

use std::collections::BTreeMap;

use anyhow::Result;
use scorer::{Scorer, is_model_file};
use serde::{Deserialize, Serialize};
use terms::{AsOf, Matrix, column, count};

use crate::predictions::{Predictions, to_parquet};
use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::features::FeatureSet;
use crate::stages::lanes::Lanes;
use crate::stages::speed_table::LaneTable;

/// File name of the predictions.
pub(crate) const PREDICTIONS: &str = "predictions.parquet";

/// File name of the lane speed table.
const SPEED_TABLE: &str = "speed_table.parquet";

/// File name of the same table as it is looked up; not there if nothing was ordered lately.
pub(crate) const SPEED_LOOKUP: &str = "speed_table.bin";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The model that scored.
    pub(crate) model_id: String,
    /// Open shipments.
    pub(crate) rows: usize,
    /// Lanes with enough recent orders, by all groupings.
    pub(crate) lanes: usize,
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
    inputs.insert("model".to_owned(), model_id.clone());
    inputs.insert("given_still_open".to_owned(), given_still_open.to_string());
    inputs.insert("lane_shipments_min".to_owned(), shipments_min.to_string());
    stage::run(context, "score", inputs, || {
        let bundle = artifact::read_files(context.store, &model_id, is_model_file)?;
        let feature_set = FeatureSet::read(context, resolved, features)?;
        let scorer = bundle.scorer()?;
        let matrix = features::encode(&feature_set.frame, scorer.features())?;
        let of_model = (context.as_of, model_id.as_str());
        let predictions = score(&feature_set, &matrix, &scorer, of_model, given_still_open)?;
        let lanes = Lanes::of(&feature_set)?;
        let model = (&matrix, &scorer);
        let table = LaneTable::of(&feature_set, (&lanes, shipments_min), model, of_model)?;
        let (rows, n_lanes) = (predictions.shipment_id.len(), table.n_rows());
        let mut files = BTreeMap::from([
            (PREDICTIONS.to_owned(), to_parquet(predictions.into_frame()?)?),
            (SPEED_TABLE.to_owned(), to_parquet(table.to_frame()?)?),
        ]);
        files.extend(table.to_file()?.map(|bytes| (SPEED_LOOKUP.to_owned(), bytes)));
        Ok(Output {
            line: format!(
                "{} open shipments and {} lanes by {model_id}",
                count(rows),
                count(n_lanes)
            ),
            summary: serde_json::to_value(&Summary {
                model_id: model_id.clone(),
                rows,
                lanes: n_lanes,
            })?,
            files,
        })
    })
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

/// The predictions for the shipments that are open at the as-of.
fn score(
    feature_set: &FeatureSet,
    matrix: &Matrix,
    scorer: &Scorer,
    (as_of, model_id): (AsOf, &str),
    given_still_open: bool,
) -> Result<Predictions> {
    let open = feature_set.outcomes.open(as_of);
    let rows: Vec<usize> = open.iter().map(|&(row, _)| row).collect();
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = feature_set.frame.texts(column::ORDER_ID)?;
    let open_for: Option<Vec<f32>> =
        given_still_open.then(|| open.iter().map(|&(_, hours)| hours).collect());
    let distributions = match &open_for {
        Some(hours) => scorer.score_open(&matrix.take(&rows), hours)?,
        None => scorer.score(&matrix.take(&rows))?,
    };
    let mut predictions = Predictions::on_days(scorer.days());
    for (row, distribution) in rows.into_iter().zip(distributions) {
        let ids = (&shipment_ids[row], &order_ids[row]);
        let ids = (ids.0.as_deref().unwrap_or_default(), ids.1.as_deref().unwrap_or_default());
        predictions.push(ids, as_of, model_id, distribution);
    }
    Ok(predictions)
}
