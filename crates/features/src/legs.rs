//! Durations of the miles of a journey, from the table of legs.
//!
//! The table is optional. Without it the counts are zero and the means missing.
//!
//! As of: a leg counts from the day on which its arrival was recorded, for the keys of its
//! shipment. A later version of the leg takes back what was counted and adds its own duration.

use polars::prelude::*;
use terms::{Day, Instant, ShipmentIdx, column};

use crate::Error;
use crate::as_of::Totals;
use crate::columns::{instants, required_instants, required_integers, texts};
use crate::events::{Change, duration};
use crate::quantity::Quantity;

/// Columns of the table.
const LEG_INDEX: &str = "leg_index";
const MILE: &str = "mile";
const DEPARTED_AT: &str = "departed_at";
const ARRIVED_AT: &str = "arrived_at";

/// A version of a leg.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) recorded_at: Instant,
    /// Its position in the journey.
    pub(crate) index: i64,
    /// The quantity that it counts for and its duration; `None` before it arrives.
    pub(crate) duration: Option<(Quantity, Totals)>,
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
    let leg = |row: usize| {
        let quantity = match miles.get(row) {
            Some("first") => Some(Quantity::FirstMileHours),
            Some("middle") => Some(Quantity::MiddleMileHours),
            Some("last") => Some(Quantity::LastMileHours),
            _ => None,
        };
        let times = departed_at[row].zip(arrived_at[row]);
        let duration = quantity.zip(times.map(|(from, to)| duration(from, to)));
        Leg { recorded_at: recorded_at[row], index: indexes[row], duration }
    };
    let legs = (0..table.height()).map(leg).collect();
    Ok((texts(&table, column::SHIPMENT_ID)?, legs))
}

/// The legs that are counted, by shipment and position, of shipments that can still change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CountedLegs(PlHashMap<(ShipmentIdx, i64), (Quantity, Totals)>);

impl CountedLegs {
    /// Counts a version of a leg of a shipment, and gives what changes.
    pub(crate) fn ingest(&mut self, shipment: ShipmentIdx, leg: &Leg) -> Vec<(Quantity, Change)> {
        let of_leg = (shipment, leg.index);
        let before = match leg.duration {
            Some(duration) => self.0.insert(of_leg, duration),
            None => self.0.remove(&of_leg),
        };
        if before == leg.duration {
            return Vec::new();
        }
        let change = |change: Totals| Change { shipment, day: leg.day(), change };
        let taken_back = before.map(|(quantity, total)| (quantity, change(-total)));
        let added = leg.duration.map(|(quantity, total)| (quantity, change(total)));
        taken_back.into_iter().chain(added).collect()
    }

    /// The legs of the shipments at the positions `kept`, which ascend, renumbered by them.
    #[must_use]
    pub(crate) fn only(self, kept: &[usize]) -> Self {
        let renumbered = |((shipment, leg), duration): ((ShipmentIdx, i64), _)| {
            let position = kept.binary_search(&shipment.as_usize()).ok()?;
            Some(((ShipmentIdx(position as u32), leg), duration))
        };
        Self(self.0.into_iter().filter_map(renumbered).collect())
    }

    /// As a frame: shipment, leg, mile, seconds, and squared minutes.
    pub(crate) fn to_frame(&self) -> Result<DataFrame, Error> {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_unstable_by_key(|(of_leg, _)| **of_leg);
        let mut columns = COLUMNS.map(|_| Vec::with_capacity(rows.len()));
        for ((shipment, leg), (quantity, total)) in &rows {
            let mile = MILES.iter().position(|mile| mile == quantity).unwrap_or_default();
            let row = [i64::from(shipment.0), *leg, mile as i64, total.sum, total.squares];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let columns = COLUMNS.iter().zip(columns).map(|(name, c)| Column::new((*name).into(), c));
        Ok(DataFrame::new(rows.len(), columns.collect())?)
    }

    /// From the frame of [`CountedLegs::to_frame`].
    pub(crate) fn from_frame(frame: &DataFrame) -> Result<Self, Error> {
        let columns = COLUMNS.map(|name| required_integers(frame, name));
        let [shipments, legs, miles, seconds, squares] = columns;
        let (shipments, legs, miles) = (shipments?, legs?, miles?);
        let (seconds, squares) = (seconds?, squares?);
        let row = |row: usize| {
            let mile = MILES.get(miles[row] as usize)?;
            let total = Totals { count: 1, sum: seconds[row], squares: squares[row] };
            Some(((ShipmentIdx(shipments[row] as u32), legs[row]), (*mile, total)))
        };
        Ok(Self((0..frame.height()).filter_map(row).collect()))
    }
}

/// In the order of their codes.
const MILES: [Quantity; 3] =
    [Quantity::FirstMileHours, Quantity::MiddleMileHours, Quantity::LastMileHours];

/// Columns of the legs that are counted.
const COLUMNS: [&str; 5] = ["shipment", LEG_INDEX, MILE, "seconds", "squares"];
