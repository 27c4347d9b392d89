//! The check of whole tables.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::NaiveDate;
use rayon::prelude::*;
use store::Store;
use terms::AsOf;

use crate::contract::Contract;
use crate::error::Error;
use crate::join::Known;
use crate::layout::{TableFile, table_prefix};
use crate::listed::{Earlier, Listed, ListedTable};
use crate::partition::Partition;
use crate::partition_rule;
use crate::release::Releases;
use crate::report::{Check, FileCheck, TableCheck};
use crate::workers::on_workers;

/// Files are fetched together up to this size, so that memory does not grow with the table.
pub(crate) const BATCH_BYTES: u64 = 32 << 20;
/// And up to this number, so that small ones share the store's latency.
pub(crate) const BATCH_FILES: usize = 256;

/// How many bad rows an error shows.
const SAMPLES: usize = 5;

/// What a check found, and what it read for it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The finding itself: the same, however much of it was known before.
    pub check: Check,
    /// Paths of the files that were read; the verdicts on the others held.
    pub read: BTreeSet<String>,
}

/// Checks all tables, each after those that it joins. Writes nothing. The verdicts of `earlier`
/// hold up to the first day on which a file is not what it was, and are not reached again.
///
/// As of: rows recorded strictly before the list's.
///
/// # Errors
/// The first thing that fails a table, in the order of tables, partitions and files.
pub fn check(
    store: &Store,
    contracts: &[Contract],
    listed: &Listed,
    earlier: Option<&Earlier>,
) -> Result<Finding, Error> {
    find(store, contracts, listed, earlier, true)
}

/// What a check finds before it judges tables as a whole: also of one with too many bad rows, so
/// that a person can look at them.
///
/// As of: rows recorded strictly before the list's.
///
/// # Errors
/// If a file is not as its contract says, or a row breaks a rule that fails its table.
pub fn review(
    store: &Store,
    contracts: &[Contract],
    listed: &Listed,
    earlier: Option<&Earlier>,
) -> Result<Finding, Error> {
    find(store, contracts, listed, earlier, false)
}

fn find(
    store: &Store,
    contracts: &[Contract],
    listed: &Listed,
    earlier: Option<&Earlier>,
    judges: bool,
) -> Result<Finding, Error> {
    let as_of = listed.as_of();
    let mut tables: BTreeMap<String, TableCheck> = BTreeMap::new();
    let mut read = BTreeSet::new();
    let mut holds: BTreeMap<&str, NaiveDate> = BTreeMap::new();
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
        let own = earlier.map(|earlier| listed.unchanged_before(contract, earlier));
        let joined = contract.joins().iter().filter_map(|join| holds.get(join.table.as_str()));
        let holds_before = joined.copied().chain(own).min().filter(|_| own.is_some());
        let holds_before = holds_before.unwrap_or(NaiveDate::MIN);
        holds.insert(contract.table(), holds_before);

        let Some(files) = listed.table(contract.table()) else { continue };
        if files.files.is_empty() && contract.is_optional() {
            continue;
        }
        let earlier = earlier.and_then(|earlier| earlier.check.tables.get(contract.table()));
        let releases = listed.releases();
        let work = Work { store, contract, files, releases, as_of, judges };
        let known = work.known(contracts, &tables)?;
        match work.check(known, earlier, holds_before) {
            Ok(checked) => {
                let anew = checked.files.iter().filter(|file| file.recorded_on >= holds_before);
                read.extend(anew.map(|file| file.path.clone()));
                tracing::debug!(table = contract.table(), rows = checked.rows_in, "checked");
                tables.insert(contract.table().to_owned(), checked);
            }
            Err(Error::NoPartition { .. }) if contract.is_optional() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Finding { check: Check { as_of, tables }, read })
}

fn join_order(contract: &Contract) -> Error {
    let join = contract.joins().first().map_or_else(String::new, |join| join.table.clone());
    Error::JoinOrder { table: contract.table().to_owned(), join }
}

/// The check of one table.
struct Work<'a> {
    store: &'a Store,
    contract: &'a Contract,
    files: &'a ListedTable,
    releases: &'a Releases,
    as_of: AsOf,
    /// Whether a table may fail as a whole for how many of its rows are bad.
    judges: bool,
}

impl<'a> Work<'a> {
    /// What answers the contract's joins, in their order.
    fn known(
        &self,
        contracts: &'a [Contract],
        tables: &'a BTreeMap<String, TableCheck>,
    ) -> Result<Vec<Known<'a>>, Error> {
        let joins = self.contract.joins().iter().map(|join| {
            let other = contracts.iter().find(|other| other.table() == join.table);
            let other = other.ok_or_else(|| join_order(self.contract))?;
            Ok(Known::new(join, other, tables.get(&join.table), self.as_of))
        });
        joins.collect()
    }

    fn check(
        &self,
        mut known: Vec<Known<'_>>,
        earlier: Option<&TableCheck>,
        holds_before: NaiveDate,
    ) -> Result<TableCheck, Error> {
        let contract = self.contract;
        let mut table = TableCheck {
            table: contract.table().to_owned(),
            as_of: self.as_of,
            contract_version: contract.version().to_owned(),
            contract_digest: contract.digest().clone(),
            rows_in: 0,
            rows_ok: 0,
            rows_quarantined: 0,
            rows_dropped: 0,
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            released: BTreeMap::new(),
            notices: Vec::new(),
            files: Vec::with_capacity(self.files.files.len()),
        };
        let held = earlier.into_iter().flat_map(|earlier| &earlier.files);
        let held = held.filter(|file| file.recorded_on < holds_before);
        held.cloned().for_each(|file| add(&mut table, file));

        let files = &self.files.files;
        let files = &files[files.partition_point(|file| file.recorded_on < holds_before)..];
        let partitions: Vec<&[TableFile]> =
            files.chunk_by(|a, b| a.recorded_on == b.recorded_on).collect();
        for batch in batches(&partitions, |partition| {
            (partition.len(), partition.iter().map(|file| file.version.bytes).sum())
        }) {
            for partition in self.check_batch(batch, &mut known) {
                partition?.into_iter().for_each(|file| add(&mut table, file));
            }
        }
        if table.rows_in == 0 {
            return Err(Error::NoPartition {
                prefix: table_prefix(contract.table()),
                table: table.table,
                as_of: self.as_of,
                first: self.files.first,
            });
        }
        if self.judges {
            judge_share(contract, &table)?;
            table.notices = partition_rule::judge(contract, &table.files, self.as_of)?;
        }
        Ok(table)
    }

    fn check_batch(
        &self,
        batch: &[&[TableFile]],
        known: &mut [Known<'_>],
    ) -> Vec<Result<Vec<FileCheck>, Error>> {
        let read = || -> Result<Vec<Vec<(&TableFile, Bytes)>>, Error> {
            let paths: Vec<String> =
                batch.iter().flat_map(|files| files.iter().map(|file| file.path.clone())).collect();
            let mut fetched = self.store.get_many(&paths)?.into_iter();
            Ok(batch.iter().map(|files| files.iter().zip(fetched.by_ref()).collect()).collect())
        };
        let fetched = match read() {
            Ok(partitions) => partitions,
            Err(error) => return vec![Err(error)],
        };
        let partitions: Vec<Result<Partition<'_>, Error>> = on_workers(|| {
            let fetched = fetched.into_par_iter();
            fetched.map(|files| Partition::read(self.contract, &files)).collect()
        });
        for (join, known) in self.contract.joins().iter().zip(known.iter_mut()) {
            if known.is_whole() {
                continue;
            }
            // What cannot be read asks for nothing; its own check says what is wrong with it.
            let asked: Vec<(NaiveDate, BTreeSet<String>)> = on_workers(|| {
                let read = partitions.par_iter().flatten();
                read.flat_map_iter(|partition| partition.keys_asked(join)).collect()
            });
            if let Err(error) = known.reach(self.store, &asked) {
                return vec![Err(error)];
            }
        }
        let known: &[Known<'_>] = known;
        on_workers(|| {
            let checked = partitions.into_par_iter();
            checked.map(|read| read?.check(known, self.releases, self.as_of)).collect()
        })
    }
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

fn add(table: &mut TableCheck, file: FileCheck) {
    let (quarantined, dropped) = (file.quarantined.len() as u64, file.dropped.len() as u64);
    let rows_in = file.rows - file.rows_later;
    table.rows_in += rows_in;
    table.rows_quarantined += quarantined;
    table.rows_dropped += dropped;
    table.rows_ok += rows_in - quarantined - dropped;
    for (total, found) in
        [(&mut table.reasons, &file.reasons), (&mut table.warnings, &file.warnings)]
    {
        for (rule, rows) in found {
            *total.entry(rule.clone()).or_default() += rows;
        }
    }
    for row in &file.released {
        *table.released.entry(row.reason.clone()).or_default() += 1;
    }
    table.files.push(file);
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
mod incremental_tests;
#[cfg(test)]
mod tests;
