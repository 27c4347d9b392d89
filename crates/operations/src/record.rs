//! The record of a run: what it read, did and left, how long each part took, and how it ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use terms::Schema;

/// The form of the record as a control object.
pub const RUN_RECORD: Schema = Schema { name: "run", version: 1 };

/// The record of one run of a pipeline: `run.json`.
///
/// It is written when the run begins, with the status `running`, and again when it ends. One that says
/// `running` although its process has ended is of a run that was killed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Its id, a UUID of version 7.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The command, such as `run`.
    pub command: String,
    /// Only facts recorded before this moment were used: a date, or an instant in UTC.
    pub as_of: String,
    /// How it ended, or that it has not.
    pub status: Status,
    /// When it began, in UTC.
    pub started_at: String,
    /// When it ended, in UTC; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How long it took, in seconds; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The exit code of the process; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Why it did not end with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The run that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// The machine.
    pub host: String,
    /// The number of its process there.
    pub process: u32,
    /// The version of the program.
    pub version: String,
    /// A digest of the sources of the program.
    pub code_version: String,
    /// The URL of the store.
    pub store: String,
    /// Every setting by its key, as it was in force.
    pub settings: BTreeMap<String, Value>,
    /// What of the tables was accepted although it was not as it should be, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<String, String>,
    /// The tables that were checked, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TableRecord>,
    /// The champion before the run; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub champion_before: Option<String>,
    /// The champion after it; absent if there is none, or while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub champion_after: Option<String>,
    /// The stages, in the order in which they ended.
    pub stages: Vec<StageRecord>,
    /// The URLs of what it left: `predictions`, `at_risk`, `speed_table`, `report`, `model`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// What was transferred from and to the store.
    pub storage: StorageTraffic,
    /// The largest resident set of the process, in bytes; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has not ended, or was killed.
    Running,
    /// With exit code 0.
    Succeeded,
    /// All was done, and the publication gates refused tonight's model; the champion scored.
    Refused,
    /// With an error.
    Failed,
    /// By a signal.
    Interrupted,
}

impl Status {
    /// Its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether every stage was run: the night is done, whatever the gates said.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refused)
    }
}

/// Why a run did not end with 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What was wrong.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A table as it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableRecord {
    /// Files.
    pub files: u64,
    /// Rows recorded before the as-of.
    pub rows: u64,
    /// Rows of them in quarantine.
    pub rows_quarantined: u64,
    /// The day of its first partition, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<String>,
    /// The day of its last partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<String>,
    /// A digest of the contents of its files.
    pub digest: String,
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageRecord {
    /// The stage: `check`, `features`, `train`, `evaluate`, `publish` or `score`.
    pub stage: String,
    /// Whether it was run.
    pub status: StageStatus,
    /// Its id, a digest of its inputs; absent if it failed before that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The folder of its outputs in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it transferred from and to the store.
    pub storage: StorageTraffic,
    /// The largest resident set of the process while it ran, in bytes; absent where the system does
    /// not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Digests and settings of its inputs, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// SHA-256 of its outputs, by file name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Counts and findings of the stage.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub summary: Value,
}

/// Whether a stage was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// It was run.
    Completed,
    /// The same inputs had been worked on before.
    Skipped,
    /// It ended with the error of the run.
    Failed,
}

/// What was transferred from and to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageTraffic {
    /// Attempts of requests.
    pub requests: u64,
    /// Attempts after one that met a fault of the server or the network.
    pub retries: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

impl RunRecord {
    /// A stage that ended, by name.
    pub fn stage(&self, name: &str) -> Option<&StageRecord> {
        self.stages.iter().find(|stage| stage.stage == name)
    }
}

/// The JSON Schema of [`RunRecord`] as it is stored, with the two lines of its seal.
pub fn json_schema() -> Value {
    let schema = schemars::schema_for!(RunRecord);
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    schema["title"] = RUN_RECORD.to_string().into();
    let seal = [
        ("schema", serde_json::json!({ "const": RUN_RECORD.to_string() })),
        ("sha256", serde_json::json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })),
    ];
    for (name, form) in seal {
        schema["properties"][name] = form;
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(name.into());
        }
    }
    schema
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run that the gates refused.
    pub(crate) fn record() -> RunRecord {
        let storage =
            StorageTraffic { requests: 12, retries: 1, bytes_read: 3_000, bytes_written: 400 };
        let stage = |stage: &str, summary: Value| StageRecord {
            stage: stage.to_owned(),
            status: StageStatus::Completed,
            id: Some("0123456789abcdef".to_owned()),
            folder: Some(format!("runs/0123456789abcdef/{stage}")),
            seconds: 1.5,
            storage,
            peak_memory_bytes: Some(1 << 30),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            summary,
        };
        let table = TableRecord {
            files: 2,
            rows: 100,
            rows_quarantined: 3,
            first_day: Some("2026-11-19".to_owned()),
            last_day: Some("2026-11-20".to_owned()),
            digest: "ab".repeat(32),
        };
        let score = serde_json::json!({
            "name": "boost", "mae_days": 1.25, "mean_pinball_days": 0.5, "coverage_80": 0.81,
        });
        RunRecord {
            run_id: super::super::RunId::new(1_764_000_000_000).to_string(),
            pipeline: "shop \"north\"".to_owned(),
            command: "run".to_owned(),
            as_of: "2026-11-21".to_owned(),
            status: Status::Refused,
            started_at: "2026-11-21T02:00:00Z".to_owned(),
            ended_at: Some("2026-11-21T02:10:30Z".to_owned()),
            seconds: Some(630.0),
            exit_code: Some(12),
            error: Some(Failure {
                message: "model 00ff is kept but not current".to_owned(),
                hint: Some("the champion stays".to_owned()),
            }),
            retry_of: None,
            host: "nightly-1".to_owned(),
            process: 7,
            version: "0.1.0".to_owned(),
            code_version: "cd".repeat(32),
            store: "s3://bucket/shop".to_owned(),
            settings: BTreeMap::from([("train.seed".to_owned(), 7.into())]),
            accepted: BTreeMap::new(),
            tables: BTreeMap::from([("orders".to_owned(), table)]),
            champion_before: Some("1111222233334444".to_owned()),
            champion_after: Some("1111222233334444".to_owned()),
            stages: vec![
                stage("check", serde_json::json!({ "rows_in": 100, "rows_ok": 97 })),
                stage("evaluate", serde_json::json!({ "passed": false, "scores": [score] })),
                stage("score", serde_json::json!({ "model_id": "1111222233334444", "rows": 9 })),
            ],
            outputs: BTreeMap::from([(
                "predictions".to_owned(),
                "s3://bucket/shop/runs/0123456789abcdef/score/predictions.parquet".to_owned(),
            )]),
            storage,
            peak_memory_bytes: Some(1 << 30),
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let record = record();
        let sealed = RUN_RECORD.seal(&record).expect("JSON");
        assert_eq!(RUN_RECORD.open::<RunRecord>(&sealed).expect("a record"), record);
        for status in [
            Status::Running,
            Status::Succeeded,
            Status::Refused,
            Status::Failed,
            Status::Interrupted,
        ] {
            assert_eq!(serde_json::to_value(status).expect("a text"), status.name());
        }
    }

    #[test]
    fn the_schema_requires_what_every_record_has_and_no_more() {
        let schema = json_schema();
        let required: Vec<&str> = schema["required"]
            .as_array()
            .expect("names")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for name in ["run_id", "pipeline", "status", "stages", "schema", "sha256"] {
            assert!(required.contains(&name), "{name}: {required:?}");
        }
        for name in ["ended_at", "exit_code", "error", "retry_of", "champion_before"] {
            assert!(!required.contains(&name), "{name}: {required:?}");
        }
        let written: Value =
            serde_json::from_slice(&RUN_RECORD.seal(&record()).expect("JSON")).expect("JSON");
        for name in written.as_object().expect("an object").keys() {
            assert!(schema["properties"].get(name).is_some(), "{name} is not described");
        }
        assert!(schema["properties"]["settings"]["description"].is_string());
    }
}
