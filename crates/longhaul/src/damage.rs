//! Objects of the store that are not what was written, or gone: what can be made again, and how.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::stage::RunContext;

/// A part of the store that can be made again from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The outputs of a stage, in this folder.
    Stage(String),
    /// The history state, which is built from the tables.
    State,
    /// A published model.
    Model(String),
    /// What the check found, which is of other bytes than a table's file has.
    Finding,
}

impl Part {
    /// The part that an error is about: one that says that an object below `runs/`, `state/`,
    /// `tables/` or `models/` is not what was written, or is gone.
    pub(crate) fn of(error: &anyhow::Error, store: &store::Store) -> Option<Self> {
        let damaged = error.chain().find_map(|cause| {
            let of_artifact = cause.downcast_ref::<artifact::Error>();
            let of_intake = cause.downcast_ref::<intake::Error>();
            let of_store = match (of_artifact, of_intake) {
                (Some(artifact::Error::Store(error)), _) => Some(error),
                (_, Some(intake::Error::Store(error))) => Some(error),
                (Some(_), _) | (_, Some(_)) => None,
                (None, None) => cause.downcast_ref::<store::Error>(),
            };
            of_store?.damaged()
        })?;
        let path = damaged.strip_prefix(&store.url_of(""))?.trim_start_matches('/');
        let mut parts = path.split('/');
        match (parts.next()?, parts.next()?, parts.next()) {
            ("runs", id, Some(stage)) => Some(Self::Stage(format!("runs/{id}/{stage}"))),
            ("state", ..) => Some(Self::State),
            ("tables", _, Some(_)) => Some(Self::Finding),
            ("models", id, Some(_)) => Some(Self::Model(id.to_owned())),
            _ => None,
        }
    }
}

/// Runs `work`, and once more for each part of the store that it finds damaged and `retire` prepares
/// for being made again.
///
/// # Errors
/// What is no such damage, or is damaged again after it was made again.
pub(crate) fn mended<T>(
    context: &RunContext<'_>,
    mut work: impl FnMut(&RunContext<'_>) -> Result<T>,
    mut retire: impl FnMut(&RunContext<'_>, &Part) -> Result<bool>,
) -> Result<T> {
    let mut context = *context;
    let mut retired = BTreeSet::new();
    loop {
        let error = match work(&context) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(part) = Part::of(&error, context.store) else { return Err(error) };
        if !retired.insert(part.clone()) || !retire(&context, &part)? {
            return Err(error);
        }
        context.reporter.warn(&format!("{error:#}; it is made again"));
        context.state_is_damaged |= part == Part::State;
        context.finding_is_damaged |= part == Part::Finding;
    }
}
