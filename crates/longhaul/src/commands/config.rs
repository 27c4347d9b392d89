//! The commands `config show`: every setting with its value and origin; and `config schema`: what a
//! pipeline file may hold.

use serde_json::json;

use crate::command_output::envelope;
use crate::report::Reporter;
use crate::settings::{Resolved, schema};

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

/// Prints the JSON Schema of pipeline files, the same with `--json` and without: it is read by
/// editors.
pub(crate) fn schema(reporter: &Reporter) {
    let schema = schema::of_pipeline_files();
    reporter.result(&schema, || format!("{schema:#}"));
}
