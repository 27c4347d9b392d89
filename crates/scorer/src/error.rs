//! What can go wrong when a bundle is read or rows are scored.

use std::io;

use terms::{Digest, ErrorClass};

/// Why a model cannot be loaded or rows cannot be scored, and where the fault is.
///
/// ```
/// use scorer::{Error, Scorer};
///
/// let error = Scorer::decode(&Default::default()).unwrap_err();
/// assert!(matches!(&error, Error::MissingFile { file } if file == "features.json"));
/// assert_eq!(error.class(), terms::ErrorClass::Input);
/// assert!(error.hint().is_some());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that the scorer needs is not in the bundle.
    #[error("model file {file:?}: not in the bundle")]
    MissingFile {
        /// Name of the file.
        file: String,
    },
    /// A file of the bundle cannot be read.
    #[error("model file {path:?}: cannot be read")]
    Unreadable {
        /// Where it was looked for.
        path: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file's bytes are not the ones that the manifest names.
    #[error(
        "model file {file:?}: expected {expected_bytes} bytes with SHA-256 {expected}, \
         found {found_bytes} bytes with {found}"
    )]
    Altered {
        /// Name of the file.
        file: String,
        /// Digest in the manifest.
        expected: Digest,
        /// Digest of what was read.
        found: Digest,
        /// Size in the manifest.
        expected_bytes: u64,
        /// Size of what was read.
        found_bytes: u64,
    },
    /// A JSON file does not have the form that this version reads.
    #[error("model file {file:?}: not of the form that this version reads")]
    Json {
        /// Name of the file.
        file: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A file of trees cannot be decoded.
    #[error("model file {file:?}: its trees cannot be decoded")]
    Trees {
        /// Name of the file.
        file: String,
        /// Why.
        source: boost::Error,
    },
    /// The gate does not have one output, or the regressor not one for each level.
    #[error("{part}: expected {expected} outputs, found {found}")]
    Outputs {
        /// "gate" or "regressor".
        part: &'static str,
        /// Outputs needed.
        expected: usize,
        /// Outputs of the model.
        found: usize,
    },
    /// A model was trained on another number of features than the feature list has.
    #[error("{part}: expected {expected} features as in the feature list, found {found}")]
    FeatureCount {
        /// "gate" or "regressor".
        part: &'static str,
        /// Length of the feature list.
        expected: usize,
        /// Features of the model.
        found: usize,
    },
    /// The model predicts other quantile levels than this version publishes.
    #[error("quantile levels: expected {expected:?}, found {found:?}")]
    Levels {
        /// Levels of this version.
        expected: Vec<f64>,
        /// Levels of the model.
        found: Vec<f64>,
    },
    /// The tail is no positive number.
    #[error("tail ratio: expected a positive number, found {found}")]
    Tail {
        /// The number.
        found: f32,
    },
    /// A ratio of the recalibration is not a positive number within its bounds.
    #[error("recalibration: expected ratios from 0.25 to 4 of positive stretches, found {found}")]
    Recalibration {
        /// The number.
        found: f32,
    },
    /// The model has no regressor, or one whose weight is not positive.
    #[error("regressors: expected one or more with positive weights, found weights {found:?}")]
    Weights {
        /// Their weights.
        found: Vec<f32>,
    },
    /// The time scale does not fit the features, or is not increasing.
    #[error("time scale: expected its features and positive rates, found {what}")]
    TimeScale {
        /// What is missing or wrong.
        what: String,
    },
    /// A calibration segment has factors that are not positive, or an end out of order.
    #[error(
        "calibration, segment {}: expected positive factors and ascending ends",
        segment.map_or("pooled".to_owned(), |position| position.to_string())
    )]
    Calibration {
        /// Position of the segment; nothing for the pooled factors.
        segment: Option<usize>,
    },
    /// The rows have other features than the model.
    #[error(
        "feature {position}: expected {} as in the model, found {}",
        or_nothing(expected),
        or_nothing(found)
    )]
    FeatureDiffers {
        /// Position of the first difference.
        position: usize,
        /// Name (and kind, if only that differs) in the model; nothing past its end.
        expected: Option<String>,
        /// The same in the rows.
        found: Option<String>,
    },
    /// A row has another number of values than the model has features.
    #[error("row: expected {expected} values, found {found}")]
    RowLength {
        /// Features of the model.
        expected: usize,
        /// Values in the row.
        found: usize,
    },
    /// The ages are not one for each row.
    #[error("ages of open shipments: expected {expected}, one a row, found {found}")]
    Ages {
        /// Rows.
        expected: usize,
        /// Ages.
        found: usize,
    },
    /// The batch lacks a feature.
    #[error("column {column:?}: expected as a feature of the model, not found")]
    MissingColumn {
        /// Name of the feature.
        column: String,
    },
    /// A column of the batch cannot be read as its feature.
    #[error("column {column:?}: expected {expected}, found {found}")]
    ColumnType {
        /// Name of the feature.
        column: String,
        /// "numbers" or "text".
        expected: &'static str,
        /// Arrow type of the column.
        found: String,
    },
    /// A speed table cannot be read.
    #[error("speed table {file:?}: cannot be read")]
    SpeedTableUnreadable {
        /// Where it was looked for.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is no speed table, is cut off, or is one of another version.
    #[error("speed table {file:?}: {problem}")]
    SpeedTableForm {
        /// Where it is.
        file: String,
        /// What was expected and what was found.
        problem: String,
    },
    /// A speed table's bytes are not the ones that were written.
    #[error("speed table: expected SHA-256 {expected}, as at its end, found {found}")]
    SpeedTableAltered {
        /// Digest at its end.
        expected: String,
        /// Digest of what is before it.
        found: Digest,
    },
    /// Rows are no speed table.
    #[error("rows of a speed table: {problem}")]
    SpeedTableRows {
        /// Which row, what was expected and what was found.
        problem: String,
    },
}

impl Error {
    /// What kind of error it is: rows that do not fit the model, a bundle that storage altered or
    /// did not give, or a bundle that is incomplete or of another version.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::FeatureDiffers { .. }
            | Self::RowLength { .. }
            | Self::Ages { .. }
            | Self::MissingColumn { .. }
            | Self::ColumnType { .. } => ErrorClass::Contract,
            Self::Unreadable { source, .. } | Self::SpeedTableUnreadable { source, .. }
                if source.kind() != io::ErrorKind::NotFound =>
            {
                ErrorClass::Storage
            }
            Self::Altered { .. } | Self::SpeedTableAltered { .. } => ErrorClass::Storage,
            _ => ErrorClass::Input,
        }
    }

    /// What a person can do about it, where something usually helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Altered { .. } => Some("fetch the bundle again, or publish it again".into()),
            Self::MissingFile { .. } | Self::Json { .. } | Self::Trees { .. } => {
                Some("publish the model again with this version".into())
            }
            Self::Levels { .. } => Some("train a new model with this version".into()),
            Self::FeatureDiffers { .. } | Self::MissingColumn { .. } => {
                Some("build the features with the pipeline that trained the model".into())
            }
            Self::ColumnType { .. } => Some("cast the column, or rename it".into()),
            Self::SpeedTableForm { .. } | Self::SpeedTableAltered { .. } => {
                Some("fetch the file again, or write it again with this version".into())
            }
            _ => None,
        }
    }
}

/// The text of a value, or "nothing" if there is none.
fn or_nothing<T: ToString>(found: &Option<T>) -> String {
    found.as_ref().map_or_else(|| "nothing".to_owned(), T::to_string)
}
