//! The walk through sixty-four trees at once, with AVX-512.
//!
//! A slot has a split of each of the trees. The bytes of the row that these splits look at are fetched
//! by one instruction from the columns, which are in registers, and compared with the ranks by
//! another. So no split waits for the one above it, and nothing branches: all splits of all trees are
//! looked at, four instructions for sixty-four of them, and those that are not on the row's path change
//! nothing (`paths` has the reason).

use std::arch::x86_64::{
    __m512d, __m512i, _CMP_LT_OQ, _mm256_load_ps, _mm512_add_epi32, _mm512_add_pd,
    _mm512_cmp_ps_mask, _mm512_cmplt_epu8_mask, _mm512_cvtepu8_epi32, _mm512_cvtps_pd,
    _mm512_extracti32x4_epi32, _mm512_load_ps, _mm512_load_si512, _mm512_loadu_pd,
    _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_cmpge_epu8_mask, _mm512_mask_mov_epi8,
    _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8, _mm512_set1_epi8,
    _mm512_set1_ps, _mm512_setzero_si512, _mm512_store_si512, _mm512_storeu_pd, _mm512_sub_epi8,
    _pdep_u64,
};

use boost::{Model, Tree};

use super::GROUP;
use super::columns::{BLOCK, Block, COLUMNS_MAX, Columns, Condition, MISSING, RowBytes, WORDS_MAX};
use super::leaves::{Leaves, WIDE, Wide};
use super::paths::Numbered;

/// Trees that are walked at once.
const TREES: usize = GROUP;

/// Leaves of a tree, at most. The splits that are looked at are as many as leaves, the steps of the
/// portable walk their logarithm.
pub(super) const LEAVES_MAX: usize = 128;

/// Leaves that are added while a slot is looked at.
const ADDED_AT_A_SLOT: usize = 2;

/// Sixty-four bytes that are loaded at once.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Bytes([u8; TREES]);

/// A split of each of the trees. Where a tree has none, and where the split is by categories, nothing is
/// below the range, and the row does not go right.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Slot {
    columns: Bytes,
    from: Bytes,
    range: Bytes,
    /// The first leaf below the split.
    first: Bytes,
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
    /// The first leaves of each sixty-four trees.
    first: Vec<Offsets>,
    n_trees: usize,
    n_vectors: usize,
    /// Of all splits by categories.
    n_bits: u32,
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
    /// Those of a model, none of whose trees are in it yet.
    ///
    /// # Panics
    /// If this machine has not the instructions.
    pub(super) fn of(model: &Model, n_columns: usize) -> Self {
        assert!(is_available(), "slots are for machines that have the instructions");
        let groups = model.trees().chunks(TREES);
        let n_slots = groups.clone().map(|trees| trees.iter().map(Tree::n_leaves).max());
        let n_slots = n_slots.map(|n_leaves| n_leaves.unwrap_or(1) - 1).sum();
        Self {
            slots: Vec::with_capacity(n_slots),
            bits: Vec::with_capacity(n_slots),
            n_slots: Vec::with_capacity(groups.len()),
            first: Vec::with_capacity(groups.len()),
            n_trees: model.trees().len(),
            n_vectors: n_columns.div_ceil(TREES).max(1),
            n_bits: 0,
        }
    }

    /// Appends a group of trees, of which `conditions` are those of the splits and `first_leaves` the
    /// positions of the first leaves of all trees so far, and writes the places of their bits.
    pub(super) fn push(
        &mut self,
        group: &[Numbered],
        conditions: &[Vec<Condition>],
        first_leaves: &[u32],
        places: &mut [usize],
    ) {
        let mut first = Offsets([0; TREES]);
        let first_leaves = &first_leaves[TREES * self.first.len()..];
        first.0[..group.len()].copy_from_slice(first_leaves);
        self.first.push(first);
        let n_slots = group.iter().map(|tree| tree.paths.len()).max().unwrap_or(0);
        self.n_slots.push(n_slots);
        for at in 0..n_slots {
            let zeros = || Bytes([0; TREES]);
            let mut slot = Slot { columns: zeros(), from: zeros(), range: zeros(), first: zeros() };
            let mut bits = SlotBits { trees: 0, start: self.n_bits };
            for (lane, (numbered, conditions)) in group.iter().zip(conditions).enumerate() {
                let Some(path) = numbered.paths.get(at) else { continue };
                slot.first.0[lane] = path.first as u8;
                match conditions[path.split] {
                    Condition::Within { column, from, range } => {
                        slot.columns.0[lane] = column;
                        (slot.from.0[lane], slot.range.0[lane]) = (from, range);
                    }
                    Condition::Bit(bit) => {
                        bits.trees |= 1 << lane;
                        places[bit] = self.n_bits as usize;
                        self.n_bits += 1;
                    }
                }
            }
            self.slots.push(slot);
            self.bits.push(bits);
        }
    }

    /// The sums of base and leaves of a row.
    #[expect(unsafe_code, reason = "instructions that the machine has to have")]
    pub(super) fn sums<const N: usize>(
        &self,
        columns: &Columns,
        row: &[f32],
        leaves: &Leaves<N>,
    ) -> [f64; N] {
        // SAFETY: the machine has these instructions: otherwise there would be no slots.
        unsafe {
            match (self.n_vectors, self.n_bits > 0) {
                (1, false) => self.sums_of::<1, false, N>(columns, row, leaves),
                (1, true) => self.sums_of::<1, true, N>(columns, row, leaves),
                (2, false) => self.sums_of::<2, false, N>(columns, row, leaves),
                (2, true) => self.sums_of::<2, true, N>(columns, row, leaves),
                (_, false) => self.sums_of::<4, false, N>(columns, row, leaves),
                (_, true) => self.sums_of::<4, true, N>(columns, row, leaves),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2,popcnt")]
    fn sums_of<const VECTORS: usize, const BITS: bool, const N: usize>(
        &self,
        columns: &Columns,
        row: &[f32],
        leaves: &Leaves<N>,
    ) -> [f64; N] {
        let mut bytes = RowBytes::zeros();
        write_columns(columns, row, &mut bytes.columns);
        if BITS {
            columns.write_bits(row, &mut bytes.bits);
        }
        let looked_up: [__m512i; VECTORS] = vectors(&bytes.columns);
        let mut sums = Sums::of(leaves);
        let minus_one = _mm512_set1_epi8(-1);
        let mut first_slot = 0;
        let mut walked: Option<Offsets> = None;
        for (group, &n_slots) in self.n_slots.iter().enumerate() {
            let slots = self.slots[first_slot..][..n_slots].iter();
            let slots = slots.zip(&self.bits[first_slot..][..n_slots]);
            first_slot += n_slots;
            let mut leaf = _mm512_setzero_si512();
            // The leaf behind the split, in each of the trees.
            let mut behind = _mm512_setzero_si512();
            let mut step = |leaf: __m512i, (slot, of_slot): (&Slot, &SlotBits)| {
                behind = _mm512_sub_epi8(behind, minus_one);
                let column = look_up(looked_up, load(&slot.columns));
                let from = _mm512_sub_epi8(column, load(&slot.from));
                let mut goes_right = _mm512_cmplt_epu8_mask(from, load(&slot.range));
                if BITS {
                    goes_right |= _pdep_u64(sixty_four(&bytes.bits, of_slot.start), of_slot.trees);
                }
                let is_left_out = _mm512_mask_cmpge_epu8_mask(goes_right, leaf, load(&slot.first));
                _mm512_mask_mov_epi8(leaf, is_left_out, behind)
            };
            // The leaves found before are added while these trees are walked: both are chains of
            // instructions that wait for one another, but not for those of the other chain.
            if let Some(Offsets(found)) = &walked {
                let (pairs, _) = found.as_chunks::<ADDED_AT_A_SLOT>();
                let mut pairs = pairs.iter();
                for slot in slots {
                    leaf = step(leaf, slot);
                    if let Some(pair) = pairs.next() {
                        pair.iter().for_each(|&at| sums.add(leaves, at));
                    }
                }
                pairs.flatten().for_each(|&at| sums.add(leaves, at));
            } else {
                leaf = slots.fold(leaf, step);
            }
            walked = Some(positions(&self.first[group], leaf));
        }
        if let Some(Offsets(found)) = &walked {
            let n_trees = (self.n_trees - 1) % TREES + 1;
            found[..n_trees].iter().for_each(|&at| sums.add(leaves, at));
        }
        sums.outputs()
    }
}

/// The leaves of each tree, by their positions among all.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Offsets([u32; TREES]);

/// The positions of these leaves of trees that begin at `first`.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "loads and stores of what is there")]
fn positions(first: &Offsets, leaf: __m512i) -> Offsets {
    let mut all = Offsets([0; TREES]);
    let quarters = [
        _mm512_extracti32x4_epi32::<0>(leaf),
        _mm512_extracti32x4_epi32::<1>(leaf),
        _mm512_extracti32x4_epi32::<2>(leaf),
        _mm512_extracti32x4_epi32::<3>(leaf),
    ];
    for ((at, first), quarter) in
        (all.0.as_chunks_mut::<16>().0.iter_mut()).zip(first.0.as_chunks::<16>().0).zip(quarters)
    {
        // SAFETY: both are sixteen numbers, aligned to 64 bytes.
        unsafe {
            let first = _mm512_load_si512(first.as_ptr().cast());
            let position = _mm512_add_epi32(first, _mm512_cvtepu8_epi32(quarter));
            _mm512_store_si512(at.as_mut_ptr().cast(), position);
        }
    }
    all
}

/// Sums of leaves, in registers.
struct Sums<const N: usize> {
    wide: __m512d,
    last: f64,
}

impl<const N: usize> Sums<N> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a load of what is there")]
    fn of(leaves: &Leaves<N>) -> Self {
        let (wide, last) = leaves.base();
        // SAFETY: they are eight numbers.
        Self { wide: unsafe { _mm512_loadu_pd(wide.as_ptr()) }, last }
    }

    /// Adds the leaf at this position among all.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a load of what is there")]
    fn add(&mut self, leaves: &Leaves<N>, at: u32) {
        let at = at as usize;
        if Leaves::<N>::IS_WIDE {
            let Wide(wide) = &leaves.wide[at];
            // SAFETY: they are eight numbers, aligned to 32 bytes.
            let wide = unsafe { _mm256_load_ps(wide.as_ptr()) };
            self.wide = _mm512_add_pd(self.wide, _mm512_cvtps_pd(wide));
        }
        self.last += leaves.last[at];
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "a store to what is there")]
    fn outputs(self) -> [f64; N] {
        let mut wide = [0.0; WIDE];
        // SAFETY: they are eight numbers.
        unsafe { _mm512_storeu_pd(wide.as_mut_ptr(), self.wide) };
        Leaves::outputs(wide, self.last)
    }
}

/// Sixty-four bits from one on.
#[inline(always)]
fn sixty_four(bits: &[u64; WORDS_MAX + 2], start: u32) -> u64 {
    let (word, bit) = (start as usize / 64, start % 64);
    // The second shift is by 64 - bit, which may be 64.
    bits[word] >> bit | bits[word + 1] << 1 << (63 - bit)
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

/// As [`Columns::write_columns`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn write_columns(columns: &Columns, row: &[f32], bytes: &mut [u8; COLUMNS_MAX]) {
    for (ranking, byte) in columns.rankings.iter().zip(bytes) {
        let value = row[ranking.feature as usize];
        let blocks = &columns.blocks[ranking.first_block as usize..];
        let block = below(&blocks[0], value);
        let rank = BLOCK as u32 * block + below(&blocks[1 + block as usize], value);
        *byte = if value.is_nan() { MISSING } else { rank as u8 };
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
#[expect(unsafe_code, reason = "a load of what is there")]
fn vectors<const VECTORS: usize>(columns: &[u8; COLUMNS_MAX]) -> [__m512i; VECTORS] {
    const { assert!(VECTORS * TREES <= COLUMNS_MAX, "a row has so many bytes") };
    let mut vectors = [_mm512_setzero_si512(); VECTORS];
    for (at, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: there are 64 columns for each of the vectors.
        *vector = unsafe { _mm512_loadu_si512(columns[at * TREES..].as_ptr().cast()) };
    }
    vectors
}
