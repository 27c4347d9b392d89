//! Counts of rows in the leaves of a trained model, of whatever family, by which its predictions are
//! explained.

use terms::Matrix;

use crate::error::Error;

/// Rows that are counted, at most: the shares of branches need no more.
const ROWS_MAX: usize = 16_384;

/// The model with rows of its training counted in its leaves: evenly spaced ones, in the order of
/// `rows`, so that all seasons are among them. Shapes: `rows` are positions in the matrix.
///
/// # Errors
/// If the model has other features than the matrix.
pub(crate) fn counted(
    model: &boost::Model,
    matrix: &Matrix,
    rows: &[usize],
) -> Result<boost::Model, Error> {
    let n = rows.len().min(ROWS_MAX);
    let spaced: Vec<usize> = (0..n).map(|at| rows[at * rows.len() / n]).collect();
    let sample = matrix.take(&spaced);
    let counted = model.clone().counted(&sample.columns);
    counted.map_err(|source| Error::Boost { step: "leaf counts", source })
}

#[cfg(test)]
mod tests {
    use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
    use terms::{Feature, FeatureKind, FeatureList};

    use super::*;

    #[test]
    fn evenly_spaced_rows_are_counted() {
        let features = FeatureList(vec![Feature { name: "x".into(), kind: FeatureKind::Numeric }]);
        let rule = SplitRule::AtMost(0.5);
        let (left, right) = (Child::Leaf(0), Child::Leaf(1));
        let split = Split { feature: 0, rule, missing_left: false, left, right, gain: 1.0 };
        let tree = Tree::new(&[split], vec![0.0, 1.0], 1).unwrap();
        let model = Model::new(vec![0.0], vec![tree], 1, OutputOrder::AsAdded).unwrap();
        let counts = |n_rows: usize| {
            // The last quarter goes right.
            let column = (0..n_rows).map(|row| f32::from(u8::from(4 * row >= 3 * n_rows)));
            let matrix = Matrix { features: features.clone(), columns: vec![column.collect()] };
            let rows: Vec<usize> = (0..n_rows).collect();
            let counted = counted(&model, &matrix, &rows).unwrap();
            counted.trees()[0].leaf_counts().to_vec()
        };
        assert_eq!(counts(8), [7, 3]);
        assert_eq!(counts(10 * ROWS_MAX), [12_289, 4_097]);
        assert_eq!(counts(0), [1, 1]);
    }
}
