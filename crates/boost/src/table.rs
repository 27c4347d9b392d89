//! The training columns in bins, side by side.
//!
//! A histogram scan reads, for each row, the bins of many columns; so the bins of a row are
//! neighbours, and rows lie on cache lines so that few lines hold one: rows of a leaf are read from
//! all over the table, and what they wait for is lines.
//!
//! Columns are taken in blocks of at most 20, whose histograms (2 KiB each) stay in a first-level
//! cache of 48 KiB. The number of blocks is even, so that two threads share alike. Columns that tell
//! no rows apart are left out; blocks are filled up with lanes of zeros to the next of [`WIDTHS`],
//! which the scans are compiled for.
//!
//! Parting the rows of a leaf reads one column only, which is kept by itself too: a byte a row,
//! close together.

use rayon::prelude::*;

use crate::binning::{Binning, Meaning};
use crate::checkpoint::Digest;
use crate::prefetch::prefetch;
use crate::{Columns, Params};

/// The widths that blocks have.
pub(crate) const WIDTHS: [usize; 5] = [4, 8, 12, 16, 20];

/// Rows of a task: enough to be worth it, few enough that their block stays in the cache.
const CHUNK_ROWS: usize = 4096;

/// Values that are binned together, so that their searches overlap.
const GROUP: usize = 16;

/// The columns of a training set that can be split on, in bins.
pub(crate) struct Table {
    pub(crate) n_rows: usize,
    /// Columns of a block: one of [`WIDTHS`].
    pub(crate) width: usize,
    /// By row, all lanes.
    pub(crate) rows: RowBins,
    /// By lane: the bin of each row; nothing where a block is filled up.
    columns: Vec<Vec<u8>>,
    /// By lane, that is by block and then by place in it; none where a block is filled up.
    pub(crate) lanes: Vec<Option<Lane>>,
}

/// One column of the table.
pub(crate) struct Lane {
    /// Its position among the training columns.
    pub(crate) feature: usize,
    pub(crate) meaning: Meaning,
}

impl Table {
    /// Bins checked columns. `signal` is that of the rows to learn from, the first ones.
    pub(crate) fn new(
        columns: &Columns<'_>,
        params: &Params,
        signal: impl FnOnce() -> Vec<f32>,
    ) -> Self {
        let n_rows = columns.n_rows();
        let binnings = Binning::of_all(columns, params, signal).into_iter().enumerate();
        let binnings: Vec<(usize, Binning)> =
            binnings.filter(|(_, binning)| binning.is_useful).collect();
        let (n_blocks, width) = shape(binnings.len());
        let mut lanes: Vec<Option<(usize, Binning)>> =
            (0..n_blocks * width).map(|_| None).collect();
        // Dealt out in turn, so that neighbours, which often cost alike, share blocks out evenly.
        for (place, binning) in binnings.into_iter().enumerate() {
            lanes[place % n_blocks * width + place / n_blocks] = Some(binning);
        }
        let columns: Vec<Vec<u8>> = (lanes.par_iter())
            .map(|lane| match lane {
                Some((feature, binning)) => bins(binning, &columns.columns[*feature]),
                None => Vec::new(),
            })
            .collect();
        let rows = RowBins::new(&columns, n_rows);
        let lane =
            |(feature, binning): (usize, Binning)| Lane { feature, meaning: binning.meaning };
        let lanes = lanes.into_iter().map(|binning| binning.map(lane)).collect();
        Self { n_rows, width, rows, columns, lanes }
    }

    /// The bins of a lane. Shapes: n_rows.
    pub(crate) fn lane(&self, lane: usize) -> &[u8] {
        &self.columns[lane]
    }

    /// A digest of a row's bins.
    pub(crate) fn row_digest(&self, row: usize) -> u64 {
        let mut digest = Digest(0);
        let bins = self.rows.starting_at(0).row(row);
        bins[..self.lanes.len()].iter().for_each(|&bin| digest.word(bin.into()));
        digest.0
    }

    /// The lanes that hold a column, in the order of the columns.
    pub(crate) fn used_lanes(&self) -> Vec<usize> {
        let mut used: Vec<(usize, usize)> = (self.lanes.iter().enumerate())
            .filter_map(|(lane, column)| column.as_ref().map(|column| (column.feature, lane)))
            .collect();
        used.sort_unstable();
        used.into_iter().map(|(_, lane)| lane).collect()
    }
}

/// The number and the width of the blocks for so many columns.
pub(crate) fn shape(n_columns: usize) -> (usize, usize) {
    let widest = WIDTHS[WIDTHS.len() - 1];
    let n_blocks = n_columns.div_ceil(widest).next_multiple_of(2);
    let n_blocks = if n_columns <= WIDTHS[0] { n_columns.min(1) } else { n_blocks };
    let needed = n_columns.div_ceil(n_blocks.max(1));
    (n_blocks, WIDTHS.into_iter().find(|&width| needed <= width).unwrap_or(widest))
}

/// The bins of a column's values.
fn bins(binning: &Binning, values: &[f32]) -> Vec<u8> {
    let mut bins = Vec::with_capacity(values.len());
    let (groups, rest) = values.as_chunks::<GROUP>();
    groups.iter().for_each(|group| bins.extend(binning.bins(group)));
    bins.extend(rest.iter().map(|&value| binning.bin(value)));
    bins
}

/// Bytes that memory is read in.
const CACHE_LINE: usize = 64;

/// The bins of each row, side by side.
pub(crate) struct RowBins {
    bins: Vec<u8>,
    /// Where the first row begins, and a cache line.
    start: usize,
    stride: usize,
}

impl RowBins {
    /// Shapes: n_lanes, each n_rows or nothing.
    pub(crate) fn new(lanes: &[Vec<u8>], n_rows: usize) -> Self {
        let stride = row_stride(lanes.len());
        let mut bins = vec![0; n_rows * stride + CACHE_LINE - 1];
        let start = bins.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE - 1);
        let rows = bins[start..][..n_rows * stride].par_chunks_mut(CHUNK_ROWS * stride);
        rows.enumerate().for_each(|(chunk, rows)| {
            for (place, lane) in lanes.iter().enumerate().filter(|(_, lane)| !lane.is_empty()) {
                let lane = &lane[chunk * CHUNK_ROWS..];
                rows.chunks_exact_mut(stride).zip(lane).for_each(|(row, &bin)| row[place] = bin);
            }
        });
        Self { bins, start, stride }
    }

    /// The bins of each row from a lane on.
    pub(crate) fn starting_at(&self, lane: usize) -> LaneBins<'_> {
        LaneBins { bins: &self.bins[self.start + lane..], stride: self.stride }
    }
}

/// The bins of each row from some lane on.
#[derive(Clone, Copy)]
pub(crate) struct LaneBins<'a> {
    bins: &'a [u8],
    stride: usize,
}

impl<'a> LaneBins<'a> {
    /// The bins of a row, and of those after it.
    #[inline(always)]
    pub(crate) fn row(self, row: usize) -> &'a [u8] {
        &self.bins[row * self.stride..]
    }

    /// Asks for the cache lines in which the first `N` bins of a row begin and end.
    #[inline(always)]
    pub(crate) fn prefetch<const N: usize>(self, row: usize) {
        let first = row * self.stride;
        prefetch(self.bins, first);
        prefetch(self.bins, first + N - 1);
    }
}

/// Bytes from one row to the next: rows of up to a cache line are parts of one.
pub(crate) fn row_stride(n_lanes: usize) -> usize {
    if n_lanes <= CACHE_LINE {
        n_lanes.next_power_of_two()
    } else {
        n_lanes.next_multiple_of(CACHE_LINE / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binning::MISSING_BIN;

    #[test]
    fn blocks_are_even_in_number_and_wide_enough() {
        assert_eq!(shape(0), (0, 4));
        assert_eq!([shape(1), shape(4), shape(5)], [(1, 4), (1, 4), (2, 4)]);
        assert_eq!([shape(40), shape(41), shape(80)], [(2, 20), (4, 12), (4, 20)]);
    }

    #[test]
    fn a_row_of_few_lanes_lies_on_one_cache_line() {
        for n_lanes in [4, 8, 24, 40, 64] {
            let rows = RowBins::new(&vec![vec![1]; n_lanes], 1);
            let line = |byte: *const u8| byte.addr() / CACHE_LINE;
            let row = rows.starting_at(0).row(0).as_ptr_range();
            assert!(CACHE_LINE.is_multiple_of(row_stride(n_lanes)));
            assert_eq!(row.start.addr() % CACHE_LINE, 0);
            assert_eq!(line(row.start), line(row.start.wrapping_add(n_lanes - 1)));
        }
        assert_eq!([row_stride(40), row_stride(80), row_stride(96)], [64, 96, 96]);
    }

    #[test]
    fn every_useful_column_has_its_bins_in_its_lane() {
        let n_rows = CHUNK_ROWS + 3;
        let column = |step: usize| -> Vec<f32> {
            (0..n_rows).map(|row| (row * step % 251) as f32).collect()
        };
        let mut columns: Vec<Vec<f32>> = (1..24).map(column).collect();
        columns[7] = vec![3.0; n_rows];
        columns[9][11] = f32::NAN;
        let categorical: Vec<bool> = (0..23).map(|feature| feature % 5 == 0).collect();
        let params = Params { bins_max: 64, ..Params::default() };
        let signal = || columns[0].clone();
        let columns = Columns::new(&columns, &categorical);
        let table = Table::new(&columns, &params, signal);
        let used = table.used_lanes();
        let features: Vec<usize> =
            used.iter().map(|&lane| table.lanes[lane].as_ref().unwrap().feature).collect();
        assert_eq!(features, (0..23).filter(|&feature| feature != 7).collect::<Vec<_>>());
        let binnings = Binning::of_all(&columns, &params, signal);
        for (lane, feature) in used.into_iter().zip(features) {
            let binning = &binnings[feature];
            for (row, &value) in columns.columns[feature].iter().enumerate() {
                let bin = binning.bin(value);
                assert_eq!(table.lane(lane)[row], bin);
                assert_eq!(table.rows.starting_at(lane).row(row)[0], bin);
            }
        }
        assert_eq!(table.lane(table.used_lanes()[8])[11], MISSING_BIN);
    }
}
