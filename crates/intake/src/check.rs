//! The check of whole tables.

use std::collections::BTreeMap;

use bytes::Bytes;
use polars::prelude::DataFrame;
use rayon::prelude::*;
use store::Store;
use terms::{AsOf, Digest};

use crate::contract::{ColumnSpec, Contract};
use crate::error::Error;
use crate::evaluate::{Evaluated, evaluate, key_text};
use crate::footer::check_footer;
use crate::join::Known;
use crate::layout::{TableFile, files_before, partition_prefix, table_prefix};
use crate::report::{Check, TableCheck};
use crate::rows::read_rows;
use crate::workers::on_workers;

/// Files are fetched together up to this size, so that memory does not grow with the table.
pub(crate) const BATCH_BYTES: u64 = 64 << 20;
/// And up to this number, so that small ones share the store's latency.
pub(crate) const BATCH_FILES: usize = 256;

/// How many bad rows an error shows.
const SAMPLES: usize = 5;

/// Checks all tables, each after those that it joins. Writes nothing.
///
/// As of: rows recorded strictly before.
///
/// # Errors
/// The first thing that fails a table, in the order of tables, partitions and files.
pub fn check(store: &Store, contracts: &[Contract], as_of: AsOf) -> Result<Check, Error> {
    let mut tables: BTreeMap<String, TableCheck> = BTreeMap::new();
    let mut waiting: Vec<&Contract> = contracts.iter().collect();
    while !waiting.is_empty() {
        let is_waiting = |table: &str| waiting.iter().any(|other| other.table() == table);
        let ready = waiting
            .iter()
            .position(|contract| !contract.joins().iter().any(|join| is_waiting(&join.table)));
        let contract = match (ready, waiting.first()) {
            (Some(position), _) => waiting.remove(position),
            (None, Some(first)) => return Err(join_order(first)),
            (None, None) => break,
        };
        let known = known(store, contract, contracts, &tables)?;
        match check_table(store, contract, &known, as_of) {
            Ok(checked) => {
                tracing::debug!(table = contract.table(), rows = checked.rows_in, "checked");
                tables.insert(contract.table().to_owned(), checked);
            }
            Err(Error::NoPartition { .. }) if contract.is_optional() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Check { as_of, tables })
}

fn join_order(contract: &Contract) -> Error {
    let join = contract.joins().first().map_or_else(String::new, |join| join.table.clone());
    Error::JoinOrder { table: contract.table().to_owned(), join }
}

fn known(
    store: &Store,
    contract: &Contract,
    contracts: &[Contract],
    tables: &BTreeMap<String, TableCheck>,
) -> Result<Vec<Known>, Error> {
    let joins = contract.joins().iter().map(|join| {
        let other = contracts.iter().find(|other| other.table() == join.table);
        let other = other.ok_or_else(|| join_order(contract))?;
        match tables.get(&join.table) {
            Some(checked) => Known::read(store, join, other, checked),
            None => Ok(Known::nothing(join, other)),
        }
    });
    joins.collect()
}

/// Checks one table. `known` answers the contract's joins, in their order. Writes nothing.
///
/// As of: rows recorded strictly before.
///
/// # Errors
/// The first thing that fails the table, in the order of partitions and files.
pub fn check_table(
    store: &Store,
    contract: &Contract,
    known: &[Known],
    as_of: AsOf,
) -> Result<TableCheck, Error> {
    let files = files_before(store, contract, as_of)?;
    let first = files.first().map(|file| file.recorded_on);
    let mut table = TableCheck {
        table: contract.table().to_owned(),
        as_of,
        contract_version: contract.version().to_owned(),
        contract_digest: contract.digest().clone(),
        rows_in: 0,
        rows_ok: 0,
        rows_quarantined: 0,
        rows_dropped: 0,
        reasons: BTreeMap::new(),
        warnings: BTreeMap::new(),
        files: Vec::with_capacity(files.len()),
    };
    let partitions: Vec<&[TableFile]> =
        files.chunk_by(|a, b| a.recorded_on == b.recorded_on).collect();
    for batch in batches(&partitions, |partition| {
        (partition.len(), partition.iter().map(|file| file.bytes).sum())
    }) {
        let paths: Vec<String> =
            batch.iter().flat_map(|files| files.iter().map(|file| file.path.clone())).collect();
        let mut fetched = store.get_many(&paths)?.into_iter();
        let with_bytes: Vec<Vec<(&TableFile, Bytes)>> =
            batch.iter().map(|files| files.iter().zip(fetched.by_ref()).collect()).collect();
        let checked: Vec<Result<Vec<Evaluated>, Error>> = on_workers(|| {
            with_bytes
                .par_iter()
                .map(|files| check_partition(contract, files, known, as_of))
                .collect()
        });
        for partition in checked {
            partition?.into_iter().for_each(|file| add(&mut table, file));
        }
    }
    if table.rows_in == 0 {
        let (table, prefix) = (table.table, table_prefix(contract.table()));
        return Err(Error::NoPartition { table, prefix, as_of, first });
    }
    judge_share(contract, &table)?;
    Ok(table)
}

/// Splits `items` into runs that are fetched together; `weigh` gives number of files and bytes.
pub(crate) fn batches<T>(items: &[T], weigh: impl Fn(&T) -> (usize, u64)) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut files, mut bytes) = (0, 0, 0);
    for (position, item) in items.iter().enumerate() {
        let (more_files, more_bytes) = weigh(item);
        let full = files + more_files > BATCH_FILES || bytes + more_bytes > BATCH_BYTES;
        if full && position > start {
            batches.push(&items[start..position]);
            (start, files, bytes) = (position, 0, 0);
        }
        files += more_files;
        bytes += more_bytes;
    }
    if start < items.len() {
        batches.push(&items[start..]);
    }
    batches
}

fn check_partition(
    contract: &Contract,
    files: &[(&TableFile, Bytes)],
    known: &[Known],
    as_of: AsOf,
) -> Result<Vec<Evaluated>, Error> {
    let columns: Vec<&ColumnSpec> = contract.columns().iter().collect();
    let mut evaluated = Vec::with_capacity(files.len());
    for (file, bytes) in files {
        let present = check_footer(contract, file, bytes)?;
        let frame = read_rows(contract, &file.path, bytes, &present, &columns)?;
        evaluated.push(evaluate(contract, file, Digest::of(bytes), &frame, known, as_of)?);
    }
    let place = match files {
        [(file, _)] => file.path.clone(),
        [(file, _), ..] => partition_prefix(contract.table(), file.recorded_on),
        [] => return Ok(evaluated),
    };
    keys_are_unique(contract, &place, &evaluated)?;
    Ok(evaluated)
}

fn keys_are_unique(contract: &Contract, place: &str, files: &[Evaluated]) -> Result<(), Error> {
    let failed = |source| Error::Frame { place: format!("keys of {place}"), source };
    let mut keys = DataFrame::empty();
    for file in files {
        keys.vstack_mut(&file.keys).map_err(failed)?;
    }
    if keys.height() < 2 {
        return Ok(());
    }
    let shared = keys.is_duplicated().map_err(failed)?;
    let Some(first) = shared.iter().position(|shared| shared == Some(true)) else {
        return Ok(());
    };
    let mut texts = Vec::new();
    for column in keys.columns() {
        texts.push(key_text(column, first).map_err(failed)?.unwrap_or_default());
    }
    Err(Error::DuplicateKey {
        table: contract.table().to_owned(),
        path: place.to_owned(),
        keys: contract.keys().join(", "),
        rows: u64::from(shared.sum().unwrap_or_default()),
        first: format!("({})", texts.join(", ")),
    })
}

fn add(table: &mut TableCheck, file: Evaluated) {
    let (quarantined, dropped) =
        (file.check.quarantined.len() as u64, file.check.dropped.len() as u64);
    let rows_in = file.check.rows - file.check.rows_later;
    table.rows_in += rows_in;
    table.rows_quarantined += quarantined;
    table.rows_dropped += dropped;
    table.rows_ok += rows_in - quarantined - dropped;
    for (total, found) in [(&mut table.reasons, file.reasons), (&mut table.warnings, file.warnings)]
    {
        for (rule, rows) in found {
            *total.entry(rule).or_default() += rows;
        }
    }
    table.files.push(file.check);
    assert_eq!(
        table.rows_in,
        table.rows_ok + table.rows_quarantined + table.rows_dropped,
        "every row is in use, in quarantine or dropped"
    );
}

fn judge_share(contract: &Contract, table: &TableCheck) -> Result<(), Error> {
    let share_max = contract.quarantine_share_max();
    if table.rows_quarantined as f64 <= share_max * table.rows_in as f64 {
        return Ok(());
    }
    let samples = table.files.iter().flat_map(|file| {
        let show = |row: &crate::report::Quarantined| {
            format!("{} row {} {}", file.path, row.row, row.reason)
        };
        file.quarantined.iter().map(show)
    });
    Err(Error::TooManyQuarantined {
        table: table.table.clone(),
        quarantined: table.rows_quarantined,
        rows: table.rows_in,
        share_max,
        reasons: table.reasons.clone(),
        samples: samples.take(SAMPLES).collect(),
    })
}

#[cfg(test)]
mod tests;
