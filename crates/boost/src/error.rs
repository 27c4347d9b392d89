//! Errors: why training, building a model or decoding one is refused, with position and value.

/// The kind of an [`Error`], from which a caller may decide what to do about it.
///
/// ```
/// use boost::{ErrorClass, Model, Params};
///
/// let refused = Params { leaves: 1, ..Params::default() }.check().unwrap_err();
/// assert_eq!(refused.class(), ErrorClass::Parameters);
/// assert_eq!(Model::decode(b"no model").unwrap_err().class(), ErrorClass::Model);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A parameter is outside its range, or does not fit the columns.
    Parameters,
    /// There are too few rows, columns or levels, or too few rows with an observed outcome.
    TooFewRows,
    /// A value of the data is not what it must be, or there are too many.
    Data,
    /// The bytes or parts of a model or checkpoint are not those of one that this version reads.
    Model,
    /// There is not enough memory, no thread could be started, or a checkpoint not be saved.
    Resources,
    /// The arguments of a call do not fit each other: their lengths differ, or a checkpoint is of
    /// another training.
    Arguments,
}

/// Why a checkpoint could not be saved: any error of the function that saves it.
pub type SaveError = Box<dyn std::error::Error + Send + Sync>;

/// Why a training set, a parameter, a model or its bytes were refused.
///
/// ```
/// use boost::{Columns, Error, Params, Target, train};
///
/// let columns = [vec![1.0, f32::INFINITY]];
/// let target = Target::Mean { values: &[1.0, 2.0] };
/// let params = Params::default().check()?;
/// let refused = train(&Columns::new(&columns, &[false]), &target, &params).unwrap_err();
/// assert!(matches!(refused, Error::ColumnInfinite { column: 0, row: 1, .. }));
/// assert_eq!(refused.to_string(), "column 0, row 1 must be finite or missing, found inf");
/// assert_eq!(refused.hint().as_deref(), Some("make it missing (NaN), or bound it"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside its range.
    #[error("parameter {name} must be {expected}, found {found}")]
    Param {
        /// The field of [`Params`](crate::Params).
        name: &'static str,
        /// Its value.
        found: f64,
        /// The range.
        expected: &'static str,
    },
    /// A quantile level is outside (0, 1).
    #[error("quantile level {index} must be above 0 and below 1, found {found}")]
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
    /// There is none of something of which at least one is needed.
    #[error("no {what}")]
    Empty {
        /// What is missing: rows, columns, quantile levels, outputs.
        what: &'static str,
    },
    /// There are more rows, columns or levels than the number types can hold.
    #[error("{found} {what}, at most {max} fit")]
    TooMany {
        /// Rows, columns or quantile levels.
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
    /// All rows to learn from are right-censored.
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
        source: SaveError,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads")]
    Threads {
        /// The number of threads.
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
    /// A split refers to a feature, split, leaf or category code that it cannot refer to.
    #[error("split {split}: {what} {found} must be {expected}")]
    Link {
        /// Position of the split in its tree.
        split: usize,
        /// What it refers to: feature, split, leaf, category code.
        what: &'static str,
        /// The number that was found.
        found: u64,
        /// The numbers that are allowed.
        expected: &'static str,
    },
    /// A leaf that counts no rows, or a tree that counts too many.
    #[error("leaf {leaf}: the count {found} must be {expected}")]
    LeafCount {
        /// Position of the leaf in its tree.
        leaf: usize,
        /// Its count, or that of all leaves up to it.
        found: u64,
        /// The counts that are allowed.
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
    #[error("model bytes of version {found}, this code reads versions up to {expected}")]
    Version {
        /// The version found.
        found: u32,
        /// The newest version that can be read.
        expected: u32,
    },
    /// The bytes end too early.
    #[error("model bytes end at {len}: {wanted} more bytes expected at {at}")]
    Truncated {
        /// The number of bytes that there are.
        len: usize,
        /// How many had been read.
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
        /// What the byte encodes.
        what: &'static str,
        /// Its position among the bytes.
        at: usize,
        /// Its value.
        found: u8,
    },
}

impl Error {
    /// What the caller may try, where there is something to try.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TargetNotFinite { .. } => {
                "an outcome not yet observed is right-censored: give its lower bound"
            }
            Self::NothingObserved { .. } => {
                "train on more or older rows, of which some outcomes are observed"
            }
            Self::ColumnInfinite { .. } => "make it missing (NaN), or bound it",
            Self::CategoryCode { .. } => "code levels by their position in a sorted list",
            Self::Memory { .. } => {
                "train on fewer rows or a sample of them, with fewer leaves, or raise memory_mib"
            }
            Self::OtherTraining { .. } => "delete the checkpoint to begin again",
            Self::HeldOut { .. } => "hold out fewer rows, or train on more",
            Self::TooMany { .. } => "train on fewer rows, or on a sample of them",
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
            Self::NotFinite { .. }
            | Self::Link { .. }
            | Self::LeafCount { .. }
            | Self::Unreachable { .. }
            | Self::Magic { .. }
            | Self::Version { .. }
            | Self::Truncated { .. }
            | Self::Trailing { .. }
            | Self::Checksum { .. }
            | Self::Tag { .. } => ErrorClass::Model,
            Self::Memory { .. } | Self::Threads { .. } | Self::Save { .. } => ErrorClass::Resources,
            Self::Length { .. } | Self::ColumnLength { .. } | Self::OtherTraining { .. } => {
                ErrorClass::Arguments
            }
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
