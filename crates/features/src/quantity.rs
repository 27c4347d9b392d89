//! What history features count or average ([`Quantity`]), and the statistics of it ([`Statistic`]).

use serde::{Deserialize, Serialize};

/// What a history feature is a statistic of. Each fact counts from the day on which it was
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Hours from ordered to delivered, dated when the delivery was recorded.
    DeliveryHours,
    /// Hours from ordered to handed over, dated when the handover was recorded.
    HandlingHours,
    /// Hours from handed over to delivered, dated when the delivery was recorded.
    TransitHours,
    /// 1 if delivered within two days, else 0, dated when the delivery was recorded.
    WithinTwoDays,
    /// 1 for each shipment, dated when it was first recorded: volume.
    Ordered,
    /// A stock: ordered and not handed over yet, at most until it is lost.
    Unshipped,
    /// A stock: handed over and not delivered yet, at most until it is lost.
    InTransit,
    /// A stock: ordered and not delivered yet, at most until it is lost; its mean is the age in hours.
    Open,
    /// 1 if an order was known to be delivered when it was five days old, else 0, dated that day.
    /// Open shipments count as 0, so it shows a slowdown before the late deliveries arrive.
    #[serde(rename = "delivered_by_day_5")]
    DeliveredByDay5,
    /// The same at an age of ten days.
    #[serde(rename = "delivered_by_day_10")]
    DeliveredByDay10,
    /// The same at an age of twenty days.
    #[serde(rename = "delivered_by_day_20")]
    DeliveredByDay20,
    /// Hours from departure to arrival of a leg of the first mile, dated when its arrival was
    /// recorded; from the table of legs, as the next two.
    FirstMileHours,
    /// The same of the middle mile, leg by leg.
    MiddleMileHours,
    /// The same of the last mile.
    LastMileHours,
}

impl Quantity {
    /// Whether it is a stock: a count of what is so now, which has no window.
    pub(crate) fn is_stock(self) -> bool {
        matches!(self, Self::Unshipped | Self::InTransit | Self::Open)
    }

    /// The age of an order at which its delivery is checked, once, for this quantity. Units: days.
    pub(crate) fn checked_at_age_days(self) -> Option<i32> {
        match self {
            Self::DeliveredByDay5 => Some(5),
            Self::DeliveredByDay10 => Some(10),
            Self::DeliveredByDay20 => Some(20),
            _ => None,
        }
    }

    /// Whether it is of legs, and not of whole shipments.
    pub(crate) fn is_of_legs(self) -> bool {
        matches!(self, Self::FirstMileHours | Self::MiddleMileHours | Self::LastMileHours)
    }

    /// Whether it is in hours.
    pub(crate) fn is_duration(self) -> bool {
        matches!(self, Self::DeliveryHours | Self::HandlingHours | Self::TransitHours)
            || self.is_of_legs()
    }

    /// Its name in declarations and in columns.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DeliveryHours => "delivery_hours",
            Self::HandlingHours => "handling_hours",
            Self::TransitHours => "transit_hours",
            Self::WithinTwoDays => "within_two_days",
            Self::Ordered => "ordered",
            Self::Unshipped => "unshipped",
            Self::InTransit => "in_transit",
            Self::Open => "open",
            Self::DeliveredByDay5 => "delivered_by_day_5",
            Self::DeliveredByDay10 => "delivered_by_day_10",
            Self::DeliveredByDay20 => "delivered_by_day_20",
            Self::FirstMileHours => "first_mile_hours",
            Self::MiddleMileHours => "middle_mile_hours",
            Self::LastMileHours => "last_mile_hours",
        }
    }
}

/// A statistic of a quantity over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// How many.
    Count,
    /// The mean; missing if there are none and there is no coarser key to fall back on.
    Mean,
    /// The standard deviation; missing below two.
    Sd,
}

impl Statistic {
    /// Its name in declarations and in columns.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Sd => "sd",
        }
    }
}
