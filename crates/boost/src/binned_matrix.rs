//! The binned matrix: the bins of all columns that can be split on, by row and by column.
//!
//! Building a histogram reads, for each row, the bins of many columns; so the bins of a row are
//! stored next to each other, and rows are aligned to cache lines so that few lines hold one: the
//! rows of a leaf are read from all over the matrix, and cache lines are what such reads wait for.
//!
//! Columns are grouped in blocks of at most 20, whose histograms (2 KiB each) fit a first-level
//! cache of 48 KiB. The number of blocks is even, so that two threads have equal shares. Columns
//! whose rows all have the same bin are left out; blocks are filled up with empty slots of zeros to
//! the next of [`WIDTHS`], for which the histogram code is compiled.
//!
//! Partitioning the rows of a leaf reads a single column, so each column is also stored by itself.

use rayon::prelude::*;

use crate::binning::{BinMapping, Binning};
use crate::digest::Digest;
use crate::prefetch::prefetch;
use crate::{Columns, Params};

/// The widths that blocks may have, in slots.
pub(crate) const WIDTHS: [usize; 5] = [4, 8, 12, 16, 20];

/// Rows of a task: enough that starting it costs little, few enough that they stay in the cache.
const CHUNK_ROWS: usize = 4096;

/// Values that are binned together, so that the processor overlaps their searches.
const GROUP: usize = 16;

/// The bins of all columns of a training set that can be split on.
pub(crate) struct BinnedMatrix {
    pub(crate) n_rows: usize,
    /// Slots of a block: one of [`WIDTHS`].
    pub(crate) width: usize,
    /// The bins by row, all slots next to each other.
    pub(crate) rows: RowBins,
    /// The bins by slot. Shapes: n_slots, each n_rows or, for an empty slot, nothing.
    columns: Vec<Vec<u8>>,
    /// The columns by slot, block after block; none for an empty slot.
    pub(crate) slots: Vec<Option<ColumnSlot>>,
}

/// The column in a slot of the matrix.
pub(crate) struct ColumnSlot {
    /// Position among the training columns.
    pub(crate) feature: usize,
    pub(crate) mapping: BinMapping,
}

impl BinnedMatrix {
    /// Bins checked columns. `signal` gives that of the rows to learn from, which are the first.
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
        let mut slots: Vec<Option<(usize, Binning)>> =
            (0..n_blocks * width).map(|_| None).collect();
        // Assigned to blocks in turn, since neighbouring columns often cost equally much.
        for (position, binning) in binnings.into_iter().enumerate() {
            slots[position % n_blocks * width + position / n_blocks] = Some(binning);
        }
        let columns: Vec<Vec<u8>> = (slots.par_iter())
            .map(|slot| match slot {
                Some((feature, binning)) => bins(binning, &columns.columns[*feature]),
                None => Vec::new(),
            })
            .collect();
        let rows = RowBins::new(&columns, n_rows);
        let slot =
            |(feature, binning): (usize, Binning)| ColumnSlot { feature, mapping: binning.mapping };
        let slots = slots.into_iter().map(|binning| binning.map(slot)).collect();
        Self { n_rows, width, rows, columns, slots }
    }

    /// The bins of the column in a slot. Shapes: n_rows.
    pub(crate) fn slot(&self, slot: usize) -> &[u8] {
        &self.columns[slot]
    }

    /// A digest of a row's bins.
    pub(crate) fn row_digest(&self, row: usize) -> u64 {
        let mut digest = Digest(0);
        let bins = self.rows.starting_at(0).row(row);
        bins[..self.slots.len()].iter().for_each(|&bin| digest.word(bin.into()));
        digest.0
    }

    /// The slots that are not empty, in the order of their columns.
    pub(crate) fn used_slots(&self) -> Vec<usize> {
        let mut used: Vec<(usize, usize)> = (self.slots.iter().enumerate())
            .filter_map(|(slot, column)| column.as_ref().map(|column| (column.feature, slot)))
            .collect();
        used.sort_unstable();
        used.into_iter().map(|(_, slot)| slot).collect()
    }
}

/// The number and the width of the blocks for `n_columns` columns.
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

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// The bins of each row next to each other, rows aligned to cache lines.
pub(crate) struct RowBins {
    bins: Vec<u8>,
    /// The position in `bins` of the first row, at which a cache line begins.
    start: usize,
    /// Bytes from one row to the next.
    stride: usize,
}

impl RowBins {
    /// From the bins by slot. Shapes: n_slots, each n_rows or nothing.
    pub(crate) fn new(slots: &[Vec<u8>], n_rows: usize) -> Self {
        let stride = row_stride(slots.len());
        let mut bins = vec![0; n_rows * stride + CACHE_LINE - 1];
        let start = bins.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE - 1);
        let rows = bins[start..][..n_rows * stride].par_chunks_mut(CHUNK_ROWS * stride);
        rows.enumerate().for_each(|(chunk, rows)| {
            for (at, slot) in slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty()) {
                let slot = &slot[chunk * CHUNK_ROWS..];
                rows.chunks_exact_mut(stride).zip(slot).for_each(|(row, &bin)| row[at] = bin);
            }
        });
        Self { bins, start, stride }
    }

    /// The bins of each row from slot `slot` on.
    pub(crate) fn starting_at(&self, slot: usize) -> SlotBins<'_> {
        SlotBins { bins: &self.bins[self.start + slot..], stride: self.stride }
    }
}

/// The bins of each row from a certain slot on.
#[derive(Clone, Copy)]
pub(crate) struct SlotBins<'a> {
    bins: &'a [u8],
    stride: usize,
}

impl<'a> SlotBins<'a> {
    /// The bins of a row, followed by those of the rows after it.
    #[inline(always)]
    pub(crate) fn row(self, row: usize) -> &'a [u8] {
        &self.bins[row * self.stride..]
    }

    /// Prefetches the cache lines in which the first `N` bins of a row begin and end.
    #[inline(always)]
    pub(crate) fn prefetch<const N: usize>(self, row: usize) {
        let first = row * self.stride;
        prefetch(self.bins, first);
        prefetch(self.bins, first + N - 1);
    }
}

/// Bytes from one row to the next: a row of up to a cache line is within one.
pub(crate) fn row_stride(n_slots: usize) -> usize {
    if n_slots <= CACHE_LINE {
        n_slots.next_power_of_two()
    } else {
        n_slots.next_multiple_of(CACHE_LINE / 2)
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
    fn a_row_of_few_slots_is_within_one_cache_line() {
        for n_slots in [4, 8, 24, 40, 64] {
            let rows = RowBins::new(&vec![vec![1]; n_slots], 1);
            let line = |byte: *const u8| byte.addr() / CACHE_LINE;
            let row = rows.starting_at(0).row(0).as_ptr_range();
            assert!(CACHE_LINE.is_multiple_of(row_stride(n_slots)));
            assert_eq!(row.start.addr() % CACHE_LINE, 0);
            assert_eq!(line(row.start), line(row.start.wrapping_add(n_slots - 1)));
        }
        assert_eq!([row_stride(40), row_stride(80), row_stride(96)], [64, 96, 96]);
    }

    #[test]
    fn every_useful_column_has_its_bins_in_its_slot() {
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
        let matrix = BinnedMatrix::new(&columns, &params, signal);
        let used = matrix.used_slots();
        let features: Vec<usize> =
            used.iter().map(|&slot| matrix.slots[slot].as_ref().unwrap().feature).collect();
        assert_eq!(features, (0..23).filter(|&feature| feature != 7).collect::<Vec<_>>());
        let binnings = Binning::of_all(&columns, &params, signal);
        for (slot, feature) in used.into_iter().zip(features) {
            let binning = &binnings[feature];
            for (row, &value) in columns.columns[feature].iter().enumerate() {
                let bin = binning.bin(value);
                assert_eq!(matrix.slot(slot)[row], bin);
                assert_eq!(matrix.rows.starting_at(slot).row(row)[0], bin);
            }
        }
        assert_eq!(matrix.slot(matrix.used_slots()[8])[11], MISSING_BIN);
    }
}
