//! Hold-outs: orders of a span of time with their outcomes as known at a later moment, and the
//! forecasts and baselines for them.

use anyhow::Result;
use evaluate::baseline::{self, PastDeliveries};
use evaluate::{Forecast, Shipments};
use features::PROMISED_HOURS;
use statistics::{Censored, kaplan_meier};
use terms::{AsOf, DayGrid, Grain, Instant, Outcome};

use crate::stages::features::FeatureSet;
use crate::stages::lanes::Lanes;
use crate::stages::segments::segments;

/// A promise that is further than this from its order is a mistake, and no promise; the contract of
/// orders warns of it.
const PROMISE_MAX_HOURS: f32 = 365.0 * 24.0;

/// How long deliveries take to mature, orders of so many times the days say after which one is lost.
const MATURITY_ORDERS: i64 = 2;

/// The share of them that is delivered once they have matured.
const MATURED_SHARE: f64 = 0.99;

/// How long before the as-of a hold-out ends, so that most of its outcomes are known.
pub(crate) struct Maturity {
    /// Units: days.
    pub(crate) days: u32,
    /// Where they come from, for people.
    pub(crate) says: String,
}

impl Maturity {
    /// The days that the settings give; without them, those after which 99% of recent orders are
    /// delivered by the product-limit estimate, open ones included. No hold-out ends longer before the
    /// as-of than it takes until what is open is lost. Recent are the orders of twice as many days.
    pub(crate) fn of(feature_set: &FeatureSet, set: Option<u32>, as_of: AsOf) -> Self {
        if let Some(days) = set {
            return Self { days, says: format!("{days} days, as evaluate.maturity_days says") };
        }
        let outcomes = feature_set.outcomes.as_of(as_of);
        let days_max = u32::from(feature_set.declaration.limits.lost_after_days);
        let recent_days = MATURITY_ORDERS * i64::from(days_max);
        let recent = as_of.plus_days(-recent_days).instant();
        let rows = feature_set.ordered_between(recent, as_of.instant());
        let days = days_to_mature(outcomes[rows].iter().copied(), days_max);
        let says = format!(
            "{days} days, after which 99% of the orders of the last {recent_days} days are \
             delivered, at most {days_max}"
        );
        Self { days, says }
    }
}

/// Days after which 99% of outcomes are deliveries, from 1 to `days_max`.
fn days_to_mature(outcomes: impl Iterator<Item = Outcome>, days_max: u32) -> u32 {
    let value = |outcome: Outcome| {
        let (value, observed) = outcome.known()?;
        Some(Censored { value, observed, weight: 1.0 })
    };
    let mut values: Vec<Censored<f32>> = outcomes.filter_map(value).collect();
    let hours = kaplan_meier(&mut values, &[MATURED_SHARE]).first().copied();
    let days = hours.map_or(days_max, |hours| (hours / 24.0).ceil() as u32);
    days.clamp(1, days_max)
}

/// The orders of a span of time, which a model trained as of its start has not seen.
pub(crate) struct Holdout {
    /// Positions of their rows in the feature set.
    pub(crate) rows: Vec<usize>,
    /// The same rows as the input of an evaluation.
    pub(crate) shipments: Shipments,
}

impl Holdout {
    /// The orders from `start` up to, not including, `end`, with outcomes as known at `now`.
    ///
    /// # Errors
    /// If the feature set lacks a column.
    pub(crate) fn new(
        feature_set: &FeatureSet,
        (start, end): (AsOf, AsOf),
        now: AsOf,
    ) -> Result<Self> {
        let rows = feature_set.ordered_between(start.instant(), end.instant()).collect::<Vec<_>>();
        let shipments = shipments(feature_set, &rows, now)?;
        Ok(Self { rows, shipments })
    }
}

/// Some rows of the feature set as the input of an evaluation: with outcomes as known at `now`, what
/// was promised, and the segments.
///
/// # Errors
/// If the feature set lacks a column.
pub(crate) fn shipments(feature_set: &FeatureSet, rows: &[usize], now: AsOf) -> Result<Shipments> {
    let outcomes = feature_set.outcomes.as_of(now);
    let promised = feature_set.frame.numbers(PROMISED_HOURS)?;
    let ordered_at = feature_set.outcomes.ordered_at();
    Ok(Shipments {
        grain: Grain::of_outcomes(&feature_set.matrix, &outcomes),
        ordered_at: rows.iter().map(|&row| ordered_at[row]).collect(),
        outcomes: rows.iter().map(|&row| outcomes[row]).collect(),
        promised_hours: rows.iter().map(|&row| credible_promise(promised[row])).collect(),
        segments: segments(feature_set, rows)?,
    })
}

/// A promise that the shop can have meant.
pub(crate) fn credible_promise(hours: Option<f32>) -> Option<f32> {
    hours.filter(|hours| *hours <= PROMISE_MAX_HOURS)
}

/// Distributions as a forecast, with the probabilities by these days.
pub(crate) fn forecast(
    name: &str,
    days: DayGrid,
    distributions: &[scorer::Distribution],
) -> Forecast {
    Forecast {
        name: name.to_owned(),
        hours: distributions.iter().map(|d| d.hours).collect(),
        probability_over_2d: Some(distributions.iter().map(|d| d.probability_over_2d).collect()),
        probability_by_day: Some(distributions.iter().map(|d| d.by_day).collect()),
        days,
    }
}

/// The baselines for a hold-out, from deliveries known at `origin`, with shares by `days`. A lane is regions,
/// carrier and service; where that has too few deliveries, the pair of regions.
///
/// The inner result says that no delivery was known at `origin`.
///
/// # Errors
/// If the feature set lacks a column that is declared.
pub(crate) fn baselines(
    feature_set: &FeatureSet,
    holdout: &Holdout,
    (origin, days): (AsOf, DayGrid),
) -> Result<Result<Vec<Forecast>, evaluate::Error>> {
    let all = Lanes::of(feature_set)?;
    let lane = |row: usize| {
        let lane = all.of_row(row);
        let (from, to) = (lane.origin_region, lane.destination_region);
        [[from, to, lane.carrier, lane.service], [from, to, None, None]]
    };
    let deliveries = feature_set.outcomes.deliveries(origin);
    let lanes: Vec<_> = deliveries.iter().map(|delivery| lane(delivery.row)).collect();
    let known_at: Vec<Instant> = deliveries.iter().map(|delivery| delivery.recorded_at).collect();
    let hours: Vec<f32> = deliveries.iter().map(|delivery| delivery.hours).collect();
    let past = PastDeliveries { lanes: &lanes, known_at: &known_at, hours: &hours, days };
    let lanes: Vec<_> = holdout.rows.iter().map(|&row| lane(row)).collect();
    Ok((|| {
        let global = baseline::global_quantiles(&past, origin, holdout.rows.len())?;
        let promise = baseline::promise(&holdout.shipments.promised_hours, &global)?;
        let lane_median = baseline::lane_median_28d(&past, origin, &lanes)?;
        Ok(promise.into_iter().chain([lane_median, global]).collect())
    })())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_matured_when_99_of_100_are_delivered_open_ones_included() {
        let delivered = |days: f32, n: usize| vec![Outcome::Delivered(24.0 * days); n];
        let days = |parts: &[Vec<Outcome>]| days_to_mature(parts.concat().into_iter(), 60);
        assert_eq!(days(&[delivered(5.0, 98), delivered(20.5, 2)]), 21);
        // Those that are open lately are like those that were open and then took long.
        let open = vec![Outcome::Censored(24.0 * 4.0); 100];
        assert_eq!(days(&[delivered(3.0, 98), delivered(20.5, 2), open.clone()]), 21);
        assert_eq!(days(&[delivered(3.0, 1), vec![Outcome::Excluded; 50]]), 3);
        assert_eq!(days(&[delivered(3.0, 50), vec![Outcome::Censored(24.0 * 70.0)]]), 60);
        assert_eq!((days(&[]), days(&[delivered(0.0, 3)])), (60, 1));
        let months = [delivered(90.0, 50), delivered(150.0, 50)].concat();
        assert_eq!(days_to_mature(months.iter().copied(), 180), 150);
        assert_eq!(days_to_mature(months.into_iter(), 120), 120);
    }

    #[test]
    fn a_promise_of_another_millennium_is_none() {
        let promised = [Some(48.0), None, Some(24.0 * 365.0), Some(24.0 * 365.0 * 2_700.0)];
        let credible = promised.map(credible_promise);
        assert_eq!(credible, [Some(48.0), None, Some(24.0 * 365.0), None]);
    }
}
