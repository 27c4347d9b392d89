//! The commands `models list` and `models show`: published models and the champion.

use anyhow::Result;
use serde_json::json;
use store::Store;

use crate::command_output::envelope;
use crate::refusal::Refusal;
use crate::report::{Reporter, table};

/// Lists the models, the newest as-of first, with the champion marked.
///
/// # Errors
/// If the store fails.
pub(crate) fn list(store: &Store, reporter: &Reporter) -> Result<()> {
    let manifests = artifact::list(store)?;
    let champion = artifact::current(store)?.map(|pointer| pointer.model_id);
    let result = json!({ "champion": champion, "models": manifests });
    reporter.result(&envelope("models list", result), || {
        if manifests.is_empty() {
            return format!("no models in {}", store.url());
        }
        let rows: Vec<Vec<String>> = manifests
            .iter()
            .map(|manifest| {
                let is_champion = champion.as_deref() == Some(manifest.model_id.as_str());
                vec![
                    manifest.model_id.clone(),
                    manifest.about.as_of.to_string(),
                    manifest.about.family.clone(),
                    manifest.about.pipeline.clone(),
                    match (is_champion, manifest.about.passed) {
                        (true, _) => "champion",
                        (false, true) => "",
                        (false, false) => "refused",
                    }
                    .to_owned(),
                ]
            })
            .collect();
        table(&["model", "as of", "family", "pipeline", ""], &rows)
    });
    Ok(())
}

/// Shows the manifest of one model, verified, its metrics and its readable gate.
///
/// # Errors
/// If it is not there, or was altered.
pub(crate) fn show(store: &Store, model_id: &str, reporter: &Reporter) -> Result<()> {
    let model_id = named(store, model_id)?;
    let bundle = artifact::read(store, &model_id)?;
    let metrics = bundle.files.get("metrics.json");
    let metrics: Option<serde_json::Value> =
        metrics.map(|bytes| serde_json::from_slice(bytes)).transpose()?;
    let result = json!({ "manifest": bundle.manifest, "metrics": metrics });
    reporter.result(&envelope("models show", result), || {
        let text = |name: &str| {
            let bytes = bundle.files.get(name).map(Vec::as_slice).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let manifest = String::from_utf8_lossy(&bundle.manifest.to_bytes()).into_owned();
        format!("{manifest}\nThe gate, to be read by a person:\n{}", text("gate_rules.txt"))
    });
    Ok(())
}

/// The id of a model given by its id, or by the name `current` for the champion.
///
/// # Errors
/// If nothing is published yet.
pub(crate) fn named(store: &Store, name: &str) -> Result<String> {
    if name != "current" {
        return Ok(name.to_owned());
    }
    let pointer = artifact::current(store)?.ok_or_else(|| Refusal::Missing {
        what: "models/current.json".to_owned(),
        expected: format!("a champion in {}", store.url()),
        hint: "longhaul run publishes one".to_owned(),
    })?;
    Ok(pointer.model_id)
}
