//! The rows of a checked table as a data frame. Nothing else reads rows for a feature.

use std::ops::Deref;

use bytes::Bytes;
use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray, PolarsResult, Schema};
use rayon::prelude::*;
use store::Store;
use terms::{AsOf, Digest, column};

use super::footer::Footer;
use super::report::{FileCheck, TableCheck};
use super::rows::{instants, read_rows};
use super::workers::on_workers;
use crate::batches::{BYTES_PER_ROW, batches};
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::error::Error;

/// Rows of a table that passed its check: read from the very bytes that were checked, without
/// quarantined and dropped rows, and recorded before the as-of.
#[derive(Debug, Clone)]
pub struct CheckedFrame(DataFrame);

impl CheckedFrame {
    /// The rows alone.
    pub fn into_inner(self) -> DataFrame {
        self.0
    }
}

impl Deref for CheckedFrame {
    type Target = DataFrame;

    fn deref(&self) -> &DataFrame {
        &self.0
    }
}

/// Reads rows of a checked table, ordered by partition, file and position. Without `columns` all
/// columns of the contract are read; those that a file does not have are null.
///
/// As of: rows recorded strictly before `as_of`, which may be earlier than the check's own as-of.
///
/// # Errors
/// If a file changed since it was checked, a column is not in the contract, or `as_of` is later
/// than the check's own.
pub fn read_checked(
    store: &Store,
    contract: &Contract,
    checked: &TableCheck,
    columns: Option<&[&str]>,
    as_of: AsOf,
) -> Result<CheckedFrame, Error> {
    if as_of > checked.as_of {
        let (table, checked) = (checked.table.clone(), checked.as_of);
        return Err(Error::ReadPastCheck { table, checked, as_of });
    }
    let columns = specs_of(contract, columns)?;
    let files: Vec<&FileCheck> =
        checked.files.iter().filter(|file| as_of.knows(file.recorded_on.start())).collect();
    Ok(CheckedFrame(read_files(store, contract, &files, &columns, as_of)?))
}

/// Reads columns of the usable rows of some files of a checked table.
///
/// As of: rows recorded strictly before.
pub(crate) fn read_files(
    store: &Store,
    contract: &Contract,
    files: &[&FileCheck],
    columns: &[&ColumnSpec],
    as_of: AsOf,
) -> Result<DataFrame, Error> {
    // The as-of needs `recorded_at`, whether or not it is among the columns.
    let mut read = columns.to_vec();
    if !read.iter().any(|column| column.name == column::RECORDED_AT) {
        read.extend(contract.column(column::RECORDED_AT));
    }
    let schema: Schema =
        read.iter().map(|column| (column.name.as_str().into(), column.physical.polars())).collect();
    let mut rows = DataFrame::empty_with_schema(&schema);
    let failed = |source| Error::Frame { step: format!("rows of {}", contract.table()), source };
    for batch in batches(files, |file| (1, file.rows * BYTES_PER_ROW)) {
        let objects: Vec<(String, Digest)> =
            batch.iter().map(|file| (file.path.clone(), file.digest.clone())).collect();
        let with_bytes: Vec<(&FileCheck, Bytes)> =
            batch.iter().copied().zip(store.get_many_verified(&objects)?).collect();
        let frames: Vec<Result<DataFrame, Error>> = on_workers(|| {
            with_bytes
                .par_iter()
                .map(|(file, bytes)| read_file(contract, file, bytes, &read, as_of))
                .collect()
        });
        for frame in frames {
            rows.vstack_mut_owned(frame?).map_err(failed)?;
        }
    }
    let mut rows =
        rows.select(columns.iter().map(|column| column.name.as_str())).map_err(failed)?;
    rows.rechunk_mut_par();
    Ok(rows)
}

fn specs_of<'a>(
    contract: &'a Contract,
    columns: Option<&[&str]>,
) -> Result<Vec<&'a ColumnSpec>, Error> {
    let Some(names) = columns else { return Ok(contract.columns().iter().collect()) };
    let specs = names.iter().map(|name| {
        contract.column(name).ok_or_else(|| Error::UnknownColumn {
            table: contract.table().to_owned(),
            column: (*name).to_owned(),
        })
    });
    specs.collect()
}

fn read_file(
    contract: &Contract,
    file: &FileCheck,
    bytes: &Bytes,
    columns: &[&ColumnSpec],
    as_of: AsOf,
) -> Result<DataFrame, Error> {
    let footer = Footer::read(contract, &file.path, file.recorded_on, bytes)?;
    let frame = read_rows(contract, &file.path, bytes, &footer.present, columns)?;
    usable(file, &frame, as_of).map_err(|source| Error::Unreadable {
        table: contract.table().to_owned(),
        path: file.path.clone(),
        source,
    })
}

fn usable(file: &FileCheck, frame: &DataFrame, as_of: AsOf) -> PolarsResult<DataFrame> {
    let mut keep: Vec<bool> = instants(frame, column::RECORDED_AT)?
        .into_iter()
        .map(|at| at.is_some_and(|at| as_of.knows(at)))
        .collect();
    let bad = file.quarantined.iter().map(|row| row.row).chain(file.dropped.iter().copied());
    for row in bad {
        if let Some(keep) = keep.get_mut(row as usize) {
            *keep = false;
        }
    }
    if keep.iter().all(|keep| *keep) {
        return Ok(frame.clone());
    }
    frame.filter(&BooleanChunked::from_slice("keep".into(), &keep))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;
    use terms::ErrorClass;

    #[test]
    fn quarantined_and_later_rows_are_not_read_and_absent_columns_are_null() {
        let store = sound_store();
        let mut rows = delivered();
        rows[0].n_units = 0;
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        let checked = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let shipments = &checked.tables["shipments"];
        let contract = contract("shipments");
        let read = |columns, as_of| {
            read_checked(&store, &contract, shipments, columns, at(as_of)).unwrap()
        };

        let all = read(None, "2026-01-06");
        assert_eq!(all.shape(), (79, contract.columns().len()));
        assert_eq!(all.column("carrier").unwrap().null_count(), 79);
        assert_eq!(all.column("ship_by_at").unwrap().dtype(), &crate::ColumnType::Instant.polars());

        let some = read(Some(&["order_id", "carrier"]), "2026-01-05T12:00:00Z");
        assert_eq!(some.get_column_names(), ["order_id", "carrier"]);
        assert_eq!(some.height(), 40 + 24 - 1);
        assert_eq!(some.column("order_id").unwrap().str().unwrap().get(40), Some("o01"));

        let only_absent = read(Some(&["carrier"]), "2026-01-03");
        assert_eq!(only_absent.shape(), (40, 1));
    }

    #[test]
    fn a_file_altered_after_its_check_is_refused() {
        let store = sound_store();
        let checked = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        put(&store, "orders", "2026-01-02", orders_frame(&orders()[1..]));
        let orders = &checked.tables["orders"];
        let error =
            read_checked(&store, &contract("orders"), orders, None, at("2026-01-06")).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "memory://tables/orders/recorded_on=2026-01-02/part-0000.parquet: expected SHA-256"
            ) || error
                .to_string()
                .contains("recorded_on=2026-01-02/part-0000.parquet: expected SHA-256"),
            "{error}"
        );
        assert_eq!(error.class(), ErrorClass::Contract);
    }

    #[test]
    fn what_was_not_checked_is_not_read() {
        let store = sound_store();
        let checked = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let (orders, contract) = (&checked.tables["orders"], contract("orders"));
        let later = read_checked(&store, &contract, orders, None, at("2026-01-07")).unwrap_err();
        assert_eq!(later.to_string(), "orders: checked as of 2026-01-06, read as of 2026-01-07");
        let other = read_checked(&store, &contract, orders, Some(&["colour"]), at("2026-01-06"))
            .unwrap_err();
        assert_eq!(other.to_string(), "orders: column \"colour\": not in the contract");
    }
}
