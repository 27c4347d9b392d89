//! Explanations of why rows are in quarantine: counts by rule, and a few rows with the values that
//! the rule reads.

use std::collections::BTreeSet;

use polars::prelude::{Column, DataFrame, PolarsResult};
use serde::Serialize;
use store::Store;

use crate::check::footer::Footer;
use crate::check::join_lookup::JoinLookup;
use crate::check::report::{Check, FileCheck, TableCheck};
use crate::check::rows::{read_rows, value_text};
use crate::contract::Contract;
use crate::contract::column::ColumnSpec;
use crate::error::Error;

/// The rows of one table that break one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedRule {
    /// The table.
    pub table: String,
    /// The rule.
    pub rule: String,
    /// The condition of a bad row.
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
    /// Its file.
    pub path: String,
    /// Its position in the file, from 0.
    pub row: u32,
    /// The columns that its rule reads, with their values.
    pub values: Vec<(String, String)>,
}

/// Counts the rows of each table that each rule quarantined, dropped or warned of, with at most
/// `n_samples` of those in quarantine. Reads only the files of these samples, and what their rules
/// join.
///
/// # Errors
/// If a file changed since it was checked.
pub fn explain(
    store: &Store,
    contracts: &[Contract],
    check: &Check,
    n_samples: usize,
) -> Result<Vec<ExplainedRule>, Error> {
    let mut all = Vec::new();
    for contract in contracts {
        let Some(table) = check.tables.get(contract.table()) else { continue };
        let explainer = Explainer { store, contracts, contract, check };
        for (rule, rows) in table.reasons.iter().chain(&table.warnings) {
            let (condition, on_violation) = rule_of(contract, rule);
            let samples = explainer.samples(table, rule, &condition, n_samples)?;
            let (table, rule) = (table.table.clone(), rule.clone());
            all.push(ExplainedRule { table, rule, condition, on_violation, rows: *rows, samples });
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

/// Reads the samples of one table.
struct Explainer<'a> {
    store: &'a Store,
    contracts: &'a [Contract],
    contract: &'a Contract,
    check: &'a Check,
}

impl Explainer<'_> {
    fn samples(
        &self,
        table: &TableCheck,
        rule: &str,
        condition: &str,
        n_samples: usize,
    ) -> Result<Vec<Sample>, Error> {
        let mut samples = Vec::new();
        for file in &table.files {
            let bad = file.quarantined.iter().filter(|row| row.reason == *rule);
            let bad: Vec<u32> = bad.map(|row| row.row).take(n_samples - samples.len()).collect();
            if !bad.is_empty() {
                samples.extend(self.samples_of_file(file, &bad, condition)?);
            }
        }
        Ok(samples)
    }

    fn samples_of_file(
        &self,
        file: &FileCheck,
        rows: &[u32],
        condition: &str,
    ) -> Result<Vec<Sample>, Error> {
        let bytes = self.store.get_verified(&file.path, &file.digest)?;
        let footer = Footer::read(self.contract, &file.path, file.recorded_on, &bytes)?;
        let columns: Vec<&ColumnSpec> = self.contract.columns().iter().collect();
        let frame = read_rows(self.contract, &file.path, &bytes, &footer.present, &columns)?;
        let names = names_in(condition);
        let mut samples = Vec::with_capacity(rows.len());
        for &row in rows {
            let frame = frame.slice(i64::from(row), 1);
            let joined = self.joined_columns(file, &frame, &names)?;
            let failed = |source| Error::Frame { step: format!("{} row {row}", file.path), source };
            samples.push(Sample {
                key: text(&frame, &self.contract.keys()[0]).map_err(failed)?,
                path: file.path.clone(),
                row,
                values: values(&frame, &joined, &names).map_err(failed)?,
            });
        }
        Ok(samples)
    }

    /// The columns of other tables that a rule reads, for one row.
    fn joined_columns(
        &self,
        file: &FileCheck,
        row: &DataFrame,
        names: &BTreeSet<String>,
    ) -> Result<DataFrame, Error> {
        let failed = |source| Error::Frame { step: file.path.clone(), source };
        let mut columns: Vec<Column> = Vec::new();
        for join in self.contract.joins() {
            let prefix = format!("{}.", join.table);
            let joined = self.contracts.iter().find(|joined| joined.table() == join.table);
            let is_read = names.iter().any(|name| name.starts_with(&prefix));
            let Some(joined) = joined.filter(|_| is_read) else { continue };
            let checked = self.check.tables.get(&join.table);
            let mut lookup = JoinLookup::new(join, joined, checked, self.check.as_of);
            let keys = text(row, &join.on).map_err(failed)?.into_iter().collect();
            lookup.load(self.store, &[(file.recorded_on, keys)])?;
            let keys = row.column(&join.on).map_err(failed)?;
            let (found, _) = lookup.look_up(keys, file.recorded_on.end()).map_err(failed)?;
            columns.extend(found);
        }
        DataFrame::new(1, columns).map_err(failed)
    }
}

/// The values of the named columns: the table's own in its order, then joined ones.
fn values(
    frame: &DataFrame,
    joined: &DataFrame,
    names: &BTreeSet<String>,
) -> PolarsResult<Vec<(String, String)>> {
    let mut values = Vec::new();
    for frame in [frame, joined] {
        for name in frame.get_column_names() {
            if names.contains(name.as_str()) {
                let value = text(frame, name)?.unwrap_or_else(|| "null".to_owned());
                values.push((name.to_string(), value));
            }
        }
    }
    Ok(values)
}

fn text(row: &DataFrame, column: &str) -> PolarsResult<Option<String>> {
    value_text(row.column(column)?, 0)
}

/// The names in a condition, without what is between single quotes.
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
    fn a_sample_shows_the_columns_of_both_tables_that_its_rule_reads() {
        let store = sound_store();
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
    fn all_rows_are_counted_and_only_so_many_are_samples() {
        let store = sound_store();
        let mut rows = delivered();
        rows[..4].iter_mut().for_each(|row| row.n_units = 0);
        put(&store, "shipments", "2026-01-05", shipments_frame(&rows));
        let check = check_anew(&store, &contracts(), at("2026-01-06")).unwrap();
        let explained = explain(&store, &contracts(), &check, 2).unwrap();
        assert_eq!((explained[0].rows, explained[0].samples.len()), (4, 2));
    }
}
