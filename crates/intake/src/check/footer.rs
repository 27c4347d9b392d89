//! The footer of a Parquet file: its physical schema, its number of rows and the statistics of its
//! columns, checked before any row is read.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use terms::{Day, Instant, column};

use super::decoded_size::{DECODED_BYTES_MAX, decoded_bytes_max};
use crate::contained::contained;
use crate::contract::Contract;
use crate::contract::column_type::describe;
use crate::error::Error;

/// The footer of a file that has the columns of its contract.
pub(crate) struct Footer<'a> {
    /// The contract's columns that the file has.
    pub(crate) present: Vec<&'a str>,
    /// An upper bound of the memory that the rows take. Units: bytes.
    pub(crate) decoded_bytes_max: u64,
    metadata: Arc<ParquetMetaData>,
}

impl<'a> Footer<'a> {
    /// Reads the footer of a file of a partition.
    ///
    /// # Errors
    /// As [`Self::read_unpartitioned`]; or if the statistics say that a row was recorded on another
    /// day.
    pub(crate) fn read(
        contract: &'a Contract,
        path: &str,
        recorded_on: Day,
        bytes: &Bytes,
    ) -> Result<Self, Error> {
        let footer = Self::read_unpartitioned(contract, path, bytes)?;
        if let Some(range) = recorded_range(&footer.metadata) {
            check_days(contract, path, recorded_on, range)?;
        }
        Ok(footer)
    }

    /// Reads the footer of a file.
    ///
    /// # Errors
    /// If the file is not Parquet, may not fit in memory once decoded, has no rows, has a column of another type than its contract says
    /// or does not have a required one.
    pub(crate) fn read_unpartitioned(
        contract: &'a Contract,
        path: &str,
        bytes: &Bytes,
    ) -> Result<Self, Error> {
        let table = || contract.table().to_owned();
        let not_parquet = |source| Error::NotParquet {
            table: table(),
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            source,
        };
        let options = ArrowReaderOptions::default;
        let footer = contained(|| ArrowReaderMetadata::load(bytes, options()))
            .unwrap_or_else(|panic| Err(ParquetError::General(panic)))
            .map_err(not_parquet)?;
        let present = present_columns(contract, path, &footer)?;
        let metadata = footer.metadata();
        if metadata.file_metadata().num_rows() == 0 {
            return Err(Error::EmptyFile { table: table(), path: path.to_owned() });
        }
        let decoded_bytes_max = contained(|| decoded_bytes_max(bytes, metadata, &present))
            .unwrap_or_else(|panic| Err(ParquetError::General(panic)))
            .map_err(not_parquet)?;
        if decoded_bytes_max > DECODED_BYTES_MAX {
            let (table, path) = (table(), path.to_owned());
            return Err(Error::TooLarge { table, path, found: decoded_bytes_max });
        }
        Ok(Self { present, decoded_bytes_max, metadata: metadata.clone() })
    }

    /// How many rows of the file are null in a column, if its statistics say so.
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

fn present_columns<'a>(
    contract: &'a Contract,
    path: &str,
    footer: &ArrowReaderMetadata,
) -> Result<Vec<&'a str>, Error> {
    let mut present = Vec::new();
    for column in contract.columns() {
        let expected = column.physical.message_name();
        let names = || (contract.table().to_owned(), path.to_owned(), column.name.clone());
        let declared_at: Box<str> = column.declared_at.as_str().into();
        match footer.schema().column_with_name(&column.name) {
            Some((_, field)) if column.physical.accepts(field.data_type()) => {
                present.push(column.name.as_str());
            }
            Some((_, field)) => {
                let (table, path, column) = names();
                let found = describe(field.data_type()).into_boxed_str();
                return Err(Error::WrongType { table, path, column, expected, declared_at, found });
            }
            None if column.required => {
                let (table, path, column) = names();
                return Err(Error::MissingColumn { table, path, column, expected, declared_at });
            }
            None => {}
        }
    }
    Ok(present)
}

/// Refuses a file whose first or last row was recorded on another day than its partition says.
pub(crate) fn check_days(
    contract: &Contract,
    path: &str,
    recorded_on: Day,
    (first, last): (Instant, Instant),
) -> Result<(), Error> {
    for found in [first.day(), last.day()] {
        if found != recorded_on {
            return Err(Error::WrongDay {
                table: contract.table().to_owned(),
                path: path.to_owned(),
                expected: recorded_on,
                found,
            });
        }
    }
    Ok(())
}

/// First and last `recorded_at`, if the statistics of all row groups give them.
fn recorded_range(metadata: &ParquetMetaData) -> Option<(Instant, Instant)> {
    let position = leaf(metadata, column::RECORDED_AT)?;
    let mut range: Option<(i64, i64)> = None;
    for group in metadata.row_groups() {
        let Some(Statistics::Int64(statistics)) = group.column(position).statistics() else {
            return None;
        };
        let (low, high) = (*statistics.min_opt()?, *statistics.max_opt()?);
        range = Some(range.map_or((low, high), |(min, max)| (min.min(low), max.max(high))));
    }
    range.map(|(first, last)| (Instant::from_micros(first), Instant::from_micros(last)))
}

/// The position of a flat column among the leaves of the schema.
fn leaf(metadata: &ParquetMetaData, column: &str) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|&position| schema.column(position).path().string() == column)
}
