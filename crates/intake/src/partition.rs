//! The check of one partition: its files, and keys told twice among them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::NaiveDate;
use polars::prelude::DataFrame;
use terms::{AsOf, Digest};

use crate::contract::{ColumnSpec, Contract, JoinSpec};
use crate::error::Error;
use crate::evaluate::{evaluate, key_text};
use crate::footer::{Footer, check_footer};
use crate::join::Known;
use crate::layout::{TableFile, partition_prefix};
use crate::release::Releases;
use crate::report::FileCheck;
use crate::rows::read_rows;

/// The files of a partition, read once.
pub(crate) struct Partition<'a> {
    contract: &'a Contract,
    files: Vec<Opened<'a>>,
}

struct Opened<'a> {
    file: &'a TableFile,
    digest: Digest,
    footer: Footer<'a>,
    frame: DataFrame,
}

impl<'a> Partition<'a> {
    /// Reads files, and refuses one whose schema or place is not as the contract says.
    pub(crate) fn read(
        contract: &'a Contract,
        files: &[(&'a TableFile, Bytes)],
    ) -> Result<Self, Error> {
        let columns: Vec<&ColumnSpec> = contract.columns().iter().collect();
        let open = |(file, bytes): &(&'a TableFile, Bytes)| {
            let footer = check_footer(contract, file, bytes)?;
            let frame = read_rows(contract, &file.path, bytes, &footer.present, &columns)?;
            Ok(Opened { file, digest: Digest::of(bytes), footer, frame })
        };
        Ok(Self { contract, files: files.iter().map(open).collect::<Result<_, Error>>()? })
    }

    /// The keys of another table that each file asks for, and on which day.
    pub(crate) fn keys_asked(&self, join: &JoinSpec) -> Vec<(NaiveDate, BTreeSet<String>)> {
        let asked = |opened: &Opened<'_>| {
            let keys = opened.frame.column(&join.on).and_then(|keys| keys.str());
            let keys = keys.map(|keys| keys.iter().flatten().map(str::to_owned).collect());
            (opened.file.recorded_on, keys.unwrap_or_default())
        };
        self.files.iter().map(asked).collect()
    }

    /// Holds every row against the contract, and the files' keys against each other.
    pub(crate) fn check(
        &self,
        known: &[Known<'_>],
        releases: &Releases,
        as_of: AsOf,
    ) -> Result<Vec<FileCheck>, Error> {
        let mut evaluated = Vec::with_capacity(self.files.len());
        for Opened { file, digest, footer, frame } in &self.files {
            let released = releases.of_file(&file.path, digest);
            let digest = digest.clone();
            let mut found = evaluate(self.contract, file, digest, frame, known, &released, as_of)?;
            // Of a day that is not over nothing is counted: the file's later rows are not looked at.
            if found.check.rows_later == 0 {
                found.check.nulls = nulls(self.contract, footer, frame);
            }
            evaluated.push(found);
        }
        let place = match self.files.as_slice() {
            [only] => only.file.path.clone(),
            [first, ..] => partition_prefix(self.contract.table(), first.file.recorded_on),
            [] => return Ok(Vec::new()),
        };
        keys_are_unique(self.contract, &place, evaluated.iter().map(|file| &file.keys))?;
        Ok(evaluated.into_iter().map(|file| file.check).collect())
    }
}

/// Nulls of the columns that a rule on whole partitions asks about.
fn nulls(contract: &Contract, footer: &Footer<'_>, frame: &DataFrame) -> BTreeMap<String, u64> {
    let asked = contract.partition_rules().iter().filter_map(|rule| rule.measure.column());
    let counted = |name: &str| frame.column(name).map_or(0, |column| column.null_count() as u64);
    asked
        .map(|name| (name.to_owned(), footer.nulls(name).unwrap_or_else(|| counted(name))))
        .collect()
}

/// Refuses a key that is told twice.
pub(crate) fn keys_are_unique<'a>(
    contract: &Contract,
    place: &str,
    files: impl Iterator<Item = &'a DataFrame>,
) -> Result<(), Error> {
    let failed = |source| Error::Frame { place: format!("keys of {place}"), source };
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
        texts.push(key_text(column, first).map_err(failed)?.unwrap_or_default());
    }
    Err(Error::DuplicateKey {
        table: contract.table().to_owned(),
        path: place.to_owned(),
        keys: contract.keys().join(", "),
        rows: u64::from(shared.sum().unwrap_or_default()),
        first: format!("({})", texts.join(", ")),
    })
}
