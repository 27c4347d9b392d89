//! Weights by which the shipments whose outcome is known stand for those that are still open.
//!
//! Among the orders of the last weeks the delivered ones are the fast ones, so a mean over them is too
//! favourable, most of all to a forecast that is too early. A delivery after y hours is known with
//! probability G(y-), where G is the survival of the censoring time: a shipment's age at the as-of,
//! less the time that recording takes. It is weighted by 1 / G(y-), so that it stands for the slow
//! ones beside it that are open: inverse-probability-of-censoring weights. Open shipments have no
//! weight of their own, but where the question is only whether they were delivered within so many
//! hours, and they are known to have taken longer. [`CensoringSurvival`] has the sources.
//!
//! G is estimated for the orders of each four weeks by themselves, since the age of an order follows
//! from its day: otherwise the slow ones of a season long past, all of which are known, would stand for
//! the open ones of the last weeks.
//!
//! Limits: within four weeks delivery times must not depend on the day of the order. Nothing stands for
//! deliveries that take longer than the oldest of the four weeks is old.

use std::collections::BTreeMap;

use statistics::{Censored, CensoringSurvival};
use terms::{DAY_MICROS, Instant, Outcome};

/// No shipment stands for more than this, so that a few of the slowest cannot decide everything.
pub(crate) const WEIGHT_MAX: f64 = 20.0;

/// Orders of so many days have one distribution of censoring times.
const COHORT_DAYS: i64 = 28;

/// The weights of shipments, with a distribution of censoring times for each cohort of orders.
pub(crate) struct CensoringWeights {
    outcomes: Vec<Outcome>,
    /// For each shipment its cohort, from that of the first order on.
    cohorts: Vec<i64>,
    survivals: BTreeMap<i64, CensoringSurvival>,
}

/// Whether a shipment was delivered within so many hours, and its weight in such a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KnownWithin {
    pub(crate) delivered: bool,
    pub(crate) weight: f64,
}

impl CensoringWeights {
    /// Shapes: one time and outcome a shipment.
    pub(crate) fn of(outcomes: &[Outcome], ordered_at: &[Instant]) -> Self {
        let first = ordered_at.iter().min().copied().unwrap_or(Instant::MIN);
        let cohort = |at: &Instant| at.micros_since(first) / (COHORT_DAYS * DAY_MICROS);
        let cohorts: Vec<i64> = ordered_at.iter().map(cohort).collect();
        let mut values: BTreeMap<i64, Vec<Censored<f64>>> = BTreeMap::new();
        for (outcome, &cohort) in outcomes.iter().zip(&cohorts) {
            let Some((hours, observed)) = outcome.known() else { continue };
            let value = Censored { value: f64::from(hours), observed, weight: 1.0 };
            values.entry(cohort).or_default().push(value);
        }
        let survivals =
            values.iter().map(|(&cohort, values)| (cohort, CensoringSurvival::of(values)));
        let survivals = survivals.collect();
        Self { outcomes: outcomes.to_vec(), cohorts, survivals }
    }

    /// The probability that an outcome of a shipment's cohort is known after so many hours.
    fn known_after(&self, row: usize, hours: f64) -> f64 {
        self.survivals.get(&self.cohorts[row]).map_or(1.0, |survival| survival.before(hours))
    }

    /// The weight of a shipment before it is bounded; `None` if its outcome is not known.
    pub(crate) fn unbounded(&self, row: usize) -> Option<f64> {
        let hours = f64::from(self.outcomes[row].delivered()?);
        Some(1.0 / self.known_after(row, hours))
    }

    /// The weight of a shipment; `None` if its outcome is not known.
    pub(crate) fn weight(&self, row: usize) -> Option<f64> {
        self.unbounded(row).map(|weight| weight.min(WEIGHT_MAX))
    }

    /// Whether a shipment was delivered within `hours`; `None` if that is not known.
    pub(crate) fn within(&self, row: usize, hours: f64) -> Option<KnownWithin> {
        let (until, delivered) = match self.outcomes[row] {
            Outcome::Delivered(after) => (f64::from(after), f64::from(after) <= hours),
            Outcome::Censored(after) if f64::from(after) >= hours => (hours, false),
            Outcome::Censored(_) | Outcome::Excluded => return None,
        };
        let weight = (1.0 / self.known_after(row, until.min(hours))).min(WEIGHT_MAX);
        Some(KnownWithin { delivered, weight })
    }
}

/// The weight of each outcome among those of the same four weeks of orders, from 1 to 20; `None` where
/// it is not known. With these weights, means over the known outcomes estimate those over all that are
/// not excluded. Shapes: one time and outcome a shipment.
///
/// ```
/// use terms::Outcome::{Censored, Delivered};
///
/// let outcomes = [Delivered(30.0), Censored(40.0), Delivered(50.0)];
/// let weights = evaluate::censoring_weights(&outcomes, &[terms::Instant::from_micros(0); 3]);
/// assert_eq!(weights, [Some(1.0), None, Some(2.0)]);
/// ```
pub fn censoring_weights(outcomes: &[Outcome], ordered_at: &[Instant]) -> Vec<Option<f64>> {
    let weights = CensoringWeights::of(outcomes, ordered_at);
    (0..outcomes.len()).map(|row| weights.weight(row)).collect()
}

#[cfg(test)]
mod tests {
    use statistics::SplitMix64;
    use terms::Instant;
    use terms::Outcome::{Censored, Delivered, Excluded};

    use super::{CensoringWeights, KnownWithin, Outcome, WEIGHT_MAX, censoring_weights};
    use crate::metrics::metrics_of;
    use crate::{Forecast, Settings, Shipments};

    #[test]
    fn a_delivery_stands_for_those_that_were_open_before_it() {
        let outcomes = [Delivered(10.0), Censored(20.0), Excluded, Delivered(30.0)];
        let weights = censoring_weights(&outcomes, &together(4));
        assert_eq!(weights, [Some(1.0), None, None, Some(2.0)]);
        let many = [vec![Censored(5.0); 99], vec![Delivered(6.0)]].concat();
        assert_eq!(censoring_weights(&many, &together(100))[99], Some(WEIGHT_MAX));
        let unbounded = CensoringWeights::of(&many, &together(100)).unbounded(99).unwrap();
        assert_eq!(unbounded.round(), 100.0);
    }

    #[test]
    fn orders_of_long_ago_do_not_stand_for_those_of_the_last_weeks() {
        let day = |day: i64| Instant::from_micros(day * terms::DAY_MICROS);
        let ordered_at = [day(0), day(27), day(28), day(30)];
        let outcomes = [Delivered(10.0), Delivered(90.0), Censored(20.0), Delivered(30.0)];
        let weights = censoring_weights(&outcomes, &ordered_at);
        assert_eq!(weights, [Some(1.0), Some(1.0), None, Some(2.0)]);
    }

    #[test]
    fn an_open_shipment_is_known_to_have_taken_longer_than_its_age() {
        let outcomes = [Delivered(10.0), Censored(20.0), Delivered(30.0), Censored(40.0), Excluded];
        let weights = CensoringWeights::of(&outcomes, &together(5));
        let within = |hours: f64| [0, 1, 2, 3].map(|row| weights.within(row, hours));
        let known = |delivered, weight| Some(KnownWithin { delivered, weight });
        let early = [known(true, 1.0), known(false, 1.0), known(false, 1.0), known(false, 1.0)];
        assert_eq!(within(20.0), early);
        // One of three is not known any more, and two stand for it.
        assert_eq!(within(25.0), [known(true, 1.0), None, known(false, 1.5), known(false, 1.5)]);
        assert_eq!(within(35.0), [known(true, 1.0), None, known(true, 1.5), known(false, 1.5)]);
        assert_eq!(weights.within(4, 5.0), None);
    }

    /// The times of orders that were placed together.
    fn together(n: usize) -> Vec<Instant> {
        vec![Instant::from_micros(0); n]
    }

    /// Log-normal delivery times of 20,000 orders in 40 days, of which those are known that came within
    /// five days after: all of them, as known then, and the delivered ones alone.
    fn simulated() -> [Vec<Outcome>; 3] {
        let mut random = SplitMix64::new(11);
        let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let row = |row: usize| {
            let age = 24.0 * (5.0 + 40.0 * row as f64 / 20_000.0);
            let hours = 240.0 * (0.5 * normal()).exp();
            let [hours, age] = [hours, age].map(|hours| hours as f32);
            if hours <= age {
                [Delivered(hours), Delivered(hours), Delivered(hours)]
            } else {
                [Delivered(hours), Censored(age), Excluded]
            }
        };
        let rows: Vec<[Outcome; 3]> = (0..20_000).map(row).collect();
        std::array::from_fn(|which| rows.iter().map(|row| row[which]).collect())
    }

    #[test]
    fn with_weights_metrics_are_those_of_all_where_delivered_ones_alone_are_far_off() {
        let forecast = Forecast {
            name: "early".into(),
            hours: vec![[90.0, 105.0, 140.0, 175.0, 200.0, 225.0, 275.0, 350.0, 420.0]; 20_000],
            probability_over_2d: None,
            probability_by_day: Some(vec![
                std::array::from_fn(|day| (day as f32 / 20.0).min(1.0));
                20_000
            ]),
            ..Forecast::default()
        };
        let metrics = |outcomes: Vec<Outcome>| {
            let shipments = Shipments {
                ordered_at: vec![Instant::from_micros(0); outcomes.len()],
                promised_hours: vec![Some(250.0); outcomes.len()],
                outcomes,
                grain: terms::Grain::Instant,
                segments: Vec::new(),
            };
            let settings = Settings { rounds: 0, ..Settings::default() };
            let metrics = metrics_of(&shipments, &forecast, &settings).unwrap();
            [
                metrics.mean_pinball_hours,
                metrics.mae_hours,
                metrics.bias_hours,
                metrics.share_below[4],
                metrics.by_day.as_ref().unwrap().at[5].brier,
                metrics.by_day.as_ref().unwrap().at[19].brier,
                metrics.promise.unwrap().on_time_share,
            ]
        };
        let [all, known, delivered] = simulated().map(metrics);
        for (metric, all) in all.into_iter().enumerate() {
            let off = |found: f64| (found / all - 1.0).abs();
            let (weighted, alone) = (off(known[metric]), off(delivered[metric]));
            assert!(weighted < 0.03, "{metric}: {weighted} off, {alone} without weights");
            assert!(alone > 0.08, "{metric}: {weighted} off, {alone} without weights");
        }
    }
}
