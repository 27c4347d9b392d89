//! The outcome of each shipment as known at any moment: labels for training and evaluation.

use terms::{AsOf, HOUR_MICROS, Instant, Outcome};

use crate::limits::Limits;
use crate::timeline::{State, Timelines, Version};

/// Timelines of outcomes, one for each row of the feature frame.
pub struct Outcomes {
    ordered_at: Vec<Instant>,
    timelines: Timelines,
    limits: Limits,
}

/// How many shipments of some time exceed limits of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exceeding {
    /// Deliveries that were first recorded in that time.
    pub delivered: usize,
    /// Those of them that took longer than [`Limits::lost_after_days`].
    pub after_lost: usize,
    /// Those of them that took longer than the last day of P(delivered by day).
    pub after_days_ahead: usize,
    /// Shipments of which anything was recorded in that time.
    pub recorded: usize,
    /// Those of them of which something was recorded [`Limits::history_days`] after their first
    /// record, or later.
    pub after_history: usize,
}

/// A delivery as known at some moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delivery {
    /// Its row in the feature frame.
    pub row: usize,
    /// When it, or its last correction, was recorded.
    pub recorded_at: Instant,
    /// Its delivery time. Units: hours from the order.
    pub hours: f32,
}

/// A shipment that is open as far as is known at some moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenShipment {
    /// Its row in the feature frame.
    pub row: usize,
    /// From its order to that moment.
    pub age_hours: f32,
    /// For how long it has been open for certain: its age less the
    /// [recording lag](Outcomes::recording_lag_hours).
    pub open_hours: f32,
    /// The latest one that was recorded.
    pub milestone: Milestone,
}

/// How far a shipment has come that is not delivered. Legs are no milestones here: what is stored of
/// outcomes has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// Ordered.
    Ordered,
    /// The carrier has custody.
    HandedOver,
}

impl Milestone {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::HandedOver => "handed_over",
        }
    }
}

impl Outcomes {
    pub(crate) fn new(ordered_at: Vec<Instant>, timelines: Timelines, limits: Limits) -> Self {
        Self { ordered_at, timelines, limits }
    }

    /// When each row was ordered.
    pub fn ordered_at(&self) -> &[Instant] {
        &self.ordered_at
    }

    /// The deliveries known at `as_of`, by row.
    pub fn deliveries(&self, as_of: AsOf) -> Vec<Delivery> {
        let delivery = |row: usize| {
            let last = self.last_known(row, as_of)?;
            let hours = last.state.delivered_at()?.hours_since(self.ordered_at[row]) as f32;
            Some(Delivery { row, recorded_at: last.recorded_at, hours })
        };
        (0..self.ordered_at.len()).filter_map(delivery).collect()
    }

    /// The outcome of each row, as known at `as_of`: an estimator's input.
    ///
    /// Deliveries take time to be recorded. Nearly all that happened until the 95th percentile of
    /// this lag before `as_of` are known, of later ones only those that were recorded quickly. So
    /// all rows are cut at that moment: what was delivered later is right-censored there, as is what
    /// is open.
    ///
    /// As of: versions recorded before `as_of`.
    pub fn as_of(&self, as_of: AsOf) -> Vec<Outcome> {
        let lag = self.recording_lag_hours(as_of);
        (0..self.ordered_at.len()).map(|row| self.outcome(row, as_of, lag)).collect()
    }

    /// The shipments that are open as far as is known at `as_of`, by row.
    ///
    /// As of: versions recorded before `as_of`.
    pub fn open(&self, as_of: AsOf) -> Vec<OpenShipment> {
        let lag = self.recording_lag_hours(as_of);
        let open = |row: usize| {
            let milestone = match self.last_known(row, as_of)?.state {
                State::Waiting => Milestone::Ordered,
                State::HandedOver { .. } => Milestone::HandedOver,
                State::Delivered { .. } | State::Excluded => return None,
            };
            let age_hours = as_of.hours_since(self.ordered_at[row]) as f32;
            match self.outcome(row, as_of, lag) {
                Outcome::Censored(open_hours) => {
                    Some(OpenShipment { row, age_hours, open_hours, milestone })
                }
                _ => None,
            }
        };
        (0..self.ordered_at.len()).filter_map(open).collect()
    }

    /// The time from each snapshot to the delivery of its row, as known at `as_of`; excluded if nothing is
    /// known of it yet. What was delivered by the moment of the snapshot, and recorded later, has no time
    /// left. Units: hours. Shapes: one row and one moment a snapshot.
    ///
    /// As of: versions recorded before `as_of`.
    pub fn remaining(&self, rows: &[usize], at: &[Instant], as_of: AsOf) -> Vec<Outcome> {
        let lag = self.recording_lag_hours(as_of);
        let left = |(&row, &at): (&usize, &Instant)| {
            let age = at.hours_since(self.ordered_at[row]);
            match self.outcome(row, as_of, lag) {
                _ if !as_of.knows(at) => Outcome::Excluded,
                Outcome::Delivered(hours) => {
                    Outcome::Delivered((f64::from(hours) - age).max(0.0) as f32)
                }
                Outcome::Censored(hours) if f64::from(hours) > age => {
                    Outcome::Censored((f64::from(hours) - age) as f32)
                }
                Outcome::Censored(_) | Outcome::Excluded => Outcome::Excluded,
            }
        };
        rows.iter().zip(at).map(left).collect()
    }

    /// Which shipments of the `days` before `as_of` exceed the limits, or were delivered later than
    /// `days_ahead` days after their order. It counts by when things were recorded: among recent orders
    /// the slow ones are open still.
    pub fn exceeding(&self, as_of: AsOf, days: i64, days_ahead: u32) -> Exceeding {
        let since = as_of.plus_days(-days).instant();
        let lost_after = f64::from(self.limits.lost_after_days) * 24.0;
        let mut found = Exceeding::default();
        for (row, ordered_at) in self.ordered_at.iter().enumerate() {
            let versions = self.timelines.of(row);
            let n_known = versions.partition_point(|version| as_of.knows(version.recorded_at));
            let known = &versions[..n_known];
            let recent = &known[known.partition_point(|version| version.recorded_at < since)..];
            let Some((first, last)) = known.first().zip(recent.last()) else { continue };
            let counts_until = first.day().plus(self.limits.history_days());
            found.recorded += 1;
            found.after_history += usize::from(last.day() >= counts_until);
            let mut deliveries = known.iter().filter_map(|v| Some((v, v.state.delivered_at()?)));
            if let Some((delivery, at)) = deliveries.next()
                && delivery.recorded_at >= since
            {
                let hours = at.hours_since(*ordered_at);
                found.delivered += 1;
                found.after_lost += usize::from(hours > lost_after);
                found.after_days_ahead += usize::from(hours > f64::from(days_ahead) * 24.0);
            }
        }
        found
    }

    /// The 95th percentile of hours from delivery to its first record, as known at `as_of`.
    pub fn recording_lag_hours(&self, as_of: AsOf) -> f64 {
        let lag = |row: usize| {
            let versions = self.timelines.of(row).iter();
            let mut delivered = versions.filter_map(|v| Some((v.state.delivered_at()?, v)));
            let (delivered_at, first) = delivered.next()?;
            let lag = first.recorded_at.micros_since(delivered_at);
            as_of.knows(first.recorded_at).then_some(lag.max(0))
        };
        let mut lags: Vec<i64> = (0..self.ordered_at.len()).filter_map(lag).collect();
        if lags.is_empty() {
            return 0.0;
        }
        let at = (lags.len() - 1) * 95 / 100;
        let (_, lag, _) = lags.select_nth_unstable(at);
        *lag as f64 / HOUR_MICROS as f64
    }

    fn outcome(&self, row: usize, as_of: AsOf, lag_hours: f64) -> Outcome {
        let ordered_at = self.ordered_at[row];
        let Some(last) = self.last_known(row, as_of) else { return Outcome::Excluded };
        if !as_of.knows(ordered_at) {
            return Outcome::Excluded;
        }
        let age = as_of.hours_since(ordered_at);
        let open_until = (age - lag_hours).max(0.0);
        let lost_after_hours = f64::from(self.limits.lost_after_days) * 24.0;
        match last.state {
            State::Excluded => Outcome::Excluded,
            State::Delivered { at, .. } => match at.hours_since(ordered_at) {
                hours if hours <= open_until => Outcome::Delivered(hours as f32),
                _ => Outcome::Censored(open_until as f32),
            },
            State::Waiting | State::HandedOver { .. } if age > lost_after_hours => {
                Outcome::Excluded
            }
            State::Waiting | State::HandedOver { .. } => Outcome::Censored(open_until as f32),
        }
    }

    /// The last version of a row that was recorded before `as_of`.
    fn last_known(&self, row: usize, as_of: AsOf) -> Option<Version> {
        let versions = self.timelines.of(row);
        let n_known = versions.partition_point(|version| as_of.knows(version.recorded_at));
        n_known.checked_sub(1).map(|last| versions[last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::Day;

    const EPOCH: Instant = Instant::from_micros(0);

    fn on(day: i32, state: State) -> Version {
        Version { recorded_at: Day::since_epoch(day).start(), state }
    }

    fn delivered(hours: i64) -> State {
        State::Delivered { handed_over_at: None, at: Instant::from_micros(hours * HOUR_MICROS) }
    }

    fn outcomes(timelines: &[&[Version]]) -> Outcomes {
        let mut all = Timelines::default();
        timelines.iter().for_each(|versions| all.push(versions.iter().copied()));
        Outcomes::new(vec![EPOCH; timelines.len()], all, Limits::default())
    }

    fn known_on(outcomes: &Outcomes, day: i32) -> Vec<Outcome> {
        outcomes.as_of(AsOf::start_of(Day::since_epoch(day)))
    }

    #[test]
    fn an_outcome_is_what_was_recorded_before_the_as_of_and_no_more() {
        let outcomes = outcomes(&[&[
            on(1, State::Waiting),
            on(4, delivered(96)),
            on(6, delivered(90)),
            on(9, State::Excluded),
        ]]);
        let known_on = |day| known_on(&outcomes, day)[0];
        assert_eq!(known_on(1), Outcome::Excluded, "not recorded yet");
        assert_eq!(known_on(3), Outcome::Censored(72.0));
        assert_eq!(known_on(4), Outcome::Censored(96.0), "recorded at this very moment");
        assert_eq!(known_on(5), Outcome::Delivered(96.0));
        assert_eq!(known_on(7), Outcome::Delivered(90.0), "corrected");
        assert_eq!(known_on(10), Outcome::Excluded, "returned");
    }

    #[test]
    fn what_remains_is_counted_from_the_snapshot() {
        let outcomes = outcomes(&[
            &[on(1, State::Waiting), on(5, delivered(96))],
            &[on(1, State::Waiting)],
            &[on(1, State::Waiting), on(4, State::Excluded)],
        ]);
        let after = |day: i64| Instant::from_micros(day * 24 * HOUR_MICROS);
        let remaining = |row, at, as_of| {
            outcomes.remaining(&[row], &[at], AsOf::start_of(Day::since_epoch(as_of)))[0]
        };
        assert_eq!(remaining(0, after(2), 8), Outcome::Delivered(48.0));
        // Delivered at 96 h, which is known a day later: no time is left at 108 h.
        assert_eq!(
            remaining(0, Instant::from_micros(108 * HOUR_MICROS), 8),
            Outcome::Delivered(0.0)
        );
        assert_eq!(remaining(0, after(2), 4), Outcome::Censored(48.0), "not known yet");
        // Open rows are cut 24 hours before, where deliveries are recorded.
        assert_eq!(remaining(1, after(2), 8), Outcome::Censored(120.0));
        assert_eq!(remaining(1, after(7), 8), Outcome::Excluded, "within the lag");
        assert_eq!(remaining(1, after(8), 8), Outcome::Excluded, "not taken yet");
        assert_eq!(remaining(2, after(2), 8), Outcome::Excluded);
    }

    #[test]
    fn the_milestone_of_an_open_shipment_is_the_latest_that_was_recorded() {
        let handed_over = State::HandedOver { at: EPOCH };
        let outcomes = outcomes(&[&[
            on(1, State::Waiting),
            on(4, handed_over),
            on(6, State::Waiting),
            on(8, delivered(96)),
        ]]);
        let known = |day| outcomes.open(AsOf::start_of(Day::since_epoch(day)));
        let milestones = [1, 3, 5, 7, 9].map(|day| known(day).first().map(|open| open.milestone));
        let expected = [None, Some("ordered"), Some("handed_over"), Some("ordered"), None];
        assert_eq!(milestones.map(|found| found.map(Milestone::name)), expected);
        assert_eq!(known(5)[0].age_hours, 120.0);
    }

    #[test]
    fn what_is_open_for_longer_than_the_network_takes_is_lost() {
        let mut outcomes = outcomes(&[&[on(1, State::Waiting), on(80, delivered(79 * 24))]]);
        let known = |outcomes: &Outcomes| [60, 61, 81].map(|day| known_on(outcomes, day)[0]);
        let open = |days: i32| Outcome::Censored(24.0 * days as f32);
        let delivered = Outcome::Delivered(79.0 * 24.0);
        assert_eq!(known(&outcomes), [open(60), Outcome::Excluded, delivered]);
        outcomes.limits.lost_after_days = 90;
        assert_eq!(known(&outcomes), [open(60), open(61), delivered]);
    }

    #[test]
    fn shipments_beyond_the_limits_are_counted_by_when_they_were_recorded() {
        let outcomes = outcomes(&[
            &[on(1, State::Waiting), on(80, delivered(79 * 24))],
            &[on(1, State::Waiting), on(80, delivered(50 * 24)), on(95, delivered(50 * 24))],
            &[on(70, State::Waiting), on(75, delivered(74 * 24))],
            &[on(1, State::Waiting), on(20, delivered(19 * 24)), on(91, State::Excluded)],
            &[on(1, State::Waiting), on(9, delivered(8 * 24))],
            &[on(1, State::Waiting), on(99, State::Waiting)],
        ]);
        let exceeding =
            |day, days| outcomes.exceeding(AsOf::start_of(Day::since_epoch(day)), days, 60);
        let expected = Exceeding {
            delivered: 3,
            after_lost: 2,
            after_days_ahead: 2,
            recorded: 5,
            after_history: 3,
        };
        assert_eq!(exceeding(100, 40), expected);
        let by_then = Exceeding { recorded: 3, after_history: 0, ..expected };
        assert_eq!(exceeding(81, 40), by_then, "before day 91 nothing is too late");
        let longer = outcomes.exceeding(AsOf::start_of(Day::since_epoch(100)), 40, 75);
        assert_eq!(longer, Exceeding { after_days_ahead: 1, ..expected });
        assert_eq!(exceeding(0, 40), Exceeding::default());
    }

    #[test]
    fn deliveries_and_open_rows_are_cut_where_deliveries_are_recorded() {
        let quickly_recorded = [on(1, State::Waiting), on(5, delivered(110))];
        let outcomes = outcomes(&[
            &[on(3, delivered(48))],
            &[on(1, State::Waiting)],
            &quickly_recorded,
            &[on(5, delivered(95))],
        ]);
        let as_of = AsOf::start_of(Day::since_epoch(6));
        // Of lags of 10, 24 and 25 hours the 95th percentile is 24: everything is cut at 144 - 24 hours.
        let known = outcomes.as_of(as_of);
        let expected = [Outcome::Delivered(48.0), Outcome::Censored(120.0)];
        assert_eq!(known[..2], expected);
        assert_eq!(known[2], Outcome::Delivered(110.0), "before the cut");
        let later = AsOf::at(Instant::from_micros(130 * HOUR_MICROS));
        assert_eq!(outcomes.as_of(later)[2], Outcome::Censored(106.0), "after the cut");
        let (age_hours, milestone) = (130.0, Milestone::Ordered);
        let open = OpenShipment { row: 1, age_hours, open_hours: 106.0, milestone };
        assert_eq!(outcomes.open(later), [open], "what is delivered is not open");
    }
}
