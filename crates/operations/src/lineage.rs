//! OpenLineage events of a run (<https://openlineage.io>, specification 2-0-2): one when it begins, one
//! when it ends.
//!
//! The job is the pipeline; tables are its inputs, the tables of the score stage, report and model its
//! outputs. A run that the gates refused is COMPLETE, since its outputs are there; an interrupted one
//! is ABORT.

use serde_json::{Map, Value, json};

use crate::record::{RunRecord, Status, TableRecord};

const PRODUCER: &str = concat!("https://crates.io/crates/longhaul/", env!("CARGO_PKG_VERSION"));
const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// Which of the two events it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineageMoment {
    /// The run begins.
    Start,
    /// It has ended.
    End,
}

/// An event of a run, whose job is in `namespace`.
pub fn lineage_event(record: &RunRecord, moment: LineageMoment, namespace: &str) -> Value {
    let (event_type, time) = match (moment, record.status) {
        (LineageMoment::Start, _) => ("START", Some(&record.started_at)),
        (_, Status::Succeeded | Status::Refused) => ("COMPLETE", record.ended_at.as_ref()),
        (_, Status::Interrupted) => ("ABORT", record.ended_at.as_ref()),
        (_, Status::Failed | Status::Running) => ("FAIL", record.ended_at.as_ref()),
    };
    let mut run_facets = Map::new();
    let as_of = match record.as_of.len() {
        10 => format!("{}T00:00:00Z", record.as_of),
        _ => record.as_of.clone(),
    };
    let nominal = [("nominalStartTime", Value::from(as_of))];
    run_facets.insert("nominalTime".into(), facet("1-0-1", "NominalTimeRunFacet", nominal));
    let engine = [
        ("version", Value::from(record.version.as_str())),
        ("name", "longhaul".into()),
        ("openlineageAdapterVersion", env!("CARGO_PKG_VERSION").into()),
    ];
    run_facets
        .insert("processing_engine".into(), facet("1-1-1", "ProcessingEngineRunFacet", engine));
    if let (LineageMoment::End, Some(error)) = (moment, &record.error) {
        let error = [
            ("message", Value::from(error.message.as_str())),
            ("programmingLanguage", "Rust".into()),
        ];
        run_facets.insert("errorMessage".into(), facet("1-0-1", "ErrorMessageRunFacet", error));
    }
    let job_type = [
        ("processingType", Value::from("BATCH")),
        ("integration", "LONGHAUL".into()),
        ("jobType", "JOB".into()),
    ];
    let tables = record.tables.iter().map(|(name, table)| input(record, name, table));
    let outputs = record.outputs.iter().map(|(name, url)| output(record, name, url));
    json!({
        "eventType": event_type,
        "eventTime": time.unwrap_or(&record.started_at),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": { "runId": record.run_id, "facets": run_facets },
        "job": {
            "namespace": namespace,
            "name": record.pipeline,
            "facets": { "jobType": facet("2-0-4", "JobTypeJobFacet", job_type) },
        },
        "inputs": tables.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn input(record: &RunRecord, name: &str, table: &TableRecord) -> Value {
    let url = format!("{}/tables/{name}", record.store.trim_end_matches('/'));
    let (namespace, name) = dataset_of(&url);
    let counts = [
        ("rowCount", Value::from(table.rows)),
        ("fileCount", table.files.into()),
        ("columnMetrics", json!({})),
    ];
    let version = [("datasetVersion", Value::from(table.digest.as_str()))];
    json!({
        "namespace": namespace,
        "name": name,
        "facets": { "version": facet("1-0-1", "DatasetVersionDatasetFacet", version) },
        "inputFacets": {
            "dataQualityMetrics": facet("1-0-3", "DataQualityMetricsInputDatasetFacet", counts),
        },
    })
}

fn output(record: &RunRecord, name: &str, url: &str) -> Value {
    let (namespace, dataset) = dataset_of(url);
    let mut written = json!({ "namespace": namespace, "name": dataset });
    let rows = match name {
        "predictions" => "rows",
        "at_risk" => "promised",
        "speed_table" => "lanes",
        _ => return written,
    };
    if let Some(rows) = record.stage("score").and_then(|score| score.summary[rows].as_u64()) {
        let rows = [("rowCount", Value::from(rows))];
        written["outputFacets"] = json!({
            "outputStatistics": facet("1-0-2", "OutputStatisticsOutputDatasetFacet", rows),
        });
    }
    written
}

/// The namespace and the name of a dataset by its URL, as OpenLineage names them: `s3://bucket` and the
/// key, `file` and the path.
fn dataset_of(url: &str) -> (String, String) {
    match url.split_once("://") {
        Some((scheme @ ("s3" | "memory"), rest)) => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            (format!("{scheme}://{bucket}"), key.to_owned())
        }
        Some((_, path)) => ("file".to_owned(), path.to_owned()),
        None => ("file".to_owned(), url.to_owned()),
    }
}

fn facet<const N: usize>(version: &str, name: &str, fields: [(&str, Value); N]) -> Value {
    let mut facet = json!({
        "_producer": PRODUCER,
        "_schemaURL":
            format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"),
    });
    for (name, value) in fields {
        facet[name] = value;
    }
    facet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn the_first_event_starts_the_run_and_the_last_says_how_it_ended() {
        let mut record = record();
        let start = lineage_event(&record, LineageMoment::Start, "nightly");
        assert_eq!(
            (&start["eventType"], &start["eventTime"]),
            (&"START".into(), &"2026-11-21T02:00:00Z".into())
        );
        for (status, expected) in [
            (Status::Succeeded, "COMPLETE"),
            (Status::Refused, "COMPLETE"),
            (Status::Failed, "FAIL"),
            (Status::Interrupted, "ABORT"),
        ] {
            record.status = status;
            let end = lineage_event(&record, LineageMoment::End, "nightly");
            assert_eq!(end["eventType"], expected);
            assert_eq!(end["run"]["runId"], start["run"]["runId"]);
            assert_eq!(end["eventTime"], "2026-11-21T02:10:30Z");
        }
    }

    #[test]
    fn tables_are_inputs_and_what_was_scored_is_an_output_with_its_rows() {
        let event = lineage_event(&record(), LineageMoment::End, "nightly");
        assert_eq!(event["inputs"][0]["namespace"], "s3://bucket");
        assert_eq!(event["inputs"][0]["name"], "shop/tables/orders");
        let counts = &event["inputs"][0]["inputFacets"]["dataQualityMetrics"];
        assert_eq!((&counts["rowCount"], &counts["fileCount"]), (&100.into(), &2.into()));
        let output = &event["outputs"][0];
        assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 9);
        assert_eq!(
            event["run"]["facets"]["nominalTime"]["nominalStartTime"],
            "2026-11-21T00:00:00Z"
        );
    }

    #[test]
    fn a_folder_is_of_the_namespace_file() {
        let (namespace, name) = dataset_of("file:///srv/store/tables/orders");
        assert_eq!((namespace.as_str(), name.as_str()), ("file", "/srv/store/tables/orders"));
    }
}
