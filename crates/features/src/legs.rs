//! Durations of the miles of a journey, and how far a shipment has come, from the table of legs.
//!
//! The table is optional. Without it the counts are zero and the means missing.
//!
//! As of: a leg counts from the day on which its arrival was recorded, for the keys of its
//! shipment. A later version of the leg takes back what was counted and adds its own duration. How far
//! a shipment has come follows from the versions that were recorded before a moment.

use std::collections::BTreeMap;

use polars::prelude::*;
use terms::{Day, Instant, ShipmentIdx, column};

use crate::Error;
use crate::as_of::Totals;
use crate::columns::{
    frame_of, instants, integers, of_instants, required_instants, required_integers, texts,
};
use crate::events::{Change, duration};
use crate::quantity::Quantity;

/// Columns of the table.
const LEG_INDEX: &str = "leg_index";
const MILE: &str = "mile";
const DEPARTED_AT: &str = "departed_at";
const ARRIVED_AT: &str = "arrived_at";
const FAILED_ATTEMPTS: &str = "failed_attempts";
const FAILED_ATTEMPT_AT: &str = "failed_attempt_at";

/// A version of a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Leg {
    pub(crate) recorded_at: Instant,
    /// Its position in the journey.
    pub(crate) index: i64,
    /// `None` before it arrives.
    pub(crate) arrival: Option<Arrival>,
    /// How many attempts to deliver had failed.
    pub(crate) failed_attempts: i64,
    /// When the last of them failed, if it is reported.
    pub(crate) failed_attempt_at: Option<Instant>,
}

/// The arrival of a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// When it arrived.
    at: Instant,
    /// The quantity that it counts for.
    mile: Quantity,
    /// Since its departure.
    duration: Totals,
}

impl Leg {
    /// The day on which it was recorded.
    pub(crate) fn day(&self) -> Day {
        self.recorded_at.day()
    }
}

/// The ids of the shipments and the versions of their legs, row by row, by when they were recorded.
pub(crate) fn read(table: &DataFrame) -> Result<(StringChunked, Vec<Leg>), Error> {
    if table.height() == 0 {
        return Ok((StringChunked::default(), Vec::new()));
    }
    let by = [column::RECORDED_AT, column::SHIPMENT_ID, LEG_INDEX];
    let table = table.sort(by, SortMultipleOptions::default().with_maintain_order(true))?;
    let recorded_at = required_instants(&table, column::RECORDED_AT)?;
    let indexes = required_integers(&table, LEG_INDEX)?;
    let miles = texts(&table, MILE)?;
    let departed_at = instants(&table, DEPARTED_AT)?;
    let arrived_at = instants(&table, ARRIVED_AT)?;
    let failed_attempts = integers(&table, FAILED_ATTEMPTS)?;
    let failed_attempt_at = instants(&table, FAILED_ATTEMPT_AT)?;
    let leg = |row: usize| {
        let mile = match miles.get(row) {
            Some("first") => Some(Quantity::FirstMileHours),
            Some("middle") => Some(Quantity::MiddleMileHours),
            Some("last") => Some(Quantity::LastMileHours),
            _ => None,
        };
        let times = departed_at[row].zip(arrived_at[row]);
        let arrival = mile.zip(times).map(|(mile, (from, at))| Arrival {
            at,
            mile,
            duration: duration(from, at),
        });
        Leg {
            recorded_at: recorded_at[row],
            index: indexes[row],
            arrival,
            failed_attempts: failed_attempts.get(row).unwrap_or(0),
            failed_attempt_at: failed_attempt_at[row],
        }
    };
    let legs = (0..table.height()).map(leg).collect();
    Ok((texts(&table, column::SHIPMENT_ID)?, legs))
}

/// The versions of legs, by shipment, of shipments that can still change; of each in the order in which
/// they were recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LegVersions(PlHashMap<ShipmentIdx, Vec<Leg>>);

/// How far a shipment has come, by its legs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct LegProgress {
    /// How many legs have arrived.
    pub(crate) n_arrived: usize,
    /// When the furthest of them arrived, and its mile: 0 first, 1 middle, 2 last.
    pub(crate) furthest: Option<(Instant, usize)>,
    /// How many attempts to deliver have failed.
    pub(crate) failed_attempts: i64,
    /// When the last of them failed.
    pub(crate) failed_attempt_at: Option<Instant>,
}

impl LegVersions {
    /// Adds a version of a leg of a shipment, and gives what changes in history.
    pub(crate) fn ingest(&mut self, shipment: ShipmentIdx, leg: &Leg) -> Vec<(Quantity, Change)> {
        let versions = self.0.entry(shipment).or_default();
        let before = versions.iter().rfind(|before| before.index == leg.index);
        let counted = |arrival: Arrival| (arrival.mile, arrival.duration);
        let before = before.and_then(|before| before.arrival).map(counted);
        let after = leg.arrival.map(counted);
        versions.push(*leg);
        if before == after {
            return Vec::new();
        }
        let change = |change: Totals| Change { shipment, day: leg.day(), change };
        let taken_back = before.map(|(mile, duration)| (mile, change(-duration)));
        let added = after.map(|(mile, duration)| (mile, change(duration)));
        taken_back.into_iter().chain(added).collect()
    }

    /// How far a shipment has come.
    ///
    /// As of: versions recorded before `at`; of each leg the last one.
    pub(crate) fn progress(&self, shipment: ShipmentIdx, at: Instant) -> LegProgress {
        let recorded =
            self.0.get(&shipment).into_iter().flatten().filter(|leg| leg.recorded_at < at);
        let last: BTreeMap<i64, &Leg> = recorded.map(|leg| (leg.index, leg)).collect();
        let arrivals = || last.values().filter_map(|leg| leg.arrival);
        LegProgress {
            n_arrived: arrivals().count(),
            furthest: arrivals().next_back().map(|arrival| (arrival.at, code(arrival.mile))),
            failed_attempts: last.values().map(|leg| leg.failed_attempts).sum(),
            failed_attempt_at: last.values().filter_map(|leg| leg.failed_attempt_at).max(),
        }
    }

    /// Those of the shipments at the positions `kept`, which ascend, renumbered by them.
    #[must_use]
    pub(crate) fn only(self, kept: &[usize]) -> Self {
        let renumbered = |(shipment, versions): (ShipmentIdx, _)| {
            let position = kept.binary_search(&shipment.as_usize()).ok()?;
            Some((ShipmentIdx(position as u32), versions))
        };
        Self(self.0.into_iter().filter_map(renumbered).collect())
    }

    /// As a frame: shipment, leg, when it was recorded, of its arrival when, the mile, seconds and
    /// squared minutes, and the attempts that failed.
    pub(crate) fn to_frame(&self) -> Result<DataFrame, Error> {
        let mut of_shipments: Vec<_> = self.0.iter().collect();
        of_shipments.sort_unstable_by_key(|(shipment, _)| **shipment);
        let (mut shipments, mut legs): (Vec<i64>, Vec<&Leg>) = (Vec::new(), Vec::new());
        for (shipment, versions) in of_shipments {
            shipments.extend(versions.iter().map(|_| i64::from(shipment.0)));
            legs.extend(versions);
        }
        let numbers = |of: fn(Arrival) -> i64| -> Vec<Option<i64>> {
            legs.iter().map(|leg| leg.arrival.map(of)).collect()
        };
        let indexes: Vec<i64> = legs.iter().map(|leg| leg.index).collect();
        frame_of(vec![
            Column::new(SHIPMENT.into(), shipments),
            Column::new(LEG_INDEX.into(), indexes),
            of_instants(column::RECORDED_AT, legs.iter().map(|leg| leg.recorded_at)),
            Column::new(ARRIVED_AT.into(), numbers(|arrival| arrival.at.micros())),
            Column::new(MILE.into(), numbers(|arrival| code(arrival.mile) as i64)),
            Column::new(SECONDS.into(), numbers(|arrival| arrival.duration.sum)),
            Column::new(SQUARES.into(), numbers(|arrival| arrival.duration.squares)),
            Column::new(
                FAILED_ATTEMPTS.into(),
                legs.iter().map(|leg| leg.failed_attempts).collect::<Vec<i64>>(),
            ),
            Column::new(
                FAILED_ATTEMPT_AT.into(),
                legs.iter().map(|leg| Some(leg.failed_attempt_at?.micros())).collect::<Vec<_>>(),
            ),
        ])
    }

    /// From the frame of [`LegVersions::to_frame`].
    pub(crate) fn from_frame(frame: &DataFrame) -> Result<Self, Error> {
        let shipments = required_integers(frame, SHIPMENT)?;
        let indexes = required_integers(frame, LEG_INDEX)?;
        let recorded_at = required_instants(frame, column::RECORDED_AT)?;
        let arrived_at = instants(frame, ARRIVED_AT)?;
        let failed_attempts = required_integers(frame, FAILED_ATTEMPTS)?;
        let failed_attempt_at = instants(frame, FAILED_ATTEMPT_AT)?;
        let [miles, seconds, squares] = [MILE, SECONDS, SQUARES].map(|name| frame.column(name));
        let (miles, seconds, squares) = (miles?.i64()?, seconds?.i64()?, squares?.i64()?);
        let mut all = Self::default();
        for (row, &shipment) in shipments.iter().enumerate() {
            let arrival = || {
                let (sum, squares) = (seconds.get(row)?, squares.get(row)?);
                Some(Arrival {
                    at: arrived_at[row]?,
                    mile: *MILES.get(miles.get(row)? as usize)?,
                    duration: Totals { count: 1, sum, squares },
                })
            };
            let leg = Leg {
                recorded_at: recorded_at[row],
                index: indexes[row],
                arrival: arrival(),
                failed_attempts: failed_attempts[row],
                failed_attempt_at: failed_attempt_at[row],
            };
            all.0.entry(ShipmentIdx(shipment as u32)).or_default().push(leg);
        }
        Ok(all)
    }
}

/// In the order of their codes.
const MILES: [Quantity; 3] =
    [Quantity::FirstMileHours, Quantity::MiddleMileHours, Quantity::LastMileHours];

/// The code of a mile: its position among [`MILES`].
fn code(mile: Quantity) -> usize {
    MILES.iter().position(|of| *of == mile).unwrap_or_default()
}

/// Columns of the versions that the table does not have.
const SHIPMENT: &str = "shipment";
const SECONDS: &str = "seconds";
const SQUARES: &str = "squares";

#[cfg(test)]
mod tests {
    use super::*;
    use terms::HOUR_MICROS;

    const SHIPMENT_0: ShipmentIdx = ShipmentIdx(0);

    fn hour(hour: i64) -> Instant {
        Instant::from_micros(hour * HOUR_MICROS)
    }

    /// A version recorded at an hour, and the hour of its arrival.
    fn leg(recorded: i64, index: i64, arrived: Option<i64>) -> Leg {
        let mile = MILES[index as usize % 3];
        let arrival =
            arrived.map(|at| Arrival { at: hour(at), mile, duration: duration(hour(0), hour(at)) });
        Leg {
            recorded_at: hour(recorded),
            index,
            arrival,
            failed_attempts: 0,
            failed_attempt_at: None,
        }
    }

    /// A version recorded at an hour, and the hour of the last attempt of so many that failed.
    fn failed(recorded: i64, index: i64, attempts: i64, at: i64) -> Leg {
        let leg = leg(recorded, index, None);
        Leg { failed_attempts: attempts, failed_attempt_at: Some(hour(at)), ..leg }
    }

    fn versions(legs: &[Leg]) -> LegVersions {
        let mut versions = LegVersions::default();
        legs.iter().for_each(|leg| drop(versions.ingest(SHIPMENT_0, leg)));
        versions
    }

    #[test]
    fn progress_is_of_the_last_versions_that_were_recorded_before() {
        let versions = versions(&[
            leg(10, 1, None),
            leg(20, 1, Some(15)),
            leg(30, 2, Some(28)),
            leg(40, 1, Some(16)),
            leg(50, 2, None),
            leg(60, 1, None),
        ]);
        let known = |at: i64| {
            let progress = versions.progress(SHIPMENT_0, hour(at));
            (progress.n_arrived, progress.furthest)
        };
        assert_eq!(known(20), (0, None), "recorded at this very moment");
        assert_eq!(known(21), (1, Some((hour(15), 1))));
        assert_eq!(known(31), (2, Some((hour(28), 2))), "the furthest");
        assert_eq!(known(41), (2, Some((hour(28), 2))), "an earlier one is corrected");
        assert_eq!(known(51), (1, Some((hour(16), 1))), "taken back");
        assert_eq!(known(61), (0, None), "all are taken back");
        let other = versions.progress(ShipmentIdx(1), hour(61));
        assert_eq!(other, LegProgress::default(), "another shipment");
    }

    #[test]
    fn failed_attempts_are_those_of_the_last_versions_that_were_recorded_before() {
        let versions = versions(&[
            leg(10, 1, Some(8)),
            failed(20, 2, 1, 15),
            failed(30, 2, 2, 28),
            failed(40, 2, 1, 15),
            leg(50, 2, Some(45)),
        ]);
        let known = |at: i64| {
            let progress = versions.progress(SHIPMENT_0, hour(at));
            (progress.n_arrived, progress.failed_attempts, progress.failed_attempt_at)
        };
        assert_eq!(known(20), (1, 0, None), "recorded at this very moment");
        assert_eq!(known(21), (1, 1, Some(hour(15))));
        assert_eq!(known(31), (1, 2, Some(hour(28))));
        assert_eq!(known(41), (1, 1, Some(hour(15))), "one is taken back");
        assert_eq!(known(51), (2, 0, None), "of a leg that has arrived, as it was recorded");
    }

    #[test]
    fn a_table_without_failed_attempts_has_none() {
        let columns = vec![
            Column::new(column::SHIPMENT_ID.into(), ["s1", "s1"]),
            of_instants(column::RECORDED_AT, [hour(9), hour(8)].into_iter()),
            Column::new(LEG_INDEX.into(), [1_i64, 0]),
            Column::new(MILE.into(), ["last", "middle"]),
            of_instants(DEPARTED_AT, [hour(5), hour(1)].into_iter()),
            Column::full_null(ARRIVED_AT.into(), 2, &DataType::Int64),
            Column::full_null(FAILED_ATTEMPTS.into(), 2, &DataType::Int64),
            Column::full_null(FAILED_ATTEMPT_AT.into(), 2, &DataType::Int64),
        ];
        let (_, legs) = read(&DataFrame::new(2, columns).unwrap()).unwrap();
        assert_eq!(legs, [leg(8, 0, None), leg(9, 1, None)]);
    }

    #[test]
    fn a_version_takes_back_what_the_one_before_counted() {
        let mut versions = LegVersions::default();
        let mut counts = |leg: &Leg| -> Vec<i64> {
            let changes = versions.ingest(SHIPMENT_0, leg);
            changes.iter().map(|(_, change)| change.change.count).collect()
        };
        assert_eq!(counts(&leg(10, 0, None)), [0; 0]);
        assert_eq!(counts(&leg(20, 0, Some(15))), [1]);
        assert_eq!(counts(&leg(25, 1, Some(24))), [1], "of another leg");
        assert_eq!(counts(&leg(30, 0, Some(15))), [0; 0], "the same again");
        assert_eq!(counts(&leg(40, 0, Some(16))), [-1, 1]);
        assert_eq!(counts(&leg(50, 0, None)), [-1]);
    }

    #[test]
    fn versions_come_back_from_a_frame_as_they_were() {
        let legs = [leg(10, 1, None), leg(20, 1, Some(15)), leg(30, 0, Some(3))];
        let before = versions(&[legs.as_slice(), &[failed(40, 2, 1, 35)]].concat());
        let again = LegVersions::from_frame(&before.to_frame().unwrap()).unwrap();
        assert_eq!(again, before);
        let none = LegVersions::default();
        assert_eq!(LegVersions::from_frame(&none.to_frame().unwrap()).unwrap(), none);
        let other =
            LegVersions(PlHashMap::from_iter([(ShipmentIdx(7), before.0[&SHIPMENT_0].clone())]));
        assert_eq!(
            other.clone().only(&[2, 7]),
            LegVersions(PlHashMap::from_iter([(ShipmentIdx(1), before.0[&SHIPMENT_0].clone(),)]))
        );
        assert_eq!(other.only(&[2]), none);
    }
}
