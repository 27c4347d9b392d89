//! Errors of an evaluation.

use terms::{AsOf, ErrorClass};

/// Why forecasts cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A column of the shipments or of a forecast has another length than the shipments.
    #[error("{column}: expected {expected} rows, found {found}")]
    Length {
        /// The column, with its forecast or segment family.
        column: String,
        /// Rows of the shipments.
        expected: usize,
        /// Rows of the column.
        found: usize,
    },
    /// A prediction or an outcome is infinite or not a number.
    #[error("{column}: expected a finite number, found {found} in row {row}")]
    NotFinite {
        /// The column, with its forecast.
        column: String,
        /// Position of the row.
        row: usize,
        /// The value.
        found: f32,
    },
    /// Forecasts give probabilities of delivery by different days.
    #[error(
        "probability_by_day of {forecast}: expected days up to {expected} as the others have, found \
         days up to {found}"
    )]
    Days {
        /// The forecast.
        forecast: String,
        /// The last day of the others.
        expected: u32,
        /// Its last day.
        found: u32,
    },
    /// No outcome is known yet.
    #[error(
        "shipments to evaluate: expected at least one known outcome, found none in {rows} rows"
    )]
    NothingMatured {
        /// Rows of which none has an outcome.
        rows: usize,
    },
    /// A baseline has no past deliveries.
    #[error("baseline {baseline}: expected deliveries known before {origin}, found none")]
    NoHistory {
        /// Name of the baseline.
        baseline: String,
        /// The moment before which they had to be known.
        origin: AsOf,
    },
    /// There is no candidate, or the chosen one is not in the list.
    #[error("candidates: expected a choice below {candidates}, found {chosen:?}")]
    NoCandidate {
        /// How many candidates there are.
        candidates: usize,
        /// The position of the chosen one.
        chosen: Option<usize>,
    },
    /// The gates compare with the baselines, and there are none.
    #[error("gates: expected at least one baseline to compare with, found none")]
    NoBaseline,
    /// The metrics could not be written as JSON.
    #[error("metrics as JSON")]
    Json {
        /// The error of the encoder.
        source: serde_json::Error,
    },
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NothingMatured { .. } | Self::NoHistory { .. } => ErrorClass::Input,
            Self::Length { .. }
            | Self::NotFinite { .. }
            | Self::Days { .. }
            | Self::NoCandidate { .. }
            | Self::NoBaseline
            | Self::Json { .. } => ErrorClass::Internal,
        }
    }

    /// What a person can do about it, where something usually helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingMatured { .. } => Some(
                "evaluate an earlier hold-out, or wait until its deliveries are recorded".into(),
            ),
            Self::NoHistory { .. } => {
                Some("choose a later as-of, or import the deliveries before it".into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_input_has_its_class_and_a_hint() {
        let error = Error::NothingMatured { rows: 3 };
        assert_eq!(error.class(), ErrorClass::Input);
        assert!(error.hint().is_some());
        assert_eq!(Error::NoBaseline.class(), ErrorClass::Internal);
        assert!(Error::NoBaseline.hint().is_none());
    }
}
