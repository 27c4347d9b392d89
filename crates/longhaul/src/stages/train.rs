//! Train: the gate and the regressors of every family, on all that was known at the as-of.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use learn::{Family, Trained};
use terms::AsOf;

use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Done, Night, Output};
use crate::stages::features::Known;

/// Trains every family of the settings.
///
/// # Errors
/// If a family refuses, for example because too few deliveries are known.
pub fn run(night: &Night<'_>, resolved: &Resolved, features: &Done) -> Result<Done> {
    stage::run(night, "train", inputs(resolved, features)?, || {
        let known = Known::read(night, features)?;
        let mut files = BTreeMap::new();
        let mut sizes = serde_json::Map::new();
        for name in &resolved.settings.train.families {
            night.reporter.progress(format!("train {name}"));
            let trained = train(&known, resolved, name, night.as_of)?;
            sizes.insert(name.clone(), serde_json::to_value(&trained.sizes)?);
            for (file, bytes) in bundle_files(&trained)? {
                files.insert(format!("{name}/{file}"), bytes);
            }
        }
        let families = resolved.settings.train.families.join(", ");
        Ok(Output { files, summary: sizes.into(), line: families })
    })
}

/// What goes into a stage that trains.
pub fn inputs(resolved: &Resolved, features: &Done) -> Result<BTreeMap<String, String>> {
    let mut inputs = Known::inputs(features);
    inputs.insert("train".to_owned(), serde_json::to_string(&resolved.settings.train)?);
    inputs.insert("seed".to_owned(), resolved.settings.seed.to_string());
    Ok(inputs)
}

/// Trains one family as of `origin`.
///
/// # Errors
/// If there is no such family, or it refuses.
pub fn train(known: &Known, resolved: &Resolved, name: &str, origin: AsOf) -> Result<Trained> {
    let settings = &resolved.settings.train;
    let family = family(resolved, name)?;
    learn::train_as_of(
        &known.matrix,
        known.outcomes.ordered_at(),
        &|moment| known.outcomes.as_of(moment),
        origin,
        family.as_ref(),
        settings,
        resolved.settings.seed,
    )
    .with_context(|| format!("family {name} as of {origin}"))
}

/// The family called `name`.
///
/// # Errors
/// If there is none.
pub fn family(resolved: &Resolved, name: &str) -> Result<Box<dyn Family>> {
    learn::family(name, &resolved.settings.train, resolved.settings.seed).ok_or_else(|| {
        Refusal::Configuration {
            place: "train.families".to_owned(),
            problem: format!(
                "family {name:?}: expected one of {}",
                learn::FAMILIES.join(", ")
            ),
        }
        .into()
    })
}

/// The files of a trained family that go into a bundle.
fn bundle_files(trained: &Trained) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = trained.scorer.encode();
    files.insert("gate_rules.txt".to_owned(), trained.gate_rules.to_string().into_bytes());
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
