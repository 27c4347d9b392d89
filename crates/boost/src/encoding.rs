//! The encoding of a model as bytes, and its decoding.
//!
//! Version 2, all numbers little-endian: `LHBT`, version u32, n_features u32, n_outputs u32, output
//! order u8, base f32 for each output, n_trees u32, the trees, and FNV-1a 64 of all bytes before.
//! A tree: n_splits u32; for each split feature u32, left i32, right i32 (the position of a split,
//! or the bitwise complement of that of a leaf), gain f32, flags u8 (1: missing goes left, 2: codes
//! instead of a threshold), then the threshold f32, or the number of codes u32 and the codes u32 in
//! rising order; then the values f32 of each leaf, and the count u32 of each leaf.
//!
//! Version 1 has no counts, and every leaf counts 1. It is read, and no longer written.
//!
//! The checksum finds bytes that were altered by accident, the checks of [`Tree::new`] and
//! [`Model::new`] those that were altered on purpose: a decoded model can always be evaluated.

use crate::{Child, Error, Model, OutputOrder, Split, SplitRule, Tree};

const MAGIC: [u8; 4] = *b"LHBT";
const VERSION: u32 = 2;
/// The last version whose leaves have no counts.
const VERSION_WITHOUT_COUNTS: u32 = 1;
const MISSING_LEFT: u8 = 1;
const HAS_CODES: u8 = 2;

/// The smallest number of bytes of a split.
const SPLIT_BYTES: usize = 21;

impl Model {
    /// The model as bytes; equal models give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.n_features as u32).to_le_bytes());
        bytes.extend((self.base.len() as u32).to_le_bytes());
        bytes.push(match self.order {
            OutputOrder::AsAdded => 0,
            OutputOrder::Rising => 1,
        });
        self.base.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend((self.trees.len() as u32).to_le_bytes());
        self.trees.iter().for_each(|tree| encode_tree(tree, &mut bytes));
        bytes.extend(fnv1a(&bytes).to_le_bytes());
        bytes
    }

    /// The model that was encoded to these bytes.
    ///
    /// # Errors
    /// Bytes of something else, of another version, cut short or altered, or whose splits refer to
    /// features, splits or leaves that do not exist.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let version = reader.u32()?;
        if !(VERSION_WITHOUT_COUNTS..=VERSION).contains(&version) {
            return Err(Error::Version { found: version, expected: VERSION });
        }
        let n_features = reader.u32()? as usize;
        let n_outputs = reader.u32()? as usize;
        let order = match reader.take(1)?[0] {
            0 => OutputOrder::AsAdded,
            1 => OutputOrder::Rising,
            found => return Err(Error::Tag { what: "output order", at: reader.at - 1, found }),
        };
        let base = reader.numbers(n_outputs, f32::from_le_bytes)?;
        let n_trees = reader.u32()? as usize;
        reader.expect(n_trees, 4)?;
        let trees = (0..n_trees).map(|_| decode_tree(&mut reader, n_outputs, version));
        let mut trees = trees.collect::<Result<Vec<Tree>, Error>>()?;
        // It stays for as long as a service runs.
        trees.shrink_to_fit();
        let end = reader.at;
        let expected = u64::from_le_bytes(reader.array()?);
        if reader.at != bytes.len() {
            return Err(Error::Trailing { at: reader.at, len: bytes.len() });
        }
        let found = fnv1a(&bytes[..end]);
        if found != expected {
            return Err(Error::Checksum { found, expected });
        }
        Self::new(base, trees, n_features, order)
    }
}

fn encode_tree(tree: &Tree, bytes: &mut Vec<u8>) {
    bytes.extend((tree.nodes.len() as u32).to_le_bytes());
    for (split, node) in tree.splits().zip(&tree.nodes) {
        bytes.extend(split.feature.to_le_bytes());
        node.children.iter().for_each(|child| bytes.extend(child.to_le_bytes()));
        bytes.extend(split.gain.to_le_bytes());
        let missing = if split.missing_left { MISSING_LEFT } else { 0 };
        match split.rule {
            SplitRule::AtMost(threshold) => {
                bytes.push(missing);
                bytes.extend(threshold.to_le_bytes());
            }
            SplitRule::Codes(codes) => {
                bytes.push(missing | HAS_CODES);
                bytes.extend((codes.len() as u32).to_le_bytes());
                codes.iter().for_each(|code| bytes.extend(code.to_le_bytes()));
            }
        }
    }
    tree.values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    tree.counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
}

fn decode_tree(reader: &mut Reader<'_>, n_outputs: usize, version: u32) -> Result<Tree, Error> {
    let n_splits = reader.u32()? as usize;
    reader.expect(n_splits, SPLIT_BYTES)?;
    let mut splits = Vec::with_capacity(n_splits);
    for _ in 0..n_splits {
        let feature = reader.u32()?;
        let [left, right] = [reader.u32()?, reader.u32()?]
            .map(|child| if child >> 31 == 1 { Child::Leaf(!child) } else { Child::Split(child) });
        let gain = reader.f32()?;
        let flags = reader.take(1)?[0];
        if flags & !(MISSING_LEFT | HAS_CODES) != 0 {
            return Err(Error::Tag { what: "split flags", at: reader.at - 1, found: flags });
        }
        let rule = if flags & HAS_CODES == 0 {
            SplitRule::AtMost(reader.f32()?)
        } else {
            let n_codes = reader.u32()? as usize;
            SplitRule::Codes(reader.numbers(n_codes, u32::from_le_bytes)?)
        };
        let missing_left = flags & MISSING_LEFT != 0;
        splits.push(Split { feature, rule, missing_left, left, right, gain });
    }
    let n_values = (n_splits + 1).saturating_mul(n_outputs);
    let values = reader.numbers(n_values, f32::from_le_bytes)?;
    let tree = Tree::new(&splits, values, n_outputs)?;
    if version == VERSION_WITHOUT_COUNTS {
        return Ok(tree);
    }
    tree.with_leaf_counts(reader.numbers(n_splits + 1, u32::from_le_bytes)?)
}

/// Bytes, and the number of them that have been read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    /// Checks that the bytes begin with `magic`, and continues after it.
    pub(crate) fn new(bytes: &'a [u8], magic: [u8; 4]) -> Result<Self, Error> {
        let found = &bytes[..bytes.len().min(magic.len())];
        if found != magic {
            return Err(Error::Magic { found: found.to_vec(), expected: magic });
        }
        Ok(Self { bytes, at: magic.len() })
    }

    /// Checks that `n` items of `size` bytes can still follow, before memory is allocated for them.
    fn expect(&self, n: usize, size: usize) -> Result<(), Error> {
        let wanted = (n as u64).saturating_mul(size as u64);
        if ((self.bytes.len() - self.at) as u64) < wanted {
            return Err(Error::Truncated { len: self.bytes.len(), at: self.at, wanted });
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        self.expect(n, 1)?;
        let taken = &self.bytes[self.at..][..n];
        self.at += n;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn f32(&mut self) -> Result<f32, Error> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    /// Numbers of four bytes, in as much memory as they need.
    fn numbers<T>(&mut self, n: usize, of: fn([u8; 4]) -> T) -> Result<Vec<T>, Error> {
        self.expect(n, 4)?;
        let (numbers, _) = self.take(4 * n)?.as_chunks();
        Ok(numbers.iter().map(|&bytes| of(bytes)).collect())
    }
}

/// The checksum Fowler-Noll-Vo 1a of 64 bits: any single altered byte changes it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::tests::small_model;

    #[test]
    fn bytes_give_the_model_back() {
        let model = small_model();
        let bytes = model.encode();
        assert_eq!(Model::decode(&bytes).unwrap(), model);
        assert_eq!(Model::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn bytes_of_version_1_are_read_with_counts_of_1() {
        // What `small_model().encode()` gave before leaves had counts.
        let bytes = include_bytes!("../tests/fixtures/version_1.bin");
        let model = Model::decode(bytes).unwrap();
        let mut expected = small_model();
        expected.trees.iter_mut().for_each(|tree| tree.counts.fill(1));
        assert_eq!(model, expected);
        assert_eq!(Model::decode(&model.encode()).unwrap(), model);
    }

    #[test]
    fn other_versions_are_refused() {
        for version in [0, 3, u32::MAX] {
            let mut bytes = small_model().encode();
            bytes[4..8].copy_from_slice(&u32::to_le_bytes(version));
            let error = Model::decode(&bytes).unwrap_err();
            assert!(matches!(error, Error::Version { expected: 2, .. }), "{version}: {error}");
        }
    }

    #[test]
    fn the_layout_stays_as_it_was_published() {
        // Another checksum means another layout, which needs another version.
        assert_eq!(fnv1a(&small_model().encode()), 146_072_301_221_817_824);
    }

    #[test]
    fn bytes_cut_short_anywhere_are_refused() {
        let bytes = small_model().encode();
        for len in 0..bytes.len() {
            let error = Model::decode(&bytes[..len]).unwrap_err();
            assert!(
                matches!(error, Error::Magic { .. } | Error::Truncated { .. }),
                "{len}: {error}"
            );
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let mut bytes = small_model().encode();
        bytes.push(0);
        assert!(matches!(Model::decode(&bytes), Err(Error::Trailing { .. })));
    }

    #[test]
    fn any_altered_bit_is_refused() {
        let bytes = small_model().encode();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(Model::decode(&altered).is_err(), "bit {bit}");
        }
    }

    proptest! {
        /// With a valid checksum, so that only the checks of the tree remain.
        #[test]
        fn forged_bytes_give_an_error_or_a_model_that_predicts(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = small_model().encode();
            let end = bytes.len() - 8;
            for (at, byte) in changes {
                bytes[at.index(end - 9) + 9] = byte;
            }
            let sum = fnv1a(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&sum);
            if let Ok(model) = Model::decode(&bytes) && model.n_features < 1000 {
                let row = vec![1.0; model.n_features];
                model.predict_row(&row, &mut vec![0.0; model.n_outputs()]);
            }
        }
    }
}
