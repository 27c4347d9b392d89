//! An ensemble of trees: the base of every prediction, and the trees that are added to it.

use crate::{Error, Tree};

/// What is done with the outputs of a row after all trees are added.
///
/// ```
/// use boost::{Model, OutputOrder};
///
/// let predict = |order| {
///     let model = Model::new(vec![3.0, 1.0], Vec::new(), 1, order)?;
///     model.predict(&[vec![0.0]])
/// };
/// assert_eq!(predict(OutputOrder::AsAdded)?, [3.0, 1.0]);
/// assert_eq!(predict(OutputOrder::Rising)?, [1.0, 3.0]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputOrder {
    /// Nothing: each output is the sum of its base and leaf values.
    AsAdded,
    /// They are sorted, so that quantiles never cross; sorting never makes their loss larger
    /// (Chernozhukov, Fernández-Val and Galichon 2010).
    Rising,
}

/// An ensemble of trees.
///
/// A prediction is the base plus the values of the leaves that the row is routed to, added in the
/// order of the trees, in f64; it is the same to the last bit for one row and for many.
///
/// ```
/// use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
///
/// let rule = SplitRule::AtMost(0.5);
/// let (left, right) = (Child::Leaf(0), Child::Leaf(1));
/// let split = Split { feature: 1, rule, missing_left: false, left, right, gain: 2.0 };
/// let tree = Tree::new(&[split], vec![-1.0, 1.0], 1)?;
/// let model = Model::new(vec![10.0], vec![tree], 2, OutputOrder::AsAdded)?;
///
/// assert_eq!(model.predict(&[vec![7.0, 7.0], vec![0.0, 1.0]])?, [9.0, 11.0]);
/// let mut outputs = [0.0];
/// model.predict_row(&[7.0, 1.0], &mut outputs);
/// assert_eq!(outputs, [11.0]);
/// assert_eq!(model.split_gain_by_feature(), [0.0, 2.0]);
/// assert_eq!(Model::decode(&model.encode())?, model);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) base: Vec<f32>,
    pub(crate) trees: Vec<Tree>,
    pub(crate) n_features: usize,
    pub(crate) order: OutputOrder,
}

impl Model {
    /// A model from its parts. Shapes: `base` n_outputs; it predicts rows of `n_features` values.
    ///
    /// # Errors
    /// A base that is empty or not finite, a tree with another number of outputs, or a split on a
    /// feature that does not exist.
    pub fn new(
        base: Vec<f32>,
        trees: Vec<Tree>,
        n_features: usize,
        order: OutputOrder,
    ) -> Result<Self, Error> {
        if base.is_empty() {
            return Err(Error::Empty { what: "outputs" });
        }
        if let Some(index) = base.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { what: "base", index, found: base[index] });
        }
        for tree in &trees {
            if tree.n_outputs != base.len() {
                let (found, expected) = (tree.n_outputs, base.len());
                return Err(Error::Length { what: "leaves of a tree", found, expected });
            }
            let beyond = |node: &crate::tree::Node| n_features <= node.feature as usize;
            if let Some(split) = tree.nodes.iter().position(beyond) {
                let found = tree.nodes[split].feature.into();
                let expected = "below the number of features";
                return Err(Error::Link { split, what: "feature", found, expected });
            }
        }
        Ok(Self { base, trees, n_features, order })
    }

    /// What every prediction begins with. Shapes: n_outputs.
    pub fn base(&self) -> &[f32] {
        &self.base
    }

    /// The trees, in the order in which they are added.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The number of values in a row.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The number of values in a prediction.
    pub fn n_outputs(&self) -> usize {
        self.base.len()
    }

    /// What is done with the outputs of a row after all trees are added.
    pub fn output_order(&self) -> OutputOrder {
        self.order
    }

    /// The sum of the gains of all splits on each feature: its importance. Shapes: n_features.
    pub fn split_gain_by_feature(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.n_features];
        for tree in &self.trees {
            for (node, &gain) in tree.nodes.iter().zip(&tree.gains) {
                gains[node.feature as usize] += f64::from(gain);
            }
        }
        gains
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Child, Split, SplitRule};

    /// Two trees over three features with two outputs.
    pub(crate) fn small_model() -> Model {
        let split = |feature, rule, left, right| Split {
            feature,
            rule,
            missing_left: feature == 1,
            left,
            right,
            gain: 2.5,
        };
        let deep = [
            split(0, SplitRule::AtMost(0.5), Child::Split(1), Child::Leaf(2)),
            split(1, SplitRule::Codes(vec![2, 77]), Child::Leaf(0), Child::Leaf(1)),
        ];
        let stump = [split(2, SplitRule::AtMost(-1.0), Child::Leaf(0), Child::Leaf(1))];
        let deep = Tree::new(&deep, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        let stump = Tree::new(&stump, vec![0.5, -0.5, 0.25, -9.0], 2).unwrap();
        let trees = vec![
            deep.with_leaf_counts(vec![7, 1, 12]).unwrap(),
            stump.with_leaf_counts(vec![300, 2]).unwrap(),
        ];
        Model::new(vec![10.0, 11.0], trees, 3, OutputOrder::Rising).unwrap()
    }

    #[test]
    fn gains_are_summed_by_feature() {
        assert_eq!(small_model().split_gain_by_feature(), [2.5, 2.5, 2.5]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let Model { base, trees, .. } = small_model();
        let build = |base, n_features| {
            Model::new(base, trees.clone(), n_features, OutputOrder::AsAdded)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(build(base, 2), "split 0: feature 2 must be below the number of features");
        assert_eq!(build(vec![0.0], 3), "leaves of a tree must have length 1, found 2");
        assert_eq!(build(vec![], 3), "no outputs");
        assert_eq!(build(vec![f32::NAN, 0.0], 3), "base 0 must be finite, found NaN");
    }
}
