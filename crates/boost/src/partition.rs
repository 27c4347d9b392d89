//! Rows of a leaf to its two children, in place and in order; the rows of a tree's sample are parted
//! from the others alike.
//!
//! Blocks of rows are parted side by side in a second buffer, the left ones from the front, the
//! right ones from the back; then each block is copied to its place. The order of rows within a
//! child stays that of the leaf, so it is the same for any number of threads, and memory is read
//! forwards.

use rayon::prelude::*;

use crate::prefetch::prefetch;

/// Rows of a block: enough to be worth a task.
pub(crate) const BLOCK_ROWS: usize = 1 << 13;

/// How many rows before its turn a row is asked for.
const ROWS_AHEAD: usize = 48;

/// Parts `rows` by `goes_left` of their bin and returns how many went left.
///
/// Shapes: `bins` n_rows; `scratch` as long as `rows`, overwritten.
pub(crate) fn partition(
    rows: &mut [u32],
    scratch: &mut [u32],
    bins: &[u8],
    goes_left: &[bool; 256],
) -> usize {
    by_blocks(rows, scratch, |_, rows, sides| {
        for (place, &row) in rows.iter().enumerate() {
            if let Some(&ahead) = rows.get(place + ROWS_AHEAD) {
                prefetch(bins, ahead as usize);
            }
            sides.put(row, goes_left[bins[row as usize] as usize]);
        }
    })
}

/// The rows of a block as they are parted: the left ones from the front, the right ones from the
/// back.
pub(crate) struct Sides<'a> {
    rows: &'a mut [u32],
    n_left: usize,
    n_right: usize,
}

impl Sides<'_> {
    /// Puts the next row of the block on its side.
    #[inline(always)]
    pub(crate) fn put(&mut self, row: u32, left: bool) {
        // Both are written, one of them stays: no branch to predict.
        self.rows[self.n_left] = row;
        self.rows[self.rows.len() - 1 - self.n_right] = row;
        self.n_left += usize::from(left);
        self.n_right += usize::from(!left);
    }
}

/// Parts rows block by block and returns how many went left. `part` gets the place of a block's
/// first row, its rows, and the sides to put them on.
pub(crate) fn by_blocks(
    rows: &mut [u32],
    scratch: &mut [u32],
    part: impl Fn(usize, &[u32], &mut Sides<'_>) + Sync,
) -> usize {
    let part = |first: usize, rows: &[u32], scratch: &mut [u32]| {
        let mut sides = Sides { rows: scratch, n_left: 0, n_right: 0 };
        part(first, rows, &mut sides);
        sides.n_left
    };
    if rows.len() <= BLOCK_ROWS {
        let n_left = part(0, rows, scratch);
        rows[..n_left].copy_from_slice(&scratch[..n_left]);
        copy_reversed(&mut rows[n_left..], &scratch[n_left..]);
        return n_left;
    }
    let blocks = rows.par_chunks(BLOCK_ROWS).zip(scratch.par_chunks_mut(BLOCK_ROWS)).enumerate();
    let lefts: Vec<usize> =
        blocks.map(|(block, (rows, scratch))| part(block * BLOCK_ROWS, rows, scratch)).collect();
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
    fn parted_rows_keep_their_order() {
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
