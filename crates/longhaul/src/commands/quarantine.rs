//! `check --explain` and `check --release`: explains why rows are in quarantine, and releases those
//! that a person found to be good.

use anyhow::Result;
use intake::{ExplainedRule, Release};
use serde_json::json;
use terms::count;

use crate::command_output::{CommandOutput, envelope};
use crate::refusal::Refusal;
use crate::report::table;
use crate::settings::Resolved;
use crate::stage::RunContext;
use crate::stages::{self, Reviewed, Stage};

/// How many rows of each rule are shown.
const N_SAMPLES: usize = 3;

/// Explains why rows are in quarantine, even if they are too many for the check to pass. Writes
/// nothing.
///
/// # Errors
/// If a table cannot be read, or fails for another reason than how many of its rows are bad.
pub(crate) fn explain(context: &RunContext<'_>, resolved: &Resolved) -> Result<CommandOutput> {
    let reviewed = stages::review(context, resolved)?;
    let Reviewed { contracts, check, .. } = &reviewed;
    let explained = intake::explain(context.store, contracts, check, N_SAMPLES)?;
    let tables = check.tables.iter().map(|(name, found)| {
        let rows = json!({
            "rows_in": found.rows_in,
            "rows_ok": found.rows_ok,
            "rows_quarantined": found.rows_quarantined,
            "rows_dropped": found.rows_dropped,
            "released": found.released,
            "notices": found.notices,
        });
        (name.clone(), rows)
    });
    let tables: serde_json::Map<String, serde_json::Value> = tables.collect();
    let result = json!({ "as_of": context.as_of, "tables": tables, "rules": explained });
    let json = envelope("check --explain", result);
    Ok(CommandOutput { json, text: render(&reviewed, &explained), refused: None })
}

fn render(reviewed: &Reviewed, explained: &[ExplainedRule]) -> String {
    let mut lines = Vec::new();
    for (name, found) in &reviewed.check.tables {
        lines.push(format!(
            "{name}: {} rows in = {} ok + {} in quarantine + {} dropped",
            count(found.rows_in as usize),
            count(found.rows_ok as usize),
            count(found.rows_quarantined as usize),
            count(found.rows_dropped as usize),
        ));
        for (rule, rows) in &found.released {
            lines.push(format!("  released from {rule}: {}", count(*rows as usize)));
        }
        for notice in &found.notices {
            let (day, rule) = (notice.recorded_on, &notice.rule);
            let (expected, found) = (&notice.expected, &notice.found);
            lines.push(format!("  {day} {rule}: expected {expected}, found {found}"));
        }
    }
    for rule in explained {
        let (name, of, on) = (&rule.rule, &rule.table, rule.on_violation);
        lines.push(format!("\n{of}: {name}: {} rows ({on})", count(rule.rows as usize)));
        lines.push(format!("  bad if {}", rule.condition));
        if rule.samples.is_empty() {
            continue;
        }
        let rows: Vec<Vec<String>> = rule
            .samples
            .iter()
            .map(|sample| {
                let values: Vec<String> =
                    sample.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let place = format!("{} row {}", sample.path, sample.row);
                vec![sample.key.clone().unwrap_or_default(), place, values.join(", ")]
            })
            .collect();
        let shown = table(&["  key", "place", "values"], &rows);
        lines.extend(shown.lines().map(|line| format!("  {}", line.trim_start())));
    }
    lines.join("\n")
}

/// Releases the rows that a rule has in quarantine, and checks the tables again. `named` is a rule,
/// or `table.rule` where two tables have a rule of that name.
///
/// # Errors
/// If there is no such rule, its rows may not be released, or it has none in quarantine.
pub(crate) fn release(
    context: &RunContext<'_>,
    resolved: &Resolved,
    named: &str,
) -> Result<CommandOutput> {
    let reviewed = stages::review(context, resolved)?;
    let (of, rule) = rule_named(&reviewed, named)?;
    let contract = reviewed.contracts.iter().find(|contract| contract.table() == of);
    if let Some(reason) = contract.and_then(|contract| contract.release_refusal(&rule)) {
        return Err(Refusal::NotReleasable { table: of, rule, reason }.into());
    }
    let (release, is_new) = match Release::of(&reviewed.check, &of, &rule) {
        Some(release) => (release, true),
        None => (made_before(context, &reviewed, &of, &rule)?, false),
    };
    let path = release.record(context.store)?;
    let checked = stages::run_through(context, resolved, Stage::Check)?;
    let n_rows = release.n_rows();
    let json = json!({
        "table": of,
        "rule": rule,
        "rows": n_rows,
        "path": path,
        "released_before": !is_new,
        "check": checked.json["result"],
    });
    let when = if is_new { "released" } else { "released before" };
    let rows: Vec<Vec<String>> = release
        .files
        .iter()
        .flat_map(|file| file.rows.iter().map(move |row| (file, row)))
        .take(N_SAMPLES)
        .map(|(file, row)| {
            vec![row.key.clone().unwrap_or_default(), format!("{} row {}", file.path, row.row)]
        })
        .collect();
    let text = format!(
        "{when}: {} rows of {of} from {rule}, from {} on\nwritten to {path}\n\n{}\n\n{}",
        count(n_rows),
        context.as_of,
        table(&["first of them", "place"], &rows),
        checked.text,
    );
    Ok(CommandOutput { json: envelope("check --release", json), text, refused: None })
}

/// The table and the rule that `named` means.
fn rule_named(reviewed: &Reviewed, named: &str) -> Result<(String, String)> {
    let having = |rule: &str| -> Vec<String> {
        let contracts = reviewed.contracts.iter().filter(|contract| contract.has_rule(rule));
        contracts.map(|contract| contract.table().to_owned()).collect()
    };
    if let Some((of, rule)) = named.split_once('.')
        && having(rule).iter().any(|table| table == of)
    {
        return Ok((of.to_owned(), rule.to_owned()));
    }
    let mut tables = having(named);
    let found = if tables.is_empty() { "none" } else { "several" };
    // Of several tables with such a rule, the one is meant in which it has rows in quarantine, or
    // had.
    if tables.len() > 1 {
        let has_rows = |table: &String| {
            let table = reviewed.check.tables.get(table);
            table.is_some_and(|found| {
                found.reasons.contains_key(named) || found.released.contains_key(named)
            })
        };
        tables.retain(has_rows);
    }
    match <[String; 1]>::try_from(tables) {
        Ok([of]) => Ok((of, named.to_owned())),
        Err(_) => {
            let with_rows = reviewed.check.tables.iter().flat_map(|(name, found)| {
                found.reasons.keys().map(move |rule| format!("{name}.{rule}"))
            });
            let with_rows = with_rows.collect::<Vec<_>>().join(", ");
            let with_rows = if with_rows.is_empty() { "nothing".to_owned() } else { with_rows };
            let what = format!(
                "--release {named}: expected one rule, found {found}; in quarantine is {with_rows}"
            );
            Err(Refusal::Usage { what }.into())
        }
    }
}

/// The same release, made before as of the same instant.
fn made_before(
    context: &RunContext<'_>,
    reviewed: &Reviewed,
    of: &str,
    rule: &str,
) -> Result<Release> {
    let mut made = reviewed.listing.releases().made_as_of(context.as_of);
    let same = made.find(|release| release.table == of && release.rule == rule);
    same.cloned().ok_or_else(|| {
        Refusal::Missing {
            what: format!("--release {of}.{rule} as of {}", context.as_of),
            expected: "rows that it has in quarantine".to_owned(),
            hint: "longhaul check PIPELINE --explain shows what is in quarantine".to_owned(),
        }
        .into()
    })
}
