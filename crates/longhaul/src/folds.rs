//! The folds of a backtest: at one origin after another, a model trained on what was known then and
//! its predictions for the orders that followed, evaluated over all folds together.
//!
//! `backtest` writes what is found here, `features ablate` compares it between groups of features.

use std::time::Instant;

use anyhow::Result;
use evaluate::{Comparison, Evaluation, Forecast};
use learn::NoCheckpoints;
use scorer::{Distribution, Recalibration, Scorer, TimeScale};
use terms::AsOf;

use crate::flags::Origins;
use crate::left_out::LeftOut;
use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::RunContext;
use crate::stages::{self, FeatureSet, Holdout};
use crate::stored_models::StoredModels;

/// The origins of a backtest: from which to which, and in which steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// The first origin.
    pub(crate) from: AsOf,
    /// No origin at or after this.
    pub(crate) to: AsOf,
    /// Days from origin to origin.
    pub(crate) every_days: u32,
    /// Days from training to training.
    pub(crate) train_every_days: u32,
}

impl Span {
    /// The span that the flags give.
    ///
    /// # Errors
    /// If there is no origin, or training would fall between origins.
    pub(crate) fn of(origins: &Origins) -> Result<Self> {
        let &Origins { from, to, every: every_days, train_every } = origins;
        let train_every_days = train_every.unwrap_or(every_days);
        if from >= to || !train_every_days.is_multiple_of(every_days) {
            let what = format!(
                "expected --from before --to and --train-every a multiple of --every, found \
                 {from} to {to}, every {every_days}d, training every {train_every_days}d"
            );
            return Err(Refusal::Usage { what }.into());
        }
        Ok(Self { from, to, every_days, train_every_days })
    }

    /// Each origin, and the next one.
    pub(crate) fn origins(self) -> Vec<(AsOf, AsOf)> {
        let step = i64::from(self.every_days);
        let mut origins = Vec::new();
        let mut origin = self.from;
        while origin < self.to {
            let next = origin.plus_days(step);
            origins.push((origin, next));
            origin = next;
        }
        origins
    }
}

/// The predictions of one origin. Shapes: one distribution a row.
pub(crate) struct Fold {
    /// The origin.
    pub(crate) origin: AsOf,
    /// The next origin.
    pub(crate) next: AsOf,
    /// Positions of the rows ordered from the origin up to the next one.
    pub(crate) rows: Vec<usize>,
    /// Their predictions by the model as of the origin, or as of the last training before it.
    pub(crate) distributions: Vec<Distribution>,
    /// Their predictions by the baselines.
    pub(crate) baselines: Vec<Forecast>,
    /// What the first regressor's quantiles are multiples of.
    pub(crate) time_scale: TimeScale,
    /// How the model's forecasts were corrected for the weeks before its training.
    pub(crate) recalibration: Recalibration,
}

/// The folds of a backtest, and the origins that were left out.
pub(crate) struct Folds {
    /// Those that can be judged, in the order of their origins; at least one.
    pub(crate) folds: Vec<Fold>,
    /// The other origins, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Trains at the origins and predicts what followed each. An origin at which no model can be trained, or
/// nothing was delivered yet, is left out; the next one is trained anew. Models that `stored` has are not
/// trained again.
///
/// # Errors
/// If all origins are left out, a setting is wrong, the store fails, or the feature set lacks a column.
#[expect(clippy::disallowed_methods, reason = "the reporter shows how long it takes")]
pub(crate) fn folds(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    span: Span,
    stored: Option<&StoredModels<'_>>,
) -> Result<Folds> {
    let train_every = span.train_every_days / span.every_days;
    let (mut folds, mut left_out) = (Vec::new(), Vec::new());
    let mut trained: Option<(AsOf, Scorer)> = None;
    for (number, (origin, next)) in span.origins().into_iter().enumerate() {
        let started = Instant::now();
        let holdout = Holdout::new(feature_set, (origin, next), context.as_of)?;
        let days = resolved.settings.network.days();
        let baselines = match stages::baselines(feature_set, &holdout, (origin, days))? {
            Ok(baselines) => baselines,
            Err(no_history) => {
                left_out.push(LeftOut::without_history(origin, &no_history, context.reporter));
                continue;
            }
        };
        if (number as u32).is_multiple_of(train_every) || trained.is_none() {
            trained = match model(context, resolved, feature_set, origin, stored) {
                Ok(model) => Some((origin, model)),
                Err(error) => {
                    let name = origin.to_string();
                    left_out.push(LeftOut::because(&name, error, context.reporter)?);
                    None
                }
            };
        }
        let Some((trained_at, model)) = &trained else { continue };
        let distributions = model.score(&feature_set.matrix.take(&holdout.rows))?;
        context.reporter.progress(format!(
            "backtest {origin}: {} shipments, trained as of {trained_at}, {:.1} s",
            holdout.rows.len(),
            started.elapsed().as_secs_f64()
        ));
        folds.push(Fold {
            origin,
            next,
            rows: holdout.rows,
            distributions,
            baselines,
            time_scale: model.time_scale().clone(),
            recalibration: model.recalibration().clone(),
        });
    }
    if folds.is_empty() {
        let first = left_out.first().map_or_else(String::new, LeftOut::text);
        let history = stages::KnownDeliveries::of(feature_set, context.as_of);
        let from = history.known_by(resolved.settings.train.rows_min);
        let from = from.filter(|enough| *enough > span.from);
        return Err(Refusal::EveryOriginLeftOut { n: left_out.len(), first, from }.into());
    }
    Ok(Folds { folds, left_out })
}

/// The model as of an origin: the stored one, or trained now and stored.
fn model(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    origin: AsOf,
    stored: Option<&StoredModels<'_>>,
) -> Result<Scorer> {
    if let Some(model) = stored.map(|stored| stored.read(origin)).transpose()?.flatten() {
        context.reporter.note(&format!("backtest {origin}: goes on with the model that was kept"));
        return Ok(model);
    }
    let family = resolved.settings.backtest_family();
    let orders = (&feature_set.matrix, &feature_set.outcomes);
    let trained = stages::train_on_orders(orders, resolved, family, origin, &NoCheckpoints)?;
    if let Some(stored) = stored {
        stored.write(origin, &trained.parts)?;
    }
    Ok(trained.scorer)
}

/// The evaluation of all folds together, with outcomes as known at the as-of.
///
/// # Errors
/// If no outcome is known, or the feature set lacks a column.
pub(crate) fn evaluate_folds(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    folds: &[Fold],
) -> Result<Evaluation> {
    let rows: Vec<usize> = folds.iter().flat_map(|fold| fold.rows.iter().copied()).collect();
    let shipments = stages::shipments(feature_set, &rows, context.as_of)?;
    let all: Vec<Distribution> =
        folds.iter().flat_map(|fold| fold.distributions.iter().copied()).collect();
    let name = stages::family_name(resolved.settings.backtest_family());
    let model = stages::forecast(&name, resolved.settings.network.days(), &all);
    let comparison = Comparison {
        shipments: &shipments,
        candidates: &[model],
        chosen: Some(0),
        champion: None,
        baselines: &baselines_of_all(folds, rows.len()),
    };
    Ok(evaluate::evaluate(&comparison, &stages::evaluation_settings(resolved), None)?)
}

/// The mean pinball loss of a backtest in days, over all rows whose outcome is known.
///
/// # Errors
/// If a training fails, or no outcome is known.
pub(crate) fn mean_pinball_days(
    context: &RunContext<'_>,
    resolved: &Resolved,
    feature_set: &FeatureSet,
    span: Span,
) -> Result<f64> {
    let Folds { folds, .. } = folds(context, resolved, feature_set, span, None)?;
    let evaluation = evaluate_folds(context, resolved, feature_set, &folds)?;
    let model = evaluation.model_entry();
    Ok(model.map_or(f64::NAN, |model| model.metrics.mean_pinball_days))
}

/// The forecasts of the baselines for the rows of all folds; a baseline that some folds lack is left
/// out.
fn baselines_of_all(folds: &[Fold], n_rows: usize) -> Vec<Forecast> {
    let mut baselines: Vec<Forecast> = Vec::new();
    for forecast in folds.iter().flat_map(|fold| &fold.baselines) {
        match baselines.iter_mut().find(|baseline| baseline.name == forecast.name) {
            Some(baseline) => baseline.append(forecast.clone()),
            None => baselines.push(forecast.clone()),
        }
    }
    baselines.retain(|baseline| baseline.hours.len() == n_rows);
    baselines
}
