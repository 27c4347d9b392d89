//! What the tables had and have no more: files of the last check or of a commit that are gone, rows
//! that are fewer than before, days left out in between. Nothing of that can be seen in the files
//! that are there, and every model made without them would be published.

use std::collections::{BTreeMap, BTreeSet};

use intake::{Check, Listing, TableCheck};
use terms::{AsOf, Day};

use super::last_check::Seen;
use crate::refusal::Refusal;

/// Only days left out of so many before the as-of are looked for, as rules on whole partitions are.
const CHECKED_DAYS: i32 = 7;
/// A day is left out if the same weekday of each of so many weeks before had
const WEEKS: i32 = 4;
/// at least so many rows: by chance no such day has none.
const ROWS_MIN: u64 = 20;

/// Files and days that are gone, and for which nobody gave a reason.
#[derive(Debug, Default)]
pub(super) struct Vanished(Vec<String>);

impl Vanished {
    /// Files that were committed, or that the last check saw, and that are not listed any more. A
    /// file of the last check in whose partition there is a new one was replaced by that.
    pub(super) fn files(listing: &Listing, seen: &Seen) -> Self {
        let present = listing.versions();
        let new = present.keys().filter(|path| !seen.files.contains(*path));
        let replaced: BTreeSet<&str> = new.map(|path| partition(path)).collect();
        let seen_before = listing.absent(seen.files.iter().map(String::as_str));
        let gone = seen_before.filter(|path| !replaced.contains(partition(path)));
        let committed = listing.missing();
        let gone: BTreeSet<&str> = gone.chain(committed.iter().map(String::as_str)).collect();
        Self::without_reason(gone.into_iter().map(str::to_owned), seen)
    }

    /// Tables with fewer rows than the last check counted in the same days, and days without rows
    /// between those that have some.
    pub(super) fn rows(
        check: &Check,
        before: Option<&Check>,
        listing: &Listing,
        seen: &Seen,
        is_gone: impl Fn(&str) -> bool,
    ) -> Self {
        let mut found = Vec::new();
        for (name, table) in &check.tables {
            let before = before.and_then(|before| Some((before.tables.get(name)?, before.as_of)));
            if let Some((before, until)) = before {
                let end = until.min(check.as_of).day();
                // Files that were accepted to be gone are no rows that are expected.
                let expected = rows_before(before, end, |path| !is_gone(path));
                let rows = rows_before(table, end, |_| true);
                if rows < expected {
                    found.push(format!("tables/{name}/: {expected} rows before {end}, now {rows}"));
                }
            }
            let committed = listing.last_committed(name);
            let days = days_left_out(table, check.as_of);
            let days = days.into_iter().filter(|day| committed.is_none_or(|last| *day > last));
            found.extend(days.map(|day| format!("tables/{name}/recorded_on={day}/")));
        }
        Self::without_reason(found.into_iter(), seen)
    }

    fn without_reason(found: impl Iterator<Item = String>, seen: &Seen) -> Self {
        Self(found.filter(|path| !seen.accepted.contains_key(path)).collect())
    }

    /// Adds the reason to what was accepted.
    ///
    /// # Errors
    /// If something is gone and no reason is given.
    pub(super) fn accept(
        self,
        reason: Option<&str>,
        accepted: &mut BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        match (self.0.is_empty(), reason) {
            (true, _) => Ok(()),
            (false, None) => Err(Refusal::Vanished { what: self.0 }),
            (false, Some(reason)) => {
                accepted.extend(self.0.into_iter().map(|path| (path, reason.to_owned())));
                Ok(())
            }
        }
    }
}

/// The partition of a file.
fn partition(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(partition, _)| partition)
}

fn rows_before(table: &TableCheck, end: Day, counts: impl Fn(&str) -> bool) -> u64 {
    let files = table.files.iter().filter(|file| file.recorded_on < end && counts(&file.path));
    files.map(|file| file.rows).sum()
}

fn days_left_out(table: &TableCheck, as_of: AsOf) -> Vec<Day> {
    let mut rows: BTreeMap<Day, u64> = BTreeMap::new();
    for file in &table.files {
        *rows.entry(file.recorded_on).or_default() += file.rows;
    }
    let Some((&newest, _)) = rows.last_key_value() else { return Vec::new() };
    let is_usual = |day: Day| {
        let before = |week| rows.get(&day.plus(-7 * week)).copied().unwrap_or_default();
        (1..=WEEKS).all(|week| before(week) >= ROWS_MIN)
    };
    let days = as_of.day().plus(-CHECKED_DAYS)..newest;
    Day::each(days).filter(|day| !rows.contains_key(day) && is_usual(*day)).collect()
}
