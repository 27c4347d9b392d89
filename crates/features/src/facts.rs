//! Facts of the order itself, known when it is placed: read from first versions only.
//!
//! Numbers ([`Fact`]) become columns of f32 with NaN as null, texts ([`Category`]) columns of
//! strings. Categories are also what [keys](crate::keys) of history are made of.

use polars::prelude::*;
use terms::{column, haversine_km};

use crate::Error;
use crate::columns::{instants, numbers, texts};
use crate::declared_name::{DeclaredName as _, declared_names};
use crate::frame::{LANE_DESTINATION_ZONE, LANE_ORIGIN_ZONE, PROMISED_HOURS};
use crate::new_shipments::{N_SHIPMENTS, NewShipments};
use crate::reference_data::{ORIGIN_CAPACITY, ORIGIN_KIND};

declared_names! {
    /// A number that is known at order time. Units are in the name; the rest are counts, degrees,
    /// and money in the shop's currency.
    pub enum Fact {
        /// Units in the shipment.
        NUnits = "n_units",
        /// Weight in grams.
        WeightG = "weight_g",
        /// Volume in cubic centimetres.
        VolumeCm3 = "volume_cm3",
        /// The longest side in centimetres.
        LongestSideCm = "longest_side_cm",
        /// What the items cost.
        ItemValue = "item_value",
        /// What the freight costs.
        FreightValue = "freight_value",
        /// Freight over freight and items.
        FreightShare = "freight_share",
        /// Hours from the order until it has to be handed over.
        ShipByHours = "ship_by_hours",
        /// Great-circle distance from origin to destination in kilometres.
        DistanceKm = "distance_km",
        /// Latitude of the origin.
        OriginLat = "origin_lat",
        /// Longitude of the origin.
        OriginLon = "origin_lon",
        /// Latitude of the destination.
        DestinationLat = "destination_lat",
        /// Longitude of the destination.
        DestinationLon = "destination_lon",
        /// 1 if origin and destination are in one region, else 0.
        SameRegion = "same_region",
        /// Shipments of the order known when this one was first recorded.
        NShipments = N_SHIPMENTS,
        /// Orders that the origin can handle a day.
        OriginDailyCapacity = ORIGIN_CAPACITY,
    }
}

declared_names! {
    /// A column of texts that may be a category, or a part of a key.
    pub enum Category {
        /// The node that the shipment leaves from.
        OriginNodeId = column::ORIGIN_NODE_ID,
        /// Postal zone of the origin.
        OriginZone = column::ORIGIN_ZONE,
        /// Region of the origin.
        OriginRegion = column::ORIGIN_REGION,
        /// Postal zone of the destination.
        DestinationZone = column::DESTINATION_ZONE,
        /// Region of the destination.
        DestinationRegion = column::DESTINATION_REGION,
        /// Carrier.
        Carrier = column::CARRIER,
        /// The carrier's service.
        Service = column::SERVICE,
        /// The option that the buyer chose.
        ShipOption = column::SHIP_OPTION,
        /// Category of the items.
        ItemCategory = column::ITEM_CATEGORY,
        /// What kind of node the origin is.
        OriginKind = ORIGIN_KIND,
    }
}

/// The name of the promise among the features, where it is allowed.
pub(crate) const PROMISE_FEATURE: &str = "promise_hours";

/// What was promised and the zones of the lane (which are no features by themselves), what was promised
/// again as a feature if `promise`, and the declared facts and categories.
pub(crate) fn columns(
    shipments: &NewShipments,
    facts: &[Fact],
    categories: &[Category],
    promise: bool,
) -> Result<Vec<Column>, Error> {
    let mut columns = vec![hours_from_order(shipments, column::PROMISED_AT, PROMISED_HOURS)?];
    for (zone, name) in
        [(column::ORIGIN_ZONE, LANE_ORIGIN_ZONE), (column::DESTINATION_ZONE, LANE_DESTINATION_ZONE)]
    {
        let mut zones = shipments.firsts.column(zone)?.cast(&DataType::String)?;
        zones.rename(name.into());
        columns.push(zones);
    }
    if promise {
        columns.push(hours_from_order(shipments, column::PROMISED_AT, PROMISE_FEATURE)?);
    }
    for &declared in facts {
        columns.push(fact(shipments, declared)?);
    }
    for category in categories {
        columns.push(shipments.firsts.column(category.name())?.cast(&DataType::String)?);
    }
    Ok(columns)
}

fn fact(shipments: &NewShipments, fact: Fact) -> Result<Column, Error> {
    let values = match fact {
        Fact::ShipByHours => {
            return hours_from_order(shipments, column::SHIP_BY_AT, fact.name());
        }
        Fact::FreightShare => freight_share(shipments)?,
        Fact::DistanceKm => distance_km(shipments)?,
        Fact::SameRegion => same_region(shipments)?,
        Fact::NUnits
        | Fact::WeightG
        | Fact::VolumeCm3
        | Fact::LongestSideCm
        | Fact::ItemValue
        | Fact::FreightValue
        | Fact::OriginLat
        | Fact::OriginLon
        | Fact::DestinationLat
        | Fact::DestinationLon
        | Fact::NShipments
        | Fact::OriginDailyCapacity => numbers(&shipments.firsts, fact.name())?,
    };
    Ok(to_column(fact.name(), &values))
}

fn freight_share(shipments: &NewShipments) -> Result<Vec<f64>, Error> {
    let value = numbers(&shipments.firsts, column::ITEM_VALUE)?;
    let freight = numbers(&shipments.firsts, column::FREIGHT_VALUE)?;
    let share = |(f, v): (&f64, &f64)| if f + v > 0.0 { f / (f + v) } else { f64::NAN };
    Ok(freight.iter().zip(&value).map(share).collect())
}

fn distance_km(shipments: &NewShipments) -> Result<Vec<f64>, Error> {
    let number = |name: &str| numbers(&shipments.firsts, name);
    let [from_lat, from_lon, to_lat, to_lon] = [
        number(column::ORIGIN_LAT)?,
        number(column::ORIGIN_LON)?,
        number(column::DESTINATION_LAT)?,
        number(column::DESTINATION_LON)?,
    ];
    Ok((0..shipments.len())
        .map(|row| haversine_km((from_lat[row], from_lon[row]), (to_lat[row], to_lon[row])))
        .collect())
}

fn same_region(shipments: &NewShipments) -> Result<Vec<f64>, Error> {
    let origins = texts(&shipments.firsts, column::ORIGIN_REGION)?;
    let destinations = texts(&shipments.firsts, column::DESTINATION_REGION)?;
    let same = |(a, b): (Option<&str>, Option<&str>)| f64::from(u8::from(a == b));
    Ok(origins.iter().zip(destinations.iter()).map(same).collect())
}

/// Hours from the order to an instant of its first version.
fn hours_from_order(shipments: &NewShipments, instant: &str, name: &str) -> Result<Column, Error> {
    let hours: Vec<f64> = instants(&shipments.firsts, instant)?
        .into_iter()
        .zip(&shipments.ordered_at)
        .map(|(at, &ordered_at)| at.map_or(f64::NAN, |at| at.hours_since(ordered_at)))
        .collect();
    Ok(to_column(name, &hours))
}

fn to_column(name: &str, values: &[f64]) -> Column {
    let values: Vec<Option<f32>> =
        values.iter().map(|&value| Some(value as f32).filter(|value| value.is_finite())).collect();
    Column::new(name.into(), values)
}
