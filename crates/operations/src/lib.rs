//! The record of a run of a pipeline, and what others are given of it: an OpenLineage event, a file of
//! Prometheus metrics, a message to a webhook.
//!
//! What is here: [`RunRecord`] and its [JSON Schema](json_schema); texts made of a record
//! ([`lineage_event`], [`metrics`], [`message`]); and bringing a text to a file or a URL ([`append`],
//! [`replace`], [`post`]).
//!
//! What is not: nothing is measured here, no clock and no environment is read, and no data frame is
//! known. The binary fills the record while it runs the stages.

mod delivery;
mod lineage;
mod message;
mod metrics;
mod record;
mod run_id;

pub use delivery::{DeliveryError, append, post, replace};
pub use lineage::{LineageMoment, lineage_event};
pub use message::message;
pub use metrics::metrics;
pub use record::{
    Failure, RUN_RECORD, RunRecord, StageRecord, StageStatus, Status, StorageTraffic, TableRecord,
    json_schema,
};
pub use run_id::{RunId, RunIdError};
