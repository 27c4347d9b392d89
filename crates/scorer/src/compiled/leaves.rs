//! The values of the leaves, and the adding of them.

use boost::{Model, Tree};

use super::paths::Numbered;

/// The outputs that are added at once: half a cache line, so that none is on two.
pub(super) const WIDE: usize = 8;

#[derive(Clone, Debug)]
#[repr(C, align(32))]
pub(super) struct Wide(pub(super) [f32; WIDE]);

/// The values of the leaves of all trees, for one output or nine: eight are together, the last is
/// apart.
#[derive(Clone, Debug)]
pub(super) struct Leaves<const N: usize> {
    base: [f64; N],
    /// The position of each tree's first leaf.
    pub(super) first: Vec<u32>,
    /// None for one output. The leaf before all others is zero.
    pub(super) wide: Vec<Wide>,
    /// Widened, which spares an instruction for each tree.
    pub(super) last: Vec<f64>,
}

impl<const N: usize> Leaves<N> {
    /// Whether there are eight outputs beside the last.
    pub(super) const IS_WIDE: bool = N == WIDE + 1;

    /// Those of a model, none of whose trees are in it yet.
    pub(super) fn of(model: &Model) -> Option<Self> {
        const { assert!(N == 1 || N == WIDE + 1, "one output or nine") };
        // A sum that begins at 0 is never -0.
        let base: Vec<f64> = model.base().iter().map(|&base| 0.0 + f64::from(base)).collect();
        let n_leaves = 1 + model.trees().iter().map(Tree::n_leaves).sum::<usize>();
        let mut leaves = Self {
            base: base.try_into().ok()?,
            first: Vec::with_capacity(model.trees().len()),
            wide: Vec::with_capacity(if Self::IS_WIDE { n_leaves } else { 0 }),
            last: Vec::with_capacity(n_leaves),
        };
        if Self::IS_WIDE {
            leaves.wide.push(Wide([0.0; WIDE]));
        }
        leaves.last.push(0.0);
        Some(leaves)
    }

    /// Appends the leaves of trees.
    pub(super) fn push(&mut self, trees: &[Tree], numbered: &[Numbered]) {
        for (tree, numbered) in trees.iter().zip(numbered) {
            self.first.push(self.last.len() as u32);
            for &leaf in &numbered.leaves {
                let values = tree.leaf(leaf);
                if let Ok(wide) = values[..N - 1].try_into() {
                    self.wide.push(Wide(wide));
                }
                self.last.push(values[N - 1].into());
            }
        }
    }

    /// The sums of eight outputs and of the last, to begin with.
    #[inline(always)]
    pub(super) fn base(&self) -> ([f64; WIDE], f64) {
        let (wide, last) = self.base.split_at(N - 1);
        (wide.try_into().unwrap_or([0.0; WIDE]), last[0])
    }

    /// All outputs of sums of eight and of the last.
    #[inline(always)]
    pub(super) fn outputs(wide: [f64; WIDE], last: f64) -> [f64; N] {
        std::array::from_fn(|output| if output + 1 < N { wide[output] } else { last })
    }
}
