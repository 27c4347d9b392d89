//! A reader of LightGBM's text format that shares nothing with its writer: it does what
//! `include/LightGBM/tree.h` of LightGBM 4.7 does with a row.

use std::collections::BTreeMap;

/// The trees of a file.
pub struct Walker {
    pub header: BTreeMap<String, String>,
    pub trees: Vec<BTreeMap<String, String>>,
    /// The bytes of each tree's section.
    pub sizes: Vec<usize>,
}

impl Walker {
    pub fn new(text: &str) -> Self {
        let body = text.split("end of trees").next().expect("trees");
        let mut sections = body.split("Tree=");
        let header = pairs(sections.next().expect("a header"));
        let sections: Vec<&str> = sections.collect();
        Self {
            header,
            // The number of the tree is the first line.
            trees: sections
                .iter()
                .map(|section| pairs(section.split_once('\n').expect("a number").1))
                .collect(),
            sizes: sections.iter().map(|section| "Tree=".len() + section.len()).collect(),
        }
    }

    /// The sum of the leaves of a row, and which they are.
    pub fn predict(&self, row: &[f64]) -> (f64, Vec<u32>) {
        let mut sum = 0.0;
        let mut leaves = Vec::new();
        for tree in &self.trees {
            let leaf = leaf(tree, row);
            sum += numbers::<f64>(tree, "leaf_value")[leaf];
            leaves.push(leaf as u32);
        }
        (sum, leaves)
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// The values of a key.
pub fn numbers<T: std::str::FromStr>(tree: &BTreeMap<String, String>, key: &str) -> Vec<T> {
    let text = tree.get(key).unwrap_or_else(|| panic!("no {key}"));
    let parse = |value: &str| value.parse().unwrap_or_else(|_| panic!("{key}: {value}"));
    text.split_ascii_whitespace().map(parse).collect()
}

fn leaf(tree: &BTreeMap<String, String>, row: &[f64]) -> usize {
    if tree["num_leaves"] == "1" {
        return 0;
    }
    let features = numbers::<usize>(tree, "split_feature");
    let types = numbers::<u8>(tree, "decision_type");
    let thresholds = numbers::<f64>(tree, "threshold");
    let (left, right) = (numbers::<i64>(tree, "left_child"), numbers::<i64>(tree, "right_child"));
    let mut at = 0;
    loop {
        let (value, kind) = (row[features[at]], types[at]);
        let goes_left = if kind & 1 == 1 {
            is_in_set(tree, thresholds[at] as usize, value)
        } else {
            let (missing, default_left) = (kind >> 2 & 3, kind & 2 == 2);
            let value = if value.is_nan() && missing != 2 { 0.0 } else { value };
            match (missing, value.is_nan()) {
                (2, true) => default_left,
                (1, _) => panic!("zeros are not missing"),
                _ => value <= thresholds[at],
            }
        };
        let child = if goes_left { left[at] } else { right[at] };
        match usize::try_from(child) {
            Ok(split) => at = split,
            Err(_) => return !child as usize,
        }
    }
}

fn is_in_set(tree: &BTreeMap<String, String>, set: usize, value: f64) -> bool {
    let boundaries = numbers::<usize>(tree, "cat_boundaries");
    let words = &numbers::<u32>(tree, "cat_threshold")[boundaries[set]..boundaries[set + 1]];
    // LightGBM's int has 32 bits; what does not fit becomes negative there.
    if value.is_nan() || value < 0.0 || value > f64::from(i32::MAX) {
        return false;
    }
    let code = value as usize;
    words.get(code / 32).is_some_and(|word| word >> (code % 32) & 1 == 1)
}
