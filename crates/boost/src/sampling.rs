//! Which rows a tree is grown on and which columns it and each split may use: drawn from the seed,
//! the round and the number of the split, so that neither threads nor earlier draws matter.

use crate::partition::{BLOCK_ROWS, by_blocks};

/// A stream of numbers that follows from its seeds (SplitMix64; Steele, Lea and Flood 2014).
struct Draws(u64);

/// From one number's state to the next.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draws {
    fn new(seed: u64, round: u32, node: u64) -> Self {
        let mut draws = Self(seed);
        draws.0 = draws.next() ^ u64::from(round);
        draws.0 = draws.next() ^ node;
        draws
    }

    /// The stream after its first `n` numbers.
    fn after(&self, n: usize) -> Self {
        Self(self.0.wrapping_add(STEP.wrapping_mul(n as u64)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, by multiplication (the bias is below 2^-32 for the limits here).
    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

/// The number of the node whose columns are drawn; the tree itself draws as this one.
pub(crate) const WHOLE_TREE: u64 = u64::MAX;

/// For each of `n` columns, whether it is drawn: `fraction` of them, at least one.
pub(crate) fn draw(n: usize, fraction: f64, seed: u64, round: u32, node: u64) -> Vec<bool> {
    let wanted = ((n as f64 * fraction).ceil() as usize).clamp(1.min(n), n);
    if wanted == n {
        return vec![true; n];
    }
    let mut draws = Draws::new(seed, round, node);
    let mut order: Vec<usize> = (0..n).collect();
    let mut drawn = vec![false; n];
    for place in 0..wanted {
        let other = place + draws.below(n - place);
        order.swap(place, other);
        drawn[order[place]] = true;
    }
    drawn
}

/// The number under which rows are drawn, apart from all splits'.
const ROWS: u64 = 1 << 63;

/// Rows that one number of the stream decides on, with 16 bits each.
const ROWS_OF_DRAW: usize = 4;
const _: () = assert!(BLOCK_ROWS.is_multiple_of(ROWS_OF_DRAW));

/// Writes the rows from 0 on, about `fraction` of them (one at least) before the others and both in
/// order; returns how many come before. Shapes: `scratch` as long as `rows`; both are overwritten.
pub(crate) fn draw_rows(
    fraction: f64,
    seed: u64,
    round: u32,
    rows: &mut [u32],
    scratch: &mut [u32],
) -> usize {
    if fraction == 1.0 {
        rows.iter_mut().zip(0..).for_each(|(place, row)| *place = row);
        return rows.len();
    }
    let limit = (fraction * 65_536.0) as u64;
    let draws = Draws::new(seed, round, ROWS);
    by_blocks(rows, scratch, |first, rows, sides| {
        let mut draws = draws.after(first / ROWS_OF_DRAW);
        for start in (first..first + rows.len()).step_by(ROWS_OF_DRAW) {
            let mut bits = draws.next();
            for row in start..(start + ROWS_OF_DRAW).min(first + rows.len()) {
                sides.put(row as u32, (bits & 0xffff) < limit || row == 0);
                bits >>= 16;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_the_columns_is_drawn() {
        let count = |n, fraction| draw(n, fraction, 1, 2, 3).iter().filter(|&&d| d).count();
        assert_eq!(count(10, 0.6), 6);
        assert_eq!(count(10, 0.01), 1);
        assert_eq!(count(10, 1.0), 10);
        assert_eq!(count(0, 0.5), 0);
    }

    #[test]
    fn every_column_has_its_turn_and_seeds_differ() {
        let mut times = [0u32; 8];
        for round in 0..1000 {
            for (times, drawn) in times.iter_mut().zip(draw(8, 0.5, 7, round, 0)) {
                *times += u32::from(drawn);
            }
        }
        assert!(times.iter().all(|times| (440..560).contains(times)), "{times:?}");
        assert_ne!(draw(64, 0.5, 0, 0, 0), draw(64, 0.5, 1, 0, 0));
        assert_eq!(draw(64, 0.5, 1, 0, 0), draw(64, 0.5, 1, 0, 0));
    }

    #[test]
    fn a_fraction_of_the_rows_is_drawn_in_order() {
        let rows = |fraction, round| {
            let mut rows = vec![7; 100_000];
            let n_drawn = draw_rows(fraction, 5, round, &mut rows, &mut vec![0; 100_000]);
            let mut all = rows.clone();
            all.sort_unstable();
            assert_eq!(all, (0..100_000).collect::<Vec<_>>());
            rows.truncate(n_drawn);
            rows
        };
        assert_eq!(rows(1.0, 0).len(), 100_000);
        let third = rows(0.3, 0);
        assert!(third.is_sorted_by(|a, b| a < b) && (29_000..31_000).contains(&third.len()));
        assert_ne!(third, rows(0.3, 1));
        assert_eq!(third, rows(0.3, 0));
        assert_eq!(rows(1e-12, 0), [0]);
    }
}
