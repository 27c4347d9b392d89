//! The features of all shipments as a data frame, and encoded as numbers for a model.

use polars::prelude::*;
use terms::{Feature, FeatureKind, FeatureList, Instant, Matrix, column};

use crate::Error;
use crate::columns::{required_instants, texts};
use crate::parquet::to_parquet;

/// Column of what was promised, in hours from the order: no feature, but compared with predictions.
pub const PROMISED_HOURS: &str = "promised_hours";

/// Column of the origin's zone: no feature, but a part of the lane.
pub const LANE_ORIGIN_ZONE: &str = "lane_origin_zone";

/// Column of the destination's zone: no feature, but a part of the lane.
pub const LANE_DESTINATION_ZONE: &str = "lane_destination_zone";

/// Columns of the frame that are no features.
const NOT_FEATURES: [&str; 7] = [
    column::SHIPMENT_ID,
    column::ORDER_ID,
    column::ORDERED_AT,
    column::RECORDED_AT,
    PROMISED_HOURS,
    LANE_ORIGIN_ZONE,
    LANE_DESTINATION_ZONE,
];

/// Keys and features of shipments, one row each, by (ordered_at, shipment_id). Numbers are f32,
/// categories are texts; missing is null.
pub struct Frame(pub(crate) DataFrame);

impl Frame {
    /// The frame behind it.
    pub fn frame(&self) -> &DataFrame {
        &self.0
    }

    /// How many shipments.
    pub fn n_rows(&self) -> usize {
        self.0.height()
    }

    /// A column of texts.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn texts(&self, name: &str) -> Result<Vec<Option<String>>, Error> {
        Ok(texts(&self.0, name)?.iter().map(|text| text.map(str::to_owned)).collect())
    }

    /// The same as it is held, in one chunk: a fraction of the memory.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn strings(&self, name: &str) -> Result<StringChunked, Error> {
        texts(&self.0, name)
    }

    /// A column of numbers.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f32>>, Error> {
        Ok(self.0.column(name)?.cast(&DataType::Float32)?.f32()?.iter().collect())
    }

    /// When each shipment was ordered.
    ///
    /// # Errors
    /// If the column is not there, or has a null.
    pub fn ordered_at(&self) -> Result<Vec<Instant>, Error> {
        required_instants(&self.0, column::ORDERED_AT)
    }

    /// As Parquet: the same features give the same bytes.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn to_parquet(&self) -> Result<Vec<u8>, Error> {
        to_parquet(self.0.clone())
    }
}

/// The features of a frame with the levels of its categories: the signature of a model trained on
/// it.
///
/// # Errors
/// If Polars cannot read a column.
pub fn feature_list(frame: &Frame) -> Result<FeatureList, Error> {
    let mut features = Vec::new();
    for column in frame.0.columns() {
        let name = column.name().to_string();
        if NOT_FEATURES.contains(&name.as_str()) {
            continue;
        }
        let kind = match column.dtype() {
            DataType::String => {
                let mut levels: Vec<String> =
                    texts(&frame.0, &name)?.iter().flatten().map(str::to_owned).collect();
                levels.sort_unstable();
                levels.dedup();
                FeatureKind::Categorical { levels }
            }
            _ => FeatureKind::Numeric,
        };
        features.push(Feature { name, kind });
    }
    Ok(FeatureList(features))
}

/// The features named in `list` as numbers, in its order; missing is NaN.
///
/// # Errors
/// If the frame lacks one of them.
pub fn encode(frame: &Frame, list: &FeatureList) -> Result<Matrix, Error> {
    let mut columns = Vec::with_capacity(list.len());
    for feature in &list.0 {
        let missing = || Error::FeatureMissing { name: feature.name.clone() };
        frame.0.column(&feature.name).map_err(|_| missing())?;
        columns.push(if feature.is_categorical() {
            let texts = texts(&frame.0, &feature.name)?;
            texts.iter().map(|text| text.map_or(f32::NAN, |text| feature.code(text))).collect()
        } else {
            let numbers = frame.numbers(&feature.name)?;
            numbers.into_iter().map(|number| number.unwrap_or(f32::NAN)).collect()
        });
    }
    Ok(Matrix { features: list.clone(), columns })
}
