//! The command `backtest --in-flight`: at one origin after another, the time that is left of shipments that
//! were open on the nights that followed, by the model of what is in flight, by that of orders given their
//! age, and by the lane.

use std::collections::BTreeMap;

use anyhow::Result;
use evaluate::{Comparison, Forecast, ReportExtras};
use learn::NoCheckpoints;
use scorer::Distribution;
use serde_json::json;
use terms::{AsOf, DayGrid, count};

use crate::command_output::envelope;
use crate::commands::backtest::overview;
use crate::folds::Span;
use crate::left_out::LeftOut;
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

/// Runs it, or finds that it was done, and writes its files to `backtests/<id>/`.
///
/// # Errors
/// If a stage fails, or no origin can be judged.
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved, span: Span) -> Result<()> {
    let (_, features) = stages::features_of(context, resolved)?;
    let mut inputs = stages::train_inputs(resolved, &features)?;
    inputs.insert("span".to_owned(), format!("{span:?}"));
    inputs.insert("in_flight".to_owned(), serde_json::to_string(&resolved.settings.backtest)?);
    inputs.insert("evaluate".to_owned(), serde_json::to_string(&resolved.settings.evaluate)?);
    let done = stage::run_backtest(context, inputs, || {
        let feature_set = FeatureSet::read(context, resolved, &features)?;
        work(context, resolved, &feature_set, span)
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
    positions: Vec<usize>,
    in_flight: Vec<Distribution>,
    given_age: Vec<Distribution>,
    lane: Forecast,
}

fn work(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    span: Span,
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
    Ok(Output {
        line: format!("{} snapshots judged", count(judged)),
        summary: json!({ "scores": stages::scores(&evaluation), "left_out": left_out }),
        files: BTreeMap::from([
            ("metrics.json".to_owned(), evaluation.to_json()?.into_bytes()),
            (REPORT.to_owned(), report.into_bytes()),
        ]),
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
    let family = resolved.settings.backtest.family;
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
    Ok(Some(Fold { positions, in_flight: scored, given_age, lane }))
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
    let all = |of: &dyn Fn(&Fold) -> Vec<Distribution>| -> Vec<Distribution> {
        folds.iter().flat_map(of).collect()
    };
    let model = stages::forecast(IN_FLIGHT, days, &all(&|fold| fold.in_flight.clone()));
    let given_age = stages::forecast(GIVEN_AGE, days, &all(&|fold| fold.given_age.clone()));
    let mut lane = Forecast::default();
    folds.iter().for_each(|fold| lane.append(fold.lane.clone()));
    lane.name.clone_from(&folds[0].lane.name);
    let comparison = Comparison {
        shipments: &judged,
        candidates: &[model],
        chosen: Some(0),
        champion: None,
        baselines: &[given_age, lane],
    };
    Ok(evaluate::evaluate(&comparison, &stages::evaluation_settings(resolved), None)?)
}
