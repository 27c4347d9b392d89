//! The source files of an import as data frames, with local times converted to UTC.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use chrono_tz::Tz;
use encoding_rs::UTF_8;
use polars::error::PolarsError;
use polars::prelude::{
    Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, Int64Chunked, IntoColumn,
    IntoLazy, LazyFrame, NewChunkedArray, NullValues, ParquetReader, PolarsResult, Schema,
    SerReader, TimeUnit, TimeZone,
};
use terms::Instant;

use super::csv_rows::checked;
use super::description::{Format, Source};
use super::error::ImportError;
use super::local_time::{parse, to_utc};
use super::source_bytes::{binary_format, decoded, unpacked};
use super::source_problem::SourceProblem;
use crate::check::decoded_size::DECODED_BYTES_MAX;
use crate::contained::contained_result;
use crate::error::Error;

/// Reads the source `name` from the folder `from`. `description` is the file that describes it, for
/// messages.
pub(crate) fn read(
    name: &str,
    source: &Source,
    from: &Path,
    description: &Path,
) -> Result<LazyFrame, Error> {
    let zone = zone_of(name, source, description)?;
    let file = SourceFile { name, path: from.join(&source.file), source };
    let mut frame = file.read()?;
    file.require_columns(&frame)?;
    for column in &source.text {
        let failed = |source| file.failed(column, source);
        let text = frame.column(column).and_then(|values| values.cast(&DataType::String));
        frame.with_column(text.map_err(failed)?).map_err(failed)?;
    }
    for column in &source.local_times {
        let instants = file.to_utc(column, &frame, zone)?;
        frame.with_column(instants).map_err(|source| file.failed(column, source))?;
    }
    Ok(frame.lazy())
}

fn zone_of(name: &str, source: &Source, description: &Path) -> Result<Tz, Error> {
    match source.local_time_zone.as_deref().map(str::parse) {
        Some(Ok(zone)) => Ok(zone),
        None if source.local_times.is_empty() => Ok(Tz::UTC),
        wrong => Err(ImportError::Description {
            path: description.to_owned(),
            key: format!("sources.{name}.local_time_zone"),
            expected: "an IANA name like America/Sao_Paulo".to_owned(),
            found: match (wrong, &source.local_time_zone) {
                (Some(_), Some(zone)) => format!("{zone:?}"),
                _ => "none".to_owned(),
            },
        }
        .into()),
    }
}

/// A source file, its name in SQL and what its description says of it.
struct SourceFile<'a> {
    name: &'a str,
    path: PathBuf,
    source: &'a Source,
}

impl SourceFile<'_> {
    fn failed(&self, column: &str, source: PolarsError) -> Error {
        Error::Frame { step: format!("source {:?} {column:?}", self.name), source }
    }

    fn read(&self) -> Result<DataFrame, ImportError> {
        let bytes = self.bytes()?;
        let (format, frame) = match self.format() {
            Format::Csv => {
                let table = self.table(bytes)?;
                ("CSV with a header", contained_result(|| read_csv(self.source, table)))
            }
            Format::Parquet => {
                let read = || ParquetReader::new(Cursor::new(bytes)).finish();
                ("Parquet", contained_result(read))
            }
        };
        frame.map_err(|source| ImportError::SourceFormat {
            name: self.name.to_owned(),
            path: self.path.clone(),
            format,
            source,
        })
    }

    /// That of the description, else that of the file's name, beside which `.gz` does not matter.
    fn format(&self) -> Format {
        let is_gz = self.path.extension().is_some_and(|ext| ext == "gz");
        let name = if is_gz { self.path.with_extension("") } else { self.path.clone() };
        let is_parquet = name.extension().is_some_and(|ext| ext == "parquet");
        self.source.format.unwrap_or(if is_parquet { Format::Parquet } else { Format::Csv })
    }

    fn refuse(&self, problem: SourceProblem) -> ImportError {
        let (name, path) = (self.name.to_owned(), self.path.clone());
        ImportError::Source { name, path, problem: Box::new(problem) }
    }

    /// The bytes of the file, unpacked.
    #[expect(clippy::disallowed_methods, reason = "the files of an import are not in the store")]
    fn bytes(&self) -> Result<Vec<u8>, ImportError> {
        let failed = |source| ImportError::SourceFile {
            name: self.name.to_owned(),
            path: self.path.clone(),
            source,
        };
        // Reading a pipe would wait for whoever writes into it.
        if !std::fs::metadata(&self.path).map_err(failed)?.is_file() {
            return Err(self.refuse(SourceProblem::NoFile));
        }
        let bytes = std::fs::read(&self.path).map_err(failed)?;
        unpacked(bytes, DECODED_BYTES_MAX).map_err(|unpacking| {
            self.refuse(SourceProblem::of_unpacking(unpacking, DECODED_BYTES_MAX))
        })
    }

    /// The text of a CSV file, in which every row is a row of a table.
    fn table(&self, bytes: Vec<u8>) -> Result<Vec<u8>, ImportError> {
        if let Some(found) = binary_format(&bytes) {
            return Err(self.refuse(SourceProblem::Binary { found }));
        }
        let separator = self.source.separator();
        let text = decoded(bytes, self.source.encoding().unwrap_or(UTF_8))
            .map_err(|malformed| self.refuse(SourceProblem::of_text(malformed, separator)))?;
        checked(text, separator, self.source.null_padding)
            .map_err(|fault| self.refuse(SourceProblem::of_rows(fault, separator)))
    }

    /// The description must name only columns that the source has.
    fn require_columns(&self, frame: &DataFrame) -> Result<(), ImportError> {
        let mut described = self.source.text.iter().chain(&self.source.local_times);
        match described.find(|column| frame.column(column).is_err()) {
            None => Ok(()),
            Some(column) => Err(ImportError::SourceColumn {
                name: self.name.to_owned(),
                path: self.path.clone(),
                column: column.clone(),
                found: frame.get_column_names().iter().map(ToString::to_string).collect(),
            }),
        }
    }

    /// A column of local times in `zone` as UTC instants.
    fn to_utc(&self, column: &str, frame: &DataFrame, zone: Tz) -> Result<Column, Error> {
        let failed = |source| self.failed(column, source);
        let not_a_time = |row: usize, found: String| ImportError::SourceTime {
            name: self.name.to_owned(),
            path: self.path.clone(),
            column: column.to_owned(),
            row: row as u64,
            found,
        };
        let local = frame.column(column).map_err(failed)?;
        let instants = match local.dtype() {
            DataType::String => from_text(local, zone).map_err(failed)?,
            DataType::Datetime(_, None) => from_timestamps(local, zone).map_err(failed)?,
            other => return Err(not_a_time(1, other.to_string()).into()),
        };
        let instants = instants.map_err(|(row, found)| not_a_time(row + 1, found))?;
        let micros = instants.into_iter().map(|at| at.map(Instant::micros));
        Int64Chunked::from_iter_options(column.into(), micros)
            .into_column()
            .cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))
            .map_err(failed)
    }
}

/// Types are inferred from all rows, so that a column of digits with one letter far down is text.
fn read_csv(source: &Source, bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    let text = source.text.iter().chain(&source.local_times);
    let text: Schema = text.map(|name| (name.as_str().into(), DataType::String)).collect();
    let mut options = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(None)
        .with_schema_overwrite(Some(Arc::new(text)));
    let mut parse = CsvParseOptions::default().with_separator(source.separator());
    if !source.nulls.is_empty() {
        let nulls = source.nulls.iter().map(|text| text.as_str().into()).collect();
        parse = parse.with_null_values(Some(NullValues::AllColumns(nulls)));
    }
    options = options.with_parse_options(parse);
    options.into_reader_with_file_handle(Cursor::new(bytes)).finish()
}

/// The row of the first value that is not a local time, and that value.
type NotATime = (usize, String);

fn from_text(local: &Column, zone: Tz) -> PolarsResult<Result<Vec<Option<Instant>>, NotATime>> {
    let instants = local.str()?.iter().enumerate().map(|(row, text)| {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let instant = parse(text).and_then(|local| to_utc(local, zone));
        instant.map(Some).ok_or_else(|| (row, format!("{text:?}")))
    });
    Ok(instants.collect())
}

fn from_timestamps(
    local: &Column,
    zone: Tz,
) -> PolarsResult<Result<Vec<Option<Instant>>, NotATime>> {
    let local = local.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?;
    let instants = local.datetime()?.physical().iter().enumerate().map(|(row, micros)| {
        let Some(micros) = micros else { return Ok(None) };
        let instant = DateTime::from_timestamp_micros(micros)
            .and_then(|local| to_utc(local.naive_utc(), zone));
        instant.map(Some).ok_or_else(|| (row, micros.to_string()))
    });
    Ok(instants.collect())
}
