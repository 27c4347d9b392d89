//! The orders and shipments that history still hears of.

use polars::prelude::*;
use terms::column;

use crate::declaration::Quantity;
use crate::events::{Change, STOCK_DAYS_MAX};
use crate::legs::{self, Counted};
use crate::memory::places::Places;
use crate::timeline::{State, Timelines, Version};
use crate::timeline::{day_of, known_instants, states, texts};
use crate::{Error, Tables};

/// What is recorded of an order so many days after it was first recorded says nothing of how fast
/// deliveries are now, and does not count in history.
const REACH_DAYS: i32 = 90;

/// An order is known for a month longer than it counts, since a month may be learned at once: one
/// without a row that is told again after it would be a new order.
const KNOWN_DAYS: i32 = REACH_DAYS + 31;

/// Orders, in the order in which they became known.
pub(super) struct Orders {
    /// The first version of each.
    pub(super) firsts: DataFrame,
    pub(super) recorded_at: Vec<i64>,
    pub(super) ordered_at: Vec<i64>,
    /// Order and moment, by moment.
    pub(super) cancelled: Vec<(u32, i64)>,
}

/// Shipments, in the order in which they became known.
#[derive(Default)]
pub(super) struct Shipments {
    pub(super) ids: Vec<PlSmallStr>,
    /// Position of the order.
    pub(super) orders: Vec<u32>,
    pub(super) ordered_at: Vec<i64>,
    pub(super) timelines: Timelines,
    pub(super) legs: Counted,
    /// For each of the declared keys the position of each shipment's.
    pub(super) keys: Vec<Vec<u32>>,
}

/// Both.
pub(super) struct Tracked {
    pub(super) orders: Orders,
    pub(super) shipments: Shipments,
}

/// What a version of a shipment comes from, in the order in which those of one instant count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Shipment = 0,
    CancelledOrder = 1,
    Quarantine = 2,
}

/// A version of some shipment, tracked or not.
pub(crate) struct Heard {
    pub(crate) shipment_id: PlSmallStr,
    pub(crate) source: Source,
    pub(crate) version: Version,
}

/// What some days brought.
pub(super) struct Brought {
    /// Everything that was recorded of shipments.
    pub(super) heard: Vec<Heard>,
    /// The first versions of the shipments that are new, in the order in which they are tracked.
    pub(super) firsts: DataFrame,
    /// What changed of legs.
    pub(super) legs: Vec<(Quantity, Change)>,
    /// Versions of shipments and legs that are not tracked, or out of reach.
    pub(super) late: usize,
}

impl Orders {
    fn nobody(schema: &DataFrame) -> Self {
        Self {
            firsts: schema.clear(),
            recorded_at: Vec::new(),
            ordered_at: Vec::new(),
            cancelled: Vec::new(),
        }
    }

    /// Where those are that are asked for by id.
    fn places<'a>(&self, asked: impl Iterator<Item = &'a str>) -> Result<Places<'a>, Error> {
        let known = texts(&self.firsts, column::ORDER_ID)?;
        Ok(Places::of(asked, known.iter().map(Option::unwrap_or_default)))
    }

    fn first_day(&self, order: u32) -> i32 {
        day_of(self.recorded_at[order as usize])
    }

    /// Whether history counts what is recorded of the order on `day`.
    fn counts(&self, order: u32, day: i32) -> bool {
        (self.first_day(order)..self.first_day(order) + REACH_DAYS).contains(&day)
    }

    /// Whether what is recorded of the order on `day` is of one that was there before.
    fn is_known(&self, order: u32, day: i32) -> bool {
        day < self.first_day(order) + KNOWN_DAYS
    }

    /// Orders that are not tracked and so old that they may have been, once.
    fn strangers(&self, table: &DataFrame) -> Result<PlHashSet<String>, Error> {
        let ids = texts(table, column::ORDER_ID)?;
        let places = self.places(ids.iter().flatten())?;
        let recorded_at = known_instants(table, column::RECORDED_AT)?;
        let ordered_at = known_instants(table, column::ORDERED_AT)?;
        let times = recorded_at.into_iter().zip(ordered_at);
        let strange = |(id, (recorded_at, ordered_at)): (Option<&str>, (i64, i64))| {
            let day = day_of(recorded_at);
            let known = |id: &str| places.get(id).is_some_and(|order| self.is_known(order, day));
            let id = id.filter(|id| !known(id))?;
            (day - day_of(ordered_at) >= REACH_DAYS).then(|| id.to_owned())
        };
        Ok(ids.iter().zip(times).filter_map(strange).collect())
    }

    /// Learns versions of orders, by when they were recorded, and gives those cancellations that
    /// are new. `ids` are theirs.
    fn learn<'a>(
        &mut self,
        table: &DataFrame,
        ids: &'a StringChunked,
        places: &mut Places<'a>,
        forgotten: &PlHashSet<String>,
    ) -> Result<Vec<(u32, i64)>, Error> {
        let statuses = texts(table, column::STATUS)?;
        let recorded_at = known_instants(table, column::RECORDED_AT)?;
        let ordered_at = known_instants(table, column::ORDERED_AT)?;
        let mut new = Vec::new();
        let mut cancelled = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let id = id.unwrap_or_default();
            let day = day_of(recorded_at[row]);
            let order = match places.get(id).filter(|&order| self.is_known(order, day)) {
                Some(order) => order,
                None if forgotten.contains(id) => continue,
                None => {
                    let order = self.recorded_at.len() as u32;
                    places.note(id, order);
                    self.recorded_at.push(recorded_at[row]);
                    self.ordered_at.push(ordered_at[row]);
                    new.push(row as IdxSize);
                    order
                }
            };
            if statuses.get(row) == Some("cancelled") && self.counts(order, day) {
                cancelled.push((order, recorded_at[row]));
            }
        }
        self.firsts.vstack_mut_owned(table.take(&IdxCa::from_vec("".into(), new))?)?;
        Ok(cancelled)
    }

    /// Those that are `known`, at their new `places`.
    fn only(self, known: &[bool], places: &[Option<u32>]) -> Result<Self, Error> {
        let mask = BooleanChunked::from_slice("known".into(), known);
        let of_known = |values: Vec<i64>| -> Vec<i64> {
            values
                .into_iter()
                .zip(known)
                .filter_map(|(value, known)| known.then_some(value))
                .collect()
        };
        let cancelled = self.cancelled.into_iter();
        Ok(Self {
            firsts: self.firsts.filter(&mask)?,
            recorded_at: of_known(self.recorded_at),
            ordered_at: of_known(self.ordered_at),
            cancelled: cancelled
                .filter_map(|(order, at)| Some((places[order as usize]?, at)))
                .collect(),
        })
    }
}

impl Tracked {
    /// Nothing yet, of orders with these columns.
    pub(super) fn nothing(orders: &DataFrame, n_keys: usize) -> Self {
        let shipments = Shipments { keys: vec![Vec::new(); n_keys], ..Shipments::default() };
        Self { orders: Orders::nobody(orders), shipments }
    }

    /// Orders that are not tracked and so old that they may have been, once: whoever keeps the rows
    /// of earlier months has to say whether they have one.
    pub(super) fn strangers(&self, orders: &DataFrame) -> Result<PlHashSet<String>, Error> {
        self.orders.strangers(orders)
    }

    /// Learns what was recorded on some days after those that it knows. New shipments have no keys
    /// yet. Orders that are `forgotten` do not come back.
    pub(super) fn learn(
        &mut self,
        tables: &Tables,
        forgotten: &PlHashSet<String>,
    ) -> Result<Brought, Error> {
        let n_before = self.shipments.ids.len();
        let orders = by_record(&tables.orders, column::ORDER_ID)?;
        let table = by_record(&tables.shipments, column::SHIPMENT_ID)?;
        let (ids_of_legs, legs) = legs::read(&tables.legs)?;
        let ids_of_orders = texts(&orders, column::ORDER_ID)?;
        let order_ids = texts(&table, column::ORDER_ID)?;
        let asked = ids_of_orders.iter().chain(order_ids.iter()).flatten();
        let mut order_places = self.orders.places(asked)?;
        let cancelled = self.orders.learn(&orders, &ids_of_orders, &mut order_places, forgotten)?;

        let ids = texts(&table, column::SHIPMENT_ID)?;
        let in_doubt = tables.doubts.iter().map(|doubt| doubt.shipment_id.as_str());
        let asked = ids.iter().chain(ids_of_legs.iter()).flatten().chain(in_doubt);
        let mut places = Places::of(asked, self.shipments.ids.iter().map(PlSmallStr::as_str));
        let recorded_at = known_instants(&table, column::RECORDED_AT)?;
        let mut heard = Vec::with_capacity(table.height());
        let mut counted: Vec<(u32, Source, Version)> = Vec::with_capacity(table.height());
        let mut first_rows = Vec::new();
        let mut late = 0;
        for (row, state) in states(&table)?.into_iter().enumerate() {
            let id = ids.get(row).unwrap_or_default();
            let version = Version { recorded_at: recorded_at[row], state };
            let (shipment_id, source) = (PlSmallStr::from_str(id), Source::Shipment);
            heard.push(Heard { shipment_id: shipment_id.clone(), source, version });
            let day = version.day();
            let known = places.get(id);
            let order = match known {
                Some(shipment) => Some(self.shipments.orders[shipment as usize]),
                None => order_places.get(order_ids.get(row).unwrap_or_default()),
            };
            let Some(order) = order.filter(|&order| self.orders.counts(order, day)) else {
                late += 1;
                continue;
            };
            let shipment = known.unwrap_or_else(|| {
                first_rows.push(row as IdxSize);
                let ordered_at = self.orders.ordered_at[order as usize];
                let new = self.shipments.add(shipment_id, order, ordered_at);
                places.note(id, new);
                new
            });
            counted.push((shipment, source, version));
        }
        let firsts = table.take(&IdxCa::from_vec("".into(), first_rows))?;

        let since: Vec<i64> = self.first_records(&counted, n_before);
        for (shipment, at) in self.cancelled_shipments(&cancelled, n_before) {
            // Before it was recorded nobody knew of the shipment.
            let recorded_at = at.max(since[shipment as usize]);
            let version = Version { recorded_at, state: State::Gone };
            let shipment_id = self.shipments.ids[shipment as usize].clone();
            heard.push(Heard { shipment_id, source: Source::CancelledOrder, version });
            counted.push((shipment, Source::CancelledOrder, version));
        }
        self.orders.cancelled.extend(cancelled);
        for doubt in &tables.doubts {
            let version = Version { recorded_at: doubt.recorded_at, state: State::Gone };
            let shipment_id = PlSmallStr::from_str(&doubt.shipment_id);
            let counts = |&shipment: &u32| {
                self.counts(shipment, version.day())
                    && version.recorded_at >= since[shipment as usize]
            };
            if let Some(shipment) = places.get(&doubt.shipment_id).filter(counts) {
                counted.push((shipment, Source::Quarantine, version));
            }
            heard.push(Heard { shipment_id, source: Source::Quarantine, version });
        }

        let mut changes = Vec::new();
        for (id, leg) in ids_of_legs.iter().zip(&legs) {
            let counts = |&shipment: &u32| {
                // Nor is a shipment of a later day known yet.
                self.counts(shipment, leg.day()) && day_of(since[shipment as usize]) <= leg.day()
            };
            match places.get(id.unwrap_or_default()).filter(counts) {
                Some(shipment) => changes.extend(self.shipments.legs.learn(shipment, leg)),
                None => late += 1,
            }
        }

        counted.sort_by_key(|(shipment, source, v)| (*shipment, v.recorded_at, *source));
        let more: Vec<(u32, Version)> = counted.into_iter().map(|(s, _, v)| (s, v)).collect();
        let n_shipments = self.shipments.ids.len();
        self.shipments.timelines = self.shipments.timelines.and(&more, n_shipments);
        Ok(Brought { heard, firsts, legs: changes, late })
    }

    /// Whether history counts what is recorded of the shipment on `day`.
    fn counts(&self, shipment: u32, day: i32) -> bool {
        self.orders.counts(self.shipments.orders[shipment as usize], day)
    }

    /// When each shipment was first recorded; those from `n_before` on are new.
    fn first_records(&self, counted: &[(u32, Source, Version)], n_before: usize) -> Vec<i64> {
        let known = (0..n_before).map(|shipment| self.shipments.first_record(shipment));
        let mut since: Vec<i64> = known.collect();
        since.resize(self.shipments.ids.len(), i64::MAX);
        for (shipment, _, version) in counted {
            let first = &mut since[*shipment as usize];
            *first = version.recorded_at.min(*first);
        }
        since
    }

    /// Shipments whose order is cancelled, and when: of new cancellations all shipments, of new
    /// shipments all cancellations.
    fn cancelled_shipments(&self, cancelled: &[(u32, i64)], n_before: usize) -> Vec<(u32, i64)> {
        let mut earlier: PlHashMap<u32, Vec<i64>> = PlHashMap::default();
        let mut now: PlHashMap<u32, Vec<i64>> = PlHashMap::default();
        for (order, at) in &self.orders.cancelled {
            earlier.entry(*order).or_default().push(*at);
        }
        for (order, at) in cancelled {
            now.entry(*order).or_default().push(*at);
        }
        let mut found = Vec::new();
        for (shipment, order) in self.shipments.orders.iter().enumerate() {
            let before = earlier.get(order).filter(|_| shipment >= n_before);
            for at in before.into_iter().chain(now.get(order)).flatten() {
                found.push((shipment as u32, *at));
            }
        }
        found
    }

    /// Forgets what nothing on `day` or later can concern, once it is a tenth: what is still there
    /// does not [count](Orders::counts) all the same.
    pub(super) fn forget(self, day: i32) -> Result<Self, Error> {
        let counts = |&shipment: &usize| {
            // Even if its order does not: the day on which it is in no stock any more.
            let first_day = day_of(self.shipments.first_record(shipment));
            self.counts(shipment as u32, day) || first_day + STOCK_DAYS_MAX >= day
        };
        let kept: Vec<usize> = (0..self.shipments.ids.len()).filter(counts).collect();
        let Self { orders, shipments } = self;
        let n_orders = orders.recorded_at.len() as u32;
        let mut known: Vec<bool> = (0..n_orders).map(|order| orders.is_known(order, day)).collect();
        kept.iter().for_each(|&shipment| known[shipments.orders[shipment] as usize] = true);
        let n_all = known.len() + shipments.ids.len();
        let n_left = known.iter().filter(|known| **known).count() + kept.len();
        if (n_all - n_left) * 10 <= n_all {
            return Ok(Self { orders, shipments });
        }
        let mut n_known = 0;
        let mut places: Vec<Option<u32>> = Vec::with_capacity(known.len());
        for &known in &known {
            places.push(known.then_some(n_known));
            n_known += u32::from(known);
        }
        let shipments = shipments.only(&kept, &places);
        Ok(Self { orders: orders.only(&known, &places)?, shipments })
    }
}

impl Shipments {
    /// Tracks another one, without versions or keys yet.
    pub(super) fn add(&mut self, id: PlSmallStr, order: u32, ordered_at: i64) -> u32 {
        let shipment = self.ids.len() as u32;
        self.ids.push(id);
        self.orders.push(order);
        self.ordered_at.push(ordered_at);
        shipment
    }

    /// Those that are `kept`, of orders at new `places`.
    fn only(self, kept: &[usize], places: &[Option<u32>]) -> Self {
        let mut timelines = Timelines::default();
        kept.iter().for_each(|&kept| timelines.push(self.timelines.of(kept).iter().copied()));
        let keys = |keys: &Vec<u32>| kept.iter().map(|&kept| keys[kept]).collect();
        Self {
            ids: kept.iter().map(|&kept| self.ids[kept].clone()).collect(),
            orders: kept.iter().filter_map(|&kept| places[self.orders[kept] as usize]).collect(),
            ordered_at: kept.iter().map(|&kept| self.ordered_at[kept]).collect(),
            timelines,
            legs: self.legs.only(kept),
            keys: self.keys.iter().map(keys).collect(),
        }
    }

    pub(super) fn first_record(&self, shipment: usize) -> i64 {
        self.timelines.of(shipment).first().map_or(i64::MAX, |version| version.recorded_at)
    }

    /// How many shipments of the order were known when each of those from `n_before` on was first
    /// recorded.
    pub(super) fn of_the_same_order(&self, n_before: usize) -> Vec<f64> {
        let mut of_order: PlHashMap<u32, Vec<i64>> =
            self.orders[n_before..].iter().map(|&order| (order, Vec::new())).collect();
        for (shipment, order) in self.orders.iter().enumerate() {
            if let Some(records) = of_order.get_mut(order) {
                records.push(self.first_record(shipment));
            }
        }
        let known = |shipment: usize| {
            let at = self.first_record(shipment);
            let records = &of_order[&self.orders[shipment]];
            records.iter().filter(|other| **other <= at).count() as f64
        };
        (n_before..self.ids.len()).map(known).collect()
    }
}

/// The rows in the order in which they became known.
fn by_record(table: &DataFrame, key: &str) -> Result<DataFrame, Error> {
    let options = SortMultipleOptions::default().with_maintain_order(true);
    Ok(table.sort([column::RECORDED_AT, key], options)?)
}
