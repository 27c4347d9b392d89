//! Which rows teach what, as of one moment.

use terms::{AsOf, HOUR_MICROS, Matrix, Outcome, TWO_DAYS_HOURS};

use crate::error::Error;
use crate::settings::Settings;

/// Rows and their outcomes as known at one moment.
pub(crate) struct Known<'a> {
    pub(crate) moment: AsOf,
    pub(crate) matrix: &'a Matrix,
    pub(crate) ordered_at: &'a [i64],
    pub(crate) outcomes: Vec<Outcome>,
}

/// Rows that took more than two days, or are known to take more.
pub(crate) struct Beyond {
    pub(crate) rows: Vec<usize>,
    pub(crate) hours: Vec<f32>,
    pub(crate) observed: Vec<bool>,
}

impl<'a> Known<'a> {
    /// Asks for the outcomes as known at `moment`.
    ///
    /// # Errors
    /// If times or outcomes are not one a row of the matrix.
    pub(crate) fn at(
        moment: AsOf,
        matrix: &'a Matrix,
        ordered_at: &'a [i64],
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

    /// Rows ordered within the history before the moment, the excluded ones too.
    pub(crate) fn history(&self, settings: &Settings) -> Vec<usize> {
        let from = settings
            .history_days
            .map_or(i64::MIN, |days| self.moment.plus_days(-i64::from(days)).micros());
        self.ordered_within(from, self.moment)
    }

    /// Rows ordered in `[from, to)`.
    pub(crate) fn ordered_within(&self, from: i64, to: AsOf) -> Vec<usize> {
        let span = from..to.micros();
        (0..self.ordered_at.len()).filter(|&row| span.contains(&self.ordered_at[row])).collect()
    }

    /// The rows of `among` that took more than two days or are open for longer. A row open for
    /// less says nothing of them.
    pub(crate) fn beyond(&self, among: &[usize]) -> Beyond {
        let mut beyond = Beyond { rows: Vec::new(), hours: Vec::new(), observed: Vec::new() };
        for &row in among {
            let (hours, observed) = match self.outcomes[row] {
                Outcome::Delivered(hours) => (hours, true),
                Outcome::Censored(hours) => (hours, false),
                Outcome::Excluded => continue,
            };
            if f64::from(hours) > TWO_DAYS_HOURS {
                beyond.rows.push(row);
                beyond.hours.push(hours);
                beyond.observed.push(observed);
            }
        }
        beyond
    }

    /// The rows of `among` of which it is decided whether they took more than two days, and the
    /// answer. Rows ordered within the last `undecided_days` are left out whatever is known of
    /// them, because of those only the fast ones are decided.
    pub(crate) fn decided(&self, among: &[usize], undecided_days: u32) -> (Vec<usize>, Vec<bool>) {
        let end = self.moment.plus_days(-i64::from(undecided_days)).micros();
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

    /// Whether a row is so old that its outcome is known, or exceptional.
    pub(crate) fn is_matured(&self, row: usize, maturity_days: u32) -> bool {
        let age = self.moment.micros() - self.ordered_at[row];
        age >= i64::from(maturity_days) * 24 * HOUR_MICROS
    }
}

#[cfg(test)]
mod tests {
    use terms::{FeatureList, Matrix};

    use super::*;

    #[test]
    fn each_question_is_asked_of_the_rows_that_can_answer_it() {
        let moment = AsOf::from_micros(0).plus_days(100);
        let day = |day: i64| AsOf::from_micros(0).plus_days(day).micros();
        let cases = [
            (day(10), Outcome::Delivered(20.0)),
            (day(50), Outcome::Delivered(90.0)),
            (day(90), Outcome::Censored(240.0)),
            (day(96), Outcome::Censored(30.0)),
            (day(98), Outcome::Delivered(20.0)),
            (day(99), Outcome::Excluded),
            (day(100), Outcome::Excluded),
        ];
        let ordered_at: Vec<i64> = cases.iter().map(|case| case.0).collect();
        let outcomes = |_| cases.iter().map(|case| case.1).collect();
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 7]] };
        let known = Known::at(moment, &matrix, &ordered_at, &outcomes).unwrap();
        let settings = Settings { history_days: Some(60), ..Settings::default() };
        let history = known.history(&settings);
        assert_eq!(history, [1, 2, 3, 4, 5]);
        assert_eq!(known.history(&Settings::default()), [0, 1, 2, 3, 4, 5]);
        let beyond = known.beyond(&history);
        assert_eq!((beyond.rows, beyond.observed), (vec![1, 2], vec![true, false]));
        let decided = known.decided(&known.history(&Settings::default()), 3);
        assert_eq!(decided, (vec![0, 1, 2], vec![false, true, true]));
        assert!(known.is_matured(1, 30) && !known.is_matured(2, 30));
    }

    #[test]
    fn an_outcome_for_each_row_is_needed() {
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 2]] };
        let none = |_| Vec::new();
        let refused = Known::at(AsOf::from_micros(0), &matrix, &[1, 2], &none);
        assert!(matches!(
            refused.err(),
            Some(Error::RowCount { what: "outcomes", expected: 2, found: 0 })
        ));
    }
}
