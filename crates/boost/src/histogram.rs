//! Histograms: sums of gradients and counts by bin.
//!
//! A histogram holds, for one column and one leaf, the sums of the leaf's rows in each bin. Sums are
//! integers, so that the larger child of a split is exactly its parent minus the smaller child.
//!
//! Building reads a row's bins of a whole block of columns at once: the row's gradient is read once
//! for many columns, and successive additions to the same bin, of which the second must wait for the
//! first, are a row apart. With the width of the block known at compile time, each bin costs a load
//! and an addition in memory, without a branch. Where gradients are bytes, about a thousand rows at
//! a time are first summed in histograms of 32-bit words, which take half the cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::binned_matrix::{RowBins, SlotBins};
use crate::binning::BINS;
use crate::fixed_point::{Gradient, Packing, Word, add, minus};
use crate::prefetch::prefetch;

/// The histogram of one column in one leaf.
pub(crate) type Histogram<const W: usize> = [Word<W>; BINS];

/// An empty histogram.
pub(crate) fn empty<const W: usize>() -> Histogram<W> {
    [[0; W]; BINS]
}

/// The smallest part of the rows that a task sums: summing must cost far more than adding up the
/// histograms of the parts.
const PART_ROWS: usize = 1 << 12;

/// Rows that are added to the histograms of one block before the next: few enough to stay in the
/// second-level cache, enough to make up for fetching the histograms into the first.
const TILE_ROWS: usize = 1 << 10;

/// The largest number of rows that a 32-bit word can sum: its low bits count rows, the others are
/// the sum of gradients that are bytes.
const SHORT_ROWS_MAX: usize = (1 << SHORT_COUNT_BITS) - 1;
const SHORT_COUNT_BITS: u32 = 12;

/// The smallest number of rows for which summing in 32-bit words first is faster.
const SHORT_ROWS_MIN: usize = 512;

/// How many rows in advance a row is prefetched.
const ROWS_AHEAD: usize = 12;

/// The rows that a histogram sums.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// All rows below this one.
    First(usize),
    /// The rows with these numbers.
    At(&'a [u32]),
}

impl Rows<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::First(n) => *n,
            Self::At(rows) => rows.len(),
        }
    }
}

/// The gradients of all rows in a round.
#[derive(Clone, Copy)]
pub(crate) struct Gradients<'a, const W: usize> {
    pub(crate) rows: &'a [Gradient<W>],
    pub(crate) packing: &'a Packing,
    /// See [`crate::loss::Loss::noise`].
    pub(crate) noise: f64,
}

/// Builds histograms over the same binned matrix, and keeps the memory that this takes.
pub(crate) struct HistogramBuilder<'a, const W: usize> {
    bins: &'a RowBins,
    /// Lanes of a block.
    width: usize,
    /// The histograms of all parts but the first.
    parts: Vec<Vec<Histogram<W>>>,
}

impl<'a, const W: usize> HistogramBuilder<'a, W> {
    pub(crate) fn new(bins: &'a RowBins, width: usize) -> Self {
        Self { bins, width, parts: Vec::new() }
    }

    /// Writes the histograms of all slots over some rows: in parallel over parts of the rows where
    /// they are many, otherwise over blocks of columns. Shapes: `out` n_slots.
    pub(crate) fn build(
        &mut self,
        rows: Rows<'_>,
        gradients: Gradients<'_, W>,
        out: &mut [Histogram<W>],
    ) {
        let bins = self.bins;
        // 32-bit words take half the cache, so two blocks are taken as one; as that leaves fewer
        // blocks to distribute, fewer rows are enough to work on parts of them.
        let is_short = gradients.packing.are_bytes() && out.len() > self.width;
        let (width, tile_rows, part_rows_min) = if is_short {
            (2 * self.width, SHORT_ROWS_MAX, PART_ROWS / 4)
        } else {
            (self.width, TILE_ROWS, PART_ROWS)
        };
        let n_parts = rayon::current_num_threads().min(rows.len() / part_rows_min);
        if n_parts < 2 {
            let least = if rows.len() < PART_ROWS / 4 { out.len() / width } else { 1 };
            let blocks = out.par_chunks_mut(width).enumerate().with_min_len(least);
            blocks.for_each(|(block, out)| {
                out.fill(empty());
                add_rows(bins.starting_at(block * width), rows, 0..rows.len(), gradients, out);
            });
            return;
        }
        let n_slots = out.len();
        self.parts.resize_with(self.parts.len().max(n_parts - 1), Vec::new);
        let part_rows = rows.len().div_ceil(n_parts);
        let others = self.parts[..n_parts - 1].iter_mut().map(|part| {
            part.resize(n_slots, empty());
            part.as_mut_slice()
        });
        let parts: Vec<&mut [Histogram<W>]> = std::iter::once(&mut *out).chain(others).collect();
        parts.into_par_iter().enumerate().for_each(|(part, sums)| {
            sums.fill(empty());
            let end = rows.len().min((part + 1) * part_rows);
            for start in (part * part_rows..end).step_by(tile_rows) {
                let tile = start..end.min(start + tile_rows);
                for (block, sums) in sums.chunks_exact_mut(width).enumerate() {
                    let bins = bins.starting_at(block * width);
                    add_rows(bins, rows, tile.clone(), gradients, sums);
                }
            }
        });
        for sums in &self.parts[..n_parts - 1] {
            for (out, sums) in out.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
                add(out, sums);
            }
        }
    }
}

/// Adds a range of the rows to the histograms of a block.
fn add_rows<const W: usize>(
    bins: SlotBins<'_>,
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    out: &mut [Histogram<W>],
) {
    match out.len() {
        4 => add_rows_of_width::<W, 4>(bins, rows, range, gradients, out),
        8 => add_rows_of_width::<W, 8>(bins, rows, range, gradients, out),
        12 => add_rows_of_width::<W, 12>(bins, rows, range, gradients, out),
        16 => add_rows_of_width::<W, 16>(bins, rows, range, gradients, out),
        20 => add_rows_of_width::<W, 20>(bins, rows, range, gradients, out),
        24 => add_rows_of_width::<W, 24>(bins, rows, range, gradients, out),
        32 => add_rows_of_width::<W, 32>(bins, rows, range, gradients, out),
        40 => add_rows_of_width::<W, 40>(bins, rows, range, gradients, out),
        width => unreachable!("no block is {width} columns wide"),
    }
}

/// Adds rows to the histograms of a block of `N` columns.
fn add_rows_of_width<const W: usize, const N: usize>(
    bins: SlotBins<'_>,
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    out: &mut [Histogram<W>],
) {
    let Some(out) = out.first_chunk_mut::<N>() else { return };
    let packing = *gradients.packing;
    if packing.are_bytes() && range.len() >= SHORT_ROWS_MIN {
        for start in range.clone().step_by(SHORT_ROWS_MAX) {
            let part = start..range.end.min(start + SHORT_ROWS_MAX);
            add_rows_in_short_words(bins, rows, part, gradients, out);
        }
        return;
    }
    for_each_row(bins, rows, range, gradients, |bins: &[u8; N], gradient| {
        let word = packing.word(gradient);
        for (histogram, &bin) in out.iter_mut().zip(bins) {
            add(&mut histogram[bin as usize], &word);
        }
    });
}

/// Adds at most [`SHORT_ROWS_MAX`] rows whose gradients are bytes, by way of 32-bit words.
fn add_rows_in_short_words<const W: usize, const N: usize>(
    bins: SlotBins<'_>,
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    out: &mut [Histogram<W>; N],
) {
    let mut sums = [[0u32; BINS]; N];
    for_each_row(bins, rows, range, gradients, |bins: &[u8; N], gradient| {
        let word = ((gradient[0] as u32) << SHORT_COUNT_BITS) + 1;
        for (histogram, &bin) in sums.iter_mut().zip(bins) {
            histogram[bin as usize] = histogram[bin as usize].wrapping_add(word);
        }
    });
    let packing = *gradients.packing;
    for (out, sums) in out.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        let count = sums & SHORT_ROWS_MAX as u32;
        out[0] += packing.word_of(count, sums >> SHORT_COUNT_BITS);
    }
}

/// Calls `add_row` with the bins and the gradient of each row of the range.
#[inline(always)]
fn for_each_row<const W: usize, const N: usize>(
    bins: SlotBins<'_>,
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    mut add_row: impl FnMut(&[u8; N], &Gradient<W>),
) {
    let mut add_row = |row: usize| match bins.row(row).first_chunk() {
        Some(bins) => add_row(bins, &gradients.rows[row]),
        None => unreachable!("row {row} has fewer than {N} slots"),
    };
    match rows {
        Rows::First(_) => range.for_each(add_row),
        Rows::At(rows) => {
            for (&row, position) in rows[range.clone()].iter().zip(range) {
                if let Some(&ahead) = rows.get(position + ROWS_AHEAD) {
                    bins.prefetch::<N>(ahead as usize);
                    prefetch(gradients.rows, ahead as usize);
                }
                add_row(row as usize);
            }
        }
    }
}

/// Subtracts the histograms of one child from those of its parent, which become those of the other
/// child.
pub(crate) fn subtract<const W: usize>(parents: &mut [Histogram<W>], children: &[Histogram<W>]) {
    for (parent, child) in parents.as_flattened_mut().iter_mut().zip(children.as_flattened()) {
        *parent = minus(parent, child);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::binned_matrix::WIDTHS;

    /// The bins of `n_slots` slots.
    fn slots(n: usize, n_slots: usize) -> Vec<Vec<u8>> {
        let slot = |slot| (0..n).map(move |row| ((row + 1) * (slot + 3) * row / 7 % 256) as u8);
        (0..n_slots).map(|at| slot(at).collect()).collect()
    }

    /// Gradients with hessians, and how they are packed.
    fn with_hessians(n: usize) -> (Vec<Gradient<2>>, Packing) {
        let packing = Packing::new(n, 1.0, 0.25);
        let gradient = |row: usize| packing.fix_with_hessian((row as f64 * 0.7).sin(), 0.2);
        ((0..n).map(gradient).collect(), packing)
    }

    /// Gradients that are bytes, and how they are packed.
    fn bytes(n: usize) -> (Vec<Gradient<1>>, Packing) {
        let packing = Packing::in_bytes(n, -0.5, 250);
        ((0..n).map(|row| packing.fix((row as f64 * 0.7).sin() / 2.0)).collect(), packing)
    }

    fn every_width_sums_what_the_definition_sums<const W: usize>(
        n: usize,
        (gradients, packing): (Vec<Gradient<W>>, Packing),
    ) {
        let gradients = Gradients { rows: &gradients, packing: &packing, noise: 0.0 };
        for width in WIDTHS {
            let slots = slots(n, 2 * width);
            let bins = RowBins::new(&slots, n);
            let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let of = |rows, threads| {
                let mut out = vec![empty(); 2 * width];
                let mut builder = HistogramBuilder::new(&bins, width);
                pool(threads).unwrap().install(|| builder.build(rows, gradients, &mut out));
                out
            };
            let expected = |rows: &[u32]| {
                let mut expected = vec![empty(); 2 * width];
                for (histogram, slot) in expected.iter_mut().zip(&slots) {
                    for &row in rows {
                        let word = packing.word(&gradients.rows[row as usize]);
                        add(&mut histogram[slot[row as usize] as usize], &word);
                    }
                }
                expected
            };
            let backwards: Vec<u32> = (0..n as u32).rev().collect();
            let whole = expected(&backwards);
            let few = &backwards[..SHORT_ROWS_MIN - 1];
            for threads in [1, 3] {
                assert!(of(Rows::First(n), threads) == whole, "{width} {threads}");
                assert!(of(Rows::At(&backwards), threads) == whole, "{width} {threads}");
                assert!(of(Rows::At(few), threads) == expected(few), "{width} {threads}");
            }
        }
    }

    #[test]
    fn gradients_with_hessians_are_summed_by_bin() {
        let n = 3 * PART_ROWS + 11;
        every_width_sums_what_the_definition_sums(n, with_hessians(n));
    }

    #[test]
    fn gradients_that_are_bytes_are_summed_by_bin() {
        let n = 3 * PART_ROWS + 11;
        every_width_sums_what_the_definition_sums(n, bytes(n));
    }

    proptest! {
        #[test]
        fn parent_minus_one_child_is_the_other(left in prop::collection::vec(any::<bool>(), 1..999)) {
            let (gradients, packing) = with_hessians(left.len());
            let gradients = Gradients { rows: &gradients, packing: &packing, noise: 0.0 };
            let bins = RowBins::new(&slots(left.len(), 4), left.len());
            let sum = |rows| {
                let mut out = vec![empty(); 4];
                HistogramBuilder::new(&bins, 4).build(rows, gradients, &mut out);
                out
            };
            let side = |wanted| -> Vec<u32> {
                (0..left.len() as u32).filter(|&row| left[row as usize] == wanted).collect()
            };
            let (left_rows, right_rows) = (side(true), side(false));
            let mut parents = sum(Rows::First(left.len()));
            subtract(&mut parents, &sum(Rows::At(&left_rows)));
            prop_assert!(parents == sum(Rows::At(&right_rows)));
        }
    }
}
