//! Columns of floats to columns of bytes.
//!
//! A numeric column is cut at borders between its values: as many bins as distinct values if they
//! fit, otherwise bins of about equal numbers of rows, a value with more rows than that alone in
//! its bin. Bin `b` holds the values `x` with `borders[b - 1] < x <= borders[b]`, so a split after
//! bin `b` is exactly `x <= borders[b]`.
//!
//! A categorical column has a bin for each code, the most frequent first if they do not all fit;
//! then the rest share the last bin.
//!
//! Missing values have the bin [`MISSING_BIN`] in every column.

use rayon::prelude::*;

use crate::Columns;
use crate::numbers::{from_sort_key, sort_key};

/// The number of bins of any histogram.
pub(crate) const BINS: usize = 256;

/// The bin of missing values: above all others, which number 255 at most.
pub(crate) const MISSING_BIN: u8 = 255;

/// The training columns in bins.
pub(crate) struct Binned {
    /// Shapes: n_features, each n_rows.
    pub(crate) features: Vec<Feature>,
    pub(crate) n_rows: usize,
}

/// One column in bins.
pub(crate) struct Feature {
    /// The bin of each row.
    pub(crate) bins: Vec<u8>,
    /// What the bins mean.
    pub(crate) meaning: Meaning,
}

/// What the bins of a column mean.
pub(crate) enum Meaning {
    /// Ordered: the upper border of every bin but the last.
    Numeric { borders: Vec<f32> },
    /// Not ordered: the codes of every bin.
    Categorical { codes: Vec<Vec<u32>> },
}

impl Meaning {
    /// The number of bins, missing not counted.
    pub(crate) fn n_bins(&self) -> usize {
        match self {
            Self::Numeric { borders } => borders.len() + 1,
            Self::Categorical { codes } => codes.len(),
        }
    }
}

impl Feature {
    /// Whether any split could tell rows of this column apart.
    pub(crate) fn is_useful(&self) -> bool {
        let first = self.bins.first();
        self.bins.iter().any(|bin| Some(bin) != first)
    }
}

impl Binned {
    /// Bins checked columns, in parallel over columns.
    pub(crate) fn new(columns: &Columns<'_>, bins_max: usize) -> Self {
        let features = (columns.columns.par_iter().zip(columns.categorical))
            .map(|(values, &categorical)| {
                if categorical {
                    bin_codes(values, bins_max)
                } else {
                    bin_numbers(values, bins_max)
                }
            })
            .collect();
        Self { features, n_rows: columns.n_rows() }
    }
}

fn bin_numbers(values: &[f32], bins_max: usize) -> Feature {
    let borders = borders(values, bins_max);
    let bin = |value: f32| {
        if value.is_nan() {
            MISSING_BIN
        } else {
            borders.partition_point(|&border| border < value) as u8
        }
    };
    let bins = values.iter().map(|&value| bin(value)).collect();
    Feature { bins, meaning: Meaning::Numeric { borders } }
}

/// The borders between the bins of a column's values.
fn borders(values: &[f32], bins_max: usize) -> Vec<f32> {
    let mut keys: Vec<u32> =
        values.iter().filter(|value| !value.is_nan()).map(|&value| sort_key(value)).collect();
    keys.sort_unstable();
    let distinct = || keys.chunk_by(|a, b| a == b).map(|run| (from_sort_key(run[0]), run.len()));
    if distinct().take(bins_max + 1).count() <= bins_max {
        let distinct: Vec<f32> = distinct().map(|(value, _)| value).collect();
        return distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    }
    // Rows and bins that are left to share out; a bin is closed when it has its share, or before
    // a value that fills a bin alone.
    let (mut rows_left, mut bins_left) = (keys.len(), bins_max);
    let mut rows_here = 0;
    let mut last = None;
    let mut borders = Vec::with_capacity(bins_max - 1);
    for (value, rows) in distinct() {
        let share = rows_left.div_ceil(bins_left);
        if let Some(last) = last
            && bins_left > 1
            && rows_here > 0
            && (rows_here >= share || rows >= share)
        {
            borders.push(between(last, value));
            rows_left -= rows_here;
            bins_left -= 1;
            rows_here = 0;
        }
        rows_here += rows;
        last = Some(value);
    }
    borders
}

/// A float in the middle of two: at least the lower, below the upper.
fn between(lower: f32, upper: f32) -> f32 {
    let middle = (f64::from(lower) + (f64::from(upper) - f64::from(lower)) / 2.0) as f32;
    if lower <= middle && middle < upper { middle } else { lower }
}

fn bin_codes(values: &[f32], bins_max: usize) -> Feature {
    let mut rows_of_code: Vec<(usize, u32)> = Vec::new();
    for &value in values.iter().filter(|value| !value.is_nan()) {
        let code = value as usize;
        if rows_of_code.len() <= code {
            rows_of_code.extend((rows_of_code.len()..=code).map(|code| (0, code as u32)));
        }
        rows_of_code[code].0 += 1;
    }
    let n_codes = rows_of_code.len();
    rows_of_code.retain(|&(rows, _)| rows > 0);
    rows_of_code.sort_unstable_by_key(|&(rows, code)| (std::cmp::Reverse(rows), code));
    let mut codes: Vec<Vec<u32>> = Vec::new();
    let mut bin_of_code = vec![MISSING_BIN; n_codes];
    for (_, code) in rows_of_code {
        if codes.len() < bins_max {
            codes.push(Vec::new());
        }
        let bin = codes.len() - 1;
        codes[bin].push(code);
        bin_of_code[code as usize] = bin as u8;
    }
    let bin = |value: f32| if value.is_nan() { MISSING_BIN } else { bin_of_code[value as usize] };
    let bins = values.iter().map(|&value| bin(value)).collect();
    Feature { bins, meaning: Meaning::Categorical { codes } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let feature = bin_numbers(&[3.0, 1.0, f32::NAN, 1.0, -0.0, 0.0], 255);
        assert_eq!(feature.bins, [2, 1, MISSING_BIN, 1, 0, 0]);
        let Meaning::Numeric { borders } = feature.meaning else { panic!("numeric") };
        assert_eq!(borders, [0.5, 2.0]);
    }

    #[test]
    fn a_value_with_many_rows_is_alone_in_its_bin() {
        let values: Vec<f32> =
            (0..1000).map(|row| if row % 2 == 0 { 500.0 } else { row as f32 }).collect();
        let feature = bin_numbers(&values, 11);
        let bin = feature.bins[0];
        let rows = feature.bins.iter().filter(|&&b| b == bin).count();
        assert_eq!(rows, 500);
        assert_eq!(feature.meaning.n_bins(), 11);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let values: Vec<f32> = (0..10_000).map(|row| ((row * 7919) % 10_000) as f32).collect();
        let feature = bin_numbers(&values, 100);
        let mut rows = [0; 100];
        feature.bins.iter().for_each(|&bin| rows[bin as usize] += 1);
        assert_eq!(rows, [100; 100]);
    }

    #[test]
    fn the_border_of_neighbours_is_the_lower() {
        let next = f32::from_bits(1.0f32.to_bits() + 1);
        assert_eq!(between(1.0, next), 1.0);
        assert_eq!(between(f32::MIN, f32::MAX), 0.0);
    }

    #[test]
    fn rare_codes_share_the_last_bin() {
        let values = [5.0, 5.0, 5.0, 2.0, 2.0, 9.0, 0.0, f32::NAN];
        let feature = bin_codes(&values, 3);
        assert_eq!(feature.bins, [0, 0, 0, 1, 1, 2, 2, MISSING_BIN]);
        let Meaning::Categorical { codes } = feature.meaning else { panic!("categorical") };
        assert_eq!(codes, [vec![5], vec![2], vec![0, 9]]);
    }

    proptest! {
        #[test]
        fn a_border_routes_as_its_bin(
            values in prop::collection::vec(-1e3f32..1e3, 1..300),
            bins_max in 2usize..40,
        ) {
            let feature = bin_numbers(&values, bins_max);
            let Meaning::Numeric { borders } = &feature.meaning else { panic!("numeric") };
            prop_assert!(borders.len() < bins_max);
            for (bin, &border) in borders.iter().enumerate() {
                for (&value, &its_bin) in values.iter().zip(&feature.bins) {
                    prop_assert_eq!(value <= border, its_bin as usize <= bin);
                }
            }
        }
    }
}
