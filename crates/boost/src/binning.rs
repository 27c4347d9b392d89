//! Binning: from columns of floats to columns of bytes.
//!
//! A numeric column is cut at borders between its values: as many bins as distinct values if they
//! fit, otherwise bins of about equal numbers of rows, where a value with more rows than that has a
//! bin of its own. Of many rows the borders are those of a sample. Bin `b` holds the values `x` with
//! `borders[b - 1] < x <= borders[b]`, so a split after bin `b` is exactly `x <= borders[b]`.
//!
//! A categorical column has a bin for each code. If they do not all fit, codes with similar outcomes
//! share a bin: they are sorted by their mean signal (see [`Target::signal`](crate::Target)), smoothed
//! towards the mean of the whole column so that rare codes are in the middle, and cut as numbers are.
//!
//! Missing values have the bin [`MISSING_BIN`] in every column.

use rayon::prelude::*;

use crate::fixed_point::order_free_mean;
use crate::float_order::{from_sort_key, sort_key};
use crate::{Columns, Params};

/// The number of bins of a histogram: 255 at most for values and one for missing values.
pub(crate) const BINS: usize = 256;

/// The bin of missing values, above all others.
pub(crate) const MISSING_BIN: u8 = 255;

/// Which values of a column are in which bin.
pub(crate) enum BinMapping {
    /// Ordered: the upper border of every bin but the last.
    Numeric { borders: Vec<f32> },
    /// Not ordered: the category codes of every bin.
    Categorical { codes: Vec<Vec<u32>> },
}

impl BinMapping {
    /// The number of bins without that of missing values.
    pub(crate) fn n_bins(&self) -> usize {
        match self {
            Self::Numeric { borders } => borders.len() + 1,
            Self::Categorical { codes } => codes.len(),
        }
    }
}

/// The binning of a column, prepared for looking values up.
pub(crate) struct Binning {
    pub(crate) mapping: BinMapping,
    /// The bin of every code up to the largest; empty for a numeric column.
    bin_of_code: Vec<u8>,
    /// The borders, padded with infinity so that a search always takes eight steps.
    padded_borders: Box<[f32; BINS]>,
    /// Whether two rows of the column have different bins, so that it can be split on.
    pub(crate) is_useful: bool,
}

impl Binning {
    /// The binnings of all checked columns. `signal` gives that of the rows to learn from, which are
    /// the first; it is called once, if codes must share bins.
    pub(crate) fn of_all(
        columns: &Columns<'_>,
        params: &Params,
        signal: impl FnOnce() -> Vec<f32>,
    ) -> Vec<Self> {
        let columns = columns.columns.par_iter().zip(columns.categorical);
        let codes: Vec<Option<Vec<Code>>> = (columns.clone())
            .map(|(values, categorical)| categorical.then(|| count_codes(values)))
            .collect();
        let share_bins = codes.iter().flatten().any(|codes| !has_bin_each(codes, params));
        let signal = if share_bins { signal() } else { Vec::new() };
        let columns = columns.zip(codes);
        columns.map(|((values, _), codes)| Self::new(values, codes, params, &signal)).collect()
    }

    /// The binning of one column: numeric, or categorical with these codes.
    fn new(values: &[f32], codes: Option<Vec<Code>>, params: &Params, signal: &[f32]) -> Self {
        let any_missing = values.iter().any(|value| value.is_nan());
        let all_missing = values.iter().all(|value| value.is_nan());
        let (mapping, bin_of_code) = match codes {
            Some(codes) => bin_codes(codes, values, params, signal),
            None => (
                BinMapping::Numeric { borders: borders(values, params.bins_max.into()) },
                Vec::new(),
            ),
        };
        let mut padded_borders = Box::new([f32::INFINITY; BINS]);
        if let BinMapping::Numeric { borders } = &mapping {
            padded_borders[..borders.len()].copy_from_slice(borders);
        }
        let is_useful = !all_missing && mapping.n_bins() + usize::from(any_missing) > 1;
        Self { mapping, bin_of_code, padded_borders, is_useful }
    }

    /// The bin of one of the column's values.
    pub(crate) fn bin(&self, value: f32) -> u8 {
        self.bins(&[value])[0]
    }

    /// The bins of several of the column's values.
    #[inline(always)]
    pub(crate) fn bins<const N: usize>(&self, values: &[f32; N]) -> [u8; N] {
        let bins = if self.bin_of_code.is_empty() {
            self.branchless_search(values)
        } else {
            values.map(|value| self.bin_of_code[value as usize])
        };
        let or_missing = |at: usize| if values[at].is_nan() { MISSING_BIN } else { bins[at] };
        std::array::from_fn(or_missing)
    }

    /// The number of borders below each value, by binary search in eight steps without a branch.
    #[inline(always)]
    fn branchless_search<const N: usize>(&self, values: &[f32; N]) -> [u8; N] {
        let mut below = [0u8; N];
        for half in [128, 64, 32, 16, 8, 4, 2, 1] {
            for (below, value) in below.iter_mut().zip(values) {
                let border = self.padded_borders[usize::from(*below + (half - 1))];
                *below += u8::from(border < *value) * half;
            }
        }
        below
    }
}

/// The number of rows up to which borders are computed from all of them; of more rows a sample at
/// regular distances is taken, of about this size.
const SAMPLE_ROWS: usize = 1 << 18;

/// The borders between the bins of a column's values.
fn borders(values: &[f32], bins_max: usize) -> Vec<f32> {
    let step = values.len().div_ceil(SAMPLE_ROWS).max(1);
    let mut keys = Vec::with_capacity(values.len() / step + 1);
    let sample = values.iter().step_by(step).filter(|value| !value.is_nan());
    keys.extend(sample.map(|&value| sort_key(value)));
    keys.sort_unstable();
    let runs = keys.chunk_by(|a, b| a == b);
    let values: Vec<(f32, usize)> = runs.map(|run| (from_sort_key(run[0]), run.len())).collect();
    let rows: Vec<usize> = values.iter().map(|&(_, rows)| rows).collect();
    let border = |start: usize| midpoint(values[start - 1].0, values[start].0);
    bin_starts(&rows, bins_max).into_iter().skip(1).map(border).collect()
}

/// The positions at which bins start in a sorted list of values, given the number of rows of each
/// value: every value has a bin if they fit, otherwise bins have about equal numbers of rows.
fn bin_starts(rows: &[usize], bins_max: usize) -> Vec<usize> {
    if rows.len() <= bins_max {
        return (0..rows.len()).collect();
    }
    // A bin is closed when it has its share of the rows left, or before a value that fills a bin
    // alone.
    let (mut rows_left, mut bins_left) = (rows.iter().sum::<usize>(), bins_max);
    let mut share = rows_left.div_ceil(bins_left);
    let mut rows_here = 0;
    let mut starts = vec![0];
    for (position, &rows) in rows.iter().enumerate() {
        if bins_left > 1 && rows_here > 0 && (rows_here >= share || rows >= share) {
            starts.push(position);
            rows_left -= rows_here;
            bins_left -= 1;
            share = rows_left.div_ceil(bins_left);
            rows_here = 0;
        }
        rows_here += rows;
    }
    starts
}

/// A float about halfway between two: at least the lower, below the upper.
fn midpoint(lower: f32, upper: f32) -> f32 {
    let middle = (f64::from(lower) + (f64::from(upper) - f64::from(lower)) / 2.0) as f32;
    if lower <= middle && middle < upper { middle } else { lower }
}

/// A category code, its rows and their signals.
#[derive(Clone, Copy, Default)]
struct Code {
    code: u32,
    rows: usize,
    /// The number of rows to learn from, and the sum of their signals.
    n_signals: usize,
    signals: f64,
}

/// Every code up to the largest of a column, with its number of rows.
fn count_codes(values: &[f32]) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    for &value in values.iter().filter(|value| !value.is_nan()) {
        let code = value as usize;
        if codes.len() <= code {
            codes.resize(code + 1, Code::default());
        }
        codes[code].rows += 1;
    }
    codes.iter_mut().zip(0..).for_each(|(counted, code)| counted.code = code);
    codes
}

/// Whether there are no more codes than bins.
fn has_bin_each(codes: &[Code], params: &Params) -> bool {
    codes.iter().filter(|code| code.rows > 0).count() <= params.bins_max.into()
}

/// The codes of each bin, and the bin of each code.
fn bin_codes(
    mut codes: Vec<Code>,
    values: &[f32],
    params: &Params,
    signal: &[f32],
) -> (BinMapping, Vec<u8>) {
    let n_codes = codes.len();
    if !has_bin_each(&codes, params) {
        for (&value, &signal) in values.iter().zip(signal).filter(|(value, _)| !value.is_nan()) {
            let code = &mut codes[value as usize];
            code.n_signals += 1;
            code.signals += f64::from(signal);
        }
        let (mean, smoothing) = (order_free_mean(signal), params.category_smoothing);
        let smoothed = |code: &Code| {
            let weight = code.n_signals as f64 + smoothing;
            if weight > 0.0 { (code.signals + mean * smoothing) / weight } else { mean }
        };
        codes.sort_by(|a, b| smoothed(a).total_cmp(&smoothed(b)).then(a.code.cmp(&b.code)));
    }
    codes.retain(|code| code.rows > 0);
    let rows: Vec<usize> = codes.iter().map(|code| code.rows).collect();
    let mut starts = bin_starts(&rows, params.bins_max.into());
    starts.push(codes.len());
    let mut bin_of_code = vec![MISSING_BIN; n_codes];
    let bins = starts.windows(2).enumerate().map(|(bin, ends)| {
        let mut codes: Vec<u32> = codes[ends[0]..ends[1]].iter().map(|code| code.code).collect();
        codes.iter().for_each(|&code| bin_of_code[code as usize] = bin as u8);
        codes.sort_unstable();
        codes
    });
    (BinMapping::Categorical { codes: bins.collect() }, bin_of_code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGNAL: [f32; 7] = [9.0, 9.0, 9.0, 1.0, 2.0, 8.0, 2.0];

    fn binning(values: &[f32], categorical: bool, params: &Params) -> Binning {
        let (columns, categorical) = ([values.to_vec()], [categorical]);
        let columns = Columns::new(&columns, &categorical);
        Binning::of_all(&columns, params, || SIGNAL.to_vec()).remove(0)
    }

    /// The bins of a column, and their mapping.
    fn binned(values: &[f32], categorical: bool, bins_max: usize) -> (Vec<u8>, BinMapping) {
        let params = Params { bins_max: bins_max as u16, ..Params::default() };
        let binning = binning(values, categorical, &params);
        (values.iter().map(|&value| binning.bin(value)).collect(), binning.mapping)
    }

    #[test]
    fn a_column_of_one_value_is_useless_unless_some_are_missing() {
        let useful = |values: &[f32]| binning(values, false, &Params::default()).is_useful;
        let nan = f32::NAN;
        assert!(!useful(&[1.0, 1.0]) && !useful(&[nan, nan]));
        assert!(useful(&[1.0, nan]) && useful(&[1.0, 2.0]));
    }

    #[test]
    fn few_values_have_a_bin_each() {
        let (bins, mapping) = binned(&[3.0, 1.0, f32::NAN, 1.0, -0.0, 0.0], false, 255);
        assert_eq!(bins, [2, 1, MISSING_BIN, 1, 0, 0]);
        let BinMapping::Numeric { borders } = mapping else { panic!("numeric") };
        assert_eq!(borders, [0.5, 2.0]);
    }

    #[test]
    fn a_value_with_many_rows_is_alone_in_its_bin() {
        let values: Vec<f32> =
            (0..1000).map(|row| if row % 2 == 0 { 500.0 } else { row as f32 }).collect();
        let (bins, mapping) = binned(&values, false, 11);
        let rows = bins.iter().filter(|&&bin| bin == bins[0]).count();
        assert_eq!(rows, 500);
        assert_eq!(mapping.n_bins(), 11);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let values: Vec<f32> = (0..10_000).map(|row| ((row * 7919) % 10_000) as f32).collect();
        let (bins, _) = binned(&values, false, 100);
        let mut rows = [0; 100];
        bins.iter().for_each(|&bin| rows[bin as usize] += 1);
        assert_eq!(rows, [100; 100]);
    }

    #[test]
    fn the_border_of_neighbours_is_the_lower() {
        let next = f32::from_bits(1.0f32.to_bits() + 1);
        assert_eq!(midpoint(1.0, next), 1.0);
        assert_eq!(midpoint(f32::MIN, f32::MAX), 0.0);
    }

    #[test]
    fn codes_have_a_bin_each_or_share_one_with_similar_codes() {
        let values = [5.0, 5.0, 5.0, 2.0, 2.0, 9.0, 0.0, f32::NAN];
        let codes = |bins_max| {
            let (bins, mapping) = binned(&values, true, bins_max);
            let BinMapping::Categorical { codes } = mapping else { panic!("categorical") };
            (bins, codes)
        };
        let (bins, all) = codes(4);
        assert_eq!(bins, [2, 2, 2, 1, 1, 3, 0, MISSING_BIN]);
        assert_eq!(all, [[0], [2], [5], [9]]);
        // The signals of 2 and 0 are low, those of 9 and 5 high.
        let (bins, shared) = codes(3);
        assert_eq!(bins, [2, 2, 2, 0, 0, 1, 0, MISSING_BIN]);
        assert_eq!(shared, [vec![0, 2], vec![9], vec![5]]);
    }

    proptest! {
        #[test]
        fn a_border_routes_values_as_its_bin_does(
            values in prop::collection::vec(-1e3f32..1e3, 1..300),
            bins_max in 2usize..40,
        ) {
            let (bins, mapping) = binned(&values, false, bins_max);
            let BinMapping::Numeric { borders } = &mapping else { panic!("numeric") };
            prop_assert!(borders.len() < bins_max);
            for (bin, &border) in borders.iter().enumerate() {
                for (&value, &its_bin) in values.iter().zip(&bins) {
                    prop_assert_eq!(value <= border, its_bin as usize <= bin);
                }
            }
        }
    }
}
