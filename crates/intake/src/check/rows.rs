//! The rows of one file as a data frame with the contract's columns and types, and the values of
//! such a frame.

use std::io::Cursor;

use bytes::Bytes;
use polars::io::parquet::read::ParquetReader;
use polars::prelude::{AnyValue, Column, DataFrame, ParallelStrategy, PolarsResult, SerReader};
use terms::Instant;

use crate::contained::contained_result;
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::error::Error;

/// Reads `columns` of a file whose footer was checked; those that it does not have are null.
///
/// Shapes: all rows of the file, columns in the order of `columns`.
pub(crate) fn read_rows(
    contract: &Contract,
    path: &str,
    bytes: &Bytes,
    present: &[&str],
    columns: &[&ColumnSpec],
) -> Result<DataFrame, Error> {
    let decoded = contained_result(|| rows(bytes, present, columns));
    decoded.map_err(|source| Error::Unreadable {
        table: contract.table().to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn rows(bytes: &Bytes, present: &[&str], columns: &[&ColumnSpec]) -> PolarsResult<DataFrame> {
    let names: Vec<String> = columns
        .iter()
        .map(|column| &column.name)
        .filter(|name| present.contains(&name.as_str()))
        .cloned()
        .collect();
    // A file always has its key columns, and callers always read one of them: the number of rows is
    // known even where all other columns are missing.
    let found = ParquetReader::new(Cursor::new(bytes.clone()))
        .with_columns(Some(names))
        .set_rechunk(true)
        // Several files are read at once; and a panic stays on this thread.
        .read_parallel(ParallelStrategy::None)
        .finish()?;
    let n_rows = found.height();
    let mut frame = Vec::with_capacity(columns.len());
    for column in columns {
        let dtype = column.physical.polars();
        frame.push(match found.column(&column.name) {
            Ok(values) => values.strict_cast(&dtype)?,
            Err(_) => Column::full_null(column.name.as_str().into(), n_rows, &dtype),
        });
    }
    DataFrame::new(n_rows, frame)
}

/// The values of a column of type timestamp.
pub(crate) fn instants(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<Instant>>> {
    let micros = frame.column(name)?.datetime()?.physical().iter();
    Ok(micros.map(|at| at.map(Instant::from_micros)).collect())
}

/// A value as text; `None` if it is null.
pub(crate) fn value_text(column: &Column, row: usize) -> PolarsResult<Option<String>> {
    Ok(match column.get(row)? {
        AnyValue::Null => None,
        AnyValue::String(text) => Some(text.to_owned()),
        AnyValue::StringOwned(text) => Some(text.to_string()),
        other => Some(other.to_string()),
    })
}
