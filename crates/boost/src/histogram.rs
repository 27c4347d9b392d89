//! Sums of words by bin.
//!
//! One histogram holds, for one column and one leaf, the sums of the leaf's rows in each bin. Sums
//! are integers, so the larger child of a split is its parent minus the smaller, exactly.
//!
//! Neighbouring rows often fall in the same bin, and then each addition would wait for the one
//! before it. Long scans therefore alternate between two halves, which are added at the end.

use crate::binning::BINS;
use crate::numbers::{Word, add, minus};

/// The histogram of one column in one leaf.
pub(crate) type Histogram<const W: usize> = [Word<W>; BINS];

/// An empty histogram.
pub(crate) fn empty<const W: usize>() -> Histogram<W> {
    [[0; W]; BINS]
}

/// Rows from which two halves pay for adding them.
const ROWS_FOR_HALVES: usize = 1024;

/// The histogram of all rows. `bins` and `words` are n_rows long.
pub(crate) fn of_all<const W: usize>(bins: &[u8], words: &[Word<W>], out: &mut Histogram<W>) {
    let mut halves = [empty(), empty()];
    let (bin_pairs, bin_rest) = bins.as_chunks::<2>();
    let (word_pairs, word_rest) = words.as_chunks::<2>();
    for (bins, words) in bin_pairs.iter().zip(word_pairs) {
        add(&mut halves[0][bins[0] as usize], &words[0]);
        add(&mut halves[1][bins[1] as usize], &words[1]);
    }
    for (bin, word) in bin_rest.iter().zip(word_rest) {
        add(&mut halves[0][*bin as usize], word);
    }
    join(&halves, out);
}

/// The histogram of some rows. `bins` is n_rows long; `words` are those of `rows`, in their order.
pub(crate) fn of_rows<const W: usize>(
    bins: &[u8],
    rows: &[u32],
    words: &[Word<W>],
    out: &mut Histogram<W>,
) {
    if rows.len() < ROWS_FOR_HALVES {
        *out = empty();
        for (&row, word) in rows.iter().zip(words) {
            add(&mut out[bins[row as usize] as usize], word);
        }
        return;
    }
    let mut halves = [empty(), empty()];
    let (row_pairs, row_rest) = rows.as_chunks::<2>();
    let (word_pairs, word_rest) = words.as_chunks::<2>();
    for (rows, words) in row_pairs.iter().zip(word_pairs) {
        add(&mut halves[0][bins[rows[0] as usize] as usize], &words[0]);
        add(&mut halves[1][bins[rows[1] as usize] as usize], &words[1]);
    }
    for (&row, word) in row_rest.iter().zip(word_rest) {
        add(&mut halves[0][bins[row as usize] as usize], word);
    }
    join(&halves, out);
}

fn join<const W: usize>(halves: &[Histogram<W>; 2], out: &mut Histogram<W>) {
    for (out, (a, b)) in out.iter_mut().zip(halves[0].iter().zip(&halves[1])) {
        *out = *a;
        add(out, b);
    }
}

/// Turns a parent's histogram into that of one child by taking the other child away.
pub(crate) fn take_away<const W: usize>(parent: &mut Histogram<W>, child: &Histogram<W>) {
    for (parent, child) in parent.iter_mut().zip(child) {
        *parent = minus(parent, child);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbers::Packing;

    fn world(n: usize) -> (Vec<u8>, Vec<Word<1>>) {
        let packing = Packing::new(n, 1.0, 1.0);
        let bins = (0..n).map(|row| (row * row % 251) as u8).collect();
        let words = (0..n).map(|row| packing.pack((row as f64 * 0.7).sin())).collect();
        (bins, words)
    }

    fn histogram(bins: &[u8], words: &[Word<1>], rows: &[u32]) -> Histogram<1> {
        let words: Vec<_> = rows.iter().map(|&row| words[row as usize]).collect();
        let mut out = empty();
        of_rows(bins, rows, &words, &mut out);
        out
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let (bins, words) = world(3001);
        let rows: Vec<u32> = (0..3001).collect();
        let backwards: Vec<u32> = rows.iter().rev().copied().collect();
        let mut all = empty();
        of_all(&bins, &words, &mut all);
        assert_eq!(histogram(&bins, &words, &rows), all);
        assert_eq!(histogram(&bins, &words, &backwards), all);
    }

    proptest! {
        #[test]
        fn parent_minus_one_child_is_the_other(left in prop::collection::vec(any::<bool>(), 1..4000)) {
            let (bins, words) = world(left.len());
            let side = |wanted| -> Vec<u32> {
                (0..left.len() as u32).filter(|&row| left[row as usize] == wanted).collect()
            };
            let mut parent = empty();
            of_all(&bins, &words, &mut parent);
            take_away(&mut parent, &histogram(&bins, &words, &side(true)));
            prop_assert_eq!(parent, histogram(&bins, &words, &side(false)));
        }
    }
}
