//! Active shipments as columns: their orders, timelines, legs and keys.

use polars::prelude::{PlHashMap, PlSmallStr};
use terms::{Instant, KeyIdx, ShipmentIdx};

use crate::legs::LegVersions;
use crate::state::order_idx::OrderIdx;
use crate::timeline::Timelines;

/// Shipments, in the order in which they were first recorded.
#[derive(Default)]
pub(super) struct Shipments {
    pub(super) ids: Vec<PlSmallStr>,
    pub(super) orders: Vec<OrderIdx>,
    pub(super) ordered_at: Vec<Instant>,
    /// The versions that count in history.
    pub(super) timelines: Timelines,
    pub(super) legs: LegVersions,
    /// For each of the declared keys the index of each shipment's.
    pub(super) keys: Vec<Vec<KeyIdx>>,
}

impl Shipments {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a shipment, without versions or keys yet.
    pub(super) fn add(
        &mut self,
        id: PlSmallStr,
        order: OrderIdx,
        ordered_at: Instant,
    ) -> ShipmentIdx {
        let shipment = ShipmentIdx(self.len() as u32);
        self.ids.push(id);
        self.orders.push(order);
        self.ordered_at.push(ordered_at);
        shipment
    }

    pub(super) fn order_of(&self, shipment: ShipmentIdx) -> OrderIdx {
        self.orders[shipment.as_usize()]
    }

    /// When a shipment was first recorded.
    pub(super) fn first_recorded_at(&self, shipment: usize) -> Instant {
        self.timelines.of(shipment).first().map_or(Instant::MAX, |version| version.recorded_at)
    }

    /// For each of the shipments from `n_before` on, how many shipments of its order were recorded
    /// up to its own first record.
    pub(super) fn n_of_order(&self, n_before: usize) -> Vec<f64> {
        let mut of_order: PlHashMap<OrderIdx, Vec<Instant>> =
            self.orders[n_before..].iter().map(|&order| (order, Vec::new())).collect();
        for (shipment, order) in self.orders.iter().enumerate() {
            if let Some(records) = of_order.get_mut(order) {
                records.push(self.first_recorded_at(shipment));
            }
        }
        let n = |shipment: usize| {
            let at = self.first_recorded_at(shipment);
            let records = &of_order[&self.orders[shipment]];
            records.iter().filter(|other| **other <= at).count() as f64
        };
        (n_before..self.len()).map(n).collect()
    }

    /// The shipments at the positions `kept`, which ascend, with orders renumbered to `new_orders`.
    pub(super) fn only(self, kept: &[usize], new_orders: &[Option<OrderIdx>]) -> Self {
        let mut timelines = Timelines::default();
        kept.iter().for_each(|&kept| timelines.push(self.timelines.of(kept).iter().copied()));
        let keys = |keys: &Vec<KeyIdx>| kept.iter().map(|&kept| keys[kept]).collect();
        let order = |&kept: &usize| new_orders[self.orders[kept].as_usize()];
        Self {
            ids: kept.iter().map(|&kept| self.ids[kept].clone()).collect(),
            orders: kept.iter().filter_map(order).collect(),
            ordered_at: kept.iter().map(|&kept| self.ordered_at[kept]).collect(),
            timelines,
            legs: self.legs.only(kept),
            keys: self.keys.iter().map(keys).collect(),
        }
    }
}
