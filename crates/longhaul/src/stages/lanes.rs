//! The lane of each shipment: zones and regions of both ends, carrier, service and weight.

use anyhow::Result;
use features::{Category, Fact, LANE_DESTINATION_ZONE, LANE_ORIGIN_ZONE};
use polars::prelude::StringChunked;
use scorer::Lane;
use terms::column;

use crate::stages::features::FeatureSet;

/// The columns of a lane that a person knows it by: regions, and who carries.
pub(crate) const REGIONAL: [&str; 4] =
    [column::ORIGIN_REGION, column::DESTINATION_REGION, column::CARRIER, column::SERVICE];

/// The lanes of all rows of a feature set. Zones are there always; of the rest what is declared.
pub(crate) struct Lanes {
    origin_zone: StringChunked,
    destination_zone: StringChunked,
    origin_region: Option<StringChunked>,
    destination_region: Option<StringChunked>,
    carrier: Option<StringChunked>,
    service: Option<StringChunked>,
    weight_g: Option<Vec<Option<f32>>>,
}

impl Lanes {
    /// Those of a feature set.
    ///
    /// # Errors
    /// If a column is declared and not there.
    pub(crate) fn of(feature_set: &FeatureSet) -> Result<Self> {
        let FeatureSet { declaration, frame, .. } = feature_set;
        let has_weight = declaration.facts.contains(&Fact::WeightG);
        let weight_g = has_weight.then(|| frame.numbers(Fact::WeightG.into())).transpose()?;
        let text = |category: Category| {
            let is_declared = declaration.categories.contains(&category);
            is_declared.then(|| frame.strings(category.into())).transpose()
        };
        Ok(Self {
            origin_zone: frame.strings(LANE_ORIGIN_ZONE)?,
            destination_zone: frame.strings(LANE_DESTINATION_ZONE)?,
            origin_region: text(Category::OriginRegion)?,
            destination_region: text(Category::DestinationRegion)?,
            carrier: text(Category::Carrier)?,
            service: text(Category::Service)?,
            weight_g,
        })
    }

    /// Those of [`REGIONAL`] that are declared.
    pub(crate) fn declared(&self) -> Vec<&'static str> {
        let columns = [&self.origin_region, &self.destination_region, &self.carrier, &self.service];
        let named = REGIONAL.into_iter().zip(columns);
        named.filter_map(|(name, column)| column.as_ref().map(|_| name)).collect()
    }

    /// That of a row.
    pub(crate) fn of_row(&self, row: usize) -> Lane<'_> {
        fn text(column: &Option<StringChunked>, row: usize) -> Option<&str> {
            column.as_ref()?.get(row)
        }
        Lane {
            origin_zone: self.origin_zone.get(row),
            destination_zone: self.destination_zone.get(row),
            origin_region: text(&self.origin_region, row),
            destination_region: text(&self.destination_region, row),
            carrier: text(&self.carrier, row),
            service: text(&self.service, row),
            weight_g: self.weight_g.as_ref().and_then(|weights| weights[row]),
        }
    }
}
