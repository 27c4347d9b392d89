//! The command `doctor`: the settings of the store, and a probe of every operation on it.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use store::Store;

use crate::command_output::envelope;
use crate::report::{Reporter, table};
use crate::settings::Resolved;

/// A person waits for the result.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints the settings of the store and the result of a probe.
///
/// # Errors
/// The first operation that failed, after the result was printed.
pub(crate) fn run(resolved: &Resolved, reporter: &Reporter) -> Result<()> {
    let settings = resolved.store()?;
    let limits = settings.limits();
    let settings =
        settings.with_limits(store::Limits { retry_for: PATIENCE.min(limits.retry_for), ..limits });
    let shown = settings.describe();
    let store = Store::open(&settings)?;
    let steps = store.probe();
    let weak = match steps.iter().all(|step| step.result.is_ok()) {
        true => store.weaknesses(&format!(".doctor/{}/weaknesses", std::process::id()))?,
        false => Vec::new(),
    };
    let result = json!({
        "settings": shown
            .iter()
            .map(|s| json!({ "name": s.name, "value": s.value, "origin": s.origin }))
            .collect::<Vec<_>>(),
        "probe": steps
            .iter()
            .map(|step| json!({
                "step": step.name,
                "ok": step.result.is_ok(),
                "error": step.result.as_ref().err().map(ToString::to_string),
            }))
            .collect::<Vec<_>>(),
        "weaker": weak
            .iter()
            .map(|weak| json!({ "promise": weak.promise, "reason": weak.reason }))
            .collect::<Vec<_>>(),
    });
    reporter.result(&envelope("doctor", result), || {
        let settings: Vec<Vec<String>> = shown
            .iter()
            .map(|s| vec![s.name.to_string(), s.value.to_string(), s.origin.to_string()])
            .collect();
        let probe: Vec<Vec<String>> = steps
            .iter()
            .map(|step| {
                let error = step.result.as_ref().err().map(ToString::to_string);
                vec![step.name.to_string(), error.unwrap_or_else(|| "ok".to_owned())]
            })
            .collect();
        let mut text = format!(
            "{}\n\n{}",
            table(&["setting", "value", "from"], &settings),
            table(&["probe", "result"], &probe)
        );
        if !weak.is_empty() {
            let weak: Vec<Vec<String>> = weak
                .iter()
                .map(|weak| vec![weak.promise.to_owned(), weak.reason.to_owned()])
                .collect();
            text.push_str(&format!("\n\n{}", table(&["weaker on this store", "why"], &weak)));
        }
        text
    });
    match steps.into_iter().find_map(|step| step.result.err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
