//! Errors of a simulation: a setting out of its range, or Parquet that cannot be written.

use terms::{Day, ErrorClass};

/// Why a network cannot be simulated.
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
        found: Day,
        /// The first date allowed.
        min: Day,
        /// The last date allowed.
        max: Day,
    },
    /// Both settings of the network's speed are given.
    #[error(
        "simulate settings share_within_two_days and median_days: expected one of them, \
         found {share} and {median_days}"
    )]
    TwoSpeeds {
        /// The share within two days.
        share: f64,
        /// The median of the days until delivery.
        median_days: f64,
    },
    /// A key of one of the episodes is missing, out of range or out of place.
    #[error("simulate setting episodes[{index}].{key}: expected {expected}, found {found}")]
    Episode {
        /// Its position in the list, from 0.
        index: usize,
        /// The key.
        key: &'static str,
        /// What the key can be.
        expected: String,
        /// Its value.
        found: String,
    },
    /// The columns of a nightly extract do not form a table.
    #[error("{table} of {recorded_on}: columns do not form a table")]
    Columns {
        /// The table.
        table: &'static str,
        /// The partition.
        recorded_on: Day,
        /// Arrow's error.
        source: arrow::error::ArrowError,
    },
    /// A table of a nightly extract could not be written as Parquet.
    #[error("{table} of {recorded_on}: cannot write Parquet")]
    Write {
        /// The table.
        table: &'static str,
        /// The partition.
        recorded_on: Day,
        /// The error of the Parquet writer.
        source: parquet::errors::ParquetError,
    },
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::OutOfRange { .. }
            | Self::FirstDay { .. }
            | Self::TwoSpeeds { .. }
            | Self::Episode { .. } => ErrorClass::Configuration,
            Self::Columns { .. } | Self::Write { .. } => ErrorClass::Internal,
        }
    }

    /// What a person can do about it, where something usually helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OutOfRange { name, .. } => Some(format!("set simulate.{name} within the range")),
            Self::FirstDay { .. } => Some("set simulate.first_day within the range".into()),
            Self::TwoSpeeds { .. } => {
                Some("leave simulate.share_within_two_days or simulate.median_days out".into())
            }
            Self::Episode { index, key, .. } => {
                Some(format!("change {key} of entry {index}, from 0, of simulate.episodes"))
            }
            Self::Columns { .. } | Self::Write { .. } => None,
        }
    }
}
