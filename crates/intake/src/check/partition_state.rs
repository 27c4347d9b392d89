//! Which partitions the next check reads, and why, from a listing alone.

use std::collections::{BTreeMap, BTreeSet};

use terms::Day;

use super::listing::{Listing, PreviousCheck};
use crate::contract::Contract;

/// What the next check does with a partition, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionState {
    /// Its result is taken over from the check before.
    Unchanged,
    /// It is read: it was not there, or the table or its contract was not checked before.
    New,
    /// It is read again: its files are not those of the check before.
    Changed,
    /// It is read again: it was not over then, or is not now.
    NotOver,
    /// It is read again: an earlier partition of its table changed, or one of a table that it joins.
    AfterChange,
    /// Its files are gone.
    Removed,
}

/// The state of every partition of the tables that begins before the as-of of `listing`, in the order
/// of tables and days. Nothing is read.
pub fn partition_states(
    contracts: &[Contract],
    listing: &Listing,
    previous: Option<&PreviousCheck>,
) -> BTreeMap<String, BTreeMap<Day, PartitionState>> {
    let reusable_before = listing.reusable_before(contracts, previous);
    let states = contracts.iter().map(|contract| {
        let before = reusable_before[contract.table()];
        (contract.table().to_owned(), states_of(contract, listing, previous, before))
    });
    states.collect()
}

fn states_of(
    contract: &Contract,
    listing: &Listing,
    previous: Option<&PreviousCheck>,
    reusable_before: Day,
) -> BTreeMap<Day, PartitionState> {
    let checked = previous.and_then(|previous| {
        let table = previous.check.tables.get(contract.table())?;
        (table.contract_digest == *contract.digest()).then_some((table, previous))
    });
    let mut files_then: BTreeMap<Day, BTreeSet<&str>> = BTreeMap::new();
    for file in checked.iter().flat_map(|(table, _)| &table.files) {
        files_then.entry(file.recorded_on).or_default().insert(&file.path);
    }
    let mut files_now: BTreeMap<Day, BTreeSet<&str>> = BTreeMap::new();
    let mut altered = BTreeSet::new();
    for file in listing.table(contract.table()).iter().flat_map(|table| &table.files) {
        files_now.entry(file.recorded_on).or_default().insert(&file.path);
        let then = checked.and_then(|(_, previous)| previous.versions.get(&file.path));
        if file.version.etag.is_none() || then != Some(&file.version) {
            altered.insert(file.recorded_on);
        }
    }
    let over = previous.map(|previous| previous.check.as_of.min(listing.as_of()).day());
    let state = |day: Day| match (files_then.get(&day), files_now.get(&day)) {
        (_, None) => PartitionState::Removed,
        (None, Some(_)) => PartitionState::New,
        (Some(then), Some(now)) if then != now || altered.contains(&day) => PartitionState::Changed,
        (Some(_), Some(_)) if day < reusable_before => PartitionState::Unchanged,
        (Some(_), Some(_)) if over.is_some_and(|over| day >= over) => PartitionState::NotOver,
        (Some(_), Some(_)) => PartitionState::AfterChange,
    };
    let now = files_now.keys().copied();
    let then = files_then.keys().copied().filter(|day| listing.as_of().knows(day.start()));
    let days: BTreeSet<Day> = now.chain(then).collect();
    days.into_iter().map(|day| (day, state(day))).collect()
}
