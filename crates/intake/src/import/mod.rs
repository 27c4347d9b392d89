//! The import of foreign files as tables, described by a folder with `import.toml`, which names the
//! sources, and one SQL file for each target table.
//!
//! Steps: read the description; read the sources and convert local times to UTC; compute every
//! target and cast it to the types of its contract; split it by the UTC date of `recorded_at`;
//! compare with what is in the store; and only then write. The same sources give the same bytes.
//!
//! Limits: sources and targets are held in memory.

pub(crate) mod error;
pub(crate) mod source_problem;

mod csv_rows;
mod description;
mod local_time;
mod nearest_names;
mod source;
mod source_bytes;
mod target;

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use polars::sql::SQLContext;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::Day;

use self::description::Description;
use self::error::ImportError;
use self::target::Partition;
use crate::batches::batches;
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::{partition_prefix, table_prefix};
use crate::table_write::TableWrite;

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// One for each target, by name.
    pub tables: Vec<ImportedTable>,
}

/// What an import did to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedTable {
    /// The table.
    pub table: String,
    /// Rows of all its partitions.
    pub rows: u64,
    /// Bytes of all its partitions.
    pub bytes: u64,
    /// Partitions that were written.
    pub partitions_written: u64,
    /// Partitions that the store had already with the same bytes.
    pub partitions_same: u64,
    /// Files of the table that are not part of this import; they stay as they are.
    pub files_other: u64,
    /// The first partition.
    pub first: Day,
    /// The last partition.
    pub last: Day,
}

/// Imports the files under `from` as `folder` describes. A partition that the store has with other
/// bytes is replaced only with `force`.
///
/// # Errors
/// If a source, a statement or a target is not as described; then nothing is written.
pub fn import(
    store: &Store,
    folder: &Path,
    from: &Path,
    contracts: &[Contract],
    force: bool,
) -> Result<ImportReport, Error> {
    let description = Description::read(folder, contracts)?;
    let mut context = SQLContext::new();
    for (name, source) in &description.sources {
        context.register(name, source::read(name, source, from, &description.path)?);
    }
    let mut targets = Vec::with_capacity(description.targets.len());
    for (contract, sql) in &description.targets {
        let partitions = target::compute(&mut context, contract, sql)?;
        targets.push((*contract, partitions));
    }
    drop(context);

    // Everything is compared before anything is written.
    let mut plans = Vec::with_capacity(targets.len());
    for (contract, partitions) in targets {
        plans.push(plan(store, contract.table(), partitions, force)?);
    }
    let mut write = TableWrite::new(store, &command_of(folder));
    if plans.iter().any(|plan| !plan.write.is_empty()) {
        write.begin()?;
    }
    let mut tables = Vec::with_capacity(plans.len());
    for plan in plans {
        for batch in batches(&plan.write, |(_, bytes)| (1, bytes.len() as u64)) {
            store.put_many(batch.to_vec())?;
        }
        for (path, bytes, rows) in &plan.all {
            write.add(path, bytes, *rows);
        }
        tables.push(plan.report);
    }
    write.commit()?;
    Ok(ImportReport { tables })
}

/// The command that imports as `folder` describes, without the program's name.
fn command_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("import {name}")
}

/// The day of a target without partitions, which is refused before.
const EPOCH: Day = Day::since_epoch(0);

/// What is written of one table, and the report on it.
struct Plan {
    report: ImportedTable,
    /// Every file with its bytes and rows.
    all: Vec<(String, Bytes, u64)>,
    /// Those that the store does not have with these bytes.
    write: Vec<(String, Bytes)>,
}

fn plan(
    store: &Store,
    table: &str,
    partitions: Vec<Partition>,
    force: bool,
) -> Result<Plan, Error> {
    let present: BTreeSet<String> =
        store.list(&table_prefix(table))?.into_iter().map(|entry| entry.path).collect();
    let objects: Vec<(String, Bytes)> = partitions
        .iter()
        .map(|partition| {
            let prefix = partition_prefix(table, partition.recorded_on);
            (format!("{prefix}part-0000.parquet"), partition.bytes.clone())
        })
        .collect();
    let existing: Vec<&(String, Bytes)> =
        objects.iter().filter(|(path, _)| present.contains(path)).collect();
    let mut same = BTreeSet::new();
    for batch in batches(&existing, |(_, bytes)| (1, bytes.len() as u64)) {
        let paths: Vec<String> = batch.iter().map(|(path, _)| path.clone()).collect();
        for ((path, bytes), found) in batch.iter().zip(store.get_many(&paths)?) {
            if *bytes == found {
                same.insert(path.as_str());
            }
        }
    }
    let differing = existing.len() - same.len();
    if let Some((path, _)) = existing.iter().find(|(path, _)| !same.contains(path.as_str()))
        && !force
    {
        return Err(ImportError::PartitionDiffers {
            table: table.to_owned(),
            path: path.clone(),
            differing,
            partitions: objects.len(),
        }
        .into());
    }
    let days = || partitions.iter().map(|partition| partition.recorded_on);
    let report = ImportedTable {
        table: table.to_owned(),
        rows: partitions.iter().map(|partition| partition.rows).sum(),
        bytes: objects.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        partitions_written: (objects.len() - same.len()) as u64,
        partitions_same: same.len() as u64,
        files_other: (present.len() - existing.len()) as u64,
        first: days().min().unwrap_or(EPOCH),
        last: days().max().unwrap_or(EPOCH),
    };
    let write = objects.iter().filter(|(path, _)| !same.contains(path.as_str())).cloned().collect();
    let rows = partitions.iter().map(|partition| partition.rows);
    let all = objects.into_iter().zip(rows).map(|((path, bytes), rows)| (path, bytes, rows));
    Ok(Plan { report, all: all.collect(), write })
}

#[cfg(test)]
mod tests;
