//! Source files as data frames, local times turned into UTC.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use chrono_tz::Tz;
use polars::prelude::{
    Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, Int64Chunked, IntoColumn,
    IntoLazy, LazyFrame, NewChunkedArray, ParquetReader, PolarsResult, Schema, SerReader, TimeUnit,
    TimeZone,
};

use super::description::{Format, Source};
use super::local_time::{parse, to_utc_micros};
use crate::error::Error;

/// Reads the source `name`. `description` is where it is described, for messages.
#[expect(clippy::disallowed_methods, reason = "the files of an import are not in the store")]
pub(crate) fn read(
    name: &str,
    source: &Source,
    from: &Path,
    description: &Path,
) -> Result<LazyFrame, Error> {
    let path = from.join(&source.file);
    let zone = zone_of(name, source, description)?;
    let bytes = std::fs::read(&path).map_err(|error| Error::SourceFile {
        name: name.to_owned(),
        path: path.clone(),
        source: error,
    })?;
    let format = match source.format {
        Some(format) => format,
        None if path.extension().is_some_and(|ext| ext == "parquet") => Format::Parquet,
        None => Format::Csv,
    };
    let (words, frame) = match format {
        Format::Csv => ("CSV with a header", read_csv(source, bytes)),
        Format::Parquet => ("Parquet", ParquetReader::new(Cursor::new(bytes)).finish()),
    };
    let mut frame = frame.map_err(|error| Error::SourceFormat {
        name: name.to_owned(),
        path: path.clone(),
        format: words,
        source: error,
    })?;
    for column in source.text.iter().chain(&source.local_times) {
        if frame.column(column).is_err() {
            return Err(Error::SourceColumn {
                name: name.to_owned(),
                path,
                column: column.clone(),
                found: frame.get_column_names().iter().map(ToString::to_string).collect(),
            });
        }
    }
    for column in &source.text {
        let failed = |source| Error::Frame { place: format!("source {name:?} {column:?}"), source };
        let text = frame.column(column).and_then(|values| values.cast(&DataType::String));
        frame.with_column(text.map_err(failed)?).map_err(failed)?;
    }
    for column in &source.local_times {
        let time = |row: usize, found: String| Error::SourceTime {
            name: name.to_owned(),
            path: path.clone(),
            column: column.clone(),
            row: row as u64,
            found,
        };
        let failed = |source| Error::Frame { place: format!("source {name:?} {column:?}"), source };
        let local = frame.column(column).map_err(failed)?;
        let micros = match local.dtype() {
            DataType::String => from_text(local, zone).map_err(failed)?,
            DataType::Datetime(_, None) => from_timestamps(local, zone).map_err(failed)?,
            other => return Err(time(1, other.to_string())),
        };
        let micros = micros.map_err(|(row, found)| time(row + 1, found))?;
        let instants = Int64Chunked::from_slice_options(column.as_str().into(), &micros)
            .into_column()
            .cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))
            .map_err(failed)?;
        frame.with_column(instants).map_err(failed)?;
    }
    Ok(frame.lazy())
}

fn zone_of(name: &str, source: &Source, description: &Path) -> Result<Tz, Error> {
    match source.local_time_zone.as_deref().map(str::parse) {
        Some(Ok(zone)) => Ok(zone),
        None if source.local_times.is_empty() => Ok(Tz::UTC),
        wrong => Err(Error::ImportDescription {
            path: description.to_owned(),
            place: format!("sources.{name}.local_time_zone"),
            expected: "an IANA name like America/Sao_Paulo".to_owned(),
            found: match (wrong, &source.local_time_zone) {
                (Some(_), Some(zone)) => format!("{zone:?}"),
                _ => "none".to_owned(),
            },
        }),
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
    if let Some(separator) = source.separator.and_then(|separator| u8::try_from(separator).ok()) {
        options = options.with_parse_options(CsvParseOptions::default().with_separator(separator));
    }
    options.into_reader_with_file_handle(Cursor::new(bytes)).finish()
}

/// The row of the first value that is no local time, and that value.
type NotATime = (usize, String);

fn from_text(local: &Column, zone: Tz) -> PolarsResult<Result<Vec<Option<i64>>, NotATime>> {
    let instants = local.str()?.iter().enumerate().map(|(row, text)| {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let instant = parse(text).and_then(|local| to_utc_micros(local, zone));
        instant.map(Some).ok_or_else(|| (row, format!("{text:?}")))
    });
    Ok(instants.collect())
}

fn from_timestamps(local: &Column, zone: Tz) -> PolarsResult<Result<Vec<Option<i64>>, NotATime>> {
    let local = local.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?;
    let instants = local.datetime()?.physical().iter().enumerate().map(|(row, micros)| {
        let Some(micros) = micros else { return Ok(None) };
        let instant = DateTime::from_timestamp_micros(micros)
            .and_then(|local| to_utc_micros(local.naive_utc(), zone));
        instant.map(Some).ok_or_else(|| (row, micros.to_string()))
    });
    Ok(instants.collect())
}
