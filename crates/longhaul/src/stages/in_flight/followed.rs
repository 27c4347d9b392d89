//! The forecasts of a few shipments of a hold-out from order to delivery, night by night.

use std::collections::BTreeMap;

use anyhow::Result;
use evaluate::{Followed, FollowedShipment, ForecastAtAge};
use features::{
    AGE_HOURS, FOLLOWED_SHARE, HOURS_SINCE_HANDOVER, HOURS_SINCE_LEG, HOURS_TO_HANDOVER,
    PROMISED_HOURS,
};
use learn::Trained;
use scorer::{Mixture, Scorer};
use terms::{AsOf, LEVELS, MEDIAN, column};

use super::judged::LatestMilestone;
use super::rows::{InFlight, hours_left};
use crate::stages::features::FeatureSet;
use crate::stages::holdout::credible_promise;

/// The quantiles of the delivery times to which the shipments shown are nearest.
const QUANTILES: [f64; 4] = [0.5, 0.8, 0.95, 0.99];

/// A shipment that is shown was open on so many nights at least.
const NIGHTS_MIN: usize = 4;

/// Levels of the interval that is shown: 80%.
const INTERVAL: [f64; 2] = [0.1, 0.9];

/// Forecasts of some shipments ordered from `start` on, before `end`, and delivered as far as is known at
/// `now`: by the model of orders at their order, by that of what is in flight on each night.
///
/// # Errors
/// If the feature set lacks a column.
pub(crate) fn followed(
    feature_set: &FeatureSet,
    (trained, of_orders): (&Trained, &Scorer),
    ((start, end), now): ((AsOf, AsOf), AsOf),
) -> Result<Followed> {
    let snapshots = &feature_set.followed;
    let in_flight =
        InFlight { feature_set, snapshots, matrix: snapshots.matrix(&feature_set.matrix)? };
    let ordered = feature_set.ordered_between(start.instant(), end.instant());
    let outcomes = feature_set.outcomes.as_of(now);
    let delivered = |row: usize| outcomes[row].delivered().map(f64::from);
    let mut nights: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, &row) in snapshots.rows().iter().enumerate() {
        if ordered.contains(&row) && delivered(row).is_some() {
            nights.entry(row).or_default().push(position);
        }
    }
    nights.retain(|_, nights| nights.len() >= NIGHTS_MIN);
    let mut all: Vec<f64> = ordered.filter_map(delivered).collect();
    all.sort_by(f64::total_cmp);
    let candidates: Vec<(usize, f64)> =
        nights.keys().filter_map(|&row| Some((row, delivered(row)?))).collect();
    let chosen = nearest(&candidates, &all);
    let shipment = |&(row, hours, quantile): &(usize, f64, f64)| {
        shown(&in_flight, (trained, of_orders), (row, &nights[&row]), (hours, quantile))
    };
    Ok(Followed {
        chosen_from: candidates.len(),
        share: FOLLOWED_SHARE,
        nights_min: NIGHTS_MIN,
        shipments: chosen.iter().map(shipment).collect::<Result<_>>()?,
    })
}

/// Of rows and their hours those that are nearest to quantiles of `all`, which is ascending: another one for
/// each, the first of those that are equally near. With the quantile beside it.
fn nearest(candidates: &[(usize, f64)], all: &[f64]) -> Vec<(usize, f64, f64)> {
    let mut left = candidates.to_vec();
    let mut chosen = Vec::new();
    for level in QUANTILES {
        let Some(quantile) = statistics::quantile(all, level) else { break };
        let distance = |&(_, hours): &(usize, f64)| (hours - quantile).abs();
        let first = left.iter().enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        let Some((position, _)) = first else { break };
        let (row, hours) = left.remove(position);
        chosen.push((row, hours, level));
    }
    chosen
}

/// The forecasts and milestones of a shipment; `nights` are the positions of its snapshots.
fn shown(
    in_flight: &InFlight<'_>,
    (trained, of_orders): (&Trained, &Scorer),
    (row, nights): (usize, &[usize]),
    (delivered, quantile): (f64, f64),
) -> Result<FollowedShipment> {
    let InFlight { feature_set, snapshots, matrix } = in_flight;
    let ages = snapshots.numbers(AGE_HOURS)?;
    let at_order =
        of_orders.map_mixtures(&feature_set.matrix.take(&[row]), None, |_, mixture| {
            forecast(0.0, |level| mixture.quantile(level))
        })?;
    let of_night = |night: usize, mixture: &Mixture| {
        let age = f64::from(ages[nights[night]]);
        forecast(age, |level| age + hours_left(mixture, level))
    };
    let of_nights = trained.scorer.map_mixtures(&matrix.take(nights), None, of_night)?;
    let shipment_id = feature_set.frame.texts(column::SHIPMENT_ID)?[row].clone();
    let promised = credible_promise(feature_set.frame.numbers(PROMISED_HOURS)?[row]);
    Ok(FollowedShipment {
        shipment_id: shipment_id.unwrap_or_default(),
        quantile,
        ordered_on: feature_set.outcomes.ordered_at()[row].day().to_string(),
        delivered,
        promised: promised.map(f64::from),
        milestones: milestones(in_flight, nights)?,
        forecasts: at_order.into_iter().chain(of_nights).collect(),
    })
}

fn forecast(age: f64, quantile: impl Fn(f64) -> f64) -> ForecastAtAge {
    let [low, high] = INTERVAL.map(&quantile);
    ForecastAtAge { age, low, median: quantile(LEVELS[MEDIAN]), high }
}

/// When a shipment reached each milestone, as it was on record on the nights. Of those that were recorded
/// between two nights it is the last one. Units: hours from its order.
fn milestones(in_flight: &InFlight<'_>, nights: &[usize]) -> Result<Vec<(f64, String)>> {
    let snapshots = in_flight.snapshots;
    let [ages, to_handover, since_handover] =
        [AGE_HOURS, HOURS_TO_HANDOVER, HOURS_SINCE_HANDOVER].map(|name| snapshots.numbers(name));
    let (ages, to_handover, since_handover) = (ages?, to_handover?, since_handover?);
    let legs = match snapshots.legs_done()? {
        Some(done) => Some((done, snapshots.numbers(HOURS_SINCE_LEG)?)),
        None => None,
    };
    let mut found: Vec<(f64, String)> = Vec::new();
    let (mut is_handed_over, mut n_done) = (false, 0.0);
    for &night in nights {
        let handed_over_after = f64::from(to_handover[night]);
        if !is_handed_over && !since_handover[night].is_nan() {
            is_handed_over = true;
            found.push((handed_over_after, LatestMilestone::HandedOver.name()));
        }
        if let Some((done, since)) = legs.as_ref().map(|(done, since)| (done[night], since[night]))
            && done > n_done
        {
            n_done = done;
            found.push((
                f64::from(ages[night] - since),
                LatestMilestone::of(since_handover[night], done).name(),
            ));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_to_each_quantile_is_chosen_once() {
        let all: Vec<f64> = (0..=100).map(f64::from).collect();
        let rows = |candidates: &[(usize, f64)]| -> Vec<usize> {
            nearest(candidates, &all).into_iter().map(|(row, ..)| row).collect()
        };
        let candidates = [(3, 20.0), (5, 49.0), (6, 51.0), (7, 79.0), (9, 96.0), (11, 97.0)];
        // Of those equally near the first; what was chosen for one is not chosen again.
        assert_eq!(rows(&candidates), [5, 7, 9, 11]);
        assert_eq!(rows(&[(1, 99.0), (2, 98.0)]), [2, 1]);
        assert!(nearest(&[], &all).is_empty() && nearest(&candidates, &[]).is_empty());
    }
}
