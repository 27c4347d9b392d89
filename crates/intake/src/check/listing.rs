//! Which files the tables have before the as-of, from a listing of the store alone, and which of
//! them did not change since a previous check.

use std::collections::{BTreeMap, BTreeSet};

use store::{Entry, Store};
use terms::{AsOf, Day, Digest, Fingerprint};

use super::report::{Check, FileCheck};
use crate::contract::Contract;
use crate::error::Error;
use crate::layout::{FileVersion, TableFile, files_of, recorded_on_of, table_prefix};
use crate::quarantine::release::Releases;
use crate::table_commits::Commits;

/// The files that can hold rows recorded before the as-of, of every table that has a contract, and
/// the releases in force at the as-of.
#[derive(Debug, Clone)]
pub struct Listing {
    as_of: AsOf,
    tables: BTreeMap<String, TableListing>,
    releases: Releases,
    commits: Commits,
}

#[derive(Debug, Clone)]
pub(crate) struct TableListing {
    /// By date and name.
    pub(crate) files: Vec<TableFile>,
    /// The first partition, even if it begins after the as-of.
    pub(crate) first: Option<Day>,
    /// The digest of each file whose version does not tell whether it changed, by path.
    contents: BTreeMap<String, Digest>,
}

/// The result of a check made before, and the versions of the files that it read.
#[derive(Debug, Clone)]
pub struct PreviousCheck {
    /// What it found.
    pub check: Check,
    /// The versions of its files at the time, by path.
    pub versions: BTreeMap<String, FileVersion>,
}

/// Files without entity tags whose bytes are in memory at once.
const N_HASHED: usize = 8;

/// Earlier than every partition.
const BEFORE_ALL: Day = Day::since_epoch(i32::MIN);

impl Listing {
    /// Lists the tables of `contracts`, and reads the releases. Of files that the store lists without
    /// entity tags the bytes are read: another file of the same size is another listing.
    ///
    /// As of: partitions that begin before, and releases made as of then or before.
    ///
    /// # Errors
    /// If the store cannot be read, a file is outside the partitions of its table, a release cannot
    /// be parsed, or an import has not ended or not left the files that it committed.
    pub fn read(store: &Store, contracts: &[Contract], as_of: AsOf) -> Result<Self, Error> {
        let commits = Commits::read(store)?;
        let mut tables = BTreeMap::new();
        for contract in contracts {
            let mut files = files_of(store, contract.table())?;
            let first = files.first().map(|file| file.recorded_on);
            files.retain(|file| as_of.knows(file.recorded_on.start()));
            for file in &files {
                commits.require_size(&file.path, file.version.bytes)?;
            }
            let contents = contents_of_untagged(store, &files)?;
            tables.insert(contract.table().to_owned(), TableListing { files, first, contents });
        }
        Ok(Self { as_of, tables, releases: Releases::read(store, as_of)?, commits })
    }

    /// The as-of; all listed partitions begin before it.
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// Committed files that are not there.
    pub fn missing(&self) -> Vec<String> {
        let committed = self.tables.keys().flat_map(|table| self.commits.of_table(table));
        self.absent(committed.map(|(path, _)| path)).map(str::to_owned).collect()
    }

    /// The last partition of a table that an import or a simulation committed: up to it nothing is
    /// left out.
    pub fn last_committed(&self, table: &str) -> Option<Day> {
        self.commits.of_table(table).filter_map(|(path, _)| recorded_on_of(path)).max()
    }

    /// Those of `paths` that are of partitions that begin before the as-of, and not listed.
    pub fn absent<'a>(
        &self,
        paths: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let files = self.tables.values().flat_map(|table| &table.files);
        let present: BTreeSet<&str> = files.map(|file| file.path.as_str()).collect();
        let as_of = self.as_of;
        let is_known =
            move |path: &&str| recorded_on_of(path).is_some_and(|day| as_of.knows(day.start()));
        let tables: Vec<String> = self.tables.keys().map(|table| table_prefix(table)).collect();
        let is_checked = move |path: &&str| tables.iter().any(|table| path.starts_with(table));
        let absent: Vec<&str> = paths
            .filter(is_known)
            .filter(is_checked)
            .filter(|path| !present.contains(path))
            .collect();
        absent.into_iter()
    }

    /// What the commits of the tables say.
    pub(crate) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// The version of each file, by path.
    pub fn versions(&self) -> BTreeMap<String, FileVersion> {
        let files = self.tables.values().flat_map(|table| &table.files);
        files.map(|file| (file.path.clone(), file.version.clone())).collect()
    }

    /// The releases in force.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// A digest of the releases in force: a check made with other releases cannot be reused.
    pub fn releases_digest(&self) -> Digest {
        self.releases.digest()
    }

    /// A digest of the whole listing: equal if no file was added, removed or changed, and no
    /// release was added.
    pub fn digest(&self) -> Digest {
        let start = Fingerprint::new().with("releases", self.releases.digest().as_str());
        let files = self.tables.values().flat_map(|table| {
            table.files.iter().map(|file| (file, table.contents.get(&file.path)))
        });
        let all = files.fold(start, |hash, (file, contents)| {
            let FileVersion { bytes, etag } = &file.version;
            let version = etag.as_deref().or(contents.map(Digest::as_str)).unwrap_or_default();
            hash.with(&file.path, format!("{bytes} {version}"))
        });
        all.finish()
    }

    pub(crate) fn table(&self, table: &str) -> Option<&TableListing> {
        self.tables.get(table)
    }

    /// By table, the day before which what a previous check found is taken over: neither the table nor
    /// those that it joins changed.
    pub(crate) fn reusable_before<'a>(
        &self,
        contracts: &'a [Contract],
        previous: Option<&PreviousCheck>,
    ) -> BTreeMap<&'a str, Day> {
        let mut before: BTreeMap<&str, Day> = (contracts.iter())
            .map(|contract| (contract.table(), self.unchanged_before(contract, previous)))
            .collect();
        // Chains of joins are as long as there are tables.
        for contract in contracts.iter().flat_map(|_| contracts) {
            let joined = contract.joins().iter().map(|join| join.table.as_str());
            let joined = joined.filter_map(|table| before.get(table)).min().copied();
            if let (Some(joined), Some(own)) = (joined, before.get_mut(contract.table())) {
                *own = joined.min(*own);
            }
        }
        before
    }

    /// The day before which what a previous check found in a table is still right, if that of the
    /// tables that it joins is, too: the first day on which a file was added, removed or changed,
    /// or which was not over at the as-of of one of the two checks.
    ///
    /// The check of a row reads nothing that was recorded after the row's own day, so nothing later
    /// can change it.
    fn unchanged_before(&self, contract: &Contract, previous: Option<&PreviousCheck>) -> Day {
        let Some(previous) = previous else { return BEFORE_ALL };
        let over = self.as_of.min(previous.check.as_of).day();
        let now = self.table(contract.table()).map_or(&[][..], |table| &table.files);
        let then = match previous.check.tables.get(contract.table()) {
            Some(table) if table.contract_digest == *contract.digest() => &table.files[..],
            Some(_) => return BEFORE_ALL,
            None => &[],
        };
        let then: BTreeMap<&str, &FileCheck> =
            then.iter().map(|file| (file.path.as_str(), file)).collect();
        let is_same = |file: &TableFile| {
            file.version.etag.is_some()
                && then.contains_key(file.path.as_str())
                && previous.versions.get(&file.path) == Some(&file.version)
        };
        let present: BTreeSet<&str> = now.iter().map(|file| file.path.as_str()).collect();
        let removed = then.values().filter(|file| !present.contains(file.path.as_str()));
        let removed = removed.map(|file| file.recorded_on);
        let changed = now.iter().filter(|file| !is_same(file)).map(|file| file.recorded_on);
        changed.chain(removed).fold(over, Day::min)
    }
}

fn contents_of_untagged(
    store: &Store,
    files: &[TableFile],
) -> Result<BTreeMap<String, Digest>, Error> {
    let untagged = files.iter().filter(|file| file.version.etag.is_none());
    let entries: Vec<Entry> = untagged.map(TableFile::entry).collect();
    let mut contents = BTreeMap::new();
    for entries in entries.chunks(N_HASHED) {
        let read = store.get_many_fresh(entries)?;
        let digests = read.into_iter().map(|(_, digest)| digest);
        contents.extend(entries.iter().map(|entry| entry.path.clone()).zip(digests));
    }
    Ok(contents)
}
