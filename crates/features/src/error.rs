//! What can go wrong while features are built.

use polars::prelude::PolarsError;
use terms::{AsOf, ErrorClass};

/// Errors of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No shipment is old enough.
    #[error("as-of {as_of}: expected shipments recorded before it, found none")]
    NothingKnown {
        /// The moment asked for.
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
    /// The declaration gives something that cannot be.
    #[error("feature declaration: {feature}: expected {expected}, found {found}")]
    Impossible {
        /// The feature or key.
        feature: String,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A file of what is remembered is not there.
    #[error("history state: expected the file {name}, found none")]
    MemoryMissing {
        /// The file's name.
        name: &'static str,
    },
    /// A feature that the model was trained on is not in the frame.
    #[error("feature {name:?}: expected by the model, not found among the built features")]
    FeatureMissing {
        /// The feature's name.
        name: String,
    },
    /// A time zone that is not in the IANA database.
    #[error("column {column:?}: expected an IANA name, found {found:?}")]
    TimeZone {
        /// The column.
        column: &'static str,
        /// The text in the column.
        found: String,
    },
    /// Polars refused.
    #[error("reading or writing a frame of features")]
    Frame(#[from] PolarsError),
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NothingKnown { .. } => ErrorClass::Input,
            Self::Declaration { .. } | Self::Unknown { .. } | Self::Impossible { .. } => {
                ErrorClass::Configuration
            }
            Self::TimeZone { .. } => ErrorClass::Contract,
            Self::FeatureMissing { .. } => ErrorClass::Configuration,
            Self::MemoryMissing { .. } | Self::Frame(_) => ErrorClass::Internal,
        }
    }

    /// The way out, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingKnown { .. } => {
                Some("choose a later --as-of, or import the tables of earlier days".to_owned())
            }
            Self::FeatureMissing { .. } => Some(
                "the feature declaration changed since the model was trained: train again".into(),
            ),
            _ => None,
        }
    }
}
