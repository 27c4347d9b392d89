//! Hold-outs: orders of a span of time with their outcomes as known at a later moment, and the
//! forecasts and baselines for them.

use anyhow::Result;
use evaluate::baseline::{self, PastDeliveries};
use evaluate::{Forecast, Shipments};
use features::PROMISED_HOURS;
use terms::{AsOf, Instant, column};

use crate::stages::features::FeatureSet;
use crate::stages::segments::segments;

/// The orders of a span of time, which a model trained as of its start has not seen.
pub(crate) struct Holdout {
    /// Positions of their rows in the feature set.
    pub(crate) rows: Vec<usize>,
    /// The same rows as the input of an evaluation.
    pub(crate) shipments: Shipments,
}

impl Holdout {
    /// The orders from `start` up to, not including, `end`, with outcomes as known at `now`.
    ///
    /// # Errors
    /// If the feature set lacks a column.
    pub(crate) fn new(
        feature_set: &FeatureSet,
        (start, end): (AsOf, AsOf),
        now: AsOf,
    ) -> Result<Self> {
        let rows = feature_set.ordered_between(start.instant(), end.instant()).collect::<Vec<_>>();
        let shipments = shipments(feature_set, &rows, now)?;
        Ok(Self { rows, shipments })
    }
}

/// Some rows of the feature set as the input of an evaluation: with outcomes as known at `now`, what
/// was promised, and the segments.
///
/// # Errors
/// If the feature set lacks a column.
pub(crate) fn shipments(feature_set: &FeatureSet, rows: &[usize], now: AsOf) -> Result<Shipments> {
    let outcomes = feature_set.outcomes.as_of(now);
    let promised = feature_set.frame.numbers(PROMISED_HOURS)?;
    let ordered_at = feature_set.outcomes.ordered_at();
    Ok(Shipments {
        ordered_at: rows.iter().map(|&row| ordered_at[row]).collect(),
        actual_hours: rows.iter().map(|&row| outcomes[row].delivered()).collect(),
        promised_hours: rows.iter().map(|&row| promised[row]).collect(),
        segments: segments(feature_set, rows)?,
    })
}

/// Distributions as a forecast.
pub(crate) fn forecast(name: &str, distributions: &[scorer::Distribution]) -> Forecast {
    Forecast {
        name: name.to_owned(),
        hours: distributions.iter().map(|d| d.hours).collect(),
        probability_over_2d: Some(distributions.iter().map(|d| d.probability_over_2d).collect()),
        probability_by_day: Some(distributions.iter().map(|d| d.by_day).collect()),
    }
}

/// The baselines for a hold-out, from deliveries known at `origin`. A lane is a pair of regions.
///
/// # Errors
/// If no delivery was known at `origin`, or the feature set lacks the regions.
pub(crate) fn baselines(
    feature_set: &FeatureSet,
    holdout: &Holdout,
    origin: AsOf,
) -> Result<Vec<Forecast>> {
    let from = feature_set.frame.texts(column::ORIGIN_REGION)?;
    let to = feature_set.frame.texts(column::DESTINATION_REGION)?;
    let lane = |row: usize| (from[row].clone(), to[row].clone());
    let deliveries = feature_set.outcomes.deliveries(origin);
    let lanes: Vec<_> = deliveries.iter().map(|delivery| lane(delivery.row)).collect();
    let known_at: Vec<Instant> = deliveries.iter().map(|delivery| delivery.recorded_at).collect();
    let hours: Vec<f32> = deliveries.iter().map(|delivery| delivery.hours).collect();
    let past = PastDeliveries { lanes: &lanes, known_at: &known_at, hours: &hours };
    let lanes: Vec<_> = holdout.rows.iter().map(|&row| lane(row)).collect();
    let global = baseline::global_quantiles(&past, origin, holdout.rows.len())?;
    let promise = baseline::promise(&holdout.shipments.promised_hours, &global)?;
    let lane_median = baseline::lane_median_28d(&past, origin, &lanes)?;
    Ok(promise.into_iter().chain([lane_median, global]).collect())
}
