//! The outcome of a shipment as of some moment: delivered, right-censored or excluded.

use serde::{Deserialize, Serialize};

/// Below this a delivery is a look-up in inventory and routes; above it an estimate is learned.
pub const TWO_DAYS_HOURS: f64 = 48.0;

/// A shipment's delivery time as known as of one moment. Units: hours from `ordered_at`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Delivered after so many hours.
    Delivered(f32),
    /// Not known to be delivered: its delivery time exceeds so many hours (right-censored).
    Censored(f32),
    /// No delivery time comes of it: not yet ordered, cancelled, returned, lost, or its latest version
    /// is in quarantine.
    Excluded,
}

impl Outcome {
    /// The delivery time, if it is known.
    pub fn delivered(self) -> Option<f32> {
        match self {
            Self::Delivered(hours) => Some(hours),
            Self::Censored(_) | Self::Excluded => None,
        }
    }

    /// The delivery time or what it exceeds, and whether it is the delivery time; `None` if there is
    /// none.
    pub fn known(self) -> Option<(f32, bool)> {
        match self {
            Self::Delivered(hours) => Some((hours, true)),
            Self::Censored(hours) => Some((hours, false)),
            Self::Excluded => None,
        }
    }
}
