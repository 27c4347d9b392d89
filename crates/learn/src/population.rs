//! The training population as of one moment: which rows the regressor and the gate learn from, and
//! which are right-censored.

use std::ops::Range;

use terms::{AsOf, DAY_MICROS, Instant, Matrix, Outcome, TWO_DAYS_HOURS};

use crate::error::Error;
use crate::settings::Settings;

/// All rows, and their outcomes as known at one moment. Shapes: one time and outcome a row of the
/// matrix.
pub(crate) struct Population<'a> {
    pub(crate) moment: AsOf,
    pub(crate) matrix: &'a Matrix,
    pub(crate) ordered_at: &'a [Instant],
    pub(crate) outcomes: Vec<Outcome>,
}

/// Rows that took more than two days, or are known to take more (right-censored). Shapes: one value
/// a row.
pub(crate) struct Beyond {
    /// Positions in the matrix.
    pub(crate) rows: Vec<usize>,
    /// Delivery time in hours, or its lower bound.
    pub(crate) hours: Vec<f32>,
    pub(crate) observed: Vec<bool>,
}

impl<'a> Population<'a> {
    /// The rows with their outcomes as known at `moment`.
    ///
    /// # Errors
    /// If times or outcomes are not one a row of the matrix.
    pub(crate) fn at(
        moment: AsOf,
        matrix: &'a Matrix,
        ordered_at: &'a [Instant],
        outcomes: &dyn Fn(AsOf) -> Vec<Outcome>,
    ) -> Result<Self, Error> {
        let outcomes = outcomes(moment);
        let expected = matrix.n_rows();
        for (what, found) in [("ordered_at", ordered_at.len()), ("outcomes", outcomes.len())] {
            if found != expected {
                return Err(Error::RowCount { what, expected, found });
            }
        }
        Ok(Self { moment, matrix, ordered_at, outcomes })
    }

    /// Rows ordered in the `history_days` before the moment, excluded ones included.
    pub(crate) fn history(&self, settings: &Settings) -> Vec<usize> {
        let end = self.moment.instant();
        let days = settings.history_days;
        let start = days.map_or(Instant::MIN, |days| end.plus_days(-i64::from(days)));
        self.ordered_within(start..end)
    }

    /// Rows ordered in a span of time.
    pub(crate) fn ordered_within(&self, span: Range<Instant>) -> Vec<usize> {
        (0..self.ordered_at.len()).filter(|&row| span.contains(&self.ordered_at[row])).collect()
    }

    /// The rows of `among` that took more than two days, or have been open for longer. A row that has
    /// been open for less has no information about delivery times beyond two days.
    pub(crate) fn beyond(&self, among: &[usize]) -> Beyond {
        let mut beyond = Beyond { rows: Vec::new(), hours: Vec::new(), observed: Vec::new() };
        for &row in among {
            let Some((hours, observed)) = self.outcomes[row].known() else { continue };
            if f64::from(hours) > TWO_DAYS_HOURS {
                beyond.rows.push(row);
                beyond.hours.push(hours);
                beyond.observed.push(observed);
            }
        }
        beyond
    }

    /// The rows of `among` of which it is known whether they took more than two days, and whether
    /// they did. Rows ordered within the last `undecided_days` are left out, delivered or not: among
    /// them it is known of the fast ones only.
    pub(crate) fn decided(&self, among: &[usize], undecided_days: u32) -> (Vec<usize>, Vec<bool>) {
        let end = self.moment.instant().plus_days(-i64::from(undecided_days));
        let decided = |&row: &usize| {
            let over = match self.outcomes[row] {
                _ if self.ordered_at[row] >= end => return None,
                Outcome::Delivered(hours) => f64::from(hours) > TWO_DAYS_HOURS,
                Outcome::Censored(hours) if f64::from(hours) >= TWO_DAYS_HOURS => true,
                Outcome::Censored(_) | Outcome::Excluded => return None,
            };
            Some((row, over))
        };
        among.iter().filter_map(decided).unzip()
    }

    /// Whether a row is so old that its outcome is known, but for exceptions.
    pub(crate) fn is_matured(&self, row: usize, maturity_days: u32) -> bool {
        let age = self.moment.instant().micros() - self.ordered_at[row].micros();
        age >= i64::from(maturity_days) * DAY_MICROS
    }
}

#[cfg(test)]
mod tests {
    use terms::{FeatureList, Matrix};

    use super::*;

    #[test]
    fn regressor_and_gate_learn_from_the_rows_that_are_informative() {
        let day = |day: i64| Instant::from_micros(0).plus_days(day);
        let moment = AsOf::at(day(100));
        let cases = [
            (day(10), Outcome::Delivered(20.0)),
            (day(50), Outcome::Delivered(90.0)),
            (day(90), Outcome::Censored(240.0)),
            (day(96), Outcome::Censored(30.0)),
            (day(98), Outcome::Delivered(20.0)),
            (day(99), Outcome::Excluded),
            (day(100), Outcome::Excluded),
        ];
        let ordered_at: Vec<Instant> = cases.iter().map(|case| case.0).collect();
        let outcomes = |_| cases.iter().map(|case| case.1).collect();
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 7]] };
        let population = Population::at(moment, &matrix, &ordered_at, &outcomes).unwrap();
        let settings = Settings { history_days: Some(60), ..Settings::default() };
        let history = population.history(&settings);
        assert_eq!(history, [1, 2, 3, 4, 5]);
        assert_eq!(population.history(&Settings::default()), [0, 1, 2, 3, 4, 5]);
        let beyond = population.beyond(&history);
        assert_eq!((beyond.rows, beyond.observed), (vec![1, 2], vec![true, false]));
        let decided = population.decided(&population.history(&Settings::default()), 3);
        assert_eq!(decided, (vec![0, 1, 2], vec![false, true, true]));
        assert!(population.is_matured(1, 30) && !population.is_matured(2, 30));
    }

    #[test]
    fn an_outcome_for_each_row_is_needed() {
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 2]] };
        let none = |_| Vec::new();
        let start = Instant::from_micros(0);
        let ordered_at = [start; 2];
        let refused = Population::at(AsOf::at(start), &matrix, &ordered_at, &none);
        assert!(matches!(
            refused.err(),
            Some(Error::RowCount { what: "outcomes", expected: 2, found: 0 })
        ));
    }
}
