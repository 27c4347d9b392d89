//! Rows that a person reviewed and takes back in from quarantine.
//!
//! A release is an object of its own under `quarantine/releases/`, written once and never changed.
//! It names rows of files by their digests, so that a file that was replaced meanwhile is judged
//! anew. From its as-of on these rows may break its rule; of all other rules they are still asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::{PutOutcome, Store};
use terms::{AsOf, Digest, Fingerprint};

use crate::contract::Contract;
use crate::error::Error;
use crate::report::{Check, Quarantined};
use crate::rule::OnViolation;

const RELEASES: &str = "quarantine/releases/";

/// Rows of one table that may break one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Version of this form.
    pub schema_version: u32,
    /// Checks as of this moment and later take the rows in.
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
    /// Where it lies in the store.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The rows, ascending.
    pub rows: Vec<Quarantined>,
}

/// All releases that hold at a moment.
#[derive(Debug, Clone, Default)]
pub struct Releases(Vec<Release>);

impl Contract {
    /// Why no row may be let in that breaks a rule; `None` if it may, or there is no such rule.
    pub fn keeps_out(&self, rule: &str) -> Option<&'static str> {
        if self.joins().iter().any(|join| join.rule == rule) {
            return Some("without the row that it belongs to nothing can be made of it");
        }
        if rule.strip_suffix("_missing").and_then(|name| self.column(name)).is_some() {
            return Some("its column is required, and later stages rely on it");
        }
        let fails = |on: OnViolation| on == OnViolation::Fail;
        let of_rows = self.rules().iter().find(|own| own.name == rule);
        let whole = self.partition_rules().iter().find(|own| own.name == rule);
        let fails = of_rows.is_some_and(|own| fails(own.on_violation)) || whole.is_some();
        fails.then_some("the contract lets the table fail for it, and sets no row aside")
    }

    /// Whether a rule has this name.
    pub fn has_rule(&self, rule: &str) -> bool {
        self.joins().iter().any(|join| join.rule == rule)
            || self.rules().iter().any(|own| own.name == rule)
            || self.partition_rules().iter().any(|own| own.name == rule)
    }
}

impl Release {
    /// All rows of a table that a check found in quarantine by `rule`; `None` if there are none.
    ///
    /// As of: the check's.
    pub fn of(check: &Check, table: &str, rule: &str) -> Option<Self> {
        let files = check.tables.get(table)?.files.iter().filter_map(|file| {
            let rows: Vec<Quarantined> =
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

    /// How many rows it lets in.
    pub fn n_rows(&self) -> usize {
        self.files.iter().map(|file| file.rows.len()).sum()
    }

    /// Writes it down, and gives the path. The same release is the same object, so it may be
    /// repeated.
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
    /// If the store cannot be read, or an object there is no release.
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

    /// Those that were made as of a moment.
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

    /// Which rows of a file may break which rule.
    pub(crate) fn of_file(&self, path: &str, digest: &Digest) -> BTreeMap<&str, BTreeSet<u32>> {
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
    use crate::quarantine::write_quarantine;
    use terms::ErrorClass;

    /// A world in which two shipments have no units; one of them was delivered at no time, too.
    fn spoiled() -> Store {
        let store = world();
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
    fn released_rows_are_ok_from_then_on_and_are_still_asked_everything_else() {
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
        // Before it was made it does not hold.
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
    fn a_release_is_about_the_bytes_that_were_reviewed() {
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
    fn some_rules_keep_every_row_out() {
        let shipments = contract("shipments");
        assert!(shipments.keeps_out("order_known").is_some());
        assert!(shipments.keeps_out("shipment_id_missing").is_some());
        assert!(shipments.keeps_out("shipments_rows_like_other_weeks").is_some());
        assert_eq!(shipments.keeps_out("n_units_range"), None);
        let text = crate::shipped("shipments").unwrap().replacen(
            "property: onViolation, value: quarantine",
            "property: onViolation, value: fail",
            1,
        );
        assert!(Contract::parse("s", &text).unwrap().keeps_out("n_units_range").is_some());
    }

    #[test]
    fn what_is_no_release_is_named() {
        let store = world();
        store.put("quarantine/releases/notes.json", "{}".into()).unwrap();
        let error = find(&store, &contracts(), at("2026-01-06")).unwrap_err();
        assert_eq!(error.to_string(), "quarantine/releases/notes.json: expected a release");
        assert_eq!(error.class(), ErrorClass::Contract);
        assert!(error.hint().is_some());
    }
}
