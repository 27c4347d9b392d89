//! What must hold of any training: threads and the order of rows change nothing, odd data is
//! learned from without harm, quantiles rise, errors fall.
#![expect(clippy::unwrap_used, reason = "a test that cannot train has failed")]

use boost::{Columns, Model, OutputOrder, Params, Target, train};

const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

/// Numbers below `limit` that look random and never repeat a run.
fn draw(row: usize, salt: usize, limit: usize) -> usize {
    let z = (row * 31 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 32)) % limit
}

struct World {
    columns: Vec<Vec<f32>>,
    categorical: Vec<bool>,
    values: Vec<f32>,
    observed: Vec<bool>,
}

impl World {
    fn new(n: usize) -> Self {
        let column = |of: &dyn Fn(usize) -> f32| (0..n).map(of).collect::<Vec<f32>>();
        let columns = vec![
            column(&|row| draw(row, 0, 1000) as f32),
            column(&|row| draw(row, 1, 200) as f32),
            column(&|row| if row % 5 == 0 { f32::NAN } else { draw(row, 2, 50) as f32 }),
            column(&|_| f32::NAN),
            column(&|_| 7.0),
        ];
        let values = column(&|row| {
            let missing = if columns[2][row].is_nan() { 400.0 } else { 0.0 };
            let category = if (columns[1][row] as u32).is_multiple_of(3) { 500.0 } else { 0.0 };
            columns[0][row] + missing + category + draw(row, 3, 300) as f32
        });
        let observed = (0..n).map(|row| draw(row, 4, 10) != 0).collect();
        Self { columns, categorical: vec![false, true, false, false, false], values, observed }
    }

    fn model(&self, target: &Target<'_>, params: Params) -> Model {
        let columns = Columns::new(&self.columns, &self.categorical);
        train(&columns, target, &params.check().unwrap()).unwrap()
    }

    fn quantiles(&self) -> Target<'_> {
        Target::Quantiles { values: &self.values, observed: &self.observed, levels: &LEVELS }
    }

    fn outcomes(&self) -> Vec<bool> {
        self.values.iter().map(|&value| value > 900.0).collect()
    }

    /// The same rows, the last first.
    fn backwards(&self) -> Self {
        let back = |values: &[f32]| values.iter().rev().copied().collect::<Vec<f32>>();
        Self {
            columns: self.columns.iter().map(|column| back(column)).collect(),
            categorical: self.categorical.clone(),
            values: back(&self.values),
            observed: self.observed.iter().rev().copied().collect(),
        }
    }
}

fn params() -> Params {
    Params { rounds: 12, rows_in_leaf_min: 20, ..Params::default() }
}

#[test]
fn one_two_and_sixteen_threads_give_the_same_bytes() {
    // Enough rows that blocks are shared out.
    let world = World::new(70_000);
    let outcomes = world.outcomes();
    let targets = [
        world.quantiles(),
        Target::Mean { values: &world.values },
        Target::Probability { outcomes: &outcomes },
    ];
    for target in targets {
        let bytes = |threads| {
            let params = Params { rounds: 4, threads: Some(threads), ..params() };
            world.model(&target, params).encode()
        };
        let of_one = bytes(1);
        assert!(of_one == bytes(2) && of_one == bytes(16), "{target:?}");
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let world = World::new(3000);
    let back = world.backwards();
    let (outcomes, outcomes_back) = (world.outcomes(), back.outcomes());
    assert_eq!(world.model(&world.quantiles(), params()), back.model(&back.quantiles(), params()));
    assert_eq!(
        world.model(&Target::Mean { values: &world.values }, params()),
        back.model(&Target::Mean { values: &back.values }, params())
    );
    assert_eq!(
        world.model(&Target::Probability { outcomes: &outcomes }, params()),
        back.model(&Target::Probability { outcomes: &outcomes_back }, params())
    );
}

#[test]
fn many_rows_are_predicted_as_one_and_quantiles_rise() {
    let world = World::new(2000);
    let model = world.model(&world.quantiles(), params());
    let predicted = model.predict(&world.columns).unwrap();
    for (row, together) in predicted.chunks(LEVELS.len()).enumerate() {
        let values: Vec<f32> = world.columns.iter().map(|column| column[row]).collect();
        let mut alone = [0.0; 3];
        model.predict_row(&values, &mut alone);
        assert_eq!(alone, together);
        assert!(alone.is_sorted());
    }
    assert_eq!(Model::decode(&model.encode()).unwrap(), model);
}

#[test]
fn the_mean_is_learned_through_numbers_categories_and_missing_values() {
    let world = World::new(20_000);
    let params = Params { rounds: 100, ..params() };
    let model = world.model(&Target::Mean { values: &world.values }, params);
    let predicted = model.predict(&world.columns).unwrap();
    let squared = |(p, v): (&f32, &f32)| f64::from(p - v).powi(2);
    let error = predicted.iter().zip(&world.values).map(squared).sum::<f64>() / 20_000.0;
    // The noise is uniform below 300: its standard deviation is 86.6.
    assert!(error.sqrt() < 95.0, "{}", error.sqrt());
    let gains = model.split_gain_by_feature();
    assert!(gains[..3].iter().all(|&gain| gain > 0.0) && gains[3..] == [0.0; 2], "{gains:?}");
}

#[test]
fn the_log_odds_are_those_of_the_outcomes() {
    let world = World::new(20_000);
    let outcomes = world.outcomes();
    let model = world.model(&Target::Probability { outcomes: &outcomes }, params());
    let predicted = model.predict(&world.columns).unwrap();
    let probability = |log_odds: &f32| 1.0 / (1.0 + f64::from(-log_odds).exp());
    let expected = predicted.iter().map(probability).sum::<f64>();
    let actual = outcomes.iter().filter(|&&outcome| outcome).count() as f64;
    assert!((expected / actual - 1.0).abs() < 0.02, "{expected} {actual}");
    let right = predicted.iter().zip(&outcomes).filter(|(p, o)| (**p > 0.0) == **o).count();
    assert!(right > 17_000, "{right}");
}

#[test]
fn a_constant_target_needs_no_trees() {
    let world = World::new(1000);
    let values = vec![3.5; 1000];
    let target = Target::Quantiles { values: &values, observed: &[true; 1000], levels: &LEVELS };
    for (target, base) in [(target, vec![3.5; 3]), (Target::Mean { values: &values }, vec![3.5])] {
        let model = world.model(&target, params());
        assert_eq!((model.base(), model.trees().len()), (base.as_slice(), 0));
    }
}

#[test]
fn one_row_is_its_own_prediction() {
    let world = World::new(1);
    let params = Params { rows_in_leaf_min: 1, ..params() };
    let target = Target::Quantiles { values: &[5.0], observed: &[true], levels: &LEVELS };
    let model = world.model(&target, params.clone());
    assert_eq!(model.output_order(), OutputOrder::Rising);
    assert_eq!(model.predict(&world.columns).unwrap(), [5.0; 3]);
    let model = world.model(&Target::Mean { values: &[5.0] }, params);
    assert_eq!(model.predict(&world.columns).unwrap(), [5.0]);
}

#[test]
fn no_leaf_is_smaller_than_it_may_be() {
    let world = World::new(3000);
    let model = world.model(&world.quantiles(), Params { rows_in_leaf_min: 137, ..params() });
    for tree in model.trees() {
        let mut rows = vec![0; tree.n_leaves()];
        for row in 0..3000 {
            let values: Vec<f32> = world.columns.iter().map(|column| column[row]).collect();
            rows[tree.leaf_of(&values)] += 1;
        }
        assert!(rows.iter().all(|&rows| rows >= 137), "{rows:?}");
    }
}
