//! History counted by its definition, record by record and for each row anew: what the features
//! must be equal to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use statistics::{AgeInterval, life_table_quantile, life_table_share};
use terms::{Day, Instant};

use crate::columns::{instants, integers, required_instants, required_integers, texts};
use crate::timeline::{State, Version, states};
use crate::{Frame, Limits, Tables};

/// Everything that was recorded of each row.
pub(super) struct Records {
    rows: Vec<Row>,
    lost_after_days: i32,
}

struct Row {
    ordered_at: Instant,
    /// The day before which history counts.
    history_before: Day,
    /// The day of the first record.
    first_day: Day,
    /// By time.
    versions: Vec<Version>,
    /// By time.
    legs: Vec<LegRecord>,
    /// What was promised, and when it was recorded, by time.
    promises: Vec<(Instant, Option<Instant>)>,
}

struct LegRecord {
    recorded_at: Instant,
    index: i64,
    /// Its arrival, if it has arrived.
    arrived: Option<ArrivedLeg>,
    failed_attempts: Option<i64>,
    failed_attempt_at: Option<Instant>,
}

/// The arrival of a leg.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrivedLeg {
    pub(super) at: Instant,
    /// 0 first, 1 middle, 2 last.
    pub(super) mile: usize,
}

/// A record of an order.
struct OrderRecord {
    at: Instant,
    is_cancelled: bool,
    promised_at: Option<Instant>,
}

impl Records {
    pub(super) fn of(tables: &Tables, frame: &Frame, limits: Limits) -> Self {
        let (lost_after_days, history_days) =
            (i32::from(limits.lost_after_days), i32::from(limits.history_days));
        let ids = frame.texts("shipment_id").unwrap();
        let order_ids = frame.texts("order_id").unwrap();
        let ordered_at = frame.ordered_at().unwrap();
        let recorded_at = required_instants(frame.frame(), "recorded_at").unwrap();
        let row = |row: usize| {
            let first_recorded_at = recorded_at[row];
            let of_order = order_records(tables, order_ids[row].as_deref());
            let order_first = first_record(&of_order, first_recorded_at, history_days);
            let counts_until = order_first.day().plus(history_days);
            let id = ids[row].as_deref();
            let mut versions = versions(tables, id, first_recorded_at);
            let counts = |at: Instant| at >= order_first && at.day() < counts_until;
            let counted = || of_order.iter().filter(|record| counts(record.at));
            for record in counted().filter(|record| record.is_cancelled) {
                versions.push((record.at.max(first_recorded_at), 1, State::Excluded));
            }
            versions.retain(|(at, ..)| at.day() < counts_until);
            versions.sort_by_key(|(at, source, _)| (*at, *source));
            let version = |(recorded_at, _, state)| Version { recorded_at, state };
            Row {
                ordered_at: ordered_at[row],
                history_before: ordered_at[row].min(first_recorded_at).day(),
                first_day: first_recorded_at.day(),
                versions: versions.into_iter().map(version).collect(),
                legs: legs(tables, id, first_recorded_at.day()..counts_until),
                promises: counted().map(|record| (record.at, record.promised_at)).collect(),
            }
        };
        Self { rows: (0..ids.len()).map(row).collect(), lost_after_days }
    }

    /// The day before which the history of a row counts.
    pub(super) fn history_before(&self, row: usize) -> Day {
        self.rows[row].history_before
    }

    /// One if the delivery was recorded before `day`.
    pub(super) fn delivered_before(&self, row: usize, day: Day) -> i64 {
        i64::from(matches!(self.state_before(row, day), Some(State::Delivered { .. })))
    }

    /// Whether the shipment was open at the start of `day`, and is not lost.
    pub(super) fn is_open_before(&self, row: usize, day: Day) -> bool {
        let state = self.state_before(row, day);
        let is_open = matches!(state, Some(State::Waiting | State::HandedOver { .. }));
        is_open && day <= self.rows[row].first_day.plus(self.lost_after_days)
    }

    /// Whether the delivery was checked on one of `days`, at an age of `age` days.
    pub(super) fn is_checked_on(&self, row: usize, age: i32, days: Range<Day>) -> bool {
        let checked_on = self.rows[row].ordered_at.day().plus(age);
        let state = self.state_before(row, checked_on);
        days.contains(&checked_on) && !matches!(state, None | Some(State::Excluded))
    }

    /// How many legs of the last mile were recorded as arrived before `day`.
    pub(super) fn last_miles_before(&self, row: usize, day: Day) -> i64 {
        let known = self.rows[row].legs.iter().filter(|leg| leg.recorded_at.day() < day);
        let last: BTreeMap<i64, Option<ArrivedLeg>> =
            known.map(|leg| (leg.index, leg.arrived)).collect();
        last.values().flatten().filter(|arrived| arrived.mile == 2).count() as i64
    }

    /// The legs that were recorded as arrived before `at`, in the order of the journey.
    pub(super) fn legs_arrived_before(&self, row: usize, at: Instant) -> Vec<ArrivedLeg> {
        self.legs_before(row, at).into_iter().filter_map(|leg| leg.arrived).collect()
    }

    /// By when it was promised, as recorded before `at`.
    pub(super) fn promised_before(&self, row: usize, at: Instant) -> Option<Instant> {
        let promises = &self.rows[row].promises;
        promises.iter().rfind(|(recorded_at, _)| *recorded_at < at)?.1
    }

    /// How many attempts were recorded as failed before `at`, and when the last of them failed.
    pub(super) fn attempts_failed_before(&self, row: usize, at: Instant) -> (i64, Option<Instant>) {
        let legs = self.legs_before(row, at);
        let failed_at = legs.iter().filter_map(|leg| leg.failed_attempt_at).max();
        (legs.iter().filter_map(|leg| leg.failed_attempts).sum(), failed_at)
    }

    /// The legs as they were recorded before `at`, in the order of the journey.
    fn legs_before(&self, row: usize, at: Instant) -> Vec<&LegRecord> {
        let legs = &self.rows[row].legs;
        let indexes: BTreeSet<i64> = legs.iter().map(|leg| leg.index).collect();
        let last = |index: i64| legs.iter().rfind(|leg| leg.index == index && leg.recorded_at < at);
        indexes.into_iter().filter_map(last).collect()
    }

    /// The median of the life table of what was recorded on some days: of what is known after them
    /// less what was known before, hour by hour of age. `None` with fewer deliveries than so many.
    pub(super) fn median_of_period(&self, days: Range<Day>, deliveries_min: f64) -> Option<f64> {
        let oldest = f64::from(self.lost_after_days) * 24.0;
        let hour = |row: &Row, day: Day| {
            let known = row.versions.iter().rfind(|version| version.day() < day)?;
            let (end, is_delivered) = match known.state {
                State::Delivered { at, .. } => (at, true),
                State::Excluded => (known.recorded_at, false),
                State::Waiting | State::HandedOver { .. } => (day.start(), false),
            };
            Some((end.hours_since(row.ordered_at).clamp(0.0, oldest), is_delivered))
        };
        // Age intervals of 3 hours to four days, of 6 to twenty, of 24 to sixty, then of 72.
        let starts = (0..96).step_by(3).chain((96..480).step_by(6)).chain((480..1440).step_by(24));
        let starts =
            starts.chain((1440..).step_by(72)).take_while(|start| f64::from(*start) < oldest);
        let starts: Vec<f64> = starts.map(f64::from).collect();
        let ends: Vec<f64> = starts.iter().copied().skip(1).chain([oldest]).collect();
        let mut deliveries = 0.0;
        let mut table = Vec::new();
        for (start, end) in starts.into_iter().zip(ends) {
            let mut interval = AgeInterval { width: end - start, ..AgeInterval::default() };
            for row in &self.rows {
                for (day, sign) in [(days.start, -1.0), (days.end, 1.0)] {
                    let Some((until, is_delivered)) = hour(row, day) else { continue };
                    interval.at_risk += sign * (until.min(end) - start).max(0.0);
                    if is_delivered && until < oldest && (start..end).contains(&until) {
                        interval.events += sign;
                    }
                }
            }
            deliveries += interval.events;
            table.push(interval);
        }
        let share = (life_table_share(&table) / 0.9).min(1.0);
        (deliveries >= deliveries_min).then(|| life_table_quantile(&table, 0.5 * share)).flatten()
    }

    fn state_before(&self, row: usize, day: Day) -> Option<State> {
        let known = self.rows[row].versions.iter().rfind(|version| version.day() < day);
        known.map(|version| version.state)
    }
}

fn order_records(tables: &Tables, order_id: Option<&str>) -> Vec<OrderRecord> {
    let statuses = texts(&tables.orders, "status").unwrap();
    let ids = texts(&tables.orders, "order_id").unwrap();
    let recorded_at = required_instants(&tables.orders, "recorded_at").unwrap();
    let promised_at = instants(&tables.orders, "promised_at").unwrap();
    let mut records: Vec<OrderRecord> = (0..ids.len())
        .filter(|&row| ids.get(row) == order_id)
        .map(|row| OrderRecord {
            at: recorded_at[row],
            is_cancelled: statuses.get(row) == Some("cancelled"),
            promised_at: promised_at[row],
        })
        .collect();
    records.sort_by_key(|record| record.at);
    records
}

/// The first record of the order that a shipment belongs to: an order without a row that is
/// recorded again a month after it counts is a new one.
fn first_record(records: &[OrderRecord], shipment_first: Instant, history_days: i32) -> Instant {
    let mut first: Option<Instant> = None;
    for &OrderRecord { at, .. } in records {
        let is_new = first.is_none_or(|first| at.day() >= first.day().plus(history_days + 31));
        if is_new && at.day() <= shipment_first.day() {
            first = Some(at);
        }
    }
    first.unwrap()
}

/// Versions of a shipment from its first record on, with the order in which those of one instant
/// apply; cancellations of its order are not among them.
fn versions(tables: &Tables, id: Option<&str>, from: Instant) -> Vec<(Instant, u8, State)> {
    let ids = texts(&tables.shipments, "shipment_id").unwrap();
    let recorded_at = required_instants(&tables.shipments, "recorded_at").unwrap();
    let states = states(&tables.shipments).unwrap().into_iter().enumerate();
    let of_table = states.filter(|(row, _)| ids.get(*row) == id && recorded_at[*row] >= from);
    let of_quarantine = (tables.quarantined.iter())
        .filter(|version| Some(version.shipment_id.as_str()) == id && version.recorded_at >= from);
    (of_table.map(|(row, state)| (recorded_at[row], 0, state)))
        .chain(of_quarantine.map(|version| (version.recorded_at, 2, State::Excluded)))
        .collect()
}

fn legs(tables: &Tables, id: Option<&str>, days: Range<Day>) -> Vec<LegRecord> {
    let ids = texts(&tables.legs, "shipment_id").unwrap();
    let recorded_at = required_instants(&tables.legs, "recorded_at").unwrap();
    let indexes = required_integers(&tables.legs, "leg_index").unwrap();
    let miles = texts(&tables.legs, "mile").unwrap();
    let arrived_at = instants(&tables.legs, "arrived_at").unwrap();
    let failed_attempts = integers(&tables.legs, "failed_attempts").unwrap();
    let failed_attempt_at = instants(&tables.legs, "failed_attempt_at").unwrap();
    let mile =
        |row: usize| ["first", "middle", "last"].iter().position(|m| Some(*m) == miles.get(row));
    let mut legs: Vec<LegRecord> = (0..ids.len())
        .filter(|&row| ids.get(row) == id && days.contains(&recorded_at[row].day()))
        .map(|row| LegRecord {
            recorded_at: recorded_at[row],
            index: indexes[row],
            arrived: arrived_at[row].zip(mile(row)).map(|(at, mile)| ArrivedLeg { at, mile }),
            failed_attempts: failed_attempts.get(row),
            failed_attempt_at: failed_attempt_at[row],
        })
        .collect();
    legs.sort_by_key(|leg| (leg.recorded_at, leg.index));
    legs
}
