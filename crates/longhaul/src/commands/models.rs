//! The commands `models list` and `models show`: published models and the champion.

use std::collections::BTreeMap;

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
    let artifact::Models { manifests, damaged } = artifact::list(store)?;
    for (_, error) in &damaged {
        reporter.warn(&error.to_string());
    }
    let champions = champions(store)?;
    let withdrawn = withdrawn(store, reporter)?;
    let result = json!({ "champions": champions, "models": manifests, "withdrawn": withdrawn });
    reporter.result(&envelope("models list", result), || {
        if manifests.is_empty() {
            return format!("no models in {}", store.url());
        }
        let rows: Vec<Vec<String>> = manifests
            .iter()
            .map(|manifest| {
                let champion = champions.get(&manifest.about.pipeline);
                let is_champion = champion == Some(&manifest.model_id);
                vec![
                    manifest.model_id.clone(),
                    manifest.about.as_of.to_string(),
                    manifest.about.family.clone(),
                    manifest.about.pipeline.clone(),
                    match (is_champion, withdrawn.get(&manifest.model_id)) {
                        (true, _) => "champion".to_owned(),
                        (false, Some(decision)) => format!("withdrawn: {}", decision.reason),
                        (false, None) if manifest.about.passed => String::new(),
                        (false, None) => "refused".to_owned(),
                    },
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

/// Prints the JSON Schema of a model's metrics.
pub(crate) fn schema(reporter: &Reporter) {
    let schema = evaluate::Evaluation::json_schema();
    reporter.result(&schema, || serde_json::to_string_pretty(&schema).unwrap_or_default());
}

/// The champion of each pipeline that has one.
fn champions(store: &Store) -> Result<BTreeMap<String, String>> {
    let mut champions = BTreeMap::new();
    for pipeline in artifact::pipelines(store)? {
        if let Some(pointer) = artifact::current(store, &pipeline)? {
            champions.insert(pipeline, pointer.model_id);
        }
    }
    Ok(champions)
}

/// The models that a person withdrew, and the decision about each.
fn withdrawn(store: &Store, reporter: &Reporter) -> Result<BTreeMap<String, artifact::Decision>> {
    let mut withdrawn = BTreeMap::new();
    for pipeline in artifact::pipelines(store)? {
        let decisions = artifact::Decisions::of(store, &pipeline)?;
        for (_, error) in &decisions.damaged {
            reporter.warn(&error.to_string());
        }
        for model_id in decisions.withdrawn() {
            if let Some(decision) = decisions.against(model_id) {
                withdrawn.insert(model_id.to_owned(), decision.clone());
            }
        }
    }
    Ok(withdrawn)
}

/// The id of a model given by its id, by `current:PIPELINE` for the champion of a pipeline, or by
/// `current` for the one champion that there is.
///
/// # Errors
/// If there is no such champion, or `current` could be several.
pub(crate) fn named(store: &Store, name: &str) -> Result<String> {
    let missing = |pipeline: &str| Refusal::Missing {
        what: artifact::pointer_path(pipeline),
        expected: format!("a champion in {}", store.url()),
        hint: "longhaul run publishes one".to_owned(),
    };
    if let Some(pipeline) = name.strip_prefix("current:") {
        let champion = artifact::current(store, pipeline)?.ok_or_else(|| missing(pipeline))?;
        artifact::verify_pointer(store, &champion)?;
        return Ok(champion.model_id);
    }
    if name != "current" {
        return Ok(name.to_owned());
    }
    let champions = champions(store)?;
    if champions.len() > 1 {
        let names: Vec<String> =
            champions.keys().map(|pipeline| format!("current:{pipeline}")).collect();
        let problem = format!("each pipeline has a champion: expected {}", names.join(" or "));
        return Err(Refusal::Input { place: format!("model {name:?}"), problem }.into());
    }
    match champions.keys().next() {
        Some(pipeline) => named(store, &format!("current:{pipeline}")),
        None => Err(missing("<pipeline>").into()),
    }
}
