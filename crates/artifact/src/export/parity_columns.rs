//! The columns of a file of parity vectors: of each feature the values of the rows, and what a model
//! makes of them.
//!
//! Columns, beside one for each feature, by its name, in f32 (categories are codes):
//!
//! - `parity:kind`: `random` or `split`; it is not read again.
//! - `parity:leaves:gate`, `parity:leaves:regressor_0` …: positions of the leaves, one a tree.
//! - `parity:raw:gate`, `parity:raw:regressor_0` …: base and leaf values added in f64, one sum a level,
//!   before sorting. This is what the files of `lightgbm` give.
//! - `parity:shap:gate` …: how much each feature moves each raw score from the expected one
//!   ([`boost::Explainer`]), n_features x n_outputs; null where a row is not explained, since that takes
//!   time.
//! - `parity:hours` (one a level), `parity:probability_over_2d`, `parity:probability_by_day` (one for
//!   each day of the model's grid): the scorer's distribution in f64; as it is published, it is rounded
//!   to f32.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Field;
use boost::Model;
use scorer::{Mixture, Parts, Scorer};
use terms::{DAYS_AHEAD, LEVELS};

use super::reference::{leaves, raw_scores};
use super::value_pools::models;
use crate::Error;

/// Where a bundle has its parity vectors.
pub const PARITY_FILE: &str = "parity/vectors.parquet";

/// The form of the file.
pub(super) const VERSION: &str = "longhaul/parity/2";

/// What the columns of raw scores begin with.
pub(super) const RAW: &str = "parity:raw:";

/// What the columns of explanations begin with.
pub(super) const SHAP: &str = "parity:shap:";

/// So many multiplications may explanations take: about a tenth of a second.
pub(super) const SHAP_WORK_MAX: u64 = 100_000_000;

/// The name of an ensemble, by its position among [`models`].
pub(super) fn ensemble(position: usize) -> String {
    match position {
        0 => "gate".to_owned(),
        regressor => format!("regressor_{}", regressor - 1),
    }
}

/// What a model, as parts and as their scorer, makes of rows, by the names of the columns. Shapes: one of
/// `is_explained` a row.
///
/// # Errors
/// If a column is longer than Arrow can hold.
pub(super) fn expected(
    (parts, scorer): (&Parts, &Scorer),
    rows: &[Vec<f32>],
    is_explained: &[bool],
) -> Result<Vec<(String, ArrayRef)>, Error> {
    let mut columns = Vec::new();
    for (position, model) in models(parts).enumerate() {
        let name = ensemble(position);
        let leaves: Vec<Vec<u32>> = rows.iter().map(|row| leaves(model, row)).collect();
        let scores = leaves.iter().flat_map(|leaves| raw_scores(model, leaves));
        let (n_trees, n_outputs) = (model.trees().len().max(1), model.n_outputs());
        let scores: ArrayRef = Arc::new(Float64Array::from_iter_values(scores));
        let leaves = UInt32Array::from_iter_values(leaves.into_iter().flatten());
        columns.push((format!("parity:leaves:{name}"), lists(Arc::new(leaves), n_trees, None)?));
        columns.push((format!("{RAW}{name}"), lists(scores, n_outputs, None)?));
        columns.push((format!("{SHAP}{name}"), shap(model, rows, is_explained)?));
    }

    let distributions: Vec<Mixture> = rows.iter().map(|row| scorer.mixture_row(row)).collect();
    let hours = distributions
        .iter()
        .flat_map(|mixture| rising(LEVELS.map(|level| mixture.quantile(level))));
    let over = distributions.iter().map(Mixture::probability_over_2d);
    let days = scorer.days();
    let by_day = distributions.iter().flat_map(|mixture| {
        rising(std::array::from_fn::<f64, DAYS_AHEAD, _>(|day| mixture.cdf(days.hours(day))))
    });
    let array = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    columns.push(("parity:hours".into(), lists(array(hours.collect()), LEVELS.len(), None)?));
    columns.push(("parity:probability_over_2d".into(), array(over.collect())));
    let by_day = lists(array(by_day.collect()), DAYS_AHEAD, None)?;
    columns.push(("parity:probability_by_day".into(), by_day));
    Ok(columns)
}

fn shap(model: &Model, rows: &[Vec<f32>], is_explained: &[bool]) -> Result<ArrayRef, Error> {
    let n_values = model.n_features() * model.n_outputs();
    let mut values = vec![0.0; rows.len() * n_values];
    if is_explained.contains(&true) {
        let explainer = model.explainer();
        let of_rows = rows.iter().zip(is_explained).zip(values.chunks_exact_mut(n_values));
        for ((row, _), values) in of_rows.filter(|((_, is_explained), _)| **is_explained) {
            explainer.explain_row(row, values);
        }
    }
    let nulls = NullBuffer::from(is_explained.to_vec());
    lists(Arc::new(Float64Array::from(values)), n_values, Some(nulls))
}

/// How many rows may be explained within the time that is allowed; at most `most`.
pub(super) fn n_explained_max(parts: &Parts, most: usize) -> usize {
    let work = models(parts).map(Model::explanation_work).fold(1, u64::saturating_add);
    usize::try_from(SHAP_WORK_MAX / work).unwrap_or(most).min(most)
}

/// The largest value so far, as the scorer publishes it: rounding must not let one fall.
fn rising<const N: usize>(values: [f64; N]) -> [f64; N] {
    let mut so_far = 0.0_f64;
    values.map(|value| {
        so_far = so_far.max(value);
        so_far
    })
}

/// Lists of one length, one after the other.
fn lists(values: ArrayRef, n_each: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, Error> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), false));
    let n_each = i32::try_from(n_each).map_err(|_| unwritable("a list is too long"))?;
    let lists = FixedSizeListArray::try_new(field, n_each, values, nulls);
    Ok(Arc::new(lists.map_err(|problem| unwritable(&problem.to_string()))?))
}

pub(super) fn unwritable(problem: &str) -> Error {
    Error::Export { format: "Parquet", part: "parity vectors", what: problem.to_owned() }
}
