//! Brings the stored history state up to the as-of, so that a night reads only its new days.
//!
//! ```text
//! state/nights/<id>.json               the list of what is stored after a day, written last
//! state/{rows,versions,snapshots}/<month>-<digest>.parquet   what was built of the month
//! state/pages/<month>-<digest>.parquet             its running totals
//! state/memory/<digest>.parquet                    orders and shipments that can still change
//! ```
//!
//! The id of a state is a digest of the code, the declaration with the limits of the network, and the
//! findings of the check on each
//! day up to it. So a partition that was altered, or came late, leads back to the last state before
//! it. Everything else is named by its content: nothing is ever written over something else.

mod state_ids;
mod stored;

use std::ops::Range;

use anyhow::Result;
use bytes::Bytes;
use chrono::Datelike as _;
use features::{Declaration, HistoryState, Month, MonthFiles, MonthStore, by_month};
use polars::prelude::PlHashSet;
use terms::Day;

use self::state_ids::StateIds;
use self::stored::{StoredObject, StoredState};
use crate::stage::RunContext;
use crate::stages::check::Checked;

pub(crate) use self::stored::{StateList, StoredMonth, objects_of_months, stored_states};

/// The months up to the as-of.
pub(crate) struct HistoryUpdate {
    /// Every month, in the order of time.
    pub(crate) months: Vec<StoredMonth>,
    /// How many days were ingested now.
    pub(crate) days: i32,
    /// Snapshots of what is open as of now, if any are declared.
    pub(crate) open: Option<Vec<u8>>,
}

/// Ingests the days after the last stored state that is still valid.
///
/// # Errors
/// If a table cannot be read as it was checked, or the state is not what was written.
pub(crate) fn update(
    context: &RunContext<'_>,
    checked: &Checked,
    declared: &Declaration,
) -> Result<HistoryUpdate> {
    let ids = StateIds::of(checked, declared)?;
    let is_built_anew = context.force || context.state_is_damaged;
    let last = if is_built_anew { None } else { ids.last_stored(context)? };
    let (mut state, mut stored) = match last {
        Some(stored) => (stored.restore(context, declared)?, stored),
        None => (HistoryState::new(declared)?, StoredState::empty()),
    };
    let Some(days) = ids.days() else {
        return Ok(HistoryUpdate { months: Vec::new(), days: 0, open: None });
    };
    let new = state.until().unwrap_or(days.start)..days.end;
    // The last month that was built: it is written while the next one is built.
    let mut unwritten: Option<BuiltMonth> = None;
    let n_days = new.end.days_since(new.start).max(0) as u64;
    for days in by_month(new.clone()) {
        let n_built = days.start.days_since(new.start).max(0) as u64;
        context.reporter.advance("features", (n_built, n_days), "days");
        let months = BuiltMonths { context, stored: &stored, unwritten: unwritten.as_ref() };
        let (built, written) = rayon::join(
            || BuiltMonth::build(&months, checked, &mut state, &days),
            || unwritten.as_ref().map(|month| month.write(context)).transpose(),
        );
        written?.into_iter().for_each(|written| stored.replace_month(written));
        let built = built?;
        state.evict_pages();
        if is_saved_after(days.end, new.end) {
            let (written, files) = rayon::join(|| built.write(context), || state.save());
            stored.replace_month(written?);
            stored.write_files(context, days.end, files?)?;
            ids.write(context, days.end, &stored)?;
            unwritten = None;
        } else {
            unwritten = Some(built);
        }
    }
    let months = BuiltMonths { context, stored: &stored, unwritten: None };
    let open = state.open_snapshots(context.as_of, &months)?;
    Ok(HistoryUpdate { months: stored.months, days: new.end.days_since(new.start), open })
}

/// Whether the state is saved after the day before `until`, of a build up to `end`. It is saved
/// after the last days, for the next night; in the two months before, in case a partition comes
/// late; and each half-year, for one that comes very late or a build that was killed. Saving takes
/// a second where a day has thousands of shipments.
fn is_saved_after(until: Day, end: Day) -> bool {
    end.days_since(until) <= 62 || is_half_year(until)
}

/// Whether a half-year begins with a day.
pub(crate) fn is_half_year(day: Day) -> bool {
    let date = day.date();
    date.day() == 1 && matches!(date.month(), 1 | 7)
}

/// The months that are built, in the store or about to be written to it.
struct BuiltMonths<'a> {
    context: &'a RunContext<'a>,
    stored: &'a StoredState,
    /// The month after those that are stored.
    unwritten: Option<&'a BuiltMonth>,
}

impl MonthStore for BuiltMonths<'_> {
    type Error = anyhow::Error;
    type Bytes = Bytes;

    fn page(&self, first_day: Day) -> Result<Bytes> {
        match self.unwritten {
            Some(month) if month.first_day == first_day => Ok(month.page.clone()),
            _ => self.stored.page(self.context, first_day),
        }
    }

    fn already_built(&self, ids: &PlHashSet<String>) -> Result<PlHashSet<String>> {
        let mut built = PlHashSet::default();
        for month in &self.stored.months {
            built.extend(month.read(self.context)?.orders_among(ids)?);
        }
        if let Some(unwritten) = self.unwritten {
            built.extend(unwritten.month.orders_among(ids)?);
        }
        Ok(built)
    }
}

/// A month as far as it is built.
struct BuiltMonth {
    first_day: Day,
    month: Month,
    page: Bytes,
    late: usize,
}

impl BuiltMonth {
    /// Advances the state by `days`, and adds what was built to the earlier days of their month.
    fn build(
        months: &BuiltMonths<'_>,
        checked: &Checked,
        state: &mut HistoryState,
        days: &Range<Day>,
    ) -> Result<Self> {
        let first_day = days.start.first_of_month();
        let last = months.stored.months.last().filter(|last| last.first_day == first_day);
        let (earlier_days, tables) = rayon::join(
            || last.map(|last| last.read(months.context)).transpose(),
            || checked.read_days(months.context, days.clone()),
        );
        let update = state.advance(tables?, days.clone(), months)?;
        let month = earlier_days?.unwrap_or_default().followed_by(update.month)?.sorted()?;
        let late = update.late + last.map_or(0, |last| last.late);
        Ok(Self { first_day, month, page: state.page(first_day)?.into(), late })
    }

    fn write(&self, context: &RunContext<'_>) -> Result<(StoredMonth, StoredObject)> {
        let mut objects = Vec::new();
        let month = self.first_day.date().format("%Y-%m").to_string();
        let mut object = |kind: &str, bytes: Bytes| {
            StoredObject::of(&format!("{kind}/{month}-"), bytes, &mut objects)
        };
        let MonthFiles { rows, versions, snapshots } = self.month.to_parquet()?;
        let written = StoredMonth {
            first_day: self.first_day,
            n_rows: self.month.n_rows(),
            rows: object("rows", rows.into()),
            versions: object("versions", versions.into()),
            snapshots: snapshots.map(|bytes| object("snapshots", bytes.into())),
            late: self.late,
        };
        let page = object("pages", self.page.clone());
        context.store.put_many(objects)?;
        Ok((written, page))
    }
}
