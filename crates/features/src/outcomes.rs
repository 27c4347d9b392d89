//! What was known of each delivery, as of any moment: labels for training and judging.

use terms::{AsOf, HOUR_MICROS, Instant, LOST_AFTER_HOURS, Outcome};

use crate::timeline::{State, Timelines};

/// Timelines of outcomes, one for each row of the feature frame.
pub struct Outcomes {
    ordered_at: Vec<i64>,
    timelines: Timelines,
}

impl Outcomes {
    pub(crate) fn new(ordered_at: Vec<i64>, timelines: Timelines) -> Self {
        Self { ordered_at, timelines }
    }

    /// Deliveries known before `as_of`: (row, when the delivery became known, hours).
    pub fn deliveries(&self, as_of: AsOf) -> Vec<(usize, i64, f32)> {
        (0..self.ordered_at.len())
            .filter_map(|row| {
                let versions = self.timelines.of(row);
                let last = *versions
                    [..versions.partition_point(|version| version.recorded_at < as_of.micros())]
                    .last()?;
                let at = last.state.delivered_at()?;
                let hours = Instant::from_micros(at)
                    .hours_since(Instant::from_micros(self.ordered_at[row]));
                Some((row, last.recorded_at, hours as f32))
            })
            .collect()
    }

    /// When each row was ordered, in microseconds since the epoch.
    pub fn ordered_at(&self) -> &[i64] {
        &self.ordered_at
    }

    /// The outcome of each row, as known at `as_of`.
    ///
    /// A row that is open then is known to take longer than its age less the time that it takes
    /// until a delivery is recorded: the 95th percentile of what was seen before `as_of`.
    ///
    /// As of: versions recorded before `as_of`.
    pub fn as_of(&self, as_of: AsOf) -> Vec<Outcome> {
        let lag = self.recording_lag_hours(as_of);
        (0..self.ordered_at.len()).map(|row| self.outcome(row, as_of, lag)).collect()
    }

    /// The 95th percentile of hours from delivery to its record, as known at `as_of`.
    pub fn recording_lag_hours(&self, as_of: AsOf) -> f64 {
        let mut lags: Vec<i64> = (0..self.ordered_at.len())
            .filter_map(|row| {
                let first_delivered = self
                    .timelines
                    .of(row)
                    .iter()
                    .find(|version| matches!(version.state, State::Delivered { .. }))?;
                match first_delivered.state {
                    State::Delivered { at, .. } if first_delivered.recorded_at < as_of.micros() => {
                        Some((first_delivered.recorded_at - at).max(0))
                    }
                    _ => None,
                }
            })
            .collect();
        if lags.is_empty() {
            return 0.0;
        }
        let at = (lags.len() - 1) * 95 / 100;
        let (_, lag, _) = lags.select_nth_unstable(at);
        *lag as f64 / HOUR_MICROS as f64
    }

    fn outcome(&self, row: usize, as_of: AsOf, lag_hours: f64) -> Outcome {
        let ordered_at = self.ordered_at[row];
        let versions = self.timelines.of(row);
        let known = versions.partition_point(|version| version.recorded_at < as_of.micros());
        let Some(last) = known.checked_sub(1).map(|last| versions[last]) else {
            return Outcome::Excluded;
        };
        if as_of.micros() <= ordered_at {
            return Outcome::Excluded;
        }
        match last.state {
            State::Gone => Outcome::Excluded,
            State::Delivered { at, .. } => Outcome::Delivered(
                Instant::from_micros(at).hours_since(Instant::from_micros(ordered_at)) as f32,
            ),
            State::Waiting | State::HandedOver { .. } => {
                let age = as_of.hours_since(Instant::from_micros(ordered_at));
                if age > LOST_AFTER_HOURS {
                    Outcome::Excluded
                } else {
                    Outcome::Censored((age - lag_hours).max(0.0) as f32)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Version;
    use terms::DAY_MICROS;

    #[test]
    fn an_outcome_is_what_was_known_and_no_more() {
        let version = |day: i64, state| Version { recorded_at: day * DAY_MICROS, state };
        let delivered =
            |hours: i64| State::Delivered { handed_over_at: None, at: hours * HOUR_MICROS };
        let outcomes = Outcomes {
            ordered_at: vec![0],
            timelines: Timelines {
                starts: vec![0, 4],
                versions: vec![
                    version(1, State::Waiting),
                    version(4, delivered(96)),
                    version(6, delivered(90)),
                    version(9, State::Gone),
                ],
            },
        };
        let known_on = |day: i64| outcomes.as_of(AsOf::from_micros(day * DAY_MICROS))[0];
        assert_eq!(known_on(1), Outcome::Excluded, "not recorded yet");
        assert_eq!(known_on(3), Outcome::Censored(72.0));
        assert_eq!(known_on(4), Outcome::Censored(96.0), "recorded at this very moment");
        assert_eq!(known_on(5), Outcome::Delivered(96.0));
        assert_eq!(known_on(7), Outcome::Delivered(90.0), "corrected");
        assert_eq!(known_on(10), Outcome::Excluded, "returned");
    }

    #[test]
    fn age_is_counted_only_up_to_where_deliveries_are_recorded() {
        let outcomes = Outcomes {
            ordered_at: vec![0, 0],
            timelines: Timelines {
                starts: vec![0, 1, 2],
                versions: vec![
                    Version {
                        recorded_at: 3 * DAY_MICROS,
                        state: State::Delivered { handed_over_at: None, at: 2 * DAY_MICROS },
                    },
                    Version { recorded_at: DAY_MICROS, state: State::Waiting },
                ],
            },
        };
        let known = outcomes.as_of(AsOf::from_micros(5 * DAY_MICROS));
        assert_eq!(known[1], Outcome::Censored(96.0));
    }
}
