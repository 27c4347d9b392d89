//! What comes in: columns and a target, and what is refused about them.

use rayon::prelude::*;

use crate::{Direction, Error};

/// Rows at most: beyond, a gradient would have fewer than seven bits.
pub const ROWS_MAX: usize = (1 << 28) - 1;

/// The largest code of a categorical column.
pub const CATEGORY_CODE_MAX: u32 = 65_535;

/// Columns at most.
const COLUMNS_MAX: usize = 65_535;

/// Quantile levels at most.
const LEVELS_MAX: usize = 255;

/// The columns to train on, and what is said about them and their rows.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    pub(crate) columns: &'a [Vec<f32>],
    pub(crate) categorical: &'a [bool],
    /// One for each column, or none.
    pub(crate) directions: &'a [Option<Direction>],
    pub(crate) weights: Option<&'a [f32]>,
}

impl<'a> Columns<'a> {
    /// Shapes: `columns` n_features x n_rows, where NaN is missing and infinities are refused;
    /// `categorical` n_features, whether a column's values are category codes: whole numbers from 0
    /// to [`CATEGORY_CODE_MAX`] without an order.
    pub fn new(columns: &'a [Vec<f32>], categorical: &'a [bool]) -> Self {
        Self { columns, categorical, directions: &[], weights: None }
    }

    /// For each column, which way predictions must follow it, if at all.
    #[must_use]
    pub fn directed(self, directions: &'a [Option<Direction>]) -> Self {
        Self { directions, ..self }
    }

    /// For each row, how many rows it stands for: at least 0.
    #[must_use]
    pub fn weighted(self, weights: &'a [f32]) -> Self {
        Self { weights: Some(weights), ..self }
    }
}

/// What to predict.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Quantiles of a number, of which some are known only to exceed a bound.
    Quantiles {
        /// The outcome of each row, or its lower bound.
        values: &'a [f32],
        /// Whether the outcome was observed; if not, its value is a lower bound.
        observed: &'a [bool],
        /// The levels to predict, rising, each between 0 and 1.
        levels: &'a [f64],
    },
    /// The mean of a number (squared error).
    Mean {
        /// The outcome of each row.
        values: &'a [f32],
    },
    /// The log-odds of an event (logistic loss).
    Probability {
        /// Whether the event happened, for each row.
        outcomes: &'a [bool],
    },
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
        let both = self.directions.iter().zip(self.categorical);
        match both
            .into_iter()
            .position(|(direction, &categorical)| categorical && direction.is_some())
        {
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

/// Checks the values of a column; true if there is one that is not missing.
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

impl Target<'_> {
    /// Checks lengths, levels and values.
    pub(crate) fn check(&self, n_rows: usize) -> Result<(), Error> {
        let length = |what, found| {
            if found == n_rows {
                Ok(())
            } else {
                Err(Error::Length { what, found, expected: n_rows })
            }
        };
        match self {
            Self::Quantiles { values, observed, levels } => {
                check_levels(levels)?;
                length("target values", values.len())?;
                length("observed", observed.len())?;
                check_finite(values)
            }
            Self::Mean { values } => {
                length("target values", values.len())?;
                check_finite(values)
            }
            Self::Probability { outcomes } => length("target outcomes", outcomes.len()),
        }
    }
}

/// Sorted outcomes between those that are searched first.
const SEARCHED_ROWS: usize = 256;

impl Target<'_> {
    /// What tells the outcomes of the first `n` rows apart: for quantiles the share of outcomes
    /// below (for a lower bound, of what lies beyond it the middle), otherwise the outcome.
    pub(crate) fn signal(&self, n: usize) -> Vec<f32> {
        match self {
            Self::Quantiles { values, observed, .. } => {
                let mut sorted = values[..n].to_vec();
                sorted.par_sort_unstable_by(f32::total_cmp);
                // Of many rows first among a few that stay in the cache.
                let few: Vec<f32> = sorted.iter().copied().step_by(SEARCHED_ROWS).collect();
                let below = |value: f32| {
                    let end = few.partition_point(|&other| other < value) * SEARCHED_ROWS;
                    let start = end.saturating_sub(SEARCHED_ROWS);
                    start + sorted[start..end.min(n)].partition_point(|&other| other < value)
                };
                let rows = values[..n].par_iter().zip(&observed[..n]);
                rows.map(|(&value, &observed)| {
                    let share = below(value) as f32 / n as f32;
                    if observed { share } else { (share + 1.0) / 2.0 }
                })
                .collect()
            }
            Self::Mean { values } => values[..n].to_vec(),
            Self::Probability { outcomes } => {
                outcomes[..n].iter().map(|&outcome| u8::from(outcome).into()).collect()
            }
        }
    }

    /// Checks that the rows to learn from, the first so many, say something.
    pub(crate) fn check_part(&self, n_trained: usize) -> Result<(), Error> {
        match self {
            Self::Quantiles { observed, .. } if !observed[..n_trained].contains(&true) => {
                Err(Error::NothingObserved { rows: n_trained })
            }
            _ => Ok(()),
        }
    }
}

fn check_levels(levels: &[f64]) -> Result<(), Error> {
    if levels.is_empty() {
        return Err(Error::Empty { what: "quantile levels" });
    }
    if LEVELS_MAX < levels.len() {
        let found = levels.len();
        return Err(Error::TooMany { what: "quantile levels", found, max: LEVELS_MAX });
    }
    for (index, &found) in levels.iter().enumerate() {
        if !(found > 0.0 && found < 1.0) {
            return Err(Error::Level { index, found });
        }
        if index > 0 && levels[index - 1] >= found {
            return Err(Error::LevelsUnsorted { index, found, before: levels[index - 1] });
        }
    }
    Ok(())
}

fn check_finite(values: &[f32]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(Error::TargetNotFinite { row, found: values[row] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn columns_refused(columns: &[Vec<f32>], categorical: &[bool], message: &str) {
        let refused = Columns::new(columns, categorical).check().unwrap_err();
        assert_eq!(refused.to_string(), message);
    }

    #[track_caller]
    fn target_refused(target: Target<'_>, message: &str) {
        assert_eq!(target.check(2).unwrap_err().to_string(), message);
    }

    #[test]
    fn the_signal_of_quantiles_is_the_share_below() {
        for n in [1, SEARCHED_ROWS, 3 * SEARCHED_ROWS + 1] {
            // Some are alike, and the last is open.
            let values: Vec<f32> = (0..n).map(|row| (row * 7919 % n / 2) as f32).collect();
            let observed: Vec<bool> = (0..n).map(|row| row + 1 < n || n == 1).collect();
            let target = Target::Quantiles { values: &values, observed: &observed, levels: &[0.5] };
            for (row, signal) in target.signal(n).into_iter().enumerate() {
                let below = values.iter().filter(|&&other| other < values[row]).count();
                let share = below as f32 / n as f32;
                assert_eq!(signal, if observed[row] { share } else { (share + 1.0) / 2.0 });
            }
        }
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

    #[test]
    fn targets_that_cannot_be_learned_are_refused() {
        let quantiles =
            |levels| Target::Quantiles { values: &[1.0; 2], observed: &[true; 2], levels };
        target_refused(quantiles(&[]), "no quantile levels");
        target_refused(
            quantiles(&[0.5, 1.0]),
            "quantile level 1 must lie between 0 and 1, both excluded, found 1",
        );
        target_refused(
            quantiles(&[f64::NAN]),
            "quantile level 0 must lie between 0 and 1, both excluded, found NaN",
        );
        target_refused(
            quantiles(&[0.5, 0.5]),
            "quantile levels must rise, found 0.5 at 1 after 0.5",
        );
        target_refused(
            Target::Quantiles { values: &[1.0; 2], observed: &[true], levels: &[0.5] },
            "observed must have length 2, found 1",
        );
        let open = Target::Quantiles { values: &[1.0; 2], observed: &[false; 2], levels: &[0.5] };
        assert_eq!(
            open.check_part(2).unwrap_err().to_string(),
            "none of the 2 outcomes has been observed"
        );
        target_refused(
            Target::Mean { values: &[1.0, f32::NAN] },
            "target of row 1 must be finite, found NaN",
        );
        target_refused(
            Target::Probability { outcomes: &[true] },
            "target outcomes must have length 2, found 1",
        );
    }
}
