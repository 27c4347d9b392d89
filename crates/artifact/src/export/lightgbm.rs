//! The trees of a model as files that LightGBM, treelite and SHAP read.
//!
//! `gate/model.txt` predicts the log-odds of more than two days. `regressor_0/q05/model.txt` predicts
//! a regressor's quantile at level 0.05, on the regressor's time scale and before corrections; there
//! is one for each regressor and level.
//!
//! What holds, to the last bit, for every row of f32 whose categories are codes:
//!
//! - Each tree routes the row to the leaf of the same position as [`boost::Tree::leaf_of`].
//! - The raw score is base and leaf values added in f64, in the order of the trees.
//!
//! [`boost::Model::predict_row`] adds the same numbers in the same order, then sorts the quantiles of a
//! regressor. Counts are those of the trees' leaves ([`boost::Tree::leaf_counts`]), so SHAP values are
//! relative to the mean prediction of the rows that were counted in training.
//!
//! Two things LightGBM does with values that are no measurements: it reads a number nearer to 0 than
//! 1e-35 as 0, and takes a fraction for the code below it where a fraction here is missing.

use std::collections::BTreeMap;

use boost::Model;
use scorer::Parts;
use terms::LEVELS;

use super::lightgbm_text::lightgbm_text;
use crate::Error;

/// The gate and each regressor's quantiles as LightGBM's text format, version 4.
///
/// # Errors
/// A model without features, or a feature whose name the format cannot hold.
pub fn lightgbm_files(parts: &Parts) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let features = &parts.features;
    if features.is_empty() {
        return Err(Error::Export {
            format: FORMAT,
            part: "feature list",
            what: "it is empty".into(),
        });
    }
    // Names are separated by spaces, and a second name of the same kind is refused by readers.
    let unwritable = |name: &str| {
        name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '=')
    };
    if let Some(feature) = features.0.iter().find(|feature| unwritable(&feature.name)) {
        return Err(Error::Export {
            format: FORMAT,
            part: "feature",
            what: format!("{:?}", feature.name),
        });
    }
    let mut files = BTreeMap::new();
    let mut push = |path: String, model: &Model, output, objective| {
        let text = lightgbm_text(model, output, objective, features);
        files.insert(path, text.into_bytes());
    };
    push("gate/model.txt".into(), &parts.gate, 0, "binary sigmoid:1");
    for (position, regressor) in parts.regressors.iter().enumerate() {
        for (output, level) in LEVELS.into_iter().enumerate() {
            let path = format!("regressor_{position}/{}/model.txt", level_name(level));
            push(path, &regressor.trees, output, "quantile");
        }
    }
    Ok(files)
}

const FORMAT: &str = "LightGBM's text format";

/// The folder of a level: `q05` is the level 0.05.
fn level_name(level: f64) -> String {
    format!("q{:02}", (level * 100.0).round())
}
