//! A reader of LightGBM's text format that shares nothing with its writer: it does what
//! `include/LightGBM/tree.h` of LightGBM 4.7 does with a row.

use std::collections::BTreeMap;

type Pairs = BTreeMap<String, String>;

/// The trees of a file.
pub(crate) struct Walker {
    pub(crate) header: Pairs,
    /// The keys of each tree.
    pub(crate) trees: Vec<Pairs>,
    /// The bytes of each tree's section.
    pub(crate) sizes: Vec<usize>,
    parsed: Vec<Tree>,
}

struct Tree {
    features: Vec<usize>,
    types: Vec<u8>,
    thresholds: Vec<f64>,
    children: [Vec<i64>; 2],
    values: Vec<f64>,
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl Walker {
    pub(crate) fn new(text: &str) -> Self {
        let body = text.split("end of trees").next().expect("trees");
        let mut sections = body.split("Tree=");
        let header = pairs(sections.next().expect("a header"));
        let sections: Vec<&str> = sections.collect();
        // The number of the tree is the first line.
        let of_tree = |section: &&str| pairs(section.split_once('\n').expect("a number").1);
        let trees: Vec<Pairs> = sections.iter().map(of_tree).collect();
        let sizes = sections.iter().map(|section| "Tree=".len() + section.len()).collect();
        let parsed = trees.iter().map(Tree::new).collect();
        Self { header, trees, sizes, parsed }
    }

    /// The sum of the leaves of a row, and which they are.
    pub(crate) fn predict(&self, row: &[f64]) -> (f64, Vec<u32>) {
        let leaves: Vec<u32> = self.parsed.iter().map(|tree| tree.leaf(row) as u32).collect();
        let values =
            self.parsed.iter().zip(&leaves).map(|(tree, leaf)| tree.values[*leaf as usize]);
        (values.fold(0.0, |sum, value| sum + value), leaves)
    }
}

fn pairs(text: &str) -> Pairs {
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// The values of a key.
pub(crate) fn numbers<T: std::str::FromStr>(tree: &Pairs, key: &str) -> Vec<T> {
    let text = tree.get(key).unwrap_or_else(|| panic!("no {key}"));
    let parse = |value: &str| value.parse().unwrap_or_else(|_| panic!("{key}: {value}"));
    text.split_ascii_whitespace().map(parse).collect()
}

impl Tree {
    fn new(tree: &Pairs) -> Self {
        let has_sets = tree["num_cat"] != "0";
        Self {
            features: numbers(tree, "split_feature"),
            types: numbers(tree, "decision_type"),
            thresholds: numbers(tree, "threshold"),
            children: ["left_child", "right_child"].map(|key| numbers(tree, key)),
            values: numbers(tree, "leaf_value"),
            boundaries: if has_sets { numbers(tree, "cat_boundaries") } else { Vec::new() },
            words: if has_sets { numbers(tree, "cat_threshold") } else { Vec::new() },
        }
    }

    fn leaf(&self, row: &[f64]) -> usize {
        if self.values.len() == 1 {
            return 0;
        }
        let mut at = 0;
        loop {
            let (value, kind) = (row[self.features[at]], self.types[at]);
            let goes_left = if kind & 1 == 1 {
                self.is_in_set(self.thresholds[at] as usize, value)
            } else {
                let (missing, default_left) = (kind >> 2 & 3, kind & 2 == 2);
                let value = if value.is_nan() && missing != 2 { 0.0 } else { value };
                match (missing, value.is_nan()) {
                    (2, true) => default_left,
                    (1, _) => panic!("zeros are not missing"),
                    _ => value <= self.thresholds[at],
                }
            };
            let child = self.children[usize::from(!goes_left)][at];
            match usize::try_from(child) {
                Ok(split) => at = split,
                Err(_) => return !child as usize,
            }
        }
    }

    fn is_in_set(&self, set: usize, value: f64) -> bool {
        let words = &self.words[self.boundaries[set]..self.boundaries[set + 1]];
        // LightGBM's int has 32 bits; what does not fit becomes negative there.
        if value.is_nan() || value < 0.0 || value > f64::from(i32::MAX) {
            return false;
        }
        let code = value as usize;
        words.get(code / 32).is_some_and(|word| word >> (code % 32) & 1 == 1)
    }
}
