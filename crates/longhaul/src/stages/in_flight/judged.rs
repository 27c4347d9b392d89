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

/// The latest milestone of a snapshot that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LatestMilestone {
    Ordered,
    HandedOver,
    /// So many legs have arrived.
    LegsDone(u32),
}

impl LatestMilestone {
    /// From the columns of a snapshot; without a table of legs none are done.
    fn of(hours_since_handover: f32, legs_done: f32) -> Self {
        match legs_done as u32 {
            0 if hours_since_handover.is_nan() => Self::Ordered,
            0 => Self::HandedOver,
            legs => Self::LegsDone(legs),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Ordered => "ordered".to_owned(),
            Self::HandedOver => "handed over".to_owned(),
            Self::LegsDone(legs) => format!("leg {legs} done"),
        }
    }
}

/// Age band and milestone of each snapshot.
fn stages_of(in_flight: &InFlight<'_>) -> Result<Vec<(&'static str, LatestMilestone)>> {
    let ages = in_flight.ages()?;
    let since_handover = in_flight.snapshots.numbers(HOURS_SINCE_HANDOVER)?;
    let legs_done = in_flight.snapshots.legs_done()?.unwrap_or_else(|| vec![0.0; ages.len()]);
    let milestones = since_handover.iter().zip(&legs_done);
    let milestones = milestones.map(|(&since, &legs)| LatestMilestone::of(since, legs));
    Ok(ages.iter().map(|&age| age_band(age)).zip(milestones).collect())
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
    let segment = |name: &str, of: &dyn Fn(usize) -> String| SegmentFamily {
        name: name.to_owned(),
        values: positions.iter().map(|&position| of(position)).collect(),
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
            segment("age", &|position| stages[position].0.to_owned()),
            segment("milestone", &|position| stages[position].1.name()),
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

#[cfg(test)]
mod tests {
    use super::LatestMilestone;

    #[test]
    fn the_latest_milestone_is_a_leg_where_one_has_arrived() {
        let name = |since, legs| LatestMilestone::of(since, legs).name();
        assert_eq!(name(f32::NAN, 0.0), "ordered");
        assert_eq!(name(5.0, 0.0), "handed over");
        assert_eq!(name(5.0, 1.0), "leg 1 done");
        // The record of a handover may be late.
        assert_eq!(name(f32::NAN, 2.0), "leg 2 done");
    }
}
