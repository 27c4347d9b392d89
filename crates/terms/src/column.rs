//! Every column name that more than one crate reads, once.
#![expect(missing_docs, reason = "a name says what its column is; the contracts describe them")]

// Keys and times of all tables.
pub const ORDER_ID: &str = "order_id";
pub const SHIPMENT_ID: &str = "shipment_id";
pub const RECORDED_AT: &str = "recorded_at";
pub const RECORDED_ON: &str = "recorded_on";
pub const STATUS: &str = "status";

// orders
pub const ORDERED_AT: &str = "ordered_at";
pub const PAID_AT: &str = "paid_at";
pub const DESTINATION_ZONE: &str = "destination_zone";
pub const DESTINATION_REGION: &str = "destination_region";
pub const DESTINATION_LAT: &str = "destination_lat";
pub const DESTINATION_LON: &str = "destination_lon";
pub const DESTINATION_TIME_ZONE: &str = "destination_time_zone";
pub const SHIP_OPTION: &str = "ship_option";
pub const PROMISED_AT: &str = "promised_at";

// shipments
pub const ORIGIN_NODE_ID: &str = "origin_node_id";
pub const ORIGIN_ZONE: &str = "origin_zone";
pub const ORIGIN_REGION: &str = "origin_region";
pub const ORIGIN_LAT: &str = "origin_lat";
pub const ORIGIN_LON: &str = "origin_lon";
pub const CARRIER: &str = "carrier";
pub const SERVICE: &str = "service";
pub const N_UNITS: &str = "n_units";
pub const WEIGHT_G: &str = "weight_g";
pub const VOLUME_CM3: &str = "volume_cm3";
pub const LONGEST_SIDE_CM: &str = "longest_side_cm";
pub const ITEM_CATEGORY: &str = "item_category";
pub const ITEM_VALUE: &str = "item_value";
pub const FREIGHT_VALUE: &str = "freight_value";
pub const SHIP_BY_AT: &str = "ship_by_at";
pub const HANDED_OVER_AT: &str = "handed_over_at";
pub const DELIVERED_AT: &str = "delivered_at";

// features that a model reads by name: its time scale
pub const LEVEL_HOURS: &str = "level_hours";
pub const ORDERED_WEEK_HOURS: &str = "ordered_week_hours";
pub const HOLIDAYS_AHEAD: &str = "holidays_ahead";

// predictions
pub const AS_OF: &str = "as_of";
pub const AGE_HOURS: &str = "age_hours";
pub const RECORDING_LAG_HOURS: &str = "recording_lag_hours";
pub const MILESTONE: &str = "milestone";
pub const FORECAST_BY: &str = "forecast_by";
pub const PROBABILITY_OF_MISSING_PROMISE: &str = "probability_of_missing_promise";
pub const MODEL_ID: &str = "model_id";
pub const PROBABILITY_OVER_2D: &str = "probability_over_2d";
pub const PROBABILITY_BY_DAY: &str = "probability_by_day";
pub const ORIGIN: &str = "origin";
pub const ACTUAL_HOURS: &str = "actual_hours";

/// Columns of the predicted quantiles, in the order of [`crate::LEVELS`].
pub const HOURS: [&str; crate::N_LEVELS] = [
    "hours_p05",
    "hours_p10",
    "hours_p25",
    "hours_p40",
    "hours_p50",
    "hours_p60",
    "hours_p75",
    "hours_p90",
    "hours_p95",
];

/// Columns of the predicted quantiles as instants, in the order of [`crate::LEVELS`].
pub const ETA: [&str; crate::N_LEVELS] = [
    "eta_p05", "eta_p10", "eta_p25", "eta_p40", "eta_p50", "eta_p60", "eta_p75", "eta_p90",
    "eta_p95",
];
