//! The models that are scored with, and the rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use boost::{Columns, Model, OutputOrder, Params, SplitRule, Target};
use scorer::{Calibration, Parts, Recalibration, Regressor, TimeScale};
use serde_json::json;
use terms::{DayGrid, Digest, Feature, FeatureKind, FeatureList, Grain, LEVELS};

const N_FEATURES: usize = 60;
const N_TREES: u32 = 300;
const TRAINING_ROWS: usize = 40_000;

/// Numbers in [0, 1).
pub(crate) struct Uniform(pub(crate) u64);

impl Uniform {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Trains nine quantiles on made-up delivery times and writes the bundle.
pub(crate) fn train(folder: &Path, leaves: u32) -> Result<()> {
    let mut uniform = Uniform(1);
    let mut columns = vec![vec![0.0; TRAINING_ROWS]; N_FEATURES];
    for (position, column) in columns.iter_mut().enumerate() {
        for value in column.iter_mut() {
            let drawn = uniform.next();
            // Every fourth feature is missing in a tenth of the rows, and every fifth is coarse.
            *value = match position {
                _ if position % 4 == 0 && uniform.next() < 0.1 => f32::NAN,
                _ if position % 5 == 0 => (drawn * 12.0).floor(),
                _ => drawn * drawn * 100.0,
            };
        }
    }
    let outcome = |row: usize, uniform: &mut Uniform| {
        let value = |position: usize| {
            let value: f32 = columns[position][row];
            if value.is_nan() { 50.0 } else { value }
        };
        let mut hours = 20.0 + value(1) + 2.0 * value(5);
        for position in 0..N_FEATURES {
            hours += value(position) * value((position * 7 + 3) % N_FEATURES) / 600.0;
        }
        hours * (0.5 + uniform.next() + uniform.next() * uniform.next())
    };
    let hours: Vec<f32> = (0..TRAINING_ROWS).map(|row| outcome(row, &mut uniform)).collect();
    let observed = vec![true; TRAINING_ROWS];
    let target = Target::Quantiles { values: &hours, observed: &observed, levels: &LEVELS };
    let params = Params {
        rounds: N_TREES,
        leaves,
        learning_rate: 0.1,
        early_stopping_rows: 0,
        threads: Some(2),
        ..Params::default()
    };
    let categorical = vec![false; N_FEATURES];
    let trees = boost::train(&Columns::new(&columns, &categorical), &target, &params.check()?)?;
    let numeric = |at: usize| Feature { name: format!("f{at}"), kind: FeatureKind::Numeric };
    let parts = Parts {
        features: FeatureList((0..N_FEATURES).map(numeric).collect()),
        days: DayGrid::DAILY,
        // All trees are the regressor's, so that what is compared is nine quantiles of the same trees.
        gate: Model::new(vec![1.0], Vec::new(), N_FEATURES, OutputOrder::AsAdded)?,
        regressors: vec![Regressor { trees, time_scale: TimeScale::hours(), weight: 1.0 }],
        tail_ratio: 0.4,
        calibration: Calibration::identity(),
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    };
    fs::create_dir_all(folder)?;
    let files = parts.encode();
    let entry = |(name, bytes): (&String, &Vec<u8>)| {
        (name.clone(), json!({"sha256": Digest::of(bytes), "bytes": bytes.len()}))
    };
    let entries: serde_json::Map<_, _> = files.iter().map(entry).collect();
    let manifest = json!({"model_id": parts.fingerprint().short(), "files": entries});
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    for (name, bytes) in &files {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// The model of a folder in which are its files and those of others.
pub(crate) fn load(folder: &Path) -> Result<Parts> {
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for path in entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()? {
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && scorer::is_model_file(name)
        {
            files.insert(name.to_owned(), fs::read(&path)?);
        }
    }
    Ok(Parts::decode(&files)?)
}

/// New rows for a model: of each feature a number between or beyond two thresholds next to each other,
/// each as likely, or a category; missing in one of twenty. Shapes: n_rows x n_features.
pub(crate) fn rows(parts: &Parts, n_rows: usize) -> Vec<f32> {
    let mut thresholds = vec![Vec::new(); parts.features.len()];
    let models = parts.regressors.iter().map(|regressor| &regressor.trees).chain([&parts.gate]);
    for split in models.flat_map(Model::trees).flat_map(|tree| tree.splits()) {
        if let SplitRule::AtMost(threshold) = split.rule
            && threshold.is_finite()
        {
            thresholds[split.feature as usize].push(threshold);
        }
    }
    for of_feature in &mut thresholds {
        of_feature.sort_by(f32::total_cmp);
        of_feature.dedup();
        let width = of_feature.last().zip(of_feature.first()).map_or(1.0, |(a, b)| a - b).max(1e-3);
        let (first, last) = (of_feature.first().copied(), of_feature.last().copied());
        of_feature.insert(0, first.unwrap_or(0.0) - 0.1 * width);
        of_feature.push(last.unwrap_or(0.0) + 0.1 * width);
    }
    let mut uniform = Uniform(2);
    let mut rows = Vec::with_capacity(n_rows * thresholds.len());
    for _ in 0..n_rows {
        for (feature, of_feature) in parts.features.0.iter().zip(&thresholds) {
            rows.push(if uniform.next() < 0.05 {
                f32::NAN
            } else if let FeatureKind::Categorical { levels } = &feature.kind {
                (uniform.next() * levels.len() as f32).floor()
            } else {
                let at = (uniform.next() * (of_feature.len() - 1) as f32) as usize;
                let (low, high) = (of_feature[at], of_feature[at + 1]);
                low + uniform.next() * (high - low)
            });
        }
    }
    rows
}
