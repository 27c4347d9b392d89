//! Sums of words by bin.
//!
//! One histogram holds, for one column and one leaf, the sums of the leaf's rows in each bin. Sums
//! are integers, so the larger child of a split is its parent minus the smaller, exactly.
//!
//! A scan takes a row's bins of a whole block at once: the row's gradient is read once for many
//! columns, and additions to the same bin, which must wait for each other, lie a row apart. With
//! the width of the block known to the compiler, that is one load, one addition in memory and no
//! branch for each bin.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::BINS;
use crate::numbers::{Gradient, Packing, Word, add, minus};
use crate::prefetch::prefetch;

/// The histogram of one column in one leaf.
pub(crate) type Histogram<const W: usize> = [Word<W>; BINS];

/// An empty histogram.
pub(crate) fn empty<const W: usize>() -> Histogram<W> {
    [[0; W]; BINS]
}

/// Rows of a part of a scan at least: summing them must cost far more than joining the parts.
const PART_ROWS: usize = 1 << 12;

/// Rows that are added to one block's histograms after the other's: few enough to stay in the
/// second-level cache, enough that the histograms pay for being fetched into the first.
const TILE_ROWS: usize = 1 << 10;

/// How many rows before its turn a row is asked for.
const ROWS_AHEAD: usize = 12;

/// The rows that a scan reads.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// The first so many.
    First(usize),
    /// These.
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

/// The gradients of all rows, and how they are packed.
#[derive(Clone, Copy)]
pub(crate) struct Gradients<'a, const W: usize> {
    pub(crate) rows: &'a [Gradient<W>],
    pub(crate) packing: &'a Packing,
}

/// Scans over the same blocks, and what they need again and again.
pub(crate) struct Scanner<'a, const W: usize> {
    blocks: &'a [Vec<u8>],
    width: usize,
    /// The histograms of all parts but the first.
    parts: Vec<Vec<Histogram<W>>>,
}

impl<'a, const W: usize> Scanner<'a, W> {
    /// Shapes: `blocks` each n_rows x `width`.
    pub(crate) fn new(blocks: &'a [Vec<u8>], width: usize) -> Self {
        Self { blocks, width, parts: Vec::new() }
    }

    /// Writes the histograms of every lane over some rows: large scans in parallel over rows, small
    /// ones over blocks.
    pub(crate) fn sum(
        &mut self,
        rows: Rows<'_>,
        gradients: Gradients<'_, W>,
        out: &mut [Histogram<W>],
    ) {
        let (blocks, width) = (self.blocks, self.width);
        let n_parts = rayon::current_num_threads().min(rows.len() / PART_ROWS);
        if n_parts < 2 {
            let least = if rows.len() < PART_ROWS / 4 { blocks.len() } else { 1 };
            let each = blocks.par_iter().zip(out.par_chunks_mut(width)).with_min_len(least);
            each.for_each(|(bins, out)| {
                out.fill(empty());
                scan(bins, rows, 0..rows.len(), gradients, out);
            });
            return;
        }
        let n_lanes = out.len();
        self.parts.resize_with(self.parts.len().max(n_parts - 1), Vec::new);
        let part_rows = rows.len().div_ceil(n_parts);
        let others = self.parts[..n_parts - 1].iter_mut().map(|part| {
            part.resize(n_lanes, empty());
            part.as_mut_slice()
        });
        let parts: Vec<&mut [Histogram<W>]> = std::iter::once(&mut *out).chain(others).collect();
        parts.into_par_iter().enumerate().for_each(|(part, sums)| {
            sums.fill(empty());
            let end = rows.len().min((part + 1) * part_rows);
            for start in (part * part_rows..end).step_by(TILE_ROWS) {
                let tile = start..end.min(start + TILE_ROWS);
                for (bins, sums) in blocks.iter().zip(sums.chunks_exact_mut(width)) {
                    scan(bins, rows, tile.clone(), gradients, sums);
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

/// Adds some of the rows to the histograms of a block.
fn scan<const W: usize>(
    bins: &[u8],
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    out: &mut [Histogram<W>],
) {
    match out.len() {
        4 => scan_width::<W, 4>(bins, rows, range, gradients, out),
        8 => scan_width::<W, 8>(bins, rows, range, gradients, out),
        12 => scan_width::<W, 12>(bins, rows, range, gradients, out),
        16 => scan_width::<W, 16>(bins, rows, range, gradients, out),
        20 => scan_width::<W, 20>(bins, rows, range, gradients, out),
        width => unreachable!("no block is {width} columns wide"),
    }
}

/// Adds rows to the histograms of a block of `N` columns.
fn scan_width<const W: usize, const N: usize>(
    bins: &[u8],
    rows: Rows<'_>,
    range: Range<usize>,
    gradients: Gradients<'_, W>,
    out: &mut [Histogram<W>],
) {
    let (bins, _) = bins.as_chunks::<N>();
    let Some(out) = out.first_chunk_mut::<N>() else { return };
    let packing = *gradients.packing;
    let mut add_row = |bins: &[u8; N], gradient: &Gradient<W>| {
        let word = packing.word(gradient);
        for (histogram, &bin) in out.iter_mut().zip(bins) {
            add(&mut histogram[bin as usize], &word);
        }
    };
    match rows {
        Rows::First(_) => {
            let rows = bins[range.clone()].iter().zip(&gradients.rows[range]);
            rows.for_each(|(bins, gradient)| add_row(bins, gradient));
        }
        Rows::At(rows) => {
            for (&row, place) in rows[range.clone()].iter().zip(range) {
                if let Some(&ahead) = rows.get(place + ROWS_AHEAD) {
                    prefetch(bins, ahead as usize);
                    prefetch(gradients.rows, ahead as usize);
                }
                add_row(&bins[row as usize], &gradients.rows[row as usize]);
            }
        }
    }
}

/// Turns parents' histograms into those of one child by taking the other child away.
pub(crate) fn take_away<const W: usize>(parents: &mut [Histogram<W>], children: &[Histogram<W>]) {
    for (parent, child) in parents.as_flattened_mut().iter_mut().zip(children.as_flattened()) {
        *parent = minus(parent, child);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::WIDTHS;

    /// Bins of a block, and gradients.
    fn world(n: usize, width: usize) -> (Vec<u8>, Vec<Gradient<2>>, Packing) {
        let packing = Packing::new(n, 1.0, 0.25);
        let bins = (0..n * width).map(|cell| (cell * cell / 7 % 256) as u8).collect();
        let gradient = |row: usize| packing.fix_with_hessian((row as f64 * 0.7).sin(), 0.2);
        (bins, (0..n).map(gradient).collect(), packing)
    }

    #[test]
    fn every_width_sums_what_the_definition_sums() {
        let n = 3 * PART_ROWS + 11;
        for width in WIDTHS {
            let (bins, gradients, packing) = world(n, width);
            let gradients = Gradients { rows: &gradients, packing: &packing };
            let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let of = |rows, threads| {
                let mut out = vec![empty(); 2 * width];
                let blocks = [bins.clone(), bins.clone()];
                let mut scanner = Scanner::new(&blocks, width);
                pool(threads).unwrap().install(|| scanner.sum(rows, gradients, &mut out));
                out
            };
            let mut expected = vec![empty(); width];
            for row in 0..n {
                for lane in 0..width {
                    let bin = bins[row * width + lane] as usize;
                    add(&mut expected[lane][bin], &packing.word(&gradients.rows[row]));
                }
            }
            let expected = [expected.as_slice(), &expected].concat();
            let backwards: Vec<u32> = (0..n as u32).rev().collect();
            for threads in [1, 3] {
                assert!(of(Rows::First(n), threads) == expected, "{width} {threads}");
                assert!(of(Rows::At(&backwards), threads) == expected, "{width} {threads}");
            }
        }
    }

    proptest! {
        #[test]
        fn parent_minus_one_child_is_the_other(left in prop::collection::vec(any::<bool>(), 1..999)) {
            let (bins, gradients, packing) = world(left.len(), 4);
            let gradients = Gradients { rows: &gradients, packing: &packing };
            let sum = |rows| {
                let mut out = vec![empty(); 4];
                Scanner::new(std::slice::from_ref(&bins), 4).sum(rows, gradients, &mut out);
                out
            };
            let side = |wanted| -> Vec<u32> {
                (0..left.len() as u32).filter(|&row| left[row as usize] == wanted).collect()
            };
            let (left_rows, right_rows) = (side(true), side(false));
            let mut parents = sum(Rows::First(left.len()));
            take_away(&mut parents, &sum(Rows::At(&left_rows)));
            prop_assert!(parents == sum(Rows::At(&right_rows)));
        }
    }
}
