//! What the store says of the tables' files, without reading them: which there are before the
//! as-of, and which are still what they were when an earlier check read them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use store::Store;
use terms::{AsOf, Digest, Fingerprint};

use crate::contract::Contract;
use crate::error::Error;
use crate::layout::{FileVersion, TableFile, files_of, start_of};
use crate::release::Releases;
use crate::report::{Check, FileCheck};

/// The files that can hold rows recorded before the as-of, of every table that has a contract; and
/// the releases that hold then.
#[derive(Debug, Clone)]
pub struct Listed {
    as_of: AsOf,
    tables: BTreeMap<String, ListedTable>,
    releases: Releases,
}

#[derive(Debug, Clone)]
pub(crate) struct ListedTable {
    /// By date and name.
    pub(crate) files: Vec<TableFile>,
    /// The first partition, also if it begins after the as-of.
    pub(crate) first: Option<NaiveDate>,
}

/// An earlier finding of the same contracts, and what its files were when it was reached.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// What it found.
    pub check: Check,
    /// Its files, by path.
    pub versions: BTreeMap<String, FileVersion>,
}

impl Listed {
    /// Lists the tables of `contracts`, and reads the releases.
    ///
    /// As of: partitions that begin before, and releases made then or before.
    ///
    /// # Errors
    /// If the store cannot be read, a file lies where no partition is, or a release is none.
    pub fn read(store: &Store, contracts: &[Contract], as_of: AsOf) -> Result<Self, Error> {
        let mut tables = BTreeMap::new();
        for contract in contracts {
            let mut files = files_of(store, contract.table())?;
            let first = files.first().map(|file| file.recorded_on);
            files.retain(|file| start_of(file.recorded_on) < as_of);
            tables.insert(contract.table().to_owned(), ListedTable { files, first });
        }
        Ok(Self { as_of, tables, releases: Releases::read(store, as_of)? })
    }

    /// The moment before which partitions begin.
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// What each file is now, by path.
    pub fn versions(&self) -> BTreeMap<String, FileVersion> {
        let files = self.tables.values().flat_map(|table| &table.files);
        files.map(|file| (file.path.clone(), file.version.clone())).collect()
    }

    /// The releases that hold.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// A digest of the releases that hold: verdicts that were reached with others do not.
    pub fn releases_digest(&self) -> Digest {
        self.releases.digest()
    }

    /// A digest of all of it: equal if no file came, went or changed, and no release came.
    pub fn digest(&self) -> Digest {
        let start = Fingerprint::new().with("releases", self.releases.digest().as_str());
        let files = self.tables.values().flat_map(|table| &table.files);
        let all = files.fold(start, |hash, file| {
            let FileVersion { bytes, etag } = &file.version;
            hash.with(&file.path, format!("{bytes} {}", etag.as_deref().unwrap_or_default()))
        });
        all.finish()
    }

    pub(crate) fn table(&self, table: &str) -> Option<&ListedTable> {
        self.tables.get(table)
    }

    /// The day up to which, not with, the verdicts of `earlier` on a table hold: the first on which
    /// a file came, went or changed, or which was not over when one of the two checks was made.
    ///
    /// A verdict reads nothing that was recorded after its own day, so it needs no more than that.
    pub(crate) fn unchanged_before(&self, contract: &Contract, earlier: &Earlier) -> NaiveDate {
        let over = self.as_of.min(earlier.check.as_of).day().date();
        let now = self.table(contract.table()).map_or(&[][..], |table| &table.files);
        let then = match earlier.check.tables.get(contract.table()) {
            Some(table) if table.contract_digest == *contract.digest() => &table.files[..],
            Some(_) => return NaiveDate::MIN,
            None => &[],
        };
        let then: BTreeMap<&str, &FileCheck> =
            then.iter().map(|file| (file.path.as_str(), file)).collect();
        let is_same = |file: &TableFile| {
            file.version.etag.is_some()
                && then.contains_key(file.path.as_str())
                && earlier.versions.get(&file.path) == Some(&file.version)
        };
        let there: BTreeSet<&str> = now.iter().map(|file| file.path.as_str()).collect();
        let gone = then.values().filter(|file| !there.contains(file.path.as_str()));
        let gone = gone.map(|file| file.recorded_on);
        let changed = now.iter().filter(|file| !is_same(file)).map(|file| file.recorded_on);
        changed.chain(gone).fold(over, NaiveDate::min)
    }
}
