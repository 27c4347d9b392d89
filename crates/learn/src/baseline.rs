//! The baseline as a family: what lanes did, and nothing that is learned. It is what there is where too
//! little is delivered to train anything else, and what everything else has to beat.
//!
//! Quantiles of delivery times are product-limit estimates by lane, open shipments
//! included; P(more than two days) is a lane's share, drawn towards that of all. With too few
//! deliveries for quantiles, delivery times are taken to be exponential.
//!
//! Limits: where fewer are delivered than a level needs, its quantile is the age of the oldest order.

use statistics::{Censored, kaplan_meier};
use terms::{LEVELS, Matrix, N_LEVELS, TWO_DAYS_HOURS};

use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::{Family, TrainingRows, WeightedTrees};
use crate::lane_trees::lane_tree;
use crate::settings::Settings;

/// With fewer deliveries a lane, or everything, has no quantiles of its own.
const DELIVERIES_MIN: usize = 20;

/// Rows of all lanes that are added to those of a lane for its share over two days.
const SHARE_PRIOR: f64 = 20.0;

/// Rows that the readable gate of a baseline is trained on, at most: it is not what is served.
const RULES_ROWS: usize = 2_000;

/// Statistics of lanes.
pub(crate) struct Baseline;

impl Family for Baseline {
    fn name(&self) -> &'static str {
        "baseline"
    }

    /// Plain hours, no correction, and no row is too few.
    fn settings(&self, settings: &Settings) -> Settings {
        let mut plain = settings.clone();
        plain.rows_min = 0;
        plain.time_scale.level = false;
        plain.time_scale.clock = false;
        plain.calibration.enabled = false;
        plain.recalibration.enabled = false;
        plain.gate.rules_rows = plain.gate.rules_rows.min(RULES_ROWS);
        plain
    }

    fn train(
        &self,
        rows: &TrainingRows<'_>,
        _: &str,
        _: &dyn Checkpoints,
    ) -> Result<Vec<WeightedTrees>, Error> {
        let all: Vec<usize> = (0..rows.times.len()).collect();
        let of_all = quantiles(rows, &all).unwrap_or_else(|| exponential(rows));
        let of_lane = |lane: &[usize]| quantiles(rows, lane);
        let failed = |source| Error::Boost { step: "baseline", source };
        let tree = lane_tree(rows.matrix, of_all, &of_lane).map_err(failed)?;
        let (base, n_features) = (vec![0.0; N_LEVELS], rows.matrix.columns.len());
        let trees = boost::Model::new(base, vec![tree], n_features, boost::OutputOrder::Rising);
        Ok(vec![(trees.map_err(failed)?, 1.0)])
    }

    fn train_gate(
        &self,
        matrix: &Matrix,
        over: &[bool],
        _: &Settings,
    ) -> Result<boost::Model, Error> {
        let n_over = |rows: &[usize]| rows.iter().filter(|&&row| over[row]).count() as f64;
        let all: Vec<usize> = (0..over.len()).collect();
        // Laplace's rule of succession.
        let share = (n_over(&all) + 1.0) / (all.len() as f64 + 2.0);
        let log_odds = |share: f64| vec![libm::log(share / (1.0 - share)) as f32];
        let of_lane = |lane: &[usize]| {
            let share = (n_over(lane) + SHARE_PRIOR * share) / (lane.len() as f64 + SHARE_PRIOR);
            (lane.len() >= DELIVERIES_MIN).then(|| log_odds(share))
        };
        let failed = |source| Error::Boost { step: "gate", source };
        let tree = lane_tree(matrix, log_odds(share), &of_lane).map_err(failed)?;
        let n_features = matrix.columns.len();
        boost::Model::new(vec![0.0], vec![tree], n_features, boost::OutputOrder::AsAdded)
            .map_err(failed)
    }
}

/// The product-limit quantiles of some rows; `None` if too few of them were delivered.
fn quantiles(rows: &TrainingRows<'_>, some: &[usize]) -> Option<Vec<f32>> {
    let n_observed = some.iter().filter(|&&row| rows.observed[row]).count();
    let value = |&row: &usize| Censored {
        value: rows.times[row],
        observed: rows.observed[row],
        weight: 1.0,
    };
    let mut values: Vec<Censored<f32>> = some.iter().map(value).collect();
    (n_observed >= DELIVERIES_MIN).then(|| kaplan_meier(&mut values, &LEVELS))
}

/// Quantiles of an exponential distribution. Its mean is the maximum-likelihood estimate with one delivery
/// more, after two days: without any row it is two days. It is not longer than anything has been seen
/// to take.
fn exponential(rows: &TrainingRows<'_>) -> Vec<f32> {
    let times = rows.times.iter().map(|&time| f64::from(time));
    let longest = times.clone().fold(TWO_DAYS_HOURS, f64::max);
    let n_observed = rows.observed.iter().filter(|&&seen| seen).count() as f64;
    let mean = ((times.sum::<f64>() + TWO_DAYS_HOURS) / (n_observed + 1.0)).min(longest);
    LEVELS.map(|level| (-mean * libm::log(1.0 - level)) as f32).to_vec()
}

#[cfg(test)]
mod tests {
    use terms::{Feature, FeatureKind, FeatureList, MEDIAN, column};

    use super::*;
    use crate::NoCheckpoints;

    /// Two regions, of which the second takes twice as long; `n` rows in turn.
    fn matrix(n: usize) -> Matrix {
        let kind = FeatureKind::Categorical { levels: vec!["north".into(), "south".into()] };
        let features = FeatureList(vec![Feature { name: column::DESTINATION_REGION.into(), kind }]);
        Matrix { features, columns: vec![(0..n).map(|row| (row % 2) as f32).collect()] }
    }

    fn medians(n: usize, times: &[f32], observed: &[bool]) -> [f64; 3] {
        let matrix = matrix(n);
        let rows = TrainingRows { matrix: &matrix, times, observed, matured: observed };
        let trained = Baseline.train(&rows, "regressor", &NoCheckpoints).unwrap();
        let model = &trained[0].0;
        [0.0, 1.0, f32::NAN].map(|region| {
            let mut quantiles = [0.0; N_LEVELS];
            model.predict_row(&[region], &mut quantiles);
            assert!(quantiles.is_sorted() && quantiles[0] > 0.0, "{quantiles:?}");
            quantiles[MEDIAN]
        })
    }

    #[test]
    fn a_lane_has_its_own_product_limit_median() {
        let times: Vec<f32> =
            (0..200).map(|row| 50.0 + (1 + row % 2) as f32 * (row / 2) as f32).collect();
        let all = medians(200, &times, &[true; 200]);
        assert_eq!(all[..2], [99.0, 148.0]);
        assert!(all[0] < all[2] && all[2] < all[1], "{all:?}");
        // An open shipment is as old as the deliveries that it was left behind by.
        let observed: Vec<bool> = (0..200).map(|row| row % 3 != 0).collect();
        assert!(medians(200, &times, &observed)[1] > 148.0);
    }

    #[test]
    fn few_deliveries_and_none_are_exponential() {
        // Ten deliveries of 96 hours and the one that is added, of two days.
        let of_mean = |mean: f64| f64::from((mean * 2f64.ln()) as f32);
        assert_eq!(medians(10, &[96.0; 10], &[true; 10]), [of_mean(1008.0 / 11.0); 3]);
        assert_eq!(medians(0, &[], &[]), [of_mean(48.0); 3]);
        assert_eq!(medians(10, &[348.0; 10], &[false; 10]), [of_mean(348.0); 3]);
    }

    #[test]
    fn the_gate_is_the_share_of_the_lane_drawn_towards_that_of_all() {
        let gate = |n: usize, over: &dyn Fn(usize) -> bool| {
            let over: Vec<bool> = (0..n).map(over).collect();
            let model = Baseline.train_gate(&matrix(n), &over, &Settings::default()).unwrap();
            [0.0, 1.0, f32::NAN].map(|region| {
                let mut log_odds = [0.0];
                model.predict_row(&[region], &mut log_odds);
                1.0 / (1.0 + (-log_odds[0]).exp())
            })
        };
        let [north, south, unknown] = gate(400, &|row| row % 2 == 1);
        assert!((north - 10.0 / 220.0).abs() < 1e-4 && (south - 210.0 / 220.0).abs() < 1e-4);
        assert!((unknown - 0.5).abs() < 1e-4);
        assert_eq!(gate(0, &|_| true), [0.5; 3]);
        assert!(gate(30, &|_| true).iter().all(|share| (share - 31.0 / 32.0).abs() < 1e-4));
    }
}
