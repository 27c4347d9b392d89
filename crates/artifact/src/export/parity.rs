//! Rows with what a model makes of them, for others to prove that they read the model right.
//!
//! The first rows are made of the splits (see `split_rows`): thresholds, both neighbouring floats and
//! missing values; and values of both kinds of rows come from the edges (see `value_pools`). With
//! each row are the leaf of each tree, the raw scores of every ensemble and the distribution.
//!
//! Columns of the file, beside one for each feature, by its name, in f32 (categories are codes):
//!
//! - `parity:kind`: `random` or `split`.
//! - `parity:leaves:gate`, `parity:leaves:regressor_0` …: positions of the leaves, one a tree.
//! - `parity:raw:gate`, `parity:raw:regressor_0` …: base and leaf values added in f64, one sum a level,
//!   before sorting. This is what the files of `lightgbm` give.
//! - `parity:scorer_raw:gate` …: the same by the scorer, in f32, sorted.
//! - `parity:hours` (one a level), `parity:probability_over_2d`, `parity:probability_by_day` (one for
//!   each day of the model's grid): the scorer's distribution in f64; as it is published, it is rounded
//!   to f32.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use scorer::{Mixture, Scorer};
use statistics::SplitMix64;
use terms::{DAYS_AHEAD, LEVELS};

use super::reference::{leaves, raw_scores};
use super::split_rows::split_rows;
use super::value_pools::{ValuePools, models};
use crate::Error;

/// Where a bundle has its parity vectors.
pub const PARITY_FILE: &str = "parity/vectors.parquet";

/// The form of the file.
const VERSION: &str = "longhaul/parity/1";

/// Rows that are made of splits: no more, so that the file of a large model has a few megabytes.
const SPLIT_ROWS_MAX: usize = 2_048;

/// Rows and what a model makes of them.
#[derive(Debug)]
pub struct ParityVectors {
    batch: RecordBatch,
    /// Splits of all trees.
    pub n_splits: usize,
    /// Of these how many are met by rows with the threshold and both its neighbours, or with codes
    /// inside and outside their set. The others are beyond what the rows suffice for, or no row meets
    /// them so: a split above may let none of these values through.
    pub n_splits_met: usize,
    model_id: String,
    seed: u64,
}

/// Rows of a model: at most [`SPLIT_ROWS_MAX`](self) that meet splits, and `n_random` more. The same
/// model and seed give the same rows.
///
/// # Errors
/// Two columns of one name.
pub fn parity_vectors(scorer: &Scorer, n_random: usize, seed: u64) -> Result<ParityVectors, Error> {
    let mut random = SplitMix64::new(seed);
    let pools = ValuePools::new(scorer);
    let of_splits = split_rows(scorer, &pools, SPLIT_ROWS_MAX, &mut random);
    let n_features = scorer.features().len();
    let mut rows = of_splits.rows;
    let n_of_splits = rows.len();
    rows.extend((0..n_random).map(|_| {
        (0..n_features).map(|feature| pools.draw(feature, &mut random)).collect::<Vec<f32>>()
    }));

    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, feature) in scorer.features().0.iter().enumerate() {
        let values = rows.iter().map(|row| row[at]);
        columns.push((feature.name.clone(), Arc::new(Float32Array::from_iter_values(values))));
    }
    let kind = |row| if row < n_of_splits { "split" } else { "random" };
    let kinds = StringArray::from_iter_values((0..rows.len()).map(kind));
    columns.push(("parity:kind".into(), Arc::new(kinds)));
    columns.extend(expected(scorer, &rows)?);
    Ok(ParityVectors {
        batch: batch(columns)?,
        n_splits: of_splits.n_splits,
        n_splits_met: of_splits.n_met,
        model_id: scorer.model_id().to_owned(),
        seed,
    })
}

impl ParityVectors {
    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Rows and expected results, by the names that are listed at the top of the file.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The bytes of [`PARITY_FILE`].
    ///
    /// # Errors
    /// If Parquet cannot hold them.
    pub fn to_parquet(&self) -> Result<Vec<u8>, Error> {
        let write = || -> Result<Vec<u8>, ParquetError> {
            let pairs = [
                ("schema", VERSION.to_owned()),
                ("model_id", self.model_id.clone()),
                ("seed", self.seed.to_string()),
                ("splits", self.n_splits.to_string()),
                ("splits_met", self.n_splits_met.to_string()),
            ];
            let pairs = pairs.map(|(key, value)| KeyValue::new(key.to_owned(), value));
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(9)?))
                .set_created_by("longhaul".into())
                .set_key_value_metadata(Some(pairs.to_vec()))
                .build();
            let mut writer =
                ArrowWriter::try_new(Vec::new(), self.batch.schema(), Some(properties))?;
            writer.write(&self.batch)?;
            writer.into_inner()
        };
        write().map_err(|problem| unwritable(&problem.to_string()))
    }
}

/// The columns of expected results.
fn expected(scorer: &Scorer, rows: &[Vec<f32>]) -> Result<Vec<(String, ArrayRef)>, Error> {
    let mut columns = Vec::new();
    for (position, model) in models(scorer).enumerate() {
        let name = match position {
            0 => "gate".to_owned(),
            regressor => format!("regressor_{}", regressor - 1),
        };
        let leaves: Vec<Vec<u32>> = rows.iter().map(|row| leaves(model, row)).collect();
        let scores: Vec<Vec<f64>> = leaves.iter().map(|leaves| raw_scores(model, leaves)).collect();
        let mut of_scorer = vec![0.0; model.n_outputs()];
        let of_scorer = rows.iter().flat_map(|row| {
            model.predict_row(row, &mut of_scorer);
            of_scorer.clone()
        });
        let (n_trees, n_outputs) = (model.trees().len().max(1), model.n_outputs());
        let of_scorer = Float32Array::from_iter_values(of_scorer.collect::<Vec<f32>>());
        let leaves = UInt32Array::from_iter_values(leaves.into_iter().flatten());
        let flat = Float64Array::from_iter_values(scores.iter().flatten().copied());
        columns.push((format!("parity:leaves:{name}"), lists(Arc::new(leaves), n_trees)?));
        columns.push((format!("parity:raw:{name}"), lists(Arc::new(flat), n_outputs)?));
        columns.push((format!("parity:scorer_raw:{name}"), lists(Arc::new(of_scorer), n_outputs)?));
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
    columns.push(("parity:hours".into(), lists(array(hours.collect()), LEVELS.len())?));
    columns.push(("parity:probability_over_2d".into(), array(over.collect())));
    columns.push(("parity:probability_by_day".into(), lists(array(by_day.collect()), DAYS_AHEAD)?));
    Ok(columns)
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
fn lists(values: ArrayRef, n_each: usize) -> Result<ArrayRef, Error> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), false));
    let lists = FixedSizeListArray::try_new(field, n_each as i32, values, None);
    Ok(Arc::new(lists.map_err(|problem| unwritable(&problem.to_string()))?))
}

fn batch(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, Error> {
    let mut names = std::collections::BTreeSet::new();
    if let Some((name, _)) = columns.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(unwritable(&format!("two columns {name}")));
    }
    let field = |(name, values): &(String, ArrayRef)| {
        let data_type: DataType = values.data_type().clone();
        Field::new(name, data_type, false)
    };
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, values)| values).collect();
    RecordBatch::try_new(schema, arrays).map_err(|problem| unwritable(&problem.to_string()))
}

fn unwritable(problem: &str) -> Error {
    Error::Export { format: "Parquet", part: "parity vectors", what: problem.to_owned() }
}
