//! Snapshots as they are judged: the time that was left, the segments, and the lane's baseline.

use anyhow::Result;
use evaluate::baseline::{self, PastDeliveries};
use evaluate::{Forecast, SegmentFamily, Shipments};
use features::{HOURS_SINCE_HANDOVER, PROMISED_HOURS};
use terms::{AsOf, DayGrid, Grain, Instant};

use super::rows::InFlight;
use crate::stages::lanes::Lanes;

/// Ends of the bands of ages in days, and what they are called.
const AGES: [(f32, &str); 4] =
    [(2.0, "up to 2 days"), (5.0, "2 to 5 days"), (10.0, "5 to 10 days"), (20.0, "10 to 20 days")];

/// The name of the lane's baseline.
const LANE: &str = "lane_remaining_28d";

fn age_band(hours: f32) -> &'static str {
    AGES.iter().find(|(end, _)| hours < end * 24.0).map_or("more than 20 days", |(_, name)| name)
}

/// What was recorded last of a snapshot.
fn milestone(hours_since_handover: f32) -> &'static str {
    if hours_since_handover.is_nan() { "ordered" } else { "handed over" }
}

/// Age band and milestone of each snapshot.
fn stages_of(in_flight: &InFlight<'_>) -> Result<Vec<(&'static str, &'static str)>> {
    let ages = in_flight.ages()?;
    let since_handover = in_flight.snapshots.numbers(HOURS_SINCE_HANDOVER)?;
    let pairs = ages.iter().zip(&since_handover);
    Ok(pairs.map(|(&age, &since)| (age_band(age), milestone(since))).collect())
}

/// Some snapshots as the input of an evaluation, with the time that was left as known at `now`.
///
/// # Errors
/// If the feature set lacks a column.
pub(crate) fn shipments(
    in_flight: &InFlight<'_>,
    positions: &[usize],
    now: AsOf,
) -> Result<Shipments> {
    let InFlight { feature_set, snapshots, matrix } = in_flight;
    let outcomes = in_flight.outcomes(now);
    let promised = feature_set.frame.numbers(PROMISED_HOURS)?;
    let (ages, stages) = (in_flight.ages()?, stages_of(in_flight)?);
    let segment = |name: &str, of: &dyn Fn(usize) -> &'static str| SegmentFamily {
        name: name.to_owned(),
        values: positions.iter().map(|&position| of(position).to_owned()).collect(),
    };
    let promised = |&position: &usize| {
        let left = promised[snapshots.rows()[position]]? - ages[position];
        (left > 0.0).then_some(left)
    };
    Ok(Shipments {
        grain: Grain::of_outcomes(matrix, &outcomes),
        ordered_at: positions.iter().map(|&position| snapshots.at()[position]).collect(),
        outcomes: positions.iter().map(|&position| outcomes[position]).collect(),
        promised_hours: positions.iter().map(promised).collect(),
        segments: vec![
            segment("age", &|position| stages[position].0),
            segment("milestone", &|position| stages[position].1),
        ],
    })
}

/// The time that was left of snapshots of the last weeks whose deliveries are known at `origin`, by lane, age
/// and milestone; where that has too few, by age and milestone.
///
/// The inner result says that no delivery was known at `origin`.
///
/// # Errors
/// If the feature set lacks a column that is declared.
pub(crate) fn lane_baseline(
    in_flight: &InFlight<'_>,
    positions: &[usize],
    (origin, days): (AsOf, DayGrid),
) -> Result<Result<Forecast, evaluate::Error>> {
    let InFlight { feature_set, snapshots, .. } = in_flight;
    let lanes = Lanes::of(feature_set)?;
    let stages = stages_of(in_flight)?;
    let key = |position: usize| {
        let lane = lanes.of_row(snapshots.rows()[position]);
        let regions = (lane.origin_region, lane.destination_region);
        [(Some(regions), stages[position]), (None, stages[position])]
    };
    let outcomes = &feature_set.outcomes;
    let mut delivered: Vec<Option<(Instant, f64)>> = vec![None; feature_set.frame.n_rows()];
    for delivery in outcomes.deliveries(origin) {
        delivered[delivery.row] = Some((delivery.recorded_at, delivery.hours.into()));
    }
    let (mut keys, mut known_at, mut hours) = (Vec::new(), Vec::new(), Vec::new());
    for position in 0..snapshots.at().partition_point(|&at| at < origin.instant()) {
        let (row, at) = (snapshots.rows()[position], snapshots.at()[position]);
        let Some((recorded_at, total)) = delivered[row] else { continue };
        keys.push(key(position));
        known_at.push(recorded_at);
        hours.push((total - at.hours_since(outcomes.ordered_at()[row])).max(0.0) as f32);
    }
    let past = PastDeliveries { lanes: &keys, known_at: &known_at, hours: &hours, days };
    let lanes: Vec<_> = positions.iter().map(|&position| key(position)).collect();
    let forecast = baseline::lane_median_28d(&past, origin, &lanes);
    Ok(forecast.map(|forecast| Forecast { name: LANE.to_owned(), ..forecast }))
}
