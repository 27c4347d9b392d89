//! The check of one partition: its files, and whether a key occurs twice in them.
//!
//! Duplicates are looked for within a partition, which is enough since the key has `recorded_at`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use polars::prelude::DataFrame;
use terms::{AsOf, Day, Digest};

use super::footer::Footer;
use super::join_lookup::JoinLookup;
use super::report::FileCheck;
use super::row_rules::FileRows;
use super::rows::{read_rows, value_text};
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::contract::join::JoinSpec;
use crate::error::Error;
use crate::layout::{TableFile, partition_prefix};
use crate::quarantine::release::Releases;

/// The files of a partition with their rows.
pub(crate) struct Partition<'a> {
    contract: &'a Contract,
    files: Vec<ReadFile<'a>>,
}

/// A file of a table, its bytes, verified, and their footer, if it is as the contract says.
pub(crate) struct Fetched<'a> {
    file: &'a TableFile,
    bytes: Bytes,
    digest: Digest,
    footer: Result<Footer<'a>, Error>,
}

impl<'a> Fetched<'a> {
    /// Reads the footer.
    pub(crate) fn new(
        contract: &'a Contract,
        file: &'a TableFile,
        (bytes, digest): (Bytes, Digest),
    ) -> Self {
        let footer = Footer::read(contract, &file.path, file.recorded_on, &bytes);
        Self { file, bytes, digest, footer }
    }

    /// An upper bound of the memory that its rows take; that of a file which cannot be read is its
    /// own error later. Units: bytes.
    pub(crate) fn decoded_bytes_max(&self) -> u64 {
        self.footer.as_ref().map_or(0, |footer| footer.decoded_bytes_max)
    }
}

struct ReadFile<'a> {
    file: &'a TableFile,
    digest: Digest,
    footer: Footer<'a>,
    frame: DataFrame,
}

impl<'a> Partition<'a> {
    /// Reads the files, and refuses one whose schema or day is not as the contract says.
    pub(crate) fn read(contract: &'a Contract, files: Vec<Fetched<'a>>) -> Result<Self, Error> {
        let columns: Vec<&ColumnSpec> = contract.columns().iter().collect();
        let read = |Fetched { file, bytes, digest, footer }: Fetched<'a>| {
            let footer = footer?;
            let frame = read_rows(contract, &file.path, &bytes, &footer.present, &columns)?;
            Ok(ReadFile { file, digest, footer, frame })
        };
        Ok(Self { contract, files: files.into_iter().map(read).collect::<Result<_, Error>>()? })
    }

    /// The keys of another table that the rows of each file refer to, and the day of the file.
    pub(crate) fn join_keys(&self, join: &JoinSpec) -> Vec<(Day, BTreeSet<String>)> {
        let keys_of = |read: &ReadFile<'_>| {
            let keys = read.frame.column(&join.on).and_then(|keys| keys.str());
            let keys = keys.map(|keys| keys.iter().flatten().map(str::to_owned).collect());
            (read.file.recorded_on, keys.unwrap_or_default())
        };
        self.files.iter().map(keys_of).collect()
    }

    /// Checks every row by the rules of the contract, and that no key occurs twice.
    pub(crate) fn check(
        &self,
        lookups: &[JoinLookup<'_>],
        releases: &Releases,
        as_of: AsOf,
    ) -> Result<Vec<FileCheck>, Error> {
        let mut checked = Vec::with_capacity(self.files.len());
        for ReadFile { file, digest, footer, frame } in &self.files {
            let contract = self.contract;
            let released_rows = releases.rows_of(&file.path, digest);
            let rows = FileRows { contract, file, digest, frame, lookups, released_rows, as_of };
            let mut found = rows.check()?;
            // The footer counts later rows, too, so there is no count for a day that is not over.
            if found.check.rows_later == 0 {
                found.check.nulls = nulls(contract, footer, frame);
            }
            checked.push(found);
        }
        let path = match self.files.as_slice() {
            [only] => only.file.path.clone(),
            [first, ..] => partition_prefix(self.contract.table(), first.file.recorded_on),
            [] => return Ok(Vec::new()),
        };
        require_unique_keys(self.contract, &path, checked.iter().map(|file| &file.keys))?;
        Ok(checked.into_iter().map(|file| file.check).collect())
    }
}

/// Nulls of the columns that rules on whole partitions count.
fn nulls(contract: &Contract, footer: &Footer<'_>, frame: &DataFrame) -> BTreeMap<String, u64> {
    let columns = contract.partition_rules().iter().filter_map(|rule| rule.measure.column());
    let counted = |name: &str| frame.column(name).map_or(0, |column| column.null_count() as u64);
    columns
        .map(|name| (name.to_owned(), footer.nulls(name).unwrap_or_else(|| counted(name))))
        .collect()
}

/// Refuses duplicate keys. `path` names the file or the partition in the message.
pub(crate) fn require_unique_keys<'a>(
    contract: &Contract,
    path: &str,
    files: impl Iterator<Item = &'a DataFrame>,
) -> Result<(), Error> {
    let failed = |source| Error::Frame { step: format!("keys of {path}"), source };
    let mut keys = DataFrame::empty();
    for file in files {
        keys.vstack_mut(file).map_err(failed)?;
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
        texts.push(value_text(column, first).map_err(failed)?.unwrap_or_default());
    }
    Err(Error::DuplicateKey {
        table: contract.table().to_owned(),
        path: path.to_owned(),
        keys: contract.keys().join(", "),
        rows: u64::from(shared.sum().unwrap_or_default()),
        first: format!("({})", texts.join(", ")),
    })
}
