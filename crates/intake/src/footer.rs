//! What a file's footer tells, before any of its rows is read.

use std::sync::Arc;

use bytes::Bytes;
use chrono::NaiveDate;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use terms::{Instant, column};

use crate::column_type::describe;
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::TableFile;

/// What a footer says of the contract's columns.
pub(crate) struct Footer<'a> {
    /// Those that the file has.
    pub(crate) present: Vec<&'a str>,
    metadata: Arc<ParquetMetaData>,
}

impl Footer<'_> {
    /// How many rows of the file are null in a column, if its statistics tell.
    pub(crate) fn nulls(&self, column: &str) -> Option<u64> {
        let rows = self.metadata.file_metadata().num_rows() as u64;
        if !self.present.contains(&column) {
            return Some(rows);
        }
        let position = leaf(&self.metadata, column)?;
        let groups = self.metadata.row_groups().iter();
        let nulls = groups.map(|group| group.column(position).statistics()?.null_count_opt());
        nulls.sum()
    }
}

/// Checks the physical schema of a file, that it has rows, and that they lie in the partition of
/// their day.
pub(crate) fn check_footer<'a>(
    contract: &'a Contract,
    file: &TableFile,
    bytes: &Bytes,
) -> Result<Footer<'a>, Error> {
    let table = || contract.table().to_owned();
    let footer =
        ArrowReaderMetadata::load(bytes, ArrowReaderOptions::default()).map_err(|source| {
            Error::NotParquet {
                table: table(),
                path: file.path.clone(),
                bytes: bytes.len() as u64,
                source,
            }
        })?;
    let mut present = Vec::new();
    for column in contract.columns() {
        let expected = column.physical.in_words();
        let names = || (table(), file.path.clone(), column.name.clone());
        let place: Box<str> = column.place.as_str().into();
        match footer.schema().column_with_name(&column.name) {
            Some((_, field)) if column.physical.accepts(field.data_type()) => {
                present.push(column.name.as_str());
            }
            Some((_, field)) => {
                let (table, path, column) = names();
                let found = describe(field.data_type()).into_boxed_str();
                return Err(Error::WrongType { table, path, column, expected, place, found });
            }
            None if column.required => {
                let (table, path, column) = names();
                return Err(Error::MissingColumn { table, path, column, expected, place });
            }
            None => {}
        }
    }
    let metadata = footer.metadata();
    if metadata.file_metadata().num_rows() == 0 {
        return Err(Error::EmptyFile { table: table(), path: file.path.clone() });
    }
    if let Some(range) = recorded_range(metadata) {
        check_days(contract, file, range)?;
    }
    Ok(Footer { present, metadata: metadata.clone() })
}

/// Refuses a file whose first or last row was recorded on another day than its partition says.
///
/// Units: microseconds since the epoch, UTC.
pub(crate) fn check_days(
    contract: &Contract,
    file: &TableFile,
    (first, last): (i64, i64),
) -> Result<(), Error> {
    for micros in [first, last] {
        let found: NaiveDate = Instant::from_micros(micros).day().date();
        if found != file.recorded_on {
            return Err(Error::WrongDay {
                table: contract.table().to_owned(),
                path: file.path.clone(),
                expected: file.recorded_on,
                found,
            });
        }
    }
    Ok(())
}

/// First and last `recorded_at`, if the statistics of all row groups tell them.
fn recorded_range(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let position = leaf(metadata, column::RECORDED_AT)?;
    let mut range: Option<(i64, i64)> = None;
    for group in metadata.row_groups() {
        let Some(Statistics::Int64(statistics)) = group.column(position).statistics() else {
            return None;
        };
        let (low, high) = (*statistics.min_opt()?, *statistics.max_opt()?);
        range = Some(range.map_or((low, high), |(min, max)| (min.min(low), max.max(high))));
    }
    range
}

/// Where the values of a flat column stand.
fn leaf(metadata: &ParquetMetaData, column: &str) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|&position| schema.column(position).path().string() == column)
}
