//! Foreign tables become ours, described by data and not by code: a folder with `import.toml`,
//! which names the sources, and one SQL file for each target table.
//!
//! Order of work: read the description; read the sources, turning local times into UTC; compute
//! every target and cast it to its contract; split it by the UTC date of `recorded_at`; compare
//! with what is in the store; and only then write. The same sources give the same bytes.
//!
//! Limits: sources and targets are held in memory.

mod description;
mod local_time;
mod source;
mod target;

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use chrono::NaiveDate;
use polars::sql::SQLContext;
use serde::{Deserialize, Serialize};
use store::Store;

use crate::check::batches;
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::{partition_prefix, table_prefix};
use description::Description;
use target::Partition;

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
    /// Partitions that were there already with the same bytes.
    pub partitions_same: u64,
    /// Files of the table that this import does not give; they are left alone.
    pub files_other: u64,
    /// The first partition.
    pub first: NaiveDate,
    /// The last partition.
    pub last: NaiveDate,
}

/// Imports the files under `from` as `folder` describes. A partition that is there with other
/// bytes is replaced only with `force`.
///
/// # Errors
/// If a source, a statement or a target is not as described; nothing is written then.
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
    let mut tables = Vec::with_capacity(plans.len());
    for plan in plans {
        let objects: Vec<(String, Bytes)> = plan.write;
        for batch in batches(&objects, |(_, bytes)| (1, bytes.len() as u64)) {
            store.put_many(batch.to_vec())?;
        }
        tables.push(plan.report);
    }
    Ok(ImportReport { tables })
}

struct Plan {
    report: ImportedTable,
    write: Vec<(String, Bytes)>,
}

fn plan(
    store: &Store,
    table: &str,
    partitions: Vec<Partition>,
    force: bool,
) -> Result<Plan, Error> {
    let there: BTreeSet<String> =
        store.list(&table_prefix(table))?.into_iter().map(|entry| entry.path).collect();
    let objects: Vec<(String, Bytes)> = partitions
        .iter()
        .map(|partition| {
            let prefix = partition_prefix(table, partition.recorded_on);
            (format!("{prefix}part-0000.parquet"), partition.bytes.clone())
        })
        .collect();
    let known: Vec<&(String, Bytes)> =
        objects.iter().filter(|(path, _)| there.contains(path)).collect();
    let mut same = BTreeSet::new();
    for batch in batches(&known, |(_, bytes)| (1, bytes.len() as u64)) {
        let paths: Vec<String> = batch.iter().map(|(path, _)| path.clone()).collect();
        for ((path, bytes), found) in batch.iter().zip(store.get_many(&paths)?) {
            if *bytes == found {
                same.insert(path.as_str());
            }
        }
    }
    let differing = known.len() - same.len();
    if let Some((path, _)) = known.iter().find(|(path, _)| !same.contains(path.as_str()))
        && !force
    {
        return Err(Error::PartitionDiffers {
            table: table.to_owned(),
            path: path.clone(),
            differing,
            partitions: objects.len(),
        });
    }
    let dates = || partitions.iter().map(|partition| partition.recorded_on);
    let report = ImportedTable {
        table: table.to_owned(),
        rows: partitions.iter().map(|partition| partition.rows).sum(),
        bytes: objects.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        partitions_written: (objects.len() - same.len()) as u64,
        partitions_same: same.len() as u64,
        files_other: (there.len() - known.len()) as u64,
        first: dates().min().unwrap_or_default(),
        last: dates().max().unwrap_or_default(),
    };
    let write = objects.iter().filter(|(path, _)| !same.contains(path.as_str())).cloned().collect();
    Ok(Plan { report, write })
}

#[cfg(test)]
mod tests;
