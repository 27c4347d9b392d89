//! The segments by which an evaluation is broken down: order month, region, carrier, category,
//! distance, and whether the origin is new.

use anyhow::Result;
use evaluate::SegmentFamily;
use features::Declaration;
use terms::{Instant, column};

use crate::stages::features::FeatureSet;

/// The distance from origin to destination.
const DISTANCE_KM: &str = "distance_km";
/// Deliveries of the origin, a node or a seller, that were known at order time.
const ORIGIN_DELIVERIES: &str = "origin_node_id_delivery_hours_count_400d";
/// An origin with fewer known deliveries is new.
const NEW_ORIGIN_DELIVERIES: f32 = 10.0;

/// The segments of some rows of the feature set.
///
/// # Errors
/// If the declaration has no count of the origin's deliveries, or the feature set lacks a column that
/// is declared.
pub(crate) fn segments(
    feature_set: &FeatureSet,
    declaration: &Declaration,
    rows: &[usize],
) -> Result<Vec<SegmentFamily>> {
    let frame = &feature_set.frame;
    let mut families = Vec::new();
    let mut divide = |name: &str, segment: &dyn Fn(usize) -> String| {
        let values = rows.iter().map(|&row| segment(row)).collect();
        families.push(SegmentFamily { name: name.to_owned(), values });
    };
    let ordered_at = feature_set.outcomes.ordered_at();
    divide("order month", &|row| {
        Instant::from_micros(ordered_at[row]).day().date().format("%Y-%m").to_string()
    });
    for (name, column) in [
        ("destination region", column::DESTINATION_REGION),
        ("carrier", column::CARRIER),
        ("item category", column::ITEM_CATEGORY),
    ] {
        let Some(texts) = declared_texts(feature_set, declaration, column)? else { continue };
        // A column without any value, of a shop that records no carriers say, divides nothing.
        if texts.iter().any(Option::is_some) {
            divide(name, &|row| texts[row].clone().unwrap_or_else(|| "unknown".to_owned()));
        }
    }
    if is_declared(declaration, DISTANCE_KM) {
        let distances = frame.numbers(DISTANCE_KM)?;
        divide("distance", &|row| distance_band(distances[row]).to_owned());
    }
    let deliveries = frame.numbers(ORIGIN_DELIVERIES)?;
    let is_new = |row: usize| deliveries[row].unwrap_or(0.0) < NEW_ORIGIN_DELIVERIES;
    divide("origin", &|row| if is_new(row) { "new" } else { "known" }.to_owned());
    Ok(families)
}

/// A column of texts of the feature set; `None` if it is not declared.
///
/// # Errors
/// If it is declared and not there.
pub(crate) fn declared_texts(
    feature_set: &FeatureSet,
    declaration: &Declaration,
    column: &str,
) -> Result<Option<Vec<Option<String>>>> {
    let texts = is_declared(declaration, column).then(|| feature_set.frame.texts(column));
    Ok(texts.transpose()?)
}

/// Whether a feature is declared.
fn is_declared(declaration: &Declaration, name: &str) -> bool {
    declaration.groups().iter().any(|group| group.features.iter().any(|feature| feature == name))
}

fn distance_band(km: Option<f32>) -> &'static str {
    match km {
        None => "unknown",
        Some(km) if km < 100.0 => "under 100 km",
        Some(km) if km < 500.0 => "100 to 500 km",
        Some(km) if km < 1000.0 => "500 to 1,000 km",
        Some(km) if km < 2000.0 => "1,000 to 2,000 km",
        Some(_) => "2,000 km and more",
    }
}
