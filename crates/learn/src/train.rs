//! Training of a whole model as of a moment: regressor, calibration, gate, knots and tail.
//!
//! Order of work:
//! 1. The outcomes as known at the origin; rows ordered before it.
//! 2. The regressor, on the rows beyond two days, open ones right-censored.
//! 3. The calibration: the same family trained as of an earlier moment, and its predictions for the
//!    orders that followed and have matured since. That inner model has no calibration of its own.
//! 4. The gate, boosted and readable, on the rows of which it is known whether they took more than
//!    two days.
//! 5. The knots within two days and the tail beyond the last quantile.

use scorer::{Calibration, Knots, Parts, Scorer, sorted};
use serde::{Deserialize, Serialize};
use terms::{AsOf, Instant, Matrix, N_LEVELS, Outcome, TWO_DAYS_HOURS};

use crate::calibration::{Matured, calibration};
use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::{Family, TrainingRows};
use crate::gate_rules::GateRules;
use crate::population::{Beyond, Population};
use crate::settings::Settings;
use crate::{gate, gate_rules, tail};

/// With fewer deliveries within two days than this the knots are a straight line.
const WITHIN_MIN: usize = 20;

/// The result of training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model.
    pub scorer: Scorer,
    /// The readable gate beside the boosted one in the model.
    pub gate_rules: GateRules,
    /// How many rows each part was trained on.
    pub sizes: Sizes,
    /// Features with their share of the regressor's split gain, the largest first.
    pub importance: Vec<(String, f64)>,
}

/// How many rows each part of a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Rows ordered before the origin, within the history.
    pub rows: usize,
    /// Of these, excluded: without a delivery time to learn from.
    pub excluded: usize,
    /// Of these, open at the origin.
    pub open: usize,
    /// Rows of the regressor whose delivery was observed.
    pub beyond_observed: usize,
    /// Right-censored rows of the regressor.
    pub beyond_open: usize,
    /// Rows of the gate.
    pub gate: usize,
    /// Of these, over two days.
    pub gate_over_2d: usize,
    /// Deliveries within two days of which the knots are quantiles; 0 if the knots are a straight line.
    pub within_2d: usize,
    /// What the calibration was learned from, or why there is none.
    pub calibration: CalibrationBasis,
    /// Whether the tail was learned or assumed.
    pub tail: TailBasis,
}

/// What the calibration was learned from, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "basis")]
pub enum CalibrationBasis {
    /// Matured orders after an earlier moment.
    Learned {
        /// The moment as of which the inner model was trained.
        as_of: AsOf,
        /// Rows predicted.
        rows: usize,
        /// Of these, right-censored.
        open: usize,
    },
    /// Switched off.
    Disabled,
    /// Too few rows to train the inner model.
    TooFewToTrain {
        /// Observed rows found.
        found: usize,
        /// Observed rows needed.
        needed: usize,
    },
    /// Too few matured rows after the earlier moment.
    TooFewMatured {
        /// Observed rows found.
        found: usize,
        /// Observed rows needed.
        needed: usize,
    },
}

/// What the tail was estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TailBasis {
    /// The rows that the calibration was learned from.
    Matured,
    /// The rows that the regressor was trained on.
    Training,
    /// Too few excesses: that of an exponential distribution is assumed.
    Assumed,
}

/// Trains a model with what was known at `origin`.
///
/// `outcomes` gives, for each row of the matrix, the outcome as known at a moment; it is called for
/// the origin and for one earlier moment. Shapes: one `ordered_at` and one outcome a row. The same
/// inputs give the same bytes on any number of threads, with and without `checkpoints`.
///
/// As of: only rows ordered before the origin are used; `outcomes` must use no later knowledge.
///
/// # Errors
/// If settings are out of range, inputs differ in length, too few deliveries are known, or a
/// family fails.
pub fn train_as_of(
    matrix: &Matrix,
    ordered_at: &[Instant],
    outcomes: &dyn Fn(AsOf) -> Vec<Outcome>,
    origin: AsOf,
    family: &dyn Family,
    settings: &Settings,
    checkpoints: &dyn Checkpoints,
) -> Result<Trained, Error> {
    settings.check()?;
    let population = Population::at(origin, matrix, ordered_at, outcomes)?;
    let history = population.history(settings);
    let (regressor, beyond) =
        train_regressor(&population, &history, family, settings, ("regressor", checkpoints))?;
    tracing::info!(family = family.name(), rows = beyond.rows.len(), "regressor trained");

    let (calibration, matured, calibration_basis) =
        learn_calibration(&population, outcomes, family, settings, checkpoints)?;
    let (tail_ratio, tail) = learn_tail(&population, &regressor, &beyond, &calibration, matured)?;

    let (gate_rows, over) = population.decided(&history, settings.gate.undecided_days);
    let gate_matrix = matrix.take(&gate_rows);
    let gate = gate::train(&gate_matrix, &over, settings)?;
    let gate_rules = gate_rules::train(&gate_matrix, &over, &settings.gate, settings.seed)?;
    tracing::info!(rows = gate_rows.len(), "gate trained");

    let within = deliveries_within_2d(&population, &gate_rows);
    let (n_within, knots) = match within.len() {
        ..WITHIN_MIN => (0, Knots::straight()),
        n => (n, Knots::of_deliveries(within)),
    };
    let count = |is: fn(&Outcome) -> bool| {
        history.iter().filter(|&&row| is(&population.outcomes[row])).count()
    };
    let beyond_observed = beyond.observed.iter().filter(|&&seen| seen).count();
    let sizes = Sizes {
        rows: history.len(),
        excluded: count(|outcome| matches!(outcome, Outcome::Excluded)),
        open: count(|outcome| matches!(outcome, Outcome::Censored(_))),
        beyond_observed,
        beyond_open: beyond.rows.len() - beyond_observed,
        gate: gate_rows.len(),
        gate_over_2d: over.iter().filter(|&&over| over).count(),
        within_2d: n_within,
        calibration: calibration_basis,
        tail,
    };
    let importance = importance(matrix, &regressor);
    let features = matrix.features.clone();
    let parts = Parts { features, gate, regressor, within: knots, tail_ratio, calibration };
    let scorer = Scorer::from_parts(parts).map_err(|source| Error::Scorer { source })?;
    Ok(Trained { scorer, gate_rules, sizes, importance })
}

/// The regressor as of the moment of the population, and the rows that it was trained on.
fn train_regressor(
    population: &Population<'_>,
    history: &[usize],
    family: &dyn Family,
    settings: &Settings,
    (name, checkpoints): (&str, &dyn Checkpoints),
) -> Result<(boost::Model, Beyond), Error> {
    let beyond = population.beyond(history);
    let found = beyond.observed.iter().filter(|&&seen| seen).count();
    if found < settings.rows_min {
        let (origin, needed) = (population.moment, settings.rows_min);
        return Err(Error::TooFewRows { origin, found, needed });
    }
    let matured: Vec<bool> = (beyond.rows.iter())
        .map(|&row| population.is_matured(row, settings.maturity_days))
        .collect();
    let rows = TrainingRows {
        matrix: &population.matrix.take(&beyond.rows),
        hours: &beyond.hours,
        observed: &beyond.observed,
        matured: &matured,
    };
    Ok((family.train(&rows, name, checkpoints)?, beyond))
}

/// The calibration, and the rows that it was learned from if there were enough.
fn learn_calibration(
    population: &Population<'_>,
    outcomes: &dyn Fn(AsOf) -> Vec<Outcome>,
    family: &dyn Family,
    settings: &Settings,
    checkpoints: &dyn Checkpoints,
) -> Result<(Calibration, Option<Matured>, CalibrationBasis), Error> {
    let none = |basis| Ok((Calibration::identity(), None, basis));
    if !settings.calibration.enabled {
        return none(CalibrationBasis::Disabled);
    }
    let (days, origin) = (i64::from(settings.calibration.days), population.moment);
    let moment = origin.plus_days(-(i64::from(settings.maturity_days) + days));
    let span = moment.instant()..moment.instant().plus_days(days);
    let followed = population.beyond(&population.ordered_within(span));
    let found = followed.observed.iter().filter(|&&seen| seen).count();
    let needed = settings.calibration.rows_min;
    if found < needed {
        return none(CalibrationBasis::TooFewMatured { found, needed });
    }
    let earlier = Population::at(moment, population.matrix, population.ordered_at, outcomes)?;
    let history = earlier.history(settings);
    let kept = ("regressor_of_calibration", checkpoints);
    let regressor = match train_regressor(&earlier, &history, family, settings, kept) {
        Ok((regressor, _)) => regressor,
        Err(Error::TooFewRows { found, needed, .. }) => {
            return none(CalibrationBasis::TooFewToTrain { found, needed });
        }
        Err(Error::NothingMatured { .. }) => {
            return none(CalibrationBasis::TooFewToTrain { found: 0, needed: settings.rows_min });
        }
        Err(error) => return Err(error),
    };
    let predicted = predict(&regressor, population.matrix, &followed.rows)?;
    let matured = Matured { predicted, hours: followed.hours, observed: followed.observed };
    let basis = CalibrationBasis::Learned {
        as_of: moment,
        rows: matured.hours.len(),
        open: matured.hours.len() - found,
    };
    tracing::info!(rows = matured.hours.len(), as_of = %moment, "calibration learned");
    Ok((calibration(&matured, &settings.calibration), Some(matured), basis))
}

/// The tail ratio, from rows that the model was not trained on if there are enough.
fn learn_tail(
    population: &Population<'_>,
    regressor: &boost::Model,
    beyond: &Beyond,
    calibration: &Calibration,
    matured: Option<Matured>,
) -> Result<(f32, TailBasis), Error> {
    let ratio = |rows: &Matured| {
        let corrected = |raw: &[f64; N_LEVELS]| calibration.apply(&raw.map(|hours| hours as f32));
        let quantiles: Vec<[f64; N_LEVELS]> = rows.predicted.iter().map(corrected).collect();
        let outcomes = rows.hours.iter().zip(&rows.observed);
        tail::ratio(quantiles.iter().zip(outcomes).map(|(q, (&hours, &seen))| (q, hours, seen)))
    };
    if let Some(ratio) = matured.as_ref().and_then(ratio) {
        return Ok((ratio, TailBasis::Matured));
    }
    let training = Matured {
        predicted: predict(regressor, population.matrix, &beyond.rows)?,
        hours: beyond.hours.clone(),
        observed: beyond.observed.clone(),
    };
    Ok(match ratio(&training) {
        Some(ratio) => (ratio, TailBasis::Training),
        None => (tail::RATIO_ASSUMED, TailBasis::Assumed),
    })
}

/// Raw quantiles of some rows, ascending.
fn predict(
    regressor: &boost::Model,
    matrix: &Matrix,
    rows: &[usize],
) -> Result<Vec<[f64; N_LEVELS]>, Error> {
    let failed = |source| Error::Boost { step: "regressor", source };
    let predicted = regressor.predict(&matrix.take(rows).columns).map_err(failed)?;
    Ok(predicted.chunks_exact(N_LEVELS).map(sorted).collect())
}

fn deliveries_within_2d(population: &Population<'_>, rows: &[usize]) -> Vec<f32> {
    let delivered = rows.iter().filter_map(|&row| population.outcomes[row].delivered());
    delivered.filter(|&hours| f64::from(hours) <= TWO_DAYS_HOURS).collect()
}

/// Features by their share of the split gain; those without any are left out.
fn importance(matrix: &Matrix, regressor: &boost::Model) -> Vec<(String, f64)> {
    let gains = regressor.split_gain_by_feature();
    let total: f64 = gains.iter().sum();
    let named = matrix.features.0.iter().zip(gains).filter(|&(_, gain)| gain > 0.0);
    let mut shares: Vec<(String, f64)> =
        named.map(|(feature, gain)| (feature.name.clone(), gain / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
