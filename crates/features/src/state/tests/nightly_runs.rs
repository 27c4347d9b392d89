//! Nightly runs in tests: history state advanced in pieces, with a store of bytes in memory.

use std::collections::BTreeMap;
use std::ops::Range;

use polars::prelude::{BooleanChunked, DataFrame, PlHashSet};
use terms::{AsOf, Day};

use super::fixture::Draws;
use crate::columns::required_instants;
use crate::parquet::from_parquet;
use crate::snapshots::SNAPSHOT_AT;
use crate::{
    Declaration, Error, Frame, HistoryState, Limits, Month, MonthFiles, MonthStore, Outcomes,
    StateFiles, Tables, assemble, by_month,
};

/// What a store has after some nights, as bytes. Months are by their first day.
#[derive(Default)]
pub(super) struct NightlyStore {
    pub(super) months: BTreeMap<Day, MonthFiles>,
    pub(super) pages: BTreeMap<Day, Vec<u8>>,
    files: StateFiles,
}

impl MonthStore for NightlyStore {
    type Error = Error;
    type Bytes = Vec<u8>;

    fn page(&self, first_day: Day) -> Result<Vec<u8>, Error> {
        self.pages.get(&first_day).cloned().ok_or(Error::PageMissing { month: first_day })
    }

    fn already_built(&self, ids: &PlHashSet<String>) -> Result<PlHashSet<String>, Error> {
        let mut built = PlHashSet::default();
        for &first_day in self.months.keys() {
            built.extend(self.month(first_day).orders_among(ids)?);
        }
        Ok(built)
    }
}

impl NightlyStore {
    fn month(&self, first_day: Day) -> Month {
        let bytes = self.months.get(&first_day);
        let read = |files: &MonthFiles| {
            Month::read(&files.rows, &files.versions, files.snapshots.as_deref()).unwrap()
        };
        bytes.map(read).unwrap_or_default()
    }

    fn restore(&self, declared: &Declaration, until: Day) -> HistoryState {
        let months: Vec<Day> = self.pages.keys().copied().collect();
        HistoryState::restore(declared, until, &months, &self.files).unwrap()
    }

    fn advance(&mut self, state: &mut HistoryState, tables: &Tables, days: Range<Day>) {
        let of_days = tables.recorded(days.start.start()..days.end.start()).unwrap();
        let first_day = days.start.first_of_month();
        let update = state.advance(of_days, days, self).unwrap();
        let month = self.month(first_day).followed_by(update.month).unwrap().sorted().unwrap();
        self.months.insert(first_day, month.to_parquet().unwrap());
        self.pages.insert(first_day, state.page(first_day).unwrap());
        self.files = state.save().unwrap();
        state.evict_pages();
    }

    /// The snapshots of all nights.
    pub(super) fn all_snapshots(&self) -> DataFrame {
        let months = self.months.keys().map(|&first| self.month(first).snapshots);
        months.reduce(|all, more| all.vstack(&more).unwrap()).unwrap()
    }

    /// The snapshots as of a night.
    pub(super) fn snapshots(&self, night: AsOf) -> DataFrame {
        let all = self.all_snapshots();
        let at = required_instants(&all, SNAPSHOT_AT).unwrap();
        let is_of_night = at.into_iter().map(|at| at == night.instant());
        all.filter(&is_of_night.collect::<BooleanChunked>()).unwrap()
    }

    pub(super) fn assemble(&self, limits: Limits) -> (Frame, Outcomes) {
        let mut months: Vec<Month> = self.months.keys().map(|&first| self.month(first)).collect();
        assemble(&mut months, limits).unwrap()
    }
}

/// Advances by pieces of drawn lengths, on some nights from what the night before had saved.
pub(super) fn run(tables: &Tables, declared: &Declaration, seed: u64) -> NightlyStore {
    let days = tables.days().unwrap().unwrap();
    run_days(tables, declared, seed, days)
}

fn run_days(tables: &Tables, declared: &Declaration, seed: u64, days: Range<Day>) -> NightlyStore {
    let mut draws = Draws(seed);
    let (mut store, mut state) = (NightlyStore::default(), HistoryState::new(declared).unwrap());
    let mut start = days.start;
    while start < days.end {
        let end = start.plus(1 + draws.below(25) as i32).min(days.end);
        for days in by_month(start..end) {
            let until = days.end;
            store.advance(&mut state, tables, days);
            if draws.one_in(2) {
                state = store.restore(declared, until);
            }
        }
        start = end;
    }
    store
}

/// Snapshots of all that is open as of a night, by a state that has ingested the tables and the days up
/// to the night, also those at their end on which nothing was recorded: time passes on them.
pub(super) fn open_snapshots(
    tables: &Tables,
    declared: &Declaration,
    seed: u64,
    night: AsOf,
) -> DataFrame {
    let (first, until) = (tables.days().unwrap().unwrap().start, night.instant().day());
    let store = run_days(tables, declared, seed, first..until);
    let bytes = store.restore(declared, until).open_snapshots(night, &store).unwrap();
    from_parquet(&bytes.unwrap()).unwrap()
}
