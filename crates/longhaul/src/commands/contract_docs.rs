//! `contract docs`: the shipped contracts as a page in Markdown, `docs/contracts.md`.

use anyhow::Result;
use intake::{ColumnSpec, Contract, OnViolation};
use serde_json::json;

use crate::command_output::envelope;
use crate::report::Reporter;

const INTRODUCTION: &str = "# The tables

Made from `schemas/*.odcs.yaml` by `longhaul contract docs > docs/contracts.md`; edit those.

Tables are append-only: a row is one version of a fact, as it was recorded at `recorded_at`, in the \
partition of that UTC day. Instants are UTC microseconds. A column that is not required may be \
absent from a file, and an integer or a float may be narrower than the contract says. A row is kept \
aside for the first rule that it breaks, in the order given here; a rule reads nothing that was \
recorded after the row's own day.
";

/// Prints the page.
///
/// # Errors
/// If a shipped contract cannot be parsed, which a test rules out.
pub(crate) fn print(reporter: &Reporter) -> Result<()> {
    let contracts = intake::shipped_tables().filter_map(Contract::shipped);
    let contracts: Vec<Contract> = contracts.collect::<Result<_, _>>()?;
    let page = page(&contracts);
    let result = json!({ "markdown": page });
    reporter.result(&envelope("contract docs", result), || page.trim_end().to_owned());
    Ok(())
}

fn page(contracts: &[Contract]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for contract in contracts {
        page += &format!("\n## {}\n\n{}", contract.table(), about(contract));
        page += "\n| column | type | null | unit | |\n|---|---|---|---|---|\n";
        contract.columns().iter().for_each(|column| page += &column_line(column));
        let rules = rules(contract);
        if !rules.is_empty() {
            page += "\n| rule | a row is bad if | then |\n|---|---|---|\n";
            page += &rules;
        }
        let of_partitions = partition_rules(contract);
        if !of_partitions.is_empty() {
            page += "\n| rule on a whole partition | expected | else |\n|---|---|---|\n";
            page += &of_partitions;
        }
    }
    page
}

fn about(contract: &Contract) -> String {
    let described = contract.description();
    let mut text = [&described.purpose, &described.usage, &described.limitations]
        .into_iter()
        .filter(|sentence| !sentence.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    text += "\n\n";
    if let Some(path) = contract.path() {
        text += &format!("- is stored in `{path}`\n");
    }
    if let Some(granularity) = contract.granularity() {
        text += &format!("- holds {granularity}\n");
    }
    text += &format!("- key: {}\n", contract.keys().join(", "));
    if contract.is_optional() {
        text += "- optional: a store without it is fine\n";
    }
    if !contract.is_output() {
        let share = 100.0 * contract.quarantine_share_max();
        text += &format!("- at most {share}% of its rows may be in quarantine\n");
    }
    text += &format!("- version {}\n", contract.version());
    text
}

fn column_line(column: &ColumnSpec) -> String {
    let null = if column.required { "" } else { "yes" };
    let mut notes: Vec<String> = column.description.iter().cloned().collect();
    if !column.tags.is_empty() {
        notes.push(format!("({})", column.tags.join(", ")));
    }
    format!(
        "| {} | {} | {null} | {} | {} |\n",
        column.name,
        column.physical.name(),
        column.unit.as_deref().unwrap_or_default(),
        cell(&notes.join(" "))
    )
}

fn rules(contract: &Contract) -> String {
    let of_rows = contract
        .rules()
        .iter()
        .map(|rule| (rule.name.as_str(), rule.condition.clone(), then(rule.on_violation)));
    let joins = contract.joins().iter().map(|join| {
        let condition = format!("{} was not known to {} on its day", join.on, join.table);
        (join.rule.as_str(), condition, then(OnViolation::Quarantine))
    });
    let line = |(name, condition, then): (&str, String, &str)| {
        format!("| {name} | {} | {then} |\n", cell(&condition))
    };
    of_rows.chain(joins).map(line).collect()
}

fn partition_rules(contract: &Contract) -> String {
    let mut lines: String = contract
        .partition_rules()
        .iter()
        .map(|rule| {
            let then = then(rule.on_violation);
            format!("| {} | {} | {then} |\n", rule.name, cell(&rule.describe()))
        })
        .collect();
    if let Some(latency) = contract.latency() {
        let (hours, then) = (latency.hours, then(latency.on_violation));
        lines += &format!(
            "| latency | the newest ended at most {hours} h before the as-of | {then} |\n"
        );
    }
    lines
}

const fn then(on: OnViolation) -> &'static str {
    match on {
        OnViolation::Fail => "the check fails",
        OnViolation::Quarantine => "quarantine",
        OnViolation::Drop => "left out",
        OnViolation::Warn => "a warning",
    }
}

/// A text escaped for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
