//! The time that is left of what was open during a hold-out, by a model of what is in flight that was trained
//! at its start, and by that of orders given their age.

use anyhow::Result;
use evaluate::{InFlightForecasts, InFlightScores};
use learn::Trained;
use scorer::{Distribution, Mixture, Scorer};
use terms::AsOf;

use super::judged::{by_first_night, shipments, sort};
use super::rows::{InFlight, by_orders, time_left};
use crate::stages::holdout::forecast;

/// Compares both on the snapshots from `start` on, before `end`, by what is known at `now`; `None` if there
/// is none, or nothing is known.
///
/// # Errors
/// If the feature set lacks a column.
pub(crate) fn compare(
    in_flight: &InFlight<'_>,
    (trained, of_orders): (&Trained, &Scorer),
    (start, end): (AsOf, AsOf),
    now: AsOf,
) -> Result<Option<InFlightScores>> {
    let positions: Vec<usize> = in_flight.between(start, end).collect();
    if positions.is_empty() {
        return Ok(None);
    }
    let mut judged = shipments(in_flight, &positions, now)?;
    judged.segments.push(by_first_night(in_flight, &positions)?);
    let missing = |row: usize, mixture: &Mixture| {
        let promised = judged.promised_hours[row];
        let missing = promised.map(|hours| mixture.survival(f64::from(hours)) as f32);
        (time_left(mixture), missing)
    };
    let scorer = &trained.scorer;
    let scored = scorer.map_mixtures(&in_flight.matrix.take(&positions), None, missing)?;
    let (scored, missing_promise): (Vec<Distribution>, Vec<Option<f32>>) =
        scored.into_iter().unzip();
    let of_snapshots = (in_flight.feature_set, in_flight.snapshots);
    let given_age = by_orders(of_snapshots, of_orders, &positions)?;
    let forecasts = InFlightForecasts {
        in_flight: &forecast("in flight", scorer.days(), &scored),
        given_age: &forecast("at order, given the age", of_orders.days(), &given_age),
        missing_promise: &missing_promise,
    };
    let mut scores = InFlightScores::of(&judged, &forecasts)?;
    if let Some(scores) = &mut scores {
        sort(&mut scores.segments, in_flight)?;
    }
    Ok(scores)
}
