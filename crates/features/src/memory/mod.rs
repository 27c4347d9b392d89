//! What is remembered of the past, so that one more day is learned without reading it again.
//!
//! [`Memory::learn`] takes what was recorded on some days, [`Memory::recall`] the pages of earlier
//! months that the new rows ask for, and [`Memory::features`] gives the rows of the shipments that
//! are new. All of it depends on what was recorded and on which day, never on how many days are
//! learned at once: a full build is the same fold over days as any sequence of nightly runs.
//!
//! Remembered are the orders and shipments that can still change ([`tracked`]), the position of
//! every key, and a page of running totals for each month. A row, once built, stays as it is.

mod files;
mod places;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{Datelike, NaiveDate};
use polars::prelude::*;
use rayon::prelude::*;
use terms::column;

pub(crate) use self::tracked::Heard;
use self::tracked::Tracked;
use crate::as_of::{Event, Ledger};
use crate::declaration::{Declaration, Quantity};
use crate::facts::{self, N_SHIPMENTS, Placed};
use crate::history::{self, Asked, Rows, days_asked};
use crate::keys::Positions;
use crate::month::Month;
use crate::surroundings::Surroundings;
use crate::tables::Tables;
use crate::timeline::{day_of, known_instants};
use crate::{Error, calendar, events};

pub use self::files::Saved;

/// Everything that the rows of later days need.
pub struct Memory {
    declared: Declaration,
    asked: Asked,
    /// The day after the last one that was learned.
    until: Option<i32>,
    tracked: Option<Tracked>,
    /// For each declared key.
    positions: Vec<Positions>,
    /// For each declared quantity by a key.
    ledgers: Vec<Ledger>,
    /// First days of the months of their pages.
    months: Vec<i32>,
    /// Nodes and holidays.
    surroundings: Surroundings,
    /// New shipments, whose rows are not built yet.
    new: Option<New>,
}

/// What was learned last.
struct New {
    /// First versions of shipments that are new.
    placed: Placed,
    heard: Vec<Heard>,
    late: usize,
}

/// The rows of some days.
pub struct Learned {
    /// Rows of new shipments, and everything that was recorded of any.
    pub month: Month,
    /// Versions that came so long after their order that history does not count them.
    pub late: usize,
}

/// The first day of the month that `day` lies in.
pub fn month_of(day: i32) -> i32 {
    let date = NaiveDate::from_epoch_days(day).unwrap_or_default();
    day - date.day0() as i32
}

/// `days` month by month.
pub fn by_month(days: Range<i32>) -> Vec<Range<i32>> {
    let mut months: Vec<Range<i32>> = Vec::new();
    for day in days {
        match months.last_mut() {
            Some(last) if month_of(last.start) == month_of(day) => last.end = day + 1,
            _ => months.push(day..day + 1),
        }
    }
    months
}

impl Memory {
    /// Of nothing.
    ///
    /// # Errors
    /// If the declaration has a key that cannot be.
    pub fn new(declared: &Declaration) -> Result<Self, Error> {
        let asked = Asked::by(declared);
        let positions = asked.keys.iter().map(|key| Positions::of(key));
        Ok(Self {
            declared: declared.clone(),
            until: None,
            tracked: None,
            positions: positions.collect::<Result<_, _>>()?,
            ledgers: asked.ledgers.iter().map(|_| Ledger::default()).collect(),
            months: Vec::new(),
            surroundings: Surroundings::default(),
            new: None,
            asked,
        })
    }

    /// Orders that it does not know and that are so old that it may have forgotten them: those of
    /// them that have a row in an earlier month are `forgotten` to [`Memory::learn`].
    ///
    /// # Errors
    /// If a column is not of its contract's type.
    pub fn strangers(&self, tables: &Tables) -> Result<PlHashSet<String>, Error> {
        match &self.tracked {
            Some(tracked) => tracked.strangers(&tables.orders),
            None => Ok(PlHashSet::default()),
        }
    }

    /// Learns what was recorded on `days`, which lie in one month and follow those that it knows.
    /// Gives the months, by their first days, whose pages [`Memory::features`] needs.
    ///
    /// # Errors
    /// If a column is not of its contract's type.
    ///
    /// # Panics
    /// If `days` do not follow, for then every answer would be wrong.
    pub fn learn(
        &mut self,
        tables: &Tables,
        days: Range<i32>,
        forgotten: &PlHashSet<String>,
    ) -> Result<Vec<i32>, Error> {
        assert!(self.until.is_none_or(|until| until == days.start), "days follow each other");
        assert_eq!(month_of(days.start), month_of(days.end - 1), "days of one month");
        self.turn(month_of(days.start));
        let mut tracked = match self.tracked.take() {
            Some(tracked) => tracked,
            None => Tracked::nothing(&tables.orders, self.asked.keys.len()),
        };
        let n_before = tracked.shipments.ids.len();
        self.surroundings.learn(&tables.nodes, &tables.holidays)?;
        let brought = tracked.learn(tables, forgotten)?;
        let mut placed = placed(&tracked, brought.firsts, n_before)?;
        for column in self.surroundings.of_origins(&placed.firsts, &placed.days)? {
            placed.firsts.with_column(column)?;
        }
        let keys = tracked.shipments.keys.par_iter_mut().zip(&mut self.positions);
        keys.try_for_each(|(keys, positions)| {
            keys.extend(positions.of_rows(&placed.firsts)?);
            Ok::<_, Error>(())
        })?;
        self.count(&tracked, &brought.legs, &days);
        let days_of_rows: BTreeSet<i32> = placed.days.iter().copied().collect();
        let asked: BTreeSet<i32> =
            days_of_rows.into_iter().flat_map(|day| days_asked(&self.declared, day)).collect();
        self.tracked = Some(tracked);
        self.until = Some(days.end);
        self.new = Some(New { placed, heard: brought.heard, late: brought.late });
        Ok(self.pages_missing(&asked))
    }

    /// Begins a page for each month up to this one.
    fn turn(&mut self, month: i32) {
        if self.months.last().is_none_or(|last| *last < month) {
            self.months.push(month);
            self.ledgers.iter_mut().for_each(|ledger| ledger.turn(month));
        }
    }

    /// Counts in the ledgers what changed on `days`, of shipments and of `legs`.
    fn count(&mut self, tracked: &Tracked, legs: &[(Quantity, events::Change)], days: &Range<i32>) {
        let shipments = &tracked.shipments;
        let mut quantities: Vec<Quantity> = Vec::new();
        for (quantity, _) in &self.asked.ledgers {
            if !quantities.contains(quantity) {
                quantities.push(*quantity);
            }
        }
        let changes: Vec<Vec<events::Change>> = (quantities.par_iter())
            .map(|&quantity| {
                if quantity.is_of_legs() {
                    let of_mile = legs.iter().filter(|(mile, _)| *mile == quantity);
                    return of_mile.map(|(_, change)| *change).collect();
                }
                events::of(quantity, &shipments.ordered_at, &shipments.timelines, days)
            })
            .collect();
        let ledgers = self.ledgers.par_iter_mut().zip(&self.asked.ledgers);
        ledgers.for_each(|(ledger, (quantity, key))| {
            let of_quantity = quantities.iter().zip(&changes).filter(|(q, _)| *q == quantity);
            let keys = &shipments.keys[*key];
            let event = |c: &events::Change| Event {
                key: keys[c.shipment as usize],
                day: c.day,
                change: c.change,
            };
            ledger.add(of_quantity.flat_map(|(_, changes)| changes).map(event).collect());
        });
    }

    /// The months that answer at these days and are not here.
    fn pages_missing(&self, days: &BTreeSet<i32>) -> Vec<i32> {
        let month = |day: &i32| match self.months.partition_point(|first| first <= day) {
            0 => None,
            n => Some(self.months[n - 1]),
        };
        let months: BTreeSet<i32> = days.iter().filter_map(month).collect();
        let is_here = |month: i32| self.ledgers.iter().all(|ledger| ledger.page(month).is_some());
        months.into_iter().filter(|&month| !is_here(month)).collect()
    }

    /// The features of the shipments that were new on the days learned last.
    ///
    /// # Errors
    /// If a column is not of its contract's type, or a time zone does not exist.
    pub fn features(&mut self) -> Result<Learned, Error> {
        let (Some(new), Some(tracked)) = (self.new.take(), self.tracked.take()) else {
            return Ok(Learned { month: Month::default(), late: 0 });
        };
        let n_before = tracked.shipments.ids.len() - new.placed.len();
        let rows = Rows {
            asked: &self.asked,
            ledgers: &self.ledgers,
            keys: tracked.shipments.keys.iter().map(|keys| &keys[n_before..]).collect(),
            days: &new.placed.days,
        };
        let (known, history) =
            rayon::join(|| self.known(&new.placed), || history::columns(&rows, &self.declared));
        let mut columns = known?;
        columns.extend(history);
        let rows = DataFrame::new(new.placed.len(), columns)?;
        self.tracked = Some(tracked.forget(self.until.unwrap_or_default())?);
        Ok(Learned { month: Month::of(rows, &new.heard)?, late: new.late })
    }

    /// Columns that do not come of history.
    fn known(&self, placed: &Placed) -> Result<Vec<Column>, Error> {
        let mut columns = placed.key_columns()?;
        columns.extend(facts::columns(placed, &self.declared)?);
        columns.extend(calendar::columns(placed, &self.surroundings, &self.declared)?);
        Ok(columns)
    }

    /// Forgets the pages that rows of the next day do not ask for. They have to be kept elsewhere:
    /// [`Memory::learn`] says when they have to be [recalled](Self::recall).
    pub fn put_pages_aside(&mut self) {
        let Some(until) = self.until else { return };
        let asked = days_asked(&self.declared, until);
        self.ledgers.iter_mut().for_each(|ledger| ledger.keep_pages_of(&asked));
    }

    /// The day after the last one that was learned.
    pub fn until(&self) -> Option<i32> {
        self.until
    }
}

/// New shipments with the first version of their order beside them.
fn placed(tracked: &Tracked, mut firsts: DataFrame, n_before: usize) -> Result<Placed, Error> {
    let shipments = &tracked.shipments;
    let orders: Vec<IdxSize> = shipments.orders[n_before..].to_vec();
    for column in tracked.orders.firsts.take(&IdxCa::from_vec("".into(), orders))?.columns() {
        // Keys and times of the version itself are the shipment's.
        if firsts.column(column.name()).is_err() {
            firsts.with_column(column.clone())?;
        }
    }
    let of_order = shipments.of_the_same_order(n_before);
    firsts.with_column(Column::new(N_SHIPMENTS.into(), of_order))?;
    let ordered_at = shipments.ordered_at[n_before..].to_vec();
    let recorded_at = known_instants(&firsts, column::RECORDED_AT)?;
    let times = ordered_at.iter().zip(recorded_at);
    let days = times.map(|(&ordered_at, at)| day_of(ordered_at.min(at))).collect();
    Ok(Placed { firsts, ordered_at, days })
}
