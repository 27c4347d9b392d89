//! The command `plan`: what a run would do, stage by stage and partition by partition, and why.

use anyhow::Result;
use serde_json::json;

use crate::command_output::{CommandOutput, envelope};
use crate::exit_code::ExitCode;
use crate::report::table;
use crate::run_records;
use crate::settings::Resolved;
use crate::stage::RunContext;
use crate::stages::{self, PlannedPartitions};

/// Of so many runs of the same night it is looked up what was done before.
const RUNS_MAX: usize = 12;

/// Plans a run. Nothing is written, and no rows are read.
///
/// # Errors
/// If the store cannot be read, or a setting is wrong.
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved) -> Result<CommandOutput> {
    let pipeline = &resolved.settings.name;
    let runs = run_records::list(context.store, Some(pipeline))?;
    let mut before = Vec::new();
    for run in runs.iter().filter(|run| run.as_of == context.as_of).take(RUNS_MAX) {
        before.extend(run.read(context.store, context.reporter)?);
    }
    let context = RunContext { is_dry: true, ..*context };
    let (partitions, missing) = stages::partitions(&context, resolved)?;
    let mut planned = stages::plan(&context, resolved, &before);
    if let (Some(check), false) = (planned.first_mut(), missing.is_empty()) {
        let (tables, code) = (missing.join(", "), ExitCode::InputMissing.number());
        check.reason = format!("no partition of {tables}: it would end with exit code {code}");
    }
    let result = json!({
        "pipeline": pipeline,
        "as_of": context.as_of.to_string(),
        "last_run": before.first().map(|record| &record.run_id),
        "stages": planned,
        "partitions": partitions,
    });
    let rows: Vec<Vec<String>> = (planned.iter())
        .map(|stage| {
            let (name, action) = (stage.stage.to_owned(), stage.action.name().to_owned());
            let id = stage.id.clone().unwrap_or_default();
            vec![name, action, id, stage.reason.clone()]
        })
        .collect();
    let rows_of_partitions: Vec<Vec<String>> = partitions.iter().map(row).collect();
    let of_partitions = match rows_of_partitions.is_empty() {
        true => format!("no partitions in {}", context.store.url_of("tables")),
        false => table(&["table", "recorded on", "partitions", "", "why"], &rows_of_partitions),
    };
    let text = format!(
        "{pipeline} as of {}\n\n{}\n\n{of_partitions}",
        context.as_of,
        table(&["stage", "", "id", "why"], &rows)
    );
    Ok(CommandOutput { json: envelope("plan", result), text, refused: None })
}

fn row(planned: &PlannedPartitions) -> Vec<String> {
    let PlannedPartitions { table, first, last, partitions, action, reason } = planned;
    let days = if first == last { first.clone() } else { format!("{first} to {last}") };
    let action = action.name().to_owned();
    vec![table.clone(), days, partitions.to_string(), action, (*reason).to_owned()]
}
