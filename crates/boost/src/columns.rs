//! The columns that a model is trained on, and what is refused about them.

use rayon::prelude::*;

use crate::{CATEGORY_CODE_MAX, Direction, Error};

/// The largest number of rows: with more, a gradient would have fewer than seven bits.
pub const ROWS_MAX: usize = (1 << 28) - 1;

/// The largest number of columns.
const COLUMNS_MAX: usize = 65_535;

/// The columns of a training set, their kinds, their monotonic constraints and the rows' weights.
/// It borrows all of them; training checks them.
///
/// ```
/// use boost::{Columns, Params, Target, train};
///
/// // A number with a missing value, and category codes.
/// let columns = [vec![0.5, f32::NAN, 2.0, 3.0], vec![7.0, 7.0, 1.0, 1.0]];
/// let columns = Columns::new(&columns, &[false, true]).weighted(&[1.0, 1.0, 1.0, 0.0]);
/// let target = Target::Mean { values: &[1.0, 1.0, 4.0, 100.0] };
/// let model = train(&columns, &target, &Params::default().check()?)?;
/// // A row of weight 0 does not count in the mean that a model begins with.
/// assert_eq!(model.base(), [2.0]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    pub(crate) columns: &'a [Vec<f32>],
    pub(crate) categorical: &'a [bool],
    /// Shapes: n_features, or empty.
    pub(crate) directions: &'a [Option<Direction>],
    pub(crate) weights: Option<&'a [f32]>,
}

impl<'a> Columns<'a> {
    /// Columns without constraints, all rows of weight 1.
    ///
    /// Shapes: `columns` n_features x n_rows, where NaN is missing and infinities are refused;
    /// `categorical` n_features, whether a column's values are category codes: whole numbers from 0
    /// to [`CATEGORY_CODE_MAX`] without an order.
    pub fn new(columns: &'a [Vec<f32>], categorical: &'a [bool]) -> Self {
        Self { columns, categorical, directions: &[], weights: None }
    }

    /// The same with monotonic constraints. Shapes: n_features; none where a column has no
    /// constraint, as all categorical columns.
    #[must_use]
    pub fn directed(self, directions: &'a [Option<Direction>]) -> Self {
        Self { directions, ..self }
    }

    /// The same with a weight for each row, at least 0: a row of weight 2 counts as two in the loss,
    /// but as one in `rows_in_leaf_min`. Shapes: n_rows.
    #[must_use]
    pub fn weighted(self, weights: &'a [f32]) -> Self {
        Self { weights: Some(weights), ..self }
    }
}

impl Columns<'_> {
    /// The number of columns.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The number of rows of the first column.
    pub(crate) fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Checks lengths and values.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let n_columns = self.columns.len();
        let n_rows = self.n_rows();
        if n_columns == 0 {
            return Err(Error::Empty { what: "columns" });
        }
        if COLUMNS_MAX < n_columns {
            return Err(Error::TooMany { what: "columns", found: n_columns, max: COLUMNS_MAX });
        }
        if self.categorical.len() != n_columns {
            let found = self.categorical.len();
            return Err(Error::Length { what: "categorical", found, expected: n_columns });
        }
        self.check_directions()?;
        if let Some(column) = self.columns.iter().position(|column| column.len() != n_rows) {
            let found = self.columns[column].len();
            return Err(Error::ColumnLength { column, found, expected: n_rows });
        }
        if n_rows == 0 {
            return Err(Error::Empty { what: "rows" });
        }
        if ROWS_MAX < n_rows {
            return Err(Error::TooMany { what: "rows", found: n_rows, max: ROWS_MAX });
        }
        let checked: Vec<Result<bool, Error>> = (self.columns.par_iter().enumerate())
            .map(|(column, values)| check_column(column, values, self.categorical[column]))
            .collect();
        let mut any_value = false;
        for has_value in checked {
            any_value |= has_value?;
        }
        if any_value { Ok(()) } else { Err(Error::AllMissing { columns: n_columns }) }
    }

    fn check_directions(&self) -> Result<(), Error> {
        let (found, expected) = (self.directions.len(), self.columns.len());
        if found != 0 && found != expected {
            return Err(Error::Length { what: "directions", found, expected });
        }
        let mut both = self.directions.iter().zip(self.categorical);
        match both.position(|(direction, &categorical)| categorical && direction.is_some()) {
            Some(column) => Err(Error::CategoricalDirection { column }),
            None => Ok(()),
        }
    }

    /// Checks the weights, of which one of the first `n_trained` must be above 0.
    pub(crate) fn check_weights(&self, n_trained: usize) -> Result<(), Error> {
        let Some(weights) = self.weights else { return Ok(()) };
        let (found, expected) = (weights.len(), self.n_rows());
        if found != expected {
            return Err(Error::Length { what: "weights", found, expected });
        }
        let is_weight = |weight: &f32| *weight >= 0.0 && weight.is_finite();
        if let Some(row) = weights.iter().position(|weight| !is_weight(weight)) {
            return Err(Error::Weight { row, found: weights[row] });
        }
        match weights[..n_trained].iter().any(|&weight| weight > 0.0) {
            true => Ok(()),
            false => Err(Error::NoWeight { rows: n_trained }),
        }
    }
}

/// Checks the values of a column; true if one of them is not missing.
fn check_column(column: usize, values: &[f32], categorical: bool) -> Result<bool, Error> {
    let mut has_value = false;
    for (row, &found) in values.iter().enumerate() {
        if found.is_infinite() {
            return Err(Error::ColumnInfinite { column, row, found });
        }
        let code = found >= 0.0 && found <= CATEGORY_CODE_MAX as f32 && found.fract() == 0.0;
        if categorical && !found.is_nan() && !code {
            return Err(Error::CategoryCode { column, row, found, max: CATEGORY_CODE_MAX });
        }
        has_value |= !found.is_nan();
    }
    Ok(has_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn columns_refused(columns: &[Vec<f32>], categorical: &[bool], message: &str) {
        let refused = Columns::new(columns, categorical).check().unwrap_err();
        assert_eq!(refused.to_string(), message);
    }

    #[test]
    fn columns_that_cannot_be_trained_on_are_refused() {
        let nan = f32::NAN;
        columns_refused(&[], &[], "no columns");
        columns_refused(&[vec![]], &[false], "no rows");
        columns_refused(&[vec![1.0]], &[], "categorical must have length 1, found 0");
        columns_refused(&[vec![1.0], vec![]], &[false; 2], "column 1 must have 1 rows, found 0");
        columns_refused(
            &[vec![1.0, f32::NEG_INFINITY]],
            &[false],
            "column 0, row 1 must be finite or missing, found -inf",
        );
        columns_refused(
            &[vec![nan], vec![nan]],
            &[false; 2],
            "all 2 columns are missing in every row",
        );
        for code in ["-1", "0.5", "65536"] {
            columns_refused(
                &[vec![code.parse().unwrap()]],
                &[true],
                &format!(
                    "column 0, row 0 must be a whole category code from 0 to 65535 or missing, found {code}"
                ),
            );
        }
    }

    #[test]
    fn weights_and_directions_that_mean_nothing_are_refused() {
        let columns = [vec![1.0, 2.0]];
        let weighted = |weights: &[f32]| {
            Columns::new(&columns, &[false])
                .weighted(weights)
                .check_weights(1)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(weighted(&[1.0]), "weights must have length 2, found 1");
        assert_eq!(
            weighted(&[1.0, -0.5]),
            "weight of row 1 must be at least 0 and finite, found -0.5"
        );
        assert_eq!(weighted(&[0.0, 1.0]), "the weights of all 1 rows are 0");
        let rising = [Some(Direction::Rising)];
        let directed = |columns: &[Vec<f32>], categorical: &[bool]| {
            Columns::new(columns, categorical).directed(&rising).check().unwrap_err().to_string()
        };
        assert_eq!(
            directed(&columns, &[true]),
            "column 0 is categorical: predictions cannot follow it in a direction"
        );
        assert_eq!(
            directed(&[columns[0].clone(), columns[0].clone()], &[false; 2]),
            "directions must have length 2, found 1"
        );
    }
}
