//! Why rows are in quarantine, with a few of them to look at.

use std::collections::BTreeSet;

use polars::prelude::{DataFrame, PolarsResult};
use serde::Serialize;
use store::Store;

use crate::contract::{ColumnSpec, Contract};
use crate::error::Error;
use crate::evaluate::key_text;
use crate::footer::check_footer;
use crate::join::Known;
use crate::layout::{FileVersion, TableFile, end_of};
use crate::report::{Check, FileCheck, TableCheck};
use crate::rows::read_rows;

/// What one rule set aside in one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The table.
    pub table: String,
    /// The rule.
    pub rule: String,
    /// Which rows are bad.
    pub condition: String,
    /// What happens to them.
    pub on_violation: &'static str,
    /// How many.
    pub rows: u64,
    /// The first of those in quarantine.
    pub samples: Vec<Sample>,
}

/// A row in quarantine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// The first column of its key, if it has one.
    pub key: Option<String>,
    /// The file that it lies in.
    pub path: String,
    /// Its position there, from 0.
    pub row: u32,
    /// The columns that its rule reads, and what they hold.
    pub values: Vec<(String, String)>,
}

/// Counts the rows that each rule of each table set aside or warned of, with at most `n_samples`
/// of those in quarantine. Reads only the files that these lie in, and what their rules join.
///
/// # Errors
/// If a file is not what it was when it was checked.
pub fn explain(
    store: &Store,
    contracts: &[Contract],
    check: &Check,
    n_samples: usize,
) -> Result<Vec<Explained>, Error> {
    let mut all = Vec::new();
    for contract in contracts {
        let Some(table) = check.tables.get(contract.table()) else { continue };
        for (rule, rows) in table.reasons.iter().chain(&table.warnings) {
            let (condition, on_violation) = rule_of(contract, rule);
            let mut samples = Vec::new();
            for file in &table.files {
                let bad = file.quarantined.iter().filter(|row| row.reason == *rule);
                let bad: Vec<u32> =
                    bad.map(|row| row.row).take(n_samples - samples.len()).collect();
                if !bad.is_empty() {
                    let story = Story { store, contracts, contract, check };
                    samples.extend(story.samples(file, &bad, &condition)?);
                }
            }
            let (table, rule) = (table.table.clone(), rule.clone());
            all.push(Explained { table, rule, condition, on_violation, rows: *rows, samples });
        }
    }
    Ok(all)
}

fn rule_of(contract: &Contract, name: &str) -> (String, &'static str) {
    if let Some(rule) = contract.rules().iter().find(|rule| rule.name == name) {
        return (rule.condition.clone(), rule.on_violation.name());
    }
    let join = contract.joins().iter().find(|join| join.rule == name);
    let condition = join.map(|join| format!("{} not known to {} that day", join.on, join.table));
    (condition.unwrap_or_default(), "quarantine")
}

struct Story<'a> {
    store: &'a Store,
    contracts: &'a [Contract],
    contract: &'a Contract,
    check: &'a Check,
}

impl Story<'_> {
    fn samples(
        &self,
        file: &FileCheck,
        rows: &[u32],
        condition: &str,
    ) -> Result<Vec<Sample>, Error> {
        let bytes = self.store.get_verified(&file.path, &file.digest)?;
        let version = FileVersion { bytes: bytes.len() as u64, etag: None };
        let listed = TableFile { recorded_on: file.recorded_on, path: file.path.clone(), version };
        let footer = check_footer(self.contract, &listed, &bytes)?;
        let columns: Vec<&ColumnSpec> = self.contract.columns().iter().collect();
        let frame = read_rows(self.contract, &file.path, &bytes, &footer.present, &columns)?;
        let read = names_in(condition);
        let mut samples = Vec::with_capacity(rows.len());
        for &row in rows {
            let frame = frame.slice(i64::from(row), 1);
            let joined = self.joined(file, &frame, &read)?;
            let failed =
                |source| Error::Frame { place: format!("{} row {row}", file.path), source };
            samples.push(Sample {
                key: text(&frame, &self.contract.keys()[0]).map_err(failed)?,
                path: file.path.clone(),
                row,
                values: values(&frame, &joined, &read).map_err(failed)?,
            });
        }
        Ok(samples)
    }

    /// The columns of other tables that a rule reads, for one row.
    fn joined(
        &self,
        file: &FileCheck,
        row: &DataFrame,
        read: &BTreeSet<String>,
    ) -> Result<DataFrame, Error> {
        let mut columns = Vec::new();
        for join in self.contract.joins() {
            let prefix = format!("{}.", join.table);
            let other = self.contracts.iter().find(|other| other.table() == join.table);
            let Some(other) = other.filter(|_| read.iter().any(|name| name.starts_with(&prefix)))
            else {
                continue;
            };
            let checked: Option<&TableCheck> = self.check.tables.get(&join.table);
            let mut known = Known::new(join, other, checked, self.check.as_of);
            let failed = |source| Error::Frame { place: file.path.clone(), source };
            let keys = text(row, &join.on).map_err(failed)?.into_iter().collect();
            known.reach(self.store, &[(file.recorded_on, keys)])?;
            let keys = row.column(&join.on).map_err(failed)?;
            let (found, _) = known.look_up(keys, end_of(file.recorded_on)).map_err(failed)?;
            columns.extend(found);
        }
        DataFrame::new(1, columns)
            .map_err(|source| Error::Frame { place: file.path.clone(), source })
    }
}

/// What the columns hold that a rule reads: the table's own in its order, then joined ones.
fn values(
    frame: &DataFrame,
    joined: &DataFrame,
    read: &BTreeSet<String>,
) -> PolarsResult<Vec<(String, String)>> {
    let mut values = Vec::new();
    for frame in [frame, joined] {
        for name in frame.get_column_names() {
            if read.contains(name.as_str()) {
                let value = text(frame, name)?.unwrap_or_else(|| "null".to_owned());
                values.push((name.to_string(), value));
            }
        }
    }
    Ok(values)
}

fn text(row: &DataFrame, column: &str) -> PolarsResult<Option<String>> {
    key_text(row.column(column)?, 0)
}

/// The names in a condition; what stands between single quotes is none.
fn names_in(condition: &str) -> BTreeSet<String> {
    let outside = condition.split('\'').step_by(2);
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    outside
        .flat_map(|text| text.split(move |c: char| !is_name(c)))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::*;

    #[test]
    fn a_sample_shows_what_its_rule_read_of_both_tables() {
        let store = world();
        let mut rows = delivered();
        rows[7].handed_over_at = Some(rows[7].recorded_at - 73 * terms::HOUR_MICROS);
        rows[8].status = "teleported";
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let explained = explain(&store, &contracts(), &check, 3).unwrap();
        assert_eq!(explained.len(), 2);
        let [order, status] = &explained[..] else { panic!("{explained:?}") };
        assert_eq!((order.rule.as_str(), order.rows), ("handed_over_before_ordered", 1));
        assert_eq!(order.samples[0].key.as_deref(), Some("s07"));
        assert_eq!(order.samples[0].row, 7);
        assert_eq!(order.samples[0].path, path("shipments", "2026-01-05"));
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            order.samples[0].values,
            [
                value("handed_over_at", "2026-01-02 02:30:00 UTC"),
                value("orders.ordered_at", "2026-01-02 03:30:00 UTC"),
            ]
        );
        assert_eq!(status.samples[0].values, [value("status", "teleported")]);
        assert_eq!(status.on_violation, "quarantine");
    }

    #[test]
    fn no_more_samples_than_asked_for_and_all_are_counted() {
        let store = world();
        let mut rows = delivered();
        rows[..4].iter_mut().for_each(|row| row.n_units = 0);
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let explained = explain(&store, &contracts(), &check, 2).unwrap();
        assert_eq!((explained[0].rows, explained[0].samples.len()), (4, 2));
    }
}
