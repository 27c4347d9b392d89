//! What the splits of an ensemble say of a row, once for all trees: each value becomes its rank among
//! the thresholds of its feature, a byte, and a bit for each split by categories.
//!
//! A column is a byte of the row that splits look at: how many of at most 254 thresholds of a feature
//! are below its value, or 255 for a missing one. A row goes right at the threshold of position r if
//! r + 1 or more are below: if the byte less r + 1, in the arithmetic of bytes, is below 254 - r, or 255 - r
//! where missing values go right too. A feature with more thresholds has further columns.
//!
//! A split by categories looks at a bit, set if the row goes right. The bits of all such splits on a
//! feature are kept for each code, or rather for each class of codes that no split tells apart.
//!
//! Thresholds are searched in two comparisons of sixteen numbers: with the last of each block of
//! sixteen, then with those of the block that is found. What is missing in a block is not a number,
//! which is below nothing.

use std::collections::BTreeMap;

use boost::{Model, Split, SplitRule};

/// Thresholds of a column, at most.
const THRESHOLDS_MAX: usize = 254;

/// The byte of a missing value.
pub(super) const MISSING: u8 = u8::MAX;

/// Thresholds of a block.
pub(super) const BLOCK: usize = 16;

/// Columns of a row, at most: as many as four vectors of 64 bytes hold.
pub(super) const COLUMNS_MAX: usize = 256;

/// Words of a row's bits, at most.
pub(super) const WORDS_MAX: usize = 64;

/// Words of the bits of all classes, at most: 16 MiB.
const CLASS_WORDS_MAX: usize = 1 << 21;

/// A row as the splits see it.
#[repr(C, align(64))]
pub(super) struct RowBytes {
    pub(super) columns: [u8; COLUMNS_MAX],
    /// Those of the splits by categories, and two words more, for reading across their end.
    pub(super) bits: [u64; WORDS_MAX + 2],
}

/// Sixteen thresholds, of which a vector is compared at once.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [f32; BLOCK]);

/// The thresholds of a column.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    pub(super) feature: u32,
    /// The position of the block with the last thresholds of the blocks that follow it.
    pub(super) first_block: u32,
}

/// The splits of a feature by categories.
#[derive(Clone, Debug)]
struct Categories {
    feature: usize,
    class_of_code: Vec<u32>,
    /// The class of all that no split has in its set, missing values and unknown codes among them.
    otherwise: u32,
}

/// What a split looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Condition {
    /// Whether a column less `from` is below `range`.
    Within { column: u8, from: u8, range: u8 },
    /// The bit of the split, by its position among the splits by categories in the order of trees.
    Bit(usize),
}

/// Of each feature its thresholds, ascending, and its first column.
pub(super) struct Thresholds(BTreeMap<u32, (Vec<f32>, usize)>);

/// The columns and bits of an ensemble.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// One for each column.
    pub(super) rankings: Vec<Ranking>,
    pub(super) blocks: Vec<Block>,
    categories: Vec<Categories>,
    /// Shapes: n_classes x n_words.
    class_bits: Vec<u64>,
    n_words: usize,
}

impl Columns {
    /// Those of a model, if they are not too many, and the thresholds that they are made of.
    pub(super) fn of(model: &Model) -> Option<(Self, Thresholds)> {
        let mut columns = Self {
            rankings: Vec::new(),
            blocks: Vec::new(),
            categories: Vec::new(),
            class_bits: Vec::new(),
            n_words: 0,
        };
        let mut of_features: BTreeMap<u32, (Vec<f32>, usize)> = BTreeMap::new();
        for split in model.trees().iter().flat_map(boost::Tree::splits) {
            if let SplitRule::AtMost(threshold) = split.rule {
                of_features.entry(split.feature).or_default().0.push(threshold);
            }
        }
        for (&feature, (thresholds, column)) in &mut of_features {
            thresholds.sort_by(f32::total_cmp);
            // Zeros of both signs are one threshold.
            thresholds.dedup_by(|a, b| a == b);
            *column = columns.rankings.len();
            for thresholds in thresholds.chunks(THRESHOLDS_MAX) {
                let first_block = columns.blocks.len() as u32;
                columns.rankings.push(Ranking { feature, first_block });
                columns.blocks.extend(blocks(thresholds));
            }
        }
        columns.rankings.shrink_to_fit();
        columns.blocks.shrink_to_fit();
        (columns.rankings.len() <= COLUMNS_MAX).then_some((columns, Thresholds(of_features)))
    }

    /// Finds the bits of all codes. `places` are those of the bits of a row, in the order of the
    /// splits by categories; false if there are too many bits or classes.
    pub(super) fn place_bits(&mut self, model: &Model, places: &[usize]) -> bool {
        let mut of_features: BTreeMap<usize, Vec<(usize, Vec<u32>, bool)>> = BTreeMap::new();
        let mut places_left = places.iter();
        for split in model.trees().iter().flat_map(boost::Tree::splits) {
            if let SplitRule::Codes(codes) = split.rule
                && let Some(&place) = places_left.next()
            {
                let of_feature = of_features.entry(split.feature as usize).or_default();
                of_feature.push((place, codes, split.missing_left));
            }
        }
        self.n_words = places.iter().max().map_or(0, |last| last / 64 + 1);
        if WORDS_MAX < self.n_words {
            return false;
        }
        let mut n_classes = 0;
        for (feature, splits) in of_features {
            let mut otherwise = vec![0; self.n_words];
            for (place, _, missing_left) in &splits {
                otherwise[place / 64] |= u64::from(!missing_left) << (place % 64);
            }
            let mut classes = BTreeMap::new();
            let mut class_of = |bits: Vec<u64>| {
                *classes.entry(bits).or_insert_with_key(|bits| {
                    self.class_bits.extend_from_slice(bits);
                    n_classes += 1;
                    n_classes - 1
                })
            };
            let n_codes = splits.iter().flat_map(|(_, codes, _)| codes).max().map_or(0, |&c| c + 1);
            // The codes of a split ascend, so each is the next one of its split once it is due.
            let mut splits: Vec<_> = (splits.into_iter())
                .map(|(place, codes, _)| (place, codes.into_iter().peekable()))
                .collect();
            let bits_of = |code: u32| {
                let mut bits = otherwise.clone();
                for (place, codes) in &mut splits {
                    let is_in = codes.next_if_eq(&code).is_some();
                    bits[*place / 64] ^= u64::from(is_in) << (*place % 64);
                }
                bits
            };
            let class_of_code = (0..n_codes).map(bits_of).map(&mut class_of).collect();
            let otherwise = class_of(otherwise);
            self.categories.push(Categories { feature, class_of_code, otherwise });
            if CLASS_WORDS_MAX < self.class_bits.len() {
                return false;
            }
        }
        self.categories.shrink_to_fit();
        self.class_bits.shrink_to_fit();
        true
    }

    /// The number of columns.
    pub(super) fn n_columns(&self) -> usize {
        self.rankings.len()
    }

    /// Writes the bits of a row.
    pub(super) fn write_bits(&self, row: &[f32], bits: &mut [u64; WORDS_MAX + 2]) {
        for of_feature in &self.categories {
            let value = row[of_feature.feature];
            // Casting saturates, and gives 0 for what is not a number.
            let code = value as u32;
            let class = of_feature.class_of_code.get(code as usize).copied();
            let class = class.filter(|_| code as f32 == value).unwrap_or(of_feature.otherwise);
            let of_class = &self.class_bits[class as usize * self.n_words..][..self.n_words];
            bits.iter_mut().zip(of_class).for_each(|(all, of_class)| *all |= of_class);
        }
    }

    /// Writes the columns of a row.
    pub(super) fn write_columns(&self, row: &[f32], columns: &mut [u8; COLUMNS_MAX]) {
        for (ranking, column) in self.rankings.iter().zip(columns) {
            let value = row[ranking.feature as usize];
            let blocks = &self.blocks[ranking.first_block as usize..];
            let below = |block: &Block| {
                // As bytes, which compilers add up in vectors.
                block.0.iter().map(|&threshold| u8::from(threshold < value)).sum::<u8>()
            };
            let block = below(&blocks[0]);
            let rank = BLOCK as u8 * block + below(&blocks[1 + usize::from(block)]);
            *column = if value.is_nan() { MISSING } else { rank };
        }
    }
}

impl Thresholds {
    /// What a split looks at; `n_bits` are the splits by categories before it, and counted on.
    pub(super) fn condition(&self, split: &Split, n_bits: &mut usize) -> Condition {
        match split.rule {
            SplitRule::AtMost(threshold) => {
                let (thresholds, first) = &self.0[&split.feature];
                let position = thresholds.partition_point(|&known| known < threshold);
                let column = (first + position / THRESHOLDS_MAX) as u8;
                let from = (position % THRESHOLDS_MAX) as u8 + 1;
                let range = MISSING - from + u8::from(!split.missing_left);
                Condition::Within { column, from, range }
            }
            SplitRule::Codes(_) => {
                *n_bits += 1;
                Condition::Bit(*n_bits - 1)
            }
        }
    }
}

impl RowBytes {
    /// None yet.
    pub(super) fn zeros() -> Self {
        Self { columns: [0; COLUMNS_MAX], bits: [0; WORDS_MAX + 2] }
    }
}

/// Ascending thresholds as blocks: the last one of each block of sixteen, then these.
fn blocks(thresholds: &[f32]) -> impl Iterator<Item = Block> {
    let block = |from: usize, step: usize| {
        let at = |place| thresholds.get(from + step * place);
        Block(std::array::from_fn(|place| at(place).copied().unwrap_or(f32::NAN)))
    };
    // One more than is full, for values above all thresholds of the last one.
    let each = (0..=thresholds.len()).step_by(BLOCK).map(move |from| block(from, 1));
    std::iter::once(block(BLOCK - 1, BLOCK)).chain(each)
}
