//! Why a source file is no table, before any of its values is read, and the way out.

use std::fmt;

use super::csv_rows::{Fault, Position, position_of_end};
use super::source_bytes::{Malformed, Unpacking};

/// Why a source file is no table.
#[derive(Debug)]
#[non_exhaustive]
pub enum SourceProblem {
    /// A row has more fields than the header, or fewer.
    Fields {
        /// The row, from 1, without the header.
        row: u64,
        /// The line on which it begins, from 1.
        line: u64,
        /// Fields of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
        /// What separates them.
        separator: char,
    },
    /// A quotation mark is never closed.
    OpenQuote {
        /// The row, from 1, without the header, which is 0.
        row: u64,
        /// The line on which it begins, from 1.
        line: u64,
    },
    /// Bytes are no text of the encoding.
    Encoding {
        /// The encoding.
        encoding: &'static str,
        /// The row, from 1, without the header, which is 0.
        row: u64,
        /// The line, from 1.
        line: u64,
        /// The column: its name in quotes, or its number.
        column: String,
        /// The end of the value's text before the bytes.
        before: String,
        /// The bytes; at most four.
        bytes: Vec<u8>,
    },
    /// It is of a format that is not read.
    Binary {
        /// What it is.
        found: &'static str,
    },
    /// It is gzip, but damaged or cut off.
    Damaged {
        /// Why.
        source: std::io::Error,
    },
    /// It unpacks to more than may be held in memory.
    TooLarge {
        /// How much it may be. Units: bytes.
        bytes_max: u64,
    },
    /// It is no file: a folder, a pipe, a device.
    NoFile,
}

/// How many characters of a value are shown.
const SHOWN: usize = 30;

impl SourceProblem {
    pub(crate) fn of_rows(fault: Fault, separator: u8) -> Self {
        match fault {
            Fault::Fields { row, line, expected, found } => {
                Self::Fields { row, line, expected, found, separator: char::from(separator) }
            }
            Fault::OpenQuote { row, line } => Self::OpenQuote { row, line },
        }
    }

    pub(crate) fn of_text(malformed: Malformed, separator: u8) -> Self {
        let Malformed { encoding, before, bytes } = malformed;
        let Position { row, line, column, value } = position_of_end(&before, separator);
        let skipped = value.chars().count().saturating_sub(SHOWN);
        let before = value.chars().skip(skipped).collect();
        Self::Encoding { encoding, row, line, column, before, bytes }
    }

    pub(crate) fn of_unpacking(unpacking: Unpacking, bytes_max: u64) -> Self {
        match unpacking {
            Unpacking::Damaged(source) => Self::Damaged { source },
            Unpacking::TooLarge => Self::TooLarge { bytes_max },
        }
    }

    /// What to do about it. `name` is the source's in SQL.
    pub(crate) fn hint(&self, name: &str) -> String {
        match self {
            Self::Fields { expected, found, separator, .. } if found > expected => format!(
                "a value that holds {separator:?} needs quotation marks around it, and the header \
                 as many fields as the rows; separator in [sources.{name}] of import.toml says \
                 what separates fields"
            ),
            Self::Fields { .. } => format!(
                "export the row again; if rows may end early, null_padding = true in \
                 [sources.{name}] of import.toml reads what is missing as no value"
            ),
            Self::OpenQuote { .. } => "a value that begins with a quotation mark ends with one, \
                and one within it is written twice: \"5\"\" pipe\""
                .to_owned(),
            Self::Encoding { encoding: "UTF-8", .. } => format!(
                "say in [sources.{name}] of import.toml how the file is written, such as encoding = \
                 \"windows-1252\" (also for latin1) or \"shift_jis\", or save it as UTF-8"
            ),
            Self::Encoding { encoding, .. } => format!(
                "the file is not in {encoding}, as encoding in [sources.{name}] of import.toml \
                 says, or it is damaged"
            ),
            Self::Binary { found: "Parquet" } => {
                format!("write format = \"parquet\" into [sources.{name}] of import.toml")
            }
            Self::Binary { .. } => {
                "give CSV in UTF-8, as it is or packed with gzip, or Parquet".to_owned()
            }
            Self::Damaged { .. } => "copy the file again: it is likely cut off".to_owned(),
            Self::TooLarge { .. } => {
                "look whether it is what it should be; then split it, or unpack it".to_owned()
            }
            Self::NoFile => "name a file".to_owned(),
        }
    }
}

impl fmt::Display for SourceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields { row, line, expected, found, separator } => write!(
                f,
                "row {row} (line {line}): expected {expected} fields separated by {separator:?}, \
                 as the header has, found {found}"
            ),
            Self::OpenQuote { row, line } => write!(
                f,
                "row {row} (line {line}): expected a closing quotation mark, found the end of the \
                 file"
            ),
            Self::Encoding { encoding, row, line, column, before, bytes } => {
                let row = if *row == 0 { "header".to_owned() } else { format!("row {row}") };
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                let bytes = bytes.join(" ");
                write!(
                    f,
                    "column {column} {row} (line {line}): expected text in {encoding}, found the \
                     bytes {bytes} after {before:?}"
                )
            }
            Self::Binary { found } => write!(f, "expected CSV, found {found}"),
            Self::Damaged { source } => write!(f, "expected a whole gzip file, found: {source}"),
            Self::TooLarge { bytes_max } => {
                write!(f, "expected at most {} MiB unpacked, found more", bytes_max >> 20)
            }
            Self::NoFile => write!(f, "expected a file, found a folder, a pipe or a device"),
        }
    }
}
