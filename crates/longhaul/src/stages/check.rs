//! The check stage: checks every table against its contract, and copies bad rows to quarantine.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use anyhow::{Context as _, Result};
use features::{Declaration, QuarantinedVersion, Tables};
use intake::{Check, Contract, FIRST_RECORD, FileCheck, Listing, Notice, TableCheck};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{AsOf, Day, Digest, count};

use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Accepted, Output, RunContext, StageResult};
use crate::stages::last_check::{self, Seen};
use crate::stages::vanished::Vanished;

/// The tables that features are built from.
const FACTS: [&str; 2] = ["orders", "shipments"];
/// Tables that features use if the store has them.
const OPTIONAL: [&str; 3] = ["legs", "nodes", "holidays"];
/// The output: what the check found in every file.
const CHECK: &str = "check.json";

/// The summary of the stage: `rows_in = rows_ok + rows_quarantined + rows_dropped`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Rows recorded before the as-of.
    pub(crate) rows_in: usize,
    /// Rows that may be used.
    pub(crate) rows_ok: usize,
    /// Rows in quarantine.
    pub(crate) rows_quarantined: usize,
    /// Rows that are not used and not quarantined either, by rules that say so.
    pub(crate) rows_dropped: usize,
    /// Rows quarantined or dropped, by table and rule.
    pub(crate) reasons: BTreeMap<String, usize>,
    /// Rows used although they break a rule that only warns, by table and rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) warnings: BTreeMap<String, usize>,
    /// Rows used since they were released, by table and rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) released: BTreeMap<String, usize>,
    /// Violations of rules on whole partitions that only warn, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notices: Vec<String>,
    /// What was accepted although it is not as it should be, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) accepted: BTreeMap<String, String>,
}

/// Tables that passed their check.
pub(crate) struct Checked {
    /// What the stage left.
    pub(crate) result: StageResult,
    check: Check,
    contracts: Vec<Contract>,
}

/// Checks every table.
///
/// As of: the run's.
///
/// # Errors
/// If a table breaks a rule that fails it; then nothing is written.
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved) -> Result<Checked> {
    let mut contracts = resolved.contracts()?;
    let listing = Listing::read(context.store, &contracts, context.as_of)?;
    let pointer = last_check::pointer(&contracts, &listing);
    let seen = last_check::seen(context.store)?;
    let mut accepted = BTreeMap::new();
    Vanished::files(&listing, &seen).accept(context.accepted.missing, &mut accepted)?;
    if context.accepted.stale.is_some() {
        contracts = contracts.into_iter().map(Contract::accepting_stale).collect();
    }
    let mut inputs = BTreeMap::from([("listing".to_owned(), listing.digest().to_string())]);
    for contract in &contracts {
        inputs.insert(format!("contract {}", contract.table()), contract.digest().to_string());
    }
    let Accepted { missing, stale } = context.accepted;
    for (what, reason) in [("missing", missing), ("stale", stale)] {
        inputs.extend(reason.map(|reason| (format!("accepted {what}"), reason.to_owned())));
    }
    let folder = stage::folder(context, "check", &inputs);
    if context.finding_is_damaged {
        stage::retire(context, &folder)?;
    }
    let read = CheckInputs { context, contracts: &contracts, listing: &listing, pointer: &pointer };
    let result = if context.force {
        let output = read.work(&seen, &accepted)?;
        read.retire_what_was_found_in_other_bytes(&folder, &output)?;
        stage::run(context, "check", inputs, || Ok(output))?
    } else {
        stage::run(context, "check", inputs, || read.work(&seen, &accepted))?
    };
    let check: Check = serde_json::from_slice(&result.read(context.store, CHECK)?)
        .with_context(|| format!("{}/{CHECK}", result.folder))?;
    if let Some(recorder) = context.recorder {
        recorder.checked(&check);
    }
    if context.is_dry {
        return Ok(Checked { result, check, contracts });
    }
    let mut so_far = seen.accepted;
    so_far.extend(check.accepted.clone());
    last_check::save(context.store, &pointer, &result, CHECK, &listing, so_far)?;
    Ok(Checked { result, check, contracts })
}

/// What the check of a night reads.
struct CheckInputs<'a> {
    context: &'a RunContext<'a>,
    contracts: &'a [Contract],
    listing: &'a Listing,
    pointer: &'a str,
}

impl CheckInputs<'_> {
    /// Checks every file that is new, or every file if nothing that was found is to be relied on.
    fn work(&self, seen: &Seen, accepted: &BTreeMap<String, String>) -> Result<Output> {
        let Self { context, contracts, listing, pointer } = self;
        let last = last_check::find(context.store, pointer);
        let is_anew = context.force || context.finding_is_damaged;
        let previous = if is_anew { None } else { last.as_ref() };
        let progress = |progress: intake::CheckProgress<'_>| {
            let files = (progress.files as u64, progress.of as u64);
            context.reporter.advance(&format!("check {}", progress.table), files, "files");
        };
        let (store, progress) = (context.store, &progress);
        let mut found = intake::check_with_progress(store, contracts, listing, previous, progress)?;
        let mut accepted = accepted.clone();
        let before = last.as_ref().map(|last| &last.check);
        let is_gone = |path: &str| accepted.contains_key(path) || seen.accepted.contains_key(path);
        let rows = Vanished::rows(&found.check, before, listing, seen, is_gone);
        rows.accept(context.accepted.missing, &mut accepted)?;
        if let Some(reason) = context.accepted.stale {
            let late = found.check.tables.iter().filter(|(_, table)| {
                table.notices.iter().any(|notice| notice.rule == Notice::LATENCY)
            });
            accepted.extend(late.map(|(name, _)| (format!("{name}: latency"), reason.to_owned())));
        }
        found.check.accepted = accepted;
        intake::write_quarantine(context.store, &found)?;
        let summary = summary(&found.check);
        for notice in &summary.notices {
            context.reporter.warn(notice);
        }
        for (what, reason) in &summary.accepted {
            context.reporter.warn(&format!("{what}: accepted: {reason}"));
        }
        let n_files: usize = found.check.tables.values().map(|table| table.files.len()).sum();
        Ok(Output {
            line: format!(
                "{} rows in = {} ok + {} in quarantine; read {} of {} files",
                count(summary.rows_in),
                count(summary.rows_ok),
                count(summary.rows_quarantined),
                count(found.files_read.len()),
                count(n_files),
            ),
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([(CHECK.to_owned(), serde_json::to_vec(&found.check)?)]),
        })
    }

    /// A finding of other bytes than are in the store now, under the same listing, is no result that
    /// a forced run must reproduce: it was made of bytes that were damaged on their way.
    fn retire_what_was_found_in_other_bytes(&self, folder: &str, output: &Output) -> Result<()> {
        let read = |bytes: &[u8]| serde_json::from_slice::<Check>(bytes).ok();
        let before = self.context.store.get(&format!("{folder}/{CHECK}")).ok();
        let Some(before) = before.and_then(|bytes| read(&bytes)) else { return Ok(()) };
        let Some(now) = output.files.get(CHECK).and_then(|bytes| read(bytes)) else {
            return Ok(());
        };
        let digests = |check: &Check| -> BTreeMap<String, Digest> {
            let files = check.tables.values().flat_map(|table| &table.files);
            files.map(|file| (file.path.clone(), file.digest.clone())).collect()
        };
        let (before, now) = (digests(&before), digests(&now));
        let differs = now.iter().find(|(path, digest)| before.get(*path) != Some(*digest));
        let Some((path, _)) = differs else { return Ok(()) };
        self.context.reporter.warn(&format!(
            "{path} is not what was checked before; what was found in it is replaced"
        ));
        stage::retire(self.context, folder)
    }
}

/// The result of a check in which no table fails as a whole.
pub(crate) struct Reviewed {
    /// The contracts of the tables.
    pub(crate) contracts: Vec<Contract>,
    /// The files, and the releases in force.
    pub(crate) listing: Listing,
    /// The result.
    pub(crate) check: Check,
}

/// Checks the rows of every table as the check stage does. Writes nothing.
///
/// # Errors
/// If a file is not as its contract says, or a row breaks a rule that fails its table.
pub(crate) fn review(context: &RunContext<'_>, resolved: &Resolved) -> Result<Reviewed> {
    let contracts = resolved.contracts()?;
    let listing = Listing::read(context.store, &contracts, context.as_of)?;
    let previous = last_check::find(context.store, &last_check::pointer(&contracts, &listing));
    let check = intake::review(context.store, &contracts, &listing, previous.as_ref())?.check;
    Ok(Reviewed { contracts, listing, check })
}

fn summary(check: &Check) -> Summary {
    let mut summary = Summary { accepted: check.accepted.clone(), ..Summary::default() };
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

/// The day of the partition of the file `path`.
fn recorded_on(path: &str) -> Option<Day> {
    let date = path.split('/').find_map(|part| part.strip_prefix("recorded_on="))?;
    date.parse().ok()
}

/// The first as-of that knows every row of the tables: the end of the last partition.
///
/// # Errors
/// If there are no partitions.
pub(crate) fn end_of_tables(store: &Store) -> Result<AsOf> {
    let entries = store.list("tables/")?;
    let last = entries.iter().filter_map(|entry| recorded_on(&entry.path)).max();
    last.map(|day| AsOf::start_of(day.next())).ok_or_else(|| {
        Refusal::Missing {
            what: format!("{}/tables/", store.url().trim_end_matches('/')),
            expected: "partitions such as orders/recorded_on=2026-11-20/".to_owned(),
            hint: "bring tables in with longhaul import or longhaul simulate".to_owned(),
        }
        .into()
    })
}

impl Checked {
    /// A digest of the bytes that were checked and of what was found, the same in any store.
    ///
    /// # Errors
    /// If the result cannot be encoded as JSON.
    pub(crate) fn content(&self) -> Result<Digest> {
        Ok(Digest::of(&serde_json::to_vec(&self.check)?))
    }

    /// The version of the contract of each table.
    pub(crate) fn contract_versions(&self) -> BTreeMap<String, String> {
        let version =
            |contract: &Contract| (contract.table().to_owned(), contract.version().to_owned());
        self.contracts.iter().map(version).collect()
    }

    /// The declared features that can be built from the tables that the store has.
    ///
    /// # Errors
    /// If the declaration cannot be read.
    pub(crate) fn declared(&self, resolved: &Resolved) -> Result<Declaration> {
        let (declared, _) = resolved.declaration()?;
        Ok(declared.with_legs(self.check.tables.contains_key("legs")))
    }

    /// What was found in the files of each day on which rows were recorded, as text that changes
    /// with their bytes and with the rows that are not used. Days since 1970-01-01.
    ///
    /// # Errors
    /// If the result cannot be encoded as JSON.
    pub(crate) fn found_by_day(&self) -> Result<BTreeMap<Day, String>> {
        let mut by_day: BTreeMap<Day, String> = BTreeMap::new();
        let tables = FACTS.iter().chain(&OPTIONAL);
        for table in tables.filter_map(|name| self.check.tables.get(*name)) {
            // Rows of a day before are all in quarantine: they begin no history of decades.
            let files = table.files.iter().filter(|file| file.recorded_on >= FIRST_RECORD);
            for file in files {
                let found = by_day.entry(file.recorded_on).or_default();
                found.push_str(&serde_json::to_string(file)?);
                if file.rows_later > 0 {
                    found.push_str(&self.check.as_of.to_string());
                }
            }
        }
        Ok(by_day)
    }

    /// The rows that were recorded on some days.
    ///
    /// # Errors
    /// If a table is missing, or a file changed since it was checked.
    pub(crate) fn read_days(
        &self,
        context: &RunContext<'_>,
        days: impl RangeBounds<Day>,
    ) -> Result<Tables> {
        let of_days = |file: &FileCheck| days.contains(&file.recorded_on);
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

    /// All rows of the tables.
    ///
    /// # Errors
    /// If a table is missing, or a file changed since it was checked.
    pub(crate) fn read_all(&self, context: &RunContext<'_>) -> Result<Tables> {
        self.read_days(context, ..)
    }

    fn table(&self, name: &str) -> Result<(&Contract, &TableCheck)> {
        let contract = self.contracts.iter().find(|contract| contract.table() == name);
        contract.zip(self.check.tables.get(name)).ok_or_else(|| {
            Refusal::Missing {
                what: format!("tables/{name}/"),
                expected: "a table that passed its check".to_owned(),
                hint: format!("import {name}, and give it a contract"),
            }
            .into()
        })
    }

    /// The versions of shipments that are in quarantine, of some files.
    fn quarantined_versions(
        &self,
        of_days: impl Fn(&FileCheck) -> bool,
    ) -> Vec<QuarantinedVersion> {
        let shipments = self.check.tables.get("shipments");
        let files = shipments.into_iter().flat_map(|table| &table.files);
        let quarantined = files.filter(|file| of_days(file)).flat_map(|file| &file.quarantined);
        quarantined
            .filter_map(|row| {
                let shipment_id = row.key.clone()?;
                Some(QuarantinedVersion { shipment_id, recorded_at: row.recorded_at })
            })
            .collect()
    }
}
