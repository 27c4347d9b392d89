//! One tree: splits in a flat list, a vector of values in each leaf.
//!
//! A tree may be built from [`Split`]s of any origin (training, a converted forest, decoded bytes).
//! It is checked: the children of a split come later in the list, and every split and leaf is the
//! child of exactly one split, so that routing always ends in a leaf.
//!
//! Routing of a row at a split: a missing value (NaN) goes to the split's missing side. A number goes
//! left if it is at most the threshold. A category in the split's set goes to the side that missing
//! values do not go to; every other value, seen in training or not, goes with the missing ones.
//!
//! A leaf counts one more than the rows of a sample that end in it (Laplace's rule of succession; 1
//! where none has been counted). No prediction uses the counts: they weigh the branches of a split where
//! a prediction is explained by what it would be without a feature, and a branch of no weight would be
//! divided by zero.

use crate::Error;

/// The most rows that the leaves of a tree count together: what other readers hold in 32 bits with a
/// sign.
const COUNT_MAX: u64 = i32::MAX as u64;

/// The largest category code that a column or a split may have.
pub const CATEGORY_CODE_MAX: u32 = 65_535;

/// A child of a split: another split or a leaf of the same tree.
///
/// ```
/// use boost::{Child, Split, SplitRule};
///
/// let rule = SplitRule::AtMost(0.5);
/// let (left, right) = (Child::Leaf(0), Child::Split(1));
/// let split = Split { feature: 0, rule, missing_left: true, left, right, gain: 1.0 };
/// assert_eq!(split.right, Child::Split(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// The split at this position, later in the list.
    Split(u32),
    /// The leaf at this position.
    Leaf(u32),
}

/// How a split divides the values of its column that are not missing.
///
/// ```
/// use boost::{Child, Split, SplitRule, Tree};
///
/// let stump = |rule| {
///     let (left, right) = (Child::Leaf(0), Child::Leaf(1));
///     let split = Split { feature: 0, rule, missing_left: false, left, right, gain: 1.0 };
///     Tree::new(&[split], vec![-1.0, 1.0], 1)
/// };
/// let numeric = stump(SplitRule::AtMost(2.5))?;
/// assert_eq!([numeric.leaf_of(&[2.5]), numeric.leaf_of(&[3.0])], [0, 1]);
/// // Missing values go right, so the codes go left; other codes go with the missing values.
/// let categorical = stump(SplitRule::Codes(vec![3, 7]))?;
/// assert_eq!([categorical.leaf_of(&[7.0]), categorical.leaf_of(&[5.0])], [0, 1]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum SplitRule {
    /// Values up to this threshold go left.
    AtMost(f32),
    /// Categories with these codes go to the side that missing values do not go to.
    Codes(Vec<u32>),
}

/// One split of a tree, as [`Tree::new`] takes it and [`Tree::splits`] gives it.
///
/// ```
/// use boost::{Child, Split, SplitRule, Tree};
///
/// let split = Split {
///     feature: 0,
///     rule: SplitRule::AtMost(10.0),
///     missing_left: true,
///     left: Child::Leaf(0),
///     right: Child::Leaf(1),
///     gain: 3.5,
/// };
/// let tree = Tree::new(std::slice::from_ref(&split), vec![1.0, 2.0], 1)?;
/// assert_eq!(tree.splits().next(), Some(split));
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Position of the column.
    pub feature: u32,
    /// How it divides the values that are not missing.
    pub rule: SplitRule,
    /// Whether missing values go left.
    pub missing_left: bool,
    /// The left child.
    pub left: Child,
    /// The right child.
    pub right: Child,
    /// How much the loss fell by this split; for feature importance only.
    pub gain: f32,
}

/// A checked tree: it always routes a row to one of its leaves.
///
/// ```
/// use boost::{Child, Split, SplitRule, Tree};
///
/// let split = |rule, left, right| {
///     Split { feature: 0, rule, missing_left: false, left, right, gain: 1.0 }
/// };
/// let splits = [
///     split(SplitRule::AtMost(5.0), Child::Split(1), Child::Leaf(2)),
///     split(SplitRule::AtMost(2.0), Child::Leaf(0), Child::Leaf(1)),
/// ];
/// // Three leaves with two outputs each.
/// let tree = Tree::new(&splits, vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0], 2)?;
/// assert_eq!((tree.n_leaves(), tree.n_outputs()), (3, 2));
/// assert_eq!(tree.leaf(tree.leaf_of(&[4.0])), [2.0, 20.0]);
/// assert_eq!(tree.leaf(tree.leaf_of(&[f32::NAN])), [3.0, 30.0]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) gains: Vec<f32>,
    /// The bit sets of category codes of all nodes, one after the other.
    pub(crate) sets: Vec<u64>,
    /// Shapes: n_leaves x n_outputs.
    pub(crate) values: Vec<f32>,
    /// One for each leaf.
    pub(crate) counts: Vec<u32>,
    pub(crate) n_outputs: usize,
}

/// A split in the form in which rows are routed: 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Node {
    /// Unused where there is a set of codes.
    pub(crate) threshold: f32,
    /// Left and right child: the position of a node, or the bitwise complement of that of a leaf.
    pub(crate) children: [i32; 2],
    pub(crate) feature: u16,
    /// The number of words of the set of codes; [`NO_SET`] where there is a threshold.
    pub(crate) set_words: u16,
    /// The position of the first word of the set of codes.
    pub(crate) set_start: u32,
    pub(crate) missing_left: bool,
}

/// The value of `set_words` of a node that has a threshold instead of a set of codes.
pub(crate) const NO_SET: u16 = u16::MAX;

impl Tree {
    /// A tree from its splits, the first of which is the root, and the values of its leaves.
    ///
    /// Shapes: `values` n_leaves x `n_outputs`, with one leaf more than splits.
    ///
    /// # Errors
    /// A child that is not later in the list, a split or leaf that is the child of no split or of
    /// two, a number that is not finite, a code or feature beyond its limit, or values of the wrong
    /// length.
    pub fn new(splits: &[Split], values: Vec<f32>, n_outputs: usize) -> Result<Self, Error> {
        let n_leaves = splits.len() + 1;
        if n_outputs == 0 {
            return Err(Error::Empty { what: "outputs" });
        }
        if values.len() != n_leaves * n_outputs {
            let found = values.len();
            return Err(Error::Length {
                what: "leaf values",
                found,
                expected: n_leaves * n_outputs,
            });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { what: "leaf value", index, found: values[index] });
        }
        check_links(splits)?;
        let mut tree = Self {
            nodes: Vec::with_capacity(splits.len()),
            gains: Vec::with_capacity(splits.len()),
            sets: Vec::new(),
            values,
            counts: vec![1; n_leaves],
            n_outputs,
        };
        for (index, split) in splits.iter().enumerate() {
            tree.push(index, split)?;
        }
        Ok(tree)
    }

    fn push(&mut self, index: usize, split: &Split) -> Result<(), Error> {
        let feature = u16::try_from(split.feature).map_err(|_| Error::Link {
            split: index,
            what: "feature",
            found: split.feature.into(),
            expected: "at most 65535",
        })?;
        if !split.gain.is_finite() {
            return Err(Error::NotFinite { what: "gain of split", index, found: split.gain });
        }
        let set_start = self.sets.len() as u32;
        let (threshold, set_words) = match &split.rule {
            SplitRule::AtMost(threshold) => (*threshold, NO_SET),
            SplitRule::Codes(codes) => (0.0, self.push_set(index, codes)?),
        };
        if threshold.is_nan() {
            return Err(Error::NotFinite { what: "threshold of split", index, found: threshold });
        }
        let child = |child| match child {
            Child::Split(split) => split as i32,
            Child::Leaf(leaf) => !(leaf as i32),
        };
        let children = [child(split.left), child(split.right)];
        let missing_left = split.missing_left;
        self.nodes.push(Node { threshold, children, feature, set_words, set_start, missing_left });
        self.gains.push(split.gain);
        Ok(())
    }

    /// Appends a bit set of codes and returns its number of words.
    fn push_set(&mut self, split: usize, codes: &[u32]) -> Result<u16, Error> {
        let max = codes.iter().copied().max().unwrap_or(0);
        if CATEGORY_CODE_MAX < max {
            let (what, expected) = ("category code", "at most 65535");
            return Err(Error::Link { split, what, found: max.into(), expected });
        }
        let words = max as usize / 64 + 1;
        let start = self.sets.len();
        self.sets.resize(start + words, 0);
        for &code in codes {
            self.sets[start + code as usize / 64] |= 1 << (code % 64);
        }
        Ok(words as u16)
    }

    /// The same tree with other counts of its leaves. Shapes: n_leaves.
    ///
    /// ```
    /// use boost::Tree;
    ///
    /// let leaf = Tree::new(&[], vec![1.5], 1)?;
    /// assert_eq!(leaf.leaf_counts(), [1]);
    /// assert_eq!(leaf.clone().with_leaf_counts(vec![70])?.leaf_counts(), [70]);
    /// assert!(leaf.with_leaf_counts(vec![0]).is_err());
    /// # Ok::<(), boost::Error>(())
    /// ```
    ///
    /// # Errors
    /// Another number of counts than leaves, a count of 0, or counts whose sum is above 2^31 - 1.
    pub fn with_leaf_counts(mut self, counts: Vec<u32>) -> Result<Self, Error> {
        if counts.len() != self.n_leaves() {
            let (found, expected) = (counts.len(), self.n_leaves());
            return Err(Error::Length { what: "leaf counts", found, expected });
        }
        let mut sum = 0;
        for (leaf, count) in counts.iter().copied().map(u64::from).enumerate() {
            sum += count;
            if count == 0 {
                return Err(Error::LeafCount { leaf, found: 0, expected: "at least 1" });
            }
            if COUNT_MAX < sum {
                let expected = "at most 2147483647 with those before it";
                return Err(Error::LeafCount { leaf, found: sum, expected });
            }
        }
        self.counts = counts;
        Ok(self)
    }

    /// The rows that each leaf counts. Shapes: n_leaves; at least 1 each.
    pub fn leaf_counts(&self) -> &[u32] {
        &self.counts
    }

    /// The rows that the leaves below each split count. Shapes: n_splits.
    pub fn split_counts(&self) -> Vec<u32> {
        let mut below = vec![0; self.nodes.len()];
        // Children come later than their parents.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            below[at] = node.children.iter().map(|&child| self.count_below(child, &below)).sum();
        }
        below
    }

    /// The count of a child, given those of the splits.
    pub(crate) fn count_below(&self, child: i32, of_splits: &[u32]) -> u32 {
        usize::try_from(child).map_or_else(|_| self.counts[!child as usize], |at| of_splits[at])
    }

    /// The number of leaves, one more than splits.
    pub fn n_leaves(&self) -> usize {
        self.nodes.len() + 1
    }

    /// The number of values in each leaf.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// The values of a leaf.
    ///
    /// # Panics
    /// If there is no such leaf.
    pub fn leaf(&self, leaf: usize) -> &[f32] {
        &self.values[leaf * self.n_outputs..][..self.n_outputs]
    }

    /// The splits, root first, as [`Tree::new`] takes them.
    pub fn splits(&self) -> impl Iterator<Item = Split> + '_ {
        self.nodes.iter().zip(&self.gains).map(|(node, &gain)| {
            let rule = if node.set_words == NO_SET {
                SplitRule::AtMost(node.threshold)
            } else {
                let set = self.set(node);
                let is_in = |code: &u32| set[*code as usize / 64] >> (code % 64) & 1 == 1;
                SplitRule::Codes((0..set.len() as u32 * 64).filter(is_in).collect())
            };
            let [left, right] = node.children.map(|child| match u32::try_from(child) {
                Ok(split) => Child::Split(split),
                Err(_) => Child::Leaf(!child as u32),
            });
            let (feature, missing_left) = (node.feature.into(), node.missing_left);
            Split { feature, rule, missing_left, left, right, gain }
        })
    }

    /// The position of the leaf that a row is routed to. Shapes: `row` n_features.
    ///
    /// # Panics
    /// If the row has no value for a feature of the tree's splits.
    #[inline]
    pub fn leaf_of(&self, row: &[f32]) -> usize {
        if self.nodes.is_empty() {
            return 0;
        }
        let mut at = 0;
        loop {
            let node = &self.nodes[at as usize];
            at = node.children[usize::from(!self.goes_left(node, row))];
            if at < 0 {
                return !at as usize;
            }
        }
    }

    /// Whether a row goes left at a node.
    #[inline(always)]
    pub(crate) fn goes_left(&self, node: &Node, row: &[f32]) -> bool {
        let value = row[node.feature as usize];
        if node.set_words == NO_SET {
            (value <= node.threshold) | (node.missing_left & value.is_nan())
        } else {
            self.is_in_set(node, value) != node.missing_left
        }
    }

    fn set(&self, node: &Node) -> &[u64] {
        &self.sets[node.set_start as usize..][..node.set_words as usize]
    }

    /// Whether a value is one of the node's codes; never for NaN, negatives and fractions.
    fn is_in_set(&self, node: &Node, value: f32) -> bool {
        // Casting saturates, and gives 0 for NaN.
        let code = value as u32;
        let word = self.set(node).get(code as usize / 64).copied().unwrap_or(0);
        code as f32 == value && word >> (code % 64) & 1 == 1
    }
}

/// Checks that children come later in the list, and that every leaf and every split but the root is
/// the child of exactly one split.
fn check_links(splits: &[Split]) -> Result<(), Error> {
    let n_leaves = splits.len() + 1;
    let mut is_split_used = vec![false; splits.len()];
    let mut is_leaf_used = vec![splits.is_empty(); n_leaves];
    if let Some(root) = is_split_used.first_mut() {
        *root = true;
    }
    for (index, split) in splits.iter().enumerate() {
        for child in [split.left, split.right] {
            let (what, found, used, forwards) = match child {
                Child::Split(to) => {
                    ("split", to, is_split_used.get_mut(to as usize), index < to as usize)
                }
                Child::Leaf(to) => ("leaf", to, is_leaf_used.get_mut(to as usize), true),
            };
            let link = |expected| Error::Link { split: index, what, found: found.into(), expected };
            let used = used.ok_or(link("within the tree"))?;
            if !forwards {
                return Err(link("later in the list"));
            }
            if std::mem::replace(used, true) {
                return Err(link("pointed to once"));
            }
        }
    }
    // Each of the 2n children is another one of the n - 1 splits after the root and n + 1 leaves.
    match is_leaf_used.iter().position(|used| !used) {
        Some(index) => Err(Error::Unreachable { what: "leaf", index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(rule: SplitRule, missing_left: bool, left: Child, right: Child) -> Split {
        Split { feature: 0, rule, missing_left, left, right, gain: 1.0 }
    }

    fn stump(rule: SplitRule, missing_left: bool) -> Tree {
        let split = split(rule, missing_left, Child::Leaf(0), Child::Leaf(1));
        Tree::new(&[split], vec![0.0, 1.0], 1).unwrap()
    }

    #[test]
    fn numbers_up_to_the_threshold_go_left_and_missing_to_their_side() {
        for missing_left in [false, true] {
            let tree = stump(SplitRule::AtMost(2.0), missing_left);
            assert_eq!(tree.leaf_of(&[2.0]), 0);
            assert_eq!(tree.leaf_of(&[2.0001]), 1);
            assert_eq!(tree.leaf_of(&[f32::NEG_INFINITY]), 0);
            assert_eq!(tree.leaf_of(&[f32::NAN]), usize::from(!missing_left));
        }
    }

    #[test]
    fn codes_leave_the_missing_side_and_all_else_joins_it() {
        for missing_left in [false, true] {
            let tree = stump(SplitRule::Codes(vec![3, 200]), missing_left);
            let missing_side = usize::from(!missing_left);
            for known in [3.0, 200.0] {
                assert_eq!(tree.leaf_of(&[known]), 1 - missing_side);
            }
            for other in [0.0, 4.0, 3.5, 1e9, -3.0, f32::NAN, f32::INFINITY] {
                assert_eq!(tree.leaf_of(&[other]), missing_side, "{other}");
            }
        }
    }

    #[test]
    fn splits_come_back_as_they_were_given() {
        let splits = [
            split(SplitRule::Codes(vec![1, 64, 130]), true, Child::Split(1), Child::Leaf(2)),
            split(SplitRule::AtMost(-0.5), false, Child::Leaf(1), Child::Leaf(0)),
        ];
        let tree = Tree::new(&splits, vec![0.0; 6], 2).unwrap();
        assert_eq!(tree.splits().collect::<Vec<_>>(), splits);
    }

    #[test]
    fn counts_add_up_and_are_refused_where_there_is_none() {
        let rule = || SplitRule::AtMost(0.0);
        let splits = [
            split(rule(), false, Child::Split(2), Child::Split(1)),
            split(rule(), false, Child::Leaf(3), Child::Leaf(0)),
            split(rule(), false, Child::Leaf(1), Child::Leaf(2)),
        ];
        let tree = Tree::new(&splits, vec![0.0; 4], 1).unwrap();
        assert_eq!((tree.leaf_counts(), tree.split_counts()), ([1; 4].as_slice(), vec![4, 2, 2]));
        let counted = tree.clone().with_leaf_counts(vec![1, 20, 300, 4000]).unwrap();
        assert_eq!(counted.split_counts(), [4321, 4001, 320]);
        assert_ne!(counted, tree);
        let refused = |counts| tree.clone().with_leaf_counts(counts).unwrap_err().to_string();
        assert_eq!(refused(vec![1; 3]), "leaf counts must have length 4, found 3");
        assert_eq!(refused(vec![1, 1, 0, 1]), "leaf 2: the count 0 must be at least 1");
        assert_eq!(
            refused(vec![1, i32::MAX as u32, 1, 1]),
            "leaf 1: the count 2147483648 must be at most 2147483647 with those before it"
        );
    }

    #[track_caller]
    fn refused(splits: &[Split], message: &str) {
        let values = vec![0.0; splits.len() + 1];
        assert_eq!(Tree::new(splits, values, 1).unwrap_err().to_string(), message);
    }

    #[test]
    fn trees_that_are_no_trees_are_refused() {
        let rule = || SplitRule::AtMost(0.0);
        let (a, b) = (Child::Leaf(0), Child::Leaf(1));
        refused(&[split(rule(), false, a, a)], "split 0: leaf 0 must be pointed to once");
        refused(
            &[split(rule(), false, a, Child::Leaf(2))],
            "split 0: leaf 2 must be within the tree",
        );
        refused(
            &[split(rule(), false, Child::Split(1), a), split(rule(), false, Child::Split(1), b)],
            "split 1: split 1 must be later in the list",
        );
        refused(
            &[split(rule(), false, a, b), split(rule(), false, Child::Leaf(2), a)],
            "split 1: leaf 0 must be pointed to once",
        );
        refused(
            &[split(SplitRule::AtMost(f32::NAN), false, a, b)],
            "threshold of split 0 must be finite, found NaN",
        );
        refused(
            &[split(SplitRule::Codes(vec![70_000]), false, a, b)],
            "split 0: category code 70000 must be at most 65535",
        );
    }
}
