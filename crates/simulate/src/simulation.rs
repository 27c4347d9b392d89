//! The simulation: an iterator that goes through the days and gives a nightly extract after each.
//!
//! Order of work, for each day:
//! 1. The orders of the day are drawn, with everything that happens to them until their end.
//! 2. Each order and shipment is put on the list of the nightly extract that first records it.
//! 3. Backlogs grow or are worked off.
//! 4. The list of the night is written; records with facts still to come move to a later list.
//!
//! Held in memory: the orders and shipments with facts still to be recorded, and the rows of one
//! extract.

use bytes::Bytes;
use terms::Day;

use crate::error::Error;
use crate::order::{self, Ending};
use crate::pilot;
use crate::plan::{Plan, Waiting};
use crate::random::{Random, Stream};
use crate::recording::{self, LegRecord, ODD_KINDS, OrderRecord, ShipmentRecord};
use crate::settings::CheckedNetwork;
use crate::summary::Summary;
use crate::tables::{LegRows, NodeRows, OrderRows, ShipmentRows};

/// Extracts are recorded at 02:00 UTC or up to so many seconds later.
const RECORDS_AT: i64 = 2 * 3_600;
const RECORDS_WITHIN: f64 = 1_800.0;

/// What was recorded in one night.
#[derive(Debug, Clone)]
pub struct NightlyExtract {
    /// The partition.
    pub recorded_on: Day,
    /// Tables with at least one row: `nodes`, `orders`, `shipments`, `legs`.
    pub tables: Vec<Table>,
}

/// The partition of one table in one nightly extract.
#[derive(Debug, Clone)]
pub struct Table {
    /// `nodes`, `orders`, `shipments` or `legs`.
    pub name: &'static str,
    /// Its rows as Parquet.
    pub parquet: Bytes,
    /// How many rows.
    pub n_rows: usize,
}

/// A simulation in progress: an iterator over nightly extracts.
#[derive(Debug)]
pub struct Simulation {
    plan: Plan,
    waiting: Waiting,
    /// The next day to simulate.
    day: u32,
    next_order: u64,
    /// By the night of their next version; lists of nights already written are empty.
    orders: Vec<Vec<OrderRecord>>,
    shipments: Vec<Vec<ShipmentRecord>>,
    legs: Vec<Vec<LegRecord>>,
    summary: Summary,
}

/// Starts the simulation of a network. The first extract is that of the night after the first day.
pub fn simulate(network: &CheckedNetwork) -> Simulation {
    let mut plan = Plan::new(network);
    let waiting = pilot::settle(&mut plan);
    // After the pilot, so that until they begin the network is the one without them.
    plan.begin_episodes();
    let nights = plan.settings.days as usize + 1;
    let odd_versions = ODD_KINDS.into_iter().map(|kind| (kind, 0)).collect();
    Simulation {
        plan,
        waiting,
        day: 0,
        next_order: 0,
        orders: std::iter::repeat_with(Vec::new).take(nights).collect(),
        shipments: std::iter::repeat_with(Vec::new).take(nights).collect(),
        legs: std::iter::repeat_with(Vec::new).take(nights).collect(),
        summary: Summary { odd_versions, ..Summary::default() },
    }
}

impl Iterator for Simulation {
    type Item = Result<NightlyExtract, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.day == self.plan.settings.days {
            return None;
        }
        self.simulate_day(self.day);
        self.day += 1;
        Some(self.record(self.day))
    }
}

impl Simulation {
    /// Numbers of what was simulated so far; of all days once the iterator has ended.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Shipments on the lists of nights to come.
    #[cfg(test)]
    pub(crate) fn n_held(&self) -> u64 {
        self.shipments.iter().map(|list| list.len() as u64).sum()
    }

    /// Draws the orders of a day, and works off backlogs.
    fn simulate_day(&mut self, day: u32) {
        let mut left = self.plan.rhythm.volumes[day as usize];
        while left > 0 {
            let number = self.next_order;
            let mut random = Random::new(self.plan.settings.seed, Stream::Orders, number);
            let (order, shipments) =
                order::draw(&self.plan, &self.waiting, day, number, left, &mut random);
            let mut random = Random::new(self.plan.settings.seed, Stream::Recording, number);
            let (order, shipments) = recording::record(&self.plan, order, shipments, &mut random);
            left -= shipments.len() as u64;
            self.next_order += 1;
            self.summary.orders += 1;
            let zone = order.order.zone;
            put(&mut self.orders, order.first_night(), order);
            for shipment in shipments {
                self.waiting.nodes.arrive(shipment.shipment.node as usize, 1.0);
                self.waiting.carriers.arrive(usize::from(shipment.shipment.carrier), 1.0);
                self.count(&shipment);
                if self.plan.settings.legs {
                    for leg in shipment.legs(&self.plan, zone) {
                        put(&mut self.legs, leg.night, leg);
                    }
                }
                put(&mut self.shipments, shipment.first_night(), shipment);
            }
        }
        self.waiting.end_day(self.plan.rhythm.first_day + i64::from(day));
    }

    fn count(&mut self, record: &ShipmentRecord) {
        let summary = &mut self.summary;
        summary.shipments += 1;
        summary.open += 1;
        summary.late += u64::from(record.is_late);
        summary.corrected += u64::from(record.misread.is_some());
        match record.shipment.ending {
            Ending::Delivered => {
                summary.delivered += 1;
                summary.within_two_days += u64::from(record.shipment.is_within_two_days());
            }
            Ending::Cancelled => summary.cancelled += 1,
            Ending::Lost => summary.lost += 1,
            Ending::Returned => summary.returned += 1,
        }
    }

    /// The extract of a night: all facts that are recorded in it.
    fn record(&mut self, night: u32) -> Result<NightlyExtract, Error> {
        let recorded_on = self.plan.settings.first_day.plus(night as i32);
        let mut random = Random::new(self.plan.settings.seed, Stream::Nights, u64::from(night));
        let later = random.between(0.0, RECORDS_WITHIN) as i64;
        let recorded_at = self.plan.midnight(night) + RECORDS_AT + later;

        let nodes = self.node_rows(night, recorded_at);
        let orders = self.order_rows(night, recorded_at);
        let shipments = self.shipment_rows(night, recorded_at);
        self.summary.nights += 1;
        self.summary.open_max = self.summary.open_max.max(self.summary.open);

        let legs = self.leg_rows(night, recorded_at);
        let mut tables = Vec::with_capacity(4);
        let n_rows = nodes.len();
        if n_rows > 0 {
            tables.push(Table { name: "nodes", parquet: nodes.finish(recorded_on)?, n_rows });
        }
        let n_rows = orders.len();
        if n_rows > 0 {
            tables.push(Table { name: "orders", parquet: orders.finish(recorded_on)?, n_rows });
        }
        let n_rows = shipments.len();
        if n_rows > 0 {
            let parquet = shipments.finish(recorded_on)?;
            tables.push(Table { name: "shipments", parquet, n_rows });
        }
        let n_rows = legs.len();
        if n_rows > 0 {
            tables.push(Table { name: "legs", parquet: legs.finish(recorded_on)?, n_rows });
        }
        Ok(NightlyExtract { recorded_on, tables })
    }

    /// Nodes that open on the day of this night; in the first night, all that are open.
    fn node_rows(&self, night: u32, recorded_at: i64) -> NodeRows {
        let mut rows = NodeRows::default();
        for (index, node) in self.plan.nodes.all.iter().enumerate() {
            if node.opens_on.max(1) == night {
                let capacity = self.waiting.nodes.capacity(index);
                rows.push(&self.plan, node, capacity, recorded_at);
            }
        }
        rows
    }

    fn order_rows(&mut self, night: u32, recorded_at: i64) -> OrderRows {
        let mut records = std::mem::take(&mut self.orders[night as usize]);
        records.sort_unstable_by_key(|record| record.order.number);
        let mut rows = OrderRows::default();
        for record in records {
            rows.push(&self.plan, &record, &record.version(night), recorded_at);
            if let Some(next) = record.next_night(night) {
                put(&mut self.orders, next, record);
            }
        }
        self.summary.order_versions += rows.len() as u64;
        rows
    }

    fn shipment_rows(&mut self, night: u32, recorded_at: i64) -> ShipmentRows {
        let mut records = std::mem::take(&mut self.shipments[night as usize]);
        records.sort_unstable_by_key(key);
        let mut rows = ShipmentRows::default();
        for record in records {
            let mut version = record.version(night);
            let index = (key(&record) << 16) ^ u64::from(night);
            let mut random = Random::new(self.plan.settings.seed, Stream::Odd, index);
            if random.chance(self.plan.settings.odd_rate) {
                let shipment = &record.shipment;
                let kind = recording::make_odd(
                    &self.plan,
                    &mut version,
                    shipment,
                    recorded_at,
                    &mut random,
                );
                *self.summary.odd_versions.entry(kind).or_default() += 1;
            }
            rows.push(&self.plan, &record, &version, recorded_at);
            match record.next_night(night) {
                Some(next) => put(&mut self.shipments, next, record),
                None => self.summary.open -= 1,
            }
        }
        self.summary.shipment_versions += rows.len() as u64;
        rows
    }

    fn leg_rows(&mut self, night: u32, recorded_at: i64) -> LegRows {
        let mut records = std::mem::take(&mut self.legs[night as usize]);
        records.sort_unstable_by_key(|leg| (leg.order_number, leg.part, leg.index));
        let mut rows = LegRows::default();
        records.iter().for_each(|leg| rows.push(&self.plan, leg, recorded_at));
        self.summary.leg_versions += rows.len() as u64;
        rows
    }
}

/// The sort key of shipments: by order and part.
fn key(record: &ShipmentRecord) -> u64 {
    record.shipment.order_number * 2 + u64::from(record.shipment.part - 1)
}

/// Puts a record on the list of a night; after the last night it is dropped.
fn put<T>(nights: &mut [Vec<T>], night: u32, record: T) {
    if let Some(list) = nights.get_mut(night as usize) {
        list.push(record);
    }
}
