//! Models of few deliveries: ensembles, the search for their sizes, calibration from held-out weeks.

use crate::training_tests::{orders, quick};
use terms::LEVELS;

use crate::{CalibrationBasis, FamilyName, Trained};

fn weights(trained: &Trained) -> Vec<f32> {
    trained.parts.regressors.iter().map(|regressor| regressor.weight).collect()
}

#[test]
fn of_many_deliveries_an_ensemble_is_boosting_alone() {
    let orders = orders(9_000, None);
    let boosted = orders.train(FamilyName::Boost, &quick()).unwrap();
    let ensemble = orders.train(FamilyName::Ensemble, &quick()).unwrap();
    assert_eq!(ensemble.parts.encode(), boosted.parts.encode());
    assert_eq!(ensemble.search, None);
}

#[test]
fn of_few_deliveries_an_ensemble_is_near_the_better_of_both() {
    let orders = orders(3_000, None);
    let mut settings = quick();
    settings.search.enabled = false;
    let [boost, forest, both] = [FamilyName::Boost, FamilyName::Forest, FamilyName::Ensemble]
        .map(|name| orders.train(name, &settings).unwrap());
    // Half of what is left to 5,000 deliveries, of some 2,500 that are known.
    let forest_weight = 0.5 * (1.0 - both.sizes.observed as f32 / 5_000.0);
    assert!((0.2..0.3).contains(&forest_weight), "{forest_weight}");
    let of_boost = weights(&boost);
    for (pair, whole) in weights(&both).chunks(2).zip(of_boost) {
        assert!((pair[0] - whole * (1.0 - forest_weight)).abs() < 1e-6, "{pair:?} {whole}");
        assert!((pair[1] - whole * forest_weight).abs() < 1e-6, "{pair:?} {whole}");
    }
    let [boost, forest, both] = [boost, forest, both].map(|of| orders.error_beyond(&of.scorer));
    assert!(both < 1.02 * boost.min(forest), "{boost} {forest} {both}");
}

#[test]
fn rounds_that_are_too_few_are_given_up_for_more() {
    let orders = orders(3_000, None);
    let mut settings = quick();
    settings.boost.rounds = 4;
    settings.ensemble.forest_weight = 0.0;
    let trained = orders.train(FamilyName::Ensemble, &settings).unwrap();
    let search = trained.search.unwrap();
    assert_eq!(search.candidates.len(), 13);
    assert_eq!(search.candidates[0].rounds, 4);
    let chosen = &search.candidates[search.chosen];
    assert!(chosen.rounds == 6 || chosen.forest_weight == 1.0, "{search:?}");
    let best = search.candidates.iter().map(|of| of.mean_pinball_hours).fold(f64::MAX, f64::min);
    assert!(chosen.mean_pinball_hours <= best && chosen.gain_hours > 0.0, "{search:?}");
    let rounds: Vec<usize> =
        trained.parts.regressors.iter().map(|regressor| regressor.trees.trees().len()).collect();
    assert!(rounds.contains(&(chosen.rounds as usize)), "{rounds:?} {chosen:?}");
    assert!(rounds.iter().all(|&of| of != 4 || chosen.rounds == 4), "{rounds:?}");
}

#[test]
fn without_a_matured_delivery_an_ensemble_is_boosting_alone() {
    let orders = orders(3_000, None);
    let mut settings = quick();
    settings.maturity_days = 36_500;
    let boosted = orders.train(FamilyName::Boost, &settings).unwrap();
    let ensemble = orders.train(FamilyName::Ensemble, &settings).unwrap();
    assert_eq!(ensemble.parts.encode(), boosted.parts.encode());
}

/// Leaves of few rows are sure of what they have seen.
#[test]
fn a_young_network_is_calibrated_by_weeks_that_were_held_out() {
    let orders = orders(2_400, None);
    let mut settings = quick();
    settings.boost.rows_in_leaf_min = 8;
    settings.calibration.shrink_rows = 0.0;
    settings.recalibration.enabled = false;
    let covered = |trained: &Trained| {
        orders.coverage(&trained.scorer, 7) - orders.coverage(&trained.scorer, 1)
    };
    let held_out = orders.train(FamilyName::Boost, &settings).unwrap();
    let basis = &held_out.sizes.calibration;
    let CalibrationBasis::HeldOut { folds: 4, rows, open, weight_of_earlier: 0.0 } = *basis else {
        panic!("{basis:?}")
    };
    // Matured: all but the last thirty days.
    assert!((1_700..1_900).contains(&rows) && open < 10, "{basis:?}");
    settings.calibration.enabled = false;
    let plain = orders.train(FamilyName::Boost, &settings).unwrap();
    let nominal = LEVELS[7] - LEVELS[1];
    let (with, without) = (covered(&held_out), covered(&plain));
    assert!(without < nominal - 0.1 && (with - nominal).abs() < 0.06, "{without} {with}");
}
