//! What is in flight: snapshots of open shipments as rows to learn from and to predict, the model of the
//! time that is left, and what it is compared with.
//!
//! A snapshot is a row like any other: its moment stands where that of an order stands, and the time that
//! is left where the delivery time stands. So one engine learns both.

use std::collections::BTreeMap;

use anyhow::Result;
use features::{AGE_HOURS, Outcomes, Snapshots};
use learn::{Checkpoints, FamilyName, Trained};
use scorer::{Distribution, Mixture, Scorer};
use terms::{AsOf, DayGrid, Instant, LEVELS, Matrix, N_LEVELS, Outcome, TWO_DAYS_HOURS};

use crate::settings::Resolved;
use crate::stages::features::FeatureSet;
use crate::stages::training::{self, LabelledRows};

/// Snapshots with their features.
pub(crate) struct InFlight<'a> {
    pub(crate) feature_set: &'a FeatureSet,
    pub(crate) snapshots: &'a Snapshots,
    pub(crate) matrix: Matrix,
}

impl<'a> InFlight<'a> {
    /// Those of the past, of which models learn.
    ///
    /// # Errors
    /// If a column is not as it was built.
    pub(crate) fn past(feature_set: &'a FeatureSet) -> Result<Self> {
        let snapshots = &feature_set.snapshots;
        let matrix = snapshots.matrix(&feature_set.matrix)?;
        Ok(Self { feature_set, snapshots, matrix })
    }

    /// The time that is left of each, as known at a moment.
    pub(crate) fn outcomes(&self, as_of: AsOf) -> Vec<Outcome> {
        let (rows, at) = (self.snapshots.rows(), self.snapshots.at());
        self.feature_set.outcomes.remaining(rows, at, as_of)
    }

    /// Trains a model on the snapshots before `origin`, by the boosted family where it is among those that
    /// are trained, else by the first; `None` if there are no snapshots.
    ///
    /// # Errors
    /// If a setting is out of its range, too little is known, or the family fails.
    pub(crate) fn train(
        &self,
        resolved: &Resolved,
        origin: AsOf,
        checkpoints: &dyn Checkpoints,
    ) -> Result<Option<Trained>> {
        let rows = (&self.feature_set.outcomes, self.snapshots, &self.matrix);
        train_rows(rows, resolved, origin, checkpoints)
    }

    /// The age of each. Units: hours.
    ///
    /// # Errors
    /// If the column is not as it was built.
    pub(crate) fn ages(&self) -> Result<Vec<f32>> {
        Ok(self.snapshots.numbers(AGE_HOURS)?)
    }

    /// Positions of the snapshots from `from` on, before `to`.
    pub(crate) fn between(&self, from: AsOf, to: AsOf) -> std::ops::Range<usize> {
        let position = |end: AsOf| self.snapshots.at().partition_point(|&at| at < end.instant());
        position(from)..position(to)
    }
}

/// Trains a model on snapshots as of `origin`, as [`InFlight::train`] does, from the matrix and the outcomes
/// of their orders; `None` if there are no snapshots.
///
/// # Errors
/// If a column is not as it was built, or the training fails.
pub(crate) fn train_on_snapshots(
    snapshots: &Snapshots,
    (orders, outcomes): (&Matrix, &Outcomes),
    resolved: &Resolved,
    origin: AsOf,
    checkpoints: &dyn Checkpoints,
) -> Result<Option<Trained>> {
    let matrix = snapshots.matrix(orders)?;
    train_rows((outcomes, snapshots, &matrix), resolved, origin, checkpoints)
}

fn train_rows(
    (outcomes, snapshots, matrix): (&Outcomes, &Snapshots, &Matrix),
    resolved: &Resolved,
    origin: AsOf,
    checkpoints: &dyn Checkpoints,
) -> Result<Option<Trained>> {
    let families = &resolved.settings.train.families;
    // Snapshots are many; a forest beside boosting would take long, and learns from no open ones.
    let is_boosted =
        |family: &FamilyName| [FamilyName::Boost, FamilyName::Ensemble].contains(family);
    let boosted = families.iter().any(is_boosted).then_some(FamilyName::Boost);
    let Some(family) = boosted.or(families.first().copied()) else { return Ok(None) };
    if snapshots.is_empty() {
        return Ok(None);
    }
    let (rows, moments) = (snapshots.rows(), snapshots.at());
    let outcomes = |moment| outcomes.remaining(rows, moments, moment);
    let rows = LabelledRows { matrix, moments, outcomes: &outcomes };
    training::train(&rows, resolved, family, origin, checkpoints).map(Some)
}

/// Less than this is no time left: the shipment has been delivered, and that is not recorded yet. Where
/// this is likely, quantiles are as near to it as trees come, and the outcome would lie below them all.
const DELIVERED_HOURS: f64 = 1.0;

/// The time that is left with a probability of `level`, by the model of what is in flight. Units: hours.
pub(crate) fn hours_left(mixture: &Mixture, level: f64) -> f64 {
    let hours = mixture.quantile(level);
    if hours < DELIVERED_HOURS { 0.0 } else { hours }
}

/// The distribution of the time that is left, by the model of what is in flight.
pub(crate) fn time_left(mixture: &Mixture) -> Distribution {
    let hours = LEVELS.map(|level| hours_left(mixture, level) as f32);
    Distribution { hours, ..mixture.distribution() }
}

/// The time that is left of snapshots by a model of whole delivery times, given that each is open as far as
/// is known at its moment.
///
/// # Errors
/// If the feature set lacks a feature of the model.
pub(crate) fn by_orders(
    (feature_set, snapshots): (&FeatureSet, &Snapshots),
    scorer: &Scorer,
    positions: &[usize],
) -> Result<Vec<Distribution>> {
    let outcomes = &feature_set.outcomes;
    let mut lags: BTreeMap<Instant, f64> = BTreeMap::new();
    let (mut rows, mut ages, mut open_for) = (Vec::new(), Vec::new(), Vec::new());
    for &position in positions {
        let (row, at) = (snapshots.rows()[position], snapshots.at()[position]);
        let lag = lags.entry(at).or_insert_with(|| outcomes.recording_lag_hours(AsOf::at(at)));
        let age = at.hours_since(outcomes.ordered_at()[row]);
        rows.push(row);
        ages.push(age);
        open_for.push((age - *lag).max(0.0) as f32);
    }
    let of_row = |row: usize, mixture: &Mixture| remaining(mixture, ages[row], scorer.days());
    Ok(scorer.map_mixtures(&feature_set.matrix.take(&rows), Some(&open_for), of_row)?)
}

/// The time that is left after `age` hours, by a distribution of the whole time. What should have been
/// delivered by then has none left.
fn remaining(mixture: &Mixture, age: f64, days: DayGrid) -> Distribution {
    let left = |level: f64| (mixture.quantile(level) - age).max(0.0) as f32;
    let mut hours = [0.0; N_LEVELS];
    for (hours, level) in hours.iter_mut().zip(LEVELS) {
        *hours = left(level);
    }
    Distribution {
        probability_over_2d: mixture.survival(age + TWO_DAYS_HOURS) as f32,
        hours,
        by_day: std::array::from_fn(|point| mixture.cdf(age + days.hours(point)) as f32),
        days,
    }
}
