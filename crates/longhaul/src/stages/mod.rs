//! The stages of a run, a file each: its inputs, the crate that does the work, its outputs.
//!
//! `chain` says which stages each one needs and runs them in order; here is what a command prints
//! about them. `history` and `last_check` are the state that one run leaves to the next.

mod bundle;
mod chain;
mod check;
mod configuration;
mod cut_off;
mod drift;
mod evaluate;
mod features;
mod history;
mod holdout;
mod in_flight;
mod lane_answers;
mod lane_groups;
mod lanes;
mod last_check;
mod late_shares;
mod night_inputs;
mod nightly;
mod open_shipments;
mod plan;
mod publish;
mod score;
mod segments;
mod short_history;
mod speed_table;
mod train;
mod training;
mod vanished;

use anyhow::Result;
use serde_json::json;
use terms::count;

use crate::command_output::{CommandOutput, envelope};
use crate::left_out;
use crate::predictions_folder;
use crate::report::table;
use crate::settings::Resolved;
use crate::stage::{RunContext, StageResult};

use self::chain::Results;
pub(crate) use self::chain::Stage;
use self::check::Checked;
pub(crate) use self::check::{Reviewed, end_of_tables, review, run as check_of};
pub(crate) use self::configuration::check_configuration;
pub(crate) use self::drift::{NetworkLevel, hazard_ratios};
pub(crate) use self::evaluate::{REPORT, evaluation_settings, judged_since, scores};
pub(crate) use self::features::{FeatureSet, cut_off_of, objects as objects_of_features};
pub(crate) use self::history::{StateList, is_half_year, stored_states};
pub(crate) use self::holdout::{Holdout, baselines, forecast, shipments};
pub(crate) use self::in_flight::{
    InFlight, by_orders, lane_baseline as lane_baseline_in_flight, shipments as snapshots_judged,
    time_left, train_on_snapshots,
};
pub(crate) use self::last_check::as_of_at as check_at;
pub(crate) use self::night_inputs::NightInputs;
pub(crate) use self::nightly::{NIGHTS_DAYS, StoredNight, digest_of as digest_of_forecast};
pub(crate) use self::plan::{PlannedPartitions, partitions, stages as plan};
pub(crate) use self::score::SPEED_LOOKUP;
pub(crate) use self::short_history::KnownDeliveries;
pub(crate) use self::train::inputs as train_inputs;
pub(crate) use self::training::{name as family_name, train_on_orders};

/// Runs all stages. A model that the gates refuse does not keep the champion from scoring.
///
/// # Errors
/// The first stage that fails.
pub(crate) fn run_all(context: &RunContext<'_>, resolved: &Resolved) -> Result<CommandOutput> {
    let results = chain::run(context, resolved, &Stage::ALL)?;
    let text = overview(context, resolved, &results)?;
    // The result for programs is the record of the run, which has not ended yet.
    Ok(CommandOutput { json: serde_json::Value::Null, text, refused: results.refused })
}

/// Runs one stage by hand, after the stages that it needs.
///
/// # Errors
/// If it or a stage that it needs fails.
pub(crate) fn run_through(
    context: &RunContext<'_>,
    resolved: &Resolved,
    stage: Stage,
) -> Result<CommandOutput> {
    let results = chain::run(context, resolved, &stage.with_needs())?;
    let result = results.of(stage)?;
    let url_of = |name: &str| context.store.url_of(&format!("{}/{name}", result.folder));
    let text = match stage {
        Stage::Check => overview_of_check(&result.summary()?),
        Stage::Features => url_of(features::MONTHS),
        Stage::Train => url_of(""),
        Stage::Evaluate => url_of(evaluate::REPORT),
        Stage::Publish => {
            let summary: publish::Summary = result.summary()?;
            context.store.url_of(&format!("models/{}/", summary.model_id))
        }
        Stage::Score => url_of_predictions(context, resolved),
    };
    let json = json!({
        "id": result.manifest.id,
        "folder": result.folder,
        "skipped": result.skipped,
        "outputs": result.manifest.outputs,
        "summary": result.manifest.summary,
    });
    let json = envelope(&result.manifest.stage, json);
    Ok(CommandOutput { json, text, refused: results.refused })
}

/// Runs the features stage and the check before it.
///
/// # Errors
/// If either fails.
pub(crate) fn features_of(
    context: &RunContext<'_>,
    resolved: &Resolved,
) -> Result<(Checked, StageResult)> {
    chain::run(context, resolved, &Stage::Features.with_needs())?.into_features()
}

/// The short table at the end of a run, and where its outputs are.
fn overview(context: &RunContext<'_>, resolved: &Resolved, results: &Results) -> Result<String> {
    let (evaluate, score) = (results.of(Stage::Evaluate)?, results.of(Stage::Score)?);
    let check: check::Summary = results.of(Stage::Check)?.summary()?;
    let evaluated: evaluate::Summary = evaluate.summary()?;
    let published: publish::Summary = results.of(Stage::Publish)?.summary()?;
    let scored: score::Summary = score.summary()?;
    let rows: Vec<Vec<String>> = evaluated
        .scores
        .iter()
        .map(|score| {
            vec![
                score.name.clone(),
                format!("{:.3}", score.mae_days),
                format!("{:.3}", score.mean_pinball_days),
                format!("{:.1}%", 100.0 * score.coverage_80),
            ]
        })
        .collect();
    let header = ["forecast", "MAE, days", "mean pinball, days", "80% interval covers"];
    let url = context.store.url().trim_end_matches('/');
    let trained: train::Summary = results.of(Stage::Train)?.summary()?;
    let left_out = match left_out::names(&trained.left_out) {
        names if names.is_empty() => String::new(),
        names => format!("\nleft out     {names} (the manifest of the train stage says why)"),
    };
    Ok(format!(
        "\nas of {as_of}: {rows_in} rows in, {rows_ok} ok, {quarantined} in quarantine\n\
         judged on {judged} shipments ordered {first} to {last}\n\n{table}\n\n\
         champion     {champion} ({family})\n\
         model        {url}/models/{champion}/\n\
         predictions  {predictions} ({scored} open shipments)\n\
         report       {url}/{evaluate_folder}/report.html{left_out}{late}",
        as_of = context.as_of,
        rows_in = count(check.rows_in),
        rows_ok = count(check.rows_ok),
        quarantined = count(check.rows_quarantined),
        judged = count(evaluated.rows),
        first = evaluated.first_day,
        last = evaluated.last_day,
        table = table(&header, &rows),
        champion = scored.model_id,
        family = if scored.model_id == published.model_id { &published.family } else { "kept" },
        predictions = url_of_predictions(context, resolved),
        scored = count(scored.rows),
        evaluate_folder = evaluate.folder,
        late = scored.late_shares.text(),
    ))
}

/// Where the predictions of the night are, for others to read.
fn url_of_predictions(context: &RunContext<'_>, resolved: &Resolved) -> String {
    let folder = predictions_folder::folder(&resolved.settings.name, context.as_of);
    context.store.url_of(&format!("{folder}/{}", score::file_of(score::PREDICTIONS)))
}

/// The counts of the check, and a table of the reasons for quarantine.
fn overview_of_check(summary: &check::Summary) -> String {
    let rows: Vec<Vec<String>> =
        summary.reasons.iter().map(|(reason, n)| vec![reason.clone(), count(*n)]).collect();
    format!(
        "{} rows in = {} ok + {} in quarantine\n\n{}",
        count(summary.rows_in),
        count(summary.rows_ok),
        count(summary.rows_quarantined),
        table(&["reason", "rows"], &rows)
    )
}
