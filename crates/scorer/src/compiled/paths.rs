//! Trees as lists of splits whose leaves are numbered from left to right.
//!
//! Each split has the first leaf below it and the first leaf below its right child. A walk needs no
//! pointers: the leaf is 0 at first, and of the splits in the order of the list, each of which comes
//! after those above it, one whose first leaf it is makes it the first leaf of the right child, if the
//! row goes right there. A split is on the row's path exactly if that is so: below the left child of a
//! split that the row passes to the right all first leaves are smaller than the leaf by then, and below
//! the right child of one that it passes to the left they are larger than any that the leaf becomes.

use boost::{Child, Split, Tree};

/// A split of a tree whose leaves are numbered from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// The position of the split in its tree.
    pub(super) split: usize,
    /// The first leaf below it.
    pub(super) first: usize,
    /// The first leaf below its right child.
    pub(super) right: usize,
}

/// A tree with its leaves numbered from left to right.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) splits: Vec<Split>,
    /// The splits, each after those above it.
    pub(super) paths: Vec<Path>,
    /// The leaves of the tree, from left to right.
    pub(super) leaves: Vec<usize>,
}

impl Numbered {
    pub(super) fn of(tree: &Tree) -> Self {
        let splits: Vec<Split> = tree.splits().collect();
        // Children come later in the list than their parents.
        let mut below = vec![0; splits.len()];
        for (at, split) in splits.iter().enumerate().rev() {
            below[at] = leaves_of(split.left, &below) + leaves_of(split.right, &below);
        }
        let mut paths = Vec::with_capacity(splits.len());
        let mut leaves = Vec::with_capacity(splits.len() + 1);
        let root = if splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
        let mut ahead = vec![root];
        while let Some(child) = ahead.pop() {
            match child {
                Child::Leaf(leaf) => leaves.push(leaf as usize),
                Child::Split(at) => {
                    let (split, first) = (&splits[at as usize], leaves.len());
                    let right = first + leaves_of(split.left, &below);
                    paths.push(Path { split: at as usize, first, right });
                    ahead.extend([split.right, split.left]);
                }
            }
        }
        Self { splits, paths, leaves }
    }
}

fn leaves_of(child: Child, below: &[usize]) -> usize {
    match child {
        Child::Leaf(_) => 1,
        Child::Split(at) => below[at as usize],
    }
}

#[cfg(test)]
mod tests {
    use boost::SplitRule;

    use super::*;

    #[test]
    fn leaves_are_numbered_from_left_to_right_and_splits_follow_those_above_them() {
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
        let path = |split, first, right| Path { split, first, right };
        assert_eq!(numbered.paths, [path(0, 0, 2), path(2, 0, 1), path(1, 2, 3)]);
        let alone = Numbered::of(&Tree::new(&[], vec![0.0], 1).unwrap());
        assert_eq!((alone.leaves, alone.paths), (vec![0], vec![]));
    }
}
