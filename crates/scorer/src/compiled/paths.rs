//! Trees as lists of splits whose leaves are numbered from left to right.
//!
//! Splits are in the order of the leaves too: between each two leaves that are next to each other is one
//! split, which has the one at the end of its left side and the other at the beginning of its right side.
//! A walk needs no pointers: at a split where it goes right, a row cannot be in the leaves of the left
//! side, which are those from the split's first leaf on up to the split itself, and its leaf is the first
//! one that is left. So the leaf is 0 at first, and of the splits in their order each at which the row
//! goes right, and whose first leaf is not beyond the leaf, makes it the one behind the split: those
//! before it are all excluded by then.
//!
//! Source: the leaf as the first one that no split excludes is QuickScorer's (Lucchese et al., SIGIR 2015).

use boost::{Child, Split, Tree};

/// A split of a tree whose leaves are numbered from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// The position of the split in its tree.
    pub(super) split: usize,
    /// The first leaf below it.
    pub(super) first: usize,
}

/// A tree with its leaves numbered from left to right.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) splits: Vec<Split>,
    /// The splits from left to right: each comes after the leaf of its own position.
    pub(super) paths: Vec<Path>,
    /// The leaves of the tree, from left to right.
    pub(super) leaves: Vec<usize>,
}

impl Numbered {
    pub(super) fn of(tree: &Tree) -> Self {
        let splits: Vec<Split> = tree.splits().collect();
        let mut paths = Vec::with_capacity(splits.len());
        let mut leaves = Vec::with_capacity(splits.len() + 1);
        // The splits above, of which the left side is done once a leaf is reached.
        let mut above: Vec<Path> = Vec::new();
        let mut child = if splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
        loop {
            match child {
                Child::Split(at) => {
                    above.push(Path { split: at as usize, first: leaves.len() });
                    child = splits[at as usize].left;
                }
                Child::Leaf(leaf) => {
                    leaves.push(leaf as usize);
                    let Some(path) = above.pop() else { break };
                    child = splits[path.split].right;
                    paths.push(path);
                }
            }
        }
        Self { splits, paths, leaves }
    }
}

#[cfg(test)]
mod tests {
    use boost::SplitRule;

    use super::*;

    #[test]
    fn leaves_and_splits_are_in_their_order_from_left_to_right() {
        let split = |left, right| Split {
            feature: 0,
            rule: SplitRule::AtMost(0.0),
            missing_left: false,
            left,
            right,
            gain: 0.0,
        };
        let splits = [
            split(Child::Split(2), Child::Split(1)),
            split(Child::Leaf(3), Child::Leaf(0)),
            split(Child::Leaf(1), Child::Leaf(2)),
        ];
        let numbered = Numbered::of(&Tree::new(&splits, vec![0.0; 4], 1).unwrap());
        assert_eq!(numbered.leaves, [1, 2, 3, 0]);
        let path = |split, first| Path { split, first };
        assert_eq!(numbered.paths, [path(2, 0), path(0, 0), path(1, 2)]);
        let alone = Numbered::of(&Tree::new(&[], vec![0.0], 1).unwrap());
        assert_eq!((alone.leaves, alone.paths), (vec![0], vec![]));
    }
}
