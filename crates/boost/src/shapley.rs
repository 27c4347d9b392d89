//! How much each feature of a row moves a prediction away from the expected one: exact Shapley values.
//!
//! The game whose values they are is that of TreeSHAP with paths (Lundberg, Erion and Lee, "Consistent
//! individualized feature attribution for tree ensembles", 2018, and Lundberg et al., "From local
//! explanations to global understanding with explainable AI for trees", 2020): with some features
//! known, a row takes both branches of a split on an unknown one, weighed by the rows that the leaves
//! below count ([`Tree::leaf_counts`](crate::Tree::leaf_counts)). LightGBM's `pred_contrib` and the Python package `shap`
//! compute the same values.
//!
//! How they are computed is not Algorithm 2 of these papers, whose subtractions lose digits on long paths.
//! A leaf of value v is reached with the known features S with the weight
//!
//! v prod(j in S: o_j) prod(j not in S: z_j)
//!
//! over the features j on its path, where o_j is 1 if the row goes that way at all splits on j, otherwise
//! 0, and z_j is the product of the branches' shares there. The Shapley value of such a product is an
//! integral (Owen, "Multilinear extensions of games", 1972):
//!
//! v (o_i - z_i) ∫ from 0 to 1 of prod(j other than i: z_j (1 - t) + o_j t) dt
//!
//! of a polynomial, which Gauss-Legendre quadrature integrates exactly with half as many points as there
//! are features on the path. All factors are positive, so nothing cancels, and the error is that of
//! rounding. Bifet, Read and Xu ("Linear TreeSHAP", 2022) evaluate a like polynomial at points.
//!
//! A row costs about (leaves) x (features on a path) x (points + outputs) multiplications for each
//! tree: [`Model::explanation_work`].

use std::collections::BTreeMap;

use crate::{Model, Tree};

/// Explains predictions of a model: what each feature of a row adds to the expected prediction.
///
/// Explained are the sums of base and leaves before they are sorted ([`OutputOrder`](crate::OutputOrder)). For each output,
/// the expected value and the values of all features add up to it.
///
/// ```
/// use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
///
/// let rule = SplitRule::AtMost(0.5);
/// let (left, right) = (Child::Leaf(0), Child::Leaf(1));
/// let split = Split { feature: 1, rule, missing_left: false, left, right, gain: 1.0 };
/// // Three rows of four go left.
/// let tree = Tree::new(&[split], vec![-1.0, 1.0], 1)?.with_leaf_counts(vec![3, 1])?;
/// let model = Model::new(vec![10.0], vec![tree], 2, OutputOrder::AsAdded)?;
/// let explainer = model.explainer();
/// assert_eq!(explainer.expected(), [9.5]);
/// let mut values = [0.0; 2];
/// explainer.explain_row(&[7.0, 1.0], &mut values);
/// assert_eq!(values, [0.0, 1.5]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explainer<'a> {
    model: &'a Model,
    trees: Vec<Shares>,
    expected: Vec<f64>,
    /// By the number of points.
    quadratures: BTreeMap<usize, Vec<Point>>,
}

/// A point of a quadrature on (0, 1).
#[derive(Clone, Copy, Debug)]
struct Point {
    t: f64,
    weight: f64,
}

/// What does not depend on the row.
#[derive(Clone, Debug)]
struct Shares {
    /// Of each split the shares of its rows that go left and right.
    of_children: Vec<[f64; 2]>,
    n_points: usize,
}

/// A feature on the path to where the walk is.
#[derive(Clone, Copy)]
struct Element {
    feature: usize,
    /// The product of the shares of the branches taken at splits on it.
    share: f64,
    /// Whether the row goes this way at all of them.
    is_followed: bool,
}

impl Element {
    fn factor(&self, point: &Point) -> f64 {
        let missing = self.share * (1.0 - point.t);
        if self.is_followed { missing + point.t } else { missing }
    }
}

/// A step of the walk through a tree.
enum Step {
    /// Down from a split to one of its sides, which the row takes or not.
    Down { split: usize, side: usize, is_followed: bool },
    /// Back up, to the path as it was: with another element of the last feature, or without it.
    Up { at: usize, before: Option<Element> },
}

impl Model {
    /// What explains predictions of this model.
    pub fn explainer(&self) -> Explainer<'_> {
        let mut expected: Vec<f64> = self.base.iter().map(|&base| f64::from(base)).collect();
        let mut trees = Vec::with_capacity(self.trees.len());
        let mut quadratures = BTreeMap::new();
        for tree in &self.trees {
            let below = tree.split_counts();
            let of_node = |(node, &all): (&crate::tree::Node, &u32)| {
                node.children
                    .map(|child| f64::from(tree.count_below(child, &below)) / f64::from(all))
            };
            let of_children = tree.nodes.iter().zip(&below).map(of_node).collect();
            let n_points = n_points(tree);
            quadratures.entry(n_points).or_insert_with(|| gauss_legendre(n_points));
            trees.push(Shares { of_children, n_points });
            let all: f64 = tree.counts.iter().copied().map(f64::from).sum();
            for (leaf, &count) in tree.counts.iter().enumerate() {
                let share = f64::from(count) / all;
                let outputs = expected.iter_mut().zip(tree.leaf(leaf));
                outputs.for_each(|(sum, &value)| *sum += share * f64::from(value));
            }
        }
        Explainer { model: self, trees, expected, quadratures }
    }

    /// How many multiplications explain a row, about: a nanosecond each, or less. Of a model from
    /// elsewhere it may be very large.
    pub fn explanation_work(&self) -> u64 {
        let of_tree = |tree: &Tree| {
            let [leaves, path] = [tree.n_leaves(), path_length_max(tree)].map(|n| n as u64);
            let of_element = (n_points(tree) + tree.n_outputs()) as u64;
            leaves.saturating_mul(path).saturating_mul(of_element)
        };
        self.trees.iter().map(of_tree).fold(0, u64::saturating_add)
    }
}

impl Explainer<'_> {
    /// The prediction of a row of which nothing is known: the mean over the rows that the leaves count.
    /// Shapes: n_outputs.
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// The Shapley values of one row.
    ///
    /// Shapes: `row` n_features; `values` n_features x n_outputs, feature by feature, overwritten.
    ///
    /// # Panics
    /// If a slice has a wrong length.
    pub fn explain_row(&self, row: &[f32], values: &mut [f64]) {
        let (n_features, n_outputs) = (self.model.n_features, self.model.n_outputs());
        assert_eq!(row.len(), n_features, "a row has a value for each feature");
        assert_eq!(values.len(), n_features * n_outputs, "values for each feature and output");
        values.fill(0.0);
        let mut walk = Walk { path: Vec::new(), at: vec![None; n_features], products: Vec::new() };
        for (tree, shares) in self.model.trees.iter().zip(&self.trees) {
            walk.add_tree(tree, shares, &self.quadratures[&shares.n_points], row, values);
        }
    }
}

/// A walk through all leaves of a tree.
struct Walk {
    /// The features on the path, each once.
    path: Vec<Element>,
    /// Where in the path each feature is.
    at: Vec<Option<usize>>,
    /// Of the path to each node above, and to the present one, the product of all factors at each point.
    products: Vec<f64>,
}

impl Walk {
    fn add_tree(
        &mut self,
        tree: &Tree,
        shares: &Shares,
        points: &[Point],
        row: &[f32],
        values: &mut [f64],
    ) {
        // A tree of one leaf predicts the same for every row.
        let Some(root) = tree.nodes.first() else { return };
        self.products.clear();
        self.products.resize(points.len(), 1.0);
        let down = |split: usize, node| {
            let left = tree.goes_left(node, row);
            [(0, left), (1, !left)].map(|(side, is_followed)| Step::Down {
                split,
                side,
                is_followed,
            })
        };
        let mut steps = Vec::from(down(0, root));
        while let Some(step) = steps.pop() {
            match step {
                Step::Down { split, side, is_followed } => {
                    let node = &tree.nodes[split];
                    let share = shares.of_children[split][side];
                    steps.push(self.go_down(node.feature.into(), share, is_followed, points));
                    match usize::try_from(node.children[side]) {
                        Ok(next) => steps.extend(down(next, &tree.nodes[next])),
                        Err(_) => {
                            let leaf = tree.leaf(!node.children[side] as usize);
                            self.add_leaf(leaf, points, values);
                        }
                    }
                }
                Step::Up { at, before } => self.go_up(at, before, points.len()),
            }
        }
    }

    /// Extends the path, and gives the step that takes it back.
    fn go_down(&mut self, feature: usize, share: f64, is_followed: bool, points: &[Point]) -> Step {
        let at = *self.at[feature].get_or_insert(self.path.len());
        let before = self.path.get(at).copied();
        let element = Element {
            feature,
            share: share * before.map_or(1.0, |element| element.share),
            is_followed: is_followed && before.is_none_or(|element| element.is_followed),
        };
        let start = self.products.len() - points.len();
        for (index, point) in points.iter().enumerate() {
            let others = self.products[start + index] / before.map_or(1.0, |old| old.factor(point));
            self.products.push(others * element.factor(point));
        }
        match self.path.get_mut(at) {
            Some(place) => *place = element,
            None => self.path.push(element),
        }
        Step::Up { at, before }
    }

    fn go_up(&mut self, at: usize, before: Option<Element>, n_points: usize) {
        self.products.truncate(self.products.len() - n_points);
        if let Some(element) = before {
            self.path[at] = element;
        } else {
            // It came last.
            self.at[self.path[at].feature] = None;
            self.path.truncate(at);
        }
    }

    /// Adds what a leaf gives to the features on its path.
    fn add_leaf(&self, leaf: &[f32], points: &[Point], values: &mut [f64]) {
        let products = &self.products[self.products.len() - points.len()..];
        let integral = |divisor: &dyn Fn(&Point) -> f64| -> f64 {
            let parts = points.iter().zip(products);
            parts.map(|(point, product)| point.weight * product / divisor(point)).sum()
        };
        // Of z_i (1 - t), the factor of a feature that is not followed, (o_i - z_i) leaves -1 / (1 - t).
        let not_followed = -integral(&|point| 1.0 - point.t);
        for element in &self.path {
            let weight = if element.is_followed {
                (1.0 - element.share) * integral(&|point| element.factor(point))
            } else {
                not_followed
            };
            let of_feature = &mut values[element.feature * leaf.len()..][..leaf.len()];
            of_feature.iter_mut().zip(leaf).for_each(|(sum, &v)| *sum += weight * f64::from(v));
        }
    }
}

/// The most features that a path may have: there are no more splits on it, and no more features in
/// the tree.
fn path_length_max(tree: &Tree) -> usize {
    let mut depths = vec![1; tree.nodes.len()];
    // Children come later than their parents.
    for (at, node) in tree.nodes.iter().enumerate() {
        for child in node.children.iter().filter_map(|&child| usize::try_from(child).ok()) {
            depths[child] = depths[at] + 1;
        }
    }
    let mut features: Vec<u16> = tree.nodes.iter().map(|node| node.feature).collect();
    features.sort_unstable();
    features.dedup();
    depths.into_iter().max().unwrap_or(0).min(features.len())
}

/// The integrand lacks the factor of one feature, and n points are exact up to degree 2n - 1.
fn n_points(tree: &Tree) -> usize {
    path_length_max(tree).div_ceil(2)
}

/// The points and weights of Gauss-Legendre quadrature on (0, 1): the roots of Legendre's polynomial, by
/// Newton's method.
fn gauss_legendre(n: usize) -> Vec<Point> {
    let point = |index: usize| {
        let mut x = libm::cos(std::f64::consts::PI * (index as f64 + 0.75) / (n as f64 + 0.5));
        // It converges quadratically, from near the root: a few steps are enough.
        let mut slope = 1.0;
        for _ in 0..8 {
            let (mut before, mut value) = (0.0, 1.0);
            for degree in 0..n {
                let degree = degree as f64;
                let next = ((2.0 * degree + 1.0) * x * value - degree * before) / (degree + 1.0);
                (before, value) = (value, next);
            }
            slope = n as f64 * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        Point { t: (1.0 - x) / 2.0, weight: 1.0 / ((1.0 - x * x) * slope * slope) }
    };
    (0..n).map(point).collect()
}

#[cfg(test)]
mod tests {
    use statistics::SplitMix64;

    use super::*;
    use crate::{Child, OutputOrder, Split, SplitRule};

    /// The value of output 0 with only the features of `known` (as bits) known, by definition.
    fn value_of(tree: &Tree, known: u32, row: &[f32]) -> f64 {
        fn below(tree: &Tree, child: i32, known: u32, row: &[f32]) -> (f64, f64) {
            let Ok(split) = usize::try_from(child) else {
                let leaf = !child as usize;
                return (f64::from(tree.leaf(leaf)[0]), f64::from(tree.counts[leaf]));
            };
            let node = &tree.nodes[split];
            let [left, right] = node.children.map(|child| below(tree, child, known, row));
            let count = left.1 + right.1;
            let value = if known >> node.feature & 1 == 1 {
                if tree.goes_left(node, row) { left.0 } else { right.0 }
            } else {
                (left.0 * left.1 + right.0 * right.1) / count
            };
            (value, count)
        }
        below(tree, if tree.nodes.is_empty() { -1 } else { 0 }, known, row).0
    }

    fn factorial(n: u32) -> f64 {
        (1..=n).map(f64::from).product()
    }

    /// The Shapley value of a feature, by definition.
    fn shapley(tree: &Tree, feature: u32, n_features: u32, row: &[f32]) -> f64 {
        let subsets = (0..1 << n_features).filter(|subset: &u32| subset >> feature & 1 == 0);
        let part = |subset: u32| {
            let size = subset.count_ones();
            let weight = factorial(size) * factorial(n_features - size - 1) / factorial(n_features);
            weight * (value_of(tree, subset | 1 << feature, row) - value_of(tree, subset, row))
        };
        subsets.map(part).sum()
    }

    /// A tree that grew leaf by leaf, on features of which the last two are of codes, with counts.
    fn random_tree(
        random: &mut SplitMix64,
        n_leaves: usize,
        n_features: usize,
        n_outputs: usize,
    ) -> Tree {
        let mut splits: Vec<Split> = Vec::new();
        let mut leaves: Vec<Option<(usize, bool)>> = vec![None];
        while leaves.len() < n_leaves {
            let (leaf, at) = (random.below(leaves.len()), splits.len());
            if let Some((parent, is_left)) = leaves[leaf] {
                let child = Child::Split(at as u32);
                if is_left { splits[parent].left = child } else { splits[parent].right = child }
            }
            let feature = random.below(n_features);
            let rule = if feature + 2 < n_features {
                SplitRule::AtMost(random.unit() as f32)
            } else {
                SplitRule::Codes((0..6).filter(|_| random.below(2) == 0).collect())
            };
            splits.push(Split {
                feature: feature as u32,
                rule,
                missing_left: random.below(2) == 0,
                left: Child::Leaf(leaf as u32),
                right: Child::Leaf(leaves.len() as u32),
                gain: 1.0,
            });
            leaves[leaf] = Some((at, true));
            leaves.push(Some((at, false)));
        }
        let value = |_| (random.unit() * 20.0 - 10.0) as f32;
        let values = (0..n_leaves * n_outputs).map(value).collect();
        let mut count = |_| {
            let most = 1 << random.below(12);
            1 + random.below(most) as u32
        };
        let counts = (0..n_leaves).map(&mut count).collect();
        Tree::new(&splits, values, n_outputs).unwrap().with_leaf_counts(counts).unwrap()
    }

    fn random_row(random: &mut SplitMix64, n_features: usize) -> Vec<f32> {
        let value = |feature: usize| match (random.below(5), feature + 2 < n_features) {
            (0, _) => f32::NAN,
            (_, true) => random.unit() as f32,
            (_, false) => random.below(7) as f32,
        };
        (0..n_features).map(value).collect()
    }

    #[test]
    fn values_are_those_of_the_definition() {
        let mut random = SplitMix64::new(3);
        let mut has_repeated = false;
        for round in 0..120 {
            let (n_features, n_leaves) = (3 + random.below(6), 1 + random.below(14));
            let tree = random_tree(&mut random, n_leaves, n_features, 2);
            has_repeated |= path_length_max(&tree) < tree.n_leaves() / 3;
            let model = Model::new(vec![0.5; 2], vec![tree], n_features, OutputOrder::AsAdded);
            let model = model.unwrap();
            let (tree, explainer) = (&model.trees[0], model.explainer());
            assert!((explainer.expected()[0] - 0.5 - value_of(tree, 0, &[])).abs() < 1e-12);
            let mut values = vec![f64::NAN; 2 * n_features];
            for _ in 0..4 {
                let row = random_row(&mut random, n_features);
                explainer.explain_row(&row, &mut values);
                for feature in 0..n_features {
                    let expected = shapley(tree, feature as u32, n_features as u32, &row);
                    let found = values[2 * feature];
                    assert!((found - expected).abs() < 1e-12, "{round}: {found} {expected}");
                }
            }
        }
        assert!(has_repeated);
    }

    #[test]
    fn expected_value_and_values_add_up_to_the_prediction() {
        let mut random = SplitMix64::new(4);
        for n_leaves in [2, 31, 200] {
            let trees = (0..30).map(|_| random_tree(&mut random, n_leaves, 40, 9)).collect();
            let model = Model::new(vec![100.0; 9], trees, 40, OutputOrder::AsAdded).unwrap();
            let explainer = model.explainer();
            let (mut values, mut predicted) = (vec![0.0; 40 * 9], [0.0; 9]);
            for _ in 0..20 {
                let row = random_row(&mut random, 40);
                explainer.explain_row(&row, &mut values);
                model.predict_row(&row, &mut predicted);
                for (output, predicted) in predicted.iter().enumerate() {
                    let sum: f64 = values.iter().skip(output).step_by(9).sum();
                    let sum = sum + explainer.expected()[output];
                    assert!((sum - predicted).abs() < 1e-10, "{n_leaves}: {sum} {predicted}");
                }
            }
        }
    }

    #[test]
    fn a_long_path_of_different_features_loses_no_digits() {
        let n_splits = 120;
        let split = |at: u32| Split {
            feature: at,
            rule: SplitRule::AtMost(0.5),
            missing_left: false,
            left: if at + 1 < n_splits { Child::Split(at + 1) } else { Child::Leaf(n_splits) },
            right: Child::Leaf(at),
            gain: 1.0,
        };
        let splits: Vec<Split> = (0..n_splits).map(split).collect();
        let n_leaves = n_splits as usize + 1;
        let mut values = vec![0.0; n_leaves];
        values[n_leaves - 1] = 1.0;
        let mut counts = vec![1; n_leaves];
        // Nearly all rows go down the whole path.
        counts[n_leaves - 1] = 1_000_000;
        let tree = Tree::new(&splits, values, 1).unwrap().with_leaf_counts(counts).unwrap();
        let n_features = n_splits as usize;
        let model = Model::new(vec![0.0], vec![tree], n_features, OutputOrder::AsAdded).unwrap();
        let explainer = model.explainer();
        let mut values = vec![0.0; n_features];
        explainer.explain_row(&vec![0.0; n_features], &mut values);
        let sum: f64 = values.iter().sum();
        let expected = 1.0 - explainer.expected()[0];
        assert!((sum / expected - 1.0).abs() < 1e-9, "{sum} {expected}");
        assert!(values.iter().all(|value| (0.5..2.0).contains(&(value * 1e6))), "{values:?}");
    }

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in [1, 2, 3, 7, 20, 64] {
            let points = gauss_legendre(n);
            for degree in 0..2 * n {
                let sum: f64 = points.iter().map(|p| p.weight * p.t.powi(degree as i32)).sum();
                let expected = 1.0 / (degree as f64 + 1.0);
                assert!((sum - expected).abs() < 1e-14, "{n} {degree}: {sum} {expected}");
            }
        }
    }

    #[test]
    fn work_grows_with_the_trees() {
        let mut random = SplitMix64::new(5);
        let tree = random_tree(&mut random, 31, 10, 9);
        let of = |n: usize| {
            let trees = vec![tree.clone(); n];
            Model::new(vec![0.0; 9], trees, 10, OutputOrder::AsAdded).unwrap().explanation_work()
        };
        assert_eq!((of(0), of(7)), (0, 7 * of(1)));
        assert!((31 * 9..31 * 10 * 14 + 1).contains(&of(1)), "{}", of(1));
    }
}
