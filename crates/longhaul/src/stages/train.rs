//! The train stage: trains a model of every family on what was known at the as-of. Outputs: the files
//! of each model.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use features::Outcomes;
use learn::{CheckpointError, Checkpoints, FamilyName, Trained};
use scorer::{Parts, Scorer};
use store::Store;
use terms::{AsOf, Matrix};

use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::features::FeatureSet;

/// Trains every family of the settings.
///
/// # Errors
/// If a family cannot be trained, for example because too few deliveries are known.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    features: &StageResult,
) -> Result<StageResult> {
    let inputs = inputs(resolved, features)?;
    let checkpoints = format!("{}/checkpoints", stage::folder(context, "train", &inputs));
    let result = stage::run(context, "train", inputs, || {
        let feature_set = FeatureSet::read(context, resolved, features)?;
        let mut files = BTreeMap::new();
        let mut sizes = serde_json::Map::new();
        for &family in &resolved.settings.train.families {
            let name = name(family);
            context.reporter.progress(format!("train {name}"));
            let storage =
                StoredCheckpoints { store: context.store, folder: format!("{checkpoints}/{name}") };
            let (matrix, outcomes) = (&feature_set.matrix, &feature_set.outcomes);
            let trained = train(matrix, outcomes, resolved, family, context.as_of, &storage)?;
            sizes.insert(name.clone(), serde_json::to_value(&trained.sizes)?);
            for (file, bytes) in bundle_files(&trained)? {
                files.insert(format!("{name}/{file}"), bytes);
            }
        }
        let line = sizes.keys().cloned().collect::<Vec<_>>().join(", ");
        Ok(Output { files, summary: sizes.into(), line })
    })?;
    if resolved.settings.train.checkpoint_rounds > 0 {
        // They are of no use once the manifest is there.
        for entry in context.store.list(&checkpoints)? {
            context.store.delete(&entry.path)?;
        }
    }
    Ok(result)
}

/// The checkpoints of one family in the store, while it trains.
struct StoredCheckpoints<'a> {
    store: &'a Store,
    folder: String,
}

impl Checkpoints for StoredCheckpoints<'_> {
    fn read(&self, regressor: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        let found = self.store.get_versioned(&format!("{}/{regressor}", self.folder))?;
        Ok(found.map(|(bytes, _)| bytes.to_vec()))
    }

    fn write(&self, regressor: &str, checkpoint: Vec<u8>) -> Result<(), CheckpointError> {
        Ok(self.store.put(&format!("{}/{regressor}", self.folder), checkpoint.into())?)
    }
}

/// The inputs of a stage that trains.
pub(crate) fn inputs(
    resolved: &Resolved,
    features: &StageResult,
) -> Result<BTreeMap<String, String>> {
    let mut inputs = FeatureSet::inputs(features);
    inputs.insert("train".to_owned(), serde_json::to_string(&resolved.settings.train)?);
    inputs.insert("network".to_owned(), serde_json::to_string(&resolved.settings.network)?);
    Ok(inputs)
}

/// A family's name in settings, files and reports.
pub(crate) fn name(family: FamilyName) -> String {
    serde_json::to_value(family)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Trains one family as of `origin`, for probabilities by the days of the network.
///
/// # Errors
/// If it cannot be trained.
pub(crate) fn train(
    matrix: &Matrix,
    outcomes: &Outcomes,
    resolved: &Resolved,
    family: FamilyName,
    origin: AsOf,
    checkpoints: &dyn Checkpoints,
) -> Result<Trained> {
    let settings = &resolved.settings.train;
    let name = name(family);
    let family = learn::family(family, settings)?;
    let trained = learn::train_as_of(
        matrix,
        outcomes.ordered_at(),
        &|moment| outcomes.as_of(moment),
        origin,
        family.as_ref(),
        settings,
        checkpoints,
    )
    .with_context(|| format!("family {name} as of {origin}"))?;
    let days = resolved.settings.network.days();
    let parts = Parts { days, ..trained.scorer.parts().clone() };
    Ok(Trained { scorer: Scorer::from_parts(parts)?, ..trained })
}

/// The files of a trained model that become part of its bundle.
fn bundle_files(trained: &Trained) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = trained.scorer.encode();
    files.insert("gate_rules.txt".to_owned(), trained.gate_rules.text().into_bytes());
    files.insert("gate_rules.json".to_owned(), pretty(&trained.gate_rules)?);
    files.insert("importance.json".to_owned(), pretty(&trained.importance)?);
    files.insert("training.json".to_owned(), pretty(&trained.sizes)?);
    Ok(files)
}

fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
