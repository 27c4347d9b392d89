//! Training of a whole model as of a moment: regressors, corrections, gate and tail.
//!
//! Order of work:
//! 1. The outcomes as known at the origin; rows ordered before it.
//! 2. Of an ensemble of few deliveries, the search for its sizes ([`crate::search`]).
//! 3. The regressors, on all of them, open ones right-censored; how many of these rows each leaf has, and
//!    so of the gate.
//! 4. Their corrections, each by the same family trained as of an earlier moment, and its
//!    predictions for the orders that followed: the calibration by those that have matured since,
//!    the recalibration by what was delivered in the last weeks ([`crate::corrections`]).
//! 5. The gate, boosted and readable, on the rows of which it is known whether they took more than
//!    two days.
//! 6. The tail beyond the last quantile.

use scorer::{Calibration, Parts, Scorer};
use terms::{AsOf, DayGrid, Instant, Matrix, N_LEVELS, Outcome};

use crate::calibration::Matured;
use crate::checkpoints::Checkpoints;
use crate::corrections::Corrections;
use crate::error::Error;
use crate::gate_rules::GateRules;
use crate::leaf_counts::counted;
use crate::network_features::hide;
use crate::population::Population;
use crate::regressors::{Regressors, Which};
use crate::search::Search;
use crate::settings::{FamilyName, Settings};
use crate::sizes::{Sizes, TailBasis};
use crate::{families, gate_rules, search, tail};

/// The result of training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, as it is kept in files.
    pub parts: Parts,
    /// The model, as rows are scored with it.
    pub scorer: Scorer,
    /// The readable gate beside the boosted one in the model.
    pub gate_rules: GateRules,
    /// How many rows each part was trained on.
    pub sizes: Sizes,
    /// Features with their share of the regressor's split gain, the largest first.
    pub importance: Vec<(String, f64)>,
    /// The search for its sizes, if there was one.
    pub search: Option<Search>,
}

/// Trains a model with what was known at `origin`.
///
/// `outcomes` gives, for each row of the matrix, the outcome as known at a moment; it is called for
/// the origin and for one earlier moment. Shapes: one `ordered_at` and one outcome a row. The same
/// inputs give the same bytes on any number of threads, with and without `checkpoints`. The model's
/// probabilities are by every day up to the sixtieth (`scorer::Parts::days`).
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
    name: FamilyName,
    settings: &Settings,
    checkpoints: &dyn Checkpoints,
) -> Result<Trained, Error> {
    settings.check()?;
    let settings = &families::family(name, settings).settings(settings);
    let population = Population::at(origin, matrix, ordered_at, outcomes, settings)?;
    let search = match name {
        FamilyName::Ensemble => search::search(&population, outcomes, settings, checkpoints)?,
        _ => None,
    };
    let settings = &search.as_ref().map_or(settings.clone(), |search| search.settings(settings));
    let family = families::family(name, settings);
    let family = family.as_ref();
    let history = population.history(settings);
    let kept = ("regressor", checkpoints);
    let mut regressors = Regressors::train(&population, family, settings, Which::All, kept)?;
    for regressor in &mut regressors.regressors {
        regressor.trees = counted(&regressor.trees, matrix, &regressors.durations.rows)?;
    }
    let n_rows = regressors.durations.rows.len();
    tracing::info!(family = family.name(), rows = n_rows, "regressors trained");

    let learning = Corrections { population: &population, outcomes, family, settings, checkpoints };
    let (calibration, matured, calibration_basis) = learning.calibration()?;
    let (recalibration, recalibration_basis) = learning.recalibration(&calibration)?;
    let (tail_ratio, tail) = learn_tail(&population, &regressors, &calibration, matured);

    let (gate_rows, over) = population.decided(&history, settings.gate.undecided_days);
    let mut gate_matrix = matrix.take(&gate_rows);
    hide(&mut gate_matrix, &regressors.network_features);
    let gate = family.train_gate(&gate_matrix, &over, settings)?;
    let gate = counted(&gate, matrix, &gate_rows)?;
    let gate_rules = gate_rules::train(&gate_matrix, &over, &settings.gate, settings.seed)?;
    tracing::info!(rows = gate_rows.len(), "gate trained");

    let count = |is: fn(&Outcome) -> bool| {
        history.iter().filter(|&&row| is(&population.outcomes[row])).count()
    };
    let durations = &regressors.durations;
    let observed = durations.deliveries();
    let sizes = Sizes {
        rows: history.len(),
        excluded: count(|outcome| matches!(outcome, Outcome::Excluded)),
        observed,
        never_delivered: population.never_delivered,
        open: durations.rows.len() - observed,
        gate: gate_rows.len(),
        gate_over_2d: over.iter().filter(|&&over| over).count(),
        calibration: calibration_basis,
        recalibration: recalibration_basis,
        tail,
    };
    let importance = importance(matrix, &regressors);
    let parts = Parts {
        features: matrix.features.clone(),
        days: DayGrid::DAILY,
        gate,
        regressors: regressors.regressors,
        tail_ratio,
        calibration,
        recalibration,
        grain: population.grain,
    };
    let scorer = Scorer::from_parts(parts.clone()).map_err(|source| Error::Scorer { source })?;
    Ok(Trained { parts, scorer, gate_rules, sizes, importance, search })
}

/// The tail ratio, from rows that the model was not trained on if there are enough.
fn learn_tail(
    population: &Population<'_>,
    regressors: &Regressors,
    calibration: &Calibration,
    matured: Option<Matured>,
) -> (f32, TailBasis) {
    let ratio = |rows: &Matured| {
        let corrected = |raw: &[f64; N_LEVELS]| calibration.apply(*raw);
        let quantiles: Vec<[f64; N_LEVELS]> = rows.predicted.iter().map(corrected).collect();
        let outcomes = rows.times.iter().zip(&rows.observed);
        tail::ratio(quantiles.iter().zip(outcomes).map(|(q, (&time, &seen))| (q, time, seen)))
    };
    if let Some(ratio) = matured.as_ref().and_then(ratio) {
        return (ratio, TailBasis::Matured);
    }
    let training = Matured::of(population, regressors, regressors.durations.clone());
    match ratio(&training) {
        Some(ratio) => (ratio, TailBasis::Training),
        None => (tail::RATIO_ASSUMED, TailBasis::Assumed),
    }
}

/// Features by their share of the split gain; those without any are left out.
fn importance(matrix: &Matrix, regressors: &Regressors) -> Vec<(String, f64)> {
    let gains = regressors.gain_by_feature();
    let total: f64 = gains.iter().sum();
    let named = matrix.features.0.iter().zip(gains).filter(|&(_, gain)| gain > 0.0);
    let mut shares: Vec<(String, f64)> =
        named.map(|(feature, gain)| (feature.name.clone(), gain / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
