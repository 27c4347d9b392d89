//! Explanations of a table's rows: exact Shapley values of the raw scores ([`boost::Explainer`]).

use arrow::array::RecordBatchReader;
use rayon::prelude::*;
use scorer::{Parts, Scorer};
use terms::Matrix;

use crate::frame::{TableError, check_columns};

/// What is added to the expected raw scores of one ensemble of trees.
pub(crate) struct Explanation {
    /// `gate`, `regressor_0` and so on.
    pub(crate) part: String,
    /// The raw scores of a row of which nothing is known. Shapes: n_outputs.
    pub(crate) expected: Vec<f64>,
    /// Shapes: n_rows x n_features x n_outputs.
    pub(crate) values: Vec<f64>,
}

/// The explanations of a table's rows by each ensemble of a model, which is read as its scorer reads it.
///
/// # Errors
/// If a feature has no column, or one of another type.
pub(crate) fn explanations(
    (scorer, parts): (&Scorer, &Parts),
    batches: impl RecordBatchReader,
) -> Result<Vec<Explanation>, TableError> {
    check_columns(scorer, &batches.schema())?;
    let matrices = (batches.map(|batch| Ok(scorer.matrix_of(&batch?)?)))
        .collect::<Result<Vec<Matrix>, TableError>>()?;
    let regressors = parts.regressors.iter().enumerate();
    let regressors =
        regressors.map(|(at, regressor)| (format!("regressor_{at}"), &regressor.trees));
    let ensembles = std::iter::once(("gate".to_owned(), &parts.gate)).chain(regressors);
    Ok(ensembles.map(|(part, trees)| of_ensemble(part, trees, &matrices)).collect())
}

fn of_ensemble(part: String, trees: &boost::Model, matrices: &[Matrix]) -> Explanation {
    let explainer = trees.explainer();
    let n_each = trees.n_features() * trees.n_outputs();
    let n_rows: usize = matrices.iter().map(Matrix::n_rows).sum();
    let mut values = vec![0.0; n_rows * n_each];
    let mut rest = values.as_mut_slice();
    for matrix in matrices {
        let (of_matrix, after) = rest.split_at_mut(matrix.n_rows() * n_each);
        rest = after;
        let new_row = || vec![f32::NAN; trees.n_features()];
        of_matrix.par_chunks_exact_mut(n_each).enumerate().for_each_init(
            new_row,
            |row, (at, out)| {
                matrix.row_into(at, row);
                explainer.explain_row(row, out);
            },
        );
    }
    Explanation { part, expected: explainer.expected().to_vec(), values }
}
