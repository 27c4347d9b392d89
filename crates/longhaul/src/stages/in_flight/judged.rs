//! Snapshots as they are judged: the time that was left, the segments, and the lane's baseline.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use evaluate::baseline::{self, PastDeliveries};
use evaluate::{FIRST_NIGHT, Forecast, InFlightSegment, LATER_NIGHTS, SegmentFamily, Shipments};
use features::{HOURS_SINCE_HANDOVER, HOURS_SINCE_LEG, PROMISED_HOURS};
use terms::{AsOf, DayGrid, Grain, Instant};

use super::rows::InFlight;
use crate::stages::holdout::credible_promise;
use crate::stages::lanes::Lanes;

/// Ends of the bands of ages in days, and what they are called.
const AGES: [(f32, &str); 4] =
    [(2.0, "up to 2 days"), (5.0, "2 to 5 days"), (10.0, "5 to 10 days"), (20.0, "10 to 20 days")];

/// What segments by age and by the latest milestone on record are called.
const AGE: &str = "age";
const MILESTONE: &str = "milestone";

/// What the ages after the last of them are called.
const OLDEST: &str = "more than 20 days";

/// The name of the lane's baseline.
const LANE: &str = "lane_remaining_28d";

fn age_band(hours: f32) -> &'static str {
    AGES.iter().find(|(end, _)| hours < end * 24.0).map_or(OLDEST, |(_, name)| name)
}

/// The latest milestone of a snapshot that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LatestMilestone {
    Ordered,
    HandedOver,
    /// So many legs have arrived.
    LegsDone(u32),
}

impl LatestMilestone {
    /// From the columns of a snapshot; without a table of legs none are done.
    pub(super) fn of(hours_since_handover: f32, legs_done: f32) -> Self {
        match legs_done as u32 {
            0 if hours_since_handover.is_nan() => Self::Ordered,
            0 => Self::HandedOver,
            legs => Self::LegsDone(legs),
        }
    }

    pub(super) fn name(self) -> String {
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

/// Whether each snapshot is of the first night by which its latest milestone is usually on record. Where it
/// was recorded later than usual, none is.
fn first_nights(
    in_flight: &InFlight<'_>,
    stages: &[(&'static str, LatestMilestone)],
) -> Result<Vec<bool>> {
    let snapshots = in_flight.snapshots;
    let (ages, since_handover) = (in_flight.ages()?, snapshots.numbers(HOURS_SINCE_HANDOVER)?);
    let since_leg = match snapshots.legs_done()? {
        Some(_) => snapshots.numbers(HOURS_SINCE_LEG)?,
        None => vec![f32::NAN; ages.len()],
    };
    let nights = stages.iter().enumerate().map(|(position, &(_, milestone))| {
        let hours = match milestone {
            LatestMilestone::Ordered => ages[position],
            LatestMilestone::HandedOver => since_handover[position],
            LatestMilestone::LegsDone(_) => since_leg[position],
        };
        (milestone, (hours / 24.0).floor() as i32)
    });
    let nights: Vec<(LatestMilestone, i32)> = nights.collect();
    Ok(are_first(&nights))
}

/// Whether each night after a milestone is the first one: before it there are less than half as many as on
/// any, as shipments only become fewer.
fn are_first(nights: &[(LatestMilestone, i32)]) -> Vec<bool> {
    let mut counts: BTreeMap<LatestMilestone, BTreeMap<i32, usize>> = BTreeMap::new();
    for &(milestone, night) in nights {
        *counts.entry(milestone).or_default().entry(night).or_default() += 1;
    }
    let first = |counts: &BTreeMap<i32, usize>| {
        let most = counts.values().max().copied().unwrap_or_default();
        counts.iter().find(|(_, count)| 2 * **count >= most).map(|(&night, _)| night)
    };
    let first: BTreeMap<LatestMilestone, Option<i32>> =
        counts.iter().map(|(&milestone, counts)| (milestone, first(counts))).collect();
    nights.iter().map(|(milestone, night)| first[milestone] == Some(*night)).collect()
}

/// Some snapshots by the milestone after which it is their first night, if it is one.
///
/// # Errors
/// If a column is not as it was built.
pub(super) fn by_first_night(
    in_flight: &InFlight<'_>,
    positions: &[usize],
) -> Result<SegmentFamily> {
    let stages = stages_of(in_flight)?;
    let is_first = first_nights(in_flight, &stages)?;
    let name = |&position: &usize| match is_first[position] {
        true => stages[position].1.name(),
        false => LATER_NIGHTS.to_owned(),
    };
    Ok(SegmentFamily { name: FIRST_NIGHT.to_owned(), values: positions.iter().map(name).collect() })
}

/// Sorts segments: ages from the youngest on, milestones in their order, what is neither last.
///
/// # Errors
/// If a column is not as it was built.
pub(super) fn sort(segments: &mut [InFlightSegment], in_flight: &InFlight<'_>) -> Result<()> {
    let milestones: BTreeSet<LatestMilestone> =
        stages_of(in_flight)?.into_iter().map(|(_, milestone)| milestone).collect();
    let ages = AGES.map(|(_, name)| name).into_iter().chain([OLDEST]).map(str::to_owned);
    let names: Vec<String> =
        ages.chain(milestones.into_iter().map(LatestMilestone::name)).collect();
    let families = [AGE, MILESTONE, FIRST_NIGHT];
    segments.sort_by_key(|segment| {
        let family = families.iter().position(|family| *family == segment.by);
        (family, names.iter().position(|name| *name == segment.name).unwrap_or(names.len()))
    });
    Ok(())
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
    let InFlight { snapshots, matrix, .. } = in_flight;
    let outcomes = in_flight.outcomes(now);
    let promised = snapshots.numbers(PROMISED_HOURS)?;
    let (ages, stages) = (in_flight.ages()?, stages_of(in_flight)?);
    let segment = |name: &str, of: &dyn Fn(usize) -> String| SegmentFamily {
        name: name.to_owned(),
        values: positions.iter().map(|&position| of(position)).collect(),
    };
    let promised = |&position: &usize| {
        let left = credible_promise(Some(promised[position]))? - ages[position];
        (left > 0.0).then_some(left)
    };
    Ok(Shipments {
        grain: Grain::of_outcomes(matrix, &outcomes),
        ordered_at: positions.iter().map(|&position| snapshots.at()[position]).collect(),
        outcomes: positions.iter().map(|&position| outcomes[position]).collect(),
        promised_hours: positions.iter().map(promised).collect(),
        segments: vec![
            segment(AGE, &|position| stages[position].0.to_owned()),
            segment(MILESTONE, &|position| stages[position].1.name()),
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
    use super::{LatestMilestone, are_first};

    #[test]
    fn the_first_night_after_a_milestone_is_that_by_which_it_is_usually_on_record() {
        let of = |milestone, counts: &[usize]| -> Vec<bool> {
            let nights = counts.iter().zip(0..).flat_map(|(&n, night)| vec![(milestone, night); n]);
            are_first(&nights.collect::<Vec<_>>())
        };
        let firsts = |counts: &[usize]| {
            let found = of(LatestMilestone::HandedOver, counts);
            let firsts = found.iter().zip(0..).filter(|(is_first, _)| **is_first);
            firsts.map(|(_, at)| at).collect::<Vec<usize>>()
        };
        let among = |from: usize, n: usize| (from..from + n).collect::<Vec<usize>>();
        assert_eq!(firsts(&[9, 8, 4]), among(0, 9));
        // A few are on record earlier; none is; nearly all are open on the next nights too.
        assert_eq!(firsts(&[1, 9, 7]), among(1, 9));
        assert_eq!(firsts(&[0, 8, 9, 9]), among(0, 8));
        // Each milestone has its own.
        let two = [(LatestMilestone::Ordered, 0), (LatestMilestone::LegsDone(1), 2)];
        assert_eq!(are_first(&two), [true, true]);
        assert!(are_first(&[]).is_empty());
    }

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
