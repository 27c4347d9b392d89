//! For how long a shipment is followed, which differs from network to network.

use serde::{Deserialize, Serialize};

/// For how long a shipment is followed. Units: days.
///
/// `history_days` is at least `lost_after_days`: what is in a stock until it is lost has to be known
/// for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A shipment open for longer counts as lost, a competing outcome, and not as a long delivery.
    pub lost_after_days: u16,
    /// What is recorded of an order so many days after its first record counts in no history: it does
    /// not show how fast deliveries are now. It counts as an outcome all the same.
    pub history_days: u16,
}

impl Limits {
    /// Whether they are those of a network whose deliveries take days.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// A shipment open for longer is lost, and in no stock any more. Units: days.
    pub(crate) fn stock_days_max(self) -> i32 {
        self.lost_after_days.into()
    }

    /// Units: days.
    pub(crate) fn history_days(self) -> i32 {
        self.history_days.into()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { lost_after_days: 60, history_days: 90 }
    }
}
