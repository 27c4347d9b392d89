//! A small HTTP service over a scorer.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/predict` with `{"rows": [{"<feature>": value, …}, …]}` | a prediction for each row, in their order, all by one model |
//! | `GET /v1/model` | the model's id, its features, the days of its probabilities |
//! | `GET /healthz` | 200 while the process works |
//! | `GET /readyz` | 200 while it takes requests; 503 once it has begun to stop |
//! | `GET /metrics` | Prometheus' text format |
//!
//! What is here: HTTP, its limits in size and time, the answers, and the model that is replaced under
//! load. What is not: where models come from; that is a [`ModelSource`].
//!
//! Limits: HTTP/1.1 without TLS, for a network behind a proxy that has it.

mod limits;
mod metrics;
mod model_source;
mod reply;
mod rows;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use model_source::{ModelSource, SourceError};
pub use server::serve;
