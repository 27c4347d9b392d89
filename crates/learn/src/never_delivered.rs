//! Which share of the open shipments is never delivered: cancelled, returned, or lost at last.
//!
//! A shipment that is open is right-censored only if it will be delivered. The older it is the less
//! likely that is, and where a shop never says that it has given up, most of what has been open for
//! weeks is no slow delivery at all. What became of those that were open in the past says how many: those
//! of today count as delivered later or never in the same proportion, by age.
//!
//! Source: the share that is never delivered is the cured fraction of a mixture cure model, Farewell,
//! Biometrics 38(4), 1982; it is estimated from fates that are known, not from the shape of a tail.

use terms::{AsOf, Outcome};

/// So many moments of the past, a week from one to the next, are looked at.
const MOMENTS: i64 = 4;

/// Open shipments of a band of ages at least; of all at least, for anything to be said.
const ROWS_OF_BAND: usize = 100;

/// Shrinkage: a band of n shipments has the weight n / (n + this) beside all of them.
const SHRINK_ROWS: f64 = 10.0;

/// Bands of ages at most.
const BANDS_MAX: usize = 20;

/// The share of open shipments that is never delivered, by age.
pub(crate) struct NeverDelivered {
    /// The largest age of each band, ascending, and the share.
    bands: Vec<(f32, f64)>,
}

impl NeverDelivered {
    /// What is known of it at `moment`, at which `outcomes` are known; what is open for so many days is
    /// lost.
    pub(crate) fn of(
        moment: AsOf,
        outcomes: &[Outcome],
        outcomes_at: &dyn Fn(AsOf) -> Vec<Outcome>,
        lost_after_days: u32,
    ) -> Self {
        let mut fates = Vec::new();
        for week in 0..MOMENTS {
            let before = outcomes_at(moment.plus_days(-i64::from(lost_after_days) - 7 * week));
            for (then, now) in before.iter().zip(outcomes) {
                match (*then, now) {
                    (Outcome::Censored(age), Outcome::Delivered(_)) => fates.push((age, false)),
                    (Outcome::Censored(age), Outcome::Excluded) => fates.push((age, true)),
                    _ => {}
                }
            }
        }
        Self::of_fates(fates)
    }

    /// Of shipments that were open for so many hours: whether they were never delivered.
    fn of_fates(mut fates: Vec<(f32, bool)>) -> Self {
        if fates.len() < ROWS_OF_BAND {
            return Self { bands: Vec::new() };
        }
        fates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let never = |fates: &[(f32, bool)]| fates.iter().filter(|fate| fate.1).count() as f64;
        let of_all = never(&fates) / fates.len() as f64;
        let rows = fates.len().div_ceil((fates.len() / ROWS_OF_BAND).min(BANDS_MAX));
        let mut bands = Vec::new();
        let mut from = 0;
        while from < fates.len() {
            // Those of one age are in one band.
            let age = fates[(from + rows).min(fates.len()) - 1].0;
            let to = fates.partition_point(|fate| fate.0 <= age);
            let n = (to - from) as f64;
            let share = (never(&fates[from..to]) + SHRINK_ROWS * of_all) / (n + SHRINK_ROWS);
            bands.push((age, share));
            from = to;
        }
        Self { bands }
    }

    /// The share among shipments that have been open for so many hours; beyond the last band that of
    /// the last band.
    pub(crate) fn share(&self, age: f32) -> f64 {
        let at = self.bands.partition_point(|band| band.0 < age);
        self.bands.get(at).or(self.bands.last()).map_or(0.0, |band| band.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{Day, Instant};

    #[test]
    fn the_share_is_that_of_shipments_that_were_as_old() {
        let fates = (0..4000).map(|row| {
            let age = (row % 40) as f32 * 24.0;
            // Of those open for 20 days and more, three quarters.
            (age, row % 40 >= 20 && (row / 40) % 4 != 0)
        });
        let found = NeverDelivered::of_fates(fates.collect());
        assert!(found.share(24.0) < 0.05, "{}", found.share(24.0));
        for age in [21.0, 30.0, 39.0, 500.0] {
            assert!((found.share(24.0 * age) - 0.75).abs() < 0.06, "{age}: {}", found.share(age));
        }
        assert_eq!(NeverDelivered::of_fates(vec![(24.0, true); 20]).share(24.0), 0.0, "too few");
    }

    #[test]
    fn fates_are_of_those_that_were_open_so_long_ago_that_all_is_known() {
        let moment = AsOf::at(Instant::from_micros(0).plus_days(200));
        let now = [vec![Outcome::Excluded; 300], vec![Outcome::Delivered(900.0); 100]].concat();
        let outcomes_at = |at: AsOf| {
            assert!(at <= moment.plus_days(-60), "{at}");
            vec![Outcome::Censored(240.0); 400]
        };
        let found = NeverDelivered::of(moment, &now, &outcomes_at, 60);
        assert!((found.share(240.0) - 0.75).abs() < 1e-9);
        assert_eq!(Day::since_epoch(200).start(), moment.instant());
    }
}
