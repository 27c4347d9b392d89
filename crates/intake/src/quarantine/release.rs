//! Releases: rows in quarantine that a person reviewed and found to be good.
//!
//! A release is a JSON object under `quarantine/releases/`, written once and never changed. It
//! names files by their digests, so that it does not apply to a file that was replaced since.
//! Checks as of its own as-of and later let these rows break its one rule; all other rules still
//! apply to them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::{PutOutcome, Store};
use terms::{AsOf, Digest, Fingerprint};

use crate::check::report::{Check, QuarantinedRow};
use crate::contract::Contract;
use crate::contract::rule::OnViolation;
use crate::error::Error;

const RELEASES: &str = "quarantine/releases/";

/// Rows of one table that may break one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Version of this schema.
    pub schema_version: u32,
    /// Checks as of this instant and later use the rows.
    pub as_of: AsOf,
    /// The table.
    pub table: String,
    /// The rule.
    pub rule: String,
    /// The files, by date and name.
    pub files: Vec<ReleasedFile>,
}

/// Rows of one file that may break a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedFile {
    /// Its path in the store.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The rows, ascending.
    pub rows: Vec<QuarantinedRow>,
}

/// All releases in force at an as-of.
#[derive(Debug, Clone, Default)]
pub struct Releases(Vec<Release>);

impl Contract {
    /// Why no row that breaks a rule may be released; `None` if it may be, or there is no such
    /// rule.
    pub fn release_refusal(&self, rule: &str) -> Option<&'static str> {
        if self.joins().iter().any(|join| join.rule == rule) {
            return Some("it is of no use without the row that it belongs to");
        }
        if rule.strip_suffix("_missing").and_then(|name| self.column(name)).is_some() {
            return Some("its column is required, and later stages rely on it");
        }
        let fails = |on: OnViolation| on == OnViolation::Fail;
        let of_rows = self.rules().iter().find(|own| own.name == rule);
        let whole = self.partition_rules().iter().find(|own| own.name == rule);
        let fails = of_rows.is_some_and(|own| fails(own.on_violation)) || whole.is_some();
        fails.then_some("the contract lets the table fail for it, and quarantines no row")
    }
}

impl Release {
    /// All rows of a table that a check found in quarantine by `rule`; `None` if there are none.
    ///
    /// As of: the check's.
    pub fn of(check: &Check, table: &str, rule: &str) -> Option<Self> {
        let files = check.tables.get(table)?.files.iter().filter_map(|file| {
            let rows: Vec<QuarantinedRow> =
                file.quarantined.iter().filter(|row| row.reason == rule).cloned().collect();
            let (path, digest) = (file.path.clone(), file.digest.clone());
            (!rows.is_empty()).then_some(ReleasedFile { path, digest, rows })
        });
        let files: Vec<ReleasedFile> = files.collect();
        let (table, rule) = (table.to_owned(), rule.to_owned());
        (!files.is_empty()).then_some(Self {
            schema_version: 1,
            as_of: check.as_of,
            table,
            rule,
            files,
        })
    }

    /// How many rows it releases.
    pub fn n_rows(&self) -> usize {
        self.files.iter().map(|file| file.rows.len()).sum()
    }

    /// Writes it to the store, and returns the path. The same release is the same object, so this
    /// may be repeated.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record(&self, store: &Store) -> Result<String, Error> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::Release { path: RELEASES.to_owned(), source })?;
        bytes.push(b'\n');
        let Self { table, rule, as_of, .. } = self;
        let id = Digest::of(&bytes);
        let path = format!("{RELEASES}{}-{table}-{rule}-{}.json", as_of.day(), id.short());
        match store.put_if_absent(&path, bytes.into())? {
            PutOutcome::Created | PutOutcome::Exists => Ok(path),
        }
    }
}

impl Releases {
    /// Reads the releases of `as_of` and before.
    ///
    /// # Errors
    /// If the store cannot be read, or an object there is not a release.
    pub(crate) fn read(store: &Store, as_of: AsOf) -> Result<Self, Error> {
        let paths: Vec<String> =
            store.list(RELEASES)?.into_iter().map(|entry| entry.path).collect();
        let mut releases = Vec::new();
        for (path, bytes) in paths.iter().zip(store.get_many(&paths)?) {
            let release: Release = serde_json::from_slice(&bytes)
                .map_err(|source| Error::Release { path: path.clone(), source })?;
            if release.as_of <= as_of {
                releases.push(release);
            }
        }
        Ok(Self(releases))
    }

    /// Those whose as-of is `as_of`.
    pub fn made_as_of(&self, as_of: AsOf) -> impl Iterator<Item = &Release> {
        self.0.iter().filter(move |release| release.as_of == as_of)
    }

    /// A digest of all of them.
    pub(crate) fn digest(&self) -> Digest {
        let all = self.0.iter().fold(Fingerprint::new(), |hash, release| {
            hash.with("release", serde_json::to_vec(release).unwrap_or_default())
        });
        all.finish()
    }

    /// The released rows of a file, by the rule that they may break.
    pub(crate) fn rows_of(&self, path: &str, digest: &Digest) -> BTreeMap<&str, BTreeSet<u32>> {
        let mut rows: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for release in &self.0 {
            for file in release.files.iter().filter(|file| file.path == path) {
                if file.digest == *digest {
                    let released = rows.entry(&release.rule).or_default();
                    released.extend(file.rows.iter().map(|row| row.row));
                }
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;
    use crate::quarantine::copies::write_quarantine;
    use terms::ErrorClass;

    /// A store with two shipments without units; one of them was delivered, but has no time, too.
    fn spoiled() -> Store {
        let store = sound_store();
        let mut rows = delivered();
        (rows[3].n_units, rows[5].n_units) = (0, 0);
        rows[5].delivered_at = None;
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        store
    }

    fn reasons(store: &Store, as_of: &str) -> Vec<(String, u64)> {
        let check = check_anew(store, &contracts(), at(as_of)).unwrap();
        let table = &check.tables["shipments"];
        assert_eq!(table.rows_in, table.rows_ok + table.rows_quarantined + table.rows_dropped);
        table.reasons.clone().into_iter().collect()
    }

    #[test]
    fn released_rows_are_ok_from_then_on_and_other_rules_still_apply_to_them() {
        let store = spoiled();
        let finding = find(&store, &contracts(), at("2026-01-06")).unwrap();
        write_quarantine(&store, &finding).unwrap();
        let copies = contents(&store);
        let release = Release::of(&finding.check, "shipments", "n_units_range").unwrap();
        assert_eq!(release.n_rows(), 2);
        let path = release.record(&store).unwrap();
        assert_eq!(release.record(&store).unwrap(), path);

        assert_eq!(reasons(&store, "2026-01-06"), [("delivered_without_time".to_owned(), 1)]);
        let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let table = &check.tables["shipments"];
        assert_eq!((table.rows_in, table.rows_ok, table.rows_quarantined), (80, 79, 1));
        assert_eq!(table.released["n_units_range"], 1);
        assert!(Release::of(&check, "shipments", "n_units_range").is_none());
        // An earlier as-of does not see it.
        assert_eq!(reasons(&store, "2026-01-05T23:00:00Z"), [("n_units_range".to_owned(), 2)]);

        // What was copied to quarantine stays there.
        let again = find(&store, &contracts(), at("2026-01-06")).unwrap();
        write_quarantine(&store, &again).unwrap();
        for (path, bytes) in copies.iter().filter(|(path, _)| path.starts_with("quarantine/")) {
            let rows = |bytes| polars::prelude::ParquetReader::new(std::io::Cursor::new(bytes));
            use polars::prelude::SerReader as _;
            let before = rows(bytes.clone()).finish().unwrap();
            let now = rows(store.get(path).unwrap()).finish().unwrap();
            assert_eq!(before.height(), now.height());
        }
    }

    #[test]
    fn a_release_applies_only_to_the_bytes_that_were_reviewed() {
        let store = spoiled();
        let finding = find(&store, &contracts(), at("2026-01-06")).unwrap();
        let release = Release::of(&finding.check, "shipments", "n_units_range").unwrap();
        release.record(&store).unwrap();
        let mut rows = delivered();
        rows[3].n_units = -7;
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        assert_eq!(reasons(&store, "2026-01-06"), [("n_units_range".to_owned(), 1)]);
    }

    #[test]
    fn rows_that_break_some_rules_cannot_be_released() {
        let shipments = contract("shipments");
        assert!(shipments.release_refusal("order_known").is_some());
        assert!(shipments.release_refusal("shipment_id_missing").is_some());
        assert!(shipments.release_refusal("shipments_rows_like_other_weeks").is_some());
        assert_eq!(shipments.release_refusal("n_units_range"), None);
        let text = crate::contract::shipped::shipped("shipments").unwrap().replacen(
            "property: onViolation, value: quarantine",
            "property: onViolation, value: fail",
            1,
        );
        assert!(Contract::parse("s", &text).unwrap().release_refusal("n_units_range").is_some());
    }

    #[test]
    fn an_object_that_is_not_a_release_is_named() {
        let store = sound_store();
        store.put("quarantine/releases/notes.json", "{}".into()).unwrap();
        let error = find(&store, &contracts(), at("2026-01-06")).unwrap_err();
        assert_eq!(error.to_string(), "quarantine/releases/notes.json: expected a release");
        assert_eq!(error.class(), ErrorClass::Contract);
        assert!(error.hint().is_some());
    }
}
