//! The lane speed table: a distribution of delivery time for each lane, for whoever looks up lanes and
//! cannot score rows. As Parquet, and as the file that is looked up in memory.
//!
//! The orders of the last weeks are each scored with their features at order time. They are grouped in
//! several ways, from zones of both ends with carrier, service and weight band up to all shipments, and
//! the distribution of a lane is the pooled one of its orders. A lane of few orders is left out: a
//! coarser one answers for it.

use std::collections::BTreeMap;

use anyhow::Result;
use polars::prelude::*;
use rayon::prelude::*;
use scorer::{
    Distribution, Lane, LaneGrouping, LaneRow, Scorer, SpeedTable, SpeedTableHeader,
    encode_speed_table,
};
use terms::{AsOf, Matrix, column};

use crate::predictions::{by_day_column, distribution_columns, instants};
use crate::stages::features::FeatureSet;
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
        let recent: Vec<usize> = feature_set.ordered_between(end.plus_days(-DAYS), end).collect();
        let scored = scorer.score(&matrix.take(&recent))?;
        let orders: Vec<Lane<'a>> = recent.iter().map(|&row| lanes.of_row(row)).collect();
        let header =
            SpeedTableHeader { model_id: model_id.to_owned(), as_of: end, days: scorer.days() };
        let rows = groups(&orders).into_par_iter().filter_map(|(grouping, of_lane)| {
            if of_lane.len() < shipments_min && grouping != LaneGrouping::ALL_SHIPMENTS {
                return None;
            }
            let pooled: Vec<Distribution> = of_lane.iter().map(|&order| scored[order]).collect();
            Some(LaneRow {
                grouping,
                lane: orders[*of_lane.first()?],
                n_shipments: of_lane.len() as u32,
                distribution: Distribution::pooled(&pooled)?,
            })
        });
        Ok(Self { header, rows: rows.collect() })
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

/// The orders of each lane by every grouping, from the finest on. A grouping that divides the orders as
/// one of fewer columns does is left out: the coarser one answers the same, and more requests.
fn groups(orders: &[Lane<'_>]) -> Vec<(LaneGrouping, Vec<usize>)> {
    let by_grouping: Vec<_> =
        LaneGrouping::ALL.map(|grouping| (grouping, divided(orders, grouping))).into();
    let is_like_a_coarser = |(grouping, lanes): &(LaneGrouping, Vec<Vec<usize>>)| {
        by_grouping.iter().any(|(other, of_other)| {
            let columns = grouping.columns();
            other.columns().len() < columns.len()
                && other.columns().iter().all(|column| columns.contains(column))
                && of_other.len() == lanes.len()
        })
    };
    let kept = by_grouping
        .iter()
        .filter(|group| !is_like_a_coarser(group) || group.0 == LaneGrouping::ALL_SHIPMENTS);
    let each =
        kept.flat_map(|(grouping, lanes)| lanes.iter().map(|lane| (*grouping, lane.clone())));
    each.collect()
}

/// The orders of each lane, in the order of lanes.
fn divided(orders: &[Lane<'_>], grouping: LaneGrouping) -> Vec<Vec<usize>> {
    let mut lanes: BTreeMap<Vec<Option<&str>>, Vec<usize>> = BTreeMap::new();
    for (order, lane) in orders.iter().enumerate() {
        let texts = grouping.columns().iter().map(|name| lane.text(name)).collect();
        lanes.entry(texts).or_default().push(order);
    }
    lanes.into_values().collect()
}
