//! The walk through the trees without special instructions: eight trees at once, whose steps do not
//! wait for each other, without branches.
//!
//! A node has the column that it looks at, what the row goes right for, and the first of its two
//! children, which are beside each other. A leaf is a node that leads to itself, so that all trees take
//! as many steps as the deepest of the eight.

use std::collections::VecDeque;

use boost::{Child, Model};

use super::columns::{COLUMNS_MAX, Columns, Condition, RowBytes, WORDS_MAX};
use super::leaves::{Leaves, WIDE};
use super::paths::Numbered;

/// Trees that are walked at once.
const TREES: usize = 8;

/// Bytes of a row: its columns, then its bits, a byte each.
const BYTES: usize = COLUMNS_MAX + 64 * WORDS_MAX;

/// Leaves of a tree, at most: their numbers are bytes.
pub(super) const LEAVES_MAX: usize = 256;

/// A node: the row goes right if the column less `from` is below `range`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
struct Node {
    /// The position of the left child among all nodes; the right one is the next. Of a leaf its own.
    child: u32,
    /// Of a leaf its number.
    column: u16,
    from: u8,
    range: u8,
}

/// The nodes of an ensemble.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    nodes: Vec<Node>,
    blocks: Vec<BlockOfTrees>,
    has_bits: bool,
}

#[derive(Clone, Debug)]
struct BlockOfTrees {
    roots: [u32; TREES],
    steps: u32,
}

impl Walk {
    /// That of a model, none of whose trees are in it yet.
    pub(super) fn of(model: &Model) -> Self {
        let n_nodes = model.trees().iter().map(|tree| 2 * tree.n_leaves() - 1).sum::<usize>();
        let mut nodes = Vec::with_capacity(1 + n_nodes);
        // A leaf: where there is no eighth tree.
        nodes.push(Node::leaf(0, 0));
        let blocks = Vec::with_capacity(model.trees().len().div_ceil(TREES));
        Self { nodes, blocks, has_bits: false }
    }

    /// Appends trees, of which `conditions` are those of the splits.
    pub(super) fn push(&mut self, trees: &[Numbered], conditions: &[Vec<Condition>]) {
        for (trees, conditions) in trees.chunks(TREES).zip(conditions.chunks(TREES)) {
            let mut block = BlockOfTrees { roots: [0; TREES], steps: 0 };
            for (root, (tree, conditions)) in
                block.roots.iter_mut().zip(trees.iter().zip(conditions))
            {
                *root = self.nodes.len() as u32;
                block.steps = block.steps.max(self.push_tree(tree, conditions));
            }
            self.blocks.push(block);
        }
    }

    /// Appends a tree and returns its depth.
    fn push_tree(&mut self, numbered: &Numbered, conditions: &[Condition]) -> u32 {
        let mut numbers = vec![0; numbered.leaves.len()];
        for (number, &leaf) in numbered.leaves.iter().enumerate() {
            numbers[leaf] = number as u32;
        }
        let start = self.nodes.len();
        self.nodes.push(Node::leaf(0, 0));
        let root = if numbered.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
        // Level by level: what is used together is together.
        let mut ahead = VecDeque::from([(start, root, 0)]);
        let mut steps = 0;
        while let Some((at, child, depth)) = ahead.pop_front() {
            steps = depth;
            self.nodes[at] = match child {
                Child::Leaf(leaf) => Node::leaf(at, numbers[leaf as usize]),
                Child::Split(split) => {
                    let below = self.nodes.len();
                    self.nodes.extend([Node::leaf(0, 0); 2]);
                    let children = &numbered.splits[split as usize];
                    ahead.push_back((below, children.left, depth + 1));
                    ahead.push_back((below + 1, children.right, depth + 1));
                    let child = below as u32;
                    match conditions[split as usize] {
                        Condition::Within { column, from, range } => {
                            Node { child, column: column.into(), from, range }
                        }
                        Condition::Bit(bit) => {
                            self.has_bits = true;
                            let column = (COLUMNS_MAX + bit) as u16;
                            Node { child, column, from: 1, range: 1 }
                        }
                    }
                }
            };
        }
        steps
    }

    /// The sums of base and leaves of a row.
    pub(super) fn sums<const N: usize>(
        &self,
        columns: &Columns,
        row: &[f32],
        leaves: &Leaves<N>,
    ) -> [f64; N] {
        let mut of_row = RowBytes::zeros();
        columns.write_columns(row, &mut of_row.columns);
        if !self.has_bits {
            return self.sums_of(&of_row.columns, leaves);
        }
        columns.write_bits(row, &mut of_row.bits);
        let mut bytes = [0; BYTES];
        let (columns, bits) = bytes.split_at_mut(COLUMNS_MAX);
        columns.copy_from_slice(&of_row.columns);
        for (bytes, &word) in bits.chunks_exact_mut(64).zip(&of_row.bits) {
            for (bit, byte) in bytes.iter_mut().enumerate() {
                *byte = (word >> bit) as u8 & 1;
            }
        }
        self.sums_of(&bytes, leaves)
    }

    fn sums_of<const N: usize>(&self, bytes: &[u8], leaves: &Leaves<N>) -> [f64; N] {
        let (mut wide, mut last) = leaves.base();
        for (trees, first) in self.blocks.iter().zip(leaves.first.chunks(TREES)) {
            for (&first, &leaf) in first.iter().zip(&self.leaves_of(trees, bytes)) {
                let at = first as usize + usize::from(leaf);
                if Leaves::<N>::IS_WIDE {
                    let values = &leaves.wide[at].0;
                    for output in 0..WIDE {
                        wide[output] += f64::from(values[output]);
                    }
                }
                last += leaves.last[at];
            }
        }
        Leaves::outputs(wide, last)
    }

    #[inline(always)]
    fn leaves_of(&self, trees: &BlockOfTrees, bytes: &[u8]) -> [u8; TREES] {
        let mut at = trees.roots;
        for _ in 0..trees.steps {
            for at in &mut at {
                let node = self.nodes[*at as usize];
                let byte = bytes[usize::from(node.column)];
                *at = node.child + u32::from(byte.wrapping_sub(node.from) < node.range);
            }
        }
        at.map(|leaf| self.nodes[leaf as usize].column as u8)
    }
}

impl Node {
    /// Never goes right.
    fn leaf(at: usize, number: u32) -> Self {
        Self { child: at as u32, column: number as u16, from: 0, range: 0 }
    }
}
