//! Quantile, mean and probability trees by histogram gradient boosting: columns of numbers in, an
//! ensemble out.
//!
//! What is here: training ([`train`], [`train_resumable`]) from [`Columns`] and a [`Target`] under
//! [`Params`], and the [`Model`] that it gives: predicting, encoding to stable bytes, decoding with
//! every index checked.
//!
//! What is not: no I/O, no clock, no data frames, no names of columns. This room knows numbers,
//! not parcels.
//!
//! The order of work, one file each:
//!
//! 1. `binning`: every column becomes at most 255 ordered bins, plus one for missing values;
//!    `table` lays them side by side.
//! 2. `loss`, `quantile`: the gradient of every row, rounded to fixed-point integers (`numbers`);
//!    `censored` says what is expected of rows that are still open.
//! 3. `grower`: the leaf with the best split is split until there are enough leaves, with
//!    `histogram` (the smaller child is scanned, the larger is its parent minus the smaller),
//!    `splitting` (the best split, a `candidate`, of a histogram) and `partition` (rows stay
//!    contiguous by leaf).
//!    `sampling` draws the rows and columns that may be looked at.
//! 4. `loss`, `quantile`: the values of each leaf; for quantiles, those of its residuals (`leaf`),
//!    where open rows stand with an outcome that is drawn. `monotone` bounds them.
//! 5. `train` adds the tree and begins again at 2; `checkpoint` lets another process go on.
//!
//! Exact: the sums of histograms (integers, so that neither the number of threads nor the order of
//! the rows can change a bit), subtraction, routing (a threshold lies on a bin's border, so
//! `x <= threshold` says what the bin says, in f32), the quantiles where a model begins, bytes after
//! encoding and decoding.
//!
//! Approximate: split points are limited to bin borders, which beyond 2^18 rows come from a sample;
//! gradients are rounded to fixed point (2^23 steps at a million rows); all quantiles share one tree
//! structure, chosen by the mean of their gradients; a leaf's quantile is read off counts of its
//! residuals, to within an eighth of the step; categories are split along one sorted order (optimal
//! for squared error, a heuristic otherwise), and beyond `bins_max` levels those with like outcomes
//! share a bin; an open row's rank and residuals are those expected of it, or drawn for it, under
//! the current model. The order of rows matters where rows are drawn, sampled or held out.
//!
//! Sources: Friedman, "Greedy function approximation" (2001), for boosting and leaf values by line
//! search, and "Stochastic gradient boosting" (2002) for trees on samples of rows; Koenker and
//! Bassett, "Regression quantiles" (1978); Ke et al., "LightGBM" (2017), for histograms, subtraction
//! and leaf-wise growth; Shi et al., "Quantized training of gradient boosting decision trees"
//! (2022), for integer gradients; Fisher, "On grouping for maximum homogeneity" (1958) and Breiman
//! et al., "Classification and regression trees" (1984), for sorted categories; Kaplan and Meier
//! (1958), Efron (1967) and Portnoy, "Censored regression quantiles" (2003), for rows whose outcome
//! is still open; Chernozhukov, Fernández-Val and Galichon (2010) for rearranging quantiles so that
//! they never cross.

mod binning;
mod candidate;
mod censored;
mod checkpoint;
mod columns;
mod encode;
mod error;
mod grower;
mod histogram;
mod leaf;
mod loss;
mod memory;
mod model;
mod monotone;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod naive;
mod numbers;
mod params;
mod partition;
mod predict;
mod prefetch;
mod quantile;
mod sampling;
mod splitting;
mod table;
mod train;
mod tree;

pub use checkpoint::{Checkpoint, Checkpoints, Save, SaveError};
pub use columns::{CATEGORY_CODE_MAX, Columns, ROWS_MAX, Target};
pub use error::{Error, ErrorClass};
pub use memory::training_bytes;
pub use model::{Model, OutputOrder};
pub use monotone::Direction;
pub use params::{CheckedParams, Params};
pub use train::{train, train_resumable};
pub use tree::{Child, Rule, Split, Tree};
