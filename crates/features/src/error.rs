//! Errors of building features.

use std::ops::Range;

use polars::prelude::PolarsError;
use terms::{AsOf, Day, ErrorClass};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No shipment is old enough.
    #[error("as-of {as_of}: expected shipments recorded before it, found none")]
    NothingKnown {
        /// The as-of.
        as_of: AsOf,
    },
    /// The declaration file cannot be read.
    #[error("feature declaration: {message}")]
    Declaration {
        /// What the TOML reader says, with line and column.
        message: String,
    },
    /// The declaration names something that does not exist.
    #[error("feature declaration: {what} {found:?}: expected one of {expected}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// The name in the file.
        found: String,
        /// The names that exist.
        expected: String,
    },
    /// The declaration has an impossible value.
    #[error("feature declaration: {feature}: expected {expected}, found {found}")]
    Impossible {
        /// The feature or key.
        feature: String,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The declaration lacks a feature that something else needs.
    #[error("feature declaration: expected the feature {name}, found none of that name")]
    Undeclared {
        /// The feature's column.
        name: String,
    },
    /// A null in a column that has a value in every row.
    #[error("column {column:?}, row {row}: expected a value, found none")]
    Null {
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
    },
    /// Days that history state cannot be advanced by.
    #[error(
        "history state: expected days of one month from {expected} on, found {} to (excluding) {}",
        found.start,
        found.end
    )]
    Days {
        /// The day after the last one that was ingested.
        expected: Day,
        /// The days that were given.
        found: Range<Day>,
    },
    /// History state that failed half-way through a step.
    #[error("history state: expected to be restored after an error, found it used again")]
    StateBroken,
    /// A page of running totals that is evicted.
    #[error("history state: expected the page of the month of {month} in memory, found none")]
    PageMissing {
        /// A day of its month.
        month: Day,
    },
    /// A file of a saved history state is not there.
    #[error("history state: expected the file {name}, found none")]
    StateFileMissing {
        /// The file's name.
        name: &'static str,
    },
    /// A feature that the model was trained on is not in the frame.
    #[error("feature {name:?}: expected by the model, not found among the built features")]
    FeatureMissing {
        /// The feature's name.
        name: String,
    },
    /// Polars failed.
    #[error("reading or writing a frame of features")]
    Frame(#[from] PolarsError),
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NothingKnown { .. } => ErrorClass::Input,
            Self::Declaration { .. }
            | Self::Unknown { .. }
            | Self::Impossible { .. }
            | Self::Undeclared { .. }
            | Self::FeatureMissing { .. } => ErrorClass::Configuration,
            Self::Null { .. } => ErrorClass::Contract,
            Self::Days { .. }
            | Self::StateBroken
            | Self::PageMissing { .. }
            | Self::StateFileMissing { .. }
            | Self::Frame(_) => ErrorClass::Internal,
        }
    }

    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingKnown { .. } => {
                Some("choose a later as-of, or add the tables of earlier days".to_owned())
            }
            Self::FeatureMissing { .. } => Some(
                "the feature declaration changed since the model was trained: train again".into(),
            ),
            Self::Undeclared { .. } => Some(
                "declare it as [[history]]: its name is made of the key, the quantity, the statistic \
                 and the window"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
