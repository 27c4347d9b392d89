//! Stable partition of the rows of a leaf into those of its two children, in parallel; also of all
//! rows into a random sample and the others.
//!
//! Each block of rows is partitioned into a second buffer, left rows from the front and right rows
//! from the back, and then copied to where it belongs. The order of rows within a child is that of
//! the leaf, so it is the same for any number of threads, and memory is read forwards.

use rayon::prelude::*;

use crate::prefetch::prefetch;

/// Rows of a block: enough that starting a task for it costs little.
pub(crate) const BLOCK_ROWS: usize = 1 << 13;

/// How many rows in advance the bin of a row is prefetched.
const ROWS_AHEAD: usize = 48;

/// Partitions `rows` by whether their bin goes left, and returns how many rows go left.
///
/// Shapes: `bins` n_rows; `scratch` as long as `rows`, overwritten.
pub(crate) fn partition(
    rows: &mut [u32],
    scratch: &mut [u32],
    bins: &[u8],
    goes_left: &[bool; 256],
) -> usize {
    partition_by_blocks(rows, scratch, |_, rows, sides| {
        for (position, &row) in rows.iter().enumerate() {
            if let Some(&ahead) = rows.get(position + ROWS_AHEAD) {
                prefetch(bins, ahead as usize);
            }
            sides.put(row, goes_left[bins[row as usize] as usize]);
        }
    })
}

/// The rows of a block while it is partitioned: left rows from the front, right rows from the back.
pub(crate) struct Sides<'a> {
    rows: &'a mut [u32],
    n_left: usize,
    n_right: usize,
}

impl Sides<'_> {
    /// Adds the next row of the block to a side.
    #[inline(always)]
    pub(crate) fn put(&mut self, row: u32, left: bool) {
        // The row is written to both sides and only one counts it: no branch to predict.
        self.rows[self.n_left] = row;
        self.rows[self.rows.len() - 1 - self.n_right] = row;
        self.n_left += usize::from(left);
        self.n_right += usize::from(!left);
    }
}

/// Partitions rows block by block and returns how many go left. `partition_block` gets the position
/// of a block's first row, the block's rows, and the sides to add them to.
pub(crate) fn partition_by_blocks(
    rows: &mut [u32],
    scratch: &mut [u32],
    partition_block: impl Fn(usize, &[u32], &mut Sides<'_>) + Sync,
) -> usize {
    let partition_block = |first: usize, rows: &[u32], scratch: &mut [u32]| {
        let mut sides = Sides { rows: scratch, n_left: 0, n_right: 0 };
        partition_block(first, rows, &mut sides);
        sides.n_left
    };
    if rows.len() <= BLOCK_ROWS {
        let n_left = partition_block(0, rows, scratch);
        rows[..n_left].copy_from_slice(&scratch[..n_left]);
        copy_reversed(&mut rows[n_left..], &scratch[n_left..]);
        return n_left;
    }
    let blocks = rows.par_chunks(BLOCK_ROWS).zip(scratch.par_chunks_mut(BLOCK_ROWS)).enumerate();
    let lefts: Vec<usize> = blocks
        .map(|(block, (rows, scratch))| partition_block(block * BLOCK_ROWS, rows, scratch))
        .collect();
    let n_left = lefts.iter().sum();
    let (mut left, mut right) = rows.split_at_mut(n_left);
    let mut copies = Vec::with_capacity(lefts.len());
    for (&n_left, block) in lefts.iter().zip(scratch.chunks(BLOCK_ROWS)) {
        let (left_here, left_rest) = left.split_at_mut(n_left);
        let (right_here, right_rest) = right.split_at_mut(block.len() - n_left);
        copies.push((left_here, right_here, block.split_at(n_left)));
        (left, right) = (left_rest, right_rest);
    }
    copies.into_par_iter().for_each(|(left, right, (left_rows, right_rows))| {
        left.copy_from_slice(left_rows);
        copy_reversed(right, right_rows);
    });
    n_left
}

fn copy_reversed(target: &mut [u32], source: &[u32]) {
    for (target, source) in target.iter_mut().zip(source.iter().rev()) {
        *target = *source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitioned_rows_keep_their_order() {
        for n in [0, 1, 10, BLOCK_ROWS, 3 * BLOCK_ROWS + 17] {
            let mut rows: Vec<u32> = (0..n as u32).collect();
            let mut scratch = vec![0; n];
            let bins: Vec<u8> = (0..n).map(|row| (row * row % 3) as u8).collect();
            let mut goes_left = [false; 256];
            goes_left[1] = true;
            let is_left = |row: &u32| bins[*row as usize] == 1;
            let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| is_left(row));
            let n_left = partition(&mut rows, &mut scratch, &bins, &goes_left);
            assert_eq!(rows[..n_left], left);
            assert_eq!(rows[n_left..], right);
        }
    }
}
