//! Estimators and random numbers that several crates need, each with its source.
//!
//! What is here: the product-limit estimate of right-censored values ([`kaplan_meier`]), that of
//! their censoring ([`CensoringSurvival`]), the life table of a period ([`life_table_quantile`]),
//! quantiles of a sample ([`quantile`], [`share_within`]) and a seeded generator ([`SplitMix64`]).
//!
//! What is not: nothing that knows of parcels, no I/O, no data frames. All results depend on the
//! arguments alone, bit by bit, on any number of threads.

mod censoring;
mod kaplan_meier;
mod life_table;
mod sample;
mod split_mix;

pub use censoring::CensoringSurvival;
pub use kaplan_meier::{Censored, kaplan_meier};
pub use life_table::{AgeInterval, life_table_quantile, life_table_share};
pub use sample::{quantile, share_within};
pub use split_mix::SplitMix64;
