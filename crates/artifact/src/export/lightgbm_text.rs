//! One output of an ensemble as LightGBM's text format, version 4.
//!
//! What a reader computes of it: leaf values, as f64, are added in the order of the trees to a sum
//! that begins at 0. The base is added to the leaves of the first tree, so that the sum is base,
//! first leaf, second leaf and so on, each step rounded to f64. An ensemble without trees is one
//! constant tree.
//!
//! Routing is the same as in [`boost::Tree`]: thresholds are f32 widened to f64, numbers at most the
//! threshold go left, missing values have their side (missing type NaN, default left or not). A set
//! of codes goes left in LightGBM and everything else right, so where missing values go left the
//! children are swapped. Leaves keep their positions.
//!
//! Thresholds and leaf values are the shortest decimals that read back as the same f64; gains and the
//! values of inner nodes, which no prediction uses, those of f32.
//!
//! Source: LightGBM 4.7, `src/io/tree.cpp` and `src/boosting/gbdt_model_text.cpp`.

use std::fmt::{Display, Write};

use boost::{Child, Model, Split, SplitRule, Tree};
use terms::{Feature, FeatureKind, FeatureList};

/// Decision type: the split is on a set of codes.
const CATEGORICAL: u8 = 1;
/// Decision type: missing values go left.
const DEFAULT_LEFT: u8 = 2;
/// Decision type: NaN is what is missing.
const MISSING_IS_NAN: u8 = 2 << 2;

/// The text of output `output` of a model. `objective` is what LightGBM calls its loss.
pub(super) fn lightgbm_text(
    model: &Model,
    output: usize,
    objective: &str,
    features: &FeatureList,
) -> String {
    let base = f64::from(model.base()[output]);
    let mut trees: Vec<String> = Vec::with_capacity(model.trees().len().max(1));
    for (at, tree) in model.trees().iter().enumerate() {
        let offset = if at == 0 { base } else { 0.0 };
        let value = |leaf| offset + f64::from(tree.leaf(leaf)[output]);
        let values: Vec<f64> = (0..tree.n_leaves()).map(value).collect();
        let counts = (tree.leaf_counts(), tree.split_counts());
        trees.push(tree_text(at, &tree.splits().collect::<Vec<_>>(), &values, counts));
    }
    if trees.is_empty() {
        trees.push(tree_text(0, &[], &[base], (&[1], Vec::new())));
    }

    let mut text = String::from("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\n");
    let names = features.0.iter().map(|feature| feature.name.as_str());
    let sizes = trees.iter().map(String::len);
    line(&mut text, "label_index", [0]);
    line(&mut text, "max_feature_idx", [features.len() - 1]);
    line(&mut text, "objective", [objective]);
    line(&mut text, "feature_names", names);
    line(&mut text, "feature_infos", features.0.iter().map(info));
    line(&mut text, "tree_sizes", sizes);
    text.push('\n');
    text.extend(trees);
    text.push_str("end of trees\n\nfeature_importances:\n");
    for (name, count) in split_counts(model, features) {
        line(&mut text, name, [count]);
    }
    let (objective, sigmoid) = objective.split_once(' ').unwrap_or((objective, ""));
    text.push_str("\nparameters:\n[boosting: gbdt]\n");
    text.push_str(&format!("[objective: {objective}]\n"));
    if let Some((name, value)) = sigmoid.split_once(':') {
        text.push_str(&format!("[{name}: {value}]\n"));
    }
    text.push_str("[num_class: 1]\n\nend of parameters\n\npandas_categorical:null\n");
    text
}

/// One tree, every key of it written.
fn tree_text(
    at: usize,
    splits: &[Split],
    values: &[f64],
    (of_leaves, of_splits): (&[u32], Vec<u32>),
) -> String {
    let means = means_below(splits, values, of_leaves, &of_splits);
    let children = |split: &Split| match (&split.rule, split.missing_left) {
        (SplitRule::Codes(_), true) => [split.right, split.left],
        _ => [split.left, split.right],
    };
    let link = |child| match child {
        Child::Split(split) => i64::from(split),
        Child::Leaf(leaf) => !i64::from(leaf),
    };
    let mut boundaries = vec![0];
    let mut words: Vec<u32> = Vec::new();
    let mut thresholds = Vec::with_capacity(splits.len());
    for split in splits {
        match &split.rule {
            SplitRule::AtMost(threshold) => thresholds.push(number(f64::from(*threshold))),
            SplitRule::Codes(codes) => {
                thresholds.push((boundaries.len() - 1).to_string());
                words.extend(bit_set(codes));
                boundaries.push(words.len());
            }
        }
    }
    let n_sets = boundaries.len() - 1;

    let mut text = format!("Tree={at}\n");
    line(&mut text, "num_leaves", [values.len()]);
    line(&mut text, "num_cat", [n_sets]);
    line(&mut text, "split_feature", splits.iter().map(|split| split.feature));
    line(&mut text, "split_gain", splits.iter().map(|split| split.gain));
    line(&mut text, "threshold", thresholds);
    line(&mut text, "decision_type", splits.iter().map(decision_type));
    line(&mut text, "left_child", splits.iter().map(|split| link(children(split)[0])));
    line(&mut text, "right_child", splits.iter().map(|split| link(children(split)[1])));
    line(&mut text, "leaf_value", values.iter().copied().map(number));
    line(&mut text, "leaf_weight", of_leaves);
    line(&mut text, "leaf_count", of_leaves);
    line(&mut text, "internal_value", means.into_iter().map(|mean| mean as f32));
    line(&mut text, "internal_weight", &of_splits);
    line(&mut text, "internal_count", &of_splits);
    if n_sets > 0 {
        line(&mut text, "cat_boundaries", boundaries);
        line(&mut text, "cat_threshold", words);
    }
    text.push_str("is_linear=0\nshrinkage=1\n\n\n");
    text
}

/// The mean of the values of the leaves below each split, weighted by their counts.
fn means_below(splits: &[Split], values: &[f64], of_leaves: &[u32], of_splits: &[u32]) -> Vec<f64> {
    let mut means = vec![0.0; splits.len()];
    // Children come later than their parents.
    for (at, split) in splits.iter().enumerate().rev() {
        let of = |child| match child {
            Child::Split(split) => (of_splits[split as usize], means[split as usize]),
            Child::Leaf(leaf) => (of_leaves[leaf as usize], values[leaf as usize]),
        };
        let (left, right) = (of(split.left), of(split.right));
        let share = f64::from(right.0) / f64::from(of_splits[at]);
        means[at] = left.1 + (right.1 - left.1) * share;
    }
    means
}

fn decision_type(split: &Split) -> u8 {
    match split.rule {
        // What is not in the set goes right, missing or not.
        SplitRule::Codes(_) => CATEGORICAL | MISSING_IS_NAN,
        SplitRule::AtMost(_) if split.missing_left => DEFAULT_LEFT | MISSING_IS_NAN,
        SplitRule::AtMost(_) => MISSING_IS_NAN,
    }
}

/// The set of codes as words of 32 bits, at least one.
fn bit_set(codes: &[u32]) -> Vec<u32> {
    let last = codes.iter().copied().max().unwrap_or(0);
    let mut words = vec![0; last as usize / 32 + 1];
    for code in codes {
        words[*code as usize / 32] |= 1 << (code % 32);
    }
    words
}

/// The values that a feature may have: an interval, or codes.
fn info(feature: &Feature) -> String {
    match &feature.kind {
        FeatureKind::Categorical { levels } if levels.is_empty() => "none".into(),
        FeatureKind::Categorical { levels } => {
            let codes: Vec<String> = (0..levels.len()).map(|code| code.to_string()).collect();
            codes.join(":")
        }
        FeatureKind::Numeric => {
            let largest = number(f64::from(f32::MAX));
            format!("[-{largest}:{largest}]")
        }
    }
}

/// How many splits are on each feature that has any, most first.
fn split_counts<'a>(model: &Model, features: &'a FeatureList) -> Vec<(&'a str, usize)> {
    let mut counts = vec![0; features.len()];
    for split in model.trees().iter().flat_map(Tree::splits) {
        counts[split.feature as usize] += 1;
    }
    let names = features.0.iter().map(|feature| feature.name.as_str());
    let mut named: Vec<_> = names.zip(counts).filter(|(_, count)| *count > 0).collect();
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    named
}

/// A key and its values, separated by spaces.
fn line(text: &mut String, key: &str, values: impl IntoIterator<Item = impl Display>) {
    text.push_str(key);
    for (at, value) in values.into_iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{value}", if at == 0 { '=' } else { ' ' });
    }
    if text.ends_with(key) {
        text.push('=');
    }
    text.push('\n');
}

/// The shortest decimal that reads back as the same number.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-5..1e17).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}
