//! The evaluate stage: trains every family as of the start of the hold-out, compares their predictions
//! with baselines and champion, and applies the gates. Outputs: metrics and the report. Beside them it
//! stores what the models of the last nights predict ([nightly](crate::stages::nightly)).
//!
//! The hold-out is a span of time and never a random sample: families are trained with what was known
//! at its start and predict the orders of the days after it, most of whose outcomes are known by now.

use std::collections::BTreeMap;

use ::evaluate::{Comparison, Drift, Evaluation, ReportExtras};
use anyhow::Result;
use learn::Trained;
use scorer::IN_FLIGHT_FOLDER;
use serde::{Deserialize, Serialize};
use terms::{AsOf, Digest, Fingerprint, count};

use crate::left_out::{self, LeftOut};
use crate::settings::Resolved;
use crate::stage::{self, CODE_VERSION, Output, RunContext, StageManifest, StageResult};
use crate::stages::drift::{NetworkLevel, hazard_ratios};
use crate::stages::features::{FeatureSet, cut_off_of};
use crate::stages::holdout::{Holdout, Maturity, baselines, forecast};
use crate::stages::in_flight::{self, InFlight};
use crate::stages::lane_answers;
use crate::stages::night_inputs::NightInputs;
use crate::stages::nightly::{self, StoredNight};
use crate::stages::short_history::KnownDeliveries;
use crate::stages::train;
use crate::stages::training;

/// File name of the report.
pub(crate) const REPORT: &str = "report.html";
/// The gates that refuse where there is too little to judge, or to make baselines of.
const TOO_FEW: [&str; 2] = ["rows_judged", "baselines_known"];
/// File name of what the report shows beside the metrics, from which that of a published model is drawn.
pub(crate) const REPORT_EXTRAS: &str = "report.json";
/// File name of the metrics.
pub(crate) const METRICS: &str = "metrics.json";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The family with the smallest mean pinball loss: the model.
    pub(crate) family: String,
    /// Whether it may be published.
    pub(crate) passed: bool,
    /// The gates that it did not pass, in words.
    pub(crate) refused: Vec<String>,
    /// Shipments whose outcome is known.
    pub(crate) rows: usize,
    /// The share of shipments that are open among all that are not excluded.
    pub(crate) open_share: f64,
    /// Their first order day.
    pub(crate) first_day: String,
    /// Their last order day.
    pub(crate) last_day: String,
    /// Scores of the model, the other families, the champion, the baselines.
    pub(crate) scores: Vec<Score>,
    /// The families that could not be trained as of the start of the hold-out.
    pub(crate) left_out: Vec<LeftOut>,
    /// What would do where the history is too short for the hold-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) way_out: Option<String>,
}

/// The main metrics of one forecast.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Name of the forecast.
    pub(crate) name: String,
    /// Mean absolute error of the median.
    pub(crate) mae_days: f64,
    /// Pinball loss, mean over rows and levels.
    pub(crate) mean_pinball_days: f64,
    /// Share of outcomes inside the 80% interval.
    pub(crate) coverage_80: f64,
}

/// What the stage left, and the champion before this night.
pub(crate) struct Evaluated {
    pub(crate) result: StageResult,
    pub(crate) champion: Option<String>,
}

/// Evaluates every family on the hold-out. One that cannot be trained as of its start is left out; where
/// nothing can be judged yet, the gates refuse the model.
///
/// # Errors
/// If a setting is wrong, or the store fails.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
) -> Result<Evaluated> {
    let settings = &resolved.settings.evaluate;
    let mut inputs = train::inputs(resolved, features)?;
    inputs.insert("evaluate".to_owned(), serde_json::to_string(settings)?);
    let lane_shipments_min = resolved.settings.score.lane_shipments_min as usize;
    inputs.insert("lane_shipments_min".to_owned(), lane_shipments_min.to_string());
    let beside = NightInputs::of(context, resolved, &inputs)?;
    for (name, read) in [("models", &beside.models), ("nights", &beside.nights)] {
        inputs.insert(name.to_owned(), Digest::of(read.join("\n").as_bytes()).to_string());
    }
    let training = training(resolved)?;
    let days = resolved.settings.network.days();

    let result = stage::run(context, "evaluate", inputs, || {
        let earlier = beside.manifests(context)?;
        let feature_set = FeatureSet::read(context, resolved, features)?;
        let maturity = Maturity::of(&feature_set, settings.maturity_days, context.as_of);
        let end = context.as_of.plus_days(-i64::from(maturity.days));
        let start = end.plus_days(-i64::from(settings.holdout_days));
        let holdout = Holdout::new(&feature_set, (start, end), context.as_of)?;
        let mut candidates = Vec::new();
        let mut trained = Vec::new();
        let mut left_out = Vec::new();
        for family in train::families(resolved) {
            let name = training::name(family);
            context.reporter.progress(format!("evaluate {name}"));
            let orders = (&feature_set.matrix, &feature_set.outcomes);
            let progress = train::TrainingProgress {
                reporter: context.reporter,
                what: format!("evaluate {name}"),
            };
            let family = match training::train_on_orders(orders, resolved, family, start, &progress)
            {
                Ok(family) => family,
                Err(error) => {
                    left_out.push(LeftOut::because(&name, error, context.reporter)?);
                    continue;
                }
            };
            let scored = family.scorer.score(&feature_set.matrix.take(&holdout.rows))?;
            candidates.push(forecast(&name, days, &scored));
            trained.push(family);
        }
        // A model that was trained on outcomes of the hold-out cannot be compared on it, so what is
        // compared is the champion of its start. Models are listed newest first.
        let mut champions_of_start =
            earlier.iter().filter(|model| model.about.passed && model.about.as_of <= start);
        let champion_of_start = champions_of_start
            .find_map(|model| nightly::readable(context, &model.model_id, METRICS).transpose())
            .transpose()?;
        let champion = champion_of_start.and_then(|bundle| {
            // On the days of this run, whichever its own are.
            let rows = (&holdout.rows[..], days);
            let scored = nightly::score(context, &feature_set, &bundle, rows)?;
            Some(forecast(bundle.model_id(), days, &scored))
        });
        let with_settings = (&evaluation_settings(resolved), &settings.gates);
        let judged = match baselines(&feature_set, &holdout, (start, days))? {
            Err(no_history) => Err(no_history),
            Ok(baselines) => {
                let comparison = Comparison {
                    shipments: &holdout.shipments,
                    candidates: &candidates,
                    chosen: None,
                    champion: champion.as_ref(),
                    baselines: &baselines,
                };
                ::evaluate::evaluate(&comparison, with_settings.0, Some(with_settings.1))
            }
        };
        let mut evaluation = judged.or_else(|error| {
            let model = candidates.first().map_or("", |candidate| candidate.name.as_str());
            Evaluation::unjudged(error, model, &holdout.shipments, with_settings)
        })?;
        nightly::store(context, &feature_set, &earlier, (METRICS, days))?;
        let nights = beside.nights.iter().cloned().filter_map(StoredNight::at);
        let nights: Vec<StoredNight> = nights.collect();
        let of_nights = nightly::forecasts(context, &feature_set, &nights, (end, &training))?;
        evaluation.add_nightly(of_nights.compared()?, &settings.gates);
        evaluation.cut_off = cut_off_of(features)?;
        evaluation.about.insert(nightly::TRAINING.to_owned(), training);
        if !left_out.is_empty() {
            evaluation.about.insert("left_out".to_owned(), left_out::texts(&left_out));
        }
        let chosen = candidates.iter().position(|c| c.name == evaluation.model).unwrap_or(0);
        let drift = drift(&feature_set, &trained[chosen], start, context.as_of);
        let scored = (&trained[chosen].scorer, &candidates[chosen]);
        let past = InFlight::past(&feature_set)?;
        let what = format!("evaluate {IN_FLIGHT_FOLDER}");
        let progress = train::TrainingProgress { reporter: context.reporter, what };
        let mut followed = None;
        match past.train(resolved, start, &progress) {
            Ok(None) => {}
            Ok(Some(of_snapshots)) => {
                let models = (&of_snapshots, &trained[chosen].scorer);
                let moments = ((start, end), context.as_of);
                evaluation.in_flight = in_flight::compare(&past, models, moments.0, moments.1)?;
                followed = Some(in_flight::followed(&feature_set, models, moments)?);
            }
            Err(error) => {
                let reason = LeftOut::because(IN_FLIGHT_FOLDER, error, context.reporter)?;
                evaluation.about.insert(IN_FLIGHT_FOLDER.to_owned(), reason.text());
            }
        }
        evaluation.speed_table =
            lane_answers::judge(&feature_set, &holdout, scored, (start, lane_shipments_min))?;
        let mut header = header(context, resolved, features, (start, &maturity));
        header.extend(left_out.iter().map(LeftOut::row));
        let extras = ReportExtras {
            title: format!("{} as of {}", resolved.settings.name, context.as_of),
            header,
            shown_model: format!("the model that was judged, trained as of {start}"),
            gate_rules: trained[chosen].gate_rules.text(),
            importance: trained[chosen].importance.clone(),
            drift: Some(drift),
            followed,
        };
        let report = ::evaluate::report(&evaluation, &extras);
        let mut summary = summary(&evaluation, left_out);
        summary.way_out = is_too_short(&evaluation).then(|| {
            KnownDeliveries::of(&feature_set, context.as_of).way_out(resolved, maturity.days)
        });
        let mut line = format!(
            "{} of {} families is best on {} shipments; gates {}",
            summary.family,
            candidates.len(),
            count(summary.rows),
            if summary.passed { "passed" } else { "refused" },
        );
        if !summary.left_out.is_empty() {
            line += &format!("; left out: {}", left_out::names(&summary.left_out));
        }
        Ok(Output {
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([
                (METRICS.to_owned(), evaluation.to_json()?.into_bytes()),
                (REPORT.to_owned(), report.into_bytes()),
                (REPORT_EXTRAS.to_owned(), serde_json::to_vec(&extras)?),
            ]),
            line,
        })
    })?;
    Ok(Evaluated { result, champion: beside.champion })
}

/// The settings of an evaluation, of a hold-out or of a backtest.
pub(crate) fn evaluation_settings(resolved: &Resolved) -> ::evaluate::Settings {
    let settings = &resolved.settings.evaluate;
    ::evaluate::Settings {
        rounds: settings.bootstrap_rounds as usize,
        block_days: settings.bootstrap_block_days as usize,
        seed: resolved.settings.train.seed,
        ..Default::default()
    }
}

/// How models are trained: a digest of the code, the settings, the network and the features.
fn training(resolved: &Resolved) -> Result<String> {
    let (_, declaration) = resolved.declaration()?;
    let parts = Fingerprint::new()
        .with("code", CODE_VERSION)
        .with("train", serde_json::to_string(&resolved.settings.train)?)
        .with("network", serde_json::to_string(&resolved.settings.network)?)
        .with("declaration", declaration);
    Ok(parts.finish().to_string())
}

/// Since when orders were judged, if a manifest is that of this stage.
pub(crate) fn judged_since(manifest: &StageManifest) -> Option<AsOf> {
    if manifest.stage != "evaluate" {
        return None;
    }
    let summary: Summary = serde_json::from_value(manifest.summary.clone()).ok()?;
    summary.first_day.parse().ok()
}

fn summary(evaluation: &Evaluation, left_out: Vec<LeftOut>) -> Summary {
    let verdict = evaluation.verdict.as_ref();
    let refused = verdict.into_iter().flat_map(|verdict| &verdict.gates).filter(|g| !g.passed);
    Summary {
        family: evaluation.model.clone(),
        passed: verdict.is_some_and(|verdict| verdict.passed),
        refused: refused
            .map(|g| format!("{}: found {:.3}, needed {}", g.says, g.found, g.needed))
            .collect(),
        rows: evaluation.counts.judged,
        open_share: evaluation.counts.open_share,
        first_day: evaluation.counts.first_day.clone(),
        last_day: evaluation.counts.last_day.clone(),
        scores: scores(evaluation),
        left_out,
        way_out: None,
    }
}

/// Whether a gate refuses because there is too little to judge, or to make baselines of.
fn is_too_short(evaluation: &Evaluation) -> bool {
    let gates = evaluation.verdict.iter().flat_map(|verdict| &verdict.gates);
    let mut refused = gates.filter(|gate| !gate.passed);
    refused.any(|gate| TOO_FEW.contains(&gate.name.as_str()))
}

/// The scores of all forecasts of an evaluation, the model first.
pub(crate) fn scores(evaluation: &Evaluation) -> Vec<Score> {
    let score = |entry: &::evaluate::Entry| Score {
        name: entry.forecast.clone(),
        mae_days: entry.metrics.mae_days,
        mean_pinball_days: entry.metrics.mean_pinball_days,
        coverage_80: entry.metrics.interval_80.coverage,
    };
    evaluation.overall.iter().map(score).collect()
}

/// What was run.
fn header(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
    (start, maturity): (AsOf, &Maturity),
) -> Vec<(String, String)> {
    let end = context.as_of.plus_days(-i64::from(maturity.days));
    let header = [
        ("pipeline", resolved.settings.name.clone()),
        ("as of", context.as_of.to_string()),
        ("families trained as of", start.to_string()),
        ("judged on orders", format!("from {start} up to {end}")),
        ("which end before the as-of", maturity.says.clone()),
        ("features", features.manifest.id.clone()),
        ("seed", resolved.settings.train.seed.to_string()),
    ];
    header.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The level up to the as-of, and the recalibration of the model trained as of `start`.
fn drift(feature_set: &FeatureSet, trained: &Trained, start: AsOf, as_of: AsOf) -> Drift {
    let level = NetworkLevel::of(feature_set);
    let recalibration = hazard_ratios(&trained.parts.recalibration);
    Drift {
        dates: "order week".to_owned(),
        level: level.map_or_else(Vec::new, |level| level.by_week(as_of)),
        recalibrations: vec![(start.to_string(), recalibration)],
    }
}
