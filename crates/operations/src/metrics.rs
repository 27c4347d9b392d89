//! A run as metrics in the text format of Prometheus, for the textfile collector of node_exporter.
//!
//! The text holds one run: the last one of its pipeline. All metrics are gauges with the label
//! `pipeline`, and none carries a timestamp, as the collector asks.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde_json::Value;

use crate::record::RunRecord;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

const LAST_SUCCESS: &str = "longhaul_last_success_timestamp_seconds";

/// The metrics of a run that has ended. `before` is the text that is replaced: where the run did not end
/// with 0, the moment of the last one that did is taken over from it.
pub fn metrics(record: &RunRecord, unix_seconds: f64, before: Option<&str>) -> String {
    let mut registry = Registry::with_prefix("longhaul");
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>| {
        let gauges = Gauges::default();
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauges.clone()),
            None => registry.register(name, help, gauges.clone()),
        }
        gauges
    };
    let with = |more: &[(&'static str, &str)]| -> Labels {
        let pipeline = [("pipeline", record.pipeline.as_str())];
        let all = pipeline.iter().chain(more);
        all.map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let set = |gauges: &Gauges, more: &[(&'static str, &str)], value: f64| {
        gauges.get_or_create(&with(more)).set(value);
    };

    let ended =
        gauge("last_run_timestamp", "When the last run ended, since 1970", Some(Unit::Seconds));
    set(&ended, &[], unix_seconds);
    let success = gauge(
        "last_success_timestamp",
        "When a run last ended with 0, since 1970",
        Some(Unit::Seconds),
    );
    let last = match record.exit_code {
        Some(0) => Some(unix_seconds),
        _ => before.and_then(|text| value_in(text, LAST_SUCCESS, &record.pipeline)),
    };
    if let Some(last) = last {
        set(&success, &[], last);
    }
    let exit_code = gauge("last_run_exit_code", "The exit code of the last run", None);
    set(&exit_code, &[], record.exit_code.map_or(f64::NAN, f64::from));
    let duration = gauge("last_run_duration", "How long the last run took", Some(Unit::Seconds));
    set(&duration, &[], record.seconds.unwrap_or(f64::NAN));
    let info =
        gauge("last_run_info", "The last run: its id, its as-of and the code that it ran", None);
    let about = [
        ("run_id", record.run_id.as_str()),
        ("as_of", &record.as_of),
        ("status", record.status.name()),
        ("version", &record.version),
    ];
    set(&info, &about, 1.0);
    let champion = gauge("champion_info", "The model that scores", None);
    if let Some(model_id) = &record.champion_after {
        set(&champion, &[("model_id", model_id)], 1.0);
    }

    let seconds =
        gauge("stage_duration", "How long a stage of the last run took", Some(Unit::Seconds));
    let peak = gauge(
        "stage_peak_memory",
        "The largest resident set of the process in a stage",
        Some(Unit::Bytes),
    );
    let read =
        gauge("stage_storage_read", "Bytes that a stage read from the store", Some(Unit::Bytes));
    let written =
        gauge("stage_storage_written", "Bytes that a stage wrote to the store", Some(Unit::Bytes));
    for stage in &record.stages {
        let of_stage = [("stage", stage.stage.as_str())];
        set(&seconds, &of_stage, stage.seconds);
        set(&read, &of_stage, stage.storage.bytes_read as f64);
        set(&written, &of_stage, stage.storage.bytes_written as f64);
        if let Some(bytes) = stage.peak_memory_bytes {
            set(&peak, &of_stage, bytes as f64);
        }
    }
    let requests = gauge("storage_requests", "Requests of the last run to the store", None);
    set(&requests, &[], record.storage.requests as f64);
    let retries = gauge("storage_retries", "Requests that met a fault and were made again", None);
    set(&retries, &[], record.storage.retries as f64);

    let rows = gauge("table_rows", "Rows of a table that were recorded before the as-of", None);
    let quarantined = gauge("table_rows_quarantined", "Rows of a table in quarantine", None);
    for (name, table) in &record.tables {
        let of_table = [("table", name.as_str())];
        set(&rows, &of_table, table.rows as f64);
        set(&quarantined, &of_table, table.rows_quarantined as f64);
    }

    let summary = |stage: &str, key: &str| {
        record.stage(stage).map_or(Value::Null, |stage| stage.summary[key].clone())
    };
    let open = gauge("open_shipments", "Open shipments that were scored", None);
    if let Some(n) = summary("score", "rows").as_f64() {
        set(&open, &[], n);
    }
    let passed =
        gauge("gates_passed", "1 if the publication gates passed the last model, else 0", None);
    if let Some(has_passed) = summary("evaluate", "passed").as_bool() {
        set(&passed, &[], f64::from(u8::from(has_passed)));
    }
    let pinball =
        gauge("holdout_mean_pinball_days", "Mean pinball loss of a forecast on the hold-out", None);
    let coverage =
        gauge("holdout_coverage_80_ratio", "Share of outcomes inside the 80% interval", None);
    for score in summary("evaluate", "scores").as_array().into_iter().flatten() {
        let of_forecast = [("forecast", score["name"].as_str().unwrap_or_default())];
        for (gauges, key) in [(&pinball, "mean_pinball_days"), (&coverage, "coverage_80")] {
            if let Some(value) = score[key].as_f64() {
                set(gauges, &of_forecast, value);
            }
        }
    }

    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

/// The value of a metric of a pipeline in a text that [`metrics`] made.
fn value_in(text: &str, metric: &str, pipeline: &str) -> Option<f64> {
    let label = format!("{{pipeline=\"{}\"}}", pipeline.replace('\\', "\\\\").replace('"', "\\\""));
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(&label))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_run_that_failed_keeps_the_moment_of_the_last_success() {
        let mut record = record();
        let refused = metrics(&record, 2_000.0, None);
        assert!(!refused.contains("last_success_timestamp_seconds{"), "{refused}");
        record.exit_code = Some(0);
        let succeeded = metrics(&record, 1_764_000_000.5, None);
        record.exit_code = Some(20);
        let failed = metrics(&record, 1_764_086_400.0, Some(&succeeded));
        let line = |metric: &str| value_in(&failed, metric, &record.pipeline);
        assert_eq!(line(LAST_SUCCESS), Some(1_764_000_000.5));
        assert_eq!(line("longhaul_last_run_timestamp_seconds"), Some(1_764_086_400.0));
        assert_eq!(line("longhaul_last_run_exit_code"), Some(20.0));
    }

    #[test]
    fn labels_are_escaped_and_stages_tables_and_scores_have_lines_of_their_own() {
        let text = metrics(&record(), 1.0, None);
        for line in [
            "longhaul_stage_duration_seconds{pipeline=\"shop \\\"north\\\"\",stage=\"check\"} 1.5",
            "longhaul_table_rows{pipeline=\"shop \\\"north\\\"\",table=\"orders\"} 100.0",
            "longhaul_holdout_mean_pinball_days{pipeline=\"shop \\\"north\\\"\",forecast=\"boost\"} 0.5",
            "longhaul_gates_passed{pipeline=\"shop \\\"north\\\"\"} 0.0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
