//! The segments by which an evaluation is broken down: order month, region, carrier, category,
//! distance, and whether the origin is new.

use anyhow::Result;
use evaluate::SegmentFamily;
use features::{Category, Declaration, Fact, Quantity, Statistic};
use terms::column;

use crate::stages::features::FeatureSet;

/// An origin, a node or a seller, is new if fewer deliveries of it are known at order time …
const NEW_ORIGIN_DELIVERIES: f32 = 10.0;
/// … over so many days.
const NEW_ORIGIN_DAYS: u16 = 400;

/// The segments of some rows of the feature set.
///
/// # Errors
/// If the declaration has no count of the origin's deliveries, or the feature set lacks a column that
/// is declared.
pub(crate) fn segments(feature_set: &FeatureSet, rows: &[usize]) -> Result<Vec<SegmentFamily>> {
    let FeatureSet { declaration, frame, outcomes, .. } = feature_set;
    let mut families = Vec::new();
    let mut divide = |name: &str, segment: &dyn Fn(usize) -> String| {
        let values = rows.iter().map(|&row| segment(row)).collect();
        families.push(SegmentFamily { name: name.to_owned(), values });
    };
    let ordered_at = outcomes.ordered_at();
    divide("order month", &|row| ordered_at[row].day().date().format("%Y-%m").to_string());
    for (name, category) in [
        ("destination region", Category::DestinationRegion),
        ("carrier", Category::Carrier),
        ("item category", Category::ItemCategory),
    ] {
        let Some(texts) = declared_texts(feature_set, category)? else { continue };
        // A column without any value, of a shop that records no carriers say, divides nothing.
        if texts.iter().any(Option::is_some) {
            divide(name, &|row| texts[row].clone().unwrap_or_else(|| "unknown".to_owned()));
        }
    }
    if declaration.facts.contains(&Fact::DistanceKm) {
        let distances = frame.numbers(Fact::DistanceKm.into())?;
        divide("distance", &|row| distance_band(distances[row]).to_owned());
    }
    let deliveries = frame.numbers(&new_origin_column(declaration)?)?;
    let is_new = |row: usize| deliveries[row].unwrap_or(0.0) < NEW_ORIGIN_DELIVERIES;
    divide("origin", &|row| if is_new(row) { "new" } else { "known" }.to_owned());
    Ok(families)
}

/// The feature that says whether an origin is new.
///
/// # Errors
/// If it is not declared.
pub(crate) fn new_origin_column(declaration: &Declaration) -> Result<String, features::Error> {
    declaration.column_of(
        &[column::ORIGIN_NODE_ID],
        Quantity::DeliveryHours,
        Statistic::Count,
        Some(NEW_ORIGIN_DAYS),
    )
}

/// The texts of a category of the feature set; `None` if it is not declared.
///
/// # Errors
/// If it is declared and not there.
pub(crate) fn declared_texts(
    feature_set: &FeatureSet,
    category: Category,
) -> Result<Option<Vec<Option<String>>>> {
    let is_declared = feature_set.declaration.categories.contains(&category);
    let texts = is_declared.then(|| feature_set.frame.texts(category.into()));
    Ok(texts.transpose()?)
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
