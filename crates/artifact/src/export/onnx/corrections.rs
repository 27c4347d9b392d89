//! Calibration and recalibration of the quantiles, on the time scale of the first regressor.

use scorer::{Calibration, Factors, RecalibratedLevels};
use terms::{MEDIAN, N_LEVELS};

use super::graph::{Graph, Value};

/// The corrected quantiles, ascending. Shapes: N x `N_LEVELS`.
pub(super) fn calibrated(graph: &mut Graph, calibration: &Calibration, quantiles: &Value) -> Value {
    let median = graph.take_one(quantiles, MEDIAN, 1);
    let ends: Vec<f64> =
        calibration.segments.iter().filter_map(|s| s.upper_median).map(f64::from).collect();
    let mut rows: Vec<&Factors> = calibration.segments.iter().map(|s| &s.factors).collect();
    rows.push(&calibration.pooled);
    let table: Vec<f64> = rows.iter().flat_map(|row| row.iter().map(|&f| f.into())).collect();
    let factors = if ends.is_empty() {
        // One band, or only the pooled factors: in both cases the first row.
        graph.doubles(&[1, N_LEVELS], &table[..N_LEVELS])
    } else {
        // The first band that contains the median comes after all that end below it.
        let n = ends.len();
        let ends = graph.doubles(&[1, n], &ends);
        let is_beyond = graph.below(&ends, &median);
        let band = graph.count(&is_beyond, 1);
        let band = graph.cast_to_i64(&band);
        let table = graph.doubles(&[rows.len(), N_LEVELS], &table);
        graph.take(&table, &band, 0)
    };
    let corrected = graph.mul(quantiles, &factors);
    graph.sorted(&corrected, N_LEVELS)
}

/// The quantiles of the corrected levels, of a distribution that begins at 0. Shapes: N x `N_LEVELS`.
pub(super) fn recalibrated(
    graph: &mut Graph,
    levels: &RecalibratedLevels,
    quantiles: &Value,
) -> Value {
    let Some(places) = levels.places() else { return quantiles.clone() };
    let first = graph.take_one(quantiles, 0, 1);
    let zero = graph.number(0.0);
    let start = graph.min(&zero, &first);
    let with_start = graph.concat(&[&start, quantiles], 1);
    let before = graph.integers(&[N_LEVELS], &places.map(|(above, _)| above as i64));
    let above = graph.integers(&[N_LEVELS], &places.map(|(above, _)| above as i64 + 1));
    let (low, high) = (graph.take(&with_start, &before, 1), graph.take(&with_start, &above, 1));
    let shares = graph.doubles(&[1, N_LEVELS], &places.map(|(_, share)| share));
    let way = graph.sub(&high, &low);
    let way = graph.mul(&shares, &way);
    graph.add(&low, &way)
}
