//! What the store keeps of history: objects named by their content, the months that are built, and
//! the list of both after a night.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use features::{Declaration, HistoryState, Month, StateFiles};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use store::Store;
use terms::{Day, Digest, Schema};

use crate::stage::RunContext;

/// An object that is named by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredObject {
    path: String,
    digest: Digest,
}

impl StoredObject {
    /// Names an object after its content, and adds it to those to be written.
    pub(super) fn of(prefix: &str, bytes: Bytes, objects: &mut Vec<(String, Bytes)>) -> Self {
        let digest = Digest::of(&bytes);
        let path = format!("state/{prefix}{}.parquet", digest.short());
        objects.push((path.clone(), bytes));
        Self { path, digest }
    }

    /// Its bytes, verified.
    fn read(&self, context: &RunContext<'_>) -> Result<Bytes> {
        Ok(context.store.get_verified(&self.path, &self.digest)?)
    }
}

/// A month that is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMonth {
    /// Its first day.
    #[serde(with = "days_since_epoch")]
    pub(super) first_day: Day,
    /// Shipments that were first recorded in it.
    pub(super) n_rows: usize,
    pub(super) rows: StoredObject,
    pub(super) versions: StoredObject,
    /// Snapshots of open shipments, if any are declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) snapshots: Option<StoredObject>,
    /// Versions that were recorded so long after their order that history does not count them.
    pub(super) late: usize,
}

impl StoredMonth {
    /// The month, verified.
    ///
    /// # Errors
    /// If it is not what was written.
    pub(crate) fn read(&self, context: &RunContext<'_>) -> Result<Month> {
        let snapshots = self.snapshots.as_ref().map(|object| object.read(context)).transpose()?;
        let (rows, versions) = (self.rows.read(context)?, self.versions.read(context)?);
        Ok(Month::read(&rows, &versions, snapshots.as_deref())?)
    }

    /// The same without snapshots, verified.
    ///
    /// # Errors
    /// If it is not what was written.
    pub(crate) fn read_rows(&self, context: &RunContext<'_>) -> Result<Month> {
        Ok(Month::read(&self.rows.read(context)?, &self.versions.read(context)?, None)?)
    }

    /// The same without features, verified.
    ///
    /// # Errors
    /// If it is not what was written.
    pub(crate) fn read_outcomes(&self, context: &RunContext<'_>) -> Result<Month> {
        Ok(Month::read_outcomes(&self.rows.read(context)?, &self.versions.read(context)?)?)
    }

    fn objects(self) -> impl Iterator<Item = StoredObject> {
        [self.rows, self.versions].into_iter().chain(self.snapshots)
    }

    /// Its shipments.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Its versions that history does not count.
    pub(crate) fn late(&self) -> usize {
        self.late
    }
}

/// The form of the list of what is stored.
pub(super) const STATE: Schema = Schema { name: "state", version: 2 };

/// The list of what is stored after a night.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredState {
    /// The day after the last one that was ingested.
    pub(super) until: Day,
    pub(super) months: Vec<StoredMonth>,
    /// Pages of running totals, by month.
    pages: Vec<StoredObject>,
    /// Files of the history state, by name.
    files: BTreeMap<String, StoredObject>,
}

impl StoredState {
    fn list(self) -> StateList {
        let months = self.months.into_iter().flat_map(StoredMonth::objects);
        let objects = months.chain(self.pages).chain(self.files.into_values());
        StateList { until: self.until, objects: objects.collect() }
    }

    pub(super) fn empty() -> Self {
        Self {
            until: Day::since_epoch(0),
            months: Vec::new(),
            pages: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// The history state that was saved.
    pub(super) fn restore(
        &self,
        context: &RunContext<'_>,
        declared: &Declaration,
    ) -> Result<HistoryState> {
        let months: Vec<Day> = self.months.iter().map(|month| month.first_day).collect();
        let files = self.files.par_iter();
        let files = files.map(|(name, object)| Ok((name.clone(), object.read(context)?)));
        let files = files.collect::<Result<BTreeMap<String, Bytes>>>()?;
        Ok(HistoryState::restore(declared, self.until, &months, &files)?)
    }

    /// The page of a month.
    pub(super) fn page(&self, context: &RunContext<'_>, first_day: Day) -> Result<Bytes> {
        let mut pages = self.months.iter().zip(&self.pages);
        let page = pages.find(|(month, _)| month.first_day == first_day);
        let (_, page) = page.with_context(|| format!("no page of the month of {first_day}"))?;
        page.read(context)
    }

    /// Adds a month that was written, in place of what was built of it before.
    pub(super) fn replace_month(&mut self, (month, page): (StoredMonth, StoredObject)) {
        if self.months.last().is_some_and(|last| last.first_day == month.first_day) {
            self.months.pop();
            self.pages.pop();
        }
        self.months.push(month);
        self.pages.push(page);
    }

    /// Writes the files of the history state after the day before `until`.
    pub(super) fn write_files(
        &mut self,
        context: &RunContext<'_>,
        until: Day,
        files: StateFiles,
    ) -> Result<()> {
        let mut objects = Vec::new();
        let object = |(name, bytes): (String, Vec<u8>)| {
            (name, StoredObject::of("memory/", bytes.into(), &mut objects))
        };
        self.files = files.into_iter().map(object).collect();
        self.until = until;
        Ok(context.store.put_many(objects)?)
    }
}

/// A list of what is stored after a night, for whoever looks after the store.
#[derive(Debug)]
pub(crate) struct StateList {
    /// The day after the last one that was ingested.
    pub(crate) until: Day,
    objects: Vec<StoredObject>,
}

impl StateList {
    /// The objects that it lists, and their digests.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.objects.iter().map(|object| (object.path.as_str(), &object.digest))
    }
}

/// The lists in a store, by path, and those that are not as they were written.
///
/// # Errors
/// If the store cannot be listed.
pub(crate) fn stored_states(
    store: &Store,
) -> Result<Vec<(String, Result<StateList, store::Error>)>> {
    let listed = store.list("state/nights/")?.into_iter();
    let states = listed.filter_map(|entry| {
        let list = match store.get_sealed::<StoredState>(&entry.path, STATE) {
            Ok(found) => Ok(found?.0.list()),
            Err(error) => Err(error),
        };
        Some((entry.path, list))
    });
    Ok(states.collect())
}

/// The objects of the state that the output of a features stage lists.
///
/// # Errors
/// If it is no such output.
pub(crate) fn objects_of_months(months: &[u8]) -> Result<Vec<String>> {
    let months: Vec<StoredMonth> = serde_json::from_slice(months)?;
    Ok(months.into_iter().flat_map(StoredMonth::objects).map(|object| object.path).collect())
}

/// A day as a number, as it is in the output of the features stage.
mod days_since_epoch {
    use serde::{Deserialize, Deserializer, Serializer};
    use terms::Day;

    pub(super) fn serialize<S: Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(day.days_since_epoch())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        i32::deserialize(deserializer).map(Day::since_epoch)
    }
}
