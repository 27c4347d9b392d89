//! The check of tables against their contracts.
//!
//! Tables are checked one after the other, each after those that it joins. The check of a partition
//! reads only what was recorded by the end of its day and before the as-of, so once the day is over
//! its result does not change any more, and the next check takes it over.

pub(crate) mod checked_frame;
pub(crate) mod decoded_size;
pub(crate) mod delta_lists;
pub(crate) mod footer;
pub(crate) mod join_lookup;
pub(crate) mod listing;
pub(crate) mod output;
pub(crate) mod partition;
pub(crate) mod partition_rules;
pub(crate) mod partition_state;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod row_rules;
pub(crate) mod rows;
pub(crate) mod rule_answers;
pub(crate) mod table_check_job;
pub(crate) mod workers;

use std::collections::{BTreeMap, BTreeSet};

use store::Store;
use terms::Day;

use self::join_lookup::JoinLookup;
use self::listing::{Listing, PreviousCheck};
use self::progress::CheckProgress;
use self::report::{Check, TableCheck};
use self::table_check_job::TableCheckJob;
use crate::contract::Contract;
use crate::error::Error;

/// The result of a check, and the files that were read for it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The result: the same, however much of it was taken over from a previous check.
    pub check: Check,
    /// Paths of the files that were read; the reports on the others were taken over.
    pub files_read: BTreeSet<String>,
}

/// Checks all tables. Writes nothing. Reports of a `previous` check of the same contracts and
/// releases are taken over up to the first day on which a file changed.
///
/// As of: rows recorded strictly before the as-of of `listing`.
///
/// # Errors
/// The first thing that fails a table, in the order of tables, partitions and files.
pub fn check(
    store: &Store,
    contracts: &[Contract],
    listing: &Listing,
    previous: Option<&PreviousCheck>,
) -> Result<Finding, Error> {
    Tables::new(store, contracts, listing, previous, true, &|_| {}).check()
}

/// As [`check`], and calls `progress` whenever files have been checked.
///
/// # Errors
/// As [`check`].
pub fn check_with_progress(
    store: &Store,
    contracts: &[Contract],
    listing: &Listing,
    previous: Option<&PreviousCheck>,
    progress: &(dyn Fn(CheckProgress<'_>) + Sync),
) -> Result<Finding, Error> {
    Tables::new(store, contracts, listing, previous, true, progress).check()
}

/// Checks the rows of all tables as [`check`] does, but lets no table fail as a whole: so a person
/// can look at one with too many bad rows, too.
///
/// As of: rows recorded strictly before the as-of of `listing`.
///
/// # Errors
/// If a file is not as its contract says, or a row breaks a rule that fails its table.
pub fn review(
    store: &Store,
    contracts: &[Contract],
    listing: &Listing,
    previous: Option<&PreviousCheck>,
) -> Result<Finding, Error> {
    Tables::new(store, contracts, listing, previous, false, &|_| {}).check()
}

/// The tables that are checked, and the results so far.
struct Tables<'a> {
    store: &'a Store,
    contracts: &'a [Contract],
    listing: &'a Listing,
    previous: Option<&'a PreviousCheck>,
    checks_whole_tables: bool,
    progress: &'a (dyn Fn(CheckProgress<'_>) + Sync),
    checked: BTreeMap<String, TableCheck>,
    files_read: BTreeSet<String>,
    /// By table, the day before which the previous check is taken over.
    reusable_before: BTreeMap<&'a str, Day>,
}

impl<'a> Tables<'a> {
    fn new(
        store: &'a Store,
        contracts: &'a [Contract],
        listing: &'a Listing,
        previous: Option<&'a PreviousCheck>,
        checks_whole_tables: bool,
        progress: &'a (dyn Fn(CheckProgress<'_>) + Sync),
    ) -> Self {
        Self {
            store,
            contracts,
            listing,
            previous,
            checks_whole_tables,
            progress,
            checked: BTreeMap::new(),
            files_read: BTreeSet::new(),
            reusable_before: listing.reusable_before(contracts, previous),
        }
    }

    fn check(mut self) -> Result<Finding, Error> {
        let mut waiting: Vec<&Contract> = self.contracts.iter().collect();
        while let Some(contract) = take_next(&mut waiting)? {
            self.check_table(contract)?;
        }
        let (as_of, accepted) = (self.listing.as_of(), BTreeMap::new());
        let check = Check { as_of, tables: self.checked, accepted };
        Ok(Finding { check, files_read: self.files_read })
    }

    fn check_table(&mut self, contract: &'a Contract) -> Result<(), Error> {
        let reusable_before = self.reusable_before[contract.table()];
        let Some(listing) = self.listing.table(contract.table()) else { return Ok(()) };
        if listing.files.is_empty() && contract.is_optional() {
            return Ok(());
        }
        let previous = self.previous.and_then(|all| all.check.tables.get(contract.table()));
        let job = TableCheckJob {
            store: self.store,
            contract,
            listing,
            releases: self.listing.releases(),
            commits: self.listing.commits(),
            as_of: self.listing.as_of(),
            checks_whole_table: self.checks_whole_tables,
            progress: self.progress,
        };
        let result = job.run(self.lookups(contract)?, previous, reusable_before);
        match result {
            Ok(checked) => {
                let read = checked.files.iter().filter(|file| file.recorded_on >= reusable_before);
                self.files_read.extend(read.map(|file| file.path.clone()));
                tracing::debug!(table = contract.table(), rows = checked.rows_in, "checked");
                self.checked.insert(contract.table().to_owned(), checked);
                Ok(())
            }
            Err(Error::NoPartition { .. }) if contract.is_optional() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A lookup for each join of a contract, in its order.
    fn lookups(&self, contract: &'a Contract) -> Result<Vec<JoinLookup<'_>>, Error> {
        let lookups = contract.joins().iter().map(|join| {
            let joined = self.contracts.iter().find(|joined| joined.table() == join.table);
            let joined = joined.ok_or_else(|| join_order(contract))?;
            let checked = self.checked.get(&join.table);
            Ok(JoinLookup::new(join, joined, checked, self.listing.as_of()))
        });
        lookups.collect()
    }
}

/// Takes the first contract none of whose joined tables is still waiting.
fn take_next<'a>(waiting: &mut Vec<&'a Contract>) -> Result<Option<&'a Contract>, Error> {
    let is_waiting = |table: &str| waiting.iter().any(|other| other.table() == table);
    let ready = waiting
        .iter()
        .position(|contract| !contract.joins().iter().any(|join| is_waiting(&join.table)));
    match (ready, waiting.first()) {
        (Some(position), _) => Ok(Some(waiting.remove(position))),
        (None, Some(first)) => Err(join_order(first)),
        (None, None) => Ok(None),
    }
}

fn join_order(contract: &Contract) -> Error {
    let join = contract.joins().first().map_or_else(String::new, |join| join.table.clone());
    Error::JoinOrder { table: contract.table().to_owned(), join }
}

#[cfg(test)]
mod tests;
