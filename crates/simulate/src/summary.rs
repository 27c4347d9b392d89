//! Numbers of what a simulation made: orders, shipments by how they end, versions, odd rows.

use std::collections::BTreeMap;

use serde::Serialize;

/// Numbers of what was simulated so far. Outcomes are the true ones, recorded yet or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Nightly extracts written.
    pub nights: u32,
    /// Orders placed.
    pub orders: u64,
    /// Shipments created.
    pub shipments: u64,
    /// Shipments that are, or will be, delivered.
    pub delivered: u64,
    /// Of these, within two days.
    pub within_two_days: u64,
    /// Shipments cancelled.
    pub cancelled: u64,
    /// Shipments lost.
    pub lost: u64,
    /// Shipments returned.
    pub returned: u64,
    /// Shipments with a fact that is recorded late.
    pub late: u64,
    /// Shipments whose delivery is first recorded with a wrong time.
    pub corrected: u64,
    /// Rows of `orders`.
    pub order_versions: u64,
    /// Rows of `shipments`.
    pub shipment_versions: u64,
    /// Rows of `legs`.
    pub leg_versions: u64,
    /// Rows of `shipments` with an impossible value, by its kind.
    pub odd_versions: BTreeMap<&'static str, u64>,
    /// Shipments with facts still to be recorded.
    pub open: u64,
    /// The largest value of `open` after any extract: these shipments are held in memory.
    pub open_max: u64,
}

impl Summary {
    /// Share of delivered shipments that took no more than two days.
    pub fn share_within_two_days(&self) -> f64 {
        self.within_two_days as f64 / self.delivered.max(1) as f64
    }

    /// Rows of `shipments` with an impossible value.
    pub fn n_odd_versions(&self) -> u64 {
        self.odd_versions.values().sum()
    }
}
