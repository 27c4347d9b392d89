//! The errors of an import: what can be wrong with its description, its sources or its SQL.

use std::path::PathBuf;

use polars::error::PolarsError;
use terms::ErrorClass;

use super::nearest_names::nearest;
use super::source_problem::SourceProblem;

/// An error of an import.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file of the import's folder cannot be read.
    #[error("{}: cannot be read", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The import's description is wrong.
    #[error("{}: expected the description of an import", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The import's description contradicts itself or the contracts.
    #[error("{}: {key}: expected {expected}, found {found}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// The key in it.
        key: String,
        /// What is supported.
        expected: String,
        /// What it says.
        found: String,
    },
    /// A source file does not exist or cannot be read.
    #[error("source {name:?} {}: cannot be read", path.display())]
    SourceFile {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A source file is no table.
    #[error("source {name:?} {}: {problem}", path.display())]
    Source {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        problem: Box<SourceProblem>,
    },
    /// A source file is not of its format.
    #[error("source {name:?} {}: expected {format}", path.display())]
    SourceFormat {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Why.
        source: PolarsError,
    },
    /// A column named in the description is not in the source.
    #[error("source {name:?} {}: column {column:?}: not among {}", path.display(), nearest(.column, .found))]
    SourceColumn {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns that it has.
        found: Vec<String>,
    },
    /// A value is not a local time.
    #[error("source {name:?} {}: column {column:?} row {row}: expected a local time like 2018-01-31 13:45:00, found {found}", path.display())]
    SourceTime {
        /// Its name in SQL.
        name: String,
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The row, from 1, without the header.
        row: u64,
        /// The value, or the column's type.
        found: String,
    },
    /// The SQL of a target failed.
    #[error("{}: cannot be computed", path.display())]
    TargetSql {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PolarsError,
    },
    /// The SQL of a target is not allowed.
    #[error("{}: expected {expected}, found {found}", path.display())]
    TargetText {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        expected: String,
        /// What it has.
        found: String,
    },
    /// The SQL of a target does not return what the contract says.
    #[error("{}: column {column:?}: expected {expected}, found {found}", path.display())]
    TargetColumn {
        /// The SQL file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What the contract says.
        expected: String,
        /// What the SQL returns.
        found: String,
    },
    /// The SQL of a target returns no rows.
    #[error("{}: expected rows, found none", path.display())]
    TargetEmpty {
        /// The SQL file.
        path: PathBuf,
    },
    /// The store has a partition already, with other bytes.
    #[error(
        "{table} {path}: expected the same bytes as are there, found others ({differing} of {partitions} partitions differ)"
    )]
    PartitionDiffers {
        /// The table.
        table: String,
        /// The first such partition.
        path: String,
        /// How many differ.
        differing: usize,
        /// How many partitions the import has.
        partitions: usize,
    },
}

impl ImportError {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::SourceFile { .. } => ErrorClass::Input,
            Self::Folder { .. }
            | Self::Toml { .. }
            | Self::Description { .. }
            | Self::TargetText { .. }
            | Self::TargetSql { .. } => ErrorClass::Configuration,
            Self::Source { .. }
            | Self::SourceFormat { .. }
            | Self::SourceColumn { .. }
            | Self::SourceTime { .. }
            | Self::TargetColumn { .. }
            | Self::TargetEmpty { .. }
            | Self::PartitionDiffers { .. } => ErrorClass::Contract,
        }
    }

    /// What to do about it, if there is something that always helps.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Folder { .. } => {
                "an import is a folder with import.toml and one SQL file for each target; \
                 pipelines/imports/README.md says how to write one"
                    .to_owned()
            }
            Self::SourceFile { path, .. } => format!(
                "put the file into {}",
                path.parent().map_or_else(String::new, |folder| folder.display().to_string())
            ),
            Self::Source { name, problem, .. } => problem.hint(name),
            Self::SourceColumn { name, found, .. } => {
                let separator = match found.as_slice() {
                    [only] => [';', '\t', '|', ','].into_iter().find(|sign| only.contains(*sign)),
                    _ => None,
                };
                let separator = separator?.escape_default();
                format!("write separator = \"{separator}\" into [sources.{name}] of import.toml")
            }
            Self::SourceTime { .. } => "local_times are texts or timestamps without a zone; a \
                column that carries its zone needs no entry there, and another format is read in \
                SQL with its offset: STRPTIME(bought || '+0900', '%d/%m/%Y %H:%M%z')"
                .to_owned(),
            Self::TargetColumn { found, .. } if found.ends_with("without zone") => {
                "name the source column in local_times with its local_time_zone in import.toml, \
                 or let STRPTIME read its offset: STRPTIME(bought || '+0900', '%d/%m/%Y %H:%M%z')"
                    .to_owned()
            }
            Self::PartitionDiffers { .. } => "import into an empty store".to_owned(),
            _ => return None,
        })
    }
}
