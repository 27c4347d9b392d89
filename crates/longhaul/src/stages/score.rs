//! Score: the open shipments, by the champion.

use std::collections::BTreeMap;

use anyhow::Result;
use artifact::Bundle;
use serde::{Deserialize, Serialize};
use terms::{Outcome, column};

use crate::predictions::{Predictions, to_parquet};
use crate::refusal::Refusal;
use crate::report::count;
use crate::settings::Resolved;
use crate::stage::{self, Done, Night, Output};
use crate::stages::features::Known;

/// The predictions.
pub(crate) const PREDICTIONS: &str = "predictions.parquet";

/// What the stage says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The model that scored.
    pub(crate) model_id: String,
    /// Open shipments.
    pub(crate) rows: usize,
}

/// Writes one prediction for each shipment that is open at the as-of.
///
/// # Errors
/// If there is no model that knew no more than the as-of, or its features are not built any more.
pub(crate) fn run(night: &Night<'_>, resolved: &Resolved, features: &Done) -> Result<Done> {
    let model_id = model_known(night)?;
    let given_still_open = resolved.settings.score.given_still_open;
    let mut inputs = Known::inputs(features);
    inputs.insert("model".to_owned(), model_id.clone());
    inputs.insert("given_still_open".to_owned(), given_still_open.to_string());
    stage::run(night, "score", inputs, || {
        let bundle = artifact::read(night.store, &model_id)?;
        let known = Known::read(night, features)?;
        let predictions = score(night, &known, &bundle, given_still_open)?;
        let summary = Summary { model_id: model_id.clone(), rows: predictions.shipment_id.len() };
        Ok(Output {
            line: format!("{} open shipments by {model_id}", count(summary.rows)),
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([(
                PREDICTIONS.to_owned(),
                to_parquet(predictions.into_frame()?)?,
            )]),
        })
    })
}

/// The champion; or, for an earlier night, the newest model that passed and knew no more than it.
fn model_known(night: &Night<'_>) -> Result<String> {
    if let Some(champion) = artifact::current(night.store)?
        && champion.as_of <= night.as_of
    {
        return Ok(champion.model_id);
    }
    let models = artifact::list(night.store)?.into_iter();
    let mut earlier = models.filter(|m| m.about.passed && m.about.as_of <= night.as_of);
    earlier.next().map(|manifest| manifest.model_id).ok_or_else(|| {
        Refusal::Missing {
            what: format!("score as of {}", night.as_of),
            expected: "a published model of that moment or before".to_owned(),
            way_out: "longhaul publish trains and publishes one".to_owned(),
        }
        .into()
    })
}

fn score(
    night: &Night<'_>,
    known: &Known,
    bundle: &Bundle,
    given_still_open: bool,
) -> Result<Predictions> {
    let scorer = bundle.scorer()?;
    let matrix = features::encode(&known.frame, scorer.features())?;
    let outcomes = known.outcomes.as_of(night.as_of);
    let open: Vec<(usize, f32)> = outcomes
        .iter()
        .enumerate()
        .filter_map(|(row, outcome)| match outcome {
            Outcome::Open(hours) => Some((row, *hours)),
            Outcome::Delivered(_) | Outcome::Excluded => None,
        })
        .collect();
    let rows: Vec<usize> = open.iter().map(|&(row, _)| row).collect();
    let shipment_ids = known.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = known.frame.texts(column::ORDER_ID)?;
    let open_for: Option<Vec<f32>> =
        given_still_open.then(|| open.iter().map(|&(_, hours)| hours).collect());
    let distributions = match &open_for {
        Some(hours) => scorer.score_open(&matrix.take(&rows), hours)?,
        None => scorer.score(&matrix.take(&rows))?,
    };
    let mut predictions = Predictions::default();
    for (row, distribution) in rows.into_iter().zip(distributions) {
        let ids = (&shipment_ids[row], &order_ids[row]);
        let ids = (ids.0.as_deref().unwrap_or_default(), ids.1.as_deref().unwrap_or_default());
        predictions.push(ids, night.as_of, bundle.model_id(), distribution);
    }
    Ok(predictions)
}
