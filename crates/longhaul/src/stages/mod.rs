//! The stages of one night, each the story of what it takes, which room it calls, what it leaves.
//!
//! A stage run by hand first runs the stages that it needs, which are skipped if they were done.

mod check;
mod evaluate;
mod features;
mod history;
mod holdout;
mod last_check;
mod publish;
mod score;
mod segments;
mod speed_table;
mod train;

use anyhow::Result;
use serde_json::{Value, json};

use crate::envelope;
use crate::refusal::Refusal;
use crate::report::{count, table};
use crate::settings::Resolved;
use crate::stage::{RunContext, StageResult};

use self::check::Checked;
pub(crate) use self::check::{Reviewed, end_of_tables, review, run as check_of};
pub(crate) use self::evaluate::scores;
pub(crate) use self::features::FeatureSet;
pub(crate) use self::holdout::{Holdout, baselines, forecast, shipments};
pub(crate) use self::train::{inputs as train_inputs, name as family_name, train as train_family};

/// What a command leaves for its user.
pub(crate) struct Outcome {
    /// For programs.
    pub(crate) json: Value,
    /// For people.
    pub(crate) text: String,
    /// A refusal that comes after everything else was done.
    pub(crate) refused: Option<Refusal>,
}

/// All stages. A model that is refused does not keep the night from scoring with the champion.
///
/// # Errors
/// The first stage that fails.
pub(crate) fn run_all(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let checked = check::run(context, resolved)?;
    let features = features::run(context, resolved, &checked)?;
    let train = train::run(context, resolved, &features)?;
    let evaluate = evaluate::run(context, resolved, &features)?;
    let published = publish::run(context, resolved, &features, &train, &evaluate)?;
    let scored = match score::run(context, resolved, &features) {
        Ok(scored) => scored,
        // Without any model yet, the refusal is what there is to say.
        Err(error) => return Err(published.refused.map_or(error, Into::into)),
    };
    let done = [&checked.done, &features, &train, &evaluate, &published.done, &scored];
    let skipped: Vec<&str> =
        done.iter().filter(|d| d.skipped).map(|d| d.manifest.stage.as_str()).collect();
    let summary = json!({
        "as_of": context.as_of.to_string(),
        "check": checked.done.manifest.summary,
        "evaluate": evaluate.manifest.summary,
        "publish": published.done.manifest.summary,
        "score": scored.manifest.summary,
        "skipped": skipped,
    });
    let text = overview(context, &checked.done, &evaluate, &published.done, &scored)?;
    Ok(Outcome { json: envelope("run", summary), text, refused: published.refused })
}

/// The short table at the end of a run, and where things are.
fn overview(
    context: &RunContext<'_>,
    check: &StageResult,
    evaluate: &StageResult,
    publish: &StageResult,
    score: &StageResult,
) -> Result<String> {
    let check: check::Summary = check.summary()?;
    let judged: evaluate::Summary = evaluate.summary()?;
    let published: publish::Summary = publish.summary()?;
    let scored: score::Summary = score.summary()?;
    let rows: Vec<Vec<String>> = judged
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
    Ok(format!(
        "\nas of {as_of}: {rows_in} rows in, {rows_ok} ok, {quarantined} in quarantine\n\
         judged on {judged} shipments ordered {first} to {last}\n\n{table}\n\n\
         champion     {champion} ({family})\n\
         model        {url}/models/{champion}/\n\
         predictions  {url}/{score_folder}/predictions.parquet ({scored} open shipments)\n\
         report       {url}/{evaluate_folder}/report.html",
        as_of = context.as_of,
        rows_in = count(check.rows_in),
        rows_ok = count(check.rows_ok),
        quarantined = count(check.rows_quarantined),
        judged = count(judged.rows),
        first = judged.first_day,
        last = judged.last_day,
        table = table(&header, &rows),
        champion = scored.model_id,
        family = if scored.model_id == published.model_id { &published.family } else { "kept" },
        score_folder = score.folder,
        scored = count(scored.rows),
        evaluate_folder = evaluate.folder,
    ))
}

/// The check stage by hand.
///
/// # Errors
/// If it fails.
pub(crate) fn check_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let checked = check::run(context, resolved)?;
    let summary: check::Summary = checked.done.summary()?;
    let rows: Vec<Vec<String>> =
        summary.reasons.iter().map(|(reason, n)| vec![reason.clone(), count(*n)]).collect();
    let text = format!(
        "{} rows in = {} ok + {} in quarantine\n\n{}",
        count(summary.rows_in),
        count(summary.rows_ok),
        count(summary.rows_quarantined),
        table(&["reason", "rows"], &rows)
    );
    Ok(of_stage(&checked.done, text))
}

/// The features stage by hand.
///
/// # Errors
/// If it or a stage before it fails.
pub(crate) fn features_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let features = features::run(context, resolved, &check::run(context, resolved)?)?;
    let text = where_it_is(context, &features, features::MONTHS);
    Ok(of_stage(&features, text))
}

/// The train stage by hand.
///
/// # Errors
/// If it or a stage before it fails.
pub(crate) fn train_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let features = features::run(context, resolved, &check::run(context, resolved)?)?;
    let train = train::run(context, resolved, &features)?;
    let text = where_it_is(context, &train, "");
    Ok(of_stage(&train, text))
}

/// The evaluate stage by hand.
///
/// # Errors
/// If it or a stage before it fails.
pub(crate) fn evaluate_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let features = features::run(context, resolved, &check::run(context, resolved)?)?;
    let evaluate = evaluate::run(context, resolved, &features)?;
    let text = where_it_is(context, &evaluate, evaluate::REPORT);
    Ok(of_stage(&evaluate, text))
}

/// The publish stage by hand.
///
/// # Errors
/// If it or a stage before it fails.
pub(crate) fn publish_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let features = features::run(context, resolved, &check::run(context, resolved)?)?;
    let train = train::run(context, resolved, &features)?;
    let evaluate = evaluate::run(context, resolved, &features)?;
    let published = publish::run(context, resolved, &features, &train, &evaluate)?;
    let summary: publish::Summary = published.done.summary()?;
    let url = context.store.url().trim_end_matches('/');
    let text = format!("{url}/models/{}/", summary.model_id);
    Ok(Outcome { refused: published.refused, ..of_stage(&published.done, text) })
}

/// The score stage by hand, with the champion.
///
/// # Errors
/// If it or a stage before it fails, or no model was published.
pub(crate) fn score_only(context: &RunContext<'_>, resolved: &Resolved) -> Result<Outcome> {
    let features = features::run(context, resolved, &check::run(context, resolved)?)?;
    let scored = score::run(context, resolved, &features)?;
    let text = where_it_is(context, &scored, score::PREDICTIONS);
    Ok(of_stage(&scored, text))
}

/// The features of a night, and the check before it.
///
/// # Errors
/// If either fails.
pub(crate) fn features_of(
    context: &RunContext<'_>,
    resolved: &Resolved,
) -> Result<(Checked, StageResult)> {
    let checked = check::run(context, resolved)?;
    let features = features::run(context, resolved, &checked)?;
    Ok((checked, features))
}

fn where_it_is(context: &RunContext<'_>, done: &StageResult, name: &str) -> String {
    format!("{}/{}/{name}", context.store.url().trim_end_matches('/'), done.folder)
}

fn of_stage(done: &StageResult, text: String) -> Outcome {
    let stage = done.manifest.stage.clone();
    let result = json!({
        "id": done.manifest.id,
        "folder": done.folder,
        "skipped": done.skipped,
        "outputs": done.manifest.outputs,
        "summary": done.manifest.summary,
    });
    Outcome { json: envelope(&stage, result), text, refused: None }
}
