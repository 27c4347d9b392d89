//! The check of one table: its partitions in batches, then its share of quarantined rows and its
//! rules on whole partitions.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use store::{Entry, Store};
use terms::{AsOf, Day};

use super::decoded_size::DECODED_BYTES_MAX;
use super::join_lookup::JoinLookup;
use super::listing::TableListing;
use super::partition::{Fetched, Partition};
use super::partition_rules::check_partitions;
use super::progress::CheckProgress;
use super::report::{FileCheck, QuarantinedRow, TableCheck};
use super::workers::on_workers;
use crate::batches::batches;
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::{TableFile, table_prefix};
use crate::quarantine::release::Releases;
use crate::table_commits::Commits;

/// How many bad rows an error shows.
const SAMPLES: usize = 5;

/// What the check of one table needs.
pub(crate) struct TableCheckJob<'a> {
    pub(crate) store: &'a Store,
    pub(crate) contract: &'a Contract,
    pub(crate) listing: &'a TableListing,
    pub(crate) releases: &'a Releases,
    pub(crate) commits: &'a Commits,
    pub(crate) as_of: AsOf,
    /// Whether the table is checked as a whole, too: its share of quarantined rows, and the rules
    /// on whole partitions.
    pub(crate) checks_whole_table: bool,
    pub(crate) progress: &'a (dyn Fn(CheckProgress<'_>) + Sync),
}

impl<'a> TableCheckJob<'a> {
    /// Checks the partitions from `reusable_before` on, and takes the reports on earlier ones from
    /// `previous`. `lookups` has one lookup for each join of the contract, in its order.
    ///
    /// # Errors
    /// The first thing that fails the table, in the order of partitions and files.
    pub(crate) fn run(
        &self,
        mut lookups: Vec<JoinLookup<'_>>,
        previous: Option<&TableCheck>,
        reusable_before: Day,
    ) -> Result<TableCheck, Error> {
        let mut table = self.empty();
        let reused = previous.into_iter().flat_map(|previous| &previous.files);
        let reused = reused.filter(|file| file.recorded_on < reusable_before);
        reused.cloned().for_each(|file| add(&mut table, file));

        let files = &self.listing.files;
        let files = &files[files.partition_point(|file| file.recorded_on < reusable_before)..];
        let partitions: Vec<&[TableFile]> =
            files.chunk_by(|a, b| a.recorded_on == b.recorded_on).collect();
        let n_reused = table.files.len();
        for batch in batches(&partitions, |partition| {
            (partition.len(), partition.iter().map(|file| file.version.bytes).sum())
        }) {
            for partition in self.check_batch(batch, &mut lookups)? {
                partition?.into_iter().for_each(|file| add(&mut table, file));
            }
            let (name, checked) = (self.contract.table(), table.files.len() - n_reused);
            (self.progress)(CheckProgress { table: name, files: checked, of: files.len() });
        }
        if table.rows_in == 0 {
            return Err(Error::NoPartition {
                prefix: table_prefix(self.contract.table()),
                table: table.table,
                as_of: self.as_of,
                first: self.listing.first,
            });
        }
        if self.checks_whole_table {
            check_share(self.contract, &table)?;
            table.notices = check_partitions(self.contract, &table.files, self.as_of)?;
        }
        Ok(table)
    }

    /// The report on a table without files.
    fn empty(&self) -> TableCheck {
        TableCheck {
            table: self.contract.table().to_owned(),
            as_of: self.as_of,
            contract_version: self.contract.version().to_owned(),
            contract_digest: self.contract.digest().clone(),
            rows_in: 0,
            rows_ok: 0,
            rows_quarantined: 0,
            rows_dropped: 0,
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            released: BTreeMap::new(),
            notices: Vec::new(),
            files: Vec::with_capacity(self.listing.files.len()),
        }
    }

    /// Checks some partitions in parallel; the errors of each are its own.
    fn check_batch(
        &self,
        batch: &[&'a [TableFile]],
        lookups: &mut [JoinLookup<'_>],
    ) -> Result<Vec<Result<Vec<FileCheck>, Error>>, Error> {
        let fetched = self.fetch(batch)?;
        let mut checked = Vec::with_capacity(batch.len());
        let mut rest = fetched.into_iter().peekable();
        while rest.peek().is_some() {
            // As many partitions as fit in memory together, at least one.
            let (mut some, mut total) = (Vec::new(), 0_u64);
            while let Some(files) = rest.next_if(|files| {
                let of_files = files.iter().map(Fetched::decoded_bytes_max);
                total = of_files.fold(total, u64::saturating_add);
                some.is_empty() || total <= DECODED_BYTES_MAX
            }) {
                some.push(files);
            }
            checked.extend(self.check_fetched(some, lookups)?);
        }
        Ok(checked)
    }

    fn check_fetched(
        &self,
        fetched: Vec<Vec<Fetched<'a>>>,
        lookups: &mut [JoinLookup<'_>],
    ) -> Result<Vec<Result<Vec<FileCheck>, Error>>, Error> {
        let partitions: Vec<Result<Partition<'_>, Error>> = on_workers(|| {
            let fetched = fetched.into_par_iter();
            fetched.map(|files| Partition::read(self.contract, files)).collect()
        });
        for (join, lookup) in self.contract.joins().iter().zip(lookups.iter_mut()) {
            if lookup.is_complete() {
                continue;
            }
            // A partition that cannot be read needs no keys; its own error follows below.
            let keys_by_day: Vec<(Day, BTreeSet<String>)> = on_workers(|| {
                let read = partitions.par_iter().flatten();
                read.flat_map_iter(|partition| partition.join_keys(join)).collect()
            });
            lookup.load(self.store, &keys_by_day)?;
        }
        let lookups: &[JoinLookup<'_>] = lookups;
        Ok(on_workers(|| {
            let checked = partitions.into_par_iter();
            checked.map(|read| read?.check(lookups, self.releases, self.as_of)).collect()
        }))
    }

    /// The bytes of files, verified: these are the first reads of them, and what they are is what
    /// later stages hold them to.
    fn fetch(&self, batch: &[&'a [TableFile]]) -> Result<Vec<Vec<Fetched<'a>>>, Error> {
        let files = batch.iter().flat_map(|files| files.iter());
        let entries: Vec<Entry> = files.map(TableFile::entry).collect();
        let read = self.store.get_many_fresh(&entries)?;
        for (entry, (_, digest)) in entries.iter().zip(&read) {
            self.commits.require_digest(&entry.path, digest)?;
        }
        let mut read = read.into_iter();
        let of_partition =
            |files: &&'a [TableFile]| -> Vec<_> { files.iter().zip(read.by_ref()).collect() };
        let partitions: Vec<Vec<_>> = batch.iter().map(of_partition).collect();
        let with_footers = |files: Vec<_>| {
            let files = files.into_iter();
            files.map(|(file, read)| Fetched::new(self.contract, file, read)).collect()
        };
        Ok(on_workers(|| partitions.into_par_iter().map(with_footers).collect()))
    }
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

/// Refuses a table with too large a share of quarantined rows.
fn check_share(contract: &Contract, table: &TableCheck) -> Result<(), Error> {
    let share_max = contract.quarantine_share_max();
    if table.rows_quarantined as f64 <= share_max * table.rows_in as f64 {
        return Ok(());
    }
    let samples = table.files.iter().flat_map(|file| {
        let show = |row: &QuarantinedRow| format!("{} row {} {}", file.path, row.row, row.reason);
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
