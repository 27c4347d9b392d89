//! What can go wrong: a setting out of its range, or Parquet that cannot be written.

use chrono::NaiveDate;
use terms::ErrorClass;

/// Why a world cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number among the settings is outside its range.
    #[error("simulate setting {name}: expected {min} to {max}, found {found}")]
    OutOfRange {
        /// The setting's key.
        name: &'static str,
        /// Its value.
        found: f64,
        /// The smallest value allowed.
        min: f64,
        /// The largest value allowed.
        max: f64,
    },
    /// The first day is too early or too late for instants in the tables.
    #[error("simulate setting first_day: expected a date from {min} to {max}, found {found}")]
    FirstDay {
        /// Its value.
        found: NaiveDate,
        /// The first date allowed.
        min: NaiveDate,
        /// The last date allowed.
        max: NaiveDate,
    },
    /// The rows of a night could not be laid out as a table.
    #[error("{table} of {recorded_on}: columns do not form a table")]
    Columns {
        /// The table.
        table: &'static str,
        /// The partition.
        recorded_on: NaiveDate,
        /// What Arrow says.
        source: arrow::error::ArrowError,
    },
    /// The rows of a night could not be written as Parquet.
    #[error("{table} of {recorded_on}: cannot write Parquet")]
    Write {
        /// The table.
        table: &'static str,
        /// The partition.
        recorded_on: NaiveDate,
        /// What Parquet says.
        source: parquet::errors::ParquetError,
    },
}

impl Error {
    /// The program's exit code for this error: 30 for settings, 1 for our own mistakes.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::OutOfRange { .. } | Self::FirstDay { .. } => ErrorClass::Configuration,
            Self::Columns { .. } | Self::Write { .. } => ErrorClass::Internal,
        }
    }

    /// What a person might do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OutOfRange { name, .. } => Some(format!("set simulate.{name} within the range")),
            Self::FirstDay { .. } => Some("set simulate.first_day within the range".into()),
            Self::Columns { .. } | Self::Write { .. } => None,
        }
    }
}
