//! The lane speed table: a distribution of delivery time for each lane, for whoever looks up lanes and
//! cannot score rows. As Parquet, and as the file that is looked up in memory.
//!
//! The orders of the last weeks are each scored as if they were placed now: with their own features, and
//! those of the whole network as of the last order. They are grouped in several ways, from zones of both
//! ends with carrier, service and weight band up to all shipments, and the distribution of a lane is the
//! pooled one of its orders, shrunk towards that of the next coarser lane. A lane of few orders is left
//! out, since a coarser one answers for it; but every destination zone that ever had an order has a row.

use std::ops::Range;

use anyhow::Result;
use polars::prelude::*;
use scorer::{Distribution, LaneRow, Scorer, SpeedTable, SpeedTableHeader, encode_speed_table};
use terms::{AsOf, Matrix, column};

use crate::predictions::{by_day_column, distribution_columns, instants};
use crate::stages::features::FeatureSet;
use crate::stages::lane_groups::Orders;
use crate::stages::lanes::Lanes;

/// Orders of so many days before the as-of make the distributions of their lanes.
const DAYS: i64 = 28;

const GROUPED_BY: &str = "grouped_by";
const WEIGHT_BAND: &str = "weight_band";
const N_SHIPMENTS: &str = "n_shipments";

/// The columns that make up a lane, in the order of the Parquet file.
const COLUMNS: [&str; 7] = [
    column::ORIGIN_ZONE,
    column::DESTINATION_ZONE,
    column::ORIGIN_REGION,
    column::DESTINATION_REGION,
    column::CARRIER,
    column::SERVICE,
    WEIGHT_BAND,
];

/// The lanes of the orders of the last weeks.
pub(crate) struct LaneTable<'a> {
    header: SpeedTableHeader,
    rows: Vec<LaneRow<'a>>,
}

impl<'a> LaneTable<'a> {
    /// The lanes with at least so many recent orders, and all shipments together; none if nothing was
    /// ordered lately.
    ///
    /// As of: `as_of` for which orders are known; order time for the features of each.
    ///
    /// # Errors
    /// If the matrix is not the scorer's.
    pub(crate) fn of(
        feature_set: &FeatureSet,
        (lanes, shipments_min): (&'a Lanes, usize),
        (matrix, scorer): (&Matrix, &Scorer),
        (as_of, model_id): (AsOf, &str),
    ) -> Result<Self> {
        let end = as_of.instant();
        let rows = feature_set.ordered_between(end.plus_days(-DAYS), end);
        let header =
            SpeedTableHeader { model_id: model_id.to_owned(), as_of: end, days: scorer.days() };
        if rows.is_empty() {
            return Ok(Self { header, rows: Vec::new() });
        }
        let now = as_if_now(feature_set, matrix, rows.clone());
        let orders = Orders {
            lanes: rows.clone().map(|row| lanes.of_row(row)).collect(),
            distributions: scorer.score(&now)?,
        };
        // Of each zone the last order, of whatever time.
        let known = (0..rows.end).map(|row| lanes.of_row(row));
        let zones = known.map(|lane| (lane.destination_zone, lane)).collect();
        Ok(Self { header, rows: orders.rows(shipments_min, &zones) })
    }

    /// How many lanes there are, all shipments together among them.
    pub(crate) fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// The file that is looked up; `None` if nothing was ordered lately.
    ///
    /// # Errors
    /// If the encoder refuses, which no lane makes it do.
    pub(crate) fn to_file(&self) -> Result<Option<Vec<u8>>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(encode_speed_table(&self.header, &self.rows)?))
    }

    /// The same as it is looked up.
    ///
    /// # Errors
    /// As for [`to_file`](Self::to_file).
    pub(crate) fn to_lookup(&self) -> Result<Option<SpeedTable>> {
        Ok(self.to_file()?.map(SpeedTable::from_bytes).transpose()?)
    }

    /// The table with a row for each lane, from the finest grouping on. Units: hours from the order.
    ///
    /// # Errors
    /// If Polars refuses, which no lane makes it do.
    pub(crate) fn to_frame(&self) -> Result<DataFrame> {
        let n_rows = self.rows.len();
        let names: Vec<String> = self.rows.iter().map(|row| row.grouping.name()).collect();
        let mut table = vec![Column::new(GROUPED_BY.into(), names)];
        table.extend(COLUMNS.iter().map(|&name| {
            let text = |row: &LaneRow<'a>| {
                let is_grouped = row.grouping.columns().contains(&name);
                is_grouped.then(|| row.lane.text(name)).flatten()
            };
            let texts: Vec<Option<&str>> = self.rows.iter().map(text).collect();
            Column::new(name.into(), texts)
        }));
        table.push(instants(column::AS_OF, &vec![self.header.as_of; n_rows])?);
        table.push(Column::new(column::MODEL_ID.into(), vec![&*self.header.model_id; n_rows]));
        let counts: Vec<i64> = self.rows.iter().map(|row| row.n_shipments.into()).collect();
        table.push(Column::new(N_SHIPMENTS.into(), counts));
        let distributions: Vec<&Distribution> =
            self.rows.iter().map(|row| &row.distribution).collect();
        table.extend(distribution_columns(&distributions));
        table.push(by_day_column(self.header.days, &distributions));
        Ok(DataFrame::new(n_rows, table)?)
    }
}

/// The features of some orders, with those of the whole network as of the last one.
fn as_if_now(feature_set: &FeatureSet, matrix: &Matrix, rows: Range<usize>) -> Matrix {
    let network = feature_set.declaration.network_columns();
    let mut now = matrix.take(&rows.collect::<Vec<_>>());
    for (feature, values) in now.features.0.iter().zip(&mut now.columns) {
        if network.contains(&feature.name)
            && let Some(&last) = values.last()
        {
            values.fill(last);
        }
    }
    now
}
