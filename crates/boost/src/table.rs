//! The training columns in bins, side by side.
//!
//! A histogram scan reads, for each row, the bins of many columns; so some columns form a block,
//! in which a row's bins are neighbours. A block has at most 20 columns, whose histograms (2 KiB
//! each) stay in a first-level cache of 48 KiB, and the number of blocks is even, so that two
//! threads share alike. Columns that tell no rows apart are left out; blocks are filled up with
//! lanes of zeros to the next of [`WIDTHS`], which the scans are compiled for.
//!
//! Parting the rows of a leaf reads one column only, which is kept by itself too: a byte a row,
//! close together.

use rayon::prelude::*;

use crate::binning::{Binning, Meaning};
use crate::checkpoint::Digest;
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
    /// Shapes: n_blocks, each n_rows x width.
    pub(crate) blocks: Vec<Vec<u8>>,
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
        signal: impl Fn() -> Vec<f32> + Sync,
    ) -> Self {
        let n_rows = columns.n_rows();
        let binnings: Vec<(usize, Binning)> = (columns.columns.par_iter().enumerate())
            .map(|(feature, values)| {
                (feature, Binning::new(values, columns.categorical[feature], params, &signal))
            })
            .filter(|(_, binning)| binning.is_useful)
            .collect();
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
        let blocks = columns.chunks(width).map(|columns| interleave(columns, n_rows)).collect();
        let lane =
            |(feature, binning): (usize, Binning)| Lane { feature, meaning: binning.meaning };
        let lanes = lanes.into_iter().map(|binning| binning.map(lane)).collect();
        Self { n_rows, width, blocks, columns, lanes }
    }

    /// The bins of a lane. Shapes: n_rows.
    pub(crate) fn lane(&self, lane: usize) -> &[u8] {
        &self.columns[lane]
    }

    /// A digest of a row's bins.
    pub(crate) fn row_digest(&self, row: usize) -> u64 {
        let mut digest = Digest(0);
        for block in &self.blocks {
            let bins = &block[row * self.width..][..self.width];
            bins.iter().for_each(|&bin| digest.word(bin.into()));
        }
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
fn shape(n_columns: usize) -> (usize, usize) {
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

/// A block of columns, row by row.
fn interleave(columns: &[Vec<u8>], n_rows: usize) -> Vec<u8> {
    let width = columns.len();
    let mut block = vec![0; n_rows * width];
    block.par_chunks_mut(CHUNK_ROWS * width).enumerate().for_each(|(chunk, block)| {
        for (lane, column) in columns.iter().enumerate().filter(|(_, column)| !column.is_empty()) {
            let column = &column[chunk * CHUNK_ROWS..];
            block.chunks_exact_mut(width).zip(column).for_each(|(row, &bin)| row[lane] = bin);
        }
    });
    block
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
        let table = Table::new(&Columns::new(&columns, &categorical), &params, signal);
        let used = table.used_lanes();
        let features: Vec<usize> =
            used.iter().map(|&lane| table.lanes[lane].as_ref().unwrap().feature).collect();
        assert_eq!(features, (0..23).filter(|&feature| feature != 7).collect::<Vec<_>>());
        for (lane, feature) in used.into_iter().zip(features) {
            let binning = Binning::new(&columns[feature], categorical[feature], &params, signal);
            for (row, &value) in columns[feature].iter().enumerate() {
                let bin = binning.bin(value);
                let (block, place) = (lane / table.width, lane % table.width);
                assert_eq!(table.lane(lane)[row], bin);
                assert_eq!(table.blocks[block][row * table.width + place], bin);
            }
        }
        assert_eq!(table.lane(table.used_lanes()[8])[11], MISSING_BIN);
    }
}
