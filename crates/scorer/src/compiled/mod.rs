//! An ensemble in the form in which a single row is predicted fastest, to the same bits as by
//! [`boost::Model::predict_row`].
//!
//! The values of a row are compared with thresholds once for all trees (`columns`), the trees are
//! walked by what came of it (`paths`; `portable` and `avx512` are two ways to the same leaves), and
//! the values of the leaves (`leaves`) are added in f64 in the order of the trees.
//!
//! A model beyond the limits, with more leaves, thresholds or categories than bytes have room for, is
//! walked as it is. Of either form only that is kept which is walked.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod columns;
mod leaves;
mod paths;
mod portable;
#[cfg(test)]
mod tests;

use boost::{Model, OutputOrder};
use columns::Columns;
use leaves::Leaves;
use paths::Numbered;
use portable::Walk;

/// Trees whose splits are in memory in all forms at once while an ensemble is compiled.
const GROUP: usize = 64;

/// What the trees of a scorer are walked with. The same bits come of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// The walk that [`boost::Model::predict_row`] takes, node by node.
    Plain,
    /// Eight trees at once, on any machine.
    Portable,
    /// Sixty-four trees at once, with AVX-512 (F, BW, VL and VBMI).
    Avx512,
}

impl Instructions {
    /// The fastest that this machine has.
    pub fn best() -> Self {
        if Self::Avx512.is_available() { Self::Avx512 } else { Self::Portable }
    }

    /// Whether this machine has them.
    pub fn is_available(self) -> bool {
        match self {
            Self::Plain | Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 => false,
        }
    }
}

/// The trees of a model with `N` outputs, in the form in which rows are predicted.
#[derive(Clone, Debug)]
pub(crate) enum Ensemble<const N: usize> {
    Compiled(Box<Compiled<N>>),
    /// Walked as it is.
    Plain(Model),
}

impl<const N: usize> Ensemble<N> {
    /// The form for the fastest of these instructions that the model's size allows.
    pub(crate) fn of(model: Model, instructions: Instructions) -> Self {
        match Compiled::of(&model, instructions) {
            Some(compiled) => Self::Compiled(Box::new(compiled)),
            None => Self::Plain(model),
        }
    }

    /// The prediction of a row, without allocating. Shapes: `row` n_features.
    ///
    /// # Panics
    /// If `row` has another length, or the model another number of outputs.
    pub(crate) fn predict_row(&self, row: &[f32]) -> [f64; N] {
        match self {
            Self::Compiled(compiled) => compiled.predict_row(row),
            Self::Plain(model) => {
                let mut outputs = [0.0; N];
                model.predict_row(row, &mut outputs);
                outputs
            }
        }
    }
}

/// A compiled ensemble with `N` outputs.
#[derive(Clone, Debug)]
pub(crate) struct Compiled<const N: usize> {
    columns: Columns,
    leaves: Leaves<N>,
    walk: Engine,
    order: OutputOrder,
    n_features: usize,
}

#[derive(Clone, Debug)]
enum Engine {
    Portable(Walk),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Slots),
}

impl<const N: usize> Compiled<N> {
    /// The compiled form of a model for the fastest of these instructions that its size allows; None
    /// if it is to be walked as it is.
    pub(crate) fn of(model: &Model, instructions: Instructions) -> Option<Self> {
        if instructions == Instructions::Plain || !instructions.is_available() {
            return None;
        }
        let n_leaves = model.trees().iter().map(boost::Tree::n_leaves).max().unwrap_or(1);
        if portable::LEAVES_MAX < n_leaves {
            return None;
        }
        let (mut columns, thresholds) = Columns::of(model)?;
        let mut leaves = Leaves::of(model)?;
        let mut walk = match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 if n_leaves <= avx512::LEAVES_MAX => {
                Engine::Avx512(avx512::Slots::of(model, columns.n_columns()))
            }
            _ => Engine::Portable(Walk::of(model)),
        };
        let (mut n_bits, mut places) = (0, Vec::new());
        for trees in model.trees().chunks(GROUP) {
            let numbered: Vec<Numbered> = trees.iter().map(Numbered::of).collect();
            let conditions: Vec<Vec<_>> = (numbered.iter())
                .map(|tree| {
                    let splits = tree.splits.iter();
                    splits.map(|split| thresholds.condition(split, &mut n_bits)).collect()
                })
                .collect();
            leaves.push(trees, &numbered);
            match &mut walk {
                Engine::Portable(walk) => {
                    walk.push(&numbered, &conditions);
                    places.extend(places.len()..n_bits);
                }
                #[cfg(target_arch = "x86_64")]
                Engine::Avx512(slots) => {
                    places.resize(n_bits, 0);
                    slots.push(&numbered, &conditions, &leaves.first, &mut places);
                }
            }
        }
        drop(thresholds);
        let (order, n_features) = (model.output_order(), model.n_features());
        let fits = columns.place_bits(model, &places);
        fits.then_some(Self { columns, leaves, walk, order, n_features })
    }

    /// The prediction of a row, without allocating. Shapes: `row` n_features.
    ///
    /// # Panics
    /// If `row` has another length.
    pub(crate) fn predict_row(&self, row: &[f32]) -> [f64; N] {
        assert_eq!(row.len(), self.n_features, "a row has a value for each feature");
        let mut outputs = match &self.walk {
            Engine::Portable(walk) => walk.sums(&self.columns, row, &self.leaves),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(slots) => slots.sums(&self.columns, row, &self.leaves),
        };
        if self.order == OutputOrder::Rising {
            outputs.sort_unstable_by(f64::total_cmp);
        }
        outputs
    }
}
