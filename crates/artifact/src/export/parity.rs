//! Rows with what a model makes of them, for others to prove that they read the model right.
//!
//! The first rows are made of the splits (see `split_rows`): thresholds, both neighbouring floats and
//! missing values; and values of both kinds of rows come from the edges (see `value_pools`). With
//! each row are the leaf of each tree, the raw scores of every ensemble, how each feature moves them (of
//! some rows, since it takes time) and the distribution. `parity_columns` has the columns of the file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use scorer::Parts;
use statistics::SplitMix64;

use super::parity_columns::{SHAP, VERSION, expected, n_explained_max, unwritable};
use super::split_rows::split_rows;
use super::value_pools::ValuePools;
use super::verification::scorer_of;
use crate::Error;

/// Rows that are made of splits: no more, so that the file of a large model has a few megabytes.
const SPLIT_ROWS_MAX: usize = 2_048;

/// Rows that are explained, at most; of a large model fewer.
const EXPLAINED_ROWS: usize = 32;

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
/// A model without features, or whose parts do not fit together, or two columns of one name.
pub fn parity_vectors(parts: &Parts, n_random: usize, seed: u64) -> Result<ParityVectors, Error> {
    if parts.features.is_empty() {
        return Err(unwritable("the model has no features"));
    }
    let scorer = scorer_of(parts)?;
    let mut random = SplitMix64::new(seed);
    let pools = ValuePools::new(parts);
    let of_splits = split_rows(parts, &pools, SPLIT_ROWS_MAX, &mut random);
    let n_features = parts.features.len();
    let mut rows = of_splits.rows;
    let n_of_splits = rows.len();
    rows.extend((0..n_random).map(|_| {
        (0..n_features).map(|feature| pools.draw(feature, &mut random)).collect::<Vec<f32>>()
    }));

    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, feature) in parts.features.0.iter().enumerate() {
        let values = rows.iter().map(|row| row[at]);
        columns.push((feature.name.clone(), Arc::new(Float32Array::from_iter_values(values))));
    }
    let kind = |row| if row < n_of_splits { "split" } else { "random" };
    let kinds = StringArray::from_iter_values((0..rows.len()).map(kind));
    columns.push(("parity:kind".into(), Arc::new(kinds)));
    // Evenly spaced, so that rows of both kinds are among them.
    let n_explained = n_explained_max(parts, EXPLAINED_ROWS.min(rows.len()));
    let mut is_explained = vec![false; rows.len()];
    (0..n_explained).for_each(|at| is_explained[at * rows.len() / n_explained] = true);
    columns.extend(expected((parts, &scorer), &rows, &is_explained)?);
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
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                // Nearly all are different numbers, of which nobody asks the range.
                .set_dictionary_enabled(false)
                .set_statistics_enabled(EnabledStatistics::None)
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

fn batch(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, Error> {
    let mut names = std::collections::BTreeSet::new();
    if let Some((name, _)) = columns.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(unwritable(&format!("two columns {name}")));
    }
    let field = |(name, values): &(String, ArrayRef)| {
        Field::new(name, values.data_type().clone(), name.starts_with(SHAP))
    };
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, values)| values).collect();
    RecordBatch::try_new(schema, arrays).map_err(|problem| unwritable(&problem.to_string()))
}
