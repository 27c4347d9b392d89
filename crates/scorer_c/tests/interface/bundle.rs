//! A bundle in a folder, of a model that no training makes.

use std::collections::BTreeMap;
use std::path::Path;

use scorer::Scorer;
use serde_json::json;
use statistics::SplitMix64;
use tempfile::TempDir;
use terms::{Digest, FeatureKind};

#[path = "../../../artifact/examples/export/generated.rs"]
mod generated;

pub(crate) struct Bundle {
    folder: TempDir,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) scorer: Scorer,
}

impl Bundle {
    pub(crate) fn new(seed: u64) -> Self {
        let parts = generated::generated(seed).expect("a model");
        let (folder, mut files) = (tempfile::tempdir().expect("a folder"), parts.encode());
        let scorer = Scorer::from_parts(parts).expect("a model");
        let entry = |bytes: &Vec<u8>| json!({ "sha256": Digest::of(bytes), "bytes": bytes.len() });
        let entries: BTreeMap<_, _> =
            files.iter().map(|(name, bytes)| (name, entry(bytes))).collect();
        let manifest = json!({ "model_id": format!("generated-{seed}"), "files": entries });
        files.insert("manifest.json".into(), manifest.to_string().into_bytes());
        for (name, bytes) in &files {
            std::fs::write(folder.path().join(name), bytes).expect("a file");
        }
        Self { folder, files, scorer }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Rows in which everything occurs that a row may have: numbers of any size, infinite and missing
    /// ones, and codes.
    pub(crate) fn rows(&self, n: usize) -> Vec<Vec<f32>> {
        let mut random = SplitMix64::new(n as u64);
        let mut value = |kind: &FeatureKind| match kind {
            _ if random.below(8) == 0 => f32::NAN,
            FeatureKind::Categorical { levels } => random.below(levels.len()) as f32,
            FeatureKind::Numeric => match random.below(6) {
                0 => {
                    [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-45, f32::MAX][random.below(6)]
                }
                _ => 300.0 * random.unit() as f32 - 50.0,
            },
        };
        let features = &self.scorer.features().0;
        (0..n).map(|_| features.iter().map(|feature| value(&feature.kind)).collect()).collect()
    }
}
