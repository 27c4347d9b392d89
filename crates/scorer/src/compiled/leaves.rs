//! The values of the leaves, and the adding of them.

use boost::Model;

use super::paths::Numbered;

/// Values of a leaf that are added at once: half a cache line, so that none is on two.
const WIDE: usize = 8;

#[derive(Clone, Debug)]
#[repr(C, align(32))]
struct Wide([f32; WIDE]);

/// The values of the leaves of all trees, for `N` outputs. The first eight outputs are apart from the
/// rest.
#[derive(Clone, Debug)]
pub(super) struct Leaves<const N: usize> {
    base: [f64; N],
    /// The first leaf of each tree among all.
    first: Vec<u32>,
    wide: Vec<Wide>,
    /// Shapes: n_leaves x (N modulo 8).
    narrow: Vec<f32>,
}

impl<const N: usize> Leaves<N> {
    const N_WIDE: usize = if N < WIDE { 0 } else { WIDE };
    const N_NARROW: usize = N - Self::N_WIDE;

    pub(super) fn of(model: &Model, trees: &[Numbered]) -> Option<Self> {
        const { assert!(N < 2 * WIDE, "at most one wide part") };
        // A sum that begins at 0 is never -0.
        let base: Vec<f64> = model.base().iter().map(|&base| 0.0 + f64::from(base)).collect();
        let mut leaves = Self {
            base: base.try_into().ok()?,
            first: Vec::with_capacity(trees.len()),
            wide: Vec::new(),
            narrow: Vec::new(),
        };
        let mut n_leaves = 0;
        for (tree, numbered) in model.trees().iter().zip(trees) {
            leaves.first.push(n_leaves);
            n_leaves += numbered.leaves.len() as u32;
            for &leaf in &numbered.leaves {
                let (wide, narrow) = tree.leaf(leaf).split_at(Self::N_WIDE);
                if let Ok(wide) = wide.try_into() {
                    leaves.wide.push(Wide(wide));
                }
                leaves.narrow.extend_from_slice(narrow);
            }
        }
        Some(leaves)
    }

    /// What every sum begins with.
    #[inline(always)]
    pub(super) fn base(&self) -> [f64; N] {
        self.base
    }

    /// Adds the values of these leaves, one for each tree from `first_tree` on.
    #[inline(always)]
    pub(super) fn add(&self, first_tree: usize, leaves: &[u8], mut sums: [f64; N]) -> [f64; N] {
        for (&first, &leaf) in self.first[first_tree..].iter().zip(leaves) {
            let at = first as usize + usize::from(leaf);
            if Self::N_WIDE > 0 {
                let wide = &self.wide[at].0;
                for output in 0..Self::N_WIDE {
                    sums[output] += f64::from(wide[output]);
                }
            }
            let narrow = &self.narrow[at * Self::N_NARROW..][..Self::N_NARROW];
            for output in 0..Self::N_NARROW {
                sums[Self::N_WIDE + output] += f64::from(narrow[output]);
            }
        }
        sums
    }
}
