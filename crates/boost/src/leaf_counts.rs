//! How many rows of a sample end in each leaf (see [`Tree::leaf_counts`]).

use rayon::prelude::*;

use crate::{Error, Model, Tree};

/// Rows of a block, whose values fit the cache beside a tree.
const BLOCK_ROWS: usize = 256;

impl Model {
    /// The same model with the rows of a sample counted: each leaf has one more than end in it, in place
    /// of what it counted before. Shapes: `columns` n_features x n_rows.
    ///
    /// ```
    /// use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
    ///
    /// let rule = SplitRule::AtMost(0.5);
    /// let (left, right) = (Child::Leaf(0), Child::Leaf(1));
    /// let split = Split { feature: 0, rule, missing_left: false, left, right, gain: 1.0 };
    /// let tree = Tree::new(&[split], vec![-1.0, 1.0], 1)?;
    /// let model = Model::new(vec![0.0], vec![tree], 1, OutputOrder::AsAdded)?;
    /// let counted = model.counted(&[vec![0.0, 0.1, 0.2, 7.0]])?;
    /// assert_eq!(counted.trees()[0].leaf_counts(), [4, 2]);
    /// # Ok::<(), boost::Error>(())
    /// ```
    ///
    /// # Errors
    /// Another number of columns than the model has features, columns of different lengths, or more
    /// than 2^31 - 1 rows and leaves.
    pub fn counted(self, columns: &[Vec<f32>]) -> Result<Self, Error> {
        let n_rows = self.n_rows_of(columns)?;
        let starts: Vec<usize> = (0..n_rows).step_by(BLOCK_ROWS).collect();
        let none = || -> Vec<Vec<u32>> {
            self.trees.iter().map(|tree| vec![0; tree.n_leaves()]).collect()
        };
        let count = |mut counts: Vec<Vec<u32>>, &start: &usize| {
            let rows = self.rows(columns, start, BLOCK_ROWS.min(n_rows - start));
            for (tree, counts) in self.trees.iter().zip(&mut counts) {
                rows.chunks_exact(self.n_features).for_each(|row| counts[tree.leaf_of(row)] += 1);
            }
            counts
        };
        let add = |mut sums: Vec<Vec<u32>>, counts: Vec<Vec<u32>>| {
            let pairs = sums.iter_mut().flatten().zip(counts.iter().flatten());
            pairs.for_each(|(sum, count)| *sum += count);
            sums
        };
        let counts = starts.par_iter().fold(none, count).reduce(none, add);
        let with_counts = |(tree, counts): (Tree, Vec<u32>)| {
            tree.with_leaf_counts(counts.into_iter().map(|count| count.saturating_add(1)).collect())
        };
        let trees = self.trees.into_iter().zip(counts).map(with_counts);
        Ok(Self { trees: trees.collect::<Result<_, _>>()?, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::small_model;

    #[test]
    fn each_leaf_counts_its_rows_and_one_more() {
        let model = small_model();
        let n_rows = 2 * BLOCK_ROWS + 3;
        let column = |step: usize| -> Vec<f32> {
            let value =
                |row: usize| if row.is_multiple_of(5) { f32::NAN } else { (row * step % 7) as f32 };
            (0..n_rows).map(|row| value(row) - 2.0).collect()
        };
        let columns = [column(1), column(2), column(3)];
        let mut expected = [vec![1; 3], vec![1; 2]];
        for row in 0..n_rows {
            let values: Vec<f32> = columns.iter().map(|column| column[row]).collect();
            for (tree, counts) in model.trees().iter().zip(&mut expected) {
                counts[tree.leaf_of(&values)] += 1;
            }
        }
        let counted = model.clone().counted(&columns).unwrap();
        for (tree, counts) in counted.trees().iter().zip(expected) {
            assert_eq!(tree.leaf_counts(), counts);
        }
        // What was counted before does not matter, and without rows nothing is counted.
        assert_eq!(counted.clone().counted(&columns).unwrap(), counted);
        let empty = counted.counted(&[vec![], vec![], vec![]]).unwrap();
        assert!(empty.trees().iter().flat_map(Tree::leaf_counts).all(|&count| count == 1));
        assert!(model.counted(&columns[..2]).is_err());
    }
}
