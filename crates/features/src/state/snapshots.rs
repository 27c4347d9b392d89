//! Snapshots from history state: which are taken, and their columns as of their night.

use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;
use terms::{AsOf, Day, Instant, KeyIdx, ShipmentIdx, column};

use crate::Error;
use crate::columns::of_instants;
use crate::facts::PROMISE_FEATURE;
use crate::frame::PROMISED_HOURS;
use crate::history::{self, HistoryRows};
use crate::legs::{LegProgress, LegVersions};
use crate::parquet::to_parquet;
use crate::snapshots::{
    AGE_HOURS, FAILED_ATTEMPTS, HOURS_SINCE_FAILED_ATTEMPT, HOURS_SINCE_HANDOVER, HOURS_SINCE_LEG,
    HOURS_SINCE_RECORD, HOURS_TO_HANDOVER, LEG_MILE, LEGS_DONE, SNAPSHOT_AT, SnapshotDraw, sorted,
};
use crate::state::active_shipments::ActiveShipments;
use crate::state::history_state::HistoryState;
use crate::state::month_store::MonthStore;
use crate::timeline::{State, Version};

/// An open shipment at a moment.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Its position among the active ones.
    shipment: usize,
    at: Instant,
    /// What was recorded last.
    last: Version,
}

impl HistoryState {
    /// The nights of which snapshots are drawn, once `days` are ingested: those after each of them.
    pub(super) fn nights_sampled(&self, days: &Range<Day>) -> Vec<Day> {
        match self.declared.snapshots {
            Some(_) => Day::each(days.clone()).map(Day::next).collect(),
            None => Vec::new(),
        }
    }

    /// The snapshots of these nights: those that are drawn, and all of the shipments that are followed.
    pub(super) fn sampled_snapshots(&self, nights: &[Day]) -> Result<DataFrame, Error> {
        let (Some(declared), Some(active)) = (&self.declared.snapshots, &self.active) else {
            return Ok(DataFrame::default());
        };
        let of_shipment = |shipment: usize| {
            let draw = SnapshotDraw::of(&active.shipments.ids[shipment]);
            let is_kept =
                move |night: &&Day| draw.is_followed() || draw.is_drawn(**night, declared);
            // Of most shipments nothing has been recorded for long: they are delivered.
            let closed_on = closed_on(active, shipment);
            let can_be_open = move |night: &&Day| closed_on.is_none_or(|day| **night <= day);
            let drawn = nights.iter().filter(can_be_open).filter(is_kept);
            drawn.filter_map(move |night| open(active, shipment, night.start()))
        };
        let shipments: Vec<usize> = (0..active.shipments.len()).collect();
        let drawn = shipments.par_iter().flat_map_iter(|&shipment| of_shipment(shipment));
        self.columns_of(active, &drawn.collect::<Vec<Open>>())
    }

    /// The snapshots of all shipments that are open as of `at`, as Parquet; `None` if none are declared,
    /// or nothing was ingested. `store` has the months before.
    ///
    /// As of: what was ingested, recorded before `at`; history before its midnight, as far as days are
    /// ingested: on later ones, on which nothing was recorded, no time passes for it.
    ///
    /// # Errors
    /// If the store cannot read.
    pub fn open_snapshots<S: MonthStore>(
        &mut self,
        at: AsOf,
        store: &S,
    ) -> Result<Option<Vec<u8>>, S::Error> {
        if self.declared.snapshots.is_none() || self.active.is_none() {
            return Ok(None);
        }
        let months = self.months_read(&[at.instant().day()]);
        self.load_pages(months, store)?;
        let Some(active) = &self.active else { return Ok(None) };
        let all = 0..active.shipments.len();
        let open: Vec<Open> =
            all.filter_map(|shipment| open(active, shipment, at.instant())).collect();
        let columns = self.columns_of(active, &open)?;
        Ok(Some(to_parquet(sorted(&columns)?)?))
    }

    /// The columns of snapshots, with history as of each one's midnight.
    fn columns_of(&self, active: &ActiveShipments, open: &[Open]) -> Result<DataFrame, Error> {
        let shipments = &active.shipments;
        let days: Vec<Day> = open.iter().map(|open| open.at.day()).collect();
        let of_key = |keys: &Vec<KeyIdx>| open.iter().map(|open| keys[open.shipment]).collect();
        let keys: Vec<Vec<KeyIdx>> = shipments.keys.iter().map(of_key).collect();
        let rows = HistoryRows {
            plan: &self.plan,
            totals: &self.totals,
            keys: keys.iter().map(Vec::as_slice).collect(),
            days: &days,
        };
        let ids: StringChunked =
            open.iter().map(|open| Some(shipments.ids[open.shipment].as_str())).collect();
        let mut columns = vec![
            ids.with_name(column::SHIPMENT_ID.into()).into_column(),
            of_instants(SNAPSHOT_AT, open.iter().map(|open| open.at)),
        ];
        let mut add = |name: &str, hours: &dyn Fn(&Open) -> Option<f64>| {
            columns.push(of_numbers(name, open.iter().map(hours)));
        };
        let ordered_at = |open: &Open| shipments.ordered_at[open.shipment];
        let handed_over_at = |open: &Open| open.last.state.handed_over_at();
        add(AGE_HOURS, &|open| Some(open.at.hours_since(ordered_at(open))));
        add(HOURS_TO_HANDOVER, &|open| Some(handed_over_at(open)?.hours_since(ordered_at(open))));
        add(HOURS_SINCE_HANDOVER, &|open| Some(open.at.hours_since(handed_over_at(open)?)));
        add(HOURS_SINCE_RECORD, &|open| Some(open.at.hours_since(open.last.recorded_at)));
        let promised_hours = |open: &Open| {
            let order = shipments.orders[open.shipment];
            Some(active.orders.promises.at(order, open.at)?.hours_since(ordered_at(open)))
        };
        add(PROMISED_HOURS, &promised_hours);
        if self.declared.promise {
            add(PROMISE_FEATURE, &promised_hours);
        }
        if self.declared.snapshots.as_ref().is_some_and(|declared| declared.legs) {
            columns.extend(columns_of_legs(&shipments.legs, open));
        }
        columns.extend(self.level_column(&days)?);
        columns.extend(history::columns(&rows, &self.declared)?);
        Ok(DataFrame::new(open.len(), columns)?)
    }
}

/// How far shipments have come by their legs, and attempts to deliver that failed.
fn columns_of_legs(legs: &LegVersions, open: &[Open]) -> [Column; 5] {
    let progress = |open: &Open| {
        let shipment = ShipmentIdx(open.shipment as u32);
        (open.at, legs.progress(shipment, open.at))
    };
    let progress: Vec<(Instant, LegProgress)> = open.iter().map(progress).collect();
    let column = |name: &str, number: fn(Instant, &LegProgress) -> Option<f64>| {
        of_numbers(name, progress.iter().map(|(at, progress)| number(*at, progress)))
    };
    [
        column(LEGS_DONE, |_, legs| Some(legs.n_arrived as f64)),
        column(HOURS_SINCE_LEG, |at, legs| Some(at.hours_since(legs.furthest?.0))),
        column(LEG_MILE, |_, legs| Some(legs.furthest?.1 as f64)),
        column(FAILED_ATTEMPTS, |_, legs| Some(legs.failed_attempts as f64)),
        column(HOURS_SINCE_FAILED_ATTEMPT, |at, legs| {
            Some(at.hours_since(legs.failed_attempt_at?))
        }),
    ]
}

/// A column of numbers, some of which may be missing.
fn of_numbers(name: &str, numbers: impl Iterator<Item = Option<f64>>) -> Column {
    let numbers: Vec<Option<f32>> = numbers.map(|number| Some(number? as f32)).collect();
    Column::new(name.into(), numbers)
}

/// A shipment at a moment, if it is open by what was recorded before. For longer than it takes until it is
/// lost it is not, from its order or from its first record.
fn open(active: &ActiveShipments, shipment: usize, at: Instant) -> Option<Open> {
    let versions = active.shipments.timelines.of(shipment);
    let n_known = versions.partition_point(|version| version.recorded_at < at);
    let last = versions[n_known.checked_sub(1)?];
    let ordered_at = active.shipments.ordered_at[shipment];
    let lost_after_days = active.limits.stock_days_max();
    if versions.first()?.day().plus(lost_after_days) < at.day() {
        return None;
    }
    let lost_after_hours = f64::from(lost_after_days) * 24.0;
    let is_open = match last.state {
        State::Waiting | State::HandedOver { .. } => {
            ordered_at < at && at.hours_since(ordered_at) <= lost_after_hours
        }
        State::Delivered { .. } | State::Excluded => false,
    };
    is_open.then_some(Open { shipment, at, last })
}

/// The day from whose end on a shipment is not open any more, as far as is recorded.
fn closed_on(active: &ActiveShipments, shipment: usize) -> Option<Day> {
    let last = active.shipments.timelines.of(shipment).last()?;
    match last.state {
        State::Delivered { .. } | State::Excluded => Some(last.day()),
        State::Waiting | State::HandedOver { .. } => None,
    }
}
