//! The command `simulate`: writes the tables of a simulated network, one nightly extract after the
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use bytes::Bytes;
use intake::TableWrite;
use serde_json::json;
use simulate::CheckedNetwork;
use store::Store;
use terms::{AsOf, count};

use crate::command_output::envelope;
use crate::refusal::Refusal;
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext};

/// Simulates the network of the settings into `tables/`.
///
/// # Errors
/// If a setting is out of range, or the tables hold something else already.
pub(crate) fn run(
    resolved: &Resolved,
    pipeline: &Path,
    force: bool,
    reporter: &Reporter,
) -> Result<()> {
    let network = resolved.settings.simulate.clone().check()?;
    let store = Store::open(&resolved.store()?)?;
    let settings = network.settings();
    let (first, days) = (AsOf::start_of(settings.first_day), i64::from(settings.days));
    let as_of = first.plus_days(days + 1);
    let context = RunContext { force, ..RunContext::new(&store, as_of, reporter) };
    let inputs = BTreeMap::from([("network".to_owned(), serde_json::to_string(settings)?)]);
    let done = stage::run(&context, "simulate", inputs, || write(&context, pipeline, &network))?;
    let result = json!({ "as_of": context.as_of, "network": done.manifest.summary });
    reporter.result(&envelope("simulate", result), || {
        format!(
            "{}/tables/ holds the simulated network as of {}",
            store.url().trim_end_matches('/'),
            context.as_of
        )
    });
    Ok(())
}

/// Writes the tables, and commits them.
///
/// # Errors
/// If the store fails, or holds something else already.
pub(crate) fn write(
    context: &RunContext<'_>,
    pipeline: &Path,
    network: &CheckedNetwork,
) -> Result<Output> {
    let mut simulation = simulate::simulate(network);
    let mut written = TableWrite::new(context.store, &format!("simulate {}", pipeline.display()));
    let present: BTreeSet<String> =
        context.store.list("tables/")?.into_iter().map(|entry| entry.path).collect();
    for extract in simulation.by_ref() {
        let extract = extract?;
        for table in extract.tables {
            let (name, date) = (table.name, extract.recorded_on);
            let path = format!("tables/{name}/recorded_on={date}/part-0000.parquet");
            written.add(&path, &table.parquet, table.n_rows as u64);
            if !is_there(context, &present, &path, &table.parquet)? {
                written.begin()?;
                context.store.put(&path, table.parquet)?;
            }
        }
    }
    written.commit()?;
    let summary = simulation.summary();
    let line = format!(
        "{} shipments, {:.1}% within two days, {} odd rows",
        count(summary.shipments as usize),
        100.0 * summary.share_within_two_days(),
        count(summary.n_odd_versions() as usize)
    );
    Ok(Output { files: BTreeMap::new(), summary: serde_json::to_value(summary)?, line })
}

/// Whether a partition is there; with other bytes it may be replaced only if forced.
fn is_there(
    context: &RunContext<'_>,
    present: &BTreeSet<String>,
    path: &str,
    parquet: &Bytes,
) -> Result<bool> {
    if !present.contains(path) {
        return Ok(false);
    }
    let is_same = context.store.get(path)? == *parquet;
    if !is_same && !context.force {
        return Err(Refusal::Occupied { path: path.to_owned() }.into());
    }
    Ok(is_same)
}
