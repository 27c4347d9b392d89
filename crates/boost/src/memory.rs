//! How much memory a training needs, told before it begins.

use crate::histogram::Histogram;
use crate::leaf::BUCKETS;
use crate::table::{row_stride, shape};
use crate::{CheckedParams, Columns, Error, Params, Target};

/// The bytes that training needs beside the columns themselves, by the sizes of what it keeps: the
/// bins, what is known of each row, the histograms of open leaves, the counts of residuals.
pub fn training_bytes(n_rows: usize, n_features: usize, n_outputs: usize, params: &Params) -> u64 {
    let (n_blocks, width) = shape(n_features);
    let stride = row_stride(n_blocks * width) as u64;
    let [n_rows, n_features, n_outputs] = [n_rows, n_features, n_outputs].map(|n| n as u64);
    let (leaves, threads) = (u64::from(params.leaves), rayon::current_num_threads() as u64);
    let lanes = (n_blocks * width) as u64;
    // The bins by column and by row.
    let of_row = n_features + stride + 4 * n_outputs + 8 + 4 + 8 + 2;
    // While bins are made: the outcomes in order, and the share below each.
    let ranking = n_rows * (4 + 4);
    let histograms = leaves * lanes * size_of::<Histogram<2>>() as u64;
    let counts = threads * leaves * n_outputs * (BUCKETS * size_of::<u64>()) as u64;
    n_rows * of_row + ranking.max(histograms + counts)
}

/// Refuses what would not fit.
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
