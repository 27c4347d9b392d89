//! The orders and shipments that can still change history, and how a day's tables change them.
//!
//! [`ActiveShipments::ingest`] is the fold of one step: versions of orders, of shipments, their
//! cancellations, versions in quarantine and legs go into timelines, and what is new comes out as a
//! [`DayDelta`]. Versions of the same instant apply in the order of their [`Source`].

use polars::prelude::*;
use terms::{Day, Instant, ShipmentIdx, column};

use crate::columns::{required_instants, texts};
use crate::events::Change;
use crate::legs::{self, Leg};
use crate::limits::Limits;
use crate::quantity::Quantity;
use crate::shipment_version::{ShipmentVersion, Source};
use crate::state::id_lookup::IdLookup;
use crate::state::order_idx::OrderIdx;
use crate::state::orders::{Cancellation, Orders};
use crate::state::shipments::Shipments;
use crate::tables::QuarantinedVersion;
use crate::timeline::{State, Version, states};
use crate::{Error, Tables};

/// Active orders and their shipments.
pub(super) struct ActiveShipments {
    pub(super) orders: Orders,
    pub(super) shipments: Shipments,
    pub(super) limits: Limits,
}

/// What the tables of some days add.
pub(super) struct DayDelta {
    /// Every version of a shipment, active or not.
    pub(super) versions: Vec<ShipmentVersion>,
    /// The first versions of the new shipments, in the order of their indices.
    pub(super) firsts: DataFrame,
    /// Differences of quantities of legs.
    pub(super) legs: Vec<(Quantity, Change)>,
    /// How many versions of shipments and legs do not count in history: of orders that are not
    /// active, or too long after their order.
    pub(super) late: usize,
}

/// Versions that are ingested, before they are put into timelines.
#[derive(Default)]
struct Ingested {
    versions: Vec<ShipmentVersion>,
    /// The versions that count in history.
    counted: Vec<(ShipmentIdx, Source, Version)>,
    late: usize,
}

impl ActiveShipments {
    /// Nothing yet, of orders with the columns of a table.
    pub(super) fn with_columns_of(orders: &DataFrame, n_keys: usize, limits: Limits) -> Self {
        let shipments = Shipments { keys: vec![Vec::new(); n_keys], ..Shipments::default() };
        let orders = Orders::with_columns_of(orders, limits.history_days());
        Self { orders, shipments, limits }
    }

    /// Ingests what was recorded on some days after those ingested before. New shipments have no
    /// keys yet. Orders that are `already_built` do not become active again.
    pub(super) fn ingest(
        &mut self,
        tables: &Tables,
        already_built: &PlHashSet<String>,
    ) -> Result<DayDelta, Error> {
        let n_before = self.shipments.len();
        let orders = by_recorded_at(&tables.orders, column::ORDER_ID)?;
        let table = by_recorded_at(&tables.shipments, column::SHIPMENT_ID)?;
        let (leg_ids, legs) = legs::read(&tables.legs)?;
        let ids_of_orders = texts(&orders, column::ORDER_ID)?;
        let order_ids = texts(&table, column::ORDER_ID)?;
        let wanted = ids_of_orders.iter().chain(order_ids.iter()).flatten();
        let mut order_lookup = self.orders.lookup(wanted)?;
        let cancellations =
            self.orders.ingest(&orders, &ids_of_orders, &mut order_lookup, already_built)?;

        let ids = texts(&table, column::SHIPMENT_ID)?;
        let in_quarantine = tables.quarantined.iter().map(|version| version.shipment_id.as_str());
        let wanted = ids.iter().chain(leg_ids.iter()).flatten().chain(in_quarantine);
        let mut lookup = self.shipment_lookup(wanted);
        let mut ingested = Ingested::default();
        let firsts =
            self.ingest_shipments(&table, &ids, (&order_lookup, &mut lookup), &mut ingested)?;
        let first_recorded_at = self.first_recorded_at(&ingested.counted, n_before);
        self.ingest_cancellations(cancellations, n_before, &first_recorded_at, &mut ingested);
        self.ingest_quarantined(&tables.quarantined, &lookup, &first_recorded_at, &mut ingested);
        let of_legs = leg_ids.iter().zip(&legs);
        let legs = self.ingest_legs(of_legs, &lookup, &first_recorded_at, &mut ingested);
        let Ingested { versions, counted, late } = ingested;
        self.extend_timelines(counted);
        Ok(DayDelta { versions, firsts, legs, late })
    }

    fn shipment_lookup<'a>(
        &self,
        wanted: impl Iterator<Item = &'a str>,
    ) -> IdLookup<'a, ShipmentIdx> {
        let active = self.shipments.ids.iter().map(PlSmallStr::as_str);
        IdLookup::of(wanted, active.zip((0..).map(ShipmentIdx)))
    }

    /// Ingests the table of shipments, and gives the first versions of new ones. `ids` are those of
    /// the table.
    fn ingest_shipments<'a>(
        &mut self,
        table: &DataFrame,
        ids: &'a StringChunked,
        (orders, lookup): (&IdLookup<'_, OrderIdx>, &mut IdLookup<'a, ShipmentIdx>),
        ingested: &mut Ingested,
    ) -> Result<DataFrame, Error> {
        let order_ids = texts(table, column::ORDER_ID)?;
        let recorded_at = required_instants(table, column::RECORDED_AT)?;
        ingested.versions.reserve(table.height());
        ingested.counted.reserve(table.height());
        let source = Source::Shipment;
        let mut first_rows = Vec::new();
        for (row, state) in states(table)?.into_iter().enumerate() {
            let id = ids.get(row).unwrap_or_default();
            let shipment_id = PlSmallStr::from_str(id);
            let version = Version { recorded_at: recorded_at[row], state };
            let recorded = ShipmentVersion { shipment_id: shipment_id.clone(), source, version };
            ingested.versions.push(recorded);
            let active = lookup.get(id);
            let order = match active {
                Some(shipment) => Some(self.shipments.order_of(shipment)),
                None => orders.get(order_ids.get(row).unwrap_or_default()),
            };
            let counts = |&order: &OrderIdx| self.orders.counts(order, version.day());
            let Some(order) = order.filter(counts) else {
                ingested.late += 1;
                continue;
            };
            let shipment = active.unwrap_or_else(|| {
                first_rows.push(row as IdxSize);
                let ordered_at = self.orders.ordered_at[order.as_usize()];
                let new = self.shipments.add(shipment_id, order, ordered_at);
                lookup.insert(id, new);
                new
            });
            ingested.counted.push((shipment, source, version));
        }
        Ok(table.take(&IdxCa::from_vec("".into(), first_rows))?)
    }

    /// Excludes the shipments of cancelled orders, from the cancellation on or, if that is later,
    /// their own first record.
    fn ingest_cancellations(
        &mut self,
        cancellations: Vec<Cancellation>,
        n_before: usize,
        first_recorded_at: &[Instant],
        ingested: &mut Ingested,
    ) {
        let source = Source::CancelledOrder;
        for (shipment, cancelled_at) in self.cancelled_shipments(&cancellations, n_before) {
            let recorded_at = cancelled_at.max(first_recorded_at[shipment.as_usize()]);
            let version = Version { recorded_at, state: State::Excluded };
            let shipment_id = self.shipments.ids[shipment.as_usize()].clone();
            ingested.versions.push(ShipmentVersion { shipment_id, source, version });
            ingested.counted.push((shipment, source, version));
        }
        self.orders.cancellations.extend(cancellations);
    }

    /// Excludes shipments from a version in quarantine on.
    fn ingest_quarantined(
        &self,
        quarantined: &[QuarantinedVersion],
        lookup: &IdLookup<'_, ShipmentIdx>,
        first_recorded_at: &[Instant],
        ingested: &mut Ingested,
    ) {
        let source = Source::Quarantine;
        for QuarantinedVersion { shipment_id, recorded_at } in quarantined {
            let version = Version { recorded_at: *recorded_at, state: State::Excluded };
            let counts = |&shipment: &ShipmentIdx| {
                self.counts(shipment, version.day())
                    && version.recorded_at >= first_recorded_at[shipment.as_usize()]
            };
            if let Some(shipment) = lookup.get(shipment_id).filter(counts) {
                ingested.counted.push((shipment, source, version));
            }
            let shipment_id = PlSmallStr::from_str(shipment_id);
            ingested.versions.push(ShipmentVersion { shipment_id, source, version });
        }
    }

    /// Counts versions of legs, and gives the differences of their quantities.
    fn ingest_legs<'a>(
        &mut self,
        legs: impl Iterator<Item = (Option<&'a str>, &'a Leg)>,
        lookup: &IdLookup<'_, ShipmentIdx>,
        first_recorded_at: &[Instant],
        ingested: &mut Ingested,
    ) -> Vec<(Quantity, Change)> {
        let mut changes = Vec::new();
        for (id, leg) in legs {
            let counts = |&shipment: &ShipmentIdx| {
                // A shipment that is first recorded on a later day is not known yet.
                self.counts(shipment, leg.day())
                    && first_recorded_at[shipment.as_usize()].day() <= leg.day()
            };
            match lookup.get(id.unwrap_or_default()).filter(counts) {
                Some(shipment) => changes.extend(self.shipments.legs.ingest(shipment, leg)),
                None => ingested.late += 1,
            }
        }
        changes
    }

    fn extend_timelines(&mut self, mut counted: Vec<(ShipmentIdx, Source, Version)>) {
        counted.sort_by_key(|(shipment, source, v)| (*shipment, v.recorded_at, *source));
        let more = counted.into_iter().map(|(shipment, _, v)| (shipment.as_usize(), v));
        let n_shipments = self.shipments.len();
        self.shipments.timelines = self.shipments.timelines.with_versions(more, n_shipments);
    }

    /// Whether a record of the shipment on `day` counts in history.
    fn counts(&self, shipment: ShipmentIdx, day: Day) -> bool {
        self.orders.counts(self.shipments.order_of(shipment), day)
    }

    /// When each shipment was first recorded; those from `n_before` on are new.
    fn first_recorded_at(
        &self,
        counted: &[(ShipmentIdx, Source, Version)],
        n_before: usize,
    ) -> Vec<Instant> {
        let mut first: Vec<Instant> =
            (0..n_before).map(|shipment| self.shipments.first_recorded_at(shipment)).collect();
        first.resize(self.shipments.len(), Instant::MAX);
        for (shipment, _, version) in counted {
            let first = &mut first[shipment.as_usize()];
            *first = version.recorded_at.min(*first);
        }
        first
    }

    /// Shipments whose order is cancelled, and when: of new cancellations all shipments, of new
    /// shipments all cancellations.
    fn cancelled_shipments(
        &self,
        cancellations: &[Cancellation],
        n_before: usize,
    ) -> Vec<(ShipmentIdx, Instant)> {
        let by_order = |cancellations: &[Cancellation]| {
            let mut by_order: PlHashMap<OrderIdx, Vec<Instant>> = PlHashMap::default();
            for Cancellation { order, recorded_at } in cancellations {
                by_order.entry(*order).or_default().push(*recorded_at);
            }
            by_order
        };
        let (earlier, new) = (by_order(&self.orders.cancellations), by_order(cancellations));
        let mut found = Vec::new();
        for (shipment, order) in self.shipments.orders.iter().enumerate() {
            let earlier = earlier.get(order).filter(|_| shipment >= n_before);
            for at in earlier.into_iter().chain(new.get(order)).flatten() {
                found.push((ShipmentIdx(shipment as u32), *at));
            }
        }
        found
    }

    /// Drops what nothing on `day` or later can change, once it is more than a tenth of all: what
    /// is still there [does not count](Orders::counts) either way.
    pub(super) fn drop_inactive(self, day: Day) -> Result<Self, Error> {
        let is_active = |&shipment: &usize| {
            // A shipment leaves its stock on a dated day, even if its order does not count then.
            let first_day = self.shipments.first_recorded_at(shipment).day();
            self.counts(ShipmentIdx(shipment as u32), day)
                || first_day.plus(self.limits.stock_days_max()) >= day
        };
        let kept: Vec<usize> = (0..self.shipments.len()).filter(is_active).collect();
        let Self { orders, shipments, limits } = self;
        let mut kept_orders: Vec<bool> =
            (0..orders.len() as u32).map(|order| orders.is_active(OrderIdx(order), day)).collect();
        kept.iter().for_each(|&shipment| kept_orders[shipments.orders[shipment].as_usize()] = true);
        let n_all = orders.len() + shipments.len();
        let n_kept = kept_orders.iter().filter(|kept| **kept).count() + kept.len();
        if (n_all - n_kept) * 10 <= n_all {
            return Ok(Self { orders, shipments, limits });
        }
        let mut next = 0;
        let renumber = |&kept: &bool| {
            let new = kept.then_some(OrderIdx(next));
            next += u32::from(kept);
            new
        };
        let new_orders: Vec<Option<OrderIdx>> = kept_orders.iter().map(renumber).collect();
        let shipments = shipments.only(&kept, &new_orders);
        Ok(Self { orders: orders.only(&kept_orders, &new_orders)?, shipments, limits })
    }
}

/// The rows of a table by when they were recorded, then by key.
fn by_recorded_at(table: &DataFrame, key: &str) -> Result<DataFrame, Error> {
    let options = SortMultipleOptions::default().with_maintain_order(true);
    Ok(table.sort([column::RECORDED_AT, key], options)?)
}
