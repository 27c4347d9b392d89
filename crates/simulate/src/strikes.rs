//! Strikes: when what would have been picked up or delivered is, where a carrier stands still for days.
//!
//! A fluid approximation of a queue that is served in its order: what was due in the strike, and what
//! comes after it, is done after its end at the rate of a day with overtime, until nothing waits. So
//! a week's strike is worked off in little more than a week, and what was due first is late by most.

use crate::calendar::DAY;
use crate::episode::{Episode, EpisodeKind, Scope};
use crate::load::{CAPACITY, OVERTIME};

/// Work done on a day with a backlog, as a multiple of an ordinary day's.
const CATCH_UP: f64 = CAPACITY * OVERTIME;

/// The strikes of a simulation, in the order of their first days.
#[derive(Debug, Default)]
pub(crate) struct Strikes(Vec<Strike>);

/// Units: seconds since the epoch, half-open.
#[derive(Debug)]
struct Strike {
    from: i64,
    until: i64,
    scope: Scope,
}

impl Strikes {
    /// Those among the episodes.
    pub(crate) fn new(episodes: &[Episode]) -> Self {
        let mut strikes: Vec<Strike> = episodes
            .iter()
            .filter(|episode| episode.kind == EpisodeKind::Strike)
            .map(|episode| {
                let (from, until) = episode.span();
                Strike { from: from * DAY, until: until * DAY, scope: episode.scope() }
            })
            .collect();
        strikes.sort_by_key(|strike| strike.from);
        Self(strikes)
    }

    /// When the carrier does in the region what it would have done at `at`; never before, never in a
    /// strike, and in the same order.
    pub(crate) fn delayed(&self, carrier: usize, region: usize, at: i64) -> i64 {
        self.of(carrier, region).fold(at, |at, strike| {
            if at < strike.from {
                return at;
            }
            let done = strike.until + ((at - strike.from) as f64 / CATCH_UP) as i64;
            done.max(at)
        })
    }

    /// The end of a strike of the carrier in the region, if `at` is in one.
    pub(crate) fn end(&self, carrier: usize, region: usize, at: i64) -> Option<i64> {
        let strikes = self.of(carrier, region);
        strikes.filter(|strike| (strike.from..strike.until).contains(&at)).map(|s| s.until).max()
    }

    fn of(&self, carrier: usize, region: usize) -> impl Iterator<Item = &Strike> {
        self.0.iter().filter(move |strike| strike.scope.has(carrier, region))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use terms::Day;

    use super::*;

    proptest! {
        #[test]
        fn of_any_strikes_none_sees_work_and_the_order_stays(
            strikes in proptest::collection::vec((0..60_i32, 1..20_u32), 0..5),
            mut at in proptest::collection::vec(-DAY..120 * DAY, 2..40),
        ) {
            let strikes = Strikes::new(&strikes.iter().map(|&(a, b)| strike(a, b)).collect::<Vec<_>>());
            at.sort_unstable();
            let done: Vec<i64> = at.iter().map(|&at| strikes.delayed(0, 0, at)).collect();
            prop_assert!(done.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(done.iter().zip(&at).all(|(done, at)| done >= at));
            prop_assert!(done.iter().all(|&done| strikes.end(0, 0, done).is_none()));
        }
    }

    fn strike(from: i32, days: u32) -> Episode {
        Episode {
            kind: EpisodeKind::Strike,
            from: Day::since_epoch(from),
            days: Some(days),
            factor: None,
            ramp_days: None,
            carrier: Some("kestrel".into()),
            region: None,
        }
    }

    #[test]
    fn what_is_due_in_a_strike_is_done_after_it_in_order_and_within_capacity() {
        let strikes = Strikes::new(&[strike(100, 7)]);
        let due: Vec<i64> = (90 * 24..130 * 24).map(|hour| hour * 3_600).collect();
        let done: Vec<i64> = due.iter().map(|&at| strikes.delayed(0, 0, at)).collect();
        for (&due, &done) in due.iter().zip(&done) {
            assert!(done >= due && !(100 * DAY..107 * DAY).contains(&done));
            // Nothing waits any more after 7 / (CATCH_UP - 1) days, eight and a half.
            let late = 100 * DAY..107 * DAY + 735_319;
            assert_eq!(done > due, late.contains(&due), "{due}");
            assert_eq!(strikes.delayed(1, 0, due), due, "another carrier");
        }
        assert!(done.windows(2).all(|pair| pair[0] < pair[1]));
        for day in 107..116 {
            let n_done = done.iter().filter(|at| at.div_euclid(DAY) == day).count();
            assert!((24..=44).contains(&n_done), "{n_done} hours' work on day {day}");
        }
    }

    #[test]
    fn a_strike_during_the_catch_up_delays_again() {
        let strikes = Strikes::new(&[strike(109, 3), strike(100, 7)]);
        for hour in 95 * 24..140 * 24 {
            let done = strikes.delayed(0, 0, hour * 3_600);
            assert_eq!(strikes.end(0, 0, done), None, "{hour}");
        }
        assert_eq!(strikes.end(0, 0, 109 * DAY), Some(112 * DAY));
        assert_eq!(strikes.end(0, 0, 107 * DAY), None);
    }
}
