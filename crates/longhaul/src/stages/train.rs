//! The train stage: trains a model of every family on what was known at the as-of. Outputs: the files
//! of each model.

use std::collections::BTreeMap;

use anyhow::Result;
use features::Declaration;
use learn::{CheckpointError, Checkpoints, FamilyName, Sizes, Trained};
use scorer::{FEATURES_FILE, IN_FLIGHT_FOLDER};
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{Feature, FeatureKind, FeatureList};

use crate::left_out::{self, LeftOut};
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::features::FeatureSet;
use crate::stages::in_flight::InFlight;
use crate::stages::training::{name, train_on_orders};

/// File name of the readable rules of the gate.
pub(crate) const GATE_RULES: &str = "gate_rules.txt";
/// File name of the gain of each feature.
pub(crate) const IMPORTANCE: &str = "importance.json";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How many rows each family was trained on.
    pub(crate) families: BTreeMap<String, Sizes>,
    /// How many snapshots the model of what is in flight was trained on, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight: Option<Sizes>,
    /// The families that could not be trained.
    pub(crate) left_out: Vec<LeftOut>,
}

/// The families of the settings, and the baseline, which can always be trained.
pub(crate) fn families(resolved: &Resolved) -> Vec<FamilyName> {
    let mut families = resolved.settings.train.families.clone();
    if !families.contains(&FamilyName::Baseline) {
        families.push(FamilyName::Baseline);
    }
    families
}

/// Trains every family of the settings, and the baseline. One that cannot be trained, for example
/// because too few deliveries are known, is left out.
///
/// # Errors
/// If a setting is wrong, or the store fails.
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
        let mut summary =
            Summary { families: BTreeMap::new(), in_flight: None, left_out: Vec::new() };
        for family in families(resolved) {
            let name = name(family);
            context.reporter.progress(format!("train {name}"));
            let progress =
                TrainingProgress { reporter: context.reporter, what: format!("train {name}") };
            let folder = format!("{checkpoints}/{name}");
            let storage = StoredCheckpoints { store: context.store, folder, progress };
            let orders = (&feature_set.matrix, &feature_set.outcomes);
            let trained = match train_on_orders(orders, resolved, family, context.as_of, &storage) {
                Ok(trained) => trained,
                Err(error) => {
                    let left_out = LeftOut::because(&name, error, context.reporter)?;
                    summary.left_out.push(left_out);
                    continue;
                }
            };
            for (file, bytes) in bundle_files(&trained, &feature_set.declaration)? {
                files.insert(format!("{name}/{file}"), bytes);
            }
            summary.families.insert(name, trained.sizes);
        }
        let past = InFlight::past(&feature_set)?;
        let what = format!("train {IN_FLIGHT_FOLDER}");
        let progress = TrainingProgress { reporter: context.reporter, what };
        match past.train(resolved, context.as_of, &progress) {
            Ok(None) => {}
            Ok(Some(trained)) => {
                for (file, bytes) in bundle_files(&trained, &feature_set.declaration)? {
                    files.insert(format!("{IN_FLIGHT_FOLDER}/{file}"), bytes);
                }
                summary.in_flight = Some(trained.sizes);
            }
            Err(error) => {
                let left_out = LeftOut::because(IN_FLIGHT_FOLDER, error, context.reporter)?;
                summary.left_out.push(left_out);
            }
        }
        let mut line = summary.families.keys().cloned().collect::<Vec<_>>().join(", ");
        if !summary.left_out.is_empty() {
            line += &format!("; left out: {}", left_out::names(&summary.left_out));
        }
        Ok(Output { files, summary: serde_json::to_value(&summary)?, line })
    })?;
    if resolved.settings.train.checkpoint_rounds > 0 && !context.is_dry {
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
    progress: TrainingProgress<'a>,
}

/// Shows how far a training is, and keeps no checkpoints.
pub(crate) struct TrainingProgress<'a> {
    pub(crate) reporter: &'a Reporter,
    /// What is trained, for people.
    pub(crate) what: String,
}

impl Checkpoints for TrainingProgress<'_> {
    fn read(&self, _: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        Ok(None)
    }

    fn write(&self, _: &str, _: Vec<u8>) -> Result<(), CheckpointError> {
        Ok(())
    }

    fn round(&self, regressor: &str, done: u32, total: u32) {
        let what = format!("{} ({regressor})", self.what);
        self.reporter.advance(&what, (done.into(), total.into()), "rounds");
    }
}

impl Checkpoints for StoredCheckpoints<'_> {
    fn read(&self, regressor: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        let found = self.store.get_versioned(&format!("{}/{regressor}", self.folder))?;
        Ok(found.map(|(bytes, _)| bytes.to_vec()))
    }

    fn write(&self, regressor: &str, checkpoint: Vec<u8>) -> Result<(), CheckpointError> {
        Ok(self.store.put(&format!("{}/{regressor}", self.folder), checkpoint.into())?)
    }

    fn round(&self, regressor: &str, done: u32, total: u32) {
        self.progress.round(regressor, done, total);
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

/// The files of a trained model that become part of its bundle.
fn bundle_files(trained: &Trained, declaration: &Declaration) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = trained.parts.encode();
    files.extend(feature_files(&trained.parts.features, declaration)?);
    files.insert(GATE_RULES.to_owned(), trained.gate_rules.text().into_bytes());
    files.insert("gate_rules.json".to_owned(), pretty(&trained.gate_rules)?);
    files.insert(IMPORTANCE.to_owned(), pretty(&trained.importance)?);
    if let Some(search) = &trained.search {
        files.insert("search.json".to_owned(), pretty(search)?);
    }
    files.insert("training.json".to_owned(), pretty(&trained.sizes)?);
    Ok(files)
}

/// The features with what they mean, in place of the scorer's bare list, and the codes of categories.
fn feature_files(
    features: &FeatureList,
    declaration: &Declaration,
) -> Result<[(String, Vec<u8>); 2]> {
    #[derive(Serialize)]
    struct Described<'a> {
        #[serde(flatten)]
        feature: &'a Feature,
        /// How a value is held.
        dtype: &'static str,
        meaning: &'a str,
        unit: &'a str,
        /// What stands for a value that is missing: not a number.
        default: Option<f32>,
    }
    let dictionary = declaration.dictionary();
    let described = features.0.iter().map(|feature| {
        let defined = dictionary.iter().find(|defined| defined.name == feature.name);
        let (meaning, unit) = defined.map_or(("", ""), |of| (of.meaning.as_str(), of.unit));
        Described { feature, dtype: "float32", meaning, unit, default: None }
    });
    let described: Vec<Described<'_>> = described.collect();
    let categories = features.0.iter().filter_map(|feature| match &feature.kind {
        FeatureKind::Numeric => None,
        FeatureKind::Categorical { levels } => {
            let codes: BTreeMap<&str, usize> =
                levels.iter().enumerate().map(|(code, level)| (level.as_str(), code)).collect();
            Some((feature.name.as_str(), codes))
        }
    });
    let categories: BTreeMap<&str, BTreeMap<&str, usize>> = categories.collect();
    let described = (FEATURES_FILE.to_owned(), pretty(&described)?);
    Ok([described, ("categories.json".to_owned(), pretty(&categories)?)])
}

pub(crate) fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
