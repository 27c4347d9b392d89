//! The command `backtest --in-flight`: at one origin after another, the time that is left of shipments that
//! were open on the nights that followed, by the model of what is in flight, by that of orders given their
//! age, and by the lane. With `--export` it also writes the snapshots and what was known of them at each
//! origin, for another learner to try.

use std::collections::BTreeMap;

use anyhow::Result;
use evaluate::{Comparison, Forecast, ReportExtras, SegmentFamily};
use features::SNAPSHOT_AT;
use learn::NoCheckpoints;
use polars::prelude::*;
use scorer::{Distribution, TimeScale};
use serde_json::json;
use terms::{AsOf, DayGrid, Instant, column, count};

use crate::command_output::envelope;
use crate::commands::backtest::{inputs, overview};
use crate::commands::backtest_export::{
    BASELINES, FEATURES, LABELS, Labels, MATRIX, PREDICTIONS, TIME_SCALES, baselines_frame,
    matrix_frame, time_scales,
};
use crate::folds::Span;
use crate::left_out::LeftOut;
use crate::predictions::{Predictions, instants, to_parquet};
use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext};
use crate::stages::{
    self, FeatureSet, InFlight, REPORT, by_orders, lane_baseline_in_flight, snapshots_judged,
    time_left,
};

/// The name of the model of what is in flight, and of that of orders.
const IN_FLIGHT: &str = "in_flight";
const GIVEN_AGE: &str = "at_order_given_age";

/// File name of the snapshots: whose they are, when they were taken, and what became of them.
const SNAPSHOTS: &str = "snapshots.parquet";

/// Runs it, or finds that it was done, and writes its files to `backtests/<id>/`.
///
/// # Errors
/// If a stage fails, or no origin can be judged.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    span: Span,
    export: bool,
) -> Result<()> {
    let (_, features) = stages::features_of(context, resolved)?;
    let inputs = inputs("in_flight", resolved, &features, (span, export))?;
    let done = stage::run_backtest(context, inputs, || {
        let feature_set = FeatureSet::read(context, resolved, &features)?;
        work(context, resolved, &feature_set, (span, export))
    })?;
    let url = context.store.url().trim_end_matches('/');
    let summary = &done.manifest.summary;
    let result = json!({ "id": done.manifest.id, "folder": done.folder, "summary": summary });
    context.reporter.result(&envelope("backtest", result), || {
        format!("{}\n\n{url}/{}/{REPORT}", overview(summary), done.folder)
    });
    Ok(())
}

/// The forecasts of the snapshots of one origin.
struct Fold {
    origin: AsOf,
    positions: Vec<usize>,
    in_flight: Vec<Distribution>,
    /// By the model of orders given the age, and by the lane.
    baselines: [Forecast; 2],
    time_scale: TimeScale,
}

fn work(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    (span, export): (Span, bool),
) -> Result<Output> {
    let in_flight = InFlight::past(feature_set)?;
    if in_flight.snapshots.is_empty() {
        return Err(Refusal::NoSnapshots.into());
    }
    let (mut folds, mut left_out) = (Vec::new(), Vec::new());
    for (origin, next) in span.origins() {
        context.reporter.progress(format!("backtest {origin}"));
        match fold(resolved, &in_flight, (origin, next)) {
            Ok(Some(fold)) => folds.push(fold),
            Ok(None) => {}
            Err(error) => {
                left_out.push(LeftOut::because(&origin.to_string(), error, context.reporter)?);
            }
        }
    }
    if folds.is_empty() {
        let first = left_out.first().map_or_else(String::new, LeftOut::text);
        return Err(Refusal::EveryOriginLeftOut { n: left_out.len(), first, from: None }.into());
    }
    let days = resolved.settings.network.days();
    let mut files =
        if export { exported(context, &in_flight, &folds, days)? } else { BTreeMap::new() };
    let evaluation = evaluation(context, resolved, &in_flight, &folds)?;
    let extras = ReportExtras {
        title: format!(
            "{}: what was in flight from {} up to {}",
            resolved.settings.name, span.from, span.to
        ),
        header: left_out.iter().map(LeftOut::row).collect(),
        ..ReportExtras::default()
    };
    let report = evaluate::report(&evaluation, &extras);
    let judged = evaluation.counts.judged;
    files.insert("metrics.json".to_owned(), evaluation.to_json()?.into_bytes());
    files.insert(REPORT.to_owned(), report.into_bytes());
    Ok(Output {
        line: format!("{} snapshots judged", count(judged)),
        summary: json!({ "scores": stages::scores(&evaluation), "left_out": left_out }),
        files,
    })
}

/// The forecasts of the snapshots from an origin on, by models as of it; `None` if there are none, or no
/// delivery was known.
fn fold(
    resolved: &Resolved,
    in_flight: &InFlight<'_>,
    (origin, next): (AsOf, AsOf),
) -> Result<Option<Fold>> {
    let positions: Vec<usize> = in_flight.between(origin, next).collect();
    if positions.is_empty() {
        return Ok(None);
    }
    let days = resolved.settings.network.days();
    let Ok(lane) = lane_baseline_in_flight(in_flight, &positions, (origin, days))? else {
        return Ok(None);
    };
    let family = resolved.settings.backtest_family();
    let Some(trained) = in_flight.train(resolved, origin, &NoCheckpoints)? else {
        return Ok(None);
    };
    let rows = in_flight.matrix.take(&positions);
    let scored = trained.scorer.map_mixtures(&rows, None, |_, mixture| time_left(mixture))?;
    let feature_set = in_flight.feature_set;
    let orders = (&feature_set.matrix, &feature_set.outcomes);
    let of_orders = stages::train_on_orders(orders, resolved, family, origin, &NoCheckpoints)?;
    let of_snapshots = (feature_set, in_flight.snapshots);
    let given_age = by_orders(of_snapshots, &of_orders.scorer, &positions)?;
    let baselines = [stages::forecast(GIVEN_AGE, days, &given_age), lane];
    let time_scale = trained.scorer.time_scale().clone();
    Ok(Some(Fold { origin, positions, in_flight: scored, baselines, time_scale }))
}

fn evaluation(
    context: &RunContext<'_>,
    resolved: &Resolved,
    in_flight: &InFlight<'_>,
    folds: &[Fold],
) -> Result<evaluate::Evaluation> {
    let days: DayGrid = resolved.settings.network.days();
    let positions: Vec<usize> = folds.iter().flat_map(|fold| fold.positions.clone()).collect();
    let judged = snapshots_judged(in_flight, &positions, context.as_of)?;
    let scored: Vec<Distribution> = folds.iter().flat_map(|fold| fold.in_flight.clone()).collect();
    let model = stages::forecast(IN_FLIGHT, days, &scored);
    let baselines = [0, 1].map(|number: usize| {
        let mut all = Forecast::default();
        folds.iter().for_each(|fold| all.append(fold.baselines[number].clone()));
        all.name.clone_from(&folds[0].baselines[number].name);
        all
    });
    let comparison = Comparison {
        shipments: &judged,
        candidates: &[model],
        chosen: Some(0),
        champion: None,
        baselines: &baselines,
    };
    Ok(evaluate::evaluate(&comparison, &stages::evaluation_settings(resolved), None)?)
}

/// The snapshots with their features, what was known of each at each origin, and the forecasts of those that
/// are judged: all that another learner needs to be judged on the same ones.
fn exported(
    context: &RunContext<'_>,
    in_flight: &InFlight<'_>,
    folds: &[Fold],
    days: DayGrid,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut labels = Labels::default();
    for fold in folds {
        let known = in_flight.outcomes(fold.origin);
        labels.add(fold.origin, (in_flight.snapshots.at(), &known), &fold.positions);
    }
    let of_folds = folds.iter().map(|fold| (fold.origin, &*fold.positions, &fold.baselines[..]));
    let scales = folds.iter().map(|fold| (fold.origin, &fold.time_scale));
    let matrix = matrix_frame(&in_flight.matrix)?;
    let files = [
        (LABELS, to_parquet(labels.into_frame(SNAPSHOT_AT)?)?),
        (MATRIX, to_parquet(matrix)?),
        (FEATURES, serde_json::to_vec(&in_flight.matrix.features)?),
        (BASELINES, to_parquet(baselines_frame(of_folds, days)?)?),
        (TIME_SCALES, time_scales(scales)?),
        (SNAPSHOTS, to_parquet(snapshots(context, in_flight)?)?),
        (PREDICTIONS, to_parquet(predictions(context, in_flight, folds, days)?)?),
    ];
    Ok(files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect())
}

/// Every snapshot, in the order of the matrix: whose it is, when it was taken, its age band and milestone, the
/// time that was left of it, and when the delivery, or its last correction, was recorded, as known at the
/// as-of. Units: hours.
fn snapshots(context: &RunContext<'_>, in_flight: &InFlight<'_>) -> Result<DataFrame> {
    let InFlight { feature_set, snapshots, .. } = in_flight;
    let positions: Vec<usize> = (0..snapshots.len()).collect();
    let judged = snapshots_judged(in_flight, &positions, context.as_of)?;
    let mut recorded_at: Vec<Option<i64>> = vec![None; feature_set.frame.n_rows()];
    for delivery in feature_set.outcomes.deliveries(context.as_of) {
        recorded_at[delivery.row] = Some(delivery.recorded_at.micros());
    }
    let recorded_at: Vec<Option<i64>> =
        snapshots.rows().iter().map(|&row| recorded_at[row]).collect();
    let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let shipment_ids: Vec<Option<&str>> =
        snapshots.rows().iter().map(|&row| shipment_ids[row].as_deref()).collect();
    let hours: Vec<Option<f32>> =
        judged.outcomes.iter().map(|outcome| outcome.delivered()).collect();
    let mut columns = vec![
        Column::new(column::SHIPMENT_ID.into(), shipment_ids),
        instants(SNAPSHOT_AT, snapshots.at())?,
        instants(column::ORDERED_AT, &ordered_at(in_flight, &positions))?,
        Column::new("remaining_hours".into(), hours),
        Column::new("delivery_recorded_at".into(), recorded_at).cast(&utc)?,
        Column::new(column::AGE_HOURS.into(), in_flight.ages()?),
    ];
    columns.extend(segment_columns(&judged.segments));
    Ok(DataFrame::new(snapshots.len(), columns)?)
}

/// The forecasts of the snapshots that are judged, with the time that was left as known at the as-of, and the
/// weights with which they stand for those of which it is not known.
fn predictions(
    context: &RunContext<'_>,
    in_flight: &InFlight<'_>,
    folds: &[Fold],
    days: DayGrid,
) -> Result<DataFrame> {
    let InFlight { feature_set, snapshots, .. } = in_flight;
    let positions: Vec<usize> = folds.iter().flat_map(|fold| fold.positions.clone()).collect();
    let judged = snapshots_judged(in_flight, &positions, context.as_of)?;
    let shipment_ids = feature_set.frame.texts(column::SHIPMENT_ID)?;
    let order_ids = feature_set.frame.texts(column::ORDER_ID)?;
    let mut predictions = Predictions::on_days(days);
    let mut origins = Vec::with_capacity(positions.len());
    for fold in folds {
        for (&position, distribution) in fold.positions.iter().zip(&fold.in_flight) {
            let row = snapshots.rows()[position];
            let ids = (
                shipment_ids[row].as_deref().unwrap_or_default(),
                order_ids[row].as_deref().unwrap_or_default(),
            );
            predictions.push(ids, fold.origin, IN_FLIGHT, *distribution);
            origins.push(fold.origin.instant());
        }
    }
    let weights = evaluate::censoring_weights(&judged.outcomes, &judged.ordered_at).into_iter();
    let weights: Vec<Option<f32>> =
        weights.map(|weight| weight.map(|weight| weight as f32)).collect();
    let actual: Vec<Option<f32>> =
        judged.outcomes.iter().map(|outcome| outcome.delivered()).collect();
    let ages = in_flight.ages()?;
    let ages: Vec<f32> = positions.iter().map(|&position| ages[position]).collect();
    predictions.more = vec![
        instants(column::ORIGIN, &origins)?,
        instants(SNAPSHOT_AT, &judged.ordered_at)?,
        instants(column::ORDERED_AT, &ordered_at(in_flight, &positions))?,
        Column::new(column::ACTUAL_HOURS.into(), actual),
        Column::new("weight".into(), weights),
        Column::new(column::AGE_HOURS.into(), ages),
    ];
    predictions.more.extend(segment_columns(&judged.segments));
    predictions.into_frame()
}

/// When the orders of some snapshots were made.
fn ordered_at(in_flight: &InFlight<'_>, positions: &[usize]) -> Vec<Instant> {
    let (ordered_at, rows) =
        (in_flight.feature_set.outcomes.ordered_at(), in_flight.snapshots.rows());
    positions.iter().map(|&position| ordered_at[rows[position]]).collect()
}

/// Segments as columns: the bands of ages and the milestones.
fn segment_columns(segments: &[SegmentFamily]) -> impl Iterator<Item = Column> {
    segments.iter().map(|family| Column::new(family.name.as_str().into(), &family.values))
}
