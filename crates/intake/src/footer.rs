//! What a file's footer tells, before any of its rows is read.

use bytes::Bytes;
use chrono::NaiveDate;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use terms::{AsOf, column};

use crate::column_type::describe;
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::TableFile;

/// Checks the physical schema of a file, that it has rows, and that they lie in the partition of
/// their day. Gives the names of the contract's columns that the file has.
pub(crate) fn check_footer<'a>(
    contract: &'a Contract,
    file: &TableFile,
    bytes: &Bytes,
) -> Result<Vec<&'a str>, Error> {
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
        let place = || (table(), file.path.clone(), column.name.clone());
        match footer.schema().column_with_name(&column.name) {
            Some((_, field)) if column.physical.accepts(field.data_type()) => {
                present.push(column.name.as_str());
            }
            Some((_, field)) => {
                let (table, path, column) = place();
                let found = describe(field.data_type());
                return Err(Error::WrongType { table, path, column, expected, found });
            }
            None if column.required => {
                let (table, path, column) = place();
                return Err(Error::MissingColumn { table, path, column, expected });
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
    Ok(present)
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
        let found: NaiveDate = AsOf::from_micros(micros).date();
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
    let schema = metadata.file_metadata().schema_descr();
    let position = (0..schema.num_columns())
        .find(|&position| schema.column(position).path().string() == column::RECORDED_AT)?;
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
