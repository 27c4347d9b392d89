//! The orders and shipments that history still hears of.

use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::events::STOCK_DAYS_MAX;
use crate::timeline::{Doubt, State, Timelines, Version};
use crate::timeline::{day_of, known_instants, states, texts};

/// What is recorded of an order so many days after it was first recorded says nothing of how fast
/// deliveries are now, and does not count in history.
const REACH_DAYS: i32 = 90;

/// A shipment of the last day in reach is in stock for so much longer.
const TRACKED_DAYS: i32 = REACH_DAYS + STOCK_DAYS_MAX;

/// Positions by id.
pub(super) type Places = PlHashMap<PlSmallStr, u32>;

/// Orders, in the order in which they became known.
pub(super) struct Orders {
    /// The first version of each.
    pub(super) firsts: DataFrame,
    pub(super) recorded_at: Vec<i64>,
    pub(super) ordered_at: Vec<i64>,
    /// Order and moment, by moment.
    pub(super) cancelled: Vec<(u32, i64)>,
    pub(super) places: Places,
}

/// Shipments, in the order in which they became known.
#[derive(Default)]
pub(super) struct Shipments {
    pub(super) ids: Vec<PlSmallStr>,
    /// Position of the order.
    pub(super) orders: Vec<u32>,
    pub(super) ordered_at: Vec<i64>,
    pub(super) timelines: Timelines,
    /// For each of the declared keys the position of each shipment's.
    pub(super) keys: Vec<Vec<u32>>,
    pub(super) places: Places,
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
    /// Versions of shipments that are not tracked, or out of reach.
    pub(super) late: usize,
}

impl Orders {
    fn nobody(schema: &DataFrame) -> Self {
        Self {
            firsts: schema.clear(),
            recorded_at: Vec::new(),
            ordered_at: Vec::new(),
            cancelled: Vec::new(),
            places: Places::default(),
        }
    }

    fn first_day(&self, order: u32) -> i32 {
        day_of(self.recorded_at[order as usize])
    }

    /// Whether history counts what is recorded of the order on `day`.
    fn counts(&self, order: u32, day: i32) -> bool {
        day < self.first_day(order) + REACH_DAYS
    }

    /// Whether anything recorded on `day` can still concern the order.
    fn is_heard_of(&self, order: u32, day: i32) -> bool {
        day < self.first_day(order) + TRACKED_DAYS
    }

    /// The order called `id`, if it is still heard of on `day`.
    fn heard_of(&self, id: &str, day: i32) -> Option<u32> {
        let order = self.places.get(id).copied();
        order.filter(|&order| self.is_heard_of(order, day))
    }

    /// Orders that are not tracked and so old that they may have been, once.
    fn strangers(&self, table: &DataFrame) -> Result<PlHashSet<String>, Error> {
        let ids = texts(table, column::ORDER_ID)?;
        let recorded_at = known_instants(table, column::RECORDED_AT)?;
        let ordered_at = known_instants(table, column::ORDERED_AT)?;
        let times = recorded_at.into_iter().zip(ordered_at);
        let strange = |(id, (recorded_at, ordered_at)): (Option<&str>, (i64, i64))| {
            let day = day_of(recorded_at);
            let id = id.filter(|id| self.heard_of(id, day).is_none())?;
            (day - day_of(ordered_at) >= REACH_DAYS).then(|| id.to_owned())
        };
        Ok(ids.iter().zip(times).filter_map(strange).collect())
    }

    /// Learns versions of orders, and gives those cancellations that are new.
    fn learn(
        &mut self,
        table: &DataFrame,
        forgotten: &PlHashSet<String>,
    ) -> Result<Vec<(u32, i64)>, Error> {
        let table = by_record(table, column::ORDER_ID)?;
        let ids = texts(&table, column::ORDER_ID)?;
        let statuses = texts(&table, column::STATUS)?;
        let recorded_at = known_instants(&table, column::RECORDED_AT)?;
        let ordered_at = known_instants(&table, column::ORDERED_AT)?;
        let mut new = Vec::new();
        let mut cancelled = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let id = id.unwrap_or_default();
            let order = match self.heard_of(id, day_of(recorded_at[row])) {
                Some(order) => order,
                None if forgotten.contains(id) => continue,
                None => {
                    let order = self.recorded_at.len() as u32;
                    self.places.insert(id.into(), order);
                    self.recorded_at.push(recorded_at[row]);
                    self.ordered_at.push(ordered_at[row]);
                    new.push(row as IdxSize);
                    order
                }
            };
            let counts = self.counts(order, day_of(recorded_at[row]));
            if statuses.get(row) == Some("cancelled") && counts {
                cancelled.push((order, recorded_at[row]));
            }
        }
        self.firsts.vstack_mut_owned(table.take(&IdxCa::from_vec("".into(), new))?)?;
        Ok(cancelled)
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
        orders: &DataFrame,
        shipments: &DataFrame,
        doubts: &[Doubt],
        forgotten: &PlHashSet<String>,
    ) -> Result<Brought, Error> {
        let n_before = self.shipments.ids.len();
        let cancelled = self.orders.learn(orders, forgotten)?;

        let table = by_record(shipments, column::SHIPMENT_ID)?;
        let ids = texts(&table, column::SHIPMENT_ID)?;
        let order_ids = texts(&table, column::ORDER_ID)?;
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
            let known = self.heard_of(id, version.day());
            let order = match known {
                Some(shipment) => Some(self.shipments.orders[shipment as usize]),
                // An order of a later day is not known yet, however many days are learned at once.
                None => (self.orders)
                    .heard_of(order_ids.get(row).unwrap_or_default(), version.day())
                    .filter(|&order| self.orders.first_day(order) <= version.day()),
            };
            let Some(order) = order.filter(|&order| self.orders.counts(order, version.day()))
            else {
                late += 1;
                continue;
            };
            let shipment = known.unwrap_or_else(|| {
                first_rows.push(row as IdxSize);
                self.shipments.add(shipment_id, order, self.orders.ordered_at[order as usize])
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
        for doubt in doubts {
            let version = Version { recorded_at: doubt.recorded_at, state: State::Gone };
            let shipment_id = PlSmallStr::from_str(&doubt.shipment_id);
            if let Some(shipment) = self.heard_of(&shipment_id, version.day()) {
                let order = self.shipments.orders[shipment as usize];
                let counts = self.orders.counts(order, version.day());
                if counts && version.recorded_at >= since[shipment as usize] {
                    counted.push((shipment, Source::Quarantine, version));
                }
            }
            heard.push(Heard { shipment_id, source: Source::Quarantine, version });
        }

        counted.sort_by_key(|(shipment, source, v)| (*shipment, v.recorded_at, *source));
        let more: Vec<(u32, Version)> = counted.into_iter().map(|(s, _, v)| (s, v)).collect();
        let n_shipments = self.shipments.ids.len();
        self.shipments.timelines = self.shipments.timelines.and(&more, n_shipments);
        Ok(Brought { heard, firsts, late })
    }

    /// The shipment called `id`, if its order is still heard of on `day`.
    fn heard_of(&self, id: &str, day: i32) -> Option<u32> {
        let shipment = self.shipments.places.get(id).copied();
        shipment.filter(|&shipment| {
            self.orders.is_heard_of(self.shipments.orders[shipment as usize], day)
        })
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

    /// Forgets the orders that nothing on `day` or later can concern, and their shipments, once
    /// they are a tenth: what is still there is not [heard of](Orders::heard_of) all the same.
    pub(super) fn forget(self, day: i32) -> Result<Self, Error> {
        let orders = &self.orders;
        let kept: Vec<bool> = (0..orders.recorded_at.len() as u32)
            .map(|order| orders.is_heard_of(order, day))
            .collect();
        if kept.iter().filter(|kept| !**kept).count() * 10 <= kept.len() {
            return Ok(self);
        }
        let mut n_kept = 0;
        let mut place: Vec<Option<u32>> = Vec::with_capacity(kept.len());
        for &kept in &kept {
            place.push(kept.then_some(n_kept));
            n_kept += u32::from(kept);
        }
        let mask = BooleanChunked::from_slice("kept".into(), &kept);
        let of_kept = |values: &[i64]| -> Vec<i64> {
            values.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(value, _)| *value).collect()
        };
        let moved = |order: u32| place[order as usize];
        let orders = Orders {
            firsts: self.orders.firsts.filter(&mask)?,
            recorded_at: of_kept(&self.orders.recorded_at),
            ordered_at: of_kept(&self.orders.ordered_at),
            cancelled: (self.orders.cancelled.iter())
                .filter_map(|&(order, at)| Some((moved(order)?, at)))
                .collect(),
            places: (self.orders.places.into_iter())
                .filter_map(|(id, order)| Some((id, moved(order)?)))
                .collect(),
        };
        let mut shipments =
            Shipments { keys: vec![Vec::new(); self.shipments.keys.len()], ..Shipments::default() };
        for (shipment, id) in self.shipments.ids.into_iter().enumerate() {
            let Some(order) = moved(self.shipments.orders[shipment]) else { continue };
            shipments.add(id, order, self.shipments.ordered_at[shipment]);
            shipments.timelines.push(self.shipments.timelines.of(shipment).iter().copied());
            for (kept, keys) in shipments.keys.iter_mut().zip(&self.shipments.keys) {
                kept.push(keys[shipment]);
            }
        }
        Ok(Self { orders, shipments })
    }
}

impl Shipments {
    /// Tracks another one, without versions or keys yet.
    pub(super) fn add(&mut self, id: PlSmallStr, order: u32, ordered_at: i64) -> u32 {
        let shipment = self.ids.len() as u32;
        self.places.insert(id.clone(), shipment);
        self.ids.push(id);
        self.orders.push(order);
        self.ordered_at.push(ordered_at);
        shipment
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
