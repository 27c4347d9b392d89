//! The walk through the trees without special instructions: eight trees at once, whose steps do not
//! wait for each other, without branches.
//!
//! A node is four bytes: the column that it looks at, its rank, and the first of its two children,
//! which are beside each other. A leaf is a node that leads to itself, so that all trees take as many
//! steps as the deepest of the eight.

use std::collections::VecDeque;

use boost::Child;

use super::columns::{COLUMNS_MAX, Condition, RowBytes, WORDS_MAX};
use super::leaves::Leaves;
use super::paths::Numbered;

/// Trees that are walked at once.
const TREES: usize = 8;

/// Bytes of a row: its columns, those that no split looks at, and its bits, a byte each.
const FIRST_BIT: usize = COLUMNS_MAX + 64;
const BYTES: usize = FIRST_BIT + 64 * WORDS_MAX;

/// Where the parts of a node begin, from the lowest bit on: rank, child, column; a leaf has its number
/// for a column.
const CHILD: u32 = 8;
const CHILD_MASK: u32 = (1 << 9) - 1;
const COLUMN: u32 = 17;

/// Leaves of a tree, at most, so that a node's position fits beside the rest.
pub(super) const LEAVES_MAX: usize = 256;

/// The nodes of an ensemble.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    nodes: Vec<u32>,
    blocks: Vec<BlockOfTrees>,
    n_trees: usize,
    has_bits: bool,
}

#[derive(Clone, Debug)]
struct BlockOfTrees {
    roots: [u32; TREES],
    steps: u32,
}

impl Walk {
    /// The nodes of trees, of which `conditions` are those of the splits.
    pub(super) fn of(trees: &[Numbered], conditions: &[Vec<Condition>]) -> Self {
        let mut walk = Self {
            // A leaf: where there is no eighth tree.
            nodes: vec![u8::MAX.into()],
            blocks: Vec::new(),
            n_trees: trees.len(),
            has_bits: false,
        };
        let trees: Vec<_> = trees.iter().zip(conditions).collect();
        for of_block in trees.chunks(TREES) {
            let mut block = BlockOfTrees { roots: [0; TREES], steps: 0 };
            for (root, (numbered, conditions)) in block.roots.iter_mut().zip(of_block) {
                *root = walk.nodes.len() as u32;
                block.steps = block.steps.max(walk.push(numbered, conditions));
            }
            walk.blocks.push(block);
        }
        walk
    }

    /// Appends a tree and returns its depth.
    fn push(&mut self, numbered: &Numbered, conditions: &[Condition]) -> u32 {
        let mut numbers = vec![0; numbered.leaves.len()];
        for (number, &leaf) in numbered.leaves.iter().enumerate() {
            numbers[leaf] = number as u32;
        }
        let start = self.nodes.len();
        self.nodes.push(0);
        let root = if numbered.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
        // Level by level: what is used together is together.
        let mut ahead = VecDeque::from([(0, root, 0)]);
        let mut steps = 0;
        while let Some((at, child, depth)) = ahead.pop_front() {
            steps = depth;
            self.nodes[start + at] = match child {
                Child::Leaf(leaf) => node(numbers[leaf as usize], at, u8::MAX),
                Child::Split(split) => {
                    let below = self.nodes.len() - start;
                    self.nodes.extend([0; 2]);
                    let children = &numbered.splits[split as usize];
                    ahead.push_back((below, children.left, depth + 1));
                    ahead.push_back((below + 1, children.right, depth + 1));
                    match conditions[split as usize] {
                        Condition::Above { column, rank } => node(column.into(), below, rank),
                        Condition::Bit(bit) => {
                            self.has_bits = true;
                            node((FIRST_BIT + bit) as u32, below, 0)
                        }
                    }
                }
            };
        }
        steps
    }

    /// Adds the leaves of a row to the sums.
    pub(super) fn add<const N: usize>(
        &self,
        row: &RowBytes,
        leaves: &Leaves<N>,
        sums: [f64; N],
    ) -> [f64; N] {
        if self.has_bits {
            let mut bytes = [0; BYTES];
            let (columns, bits) = bytes.split_at_mut(FIRST_BIT);
            columns.copy_from_slice(&row.columns);
            for (bytes, &word) in bits.chunks_exact_mut(64).zip(&row.bits) {
                for (bit, byte) in bytes.iter_mut().enumerate() {
                    *byte = (word >> bit) as u8 & 1;
                }
            }
            self.add_bytes(&bytes, leaves, sums)
        } else {
            self.add_bytes(&row.columns, leaves, sums)
        }
    }

    fn add_bytes<const N: usize>(
        &self,
        bytes: &[u8],
        leaves: &Leaves<N>,
        mut sums: [f64; N],
    ) -> [f64; N] {
        for (block, trees) in self.blocks.iter().enumerate() {
            let first = block * TREES;
            let n_trees = TREES.min(self.n_trees - first);
            sums = leaves.add(first, &self.leaves_of(trees, bytes)[..n_trees], sums);
        }
        sums
    }

    #[inline(always)]
    fn leaves_of(&self, trees: &BlockOfTrees, bytes: &[u8]) -> [u8; TREES] {
        let node = |at: u32| self.nodes[at as usize];
        let mut nodes = trees.roots.map(node);
        for _ in 0..trees.steps {
            for (at, &root) in nodes.iter_mut().zip(&trees.roots) {
                let goes_right = bytes[(*at >> COLUMN) as usize] > *at as u8;
                *at = node(root + (*at >> CHILD & CHILD_MASK) + u32::from(goes_right));
            }
        }
        nodes.map(|leaf| (leaf >> COLUMN) as u8)
    }
}

fn node(column: u32, child: usize, rank: u8) -> u32 {
    column << COLUMN | (child as u32) << CHILD | u32::from(rank)
}
