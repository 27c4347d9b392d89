//! The features stage: builds the features of every shipment known at the as-of, and the timelines
//! of their outcomes.
//!
//! Its output is a list: rows and versions are stored month by month with the
//! [history state](crate::stages::history), from which the next night goes on.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use features::{Declaration, Frame, Month, Outcomes, assemble, encode, feature_list};
use serde::{Deserialize, Serialize};
use terms::{Digest, Instant, Matrix, count};

use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::check::Checked;
use crate::stages::history::{self, StoredMonth};

/// The months, with the digests of their rows and versions.
pub(crate) const MONTHS: &str = "months.json";

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Shipments.
    pub(crate) rows: usize,
    /// Features of each shipment.
    pub(crate) features: usize,
    /// Versions recorded so long after their order that history does not count them.
    pub(crate) late: usize,
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
    let inputs = BTreeMap::from([
        ("tables".to_owned(), checked.content()?),
        ("declaration".to_owned(), Digest::of(&serde_json::to_vec(&declared)?).to_string()),
    ]);
    stage::run(context, "features", inputs, || {
        let history = history::update(context, checked, &declared)?;
        let summary = Summary {
            rows: history.months.iter().map(StoredMonth::n_rows).sum(),
            features: declared.groups().iter().map(|group| group.features.len()).sum(),
            late: history.months.iter().map(StoredMonth::late).sum(),
        };
        if summary.rows == 0 {
            return Err(features::Error::NothingKnown { as_of: context.as_of }.into());
        }
        let days = history.days;
        let mut line = format!("{} shipments, {} features", count(summary.rows), summary.features);
        line += &format!(", {days} days read");
        if summary.late > 0 {
            line += &format!(", {} versions too late for history", count(summary.late));
        }
        Ok(Output {
            line,
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([(MONTHS.to_owned(), serde_json::to_vec(&history.months)?)]),
        })
    })
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
        let months: Vec<StoredMonth> = serde_json::from_slice(&result.read(context.store, MONTHS)?)
            .with_context(|| format!("{}/{MONTHS}", result.folder))?;
        let months: Vec<Month> =
            months.iter().map(|month| month.read(context)).collect::<Result<_>>()?;
        let (frame, outcomes) = assemble(&months)?;
        drop(months);
        let matrix = encode(&frame, &feature_list(&frame)?)?;
        Ok(Self { declaration, frame, matrix, outcomes })
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
