//! The rows of one file as a data frame with the contract's columns and types.

use std::io::Cursor;

use bytes::Bytes;
use polars::io::parquet::read::ParquetReader;
use polars::prelude::{Column, DataFrame, PolarsResult, SerReader};

use crate::contract::{ColumnSpec, Contract};
use crate::error::Error;

/// Reads `columns` of a file whose footer was checked; those that it lacks are null.
///
/// Shapes: all rows of the file, columns in the order of `columns`.
pub(crate) fn read_rows(
    contract: &Contract,
    path: &str,
    bytes: &Bytes,
    present: &[&str],
    columns: &[&ColumnSpec],
) -> Result<DataFrame, Error> {
    rows(bytes, present, columns).map_err(|source| Error::Unreadable {
        table: contract.table().to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn rows(bytes: &Bytes, present: &[&str], columns: &[&ColumnSpec]) -> PolarsResult<DataFrame> {
    let asked: Vec<String> = columns
        .iter()
        .map(|column| &column.name)
        .filter(|name| present.contains(&name.as_str()))
        .cloned()
        .collect();
    // A file always has its key columns, and callers always ask for one of them: the number of
    // rows is known even where all other columns are absent.
    let found = ParquetReader::new(Cursor::new(bytes.clone()))
        .with_columns(Some(asked))
        .set_rechunk(true)
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

/// The instants of a column of type timestamp.
///
/// Units: microseconds since the epoch, UTC.
pub(crate) fn instants(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<i64>>> {
    Ok(frame.column(name)?.datetime()?.physical().iter().collect())
}
