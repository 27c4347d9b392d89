//! An estimate of the memory that a training needs, before it begins.

use crate::binned_matrix::{row_stride, shape};
use crate::histogram::Histogram;
use crate::leaf_quantiles::BUCKETS;
use crate::{CheckedParams, Columns, Error, Params, Target};

/// The bytes that training needs beside the columns themselves: the sum of the sizes of the bins, of
/// the arrays over rows, of the histograms of all leaves and of the histograms of residuals.
/// `n_outputs` is the number of quantile levels, or 1.
///
/// ```
/// use boost::{Params, training_bytes};
///
/// let params = Params::default();
/// let million = training_bytes(1_000_000, 40, 9, &params);
/// assert!((100 << 20..1 << 30).contains(&million));
/// assert!(million < training_bytes(2_000_000, 40, 9, &params));
/// ```
pub fn training_bytes(n_rows: usize, n_features: usize, n_outputs: usize, params: &Params) -> u64 {
    let (n_blocks, width) = shape(n_features);
    let stride = row_stride(n_blocks * width) as u64;
    let [n_rows, n_features, n_outputs] = [n_rows, n_features, n_outputs].map(|n| n as u64);
    let (leaves, threads) = (u64::from(params.leaves), rayon::current_num_threads() as u64);
    let slots = (n_blocks * width) as u64;
    // The bins by column and by row, predictions, gradients, outcomes, row numbers, leaves.
    let of_row = n_features + stride + 4 * n_outputs + 8 + 4 + 8 + 2;
    // While columns are binned: the sorted outcomes, and the share below each.
    let ranking = n_rows * (4 + 4);
    let histograms = leaves * slots * size_of::<Histogram<2>>() as u64;
    let counts = threads * leaves * n_outputs * (BUCKETS * size_of::<u64>()) as u64;
    n_rows * of_row + ranking.max(histograms + counts)
}

/// Refuses a training that needs more memory than `memory_mib` allows.
pub(crate) fn check(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> Result<(), Error> {
    let Some(limit_mib) = params.memory_mib else { return Ok(()) };
    let n_outputs = match target {
        Target::Quantiles { levels, .. } => levels.len(),
        Target::Mean { .. } | Target::Probability { .. } => 1,
    };
    let (rows, features) = (columns.n_rows(), columns.len());
    let needed_mib = training_bytes(rows, features, n_outputs, params).div_ceil(1 << 20);
    if needed_mib <= limit_mib {
        return Ok(());
    }
    Err(Error::Memory { needed_mib, limit_mib, rows, features, leaves: params.leaves })
}
