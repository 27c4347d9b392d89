//! Which features tell of the whole network rather than of a shipment: all shipments of a day have
//! nearly the same value.
//!
//! Trees recognise days and weeks by them. The shipments of a day share much of their fate, so a day
//! is easily learned by heart, and what was learned of it says little of days to come. Of a network
//! with one warehouse, its history is the network's, whatever the key is called; so values are looked
//! at, and not names.

use terms::{DAY_MICROS, Instant, Matrix};

/// Which features of the matrix differ between days by at least this share of their variance, the
/// calendar's aside. Shapes: one `ordered_at` a row; one answer a feature.
pub(crate) fn network_features(
    matrix: &Matrix,
    ordered_at: &[Instant],
    rows: &[usize],
    share_min: f64,
) -> Vec<bool> {
    let day = |row: usize| ordered_at[row].micros().div_euclid(DAY_MICROS);
    // Numbered without gaps: one order of another century is not a million days.
    let mut distinct: Vec<i64> = rows.iter().map(|&row| day(row)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let number = |&row: &usize| distinct.partition_point(|&known| known < day(row));
    let days: Vec<usize> = rows.iter().map(number).collect();
    let n_days = distinct.len();
    let features = matrix.features.0.iter().zip(&matrix.columns);
    features
        .map(|(feature, values)| {
            let is_calendar = feature.name.starts_with("ordered_");
            !feature.is_categorical()
                && !is_calendar
                && between_days(values, rows, &days, n_days) >= share_min
        })
        .collect()
}

/// Makes features missing, so that trees do not split on them.
pub(crate) fn hide(matrix: &mut Matrix, hidden: &[bool]) {
    for (values, _) in matrix.columns.iter_mut().zip(hidden).filter(|(_, hidden)| **hidden) {
        values.fill(f32::NAN);
    }
}

/// The share of the variance that is between days; 0 of a constant.
fn between_days(values: &[f32], rows: &[usize], days: &[usize], n_days: usize) -> f64 {
    let (mut sums, mut counts) = (vec![0.0; n_days], vec![0.0; n_days]);
    let known = || {
        let values = rows.iter().zip(days).map(|(&row, &day)| (f64::from(values[row]), day));
        values.filter(|(value, _)| value.is_finite())
    };
    for (value, day) in known() {
        sums[day] += value;
        counts[day] += 1.0;
    }
    let n: f64 = counts.iter().sum();
    let mean = sums.iter().sum::<f64>() / n;
    let (mut within, mut total) = (0.0, 0.0);
    for (value, day) in known() {
        within += (value - sums[day] / counts[day]).powi(2);
        total += (value - mean).powi(2);
    }
    if total > 0.0 { 1.0 - within / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use terms::{Feature, FeatureKind, FeatureList};

    use super::*;

    #[test]
    fn what_is_the_same_for_a_day_tells_of_the_network() {
        let n = 1000;
        let ordered_at: Vec<Instant> =
            (0..n).map(|row| Instant::from_micros(0).plus_days(row / 20)).collect();
        let column = |value: &dyn Fn(i64) -> f64| (0..n).map(|row| value(row) as f32).collect();
        let names = ["of_day", "of_shipment", "both", "constant", "ordered_weekday", "missing"];
        let feature = |name: &&str| Feature { name: (*name).into(), kind: FeatureKind::Numeric };
        let matrix = Matrix {
            features: FeatureList(names.iter().map(feature).collect()),
            columns: vec![
                column(&|row| (row / 20) as f64),
                column(&|row| (row * 7919 % 101) as f64),
                column(&|row| (row / 20 % 10 + row % 10) as f64),
                column(&|_| 5.0),
                column(&|row| (row / 20 % 7) as f64),
                column(&|_| f64::NAN),
            ],
        };
        let rows: Vec<usize> = (0..n as usize).collect();
        let found = |share| network_features(&matrix, &ordered_at, &rows, share);
        assert_eq!(found(0.7), [true, false, false, false, false, false]);
        assert_eq!(found(0.4), [true, false, true, false, false, false]);
    }
}
