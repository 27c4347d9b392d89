//! Active orders: those that may still get a row, or whose records count in history.

use polars::prelude::*;
use terms::{Day, Instant, column};

use crate::Error;
use crate::columns::{instants, required_instants, texts};
use crate::state::id_lookup::IdLookup;
use crate::state::order_idx::OrderIdx;
use crate::state::promises::Promises;

/// An order stays active for so many days longer than it counts, since a month may be ingested at
/// once: an order without a row that is recorded again after that is a new order.
const MONTH_DAYS: i32 = 31;

/// Active orders, in the order in which they were first recorded.
pub(super) struct Orders {
    /// The first version of each.
    pub(super) firsts: DataFrame,
    /// When its first version was recorded.
    pub(super) recorded_at: Vec<Instant>,
    pub(super) ordered_at: Vec<Instant>,
    /// Those of versions that count.
    pub(super) promises: Promises,
    /// Cancellations that count, by when they were recorded.
    pub(super) cancellations: Vec<Cancellation>,
    /// Records of an order so many days after its first one do not count in history.
    pub(super) history_days: i32,
}

/// A record of an order as cancelled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancellation {
    pub(super) order: OrderIdx,
    pub(super) recorded_at: Instant,
}

impl Orders {
    /// None yet, with the columns of a table.
    pub(super) fn with_columns_of(table: &DataFrame, history_days: i32) -> Self {
        Self {
            firsts: table.clear(),
            recorded_at: Vec::new(),
            ordered_at: Vec::new(),
            promises: Promises::default(),
            cancellations: Vec::new(),
            history_days,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.recorded_at.len()
    }

    /// The wanted orders among the active ones.
    pub(super) fn lookup<'a>(
        &self,
        wanted: impl Iterator<Item = &'a str>,
    ) -> Result<IdLookup<'a, OrderIdx>, Error> {
        let ids = texts(&self.firsts, column::ORDER_ID)?;
        let active = ids.iter().map(Option::unwrap_or_default).zip((0..).map(OrderIdx));
        Ok(IdLookup::of(wanted, active))
    }

    fn first_day(&self, order: OrderIdx) -> Day {
        self.recorded_at[order.as_usize()].day()
    }

    /// Whether a record of the order on `day` counts in history.
    pub(super) fn counts(&self, order: OrderIdx, day: Day) -> bool {
        let first = self.first_day(order);
        (first..first.plus(self.history_days)).contains(&day)
    }

    /// Whether the order is active on `day`: a record of its id then is another version of it, and
    /// not a new order.
    pub(super) fn is_active(&self, order: OrderIdx, day: Day) -> bool {
        day < self.first_day(order).plus(self.history_days + MONTH_DAYS)
    }

    /// Orders in the table that are not active, and old enough to have been active once.
    pub(super) fn unknown_old_orders(&self, table: &DataFrame) -> Result<PlHashSet<String>, Error> {
        let ids = texts(table, column::ORDER_ID)?;
        let lookup = self.lookup(ids.iter().flatten())?;
        let recorded_at = required_instants(table, column::RECORDED_AT)?;
        let ordered_at = required_instants(table, column::ORDERED_AT)?;
        let times = recorded_at.into_iter().zip(ordered_at);
        let unknown = |(id, (recorded_at, ordered_at)): (Option<&str>, (Instant, Instant))| {
            let day = recorded_at.day();
            let is_active =
                |id: &str| lookup.get(id).is_some_and(|order| self.is_active(order, day));
            let id = id.filter(|id| !is_active(id))?;
            (day.days_since(ordered_at.day()) >= self.history_days).then(|| id.to_owned())
        };
        Ok(ids.iter().zip(times).filter_map(unknown).collect())
    }

    /// Ingests versions of orders, by when they were recorded, and gives the cancellations among
    /// them. `ids` are those of the table. Orders that are `already_built` stay inactive.
    pub(super) fn ingest<'a>(
        &mut self,
        table: &DataFrame,
        ids: &'a StringChunked,
        lookup: &mut IdLookup<'a, OrderIdx>,
        already_built: &PlHashSet<String>,
    ) -> Result<Vec<Cancellation>, Error> {
        let statuses = texts(table, column::STATUS)?;
        let recorded_at = required_instants(table, column::RECORDED_AT)?;
        let ordered_at = required_instants(table, column::ORDERED_AT)?;
        let promised_at = instants(table, column::PROMISED_AT)?;
        let mut first_rows = Vec::new();
        let mut cancellations = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let id = id.unwrap_or_default();
            let recorded_at = recorded_at[row];
            let day = recorded_at.day();
            let order = match lookup.get(id).filter(|&order| self.is_active(order, day)) {
                Some(order) => order,
                None if already_built.contains(id) => continue,
                None => {
                    let order = OrderIdx(self.len() as u32);
                    lookup.insert(id, order);
                    self.recorded_at.push(recorded_at);
                    self.ordered_at.push(ordered_at[row]);
                    self.promises.add(promised_at[row]);
                    first_rows.push(row as IdxSize);
                    order
                }
            };
            if self.counts(order, day) {
                self.promises.ingest(order, recorded_at, promised_at[row]);
                if statuses.get(row) == Some("cancelled") {
                    cancellations.push(Cancellation { order, recorded_at });
                }
            }
        }
        let firsts = table.take(&IdxCa::from_vec("".into(), first_rows))?;
        self.firsts.vstack_mut_owned(firsts)?;
        Ok(cancellations)
    }

    /// Those that are `kept`, renumbered to their `new` indices.
    pub(super) fn only(self, kept: &[bool], new: &[Option<OrderIdx>]) -> Result<Self, Error> {
        let mask = BooleanChunked::from_slice("kept".into(), kept);
        let of_kept = |instants: Vec<Instant>| -> Vec<Instant> {
            let instants = instants.into_iter().zip(kept);
            instants.filter_map(|(instant, kept)| kept.then_some(instant)).collect()
        };
        let renumbered = |cancellation: Cancellation| {
            let order = new[cancellation.order.as_usize()]?;
            Some(Cancellation { order, ..cancellation })
        };
        Ok(Self {
            firsts: self.firsts.filter(&mask)?,
            recorded_at: of_kept(self.recorded_at),
            ordered_at: of_kept(self.ordered_at),
            promises: self.promises.only(kept, new),
            cancellations: self.cancellations.into_iter().filter_map(renumbered).collect(),
            history_days: self.history_days,
        })
    }
}
