//! Features: what was known as of each order, and of each outcome since.

use std::collections::BTreeMap;

use anyhow::Result;
use features::{Frame, Outcomes, encode, feature_list};
use serde::{Deserialize, Serialize};
use terms::{Digest, Matrix};

use crate::report::count;
use crate::settings::Resolved;
use crate::stage::{self, Done, Night, Output};
use crate::stages::check::Checked;

/// The feature frame.
pub(crate) const MATRIX: &str = "matrix.parquet";
/// The timelines of outcomes.
const OUTCOMES: &str = "outcomes.parquet";

/// What the stage says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Shipments.
    pub(crate) rows: usize,
    /// Features of each.
    pub(crate) features: usize,
}

/// Builds the features of every shipment known at the as-of.
///
/// # Errors
/// If a table cannot be read as it was checked, or nothing was known yet.
pub(crate) fn run(night: &Night<'_>, resolved: &Resolved, checked: &Checked) -> Result<Done> {
    let (declared, text) = resolved.declaration()?;
    let inputs = BTreeMap::from([
        ("tables".to_owned(), checked.content()?),
        ("declaration".to_owned(), Digest::of(text.as_bytes()).to_string()),
    ]);
    stage::run(night, "features", inputs, || {
        let orders = checked.read(night, "orders")?;
        let shipments = checked.read(night, "shipments")?;
        let (frame, outcomes) =
            features::build(&orders, &shipments, &checked.doubts(), &declared, night.as_of)?;
        let summary = Summary { rows: frame.n_rows(), features: feature_list(&frame)?.len() };
        Ok(Output {
            line: format!("{} shipments, {} features", count(summary.rows), summary.features),
            summary: serde_json::to_value(&summary)?,
            files: BTreeMap::from([
                (MATRIX.to_owned(), frame.to_parquet()?),
                (OUTCOMES.to_owned(), outcomes.to_parquet()?),
            ]),
        })
    })
}

/// What the features stage left, ready for training and judging.
pub(crate) struct Known {
    /// Keys, features and what was promised.
    pub(crate) frame: Frame,
    /// The features as numbers.
    pub(crate) matrix: Matrix,
    /// What was known of each delivery, and when.
    pub(crate) outcomes: Outcomes,
}

impl Known {
    /// Reads what the stage left, verified.
    ///
    /// # Errors
    /// If it is not there, or not what the stage wrote.
    pub(crate) fn read(night: &Night<'_>, done: &Done) -> Result<Self> {
        let frame = Frame::from_parquet(&done.read(night.store, MATRIX)?)?;
        let outcomes =
            Outcomes::from_parquet(&done.read(night.store, OUTCOMES)?, frame.ordered_at()?)?;
        let matrix = encode(&frame, &feature_list(&frame)?)?;
        Ok(Self { frame, matrix, outcomes })
    }

    /// The inputs of a stage that reads the features.
    pub(crate) fn inputs(done: &Done) -> BTreeMap<String, String> {
        BTreeMap::from([
            (MATRIX.to_owned(), done.digest(MATRIX)),
            (OUTCOMES.to_owned(), done.digest(OUTCOMES)),
        ])
    }

    /// Positions of the rows ordered from `from` up to, not with, `to` (in microseconds).
    pub(crate) fn ordered_between(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        let ordered_at = self.outcomes.ordered_at();
        ordered_at.partition_point(|&at| at < from)..ordered_at.partition_point(|&at| at < to)
    }
}
