//! Gradient-boosted trees over histograms: columns of numbers in, an ensemble of trees out.
//!
//! Training ([`train`], [`train_resumable`]) takes [`Columns`] and a [`Target`] (quantiles, a mean
//! or log-odds) under checked [`Params`] and gives a [`Model`], which predicts, encodes to stable
//! bytes and decodes with every index checked. Outcomes of quantiles may be right-censored.
//!
//! This crate does no I/O, reads no clock and knows no data frames and no names of columns.
//!
//! ```
//! use boost::{Columns, Params, Target, train};
//!
//! let columns = [vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0]];
//! let target = Target::Mean { values: &[2.0, 2.0, 2.0, 8.0, 8.0, 8.0] };
//! let params = Params { rounds: 50, rows_in_leaf_min: 1, ..Params::default() }.check()?;
//! let model = train(&Columns::new(&columns, &[false]), &target, &params)?;
//! let predicted = model.predict(&columns)?;
//! assert!((predicted[0] - 2.0).abs() < 0.1 && (predicted[5] - 8.0).abs() < 0.1);
//! # Ok::<(), boost::Error>(())
//! ```
//!
//! The files in the order of the algorithm:
//!
//! 1. `columns`, `target`, `params`: what training takes, and what it refuses.
//! 2. `binning`: every column becomes at most 255 bins, plus one for missing values;
//!    `binned_matrix` stores the bins of all columns.
//! 3. `loss` is what every loss provides; `squared_error`, `logistic_loss` and `pinball_loss` are
//!    the three. Gradients are fixed-point integers (`fixed_point`); `censored_rows` gives
//!    right-censored rows an expected gradient and an imputed outcome.
//! 4. `grower`: the leaf whose best split gains most is split until there are enough leaves, with
//!    `histogram` (the smaller child is scanned, the larger is its parent minus the smaller),
//!    `splitting` (the best split of a histogram, a `split_candidate`), `partition` (rows stay
//!    contiguous by leaf) and `sampling` (rows and columns of a tree or split).
//! 5. The values of each leaf: a Newton step (`loss`) or quantiles of its residuals
//!    (`leaf_quantiles`), kept within bounds by `monotone_bounds`.
//! 6. `training` adds the tree and repeats from 3; `checkpoint` lets another process continue.
//! 7. `model` and `tree` are the result; `prediction` evaluates it, `leaf_counts` counts rows in its
//!    leaves, `shapley` explains a prediction with them, `encoding` stores it.
//!
//! Exact: the sums of histograms (integers, so that neither the number of threads nor the order of
//! the rows can change a bit), their subtraction, routing (a threshold is a bin's border, so that
//! `x <= threshold` decides in f32 as the bin does), the quantiles that a model begins with, the
//! bytes after encoding and decoding.
//!
//! Approximate: split points are limited to borders of bins, which beyond 2^18 rows come from a
//! sample; gradients are rounded to fixed point (2^23 steps at a million rows); all quantiles share
//! the structure of a tree, chosen by the mean of their gradients; a leaf's quantile is read from a
//! histogram of its residuals, to within an eighth of the step; categories are split along one
//! sorted order (optimal for squared error, a heuristic otherwise), and beyond `bins_max` of them
//! those with similar outcomes share a bin; the gradient of a right-censored row is the expected
//! one under the current model, and its outcome is imputed. The order of rows matters where rows
//! are sampled or held out.
//!
//! Sources: Friedman, "Greedy function approximation" (2001), for boosting and leaf values by line
//! search, and "Stochastic gradient boosting" (2002) for trees on samples of rows; Koenker and
//! Bassett, "Regression quantiles" (1978); Ke et al., "LightGBM" (2017), for histograms, subtraction
//! and leaf-wise growth; Shi et al., "Quantized training of gradient boosting decision trees"
//! (2022), for integer gradients; Fisher, "On grouping for maximum homogeneity" (1958) and Breiman
//! et al., "Classification and regression trees" (1984), for sorted categories; Kaplan and Meier
//! (1958), Efron (1967) and Portnoy, "Censored regression quantiles" (2003), for right-censored
//! rows; Chernozhukov, Fernández-Val and Galichon (2010) for rearranging quantiles so that they
//! never cross. Those of `shapley` are in its file.

mod binned_matrix;
mod binning;
mod censored_rows;
mod checkpoint;
mod columns;
mod digest;
mod direction;
mod encoding;
mod error;
mod fixed_point;
mod float_order;
mod grower;
mod histogram;
mod leaf_counts;
mod leaf_quantiles;
mod logistic_loss;
mod loss;
mod memory;
mod model;
mod monotone_bounds;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod naive;
mod params;
mod partition;
mod pinball_loss;
mod prediction;
mod prefetch;
mod sampling;
mod shapley;
mod split_candidate;
mod splitting;
mod squared_error;
mod target;
mod training;
mod tree;

pub use checkpoint::{Checkpoint, Checkpoints, OnRound, Save};
pub use columns::{Columns, ROWS_MAX};
pub use direction::Direction;
pub use error::{Error, ErrorClass, SaveError};
pub use memory::training_bytes;
pub use model::{Model, OutputOrder};
pub use params::{CheckedParams, Params};
pub use shapley::Explainer;
pub use target::Target;
pub use training::{train, train_resumable};
pub use tree::{CATEGORY_CODE_MAX, Child, Split, SplitRule, Tree};
