//! The lane speed table: how long an order on each lane takes, for whoever looks up lanes and cannot
//! score rows.
//!
//! A lane here is what its orders have in common in the feature matrix: regions, carrier, service.
//! It is spoken for by the orders of its last weeks, each scored as it was when it was placed; the
//! distribution of the lane is that of an order drawn from them.

use std::collections::BTreeMap;

use anyhow::Result;
use polars::prelude::*;
use scorer::{Distribution, Scorer};
use terms::{AsOf, LEVELS, Matrix, N_LEVELS, column};

use crate::predictions::{by_day_column, distribution_columns, instants};
use crate::stages::features::FeatureSet;

/// Orders of so many days before the as-of speak for their lanes.
const DAYS: i64 = 28;

/// What makes a lane; a column that is not among the features is null.
const LANE: [&str; 4] =
    [column::ORIGIN_REGION, column::DESTINATION_REGION, column::CARRIER, column::SERVICE];

const N_SHIPMENTS: &str = "n_shipments";

/// One row for each lane that had an order lately, by lane. Units: hours from the order.
///
/// As of: `as_of`; of each order, what was known when it was placed.
///
/// # Errors
/// If the matrix is not the scorer's, or Polars refuses.
pub(crate) fn speed_table(
    known: &FeatureSet,
    matrix: &Matrix,
    scorer: &Scorer,
    (as_of, model_id): (AsOf, &str),
) -> Result<DataFrame> {
    let recent = known.ordered_between(as_of.plus_days(-DAYS).instant(), as_of.instant());
    let rows: Vec<usize> = recent.collect();
    let texts = |name: &&str| match known.frame.frame().column(name) {
        Ok(_) => known.frame.texts(name).map(Some),
        Err(_) => Ok(None),
    };
    let texts = LANE.iter().map(texts).collect::<Result<Vec<_>, _>>()?;

    let mut lanes: BTreeMap<[Option<&str>; 4], Vec<Distribution>> = BTreeMap::new();
    for (&row, distribution) in rows.iter().zip(scorer.score(&matrix.take(&rows))?) {
        let lane = std::array::from_fn(|part| texts[part].as_ref()?[row].as_deref());
        lanes.entry(lane).or_default().push(distribution);
    }
    let of_lanes: Vec<Distribution> = lanes.values().map(|of_lane| mixed(of_lane)).collect();
    let of_lanes: Vec<&Distribution> = of_lanes.iter().collect();
    let mut table: Vec<Column> = (LANE.iter().enumerate())
        .map(|(part, name)| {
            let texts: Vec<Option<&str>> = lanes.keys().map(|lane| lane[part]).collect();
            Column::new((*name).into(), texts)
        })
        .collect();
    table.push(instants(column::PREDICTED_AS_OF, &vec![as_of.micros(); lanes.len()])?);
    table.push(Column::new(column::MODEL_ID.into(), vec![model_id; lanes.len()]));
    let counts: Vec<i64> = lanes.values().map(|of_lane| of_lane.len() as i64).collect();
    table.push(Column::new(N_SHIPMENTS.into(), counts));
    table.extend(distribution_columns(&of_lanes));
    table.push(by_day_column(&of_lanes));
    Ok(DataFrame::new(lanes.len(), table)?)
}

/// The distribution of an order drawn from these; of one it is its own.
///
/// Probabilities are means. A quantile is the least of all their quantiles below which enough of
/// them lies, where each stands for the levels that are nearest to its own.
fn mixed(distributions: &[Distribution]) -> Distribution {
    let n = distributions.len() as f64;
    let mean = |of: &dyn Fn(&Distribution) -> f32| {
        (distributions.iter().map(|d| f64::from(of(d))).sum::<f64>() / n) as f32
    };
    let shares = shares();
    let mut pooled: Vec<(f32, f64)> = (distributions.iter())
        .flat_map(|distribution| distribution.hours.into_iter().zip(shares))
        .collect();
    pooled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut at) = (0.0, 0);
    let hours = LEVELS.map(|level| {
        while at + 1 < pooled.len() && below + pooled[at].1 < level * n {
            below += pooled[at].1;
            at += 1;
        }
        pooled[at].0
    });
    Distribution {
        probability_over_2d: mean(&|d| d.probability_over_2d),
        hours,
        by_day: std::array::from_fn(|day| mean(&|d| d.by_day[day])),
    }
}

/// The share of each level: as far as half-way to its neighbours.
fn shares() -> [f64; N_LEVELS] {
    let border = |level: usize| match level {
        0 => 0.0,
        N_LEVELS => 1.0,
        _ => f64::midpoint(LEVELS[level - 1], LEVELS[level]),
    };
    std::array::from_fn(|level| border(level + 1) - border(level))
}

#[cfg(test)]
mod tests {
    use terms::DAYS_AHEAD;

    use super::*;

    fn around(hours: f32) -> Distribution {
        Distribution {
            probability_over_2d: if hours > 48.0 { 1.0 } else { 0.0 },
            hours: std::array::from_fn(|level| hours + level as f32),
            by_day: std::array::from_fn(|day| if (day * 24) as f32 > hours { 1.0 } else { 0.0 }),
        }
    }

    #[test]
    fn one_order_is_its_own_lane() {
        for hours in [10.0, 100.0] {
            assert_eq!(mixed(&[around(hours)]), around(hours));
            let many = mixed(&vec![around(hours); 7]);
            assert_eq!(many, around(hours));
        }
    }

    #[test]
    fn fast_and_slow_orders_together_are_fast_below_and_slow_above() {
        let lane = mixed(&[around(10.0), around(10.0), around(10.0), around(200.0)]);
        assert_eq!(lane.probability_over_2d, 0.25);
        assert_eq!(lane.by_day[DAYS_AHEAD / 6], 1.0);
        assert_eq!(lane.by_day[3], 0.75);
        // Three quarters of the orders are at most 18 hours on their way.
        assert!(lane.hours[..7].iter().all(|hours| *hours <= 18.0), "{:?}", lane.hours);
        assert!(lane.hours[7..].iter().all(|hours| *hours >= 200.0), "{:?}", lane.hours);
        assert!(lane.hours.is_sorted());
    }
}
