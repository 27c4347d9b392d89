//! The commands beside the stages: import, simulation, backtests, inspection.

pub(crate) mod ablate;
pub(crate) mod backfill;
pub(crate) mod backtest;
pub(crate) mod champion;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod contract_docs;
pub(crate) mod doctor;
pub(crate) mod gc;
pub(crate) mod import;
pub(crate) mod manual;
pub(crate) mod model_place;
pub(crate) mod models;
pub(crate) mod models_export;
pub(crate) mod models_verify;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod proof;
pub(crate) mod quarantine;
pub(crate) mod retry;
pub(crate) mod run_diff;
pub(crate) mod runs;
pub(crate) mod serve;
pub(crate) mod settings_docs;
pub(crate) mod simulate;
pub(crate) mod verify;
