//! Slowdowns and speed-ups: how long hours of work take while the network's speed changes.
//!
//! Work goes on at 1 / factor of its usual speed, so a parcel that is on its way when an episode
//! begins or ends is slower or faster from that midnight (UTC) on, and not before.

use crate::calendar::{DAY, HOUR};
use crate::episode::{Episode, EpisodeKind, Scope};

/// The slowdowns and speed-ups of a simulation; where several are in force, factors multiply.
#[derive(Debug, Default)]
pub(crate) struct SpeedChanges(Vec<SpeedChange>);

#[derive(Debug)]
struct SpeedChange {
    /// Days since the epoch, half-open.
    days: (i64, i64),
    ramp_days: f64,
    /// The logarithm of the factor on hours.
    log_factor: f64,
    scope: Scope,
}

impl SpeedChange {
    /// The logarithm of the factor on the hours of a day since the epoch.
    fn log_factor_on(&self, day: i64) -> f64 {
        let (from, until) = self.days;
        if !(from..until).contains(&day) {
            return 0.0;
        }
        // The share of the ramp that is done at noon.
        let done = ((day - from) as f64 + 0.5) / self.ramp_days.max(0.5);
        self.log_factor * done.min(1.0)
    }
}

impl SpeedChanges {
    /// Those among the episodes.
    pub(crate) fn new(episodes: &[Episode]) -> Self {
        let changes = episodes.iter().filter(|episode| episode.kind != EpisodeKind::Strike);
        let change = |episode: &Episode| SpeedChange {
            days: episode.span(),
            ramp_days: f64::from(episode.ramp_days.unwrap_or(0)),
            log_factor: libm::log(episode.factor.unwrap_or(1.0)),
            scope: episode.scope(),
        };
        Self(changes.map(change).collect())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When a node of a region is done with so many hours of usual work that it begins at `at`.
    pub(crate) fn handled_at(&self, region: usize, at: i64, hours: f64) -> i64 {
        // What concerns one carrier does not concern nodes.
        self.done_at(at, hours, |scope| {
            scope.carrier.is_none() && scope.region.is_none_or(|wanted| wanted == region)
        })
    }

    /// When a carrier has brought to a region what takes so many hours usually and leaves at `at`.
    pub(crate) fn arrived_at(&self, carrier: usize, region: usize, at: i64, hours: f64) -> i64 {
        self.done_at(at, hours, |scope| scope.has(carrier, region))
    }

    fn done_at(&self, mut at: i64, hours: f64, concerns: impl Fn(Scope) -> bool) -> i64 {
        // Whole seconds, so that a day at the usual speed changes nothing.
        let mut left = ((hours * HOUR) as i64) as f64;
        let changes: Vec<_> = self.0.iter().filter(|change| concerns(change.scope)).collect();
        if changes.is_empty() {
            return at + left as i64;
        }
        loop {
            let day = at.div_euclid(DAY);
            let log_factor: f64 = changes.iter().map(|change| change.log_factor_on(day)).sum();
            let midnight = (day + 1) * DAY;
            let speed = libm::exp(-log_factor);
            let work = (midnight - at) as f64 * speed;
            if left <= work {
                return at + (left / speed) as i64;
            }
            left -= work;
            at = midnight;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::Day;

    use super::*;

    proptest! {
        #[test]
        fn work_in_two_parts_takes_as_long_as_at_once(
            factor in 0.1..10.0_f64, days in 1..30_u32, ramp_days in 0..40_u32,
            at in 0..40 * DAY, first in 0..400_u32, second in 0..400_u32,
        ) {
            let changes = changes(EpisodeKind::Slowdown, factor, Some(days), ramp_days);
            let done = |at, hours| changes.arrived_at(1, 0, at, f64::from(hours));
            let (at_once, in_two) = (done(at, first + second), done(done(at, first), second));
            // A second is lost by rounding, which is ten of work at most.
            prop_assert!((at_once - in_two).abs() <= 101, "{at_once} {in_two}");
            let hours = (at_once - at) as f64 / 3_600.0 / f64::from(first + second).max(1e-9);
            let within = [factor.min(1.0) - 1e-3, factor.max(1.0) + 1e-3];
            prop_assert!(first + second == 0 || (within[0]..within[1]).contains(&hours));
        }
    }

    const DAY_10: i64 = 10 * DAY;

    fn changes(kind: EpisodeKind, factor: f64, days: Option<u32>, ramp_days: u32) -> SpeedChanges {
        SpeedChanges::new(&[Episode {
            kind,
            from: Day::since_epoch(10),
            days,
            factor: Some(factor),
            ramp_days: Some(ramp_days),
            carrier: Some("longreach".into()),
            region: None,
        }])
    }

    #[test]
    fn hours_within_an_episode_are_multiplied_and_those_outside_are_not() {
        let slow = changes(EpisodeKind::Slowdown, 2.0, Some(2), 0);
        let hours = |at: i64, hours| (slow.arrived_at(1, 0, at, hours) - at) as f64 / HOUR;
        assert_eq!(hours(DAY_10 - 2 * DAY, 20.5), 20.5);
        assert_eq!(hours(DAY_10, 10.0), 20.0);
        // 6 hours before, 24 hours of work in two days, 4 hours after.
        assert_eq!(hours(DAY_10 - DAY / 4, 34.0), 6.0 + 48.0 + 4.0);
        assert_eq!(slow.arrived_at(0, 0, DAY_10, 10.0), DAY_10 + 36_000, "another carrier");
        assert_eq!(slow.handled_at(0, DAY_10, 10.0), DAY_10 + 36_000, "handling");
    }

    #[test]
    fn a_speedup_lasts_and_is_reached_over_its_ramp() {
        let fast = changes(EpisodeKind::Speedup, 0.6, None, 20);
        let hours = |day: i64| fast.arrived_at(1, 0, day * DAY, 10.0) - day * DAY;
        let by_day: Vec<i64> = (9..32).map(hours).collect();
        assert_eq!(by_day[0], 36_000);
        assert!(by_day.windows(2).all(|pair| pair[1] <= pair[0]), "{by_day:?}");
        assert!(by_day[1] > 35_000 && by_day[10] > 27_000, "{by_day:?}");
        assert_eq!((by_day[22], hours(4_000)), (21_600, 21_600));
    }
}
