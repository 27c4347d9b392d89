//! Evaluate: every family, trained as of the past, on the orders that followed.
//!
//! The hold-out is in time, never random: families are trained with what was known at its start,
//! and predict the orders of the days after it, whose outcomes are mostly known by now.

use std::collections::BTreeMap;

use ::evaluate::baseline::{self, History};
use ::evaluate::{Contest, Evaluation, Forecast, ReportExtras, SegmentFamily, Shipments};
use anyhow::Result;
use features::PROMISED_HOURS;
use learn::{NoCheckpoints, Trained};
use serde::{Deserialize, Serialize};
use terms::{AsOf, column, count};

use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::features::FeatureSet;
use crate::stages::train;

/// The report.
pub(crate) const REPORT: &str = "report.html";
/// The metrics.
pub(crate) const METRICS: &str = "metrics.json";
/// A seller or node with fewer deliveries known is new.
const NEW_ORIGIN_DELIVERIES: f32 = 10.0;

/// What the stage says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The family that did best.
    pub(crate) family: String,
    /// Whether it may be published.
    pub(crate) passed: bool,
    /// The gates that said no.
    pub(crate) refused: Vec<String>,
    /// Shipments whose outcome is known.
    pub(crate) rows: usize,
    /// First order day judged.
    pub(crate) first_day: String,
    /// Last order day judged.
    pub(crate) last_day: String,
    /// The model, the other families, the champion, the baselines.
    pub(crate) scores: Vec<Score>,
}

/// How one forecast did.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Who predicts.
    pub(crate) name: String,
    /// Mean absolute error of the median.
    pub(crate) mae_days: f64,
    /// Pinball loss, mean over rows and levels.
    pub(crate) mean_pinball_days: f64,
    /// Share of outcomes inside the 80% interval.
    pub coverage_80: f64,
}

/// Judges every family on the hold-out.
///
/// # Errors
/// If a family refuses to be trained as of the hold-out's start, or nothing is known of its orders.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
) -> Result<StageResult> {
    let settings = &resolved.settings.evaluate;
    let champion = artifact::current(context.store)?;
    let mut inputs = train::inputs(resolved, features)?;
    inputs.insert("evaluate".to_owned(), serde_json::to_string(settings)?);
    let end = context.as_of.plus_days(-i64::from(settings.maturity_days));
    let start = end.plus_days(-i64::from(settings.holdout_days));
    // A champion that knew the hold-out's outcomes cannot be compared on it.
    let champion = champion.filter(|champion| champion.as_of <= start);
    let champion_id = champion.map(|champion| champion.model_id);
    inputs.insert("champion".to_owned(), champion_id.clone().unwrap_or_default());

    stage::run(context, "evaluate", inputs, || {
        let known = FeatureSet::read(context, features)?;
        let held = Held::new(&known, start, end, context.as_of)?;
        let mut candidates = Vec::new();
        let mut trained = Vec::new();
        for &family in &resolved.settings.train.families {
            let name = train::name(family);
            context.reporter.progress(format!("evaluate {name}"));
            let family = train::train(
                &known.matrix,
                &known.outcomes,
                resolved,
                family,
                start,
                &NoCheckpoints,
            )?;
            candidates.push(held.forecast(&name, &family.scorer)?);
            trained.push(family);
        }
        let champion = match &champion_id {
            None => None,
            Some(model_id) => {
                let scorer = artifact::read(context.store, model_id)?.scorer()?;
                let matrix = features::encode(&known.frame, scorer.features())?;
                Some(held.forecast_of(model_id, &scorer, &matrix)?)
            }
        };
        let contest = Contest {
            shipments: &held.shipments,
            candidates: &candidates,
            chosen: None,
            champion: champion.as_ref(),
            baselines: &baselines(&known, &held, start)?,
        };
        let how = ::evaluate::Settings {
            rounds: settings.bootstrap_rounds as usize,
            seed: resolved.settings.train.seed,
            ..Default::default()
        };
        let evaluation = ::evaluate::evaluate(&contest, &how, Some(&settings.gates))?;
        let chosen = candidates.iter().position(|c| c.name == evaluation.model).unwrap_or(0);
        let report =
            report(context, resolved, features, &evaluation, &trained[chosen], (start, end));
        let summary = summary(&evaluation);
        let line = format!(
            "{} of {} families is best on {} shipments; gates {}",
            summary.family,
            candidates.len(),
            count(summary.rows),
            if summary.passed { "passed" } else { "refused" },
        );
        Ok(Output {
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([
                (METRICS.to_owned(), evaluation.to_json()?.into_bytes()),
                (REPORT.to_owned(), report.into_bytes()),
            ]),
            line,
        })
    })
}

fn summary(evaluation: &Evaluation) -> Summary {
    let verdict = evaluation.verdict.as_ref();
    let refused = verdict.into_iter().flat_map(|verdict| &verdict.gates).filter(|g| !g.passed);
    Summary {
        family: evaluation.model.clone(),
        passed: verdict.is_some_and(|verdict| verdict.passed),
        refused: refused
            .map(|g| format!("{}: found {:.3}, needed {}", g.says, g.found, g.needed))
            .collect(),
        rows: evaluation.counts.judged,
        first_day: evaluation.counts.first_day.clone(),
        last_day: evaluation.counts.last_day.clone(),
        scores: scores(evaluation),
    }
}

/// One line for each forecast.
pub(crate) fn scores(evaluation: &Evaluation) -> Vec<Score> {
    let score = |entry: &::evaluate::Entry| Score {
        name: entry.forecast.clone(),
        mae_days: entry.metrics.mae_days,
        mean_pinball_days: entry.metrics.mean_pinball_days,
        coverage_80: entry.metrics.interval_80.coverage,
    };
    evaluation.overall.iter().map(score).collect()
}

fn report(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
    evaluation: &Evaluation,
    trained: &Trained,
    (start, end): (AsOf, AsOf),
) -> String {
    let header = [
        ("pipeline", resolved.settings.name.clone()),
        ("as of", context.as_of.to_string()),
        ("families trained as of", start.to_string()),
        ("judged on orders", format!("from {start} up to {end}")),
        ("features", features.manifest.id.clone()),
        ("seed", resolved.settings.train.seed.to_string()),
    ];
    let header: Vec<(String, String)> =
        header.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let extras = ReportExtras {
        title: &format!("{} as of {}", resolved.settings.name, context.as_of),
        header: &header,
        gate_rules: &trained.gate_rules.text(),
        importance: &trained.importance,
    };
    ::evaluate::report(evaluation, &extras)
}

/// Orders that are held out, and what is known of them now.
pub(crate) struct Held<'a> {
    known: &'a FeatureSet,
    /// Positions of the rows.
    pub(crate) rows: Vec<usize>,
    /// As `evaluate` wants them.
    pub(crate) shipments: Shipments,
}

impl<'a> Held<'a> {
    /// The orders from `start` up to `end`, with outcomes as known at `now`.
    ///
    /// # Errors
    /// If the features lack a column.
    pub(crate) fn new(known: &'a FeatureSet, start: AsOf, end: AsOf, now: AsOf) -> Result<Self> {
        let rows: Vec<usize> = known.ordered_between(start.instant(), end.instant()).collect();
        let shipments = shipments(known, &rows, now)?;
        Ok(Self { known, rows, shipments })
    }

    fn forecast(&self, name: &str, scorer: &scorer::Scorer) -> Result<Forecast> {
        self.forecast_of(name, scorer, &self.known.matrix)
    }

    fn forecast_of(
        &self,
        name: &str,
        scorer: &scorer::Scorer,
        matrix: &terms::Matrix,
    ) -> Result<Forecast> {
        Ok(forecast(name, &scorer.score(&matrix.take(&self.rows))?))
    }
}

/// Distributions as `evaluate` wants them.
pub(crate) fn forecast(name: &str, distributions: &[scorer::Distribution]) -> Forecast {
    Forecast {
        name: name.to_owned(),
        hours: distributions.iter().map(|d| d.hours).collect(),
        probability_over_2d: Some(distributions.iter().map(|d| d.probability_over_2d).collect()),
        probability_by_day: Some(distributions.iter().map(|d| d.by_day).collect()),
    }
}

/// The rows at `rows` with what is known of them at `now`, and the segments that they are in.
///
/// # Errors
/// If the features lack a column.
pub(crate) fn shipments(known: &FeatureSet, rows: &[usize], now: AsOf) -> Result<Shipments> {
    let outcomes = known.outcomes.as_of(now);
    let promised = known.frame.numbers(PROMISED_HOURS)?;
    let ordered_at = known.outcomes.ordered_at();
    let mut segments = Vec::new();
    let mut cut = |name: &str, value: &dyn Fn(usize) -> String| {
        let values = rows.iter().map(|&row| value(row)).collect();
        segments.push(SegmentFamily { name: name.to_owned(), values });
    };
    cut("order month", &|row| ordered_at[row].day().date().format("%Y-%m").to_string());
    for (name, column) in [
        ("destination region", column::DESTINATION_REGION),
        ("carrier", column::CARRIER),
        ("item category", column::ITEM_CATEGORY),
    ] {
        if let Ok(values) = known.frame.texts(column)
            && values.iter().any(Option::is_some)
        {
            cut(name, &|row| values[row].clone().unwrap_or_else(|| "unknown".to_owned()));
        }
    }
    if let Ok(distances) = known.frame.numbers("distance_km") {
        cut("distance", &|row| distance_band(distances[row]).to_owned());
    }
    if let Ok(deliveries) = known.frame.numbers("origin_node_id_delivery_hours_count_400d") {
        let is_new = |row: usize| deliveries[row].unwrap_or(0.0) < NEW_ORIGIN_DELIVERIES;
        cut("origin", &|row| if is_new(row) { "new" } else { "known" }.to_owned());
    }
    Ok(Shipments {
        ordered_at: rows.iter().map(|&row| ordered_at[row].micros()).collect(),
        actual_hours: rows.iter().map(|&row| outcomes[row].delivered()).collect(),
        promised_hours: rows.iter().map(|&row| promised[row]).collect(),
        segments,
    })
}

fn distance_band(km: Option<f32>) -> &'static str {
    match km {
        None => "unknown",
        Some(km) if km < 100.0 => "under 100 km",
        Some(km) if km < 500.0 => "100 to 500 km",
        Some(km) if km < 1000.0 => "500 to 1,000 km",
        Some(km) if km < 2000.0 => "1,000 to 2,000 km",
        Some(_) => "2,000 km and more",
    }
}

/// The forecasts that need no model, from what was known at `origin`.
///
/// # Errors
/// If nothing was delivered before it.
pub(crate) fn baselines(
    known: &FeatureSet,
    held: &Held<'_>,
    origin: AsOf,
) -> Result<Vec<Forecast>> {
    let from = known.frame.texts(column::ORIGIN_REGION)?;
    let to = known.frame.texts(column::DESTINATION_REGION)?;
    let lane = |row: usize| (from[row].clone(), to[row].clone());
    let deliveries = known.outcomes.deliveries(origin);
    let lanes: Vec<_> = deliveries.iter().map(|delivery| lane(delivery.row)).collect();
    let known_at: Vec<i64> =
        deliveries.iter().map(|delivery| delivery.recorded_at.micros()).collect();
    let hours: Vec<f32> = deliveries.iter().map(|delivery| delivery.hours).collect();
    let history = History { lanes: &lanes, known_at: &known_at, hours: &hours };
    let asked: Vec<_> = held.rows.iter().map(|&row| lane(row)).collect();
    let global = baseline::global_quantiles(&history, origin, held.rows.len())?;
    let promise = baseline::promise(&held.shipments.promised_hours, &global)?;
    let lane_median = baseline::lane_median_28d(&history, origin, &asked)?;
    Ok(promise.into_iter().chain([lane_median, global]).collect())
}
