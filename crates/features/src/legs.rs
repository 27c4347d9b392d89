//! How long each mile of a journey took, from the table of legs.
//!
//! The table is optional. Without it there is nothing to count and no mean.
//!
//! As of: a leg counts from the day on which its arrival was recorded, for the keys of its
//! shipment. A version that is told later takes back what was counted and adds what it says.

use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::as_of::Total;
use crate::declaration::Quantity;
use crate::events::{Change, span};
use crate::timeline::{day_of, instants, known_instants, texts};

/// Columns of the table.
const LEG_INDEX: &str = "leg_index";
const MILE: &str = "mile";
const DEPARTED_AT: &str = "departed_at";
const ARRIVED_AT: &str = "arrived_at";

/// What a version of a leg says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) recorded_at: i64,
    /// Its place in the journey.
    pub(crate) index: i64,
    /// What it counts for, and how much; nothing, if it has not arrived.
    pub(crate) took: Option<(Quantity, Total)>,
}

impl Leg {
    /// The day on which it was recorded, since the epoch.
    pub(crate) fn day(&self) -> i32 {
        day_of(self.recorded_at)
    }
}

/// What each row of the table says, beside the id of its shipment; by when it was recorded.
pub(crate) fn read(table: &DataFrame) -> Result<(StringChunked, Vec<Leg>), Error> {
    if table.height() == 0 {
        return Ok((StringChunked::default(), Vec::new()));
    }
    let by = [column::RECORDED_AT, column::SHIPMENT_ID, LEG_INDEX];
    let table = table.sort(by, SortMultipleOptions::default().with_maintain_order(true))?;
    let recorded_at = known_instants(&table, column::RECORDED_AT)?;
    let indexes = known_instants(&table, LEG_INDEX)?;
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
        let took = quantity.zip(times.map(|(from, to)| span(from, to)));
        Leg { recorded_at: recorded_at[row], index: indexes[row], took }
    };
    let legs = (0..table.height()).map(leg).collect();
    Ok((texts(&table, column::SHIPMENT_ID)?, legs))
}

/// What was counted of the legs of shipments that can still change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counted(PlHashMap<(u32, i64), (Quantity, Total)>);

impl Counted {
    /// Counts a version of a leg of a shipment, and gives what changes.
    pub(crate) fn learn(&mut self, shipment: u32, leg: &Leg) -> Vec<(Quantity, Change)> {
        let place = (shipment, leg.index);
        let before = match leg.took {
            Some(took) => self.0.insert(place, took),
            None => self.0.remove(&place),
        };
        if before == leg.took {
            return Vec::new();
        }
        let change = |change: Total| Change { shipment, day: leg.day(), change };
        let taken_back = before.map(|(quantity, total)| (quantity, change(-total)));
        let added = leg.took.map(|(quantity, total)| (quantity, change(total)));
        taken_back.into_iter().chain(added).collect()
    }

    /// Those of shipments that are kept, which rise, at their new places among them.
    #[must_use]
    pub(crate) fn only(self, kept: &[usize]) -> Self {
        let moved = |((shipment, leg), took)| {
            let place = kept.binary_search(&(shipment as usize)).ok()?;
            Some(((place as u32, leg), took))
        };
        Self(self.0.into_iter().filter_map(moved).collect())
    }

    /// As columns of a frame: shipment, leg, mile, and how long it took.
    pub(crate) fn to_frame(&self) -> Result<DataFrame, Error> {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_unstable_by_key(|(place, _)| **place);
        let mut columns = COLUMNS.map(|_| Vec::with_capacity(rows.len()));
        for ((shipment, leg), (quantity, total)) in &rows {
            let mile = MILES.iter().position(|mile| mile == quantity).unwrap_or_default();
            let row = [i64::from(*shipment), *leg, mile as i64, total.sum, total.squares];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let columns = COLUMNS.iter().zip(columns).map(|(name, c)| Column::new((*name).into(), c));
        Ok(DataFrame::new(rows.len(), columns.collect())?)
    }

    /// From the frame of [`Counted::to_frame`].
    pub(crate) fn from_frame(frame: &DataFrame) -> Result<Self, Error> {
        let columns = COLUMNS.map(|name| known_instants(frame, name));
        let [shipments, legs, miles, seconds, squares] = columns;
        let (shipments, legs, miles) = (shipments?, legs?, miles?);
        let (seconds, squares) = (seconds?, squares?);
        let row = |row: usize| {
            let mile = MILES.get(miles[row] as usize)?;
            let total = Total { count: 1, sum: seconds[row], squares: squares[row] };
            Some(((shipments[row] as u32, legs[row]), (*mile, total)))
        };
        Ok(Self((0..frame.height()).filter_map(row).collect()))
    }
}

/// In the order of their codes.
const MILES: [Quantity; 3] =
    [Quantity::FirstMileHours, Quantity::MiddleMileHours, Quantity::LastMileHours];

/// Columns of what was counted.
const COLUMNS: [&str; 5] = ["shipment", LEG_INDEX, MILE, "seconds", "squares"];
