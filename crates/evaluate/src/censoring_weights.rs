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
//! Limits: G is one for all shipments, so delivery times must not depend on how long ago the order
//! was; where a network became faster within the hold-out, the slow of its first weeks stand for the
//! open of the last ones. Nothing stands for deliveries that take longer than the oldest is old.

use statistics::{Censored, CensoringSurvival};
use terms::Outcome;

/// No shipment stands for more than this, so that a few of the slowest cannot decide everything.
pub(crate) const WEIGHT_MAX: f64 = 20.0;

/// The weights of shipments whose censoring times are from one distribution.
pub(crate) struct CensoringWeights(CensoringSurvival);

/// Whether a shipment was delivered within so many hours, and its weight in such a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KnownWithin {
    pub(crate) delivered: bool,
    pub(crate) weight: f64,
}

impl CensoringWeights {
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let value = |outcome: &Outcome| {
            let (hours, observed) = match *outcome {
                Outcome::Delivered(hours) => (hours, true),
                Outcome::Censored(hours) => (hours, false),
                Outcome::Excluded => return None,
            };
            Some(Censored { value: f64::from(hours), observed, weight: 1.0 })
        };
        let values: Vec<Censored<f64>> = outcomes.iter().filter_map(value).collect();
        Self(CensoringSurvival::of(&values))
    }

    /// The weight of a delivery after `hours`, before it is bounded.
    pub(crate) fn unbounded(&self, hours: f32) -> f64 {
        1.0 / self.0.before(f64::from(hours))
    }

    /// The weight of a shipment with this outcome; `None` if the outcome is not known.
    pub(crate) fn weight(&self, outcome: Outcome) -> Option<f64> {
        outcome.delivered().map(|hours| self.unbounded(hours).min(WEIGHT_MAX))
    }

    /// Whether a shipment with this outcome was delivered within `hours`; `None` if that is not known.
    pub(crate) fn within(&self, outcome: Outcome, hours: f64) -> Option<KnownWithin> {
        let (until, delivered) = match outcome {
            Outcome::Delivered(after) => (f64::from(after), f64::from(after) <= hours),
            Outcome::Censored(after) if f64::from(after) >= hours => (hours, false),
            Outcome::Censored(_) | Outcome::Excluded => return None,
        };
        let weight = (1.0 / self.0.before(until.min(hours))).min(WEIGHT_MAX);
        Some(KnownWithin { delivered, weight })
    }
}

/// The weight of each outcome among all of them, from 1 to 20; `None` where it is not known. With
/// these weights, means over the known outcomes estimate those over all that are not excluded.
///
/// ```
/// use terms::Outcome::{Censored, Delivered};
///
/// let weights = evaluate::censoring_weights(&[Delivered(30.0), Censored(40.0), Delivered(50.0)]);
/// assert_eq!(weights, [Some(1.0), None, Some(2.0)]);
/// ```
pub fn censoring_weights(outcomes: &[Outcome]) -> Vec<Option<f64>> {
    let weights = CensoringWeights::of(outcomes);
    outcomes.iter().map(|&outcome| weights.weight(outcome)).collect()
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
        assert_eq!(censoring_weights(&outcomes), [Some(1.0), None, None, Some(2.0)]);
        let many = [vec![Censored(5.0); 99], vec![Delivered(6.0)]].concat();
        assert_eq!(censoring_weights(&many)[99], Some(WEIGHT_MAX));
        assert_eq!(CensoringWeights::of(&many).unbounded(6.0).round(), 100.0);
    }

    #[test]
    fn an_open_shipment_is_known_to_have_taken_longer_than_its_age() {
        let outcomes = [Delivered(10.0), Censored(20.0), Delivered(30.0), Censored(40.0)];
        let weights = CensoringWeights::of(&outcomes);
        let within = |hours: f64| outcomes.map(|outcome| weights.within(outcome, hours));
        let known = |delivered, weight| Some(KnownWithin { delivered, weight });
        let early = [known(true, 1.0), known(false, 1.0), known(false, 1.0), known(false, 1.0)];
        assert_eq!(within(20.0), early);
        // One of three is not known any more, and two stand for it.
        assert_eq!(within(25.0), [known(true, 1.0), None, known(false, 1.5), known(false, 1.5)]);
        assert_eq!(within(35.0), [known(true, 1.0), None, known(true, 1.5), known(false, 1.5)]);
        assert_eq!(weights.within(Excluded, 5.0), None);
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
        };
        let metrics = |outcomes: Vec<Outcome>| {
            let shipments = Shipments {
                ordered_at: vec![Instant::from_micros(0); outcomes.len()],
                promised_hours: vec![Some(250.0); outcomes.len()],
                outcomes,
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
