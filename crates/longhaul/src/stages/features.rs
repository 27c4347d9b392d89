//! The features stage: builds the features of every shipment known at the as-of, and the timelines
//! of their outcomes.
//!
//! Its output is a list: rows and versions are stored month by month with the
//! [history state](crate::stages::history), from which the next night goes on.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use evaluate::CutOff;
use features::{
    Declaration, Frame, Limits, Month, Outcomes, PastSnapshots, Snapshots, assemble,
    assemble_snapshots, encode, feature_list,
};
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{Digest, FeatureList, Instant, Matrix, count};

use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageManifest, StageResult};
use crate::stages::check::Checked;
use crate::stages::cut_off;
use crate::stages::history::{self, StoredMonth};

/// The months, with the digests of their rows and versions.
pub(crate) const MONTHS: &str = "months.json";

/// Snapshots of what is open at the as-of.
pub(crate) const OPEN: &str = "open.parquet";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Shipments.
    pub(crate) rows: usize,
    /// Features of each shipment.
    pub(crate) features: usize,
    /// Versions recorded so long after their order that history does not count them.
    pub(crate) late: usize,
    /// Settings of the network that cut off more than 1% of recent shipments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cut_off: Vec<CutOff>,
}

/// Builds the features of every shipment known at the as-of.
///
/// # Errors
/// If a table cannot be read as it was checked, or no shipment was recorded before the as-of.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    checked: &Checked,
) -> Result<StageResult> {
    let declared = checked.declared(resolved)?;
    let network = &resolved.settings.network;
    let inputs = BTreeMap::from([
        ("network".to_owned(), serde_json::to_string(network)?),
        ("tables".to_owned(), checked.content()?.to_string()),
        ("declaration".to_owned(), Digest::of(&serde_json::to_vec(&declared)?).to_string()),
    ]);
    stage::run(context, "features", inputs, || {
        let history = history::update(context, checked, &declared)?;
        let mut summary = Summary {
            rows: history.months.iter().map(StoredMonth::n_rows).sum(),
            features: declared.groups().iter().map(|group| group.features.len()).sum(),
            late: history.months.iter().map(StoredMonth::late).sum(),
            cut_off: Vec::new(),
        };
        if summary.rows == 0 {
            return Err(features::Error::NothingKnown { as_of: context.as_of }.into());
        }
        let outcomes = outcomes(context, &history.months, declared.limits)?;
        summary.cut_off = cut_off::cut_off(&outcomes, network, context.as_of);
        cut_off::warn(context, &summary.cut_off);
        let days = history.days;
        let mut line = format!("{} shipments, {} features", count(summary.rows), summary.features);
        line += &format!(", {days} days read");
        if summary.late > 0 {
            line += &format!(", {} versions too late for history", count(summary.late));
        }
        let mut files = BTreeMap::from([(MONTHS.to_owned(), serde_json::to_vec(&history.months)?)]);
        files.extend(history.open.map(|bytes| (OPEN.to_owned(), bytes)));
        Ok(Output { line, summary: serde_json::to_value(&summary)?, files })
    })
}

/// The outcomes of all months, read without their features.
fn outcomes(context: &RunContext<'_>, months: &[StoredMonth], limits: Limits) -> Result<Outcomes> {
    let months = months.iter().map(|month| month.read_outcomes(context));
    Ok(assemble(&mut months.collect::<Result<Vec<_>>>()?, limits)?.1)
}

/// The objects of the state that a features stage refers to; none if the manifest is another's.
///
/// # Errors
/// If its output cannot be read.
pub(crate) fn objects(
    store: &Store,
    folder: &str,
    manifest: &StageManifest,
) -> Result<Vec<String>> {
    match manifest.outputs.get(MONTHS) {
        Some(digest) if manifest.stage == "features" => {
            let months = store.get_verified(&format!("{folder}/{MONTHS}"), digest)?;
            history::objects_of_months(&months)
        }
        _ => Ok(Vec::new()),
    }
}

/// What the limits of the network cut off, as the stage found it.
///
/// # Errors
/// If the summary is not that of the stage.
pub(crate) fn cut_off_of(result: &StageResult) -> Result<Vec<CutOff>> {
    Ok(result.summary::<Summary>()?.cut_off)
}

/// The built features and outcomes of all shipments, as later stages read them.
pub(crate) struct FeatureSet {
    /// What was to be built.
    pub(crate) declaration: Declaration,
    /// Keys, features and what was promised.
    pub(crate) frame: Frame,
    /// The features as numbers.
    pub(crate) matrix: Matrix,
    /// The timelines of the outcomes, one a row of the frame.
    pub(crate) outcomes: Outcomes,
    /// Snapshots of open shipments of the past; none unless they are declared.
    pub(crate) snapshots: Snapshots,
    /// Those of every night of a few shipments.
    pub(crate) followed: Snapshots,
}

impl FeatureSet {
    /// Reads the output of the stage, verified.
    ///
    /// # Errors
    /// If it is not there, or not what the stage wrote, or the declaration cannot be read.
    pub(crate) fn read(
        context: &RunContext<'_>,
        resolved: &Resolved,
        result: &StageResult,
    ) -> Result<Self> {
        let (declaration, _) = resolved.declaration()?;
        let mut months = months(context, result, StoredMonth::read)?;
        let (frame, outcomes) = assemble(&mut months, declaration.limits)?;
        let of_snapshots = declaration.snapshots.as_ref();
        let PastSnapshots { drawn: snapshots, followed } =
            assemble_snapshots(&months, &frame, of_snapshots, context.as_of)?;
        drop(months);
        let matrix = encode(&frame, &feature_list(&frame)?)?;
        Ok(Self { declaration, frame, matrix, outcomes, snapshots, followed })
    }

    /// The same for a model that scores: its features alone as numbers, and no snapshots of the past, which
    /// are several times as many as shipments.
    ///
    /// # Errors
    /// As for [`FeatureSet::read`]; if a feature is missing.
    pub(crate) fn read_for_scoring(
        context: &RunContext<'_>,
        resolved: &Resolved,
        result: &StageResult,
        of_model: &FeatureList,
    ) -> Result<Self> {
        let (declaration, _) = resolved.declaration()?;
        let mut months = months(context, result, StoredMonth::read_rows)?;
        let (frame, outcomes) = assemble(&mut months, declaration.limits)?;
        drop(months);
        let matrix = encode(&frame, of_model)?;
        let (snapshots, followed) = (Snapshots::none(), Snapshots::none());
        Ok(Self { declaration, frame, matrix, outcomes, snapshots, followed })
    }

    /// Snapshots of all shipments that are open at the as-of; none unless they are declared.
    ///
    /// # Errors
    /// If they are not what the stage wrote.
    pub(crate) fn open(&self, context: &RunContext<'_>, result: &StageResult) -> Result<Snapshots> {
        Ok(match result.manifest.outputs.contains_key(OPEN) {
            true => Snapshots::read(&result.read(context.store, OPEN)?, &self.frame)?,
            false => Snapshots::none(),
        })
    }

    /// The inputs of a stage that reads the features.
    pub(crate) fn inputs(result: &StageResult) -> BTreeMap<String, String> {
        BTreeMap::from([(MONTHS.to_owned(), result.digest(MONTHS))])
    }

    /// Positions of the rows ordered from `from` up to, not including, `to`.
    pub(crate) fn ordered_between(&self, from: Instant, to: Instant) -> std::ops::Range<usize> {
        let ordered_at = self.outcomes.ordered_at();
        let position = |end: Instant| ordered_at.partition_point(|&at| at < end);
        position(from)..position(to)
    }
}

/// The months of the output of the stage, read one by one.
fn months(
    context: &RunContext<'_>,
    result: &StageResult,
    read: fn(&StoredMonth, &RunContext<'_>) -> Result<Month>,
) -> Result<Vec<Month>> {
    let months: Vec<StoredMonth> = serde_json::from_slice(&result.read(context.store, MONTHS)?)
        .with_context(|| format!("{}/{MONTHS}", result.folder))?;
    months.iter().map(|month| read(month, context)).collect()
}
