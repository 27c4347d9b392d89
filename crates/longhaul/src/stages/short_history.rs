//! Whether a history is long enough for a hold-out, and what would do where it is not: other days of
//! the hold-out, or a later as-of.

use terms::{AsOf, Instant};

use crate::settings::Resolved;
use crate::stages::features::FeatureSet;

/// The deliveries of a history: when they were ordered, and when they became known.
pub(crate) struct KnownDeliveries {
    as_of: AsOf,
    /// In the order of time.
    ordered_at: Vec<Instant>,
    /// In the order of time.
    known_at: Vec<Instant>,
}

/// The days of a hold-out: how many it has, and how many lie between its end and the as-of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldoutDays {
    pub(crate) holdout: u32,
    pub(crate) maturity: u32,
}

/// A hold-out of fewer days is proposed only where no longer one would do.
const WEEK: u32 = 7;

impl KnownDeliveries {
    /// The deliveries that are known at `as_of`.
    pub(crate) fn of(feature_set: &FeatureSet, as_of: AsOf) -> Self {
        let deliveries = feature_set.outcomes.deliveries(as_of);
        let ordered_at = feature_set.outcomes.ordered_at();
        Self::new(
            as_of,
            deliveries.iter().map(|delivery| ordered_at[delivery.row]).collect(),
            deliveries.iter().map(|delivery| delivery.recorded_at).collect(),
        )
    }

    /// The deliveries ordered and known at these moments, in any order.
    pub(crate) fn new(
        as_of: AsOf,
        mut ordered_at: Vec<Instant>,
        mut known_at: Vec<Instant>,
    ) -> Self {
        ordered_at.sort_unstable();
        known_at.sort_unstable();
        Self { as_of, ordered_at, known_at }
    }

    /// The first midnight before which `n` deliveries are known, if there are so many.
    pub(crate) fn known_by(&self, n: usize) -> Option<AsOf> {
        let at = self.known_at.get(n.checked_sub(1)?)?;
        Some(AsOf::start_of(at.day().next()))
    }

    /// What would do for a hold-out, in words.
    pub(crate) fn way_out(&self, resolved: &Resolved, maturity: u32) -> String {
        let settings = &resolved.settings;
        let set = HoldoutDays { holdout: settings.evaluate.holdout_days, maturity };
        // Of so many deliveries models and baselines are made; so many are judged.
        let needed = (settings.train.rows_min, settings.evaluate.gates.rows_min);
        let HoldoutDays { holdout, maturity } = set;
        let mut text = format!(
            "a hold-out needs {} known deliveries (train.rows_min) before it and {} \
             (evaluate.gates.rows_min) within it; this one has evaluate.holdout_days = {holdout} and \
             ends evaluate.maturity_days = {maturity} before {}",
            needed.0, needed.1, self.as_of,
        );
        let days = self.days_that_would_do(set, needed);
        let later = self.later(set, needed.0);
        if let Some(HoldoutDays { holdout, maturity }) = days {
            text += &format!(
                ": for this history --set evaluate.holdout_days={holdout} \
                 --set evaluate.maturity_days={maturity} would do"
            );
        }
        match (later, days) {
            (Some(later), None) => text += &format!(": choose --as-of {later} or later"),
            (Some(later), Some(_)) => {
                text += &format!(", and with the settings as they are --as-of {later} or later");
            }
            (None, None) => {
                let n = self.known_at.len();
                text += &format!(": {n} are known at all, so import the tables of more days");
            }
            (None, Some(_)) => {}
        }
        text
    }

    /// Days of a hold-out for which the deliveries are enough, near to those that are set.
    fn days_that_would_do(&self, set: HoldoutDays, needed: (usize, usize)) -> Option<HoldoutDays> {
        let shortest = [WEEK.min(set.holdout), 1];
        shortest.into_iter().find_map(|shortest| {
            (1..=set.maturity).rev().find_map(|maturity| {
                let lengths = (shortest..=set.holdout).rev();
                let mut days = lengths.map(|holdout| HoldoutDays { holdout, maturity });
                days.find(|days| self.is_enough(*days, needed))
            })
        })
    }

    fn is_enough(&self, days: HoldoutDays, (before, within): (usize, usize)) -> bool {
        let end = self.as_of.plus_days(-i64::from(days.maturity));
        let start = end.plus_days(-i64::from(days.holdout)).instant();
        let up_to = |times: &[Instant], moment| times.partition_point(|&at| at < moment);
        let known = up_to(&self.known_at, start);
        let judged = up_to(&self.ordered_at, end.instant()) - up_to(&self.ordered_at, start);
        known >= before && judged >= within
    }

    /// The as-of from which on the deliveries known today suffice before a hold-out of these days.
    fn later(&self, days: HoldoutDays, before: usize) -> Option<AsOf> {
        let start = self.known_by(before)?;
        let later = start.plus_days(i64::from(days.holdout) + i64::from(days.maturity));
        (later > self.as_of).then_some(later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::Day;

    /// Ten deliveries a day over so many days, each known two days after its order.
    fn history(days: i32) -> KnownDeliveries {
        let ordered = |day: i32| std::iter::repeat_n(Day::since_epoch(day).start(), 10);
        let ordered_at: Vec<Instant> = (0..days - 2).flat_map(ordered).collect();
        let known_at = ordered_at.iter().map(|at| at.plus_days(2)).collect();
        KnownDeliveries::new(AsOf::start_of(Day::since_epoch(days)), ordered_at, known_at)
    }

    #[test]
    fn days_are_proposed_that_are_near_to_those_set_and_enough() {
        let set = HoldoutDays { holdout: 28, maturity: 20 };
        let proposed = |days| history(days).days_that_would_do(set, (100, 50));
        assert_eq!(proposed(60), Some(set));
        // Twelve days until a hundred are known, a week to judge; the rest to mature.
        assert_eq!(proposed(30), Some(HoldoutDays { holdout: 7, maturity: 11 }));
        assert_eq!(proposed(20), Some(HoldoutDays { holdout: 7, maturity: 1 }));
        assert_eq!(proposed(19), Some(HoldoutDays { holdout: 5, maturity: 2 }));
        assert_eq!(proposed(17), None);
        for days in 19..60 {
            let proposed = proposed(days).expect("days");
            assert!(history(days).is_enough(proposed, (100, 50)), "{days}: {proposed:?}");
        }
    }

    #[test]
    fn a_later_as_of_is_named_if_enough_will_have_been_known_by_then() {
        let set = HoldoutDays { holdout: 28, maturity: 20 };
        let day = |day| AsOf::start_of(Day::since_epoch(day));
        assert_eq!(history(30).known_by(100), Some(day(12)));
        assert_eq!(history(30).later(set, 100), Some(day(60)));
        assert_eq!(history(70).later(set, 100), None);
        assert_eq!(history(5).later(set, 100), None);
    }
}
