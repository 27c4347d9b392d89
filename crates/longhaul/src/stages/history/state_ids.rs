//! Ids of stored states, by which a later run knows those that are still valid.

use std::collections::HashSet;
use std::ops::Range;

use anyhow::Result;
use features::Declaration;
use terms::{Day, Digest, Fingerprint};

use crate::stage::{CODE_VERSION, RunContext};
use crate::stages::check::Checked;
use crate::stages::history::stored::{STATE, StoredState};

/// For each day on which something was recorded the id of a state that has ingested it and all days
/// before it: a digest of the code, the declaration and the findings of the check on these days.
pub(super) struct StateIds(Vec<(Day, Digest)>);

impl StateIds {
    pub(super) fn of(checked: &Checked, declared: &Declaration) -> Result<Self> {
        let declared = serde_json::to_string(declared)?;
        let code = Fingerprint::new().with("code", CODE_VERSION).with("features", declared);
        let mut before = code.finish();
        let mut ids = Vec::new();
        for (day, found) in checked.found_by_day()? {
            before = Fingerprint::new()
                .with("before", before.as_str())
                .with("day", day.to_string())
                .with("found", found)
                .finish();
            ids.push((day, before.clone()));
        }
        Ok(Self(ids))
    }

    /// From the first day up to the one after the last.
    pub(super) fn days(&self) -> Option<Range<Day>> {
        let ((first, _), (last, _)) = (self.0.first()?, self.0.last()?);
        Some(*first..last.next())
    }

    /// The last stored state that has one of these ids.
    pub(super) fn last_stored(&self, context: &RunContext<'_>) -> Result<Option<StoredState>> {
        let stored = context.store.list("state/nights/")?;
        let stored: HashSet<&str> = stored.iter().map(|entry| entry.path.as_str()).collect();
        for (position, (_, id)) in self.0.iter().enumerate().rev() {
            let path = path(id);
            if !stored.contains(path.as_str()) {
                continue;
            }
            let state: StoredState = match context.store.get_sealed(&path, STATE) {
                Ok(Some((state, _))) => state,
                Ok(None) => continue,
                // The state only saves reading: an earlier one will do, or none.
                Err(error @ store::Error::Sealed { .. }) => {
                    context.reporter.warn(&format!("{error}; an earlier one is used"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // A partition came late, of a day that was empty when it was ingested.
            let next = self.0.get(position + 1);
            let is_overtaken = next.is_some_and(|(day, _)| *day < state.until);
            if !is_overtaken {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Writes the state after the last of these days before `until`.
    pub(super) fn write(
        &self,
        context: &RunContext<'_>,
        until: Day,
        state: &StoredState,
    ) -> Result<()> {
        let n = self.0.partition_point(|(day, _)| *day < until);
        let Some((_, id)) = n.checked_sub(1).map(|last| &self.0[last]) else { return Ok(()) };
        Ok(context.store.put(&path(id), STATE.seal(state)?.into())?)
    }
}

fn path(id: &Digest) -> String {
    format!("state/nights/{}.json", id.short())
}
