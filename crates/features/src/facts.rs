//! Facts of the order itself, which the shop knows when it is placed: from first versions only.

use polars::prelude::*;
use terms::{Instant, column, haversine_km};

use crate::Error;
use crate::declaration::Declaration;
use crate::frame::PROMISED_HOURS;
use crate::surroundings::{ORIGIN_CAPACITY, ORIGIN_KIND};
use crate::timeline::{instants, numbers, texts};

/// New shipments: what the shop knew of each when it was first recorded.
pub(crate) struct Placed {
    /// The first version of each shipment, with the first version of its order beside it.
    pub(crate) firsts: DataFrame,
    /// Units: microseconds since the epoch.
    pub(crate) ordered_at: Vec<i64>,
    /// For each the day before which history counts: a row may use what was recorded before the
    /// midnight at or before its order, and before it was known itself.
    pub(crate) days: Vec<i32>,
}

impl Placed {
    pub(crate) fn len(&self) -> usize {
        self.ordered_at.len()
    }

    /// The columns that say which row is which, and since when; no features.
    pub(crate) fn key_columns(&self) -> Result<Vec<Column>, Error> {
        [column::SHIPMENT_ID, column::ORDER_ID, column::ORDERED_AT, column::RECORDED_AT]
            .into_iter()
            .map(|name| Ok(self.firsts.column(name)?.clone()))
            .collect()
    }
}

/// How many shipments of the order were known when this one was first recorded.
pub(crate) const N_SHIPMENTS: &str = "n_shipments";

/// Names of the facts that are numbers.
pub(crate) const FACTS: &[&str] = &[
    "n_units",
    "weight_g",
    "volume_cm3",
    "longest_side_cm",
    "item_value",
    "freight_value",
    "freight_share",
    "ship_by_hours",
    "distance_km",
    "origin_lat",
    "origin_lon",
    "destination_lat",
    "destination_lon",
    "same_region",
    N_SHIPMENTS,
    ORIGIN_CAPACITY,
];

/// Columns of texts that may be categories, or parts of a key.
pub(crate) const CATEGORIES: &[&str] = &[
    column::ORIGIN_NODE_ID,
    column::ORIGIN_ZONE,
    column::ORIGIN_REGION,
    column::DESTINATION_ZONE,
    column::DESTINATION_REGION,
    column::CARRIER,
    column::SERVICE,
    column::SHIP_OPTION,
    column::ITEM_CATEGORY,
    ORIGIN_KIND,
];

/// The name of the promise among the features, where it is allowed.
pub(crate) const PROMISE_FEATURE: &str = "promise_hours";

/// The declared facts and categories, and what was promised (which is no feature by itself).
pub(crate) fn columns(placed: &Placed, declared: &Declaration) -> Result<Vec<Column>, Error> {
    let mut columns = vec![hours_from_order(placed, column::PROMISED_AT, PROMISED_HOURS)?];
    if declared.promise {
        columns.push(hours_from_order(placed, column::PROMISED_AT, PROMISE_FEATURE)?);
    }
    for name in &declared.facts {
        columns.push(fact(placed, name)?);
    }
    for name in &declared.categories {
        columns.push(placed.firsts.column(name)?.cast(&DataType::String)?);
    }
    Ok(columns)
}

fn fact(placed: &Placed, name: &str) -> Result<Column, Error> {
    let number = |name: &str| numbers(&placed.firsts, name);
    let values = match name {
        "ship_by_hours" => return hours_from_order(placed, column::SHIP_BY_AT, name),
        "freight_share" => {
            let value = number(column::ITEM_VALUE)?;
            let freight = number(column::FREIGHT_VALUE)?;
            let share = |(f, v): (&f64, &f64)| if f + v > 0.0 { f / (f + v) } else { f64::NAN };
            freight.iter().zip(&value).map(share).collect()
        }
        "distance_km" => {
            let [from_lat, from_lon, to_lat, to_lon] = [
                number(column::ORIGIN_LAT)?,
                number(column::ORIGIN_LON)?,
                number(column::DESTINATION_LAT)?,
                number(column::DESTINATION_LON)?,
            ];
            (0..placed.len())
                .map(|r| haversine_km((from_lat[r], from_lon[r]), (to_lat[r], to_lon[r])))
                .collect()
        }
        "same_region" => {
            let origins = texts(&placed.firsts, column::ORIGIN_REGION)?;
            let destinations = texts(&placed.firsts, column::DESTINATION_REGION)?;
            let same = |(a, b): (Option<&str>, Option<&str>)| f64::from(u8::from(a == b));
            origins.iter().zip(destinations.iter()).map(same).collect()
        }
        column => number(column)?,
    };
    Ok(to_column(name, &values))
}

/// Hours from the order to an instant of its first version.
fn hours_from_order(placed: &Placed, instant: &str, name: &str) -> Result<Column, Error> {
    let hours: Vec<f64> = instants(&placed.firsts, instant)?
        .into_iter()
        .zip(&placed.ordered_at)
        .map(|(at, &ordered_at)| {
            at.map_or(f64::NAN, |at| {
                Instant::from_micros(at).hours_since(Instant::from_micros(ordered_at))
            })
        })
        .collect();
    Ok(to_column(name, &hours))
}

fn to_column(name: &str, values: &[f64]) -> Column {
    let values: Vec<Option<f32>> =
        values.iter().map(|&value| value.is_finite().then_some(value as f32)).collect();
    Column::new(name.into(), values)
}
