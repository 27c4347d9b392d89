//! What training, building and decoding refuse, with the place and the value.

/// What kind of thing an [`Error`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A parameter is outside its range, or does not fit the columns.
    Parameters,
    /// There are too few rows, or too few whose outcome was observed.
    TooFewRows,
    /// A value of the data is not what it must be.
    Data,
    /// Bytes of a model, memory, threads, and faults of the caller or of this crate.
    Other,
}

/// Why a training set, a parameter, a model or its bytes were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside its range.
    #[error("parameter {name} must be {expected}, found {found}")]
    Param {
        /// The field of [`Params`](crate::Params).
        name: &'static str,
        /// Its value.
        found: f64,
        /// The range.
        expected: &'static str,
    },
    /// A quantile level lies outside (0, 1).
    #[error("quantile level {index} must lie between 0 and 1, both excluded, found {found}")]
    Level {
        /// Position in the list of levels.
        index: usize,
        /// The level.
        found: f64,
    },
    /// The quantile levels do not rise.
    #[error("quantile levels must rise, found {found} at {index} after {before}")]
    LevelsUnsorted {
        /// Position in the list of levels.
        index: usize,
        /// The level there.
        found: f64,
        /// The level before it.
        before: f64,
    },
    /// There is nothing of what is needed at least once.
    #[error("no {what}")]
    Empty {
        /// What is missing: rows, columns, quantile levels.
        what: &'static str,
    },
    /// There are more of something than fit the number types.
    #[error("{found} {what}, at most {max} fit")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Two lengths that must agree do not.
    #[error("{what} must have length {expected}, found {found}")]
    Length {
        /// What has the wrong length.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length of what it must agree with.
        expected: usize,
    },
    /// A column has another length than the first.
    #[error("column {column} must have {expected} rows, found {found}")]
    ColumnLength {
        /// Position of the column.
        column: usize,
        /// Its number of rows.
        found: usize,
        /// The number of rows of the target, or of the first column.
        expected: usize,
    },
    /// A target is infinite or not a number.
    #[error("target of row {row} must be finite, found {found}")]
    TargetNotFinite {
        /// Position of the row.
        row: usize,
        /// Its target.
        found: f32,
    },
    /// Every outcome is a lower bound only.
    #[error("none of the {rows} outcomes has been observed")]
    NothingObserved {
        /// The number of rows.
        rows: usize,
    },
    /// A value of a column is infinite.
    #[error("column {column}, row {row} must be finite or missing, found {found}")]
    ColumnInfinite {
        /// Position of the column.
        column: usize,
        /// Position of the row.
        row: usize,
        /// The value.
        found: f32,
    },
    /// A value of a categorical column is not a code.
    #[error(
        "column {column}, row {row} must be a whole category code from 0 to {max} or missing, found {found}"
    )]
    CategoryCode {
        /// Position of the column.
        column: usize,
        /// Position of the row.
        row: usize,
        /// The value.
        found: f32,
        /// The largest code.
        max: u32,
    },
    /// No column has any value.
    #[error("all {columns} columns are missing in every row")]
    AllMissing {
        /// The number of columns.
        columns: usize,
    },
    /// A weight is negative, infinite or not a number.
    #[error("weight of row {row} must be at least 0 and finite, found {found}")]
    Weight {
        /// Position of the row.
        row: usize,
        /// Its weight.
        found: f32,
    },
    /// All weights are zero.
    #[error("the weights of all {rows} rows are 0")]
    NoWeight {
        /// The number of rows to learn from.
        rows: usize,
    },
    /// A direction for a column whose values have no order.
    #[error("column {column} is categorical: predictions cannot follow it in a direction")]
    CategoricalDirection {
        /// Position of the column.
        column: usize,
    },
    /// As many rows are held out as there are, or more.
    #[error("early_stopping_rows holds out {held_out} of {rows} rows, none is left to learn from")]
    HeldOut {
        /// Rows to hold out.
        held_out: usize,
        /// All rows.
        rows: usize,
    },
    /// The training would need more memory than it may use.
    #[error(
        "training {rows} rows x {features} columns with {leaves} leaves needs {needed_mib} MiB beside its columns, memory_mib allows {limit_mib}"
    )]
    Memory {
        /// What it would need.
        needed_mib: u64,
        /// What it may use.
        limit_mib: u64,
        /// Rows.
        rows: usize,
        /// Columns.
        features: usize,
        /// Leaves of a tree.
        leaves: u32,
    },
    /// A checkpoint of a training on other data or with other parameters.
    #[error("the checkpoint after {rounds} rounds is of other data or parameters")]
    OtherTraining {
        /// Rounds done in it.
        rounds: u32,
    },
    /// A checkpoint could not be saved.
    #[error("cannot save the checkpoint after {rounds} rounds")]
    Save {
        /// Rounds done.
        rounds: u32,
        /// Why.
        source: crate::SaveError,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// The number asked for.
        threads: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
    /// A number of a model is infinite or not a number.
    #[error("{what} {index} must be finite, found {found}")]
    NotFinite {
        /// What kind of number.
        what: &'static str,
        /// Its position.
        index: usize,
        /// The number.
        found: f32,
    },
    /// A split points to a feature, split or leaf that cannot stand there.
    #[error("split {split}: {what} {found} must be {expected}")]
    Link {
        /// Position of the split in its tree.
        split: usize,
        /// What it points to: feature, split, leaf, category code.
        what: &'static str,
        /// Where it points.
        found: u64,
        /// What would be right.
        expected: &'static str,
    },
    /// A split or leaf that nothing points to.
    #[error("{what} {index} is not part of the tree")]
    Unreachable {
        /// Split or leaf.
        what: &'static str,
        /// Its position.
        index: usize,
    },
    /// The bytes do not begin as a model does.
    #[error("not the bytes of a model: they begin with {found:02x?}, expected {expected:02x?}")]
    Magic {
        /// The first bytes.
        found: Vec<u8>,
        /// What they should be.
        expected: [u8; 4],
    },
    /// The bytes are of a version that this code does not read.
    #[error("model bytes of version {found}, this code reads version {expected}")]
    Version {
        /// The version found.
        found: u32,
        /// The version that can be read.
        expected: u32,
    },
    /// The bytes end too early.
    #[error("model bytes end at {len}: {wanted} more bytes expected at {at}")]
    Truncated {
        /// The number of bytes that there are.
        len: usize,
        /// Where reading stood.
        at: usize,
        /// The number of bytes needed there.
        wanted: u64,
    },
    /// The bytes go on after the model.
    #[error("model bytes go on after the model's end at {at} up to {len}")]
    Trailing {
        /// Where the model ends.
        at: usize,
        /// The number of bytes that there are.
        len: usize,
    },
    /// The bytes are not those that were written.
    #[error("model bytes were altered: checksum {found:016x}, expected {expected:016x}")]
    Checksum {
        /// The sum of the bytes.
        found: u64,
        /// The sum that was written with them.
        expected: u64,
    },
    /// A byte that must be one of a few values.
    #[error("model bytes: {what} at {at} cannot be {found}")]
    Tag {
        /// What the byte says.
        what: &'static str,
        /// Where it stands.
        at: usize,
        /// Its value.
        found: u8,
    },
}

impl Error {
    /// What to try, when there is something to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TargetNotFinite { .. } => {
                "an outcome that is still open is a censored row: give its lower bound"
            }
            Self::NothingObserved { .. } => "train as of a later day, or over a longer past",
            Self::ColumnInfinite { .. } => "make it missing (NaN), or bound it",
            Self::CategoryCode { .. } => "code levels by their position in a sorted list",
            Self::Memory { .. } => {
                "train on fewer days or a sample of rows, with fewer leaves, or raise memory_mib"
            }
            Self::OtherTraining { .. } => "delete the checkpoint to begin again",
            Self::HeldOut { .. } => "hold out fewer rows, or train over a longer past",
            Self::TooMany { .. } => "train on fewer days, or on a sample of rows",
            Self::Truncated { .. } | Self::Checksum { .. } | Self::Trailing { .. } => {
                "fetch the model again, or train it again"
            }
            Self::Version { .. } => "train the model again with this version",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Param { .. }
            | Self::Level { .. }
            | Self::LevelsUnsorted { .. }
            | Self::CategoricalDirection { .. } => ErrorClass::Parameters,
            Self::Empty { .. } | Self::NothingObserved { .. } | Self::HeldOut { .. } => {
                ErrorClass::TooFewRows
            }
            Self::TooMany { .. }
            | Self::TargetNotFinite { .. }
            | Self::ColumnInfinite { .. }
            | Self::CategoryCode { .. }
            | Self::Weight { .. }
            | Self::NoWeight { .. }
            | Self::AllMissing { .. } => ErrorClass::Data,
            _ => ErrorClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_place_and_the_value() {
        let error = Error::ColumnInfinite { column: 3, row: 7, found: f32::INFINITY };
        assert_eq!(error.to_string(), "column 3, row 7 must be finite or missing, found inf");
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.hint().is_some());
    }
}
