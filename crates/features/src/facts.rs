//! Facts of the order itself, which the shop knows when it is placed: from first versions only.

use std::collections::HashMap;

use polars::prelude::*;
use terms::{AsOf, column, haversine_km};

use crate::Error;
use crate::declaration::Declaration;
use crate::frame::PROMISED_HOURS;
use crate::timeline::{Placed, instants, numbers, texts};

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
    "n_shipments",
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
        "n_shipments" => shipments_of_order(placed)?,
        column => number(column)?,
    };
    Ok(to_column(name, &values))
}

/// How many shipments of the order were known when this one was first recorded.
fn shipments_of_order(placed: &Placed) -> Result<Vec<f64>, Error> {
    let order_ids = texts(&placed.firsts, column::ORDER_ID)?;
    let recorded_at = instants(&placed.firsts, column::RECORDED_AT)?;
    let mut of_order: HashMap<Option<&str>, Vec<Option<i64>>> = HashMap::new();
    for (order_id, &at) in order_ids.iter().zip(&recorded_at) {
        of_order.entry(order_id).or_default().push(at);
    }
    let known = |(order_id, at): (Option<&str>, &Option<i64>)| {
        of_order[&order_id].iter().filter(|other| *other <= at).count() as f64
    };
    Ok(order_ids.iter().zip(&recorded_at).map(known).collect())
}

/// Hours from the order to an instant of its first version.
fn hours_from_order(placed: &Placed, instant: &str, name: &str) -> Result<Column, Error> {
    let hours: Vec<f64> = instants(&placed.firsts, instant)?
        .into_iter()
        .zip(&placed.ordered_at)
        .map(|(at, &ordered_at)| {
            at.map_or(f64::NAN, |at| AsOf::from_micros(at).hours_since(ordered_at))
        })
        .collect();
    Ok(to_column(name, &hours))
}

fn to_column(name: &str, values: &[f64]) -> Column {
    let values: Vec<Option<f32>> =
        values.iter().map(|&value| value.is_finite().then_some(value as f32)).collect();
    Column::new(name.into(), values)
}
