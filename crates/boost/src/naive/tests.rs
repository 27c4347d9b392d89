//! The fast trainer grows the trees of the naive one, for every loss, with and without weights.

use proptest::prelude::*;

use super::train;
use crate::{Columns, Direction, Params, Target};

/// A small training set: a number, a category and a number, all with missing values.
#[derive(Clone, Debug)]
struct Fixture {
    columns: Vec<Vec<f32>>,
    values: Vec<f32>,
    observed: Vec<bool>,
    weights: Vec<f32>,
}

/// The values of a column: few distinct ones, so that ties and full bins are common.
fn column(n: usize, categorical: bool) -> impl Strategy<Value = Vec<f32>> {
    let value = if categorical { 0i16..12 } else { -20i16..20 };
    let value = prop_oneof![
        9 => value.prop_map(move |v| if categorical { v.into() } else { f32::from(v) / 4.0 }),
        1 => Just(f32::NAN),
    ];
    prop::collection::vec(value, n)
}

/// Weights whose sums are exact, some of them 0.
fn weights(n: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((0u8..20).prop_map(|quarters| f32::from(quarters) / 4.0), n)
}

fn fixture() -> impl Strategy<Value = Fixture> {
    (20usize..120).prop_flat_map(|n| {
        let columns = (column(n, false), column(n, true), column(n, false));
        let noise = prop::collection::vec(0.0f32..8.0, n);
        let observed = prop::collection::vec(prop::bool::weighted(0.8), n);
        (columns, noise, observed, weights(n)).prop_map(
            |((a, b, c), noise, mut observed, mut weights)| {
                let signal = a.iter().zip(&b).map(|(a, b)| {
                    10.0 + if a.is_nan() { 5.0 } else { *a } + if *b == 3.0 { 9.0 } else { 0.0 }
                });
                let values = signal.zip(noise).map(|(signal, noise)| signal + noise).collect();
                observed[0] = true;
                weights[0] = 1.0;
                Fixture { columns: vec![a, b, c], values, observed, weights }
            },
        )
    })
}

/// Parameters under which small trees have several levels.
fn params() -> impl Strategy<Value = Params> {
    (
        1u32..12,
        2u32..12,
        4u16..30,
        prop_oneof![Just(1.0), 0.5..1.0],
        prop_oneof![Just(0.0), 0.0..3.0],
        prop_oneof![Just(0.0), Just(1.0), 0.0..4.0],
        any::<u64>(),
    )
        .prop_map(|(rows, leaves, bins_max, row_fraction, category_noise, l2, seed)| Params {
            rounds: 6,
            learning_rate: 0.5,
            rows_in_leaf_min: rows,
            leaves,
            bins_max,
            row_fraction_per_tree: row_fraction,
            seed,
            category_smoothing: 1.0,
            category_noise,
            l2,
            ..Params::default()
        })
}

fn direction() -> impl Strategy<Value = Option<Direction>> {
    prop_oneof![Just(None), Just(Some(Direction::Rising)), Just(Some(Direction::Falling))]
}

/// Compares the models of both trainers, without and with weights.
fn same_models(
    fixture: &Fixture,
    target: &Target<'_>,
    params: Params,
    direction: Option<Direction>,
) -> Result<(), TestCaseError> {
    prop_assume!(fixture.columns.iter().flatten().any(|value| !value.is_nan()));
    let params = params.check().unwrap();
    let directions = [None, None, direction];
    let columns = Columns::new(&fixture.columns, &[false, true, false]).directed(&directions);
    for columns in [columns, columns.weighted(&fixture.weights)] {
        let expected = train(&columns, target, &params);
        let model = crate::train(&columns, target, &params).unwrap();
        prop_assert_eq!(model, expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_fast_trainer_grows_the_trees_of_the_naive_one_for_quantiles(
        fixture in fixture(),
        params in params(),
        direction in direction(),
        many_levels: bool,
    ) {
        let levels: &[f64] = if many_levels { &[0.1, 0.5, 0.9] } else { &[0.75] };
        let Fixture { values, observed, .. } = &fixture;
        same_models(&fixture, &Target::Quantiles { values, observed, levels }, params, direction)?;
    }

    #[test]
    fn the_fast_trainer_grows_the_trees_of_the_naive_one_for_squared_error(
        fixture in fixture(),
        params in params(),
        direction in direction(),
    ) {
        same_models(&fixture, &Target::Mean { values: &fixture.values }, params, direction)?;
    }

    #[test]
    fn the_fast_trainer_grows_the_trees_of_the_naive_one_for_log_odds(
        fixture in fixture(),
        params in params(),
        direction in direction(),
        threshold in 5.0f32..25.0,
    ) {
        let outcomes: Vec<bool> = fixture.values.iter().map(|&value| value > threshold).collect();
        same_models(&fixture, &Target::Probability { outcomes: &outcomes }, params, direction)?;
    }
}
