//! The walk through sixty-four trees at once, with AVX-512.
//!
//! A slot has a split of each of the trees. The bytes of the row that these splits look at are fetched
//! by one instruction from the columns, which are in registers, and compared with the ranks by
//! another. So no split waits for the one above it, and nothing branches: all splits of all trees are
//! looked at, four instructions for sixty-four of them, and those that are not on the row's path change
//! nothing (`paths` has the reason).

use std::arch::x86_64::{
    __m512i, _CMP_LT_OQ, _mm512_cmp_ps_mask, _mm512_cmpgt_epu8_mask, _mm512_load_ps,
    _mm512_load_si512, _mm512_mask_blend_epi8, _mm512_mask_cmpeq_epu8_mask, _mm512_mask_mov_epi8,
    _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8, _mm512_set1_ps,
    _mm512_setzero_si512, _mm512_store_si512, _pdep_u64,
};

use super::columns::{BLOCK, Block, COLUMNS_MAX, Columns, Condition, RowBytes};
use super::leaves::Leaves;
use super::paths::Numbered;

/// Trees that are walked at once.
const TREES: usize = 64;

/// Leaves of a tree, at most. The splits that are looked at are as many as leaves, the steps of the
/// portable walk their logarithm.
pub(super) const LEAVES_MAX: usize = 128;

/// Sixty-four bytes that are loaded at once.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Bytes([u8; TREES]);

/// A split of each of the trees. Where a tree has none, and where the split is by categories, the rank
/// is one that no column is above.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Slot {
    columns: Bytes,
    ranks: Bytes,
    /// The first leaf below the split, and the first below its right child.
    first: Bytes,
    right: Bytes,
}

/// The splits by categories in a slot.
#[derive(Clone, Copy, Debug)]
struct SlotBits {
    /// The trees that have one.
    trees: u64,
    /// Where their bits begin in those of a row.
    start: u32,
}

/// The splits of an ensemble.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// One for each slot.
    bits: Vec<SlotBits>,
    /// The number of slots of each sixty-four trees.
    n_slots: Vec<usize>,
    n_trees: usize,
    n_vectors: usize,
    has_bits: bool,
}

/// Whether this machine can.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

impl Slots {
    /// The slots of trees, of which `conditions` are those of the splits, and the places of their bits.
    pub(super) fn of(
        trees: &[Numbered],
        conditions: &[Vec<Condition>],
        n_columns: usize,
    ) -> (Self, Vec<usize>) {
        let mut all = Self {
            slots: Vec::new(),
            bits: Vec::new(),
            n_slots: Vec::new(),
            n_trees: trees.len(),
            n_vectors: n_columns.div_ceil(TREES).max(1),
            has_bits: false,
        };
        let mut places = Vec::new();
        let mut n_bits = 0;
        let trees: Vec<_> = trees.iter().zip(conditions).collect();
        for group in trees.chunks(TREES) {
            let n_slots = group.iter().map(|(tree, _)| tree.paths.len()).max().unwrap_or(0);
            all.n_slots.push(n_slots);
            for at in 0..n_slots {
                let zeros = || Bytes([0; TREES]);
                let ranks = Bytes([u8::MAX; TREES]);
                let mut slot =
                    Slot { columns: zeros(), ranks, first: zeros(), right: zeros() };
                let mut bits = SlotBits { trees: 0, start: n_bits };
                for (lane, (numbered, conditions)) in group.iter().enumerate() {
                    let Some(path) = numbered.paths.get(at) else { continue };
                    slot.first.0[lane] = path.first as u8;
                    slot.right.0[lane] = path.right as u8;
                    match conditions[path.split] {
                        Condition::Above { column, rank } => {
                            (slot.columns.0[lane], slot.ranks.0[lane]) = (column, rank);
                        }
                        Condition::Bit(bit) => {
                            bits.trees |= 1 << lane;
                            if places.len() <= bit {
                                places.resize(bit + 1, 0);
                            }
                            places[bit] = n_bits as usize;
                            n_bits += 1;
                            all.has_bits = true;
                        }
                    }
                }
                all.slots.push(slot);
                all.bits.push(bits);
            }
        }
        (all, places)
    }

    /// The bytes of a row, as [`Columns::row`] gives them, and the sums with the leaves of the row.
    #[expect(unsafe_code, reason = "instructions that the machine has to have")]
    pub(super) fn add<const N: usize>(
        &self,
        columns: &Columns,
        row: &[f32],
        leaves: &Leaves<N>,
        sums: [f64; N],
    ) -> [f64; N] {
        // SAFETY: slots are only made where the machine has these instructions.
        unsafe {
            match (self.n_vectors, self.has_bits) {
                (1, false) => self.add_of::<1, false, N>(columns, row, leaves, sums),
                (1, true) => self.add_of::<1, true, N>(columns, row, leaves, sums),
                (2, false) => self.add_of::<2, false, N>(columns, row, leaves, sums),
                (2, true) => self.add_of::<2, true, N>(columns, row, leaves, sums),
                (_, false) => self.add_of::<4, false, N>(columns, row, leaves, sums),
                (_, true) => self.add_of::<4, true, N>(columns, row, leaves, sums),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2,popcnt")]
    fn add_of<const VECTORS: usize, const BITS: bool, const N: usize>(
        &self,
        columns: &Columns,
        row: &[f32],
        leaves: &Leaves<N>,
        mut sums: [f64; N],
    ) -> [f64; N] {
        let mut bytes = columns.row_of_bits(row);
        rank(columns, row, &mut bytes.columns);
        let looked_up: [__m512i; VECTORS] = vectors(&bytes);
        let mut first_slot = 0;
        for (group, &n_slots) in self.n_slots.iter().enumerate() {
            let slots = &self.slots[first_slot..][..n_slots];
            let bits = &self.bits[first_slot..][..n_slots];
            let found = leaves_of::<VECTORS, BITS>(slots, bits, looked_up, &bytes);
            let first = group * TREES;
            let n_trees = TREES.min(self.n_trees - first);
            sums = leaves.add(first, &found.0[..n_trees], sums);
            first_slot += n_slots;
        }
        sums
    }
}

/// The leaves of sixty-four trees.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2,popcnt")]
fn leaves_of<const VECTORS: usize, const BITS: bool>(
    slots: &[Slot],
    slot_bits: &[SlotBits],
    columns: [__m512i; VECTORS],
    row: &RowBytes,
) -> Bytes {
    let mut leaf = _mm512_setzero_si512();
    for (slot, of_slot) in slots.iter().zip(slot_bits) {
        let looked_at = look_up(columns, load(&slot.columns));
        let mut goes_right = _mm512_cmpgt_epu8_mask(looked_at, load(&slot.ranks));
        if BITS {
            let (word, bit) = (of_slot.start as usize / 64, of_slot.start % 64);
            // Two words hold sixty-four bits from any bit on; the second shift is by 64 - bit.
            let bits = row.bits[word] >> bit | row.bits[word + 1] << 1 << (63 - bit);
            goes_right |= _pdep_u64(bits, of_slot.trees);
        }
        let on_path = _mm512_mask_cmpeq_epu8_mask(goes_right, leaf, load(&slot.first));
        leaf = _mm512_mask_mov_epi8(leaf, on_path, load(&slot.right));
    }
    store(leaf)
}

/// Of sixty-four columns their bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn look_up<const VECTORS: usize>(columns: [__m512i; VECTORS], which: __m512i) -> __m512i {
    match VECTORS {
        1 => _mm512_permutexvar_epi8(which, columns[0]),
        2 => _mm512_permutex2var_epi8(columns[0], which, columns[1]),
        _ => {
            let low = _mm512_permutex2var_epi8(columns[0], which, columns[1]);
            let high = _mm512_permutex2var_epi8(columns[2], which, columns[3]);
            _mm512_mask_blend_epi8(_mm512_movepi8_mask(which), low, high)
        }
    }
}

/// Writes the columns of a row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn rank(columns: &Columns, row: &[f32], bytes: &mut [u8; COLUMNS_MAX + 64]) {
    for ranking in &columns.rankings {
        let value = row[ranking.feature as usize];
        let blocks = &columns.blocks[ranking.first_block as usize..];
        let block = below(&blocks[0], value);
        let rank = BLOCK as u32 * block + below(&blocks[1 + block as usize], value);
        ranking.write(rank as u8, value, bytes);
    }
}

/// How many thresholds are below a value.
#[inline]
#[target_feature(enable = "avx512f,popcnt")]
#[expect(unsafe_code, reason = "a load of what is there")]
fn below(block: &Block, value: f32) -> u32 {
    // SAFETY: a block is sixteen numbers, aligned to 64 bytes.
    let thresholds = unsafe { _mm512_load_ps(block.0.as_ptr()) };
    _mm512_cmp_ps_mask::<_CMP_LT_OQ>(thresholds, _mm512_set1_ps(value)).count_ones()
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "a load of what is there")]
fn load(bytes: &Bytes) -> __m512i {
    // SAFETY: they are 64 bytes, aligned to 64 bytes.
    unsafe { _mm512_load_si512(bytes.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "a store to what is there")]
fn store(vector: __m512i) -> Bytes {
    let mut bytes = Bytes([0; TREES]);
    // SAFETY: they are 64 bytes, aligned to 64 bytes.
    unsafe { _mm512_store_si512(bytes.0.as_mut_ptr().cast(), vector) };
    bytes
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "a load of what is there")]
fn vectors<const VECTORS: usize>(row: &RowBytes) -> [__m512i; VECTORS] {
    const { assert!(VECTORS * TREES <= COLUMNS_MAX, "a row has so many bytes") };
    let mut vectors = [_mm512_setzero_si512(); VECTORS];
    for (at, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the columns are aligned to 64 bytes, and have 64 of them for each of the vectors.
        *vector = unsafe { _mm512_load_si512(row.columns[at * TREES..].as_ptr().cast()) };
    }
    vectors
}
