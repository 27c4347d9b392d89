//! The rows that a tree is grown on and the columns that it and each of its splits may use, drawn at
//! random from the seed, the round and the number of the split, so that neither threads nor earlier
//! draws matter.

use statistics::SplitMix64;

use crate::partition::{BLOCK_ROWS, partition_by_blocks};

/// The random numbers of a node in a round.
fn generator(seed: u64, round: u32, node: u64) -> SplitMix64 {
    let with_round = SplitMix64::new(seed).next_u64() ^ u64::from(round);
    let with_node = SplitMix64::new(with_round).next_u64() ^ node;
    SplitMix64::new(with_node)
}

/// The node number under which the columns of a whole tree are drawn.
pub(crate) const WHOLE_TREE: u64 = u64::MAX;

/// For each of `n` columns, whether it is drawn: `fraction` of them, at least one.
pub(crate) fn draw(n: usize, fraction: f64, seed: u64, round: u32, node: u64) -> Vec<bool> {
    let wanted = ((n as f64 * fraction).ceil() as usize).clamp(1.min(n), n);
    if wanted == n {
        return vec![true; n];
    }
    let mut random = generator(seed, round, node);
    let mut order: Vec<usize> = (0..n).collect();
    let mut drawn = vec![false; n];
    for position in 0..wanted {
        let other = position + random.below(n - position);
        order.swap(position, other);
        drawn[order[position]] = true;
    }
    drawn
}

/// The node number under which rows are drawn: no split has it.
const ROWS: u64 = 1 << 63;

/// Rows that one random number decides on, with 16 bits each.
const ROWS_OF_NUMBER: usize = 4;
const _: () = assert!(BLOCK_ROWS.is_multiple_of(ROWS_OF_NUMBER));

/// Writes the row numbers from 0 on: first a random sample of about `fraction` of them (at least
/// one), then the others, both in order. Returns the size of the sample. Shapes: `scratch` as long
/// as `rows`; both are overwritten.
pub(crate) fn draw_rows(
    fraction: f64,
    seed: u64,
    round: u32,
    rows: &mut [u32],
    scratch: &mut [u32],
) -> usize {
    if fraction == 1.0 {
        rows.iter_mut().zip(0..).for_each(|(slot, row)| *slot = row);
        return rows.len();
    }
    let limit = (fraction * 65_536.0) as u64;
    let random = generator(seed, round, ROWS);
    partition_by_blocks(rows, scratch, |first, rows, sides| {
        let mut random = random.skip((first / ROWS_OF_NUMBER) as u64);
        for start in (first..first + rows.len()).step_by(ROWS_OF_NUMBER) {
            let mut bits = random.next_u64();
            for row in start..(start + ROWS_OF_NUMBER).min(first + rows.len()) {
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
    fn every_column_is_drawn_equally_often_and_seeds_differ() {
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
