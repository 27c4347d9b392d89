//! Training of one family as of a moment, on whole deliveries or on snapshots, for the days of the network.

use anyhow::{Context as _, Result};
use features::Outcomes;
use learn::{Checkpoints, FamilyName, Trained};
use scorer::{Parts, Scorer};
use terms::{AsOf, Instant, Matrix, Outcome};

use crate::settings::Resolved;

/// A family's name in settings, files and reports.
pub(crate) fn name(family: FamilyName) -> String {
    serde_json::to_value(family)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Rows to learn from, and what is known of their outcomes at any moment.
pub(crate) struct LabelledRows<'a> {
    pub(crate) matrix: &'a Matrix,
    /// When each was ordered or, of a snapshot, taken.
    pub(crate) moments: &'a [Instant],
    /// The outcome of each, as known at a moment.
    pub(crate) outcomes: &'a dyn Fn(AsOf) -> Vec<Outcome>,
}

/// Trains one family as of `origin`, for probabilities by the days of the network.
///
/// # Errors
/// If it cannot be trained.
pub(crate) fn train(
    rows: &LabelledRows<'_>,
    resolved: &Resolved,
    family: FamilyName,
    origin: AsOf,
    checkpoints: &dyn Checkpoints,
) -> Result<Trained> {
    let settings = &resolved.settings.train;
    let name = name(family);
    let trained = learn::train_as_of(
        rows.matrix,
        rows.moments,
        rows.outcomes,
        origin,
        family,
        settings,
        checkpoints,
    )
    .with_context(|| format!("family {name} as of {origin}"))?;
    let days = resolved.settings.network.days();
    let parts = Parts { days, ..trained.parts };
    Ok(Trained { scorer: Scorer::from_parts(parts.clone())?, parts, ..trained })
}

/// Trains one family on whole deliveries.
///
/// # Errors
/// As for [`train`].
pub(crate) fn train_on_orders(
    (matrix, outcomes): (&Matrix, &Outcomes),
    resolved: &Resolved,
    family: FamilyName,
    origin: AsOf,
    checkpoints: &dyn Checkpoints,
) -> Result<Trained> {
    let known = |moment: AsOf| outcomes.as_of(moment);
    let rows = LabelledRows { matrix, moments: outcomes.ordered_at(), outcomes: &known };
    train(&rows, resolved, family, origin, checkpoints)
}
