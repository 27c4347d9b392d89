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
//! [`boost::Model::predict_row`] adds the same numbers in the same order in f32, then sorts the
//! quantiles of a regressor. So it differs from these files by the rounding of its sums: at most half
//! a unit in the last place of f32 for each tree. `make parity` measures by how much.
//!
//! Two things LightGBM does with values that are no measurements: it reads a number nearer to 0 than
//! 1e-35 as 0, and takes a fraction for the code below it where a fraction here is missing.

use std::collections::BTreeMap;

use boost::Model;
use scorer::Scorer;
use terms::{LEVELS, Matrix};

use super::leaf_counts::leaf_counts;
use super::lightgbm_text::lightgbm_text;
use crate::Error;

/// The gate and each regressor's quantiles as LightGBM's text format, version 4. Every leaf counts as
/// one row, so SHAP values are relative to the plain mean of the leaves;
/// [`lightgbm_files_counted`] makes them relative to a sample.
///
/// # Errors
/// A model without features, or a feature whose name the format cannot hold.
pub fn lightgbm_files(scorer: &Scorer) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    files(scorer, None)
}

/// As [`lightgbm_files`], with the rows of a sample counted in the leaves: SHAP values are relative to
/// the mean prediction of the sample. A leaf's count is one more than its rows.
///
/// # Errors
/// As [`lightgbm_files`], and if the sample has other features than the model.
pub fn lightgbm_files_counted(
    scorer: &Scorer,
    sample: &Matrix,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    scorer
        .check_features(&sample.features)
        .map_err(|source| Error::Scorer { model_id: scorer.model_id().to_owned(), source })?;
    files(scorer, Some(sample))
}

fn files(scorer: &Scorer, sample: Option<&Matrix>) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let features = scorer.features();
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
    let mut push = |path: String, model: &Model, counts: &[Vec<u64>], output, objective| {
        let text = lightgbm_text(model, output, objective, features, counts);
        files.insert(path, text.into_bytes());
    };
    let parts = scorer.parts();
    let counts = leaf_counts(&parts.gate, sample);
    push("gate/model.txt".into(), &parts.gate, &counts, 0, "binary sigmoid:1");
    for (position, regressor) in parts.regressors.iter().enumerate() {
        let counts = leaf_counts(&regressor.trees, sample);
        for (output, level) in LEVELS.into_iter().enumerate() {
            let path = format!("regressor_{position}/{}/model.txt", level_name(level));
            push(path, &regressor.trees, &counts, output, "quantile");
        }
    }
    Ok(files)
}

const FORMAT: &str = "LightGBM's text format";

/// The folder of a level: `q05` is the level 0.05.
fn level_name(level: f64) -> String {
    format!("q{:02}", (level * 100.0).round())
}
