//! The commands `runs list`, `runs show` and `runs schema`: what ran, and how it ended.

use anyhow::Result;
use operations::{RunRecord, StageStatus};
use serde_json::{Value, json};
use store::Store;
use terms::count;

use crate::command_output::{CommandOutput, envelope};
use crate::report::{Reporter, table};
use crate::run_records::{self, Ending};

/// Lists the last runs, the newest first.
///
/// # Errors
/// If the store fails.
pub(crate) fn list(
    store: &Store,
    pipeline: Option<&str>,
    last: usize,
    reporter: &Reporter,
) -> Result<()> {
    let runs = run_records::list(store, pipeline)?;
    let mut records = Vec::new();
    for (position, run) in runs.iter().take(last).enumerate() {
        let is_last = !runs[..position].iter().any(|later| later.pipeline == run.pipeline);
        if let Some(record) = run.read(store, reporter)? {
            let ending = Ending::of(&record, is_last);
            records.push((record, ending));
        }
    }
    let entries: Vec<Value> = (records.iter())
        .map(|(record, ending)| {
            json!({
                "run_id": record.run_id,
                "pipeline": record.pipeline,
                "command": record.command,
                "as_of": record.as_of,
                "status": ending.name(),
                "exit_code": record.exit_code,
                "started_at": record.started_at,
                "seconds": record.seconds,
                "champion_after": record.champion_after,
                "retry_of": record.retry_of,
            })
        })
        .collect();
    let result = json!({ "runs": entries, "of": runs.len() });
    reporter.result(&envelope("runs list", result), || {
        if records.is_empty() {
            return format!("no runs in {}", store.url());
        }
        let rows: Vec<Vec<String>> =
            records.iter().map(|(record, ending)| row(record, *ending)).collect();
        let header = ["run", "pipeline", "as of", "command", "began", "took", "ended", "champion"];
        let more = runs.len() - records.len();
        let more = match more {
            0 => String::new(),
            more => format!("\n{} earlier ones: --last N", count(more)),
        };
        format!("{}{more}", table(&header, &rows))
    });
    Ok(())
}

fn row(record: &RunRecord, ending: Ending) -> Vec<String> {
    let code = record.exit_code.filter(|code| *code != 0);
    vec![
        record.run_id.clone(),
        record.pipeline.clone(),
        record.as_of.clone(),
        record.command.clone(),
        record.started_at.clone(),
        record.seconds.map_or_else(String::new, |seconds| format!("{seconds:.1} s")),
        code.map_or_else(|| ending.name().to_owned(), |code| format!("{} ({code})", ending.name())),
        record.champion_after.clone().unwrap_or_default(),
    ]
}

/// Shows the record of one run.
///
/// # Errors
/// If there is none of that name, or the store fails.
pub(crate) fn show(store: &Store, run: &str, reporter: &Reporter) -> Result<()> {
    let record = run_records::find(store, run, reporter)?;
    let document = serde_json::to_value(&record)?;
    reporter.result(&envelope("runs show", document), || text_of(&record));
    Ok(())
}

/// Prints the JSON Schema of the record of a run.
pub(crate) fn schema(reporter: &Reporter) {
    let schema = operations::json_schema();
    reporter.result(&schema, || serde_json::to_string_pretty(&schema).unwrap_or_default());
}

/// Prints what a whole night left: its record for programs, its overview for people.
///
/// # Errors
/// What the run ended with.
pub(crate) fn print_ended(
    record: &RunRecord,
    output: Result<CommandOutput>,
    reporter: &Reporter,
) -> Result<()> {
    let document = envelope("run", serde_json::to_value(record)?);
    match output {
        Ok(CommandOutput { text, refused, .. }) => {
            reporter.result(&document, || text);
            refused.map_or(Ok(()), |refusal| Err(refusal.into()))
        }
        Err(error) => {
            reporter.document(&document);
            Err(error)
        }
    }
}

fn text_of(record: &RunRecord) -> String {
    let mut lines = vec![
        ("run", format!("{} ({})", record.run_id, record.command)),
        ("pipeline", format!("{} as of {}", record.pipeline, record.as_of)),
        ("ended", ended(record)),
        ("began", format!("{} on {}, process {}", record.started_at, record.host, record.process)),
    ];
    if let Some(error) = &record.error {
        lines.push(("error", error.message.clone()));
        lines.extend(error.hint.clone().map(|hint| ("hint", hint)));
    }
    lines.extend(record.retry_of.clone().map(|run| ("repeats", run)));
    lines.extend(record.accepted.iter().map(|(what, why)| ("accepted", format!("{what}: {why}"))));
    let none = || "none".to_owned();
    let [before, after] = [&record.champion_before, &record.champion_after]
        .map(|champion| champion.clone().unwrap_or_else(none));
    let champion = if before == after { after } else { format!("{after}, before {before}") };
    lines.push(("champion", champion));
    lines.push(("code", format!("{} ({})", record.version, short(&record.code_version))));
    let traffic = record.storage;
    lines.push((
        "storage",
        format!(
            "{} requests, {} of them again; {} read, {} written",
            count(traffic.requests as usize),
            count(traffic.retries as usize),
            mebibytes(traffic.bytes_read),
            mebibytes(traffic.bytes_written)
        ),
    ));
    lines.extend(record.peak_memory_bytes.map(|bytes| ("memory", mebibytes(bytes))));
    lines.extend(record.outputs.iter().map(|(what, url)| (what.as_str(), url.clone())));
    let mut text: String =
        lines.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect();
    let stages: Vec<Vec<String>> = (record.stages.iter())
        .map(|stage| {
            let status = match stage.status {
                StageStatus::Completed => "completed",
                StageStatus::Skipped => "skipped",
                StageStatus::Failed => "failed",
            };
            vec![
                stage.stage.clone(),
                status.to_owned(),
                stage.id.clone().unwrap_or_default(),
                format!("{:.1} s", stage.seconds),
                mebibytes(stage.storage.bytes_read),
                mebibytes(stage.storage.bytes_written),
                stage.peak_memory_bytes.map(mebibytes).unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["stage", "", "id", "took", "read", "written", "peak memory"];
    text += &format!("\n{}\n", table(&header, &stages));
    let tables: Vec<Vec<String>> = (record.tables.iter())
        .map(|(name, found)| {
            let day = |day: &Option<String>| day.clone().unwrap_or_default();
            vec![
                name.clone(),
                count(found.files as usize),
                count(found.rows as usize),
                count(found.rows_quarantined as usize),
                day(&found.first_day),
                day(&found.last_day),
            ]
        })
        .collect();
    let header = ["table", "files", "rows", "in quarantine", "first day", "last day"];
    text + &format!("\n{}", table(&header, &tables))
}

fn ended(record: &RunRecord) -> String {
    let ending = Ending::of(record, true).name();
    let code = record.exit_code.map_or_else(String::new, |code| format!(", exit code {code}"));
    let took = record.seconds.map_or_else(String::new, |seconds| format!(", after {seconds:.1} s"));
    format!("{ending}{code}{took}")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
