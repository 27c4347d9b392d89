//! New shipments: what was known of each when it was first recorded.
//!
//! Their rows of features are built once, from this and from history before their day.

use polars::prelude::*;
use terms::{Day, Instant, column};

use crate::Error;

/// Column of how many shipments of the order were known when this one was first recorded.
pub(crate) const N_SHIPMENTS: &str = "n_shipments";

/// Shipments that were recorded for the first time.
pub(crate) struct NewShipments {
    /// The first version of each shipment, with the first version of its order beside it.
    pub(crate) firsts: DataFrame,
    /// When each was ordered.
    pub(crate) ordered_at: Vec<Instant>,
    /// For each the day before which history counts: a row may use what was recorded before the
    /// midnight at or before its order, and before the shipment itself was recorded.
    pub(crate) history_before: Vec<Day>,
}

impl NewShipments {
    pub(crate) fn len(&self) -> usize {
        self.ordered_at.len()
    }

    /// The columns that identify a row and date it; no features.
    pub(crate) fn key_columns(&self) -> Result<Vec<Column>, Error> {
        [column::SHIPMENT_ID, column::ORDER_ID, column::ORDERED_AT, column::RECORDED_AT]
            .into_iter()
            .map(|name| Ok(self.firsts.column(name)?.clone()))
            .collect()
    }
}
