//! Everything recorded of shipments, version by version, with where each version comes from.

use polars::prelude::*;
use terms::column;

use crate::Error;
use crate::timeline::{Version, to_columns};

/// Column of the source, by which the versions of one shipment and instant are sorted.
pub(crate) const SOURCE: &str = "source";

/// Where a version of a shipment comes from, in the order in which those of one instant apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A row of the table of shipments.
    Shipment = 0,
    /// The cancellation of its order.
    CancelledOrder = 1,
    /// A row in quarantine.
    Quarantine = 2,
}

/// A version of a shipment, whether the shipment is active or not.
pub(crate) struct ShipmentVersion {
    pub(crate) shipment_id: PlSmallStr,
    pub(crate) source: Source,
    pub(crate) version: Version,
}

/// Versions as a frame.
pub(crate) fn to_frame(versions: &[ShipmentVersion]) -> Result<DataFrame, Error> {
    let ids: StringChunked = versions.iter().map(|v| Some(v.shipment_id.as_str())).collect();
    let sources: Vec<u32> = versions.iter().map(|v| v.source as u32).collect();
    let mut columns = vec![
        ids.with_name(column::SHIPMENT_ID.into()).into_column(),
        Column::new(SOURCE.into(), sources),
    ];
    columns.extend(to_columns(versions.iter().map(|v| &v.version)));
    Ok(DataFrame::new(versions.len(), columns)?)
}
