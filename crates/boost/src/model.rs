//! An ensemble: where every prediction begins, and the trees that are added to it.

use crate::{Error, Tree};

/// What is done with a row's outputs after all trees are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputOrder {
    /// Nothing.
    AsAdded,
    /// They are sorted: quantiles never cross, and sorting never makes their loss larger
    /// (Chernozhukov, Fernández-Val and Galichon 2010).
    Rising,
}

/// An ensemble of trees.
///
/// A prediction is the base plus the values of the leaves that the row ends in, in the order of
/// the trees, in f32; it is the same to the last bit for one row and for many.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) base: Vec<f32>,
    pub(crate) trees: Vec<Tree>,
    pub(crate) n_features: usize,
    pub(crate) order: OutputOrder,
}

impl Model {
    /// A model from its parts; the base has a value for each output.
    ///
    /// # Errors
    /// A base that is empty or not finite, a tree with another number of outputs, or a split on a
    /// feature that there is not.
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

    /// Where every prediction begins.
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

    /// What is done with a row's outputs at the end.
    pub fn output_order(&self) -> OutputOrder {
        self.order
    }

    /// For each feature, the sum of the gains of its splits.
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
    use crate::{Child, Rule, Split};

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
            split(0, Rule::AtMost(0.5), Child::Split(1), Child::Leaf(2)),
            split(1, Rule::Codes(vec![2, 77]), Child::Leaf(0), Child::Leaf(1)),
        ];
        let stump = [split(2, Rule::AtMost(-1.0), Child::Leaf(0), Child::Leaf(1))];
        let trees = vec![
            Tree::new(&deep, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap(),
            Tree::new(&stump, vec![0.5, -0.5, 0.25, -9.0], 2).unwrap(),
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
