//! The commands that are not stages of a night.

pub mod backtest;
pub mod config;
pub mod doctor;
pub mod import;
pub mod manual;
pub mod models;
pub mod predict;
pub mod simulate;
