//! The lane speed table: a distribution of delivery time for each lane, for consumers that look up
//! lanes and cannot score rows.
//!
//! A lane here is a combination of regions, carrier and service. Its orders of the last weeks are each
//! scored with their features at order time; the lane's distribution is their pooled distribution.

use std::collections::BTreeMap;

use anyhow::Result;
use features::Category;
use polars::prelude::*;
use scorer::{Distribution, Scorer};
use terms::{AsOf, Matrix, column};

use crate::predictions::{by_day_column, distribution_columns, instants};
use crate::stages::features::FeatureSet;
use crate::stages::segments::declared_texts;

/// Orders of so many days before the as-of make the distributions of their lanes.
const DAYS: i64 = 28;

/// The columns that make up a lane; one that is not a declared feature is null.
pub(crate) const LANE: [Category; 4] =
    [Category::OriginRegion, Category::DestinationRegion, Category::Carrier, Category::Service];

/// Where the carrier is among them.
pub(crate) const CARRIER: usize = 2;

/// The values of each column of a lane, by row of the feature set; `None` if it is not declared.
///
/// # Errors
/// If a column is declared and not there.
pub(crate) fn lane_texts(feature_set: &FeatureSet) -> Result<Vec<Option<Vec<Option<String>>>>> {
    LANE.iter().map(|&category| declared_texts(feature_set, category)).collect()
}

const N_SHIPMENTS: &str = "n_shipments";

/// One row for each lane with a recent order, in the order of lanes. Units: hours from the order.
///
/// As of: `as_of` for which orders are known; order time for the features of each.
///
/// # Errors
/// If the matrix is not the scorer's, or Polars refuses.
pub(crate) fn speed_table(
    feature_set: &FeatureSet,
    matrix: &Matrix,
    scorer: &Scorer,
    (as_of, model_id): (AsOf, &str),
) -> Result<DataFrame> {
    let end = as_of.instant();
    let rows: Vec<usize> = feature_set.ordered_between(end.plus_days(-DAYS), end).collect();
    let texts = lane_texts(feature_set)?;
    let mut lanes: BTreeMap<[Option<&str>; 4], Vec<Distribution>> = BTreeMap::new();
    for (&row, distribution) in rows.iter().zip(scorer.score(&matrix.take(&rows))?) {
        let lane = std::array::from_fn(|part| texts[part].as_ref()?[row].as_deref());
        lanes.entry(lane).or_default().push(distribution);
    }
    // A lane has at least one order, so none is left out.
    let of_lanes = lanes.values().filter_map(|of_lane| Distribution::pooled(of_lane));
    let of_lanes: Vec<Distribution> = of_lanes.collect();
    let of_lanes: Vec<&Distribution> = of_lanes.iter().collect();
    let mut table: Vec<Column> = (LANE.iter().enumerate())
        .map(|(part, &category)| {
            let name: &str = category.into();
            let texts: Vec<Option<&str>> = lanes.keys().map(|lane| lane[part]).collect();
            Column::new(name.into(), texts)
        })
        .collect();
    table.push(instants(column::AS_OF, &vec![as_of.instant(); lanes.len()])?);
    table.push(Column::new(column::MODEL_ID.into(), vec![model_id; lanes.len()]));
    let counts: Vec<i64> = lanes.values().map(|of_lane| of_lane.len() as i64).collect();
    table.push(Column::new(N_SHIPMENTS.into(), counts));
    table.extend(distribution_columns(&of_lanes));
    table.push(by_day_column(scorer.days(), &of_lanes));
    Ok(DataFrame::new(lanes.len(), table)?)
}
