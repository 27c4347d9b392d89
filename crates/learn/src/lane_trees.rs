//! Trees whose only splits are those of the lane: its regions, its carrier, its service. A lane with too
//! few rows has the values of the coarser one, and in the end those of all rows.

use std::collections::BTreeMap;

use boost::{CATEGORY_CODE_MAX, Child, Split, SplitRule, Tree};
use terms::{Matrix, column};

/// The parts of a lane, the coarsest first.
const LANE: [&str; 4] =
    [column::DESTINATION_REGION, column::ORIGIN_REGION, column::CARRIER, column::SERVICE];

/// A tree of the lanes of a matrix, in which every lane with values of its own has a leaf.
///
/// `values` gives what a leaf predicts for the rows of a lane; `None` where they are too few, and then
/// the leaf of the coarser lane holds them. `of_all` is the leaf of all rows. Shapes: each n_outputs.
///
/// # Errors
/// If a value is not finite.
pub(crate) fn lane_tree(
    matrix: &Matrix,
    of_all: Vec<f32>,
    values: &dyn Fn(&[usize]) -> Option<Vec<f32>>,
) -> Result<Tree, boost::Error> {
    let is_category = |at: &usize| matrix.features.0[*at].is_categorical();
    let parts: Vec<usize> =
        LANE.iter().filter_map(|name| matrix.features.position(name)).filter(is_category).collect();
    let n_outputs = of_all.len();
    let mut growing = Growing { matrix, values, splits: Vec::new(), leaves: Vec::new() };
    let rows: Vec<usize> = (0..matrix.n_rows()).collect();
    growing.grow(Lane { rows, values: of_all }, &parts);
    Tree::new(&growing.splits, growing.leaves.concat(), n_outputs)
}

/// The rows of a lane, and what its leaf predicts.
struct Lane {
    rows: Vec<usize>,
    values: Vec<f32>,
}

struct Growing<'a> {
    matrix: &'a Matrix,
    values: &'a dyn Fn(&[usize]) -> Option<Vec<f32>>,
    /// Each comes before its children.
    splits: Vec<Split>,
    leaves: Vec<Vec<f32>>,
}

impl Growing<'_> {
    /// The subtree of a lane, divided by the remaining parts.
    fn grow(&mut self, lane: Lane, parts: &[usize]) -> Child {
        let Some((&part, finer)) = parts.split_first() else { return self.leaf(lane.values) };
        let mut by_code: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &row in &lane.rows {
            let code = self.matrix.columns[part][row];
            if (0.0..=CATEGORY_CODE_MAX as f32).contains(&code) {
                by_code.entry(code as u32).or_default().push(row);
            }
        }
        let of_code = |(code, rows): (u32, Vec<usize>)| {
            let values = (self.values)(&rows)?;
            Some((code, Lane { rows, values }))
        };
        let known: Vec<(u32, Lane)> = by_code.into_iter().filter_map(of_code).collect();
        if known.is_empty() {
            return self.grow(lane, finer);
        }
        // Lanes that are missing, new, or have too few rows go to the leaf of all of them.
        let codes = known.iter().map(|(code, _)| *code).collect();
        let at = self.split(part, SplitRule::Codes(codes));
        let left = self.divide(known, part, finer);
        let right = self.leaf(lane.values);
        self.set_children(at, left, right)
    }

    /// The subtree that leads each of these codes to its lane, by halves.
    fn divide(&mut self, mut lanes: Vec<(u32, Lane)>, part: usize, finer: &[usize]) -> Child {
        let upper = lanes.split_off(lanes.len() / 2);
        let Some((last, _)) = lanes.last() else {
            // Half of one is none.
            let mut lanes = upper.into_iter().map(|(_, lane)| self.grow(lane, finer));
            return lanes.next().unwrap_or(Child::Leaf(0));
        };
        let at = self.split(part, SplitRule::AtMost(*last as f32));
        let left = self.divide(lanes, part, finer);
        let right = self.divide(upper, part, finer);
        self.set_children(at, left, right)
    }

    fn leaf(&mut self, values: Vec<f32>) -> Child {
        self.leaves.push(values);
        Child::Leaf(self.leaves.len() as u32 - 1)
    }

    /// Adds a split whose children are not known yet, and gives its position.
    fn split(&mut self, part: usize, rule: SplitRule) -> usize {
        let none = Child::Leaf(0);
        let feature = part as u32;
        let split =
            Split { feature, rule, missing_left: false, left: none, right: none, gain: 0.0 };
        self.splits.push(split);
        self.splits.len() - 1
    }

    fn set_children(&mut self, at: usize, left: Child, right: Child) -> Child {
        self.splits[at].left = left;
        self.splits[at].right = right;
        Child::Split(at as u32)
    }
}

#[cfg(test)]
mod tests {
    use terms::{Feature, FeatureKind, FeatureList};

    use super::*;

    #[test]
    fn every_lane_with_enough_rows_has_its_leaf_and_others_that_of_the_coarser_one() {
        let levels = (0..9).map(|level| level.to_string()).collect();
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let features = FeatureList(vec![
            feature(column::CARRIER, FeatureKind::Categorical { levels: vec!["c".into()] }),
            feature("distance_km", FeatureKind::Numeric),
            feature(column::DESTINATION_REGION, FeatureKind::Categorical { levels }),
        ]);
        // Ten rows to each of five regions, two to another; the first region has half a carrier.
        let regions: Vec<f32> = (0..52).map(|row| (row / 10) as f32).collect();
        let carriers = (0..52).map(|row| if row % 2 == 0 { 0.0 } else { f32::NAN }).collect();
        let matrix = Matrix { features, columns: vec![carriers, vec![7.0; 52], regions] };
        let count = |rows: &[usize]| {
            let enough = rows.len() >= 10 || rows == [0, 2, 4, 6, 8];
            enough.then(|| vec![rows.len() as f32, rows[0] as f32])
        };
        let tree = lane_tree(&matrix, vec![52.0, -1.0], &count).unwrap();
        let leaf = |carrier: f32, region: f32| tree.leaf(tree.leaf_of(&[carrier, 7.0, region]));
        assert_eq!(leaf(0.0, 0.0), [5.0, 0.0]);
        assert_eq!(leaf(f32::NAN, 0.0), [10.0, 0.0]);
        for region in 1..5 {
            assert_eq!(leaf(0.0, region as f32), [10.0, 10.0 * region as f32]);
        }
        for unknown in [5.0, 8.0, 300.0, -1.0, f32::NAN] {
            assert_eq!(leaf(0.0, unknown), [52.0, -1.0], "{unknown}");
        }
    }

    #[test]
    fn without_a_lane_there_is_one_leaf() {
        let features =
            FeatureList(vec![Feature { name: "distance_km".into(), kind: FeatureKind::Numeric }]);
        let matrix = Matrix { features, columns: vec![vec![1.0; 9]] };
        let tree = lane_tree(&matrix, vec![3.0], &|_| Some(vec![5.0])).unwrap();
        assert_eq!((tree.n_leaves(), tree.leaf(0)), (1, [3.0].as_slice()));
    }
}
