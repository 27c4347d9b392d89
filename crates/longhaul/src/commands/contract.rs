//! `contract diff`: the changes from one version of a contract to another; `contract show`: a shipped
//! one as it is written.

use std::path::Path;

use anyhow::Result;
use intake::Contract;
use serde_json::json;

use crate::command_output::envelope;
use crate::refusal::Refusal;
use crate::report::Reporter;

/// Shows the changes from `old` to `new`. Each is a path, or the name of a table, which means its
/// shipped contract. Without `new`, `old` is compared as the new one with the shipped one of its
/// table.
///
/// # Errors
/// If one cannot be parsed; or, after all changes were shown, if one of them is breaking.
pub(crate) fn diff(old: &str, new: Option<&str>, reporter: &Reporter) -> Result<()> {
    let (old, new) = match new {
        Some(new) => (read(old)?, read(new)?),
        None => {
            let new = read(old)?;
            (shipped(new.table())?, new)
        }
    };
    let changes = new.changes_since(&old);
    let n_breaking = changes.iter().filter(|change| change.breaking).count();
    let verdict = match (changes.len(), n_breaking) {
        (0, _) => "same",
        (_, 0) => "compatible",
        _ => "breaking",
    };
    let result = json!({
        "table": new.table(),
        "old": { "origin": old.origin(), "version": old.version() },
        "new": { "origin": new.origin(), "version": new.version() },
        "verdict": verdict,
        "changes": changes.iter().map(|change| json!({
            "place": change.subject,
            "what": change.what,
            "breaking": change.breaking,
        })).collect::<Vec<_>>(),
    });
    reporter.result(&envelope("contract diff", result), || {
        let mut lines = vec![format!(
            "{}: {verdict}: {} {} -> {} {}",
            new.table(),
            old.origin(),
            old.version(),
            new.origin(),
            new.version()
        )];
        lines.extend(changes.iter().map(|change| {
            let mark = if change.breaking { "breaking  " } else { "compatible" };
            format!("  {mark}  {}: {}", change.subject, change.what)
        }));
        lines.join("\n")
    });
    if n_breaking > 0 {
        return Err(Refusal::Breaking { contract: new.origin().to_owned(), n_breaking }.into());
    }
    Ok(())
}

/// Prints the shipped contract of a table.
///
/// # Errors
/// If there is none.
pub(crate) fn show(table: &str, reporter: &Reporter) -> Result<()> {
    let text = intake::shipped(table).ok_or_else(|| not_shipped(table))?;
    let result = json!({ "table": table, "contract": text });
    reporter.result(&envelope("contract show", result), || text.trim_end().to_owned());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command line names files of contracts")]
fn read(name: &str) -> Result<Contract> {
    let path = Path::new(name);
    if !path.exists()
        && let Some(shipped) = Contract::shipped(name)
    {
        return Ok(shipped?);
    }
    let text = std::fs::read_to_string(path).map_err(|error| Refusal::Configuration {
        place: name.to_owned(),
        problem: format!("expected a contract's path, or one of {}: {error}", tables()),
    })?;
    Ok(Contract::parse(name, &text)?)
}

fn shipped(table: &str) -> Result<Contract> {
    Ok(Contract::shipped(table).ok_or_else(|| not_shipped(table))??)
}

fn not_shipped(table: &str) -> Refusal {
    Refusal::Configuration {
        place: table.to_owned(),
        problem: format!("expected a table with a shipped contract: {}", tables()),
    }
}

fn tables() -> String {
    intake::shipped_tables().collect::<Vec<_>>().join(", ")
}
