//! Columns of floats to columns of bytes.
//!
//! A numeric column is cut at borders between its values: as many bins as distinct values if they
//! fit, otherwise bins of about equal numbers of rows, a value with more rows than that alone in
//! its bin. Of many rows the borders are those of a sample. Bin `b` holds the values `x` with
//! `borders[b - 1] < x <= borders[b]`, so a split after bin `b` is exactly `x <= borders[b]`.
//!
//! A categorical column has a bin for each code. If they do not all fit, codes share bins with those
//! whose rows have about the same outcomes: codes are put in the order of their mean signal (what
//! [`Target::signal`](crate::Target) makes of an outcome), mixed with some rows of the whole
//! column's mean so that rare codes lie in the middle, and cut like numbers.
//!
//! Missing values have the bin [`MISSING_BIN`] in every column.

use rayon::prelude::*;

use crate::numbers::{from_sort_key, order_free_mean, sort_key};
use crate::{Columns, Params};

/// The number of bins of any histogram.
pub(crate) const BINS: usize = 256;

/// The bin of missing values: above all others, which number 255 at most.
pub(crate) const MISSING_BIN: u8 = 255;

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

/// How the values of a column become bins.
pub(crate) struct Binning {
    pub(crate) meaning: Meaning,
    /// The bin of every code up to the largest; empty for numbers.
    bin_of_code: Vec<u8>,
    /// The borders, filled up with infinity.
    ladder: Box<[f32; BINS]>,
    /// Whether the column's bins tell any of its rows apart.
    pub(crate) is_useful: bool,
}

impl Binning {
    /// Reads all checked columns. `signal` is that of the rows to learn from, the first ones: asked
    /// for once, if codes must share bins.
    pub(crate) fn of_all(
        columns: &Columns<'_>,
        params: &Params,
        signal: impl FnOnce() -> Vec<f32>,
    ) -> Vec<Self> {
        let columns = columns.columns.par_iter().zip(columns.categorical);
        let codes: Vec<Option<Vec<Code>>> = (columns.clone())
            .map(|(values, categorical)| categorical.then(|| count(values)))
            .collect();
        let share_bins = codes.iter().flatten().any(|codes| !has_bin_each(codes, params));
        let signal = if share_bins { signal() } else { Vec::new() };
        let columns = columns.zip(codes);
        columns.map(|((values, _), codes)| Self::new(values, codes, params, &signal)).collect()
    }

    /// Reads one column: numbers, or categories of these codes.
    fn new(values: &[f32], codes: Option<Vec<Code>>, params: &Params, signal: &[f32]) -> Self {
        let any_missing = values.iter().any(|value| value.is_nan());
        let all_missing = values.iter().all(|value| value.is_nan());
        let (meaning, bin_of_code) = match codes {
            Some(codes) => share_out(codes, values, params, signal),
            None => {
                (Meaning::Numeric { borders: borders(values, params.bins_max.into()) }, Vec::new())
            }
        };
        let mut ladder = Box::new([f32::INFINITY; BINS]);
        if let Meaning::Numeric { borders } = &meaning {
            ladder[..borders.len()].copy_from_slice(borders);
        }
        let is_useful = !all_missing && meaning.n_bins() + usize::from(any_missing) > 1;
        Self { meaning, bin_of_code, ladder, is_useful }
    }

    /// The bin of a value that the column had.
    pub(crate) fn bin(&self, value: f32) -> u8 {
        self.bins(&[value])[0]
    }

    /// The bins of some values that the column had.
    #[inline(always)]
    pub(crate) fn bins<const N: usize>(&self, values: &[f32; N]) -> [u8; N] {
        let bins = if self.bin_of_code.is_empty() {
            self.climb(values)
        } else {
            values.map(|value| self.bin_of_code[value as usize])
        };
        let or_missing = |at: usize| if values[at].is_nan() { MISSING_BIN } else { bins[at] };
        std::array::from_fn(or_missing)
    }

    /// The number of borders below each value, in eight steps without a branch.
    #[inline(always)]
    fn climb<const N: usize>(&self, values: &[f32; N]) -> [u8; N] {
        let mut below = [0u8; N];
        for half in [128, 64, 32, 16, 8, 4, 2, 1] {
            for (below, value) in below.iter_mut().zip(values) {
                let rung = self.ladder[usize::from(*below + (half - 1))];
                *below += u8::from(rung < *value) * half;
            }
        }
        below
    }
}

/// Rows of a column that its borders are read from, at regular distances; all of them up to there.
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
    let border = |start: usize| between(values[start - 1].0, values[start].0);
    starts(&rows, bins_max).into_iter().skip(1).map(border).collect()
}

/// Where bins start in a list of values in order, of which each has so many rows: every value has
/// a bin if they fit, otherwise bins have about equal numbers of rows.
fn starts(rows: &[usize], bins_max: usize) -> Vec<usize> {
    if rows.len() <= bins_max {
        return (0..rows.len()).collect();
    }
    // Rows and bins that are left to share out; a bin is closed when it has its share, or before
    // a value that fills a bin alone.
    let (mut rows_left, mut bins_left) = (rows.iter().sum::<usize>(), bins_max);
    let mut share = rows_left.div_ceil(bins_left);
    let mut rows_here = 0;
    let mut starts = vec![0];
    for (place, &rows) in rows.iter().enumerate() {
        if bins_left > 1 && rows_here > 0 && (rows_here >= share || rows >= share) {
            starts.push(place);
            rows_left -= rows_here;
            bins_left -= 1;
            share = rows_left.div_ceil(bins_left);
            rows_here = 0;
        }
        rows_here += rows;
    }
    starts
}

/// A float in the middle of two: at least the lower, below the upper.
fn between(lower: f32, upper: f32) -> f32 {
    let middle = (f64::from(lower) + (f64::from(upper) - f64::from(lower)) / 2.0) as f32;
    if lower <= middle && middle < upper { middle } else { lower }
}

/// What is known of a category code.
#[derive(Clone, Copy, Default)]
struct Code {
    code: u32,
    rows: usize,
    /// Rows to learn from, and the sum of their signals.
    n_signals: usize,
    signals: f64,
}

/// Every code up to the largest of a column, and how many rows it has.
fn count(values: &[f32]) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    for &value in values.iter().filter(|value| !value.is_nan()) {
        let code = value as usize;
        if codes.len() <= code {
            codes.resize(code + 1, Code::default());
        }
        codes[code].rows += 1;
    }
    codes.iter_mut().zip(0..).for_each(|(known, code)| known.code = code);
    codes
}

/// Whether there are no more codes than bins.
fn has_bin_each(codes: &[Code], params: &Params) -> bool {
    codes.iter().filter(|code| code.rows > 0).count() <= params.bins_max.into()
}

/// The codes of each bin, and the bin of each code.
fn share_out(
    mut found: Vec<Code>,
    values: &[f32],
    params: &Params,
    signal: &[f32],
) -> (Meaning, Vec<u8>) {
    let n_codes = found.len();
    if !has_bin_each(&found, params) {
        for (&value, &signal) in values.iter().zip(signal).filter(|(value, _)| !value.is_nan()) {
            let code = &mut found[value as usize];
            code.n_signals += 1;
            code.signals += f64::from(signal);
        }
        let (mean, smoothing) = (order_free_mean(signal), params.category_smoothing);
        let mixed = |code: &Code| {
            let weight = code.n_signals as f64 + smoothing;
            if weight > 0.0 { (code.signals + mean * smoothing) / weight } else { mean }
        };
        found.sort_by(|a, b| mixed(a).total_cmp(&mixed(b)).then(a.code.cmp(&b.code)));
    }
    found.retain(|code| code.rows > 0);
    let rows: Vec<usize> = found.iter().map(|code| code.rows).collect();
    let mut starts = starts(&rows, params.bins_max.into());
    starts.push(found.len());
    let mut bin_of_code = vec![MISSING_BIN; n_codes];
    let codes = starts.windows(2).enumerate().map(|(bin, ends)| {
        let mut codes: Vec<u32> = found[ends[0]..ends[1]].iter().map(|code| code.code).collect();
        codes.iter().for_each(|&code| bin_of_code[code as usize] = bin as u8);
        codes.sort_unstable();
        codes
    });
    (Meaning::Categorical { codes: codes.collect() }, bin_of_code)
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

    /// The bins of a column, and what they mean.
    fn binned(values: &[f32], categorical: bool, bins_max: usize) -> (Vec<u8>, Meaning) {
        let params = Params { bins_max: bins_max as u16, ..Params::default() };
        let binning = binning(values, categorical, &params);
        (values.iter().map(|&value| binning.bin(value)).collect(), binning.meaning)
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
        let (bins, meaning) = binned(&[3.0, 1.0, f32::NAN, 1.0, -0.0, 0.0], false, 255);
        assert_eq!(bins, [2, 1, MISSING_BIN, 1, 0, 0]);
        let Meaning::Numeric { borders } = meaning else { panic!("numeric") };
        assert_eq!(borders, [0.5, 2.0]);
    }

    #[test]
    fn a_value_with_many_rows_is_alone_in_its_bin() {
        let values: Vec<f32> =
            (0..1000).map(|row| if row % 2 == 0 { 500.0 } else { row as f32 }).collect();
        let (bins, meaning) = binned(&values, false, 11);
        let rows = bins.iter().filter(|&&bin| bin == bins[0]).count();
        assert_eq!(rows, 500);
        assert_eq!(meaning.n_bins(), 11);
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
        assert_eq!(between(1.0, next), 1.0);
        assert_eq!(between(f32::MIN, f32::MAX), 0.0);
    }

    #[test]
    fn codes_have_a_bin_each_or_share_one_with_their_like() {
        let values = [5.0, 5.0, 5.0, 2.0, 2.0, 9.0, 0.0, f32::NAN];
        let codes = |bins_max| {
            let (bins, meaning) = binned(&values, true, bins_max);
            let Meaning::Categorical { codes } = meaning else { panic!("categorical") };
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
        fn a_border_routes_as_its_bin(
            values in prop::collection::vec(-1e3f32..1e3, 1..300),
            bins_max in 2usize..40,
        ) {
            let (bins, meaning) = binned(&values, false, bins_max);
            let Meaning::Numeric { borders } = &meaning else { panic!("numeric") };
            prop_assert!(borders.len() < bins_max);
            for (bin, &border) in borders.iter().enumerate() {
                for (&value, &its_bin) in values.iter().zip(&bins) {
                    prop_assert_eq!(value <= border, its_bin as usize <= bin);
                }
            }
        }
    }
}
