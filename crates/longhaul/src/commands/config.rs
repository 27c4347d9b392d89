//! The command `config show`: every setting with its value and origin.

use serde_json::json;

use crate::command_output::envelope;
use crate::report::Reporter;
use crate::settings::Resolved;

/// Prints every key with its value and its origin.
pub(crate) fn show(resolved: &Resolved, reporter: &Reporter) {
    let shown = resolved.show();
    let keys: serde_json::Map<String, serde_json::Value> = shown
        .iter()
        .map(|(key, value, origin)| (key.clone(), json!({ "value": value, "origin": origin })))
        .collect();
    reporter.result(&envelope("config show", keys.into()), || {
        let width = shown.iter().map(|(key, value, _)| key.len() + value.len()).max();
        let width = width.unwrap_or(0).min(60) + 3;
        let line = |(key, value, origin): &(String, String, String)| {
            format!("{:<width$}  # {origin}", format!("{key} = {value}"))
        };
        shown.iter().map(line).collect::<Vec<_>>().join("\n")
    });
}
