//! The state of history: what one night learned, so that the next one reads one day.
//!
//! ```text
//! state/nights/<id>.json               what was known after a day, written last
//! state/{rows,versions}/<month>-<digest>.parquet   what the month brought
//! state/pages/<month>-<digest>.parquet             its running totals
//! state/memory/<digest>.parquet                    what can still change
//! ```
//!
//! A night's id is a digest of the code, the declaration and the findings of the check on every day
//! up to it. So a partition that was altered, or came late, leads back to the last night before it,
//! and everything else is named by its content: nothing is ever written over something else.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use features::{Declaration, Memory, Month, Saved, by_month, month_of};
use polars::prelude::PlHashSet;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use terms::{Digest, Fingerprint};

use crate::stage::{CODE_VERSION, RunContext};
use crate::stages::check::Checked;

/// Something that is kept, named by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    path: String,
    digest: Digest,
}

/// What a month brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Its first day, since the epoch.
    first_day: i32,
    /// Shipments that were first recorded in it.
    n_rows: usize,
    rows: Kept,
    versions: Kept,
    /// Versions that came so long after their order that history does not count them.
    late: usize,
}

/// What is known after a night.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    schema_version: u32,
    /// The day after the last one that was learned, since the epoch.
    until: i32,
    months: Vec<Written>,
    /// By month.
    pages: Vec<Kept>,
    /// Files of the memory.
    memory: BTreeMap<String, Kept>,
}

/// How history was brought up to the as-of.
pub(crate) struct History {
    /// Every month, in the order of time.
    pub(crate) months: Vec<Written>,
    /// Days that were learned now.
    pub(crate) days: i32,
}

/// Learns what the last night that is still true did not know.
///
/// # Errors
/// If a table cannot be read as it was checked, or the state is not what was written.
pub(crate) fn bring_up(
    context: &RunContext<'_>,
    checked: &Checked,
    declared: &Declaration,
) -> Result<History> {
    let nights = Nights::of(checked, declared)?;
    let last = if context.force { None } else { nights.last_known(context)? };
    let (mut memory, mut state) = match last {
        Some(state) => (state.restore(context, declared)?, state),
        None => (Memory::new(declared)?, State::nothing()),
    };
    let Some(days) = nights.days() else { return Ok(History { months: Vec::new(), days: 0 }) };
    let new = memory.until().unwrap_or(days.start)..days.end;
    // The last month that was learned: it is written while the next one is learned.
    let mut unwritten: Option<LearnedMonth> = None;
    for days in by_month(new.clone()) {
        let (learned, written) = rayon::join(
            || LearnedMonth::of(context, checked, &mut memory, (&state, unwritten.as_ref()), &days),
            || unwritten.as_ref().map(|month| month.write(context)).transpose(),
        );
        written?.into_iter().for_each(|written| state.take(written));
        memory.put_pages_aside();
        let learned = learned?;
        if is_worth_a_night(&days, new.end) {
            let (written, saved) = rayon::join(|| learned.write(context), || memory.save());
            state.take(written?);
            state.keep(context, days.end, saved?)?;
            nights.write(context, days.end, &state)?;
            unwritten = None;
        } else {
            unwritten = Some(learned);
        }
    }
    Ok(History { months: state.months, days: new.len() as i32 })
}

/// A month as far as it was learned.
struct LearnedMonth {
    first_day: i32,
    month: Month,
    page: Vec<u8>,
    late: usize,
}

impl LearnedMonth {
    /// What `days` brought, and what earlier days of their month had brought. `unwritten` is the
    /// month before, if it is not in the state yet.
    fn of(
        context: &RunContext<'_>,
        checked: &Checked,
        memory: &mut Memory,
        (state, unwritten): (&State, Option<&Self>),
        days: &Range<i32>,
    ) -> Result<Self> {
        let first_day = month_of(days.start);
        let last = state.months.last().filter(|last| last.first_day == first_day);
        let (before, tables) = rayon::join(
            || last.map(|last| last.read(context)).transpose(),
            || checked.read_days(context, days),
        );
        let tables = tables?;
        let strangers = memory.strangers(&tables)?;
        let mut forgotten = PlHashSet::default();
        if !strangers.is_empty() {
            for month in &state.months {
                forgotten.extend(month.read(context)?.orders_among(&strangers)?);
            }
            if let Some(before) = unwritten {
                forgotten.extend(before.month.orders_among(&strangers)?);
            }
        }
        for month in memory.learn(&tables, days.clone(), &forgotten)? {
            memory.recall(month, &state.page(context, month)?)?;
        }
        drop(tables);
        let learned = memory.features()?;
        let month = before?.unwrap_or_default().and(learned.month)?.in_order()?;
        let late = learned.late + last.map_or(0, |last| last.late);
        Ok(Self { first_day, month, page: memory.page(first_day)?, late })
    }

    fn write(&self, context: &RunContext<'_>) -> Result<(Written, Kept)> {
        let mut objects = Vec::new();
        let of = terms::Day::since_epoch(self.first_day).to_string();
        let of = of.get(..7).unwrap_or_default();
        let mut keep = |kind: &str, bytes| Kept::of(format!("{kind}/{of}-"), bytes, &mut objects);
        let (rows, versions) = self.month.to_parquet()?;
        let written = Written {
            first_day: self.first_day,
            n_rows: self.month.n_rows(),
            rows: keep("rows", rows),
            versions: keep("versions", versions),
            late: self.late,
        };
        let page = keep("pages", self.page.clone());
        context.store.put_many(objects)?;
        Ok((written, page))
    }
}

impl Kept {
    /// Names what is to be written after its content, and puts it on the list.
    fn of(prefix: String, bytes: Vec<u8>, objects: &mut Vec<(String, Bytes)>) -> Self {
        let digest = Digest::of(&bytes);
        let path = format!("state/{prefix}{}.parquet", digest.short());
        objects.push((path.clone(), Bytes::from(bytes)));
        Self { path, digest }
    }

    /// What was written, verified.
    fn read(&self, context: &RunContext<'_>) -> Result<Bytes> {
        Ok(context.store.get_verified(&self.path, &self.digest)?)
    }
}

impl Written {
    /// The month, verified.
    ///
    /// # Errors
    /// If it is not what was written.
    pub(crate) fn read(&self, context: &RunContext<'_>) -> Result<Month> {
        Ok(Month::read(&self.rows.read(context)?, &self.versions.read(context)?)?)
    }

    /// Its shipments.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Its versions that came too late for history.
    pub(crate) fn late(&self) -> usize {
        self.late
    }
}

impl State {
    fn nothing() -> Self {
        Self {
            schema_version: 1,
            until: 0,
            months: Vec::new(),
            pages: Vec::new(),
            memory: BTreeMap::new(),
        }
    }

    fn restore(&self, context: &RunContext<'_>, declared: &Declaration) -> Result<Memory> {
        let months: Vec<i32> = self.months.iter().map(|month| month.first_day).collect();
        let files = self.memory.par_iter();
        let saved = files.map(|(name, kept)| Ok((name.clone(), kept.read(context)?)));
        let saved = saved.collect::<Result<BTreeMap<String, Bytes>>>()?;
        let mut memory = Memory::restore(declared, self.until, &months, &saved)?;
        if let Some(&month) = months.last() {
            memory.recall(month, &self.page(context, month)?)?;
        }
        Ok(memory)
    }

    fn page(&self, context: &RunContext<'_>, month: i32) -> Result<Bytes> {
        let pages = self.months.iter().zip(&self.pages);
        let page = pages.clone().find(|(written, _)| written.first_day == month);
        let (_, page) = page.with_context(|| format!("no page of the month of day {month}"))?;
        page.read(context)
    }

    /// Takes up a month that was written, in the place of what was known of it.
    fn take(&mut self, (written, page): (Written, Kept)) {
        if self.months.last().is_some_and(|last| last.first_day == written.first_day) {
            self.months.pop();
            self.pages.pop();
        }
        self.months.push(written);
        self.pages.push(page);
    }

    /// Keeps what can still change on `until` and later.
    fn keep(&mut self, context: &RunContext<'_>, until: i32, saved: Saved) -> Result<()> {
        let mut objects = Vec::new();
        let keep = |(name, bytes)| (name, Kept::of("memory/".to_owned(), bytes, &mut objects));
        self.memory = saved.into_iter().map(keep).collect();
        self.until = until;
        Ok(context.store.put_many(objects)?)
    }
}

/// Whether a later night may begin after `days`, of a build up to `end`: the last days, for the
/// next one; the months just before, in case a partition comes late; and half-years, for one that
/// comes very late or a build that was killed. The memory takes a second to write where a day has
/// thousands of shipments.
fn is_worth_a_night(days: &Range<i32>, end: i32) -> bool {
    let date = terms::Day::since_epoch(days.end).to_string();
    end - days.end <= 62 || date.get(5..) == Some("01-01") || date.get(5..) == Some("07-01")
}

/// Ids of the nights that end with each day on which something was recorded.
struct Nights(Vec<(i32, Digest)>);

impl Nights {
    fn of(checked: &Checked, declared: &Declaration) -> Result<Self> {
        let declared = serde_json::to_string(declared)?;
        let start = Fingerprint::new().with("code", CODE_VERSION).with("features", declared);
        let mut before = start.finish();
        let mut nights = Vec::new();
        for (day, found) in checked.found_by_day()? {
            before = Fingerprint::new()
                .with("before", before.as_str())
                .with("day", day.to_string())
                .with("found", found)
                .finish();
            nights.push((day, before.clone()));
        }
        Ok(Self(nights))
    }

    fn days(&self) -> Option<Range<i32>> {
        let ((first, _), (last, _)) = (self.0.first()?, self.0.last()?);
        Some(*first..*last + 1)
    }

    /// The state after the last of these nights that was learned once.
    fn last_known(&self, context: &RunContext<'_>) -> Result<Option<State>> {
        let written = context.store.list("state/nights/")?;
        let written: HashSet<&str> = written.iter().map(|entry| entry.path.as_str()).collect();
        for (place, (_, id)) in self.0.iter().enumerate().rev() {
            let path = night_path(id);
            if !written.contains(path.as_str()) {
                continue;
            }
            let bytes = context.store.get(&path)?;
            let state: State = serde_json::from_slice(&bytes).with_context(|| path)?;
            // A partition came late, of a day that was empty when the month was closed.
            let closed = self.0.get(place + 1).is_some_and(|(day, _)| *day < state.until);
            if !closed {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Writes the state after the last night before `until`.
    fn write(&self, context: &RunContext<'_>, until: i32, state: &State) -> Result<()> {
        let n = self.0.partition_point(|(day, _)| *day < until);
        let Some((_, id)) = n.checked_sub(1).map(|last| &self.0[last]) else { return Ok(()) };
        Ok(context.store.put(&night_path(id), serde_json::to_vec(state)?.into())?)
    }
}

fn night_path(id: &Digest) -> String {
    format!("state/nights/{}.json", id.short())
}
