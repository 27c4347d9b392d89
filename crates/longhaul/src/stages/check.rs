//! Check: every table against its contract, bad rows into quarantine.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, Result};
use features::{Declaration, QuarantinedVersion, Tables};
use intake::{Check, Contract, FileCheck, Listed, Notice, TableCheck};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{AsOf, Digest, Instant};

use crate::refusal::Refusal;
use crate::report::count;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::last_check;

/// The tables that features are built from.
const FACTS: [&str; 2] = ["orders", "shipments"];
/// Those that are looked at where they are there.
const OPTIONAL: [&str; 3] = ["legs", "nodes", "holidays"];
/// Everything that the check found.
const CHECK: &str = "check.json";

/// What the stage says of itself: `rows_in = rows_ok + rows_quarantined + rows_dropped`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Rows recorded before the as-of.
    pub(crate) rows_in: usize,
    /// Rows that may be used.
    pub(crate) rows_ok: usize,
    /// Rows kept aside.
    pub(crate) rows_quarantined: usize,
    /// Rows left out, by rules that say so.
    pub(crate) rows_dropped: usize,
    /// Rows kept aside or left out by table and reason.
    pub(crate) reasons: BTreeMap<String, usize>,
    /// Rows used although they break a rule that only warns, by table and rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) warnings: BTreeMap<String, usize>,
    /// Rows used since they were released, by table and rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) released: BTreeMap<String, usize>,
    /// Partitions that are odd as a whole, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notices: Vec<String>,
}

/// Tables that passed their check.
pub(crate) struct Checked {
    /// What the stage left.
    pub(crate) done: StageResult,
    check: Check,
    contracts: Vec<Contract>,
}

/// Checks every table as of the night.
///
/// # Errors
/// If a table breaks a rule that fails it. Then the store is as it was.
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved) -> Result<Checked> {
    let contracts = resolved.contracts()?;
    let listed = Listed::read(context.store, &contracts, context.as_of)?;
    let pointer = last_check::pointer(&contracts, &listed);
    let mut inputs = BTreeMap::from([("listing".to_owned(), listed.digest().to_string())]);
    for contract in &contracts {
        inputs.insert(format!("contract {}", contract.table()), contract.digest().to_string());
    }
    let done = stage::run(context, "check", inputs, || {
        // Forced, every verdict is reached again.
        let earlier = if context.force { None } else { last_check::find(context.store, &pointer) };
        let found = intake::check(context.store, &contracts, &listed, earlier.as_ref())?;
        intake::write_quarantine(context.store, &found)?;
        let summary = summary(&found.check);
        for notice in &summary.notices {
            context.reporter.note(&format!("warning: {notice}"));
        }
        let n_files: usize = found.check.tables.values().map(|table| table.files.len()).sum();
        Ok(Output {
            line: format!(
                "{} rows in = {} ok + {} in quarantine; read {} of {} files",
                count(summary.rows_in),
                count(summary.rows_ok),
                count(summary.rows_quarantined),
                count(found.read.len()),
                count(n_files),
            ),
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([(CHECK.to_owned(), serde_json::to_vec(&found.check)?)]),
        })
    })?;
    last_check::leave(context.store, &pointer, &done, CHECK, &listed)?;
    let check = serde_json::from_slice(&done.read(context.store, CHECK)?)
        .with_context(|| format!("{}/{CHECK}", done.folder))?;
    Ok(Checked { done, check, contracts })
}

/// Tables as a check finds them, before it is judged whether too many of their rows are bad.
pub(crate) struct Reviewed {
    /// Against which they were held.
    pub(crate) contracts: Vec<Contract>,
    /// The files, and the releases that held.
    pub(crate) listed: Listed,
    /// What was found.
    pub(crate) check: Check,
}

/// Looks at the tables as the check does. Writes nothing.
///
/// # Errors
/// If a file is not as its contract says, or a row breaks a rule that fails its table.
pub(crate) fn review(context: &RunContext<'_>, resolved: &Resolved) -> Result<Reviewed> {
    let contracts = resolved.contracts()?;
    let listed = Listed::read(context.store, &contracts, context.as_of)?;
    let earlier = last_check::find(context.store, &last_check::pointer(&contracts, &listed));
    let check = intake::review(context.store, &contracts, &listed, earlier.as_ref())?.check;
    Ok(Reviewed { contracts, listed, check })
}

fn summary(check: &Check) -> Summary {
    let mut summary = Summary::default();
    for (name, table) in &check.tables {
        summary.rows_in += table.rows_in as usize;
        summary.rows_ok += table.rows_ok as usize;
        summary.rows_quarantined += table.rows_quarantined as usize;
        summary.rows_dropped += table.rows_dropped as usize;
        for (total, found) in [
            (&mut summary.reasons, &table.reasons),
            (&mut summary.warnings, &table.warnings),
            (&mut summary.released, &table.released),
        ] {
            for (rule, &rows) in found {
                total.insert(format!("{name}: {rule}"), rows as usize);
            }
        }
        summary.notices.extend(table.notices.iter().map(|notice| {
            let Notice { rule, recorded_on, expected, found } = notice;
            format!("{name} recorded_on={recorded_on}: {rule}: expected {expected}, found {found}")
        }));
    }
    summary
}

/// The midnight at the start of the partition that `path` lies in.
fn recorded_on(path: &str) -> Option<AsOf> {
    let date = path.split('/').find_map(|part| part.strip_prefix("recorded_on="))?;
    date.parse().ok()
}

/// The first moment at which everything in the tables was known.
///
/// # Errors
/// If there are no tables.
pub(crate) fn end_of_tables(store: &Store) -> Result<AsOf> {
    let entries = store.list("tables/")?;
    let last = entries.iter().filter_map(|entry| recorded_on(&entry.path)).max();
    last.map(|start| start.plus_days(1)).ok_or_else(|| {
        Refusal::Missing {
            what: format!("{}/tables/", store.url().trim_end_matches('/')),
            expected: "partitions such as orders/recorded_on=2026-11-20/".to_owned(),
            way_out: "bring tables in with longhaul import or longhaul simulate".to_owned(),
        }
        .into()
    })
}

impl Checked {
    /// A digest of the bytes that were checked and of what was found, the same in any store.
    ///
    /// # Errors
    /// If the finding cannot be encoded, which it has no reason to.
    pub(crate) fn content(&self) -> Result<String> {
        Ok(Digest::of(&serde_json::to_vec(&self.check)?).to_string())
    }

    /// What of the declared features can be built from the tables that are there.
    ///
    /// # Errors
    /// If the declaration cannot be read.
    pub(crate) fn declared(&self, resolved: &Resolved) -> Result<Declaration> {
        let (declared, _) = resolved.declaration()?;
        Ok(declared.with_legs(self.check.tables.contains_key("legs")))
    }

    /// What was found on each day on which something was recorded, since the epoch: the bytes and
    /// the rows that are left out.
    ///
    /// # Errors
    /// If the finding cannot be encoded, which it has no reason to.
    pub(crate) fn found_by_day(&self) -> Result<BTreeMap<i32, String>> {
        let mut by_day: BTreeMap<i32, String> = BTreeMap::new();
        let tables = FACTS.iter().chain(&OPTIONAL);
        for table in tables.filter_map(|name| self.check.tables.get(*name)) {
            for file in &table.files {
                let found = by_day.entry(day_of(file)).or_default();
                found.push_str(&serde_json::to_string(file)?);
                if file.rows_later > 0 {
                    found.push_str(&self.check.as_of.to_string());
                }
            }
        }
        Ok(by_day)
    }

    /// Everything that was recorded on some days.
    ///
    /// # Errors
    /// If a table is not there, or its bytes are not those that were checked.
    pub(crate) fn read_days(&self, context: &RunContext<'_>, days: &Range<i32>) -> Result<Tables> {
        let of_days = |file: &FileCheck| days.contains(&day_of(file));
        let read = |name: &str| -> Result<DataFrame> {
            let (contract, table) = self.table(name)?;
            let mut table = table.clone();
            table.files.retain(of_days);
            let rows = intake::read_checked(context.store, contract, &table, None, context.as_of)?;
            Ok(rows.into_inner())
        };
        let read_optional = |name: &str| match self.check.tables.contains_key(name) {
            true => read(name),
            false => Ok(DataFrame::empty()),
        };
        let ([orders, shipments], [legs, nodes, holidays]) =
            (FACTS.map(read), OPTIONAL.map(read_optional));
        Ok(Tables {
            orders: orders?,
            shipments: shipments?,
            quarantined: self.quarantined_versions(of_days),
            legs: legs?,
            nodes: nodes?,
            holidays: holidays?,
        })
    }

    /// Everything that was recorded.
    ///
    /// # Errors
    /// If a table is not there, or its bytes are not those that were checked.
    pub(crate) fn read_all(&self, context: &RunContext<'_>) -> Result<Tables> {
        self.read_days(context, &(i32::MIN..i32::MAX))
    }

    fn table(&self, name: &str) -> Result<(&Contract, &TableCheck)> {
        let contract = self.contracts.iter().find(|contract| contract.table() == name);
        contract.zip(self.check.tables.get(name)).ok_or_else(|| {
            Refusal::Missing {
                what: format!("tables/{name}/"),
                expected: "a table that passed its check".to_owned(),
                way_out: format!("import {name}, and give it a contract"),
            }
            .into()
        })
    }

    /// Versions of shipments that are in quarantine.
    fn quarantined_versions(&self, wanted: impl Fn(&FileCheck) -> bool) -> Vec<QuarantinedVersion> {
        let shipments = self.check.tables.get("shipments");
        let files = shipments.into_iter().flat_map(|table| &table.files);
        let quarantined = files.filter(|file| wanted(file)).flat_map(|file| &file.quarantined);
        quarantined
            .filter_map(|row| {
                let shipment_id = row.key.clone()?;
                let recorded_at = Instant::from_micros(row.recorded_at);
                Some(QuarantinedVersion { shipment_id, recorded_at })
            })
            .collect()
    }
}

/// The day of a file's partition, since the epoch.
fn day_of(file: &FileCheck) -> i32 {
    file.recorded_on.to_epoch_days()
}
