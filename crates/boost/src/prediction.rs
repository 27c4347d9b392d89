//! Prediction: of one row without allocating, or of many in parallel.
//!
//! Both add the base and the leaf values, which are f32, in f64 and in the order of the trees. So they
//! agree to the last bit, with each other and with whoever adds the same numbers in that order.
//! Many rows are predicted in blocks, tree by tree, so that a tree stays in the cache.

use std::ops::AddAssign;

use rayon::prelude::*;

use crate::float_order::sort_key;
use crate::{Error, Model, OutputOrder};

/// Rows of a block, whose values fit the cache beside a tree.
const BLOCK_ROWS: usize = 256;

impl Model {
    /// Predicts one row, without allocating.
    ///
    /// Shapes: `row` n_features; `outputs` n_outputs, overwritten.
    ///
    /// # Panics
    /// If a slice has a wrong length.
    pub fn predict_row(&self, row: &[f32], outputs: &mut [f64]) {
        assert_eq!(row.len(), self.n_features, "a row has a value for each feature");
        assert_eq!(outputs.len(), self.base.len(), "outputs have a value for each of the model's");
        self.begin(outputs);
        for tree in &self.trees {
            add_leaf(outputs, tree.leaf(tree.leaf_of(row)));
        }
        self.finish(outputs);
    }

    /// Predicts many rows, in parallel over blocks of rows.
    ///
    /// Shapes: `columns` n_features x n_rows; the result n_rows x n_outputs, row by row.
    ///
    /// # Errors
    /// Another number of columns than the model has features, or columns of different lengths.
    pub fn predict(&self, columns: &[Vec<f32>]) -> Result<Vec<f64>, Error> {
        let n_rows = self.n_rows_of(columns)?;
        let n_outputs = self.base.len();
        let mut outputs = vec![0.0; n_rows * n_outputs];
        outputs.par_chunks_mut(BLOCK_ROWS * n_outputs).enumerate().for_each(|(block, outputs)| {
            self.predict_block(columns, block * BLOCK_ROWS, outputs);
        });
        Ok(outputs)
    }

    /// The number of rows of these columns, if they are the model's.
    pub(crate) fn n_rows_of(&self, columns: &[Vec<f32>]) -> Result<usize, Error> {
        if columns.len() != self.n_features {
            let (found, expected) = (columns.len(), self.n_features);
            return Err(Error::Length { what: "columns", found, expected });
        }
        let n_rows = columns.first().map_or(0, Vec::len);
        if let Some(column) = columns.iter().position(|column| column.len() != n_rows) {
            let found = columns[column].len();
            return Err(Error::ColumnLength { column, found, expected: n_rows });
        }
        Ok(n_rows)
    }

    /// Some rows of columns. Shapes: the result n_rows x n_features, row by row.
    pub(crate) fn rows(&self, columns: &[Vec<f32>], first: usize, n_rows: usize) -> Vec<f32> {
        let mut rows = vec![0.0; n_rows * self.n_features];
        for (feature, column) in columns.iter().enumerate() {
            let values = &column[first..][..n_rows];
            for (row, &value) in rows.chunks_exact_mut(self.n_features).zip(values) {
                row[feature] = value;
            }
        }
        rows
    }

    fn predict_block(&self, columns: &[Vec<f32>], first_row: usize, outputs: &mut [f64]) {
        let n_outputs = self.base.len();
        let rows = self.rows(columns, first_row, outputs.len() / n_outputs);
        outputs.chunks_exact_mut(n_outputs).for_each(|outputs| self.begin(outputs));
        for tree in &self.trees {
            let rows = rows.chunks_exact(self.n_features);
            for (row, outputs) in rows.zip(outputs.chunks_exact_mut(n_outputs)) {
                add_leaf(outputs, tree.leaf(tree.leaf_of(row)));
            }
        }
        outputs.chunks_exact_mut(n_outputs).for_each(|outputs| self.finish(outputs));
    }

    fn begin(&self, outputs: &mut [f64]) {
        // A sum that begins at 0 is never -0.
        outputs.iter_mut().zip(&self.base).for_each(|(sum, &base)| *sum = 0.0 + f64::from(base));
    }

    fn finish(&self, outputs: &mut [f64]) {
        if self.order == OutputOrder::Rising {
            outputs.sort_unstable_by(f64::total_cmp);
        }
    }
}

/// Adds the values of a leaf to the outputs of a row.
#[inline(always)]
pub(crate) fn add_leaf<T: AddAssign + From<f32>>(outputs: &mut [T], leaf: &[f32]) {
    outputs.iter_mut().zip(leaf).for_each(|(output, &value)| *output += T::from(value));
}

/// Sorts a few numbers that are mostly sorted already, by insertion.
pub(crate) fn sort_rising(values: &mut [f32]) {
    for end in 1..values.len() {
        let mut at = end;
        while at > 0 && sort_key(values[at]) < sort_key(values[at - 1]) {
            values.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::tests::small_model;

    #[test]
    fn a_prediction_is_the_sum_of_base_and_leaves_in_rising_order() {
        let model = small_model();
        let mut outputs = [0.0; 2];
        model.predict_row(&[0.0, 2.0, 0.0], &mut outputs);
        // Code 2 goes to the side opposite the missing values, leaf 1: 3, 4; then 0.25, -9.
        assert_eq!(outputs, [6.0, 13.25]);
    }

    #[test]
    fn many_rows_are_predicted_as_one() {
        let model = small_model();
        let n_rows = 3 * BLOCK_ROWS + 5;
        let column = |step: usize| -> Vec<f32> {
            (0..n_rows)
                .map(|row| if row % 7 == 0 { f32::NAN } else { ((row * step) % 9) as f32 - 3.0 })
                .collect()
        };
        let columns = [column(1), column(4), column(5)];
        let outputs = model.predict(&columns).unwrap();
        for row in 0..n_rows {
            let values = [columns[0][row], columns[1][row], columns[2][row]];
            let mut expected = [0.0; 2];
            model.predict_row(&values, &mut expected);
            assert_eq!(outputs[2 * row..][..2], expected);
        }
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let model = small_model();
        let message = |columns: &[Vec<f32>]| model.predict(columns).unwrap_err().to_string();
        assert_eq!(message(&[]), "columns must have length 3, found 0");
        assert_eq!(message(&[vec![1.0], vec![], vec![1.0]]), "column 1 must have 1 rows, found 0");
        assert!(model.predict(&[vec![], vec![], vec![]]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn sorting_rises(mut values in prop::collection::vec(-1e9f32..1e9, 0..12)) {
            let mut expected = values.clone();
            expected.sort_by(f32::total_cmp);
            sort_rising(&mut values);
            prop_assert_eq!(values, expected);
        }
    }
}
