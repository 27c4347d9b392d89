//! Trees as a `TreeEnsemble` node, and the sum of their leaves.
//!
//! Our leaves hold a value for each output, those of the standard one. So each tree is a target of its
//! own, whose value is the position of the leaf that a row is routed to, and the values are taken
//! from a table by that: trees are walked once and not once for each output. They are added as the
//! scorer adds them, in f64, from the base on in the order of the trees; the sums of the node
//! itself are in no order that is promised.

use std::collections::BTreeMap;

use boost::{CATEGORY_CODE_MAX, Child, Model, Split, SplitRule, Tree};

use super::graph::{Graph, Value, byte_vector, double_vector, integer, integers};

/// Goes to the true branch if it is at most the split value.
const BRANCH_LEQ: u8 = 0;
/// … if it is equal.
const BRANCH_EQ: u8 = 4;
/// … if it is one of a set.
const BRANCH_MEMBER: u8 = 6;

/// No f32 is equal to it.
const EQUAL_TO_NOTHING: f64 = 1e300;

/// Codes are looked up as numbers from 1 on: the standard's reference takes a 0 in a set for its end.
const FIRST_CODE: f64 = 1.0;
/// What is looked up for everything that is no code.
const NO_CODE: f64 = 0.0;

/// What the nodes of trees are given: the row's values, and once more those that are looked up in sets of
/// codes. Runtimes look numbers up by what is before their point, so there whatever is no code is
/// [`NO_CODE`].
pub(super) struct RoutedValues {
    /// Shapes: N x (n_features + n_looked_up), in f64.
    values: Value,
    /// By feature the column in which it is looked up.
    looked_up: BTreeMap<u32, i64>,
}

impl RoutedValues {
    /// For the trees of these models. Shapes: `row` N x `n_features`, in f64.
    pub(super) fn new<'a>(
        graph: &mut Graph,
        models: impl Iterator<Item = &'a Model>,
        row: &Value,
        n_features: usize,
    ) -> Self {
        let splits = models.flat_map(Model::trees).flat_map(Tree::splits);
        let of_codes = splits.filter(|split| matches!(split.rule, SplitRule::Codes(_)));
        let mut looked_up: BTreeMap<u32, i64> = of_codes.map(|split| (split.feature, 0)).collect();
        for (column, at) in looked_up.values_mut().zip(n_features as i64..) {
            *column = at;
        }
        if looked_up.is_empty() {
            return Self { values: row.clone(), looked_up };
        }
        let features: Vec<i64> = looked_up.keys().map(|&feature| feature.into()).collect();
        let features = graph.integers(&[features.len()], &features);
        let codes = graph.take(row, &features, 1);
        let whole = graph.node("Floor", &[&codes]);
        let is_whole = graph.node("Equal", &[&whole, &codes]);
        let (least, most) = (graph.number(0.0), graph.number(CATEGORY_CODE_MAX.into()));
        let is_in_range = graph.at_most(&least, &codes);
        let is_code = graph.node("And", &[&is_whole, &is_in_range]);
        let is_in_range = graph.at_most(&codes, &most);
        let is_code = graph.node("And", &[&is_code, &is_in_range]);
        let (first, no_code) = (graph.number(FIRST_CODE), graph.number(NO_CODE));
        let codes = graph.add(&codes, &first);
        let codes = graph.choose(&is_code, &codes, &no_code);
        Self { values: graph.concat(&[row, &codes], 1), looked_up }
    }
}

/// The sums of base and leaves. Shapes: the result N x n_outputs, in f64.
pub(super) fn sums(graph: &mut Graph, model: &Model, row: &RoutedValues) -> Value {
    let n_outputs = model.n_outputs();
    // The base is the only leaf of a tree before the others.
    let mut table = model.base().to_vec();
    let mut starts = vec![0];
    for tree in model.trees() {
        starts.push((table.len() / n_outputs) as i64);
        (0..tree.n_leaves()).for_each(|leaf| table.extend(tree.leaf(leaf)));
    }
    let n_trees = starts.len();
    let leaves = leaves(graph, model.trees(), row);
    let leaves = graph.cast_to_i64(&leaves);
    let starts = graph.integers(&[1, n_trees], &starts);
    let positions = graph.add(&leaves, &starts);
    let table = graph.floats(&[table.len() / n_outputs, n_outputs], &table);
    let values = graph.take(&table, &positions, 0);
    let values = graph.cast_to_f64(&values);
    let running = graph.running_sum(&values, 1);
    let last = graph.take_one(&running, n_trees - 1, 1);
    graph.squeeze(&last, 1)
}

/// The position of the leaf that a row is routed to, in each tree; 0 first, for the base. Shapes:
/// N x (n_trees + 1).
fn leaves(graph: &mut Graph, trees: &[Tree], row: &RoutedValues) -> Value {
    let mut ensemble = Ensemble::default();
    for (position, tree) in trees.iter().enumerate() {
        ensemble.push(tree, position as i64 + 1, &row.looked_up);
    }
    let n_trees = trees.len() + 1;
    if ensemble.modes.is_empty() {
        // Without a split there is nothing to route.
        return graph.zeros(&row.values, n_trees);
    }
    graph.ml_node("TreeEnsemble", &[&row.values], ensemble.attributes(n_trees))
}

/// Where a row goes if what the node asks is true, and if it is false: codes leave the side of the missing
/// values, and whatever else there is goes there.
fn branches(split: &Split) -> [Child; 2] {
    match split.rule {
        SplitRule::Codes(_) if split.missing_left => [split.right, split.left],
        _ => [split.left, split.right],
    }
}

/// The attributes of the node so far: for each split, and for each leaf of all trees.
#[derive(Default)]
struct Ensemble {
    roots: Vec<i64>,
    modes: Vec<u8>,
    features: Vec<i64>,
    splits: Vec<f64>,
    members: Vec<f64>,
    missing_to_true: Vec<i64>,
    /// Of the true branch and of the false one: whether it is a leaf, and the position.
    branches: [(Vec<i64>, Vec<i64>); 2],
    leaf_targets: Vec<i64>,
    leaf_values: Vec<f64>,
}

impl Ensemble {
    fn push(&mut self, tree: &Tree, target: i64, looked_up: &BTreeMap<u32, i64>) {
        if tree.n_leaves() == 1 {
            // Nothing is added to the target, which is 0: its only leaf.
            return;
        }
        let (first_split, first_leaf) = (self.modes.len() as i64, self.leaf_targets.len() as i64);
        self.roots.push(first_split);
        // Sets are listed in the order of their splits, which is that of the nodes in the standard and
        // of a walk, true branches first, in its reference: here both are the same.
        let splits: Vec<Split> = tree.splits().collect();
        let mut order = Vec::with_capacity(splits.len());
        let mut position = vec![0; splits.len()];
        let mut to_visit = vec![0];
        while let Some(at) = to_visit.pop() {
            position[at] = first_split + order.len() as i64;
            order.push(at);
            let [when_true, when_false] = branches(&splits[at]);
            for child in [when_false, when_true] {
                if let Child::Split(next) = child {
                    to_visit.push(next as usize);
                }
            }
        }
        for split in order.into_iter().map(|at| &splits[at]) {
            let feature = match split.rule {
                SplitRule::AtMost(_) => None,
                SplitRule::Codes(_) => looked_up.get(&split.feature),
            };
            self.features.push(feature.copied().unwrap_or(split.feature.into()));
            self.push_rule(split);
            for ((is_leaf, at), child) in self.branches.iter_mut().zip(branches(split)) {
                let (leaf, of_child) = match child {
                    Child::Split(split) => (false, position[split as usize]),
                    Child::Leaf(leaf) => (true, first_leaf + i64::from(leaf)),
                };
                is_leaf.push(leaf.into());
                at.push(of_child);
            }
        }
        for leaf in 0..tree.n_leaves() {
            self.leaf_targets.push(target);
            self.leaf_values.push(leaf as f64);
        }
    }

    fn push_rule(&mut self, split: &Split) {
        let (mode, value, missing_to_true) = match &split.rule {
            SplitRule::AtMost(threshold) => (BRANCH_LEQ, f64::from(*threshold), split.missing_left),
            SplitRule::Codes(codes) if codes.is_empty() => (BRANCH_EQ, EQUAL_TO_NOTHING, false),
            SplitRule::Codes(codes) => {
                self.members.extend(codes.iter().map(|&code| f64::from(code) + FIRST_CODE));
                self.members.push(f64::NAN);
                (BRANCH_MEMBER, 0.0, false)
            }
        };
        self.modes.push(mode);
        self.splits.push(value);
        self.missing_to_true.push(missing_to_true.into());
    }

    fn attributes(self, n_targets: usize) -> Vec<super::proto::AttributeProto> {
        let [(true_leafs, true_ids), (false_leafs, false_ids)] = self.branches;
        let mut attributes = vec![
            integer("n_targets", n_targets as i64),
            integers("tree_roots", self.roots),
            byte_vector("nodes_modes", self.modes),
            integers("nodes_featureids", self.features),
            double_vector("nodes_splits", &self.splits),
            integers("nodes_missing_value_tracks_true", self.missing_to_true),
            integers("nodes_trueleafs", true_leafs),
            integers("nodes_truenodeids", true_ids),
            integers("nodes_falseleafs", false_leafs),
            integers("nodes_falsenodeids", false_ids),
            integers("leaf_targetids", self.leaf_targets),
            double_vector("leaf_weights", &self.leaf_values),
        ];
        if !self.members.is_empty() {
            attributes.push(double_vector("membership_values", &self.members));
        }
        attributes
    }
}
