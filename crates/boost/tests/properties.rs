//! Properties of any training: neither threads nor the order of rows change the model, degenerate
//! data give a valid model, quantiles do not cross, losses fall, a killed training resumes.
#![expect(clippy::unwrap_used, reason = "a test that cannot train has failed")]

use boost::{
    Checkpoint, Checkpoints, Columns, Direction, Model, OutputOrder, Params, Target, train,
    train_resumable, training_bytes,
};
use statistics::SplitMix64;

const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

/// A pseudo-random number below `limit` that depends on the row and the salt alone.
fn draw(row: usize, salt: usize, limit: usize) -> usize {
    SplitMix64::new((row * 31 + salt) as u64).below(limit)
}

/// Simulated rows: a number, a category, a number with missing values, and two useless columns.
struct Fixture {
    columns: Vec<Vec<f32>>,
    categorical: Vec<bool>,
    values: Vec<f32>,
    observed: Vec<bool>,
}

impl Fixture {
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
    // Enough rows that there is work for several threads.
    let fixture = Fixture::new(70_000);
    let outcomes = fixture.outcomes();
    let targets = [
        fixture.quantiles(),
        Target::Mean { values: &fixture.values },
        Target::Probability { outcomes: &outcomes },
    ];
    for target in targets {
        let bytes = |threads| {
            let params = Params { rounds: 4, threads: Some(threads), ..params() };
            fixture.model(&target, params).encode()
        };
        let of_one = bytes(1);
        assert!(of_one == bytes(2) && of_one == bytes(16), "{target:?}");
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let fixture = Fixture::new(3000);
    let back = fixture.backwards();
    let (outcomes, outcomes_back) = (fixture.outcomes(), back.outcomes());
    assert_eq!(
        fixture.model(&fixture.quantiles(), params()),
        back.model(&back.quantiles(), params())
    );
    assert_eq!(
        fixture.model(&Target::Mean { values: &fixture.values }, params()),
        back.model(&Target::Mean { values: &back.values }, params())
    );
    assert_eq!(
        fixture.model(&Target::Probability { outcomes: &outcomes }, params()),
        back.model(&Target::Probability { outcomes: &outcomes_back }, params())
    );
}

#[test]
fn many_rows_are_predicted_as_one_and_quantiles_rise() {
    let fixture = Fixture::new(2000);
    let model = fixture.model(&fixture.quantiles(), params());
    let predicted = model.predict(&fixture.columns).unwrap();
    for (row, together) in predicted.chunks(LEVELS.len()).enumerate() {
        let values: Vec<f32> = fixture.columns.iter().map(|column| column[row]).collect();
        let mut alone = [0.0; 3];
        model.predict_row(&values, &mut alone);
        assert_eq!(alone, together);
        assert!(alone.is_sorted());
    }
    assert_eq!(Model::decode(&model.encode()).unwrap(), model);
}

#[test]
fn the_mean_is_learned_through_numbers_categories_and_missing_values() {
    let fixture = Fixture::new(20_000);
    let params = Params { rounds: 100, ..params() };
    let model = fixture.model(&Target::Mean { values: &fixture.values }, params);
    let predicted = model.predict(&fixture.columns).unwrap();
    let squared = |(p, v): (&f64, &f32)| (p - f64::from(*v)).powi(2);
    let error = predicted.iter().zip(&fixture.values).map(squared).sum::<f64>() / 20_000.0;
    // The noise is uniform below 300: its standard deviation is 86.6.
    assert!(error.sqrt() < 95.0, "{}", error.sqrt());
    let gains = model.split_gain_by_feature();
    assert!(gains[..3].iter().all(|&gain| gain > 0.0) && gains[3..] == [0.0; 2], "{gains:?}");
}

#[test]
fn the_log_odds_are_those_of_the_outcomes() {
    let fixture = Fixture::new(20_000);
    let outcomes = fixture.outcomes();
    let model = fixture.model(&Target::Probability { outcomes: &outcomes }, params());
    let predicted = model.predict(&fixture.columns).unwrap();
    let probability = |log_odds: &f64| 1.0 / (1.0 + (-log_odds).exp());
    let expected = predicted.iter().map(probability).sum::<f64>();
    let actual = outcomes.iter().filter(|&&outcome| outcome).count() as f64;
    assert!((expected / actual - 1.0).abs() < 0.02, "{expected} {actual}");
    let right = predicted.iter().zip(&outcomes).filter(|(p, o)| (**p > 0.0) == **o).count();
    assert!(right > 17_000, "{right}");
}

#[test]
fn a_constant_target_needs_no_trees() {
    let fixture = Fixture::new(1000);
    let values = vec![3.5; 1000];
    let target = Target::Quantiles { values: &values, observed: &[true; 1000], levels: &LEVELS };
    for (target, base) in [(target, vec![3.5; 3]), (Target::Mean { values: &values }, vec![3.5])] {
        let model = fixture.model(&target, params());
        assert_eq!((model.base(), model.trees().len()), (base.as_slice(), 0));
    }
}

#[test]
fn one_row_is_its_own_prediction() {
    let fixture = Fixture::new(1);
    let params = Params { rows_in_leaf_min: 1, ..params() };
    let target = Target::Quantiles { values: &[5.0], observed: &[true], levels: &LEVELS };
    let model = fixture.model(&target, params.clone());
    assert_eq!(model.output_order(), OutputOrder::Rising);
    assert_eq!(model.predict(&fixture.columns).unwrap(), [5.0; 3]);
    let model = fixture.model(&Target::Mean { values: &[5.0] }, params);
    assert_eq!(model.predict(&fixture.columns).unwrap(), [5.0]);
}

#[test]
fn no_leaf_is_smaller_than_it_may_be() {
    let fixture = Fixture::new(3000);
    let model = fixture.model(&fixture.quantiles(), Params { rows_in_leaf_min: 137, ..params() });
    for tree in model.trees() {
        let mut rows = vec![0; tree.n_leaves()];
        for row in 0..3000 {
            let values: Vec<f32> = fixture.columns.iter().map(|column| column[row]).collect();
            rows[tree.leaf_of(&values)] += 1;
        }
        assert!(rows.iter().all(|&rows| rows >= 137), "{rows:?}");
    }
}

/// The three kinds of target.
fn targets<'a>(fixture: &'a Fixture, outcomes: &'a [bool]) -> [Target<'a>; 3] {
    let mean = Target::Mean { values: &fixture.values };
    [fixture.quantiles(), mean, Target::Probability { outcomes }]
}

#[test]
fn a_row_of_weight_two_is_two_rows() {
    let mut fixture = Fixture::new(1500);
    // Few enough values that repeated rows move no border.
    fixture.columns[0].iter_mut().for_each(|value| *value = (*value / 5.0).floor());
    let twice: Vec<usize> = (0..1500).chain((0..1500).filter(|row| row % 3 == 0)).collect();
    let repeat = |values: &[f32]| twice.iter().map(|&row| values[row]).collect::<Vec<f32>>();
    let repeated = Fixture {
        columns: fixture.columns.iter().map(|column| repeat(column)).collect(),
        categorical: fixture.categorical.clone(),
        values: repeat(&fixture.values),
        // None is censored: imputed outcomes depend on the order of all bounds, which repeating rows
        // changes.
        observed: vec![true; twice.len()],
    };
    let fixture = Fixture { observed: vec![true; 1500], ..fixture };
    let weights: Vec<f32> = (0..1500).map(|row| if row % 3 == 0 { 2.0 } else { 1.0 }).collect();
    let (outcomes, outcomes_repeated) = (fixture.outcomes(), repeated.outcomes());
    // A row of weight 2 is one row for the least rows of a leaf, which is therefore 1.
    let params = Params { rows_in_leaf_min: 1, ..params() };
    let columns = Columns::new(&fixture.columns, &fixture.categorical).weighted(&weights);
    for (target, of_repeated) in
        targets(&fixture, &outcomes).iter().zip(targets(&repeated, &outcomes_repeated))
    {
        let weighted = train(&columns, target, &params.clone().check().unwrap()).unwrap();
        let repeated = repeated.model(&of_repeated, params.clone());
        let of = |model: &Model| model.predict(&fixture.columns).unwrap();
        let (weighted, repeated) = (of(&weighted), of(&repeated));
        let differ = weighted.iter().zip(&repeated).filter(|(a, b)| (*a - *b).abs() > 1.0).count();
        assert!(differ * 100 < weighted.len(), "{differ} of {}: {target:?}", weighted.len());
    }
}

#[test]
fn rows_of_no_weight_are_not_learned_from() {
    let fixture = Fixture::new(3000);
    let weights: Vec<f32> =
        fixture.values.iter().map(|&v| f32::from(u8::from(v < 900.0))).collect();
    let columns = Columns::new(&fixture.columns, &fixture.categorical).weighted(&weights);
    let params = Params { rounds: 60, ..params() }.check().unwrap();
    let model = train(&columns, &Target::Mean { values: &fixture.values }, &params).unwrap();
    let predicted = model.predict(&fixture.columns).unwrap();
    let highest = predicted.iter().copied().fold(0.0, f64::max);
    // Outcomes of weight 0 are from 900 to 2200; sums of trees exceed 900 a little.
    assert!(highest < 1000.0, "{highest}");
}

#[test]
fn every_output_follows_a_column_in_its_direction() {
    let mut fixture = Fixture::new(8000);
    // The outcome rises with the first column, except for a dip between 400 and 500.
    for (value, x) in fixture.values.iter_mut().zip(&fixture.columns[0]) {
        *value += if (400.0..500.0).contains(x) { -300.0 } else { 0.0 };
    }
    let outcomes = fixture.outcomes();
    let (rising, none) = (Some(Direction::Rising), None);
    let directions = [rising, none, Some(Direction::Falling), none, none];
    let params = Params { rounds: 40, ..params() }.check().unwrap();
    for target in targets(&fixture, &outcomes) {
        let columns = Columns::new(&fixture.columns, &fixture.categorical);
        let falls = |columns: &Columns<'_>| {
            let model = train(columns, &target, &params).unwrap();
            let mut falls = 0;
            for row in 0..300 {
                let mut values: Vec<f32> =
                    fixture.columns.iter().map(|column| column[row]).collect();
                let mut before = vec![f64::MIN; model.n_outputs()];
                for x in 0..100 {
                    values[0] = (x * 10) as f32;
                    let mut outputs = vec![0.0; model.n_outputs()];
                    model.predict_row(&values, &mut outputs);
                    // Sums of rounded numbers may differ in their last bits.
                    let less = |(now, before): (&f64, &f64)| *now < *before - 1e-3;
                    falls += usize::from(outputs.iter().zip(&before).any(less));
                    before = outputs;
                }
            }
            falls
        };
        assert_eq!(falls(&columns.directed(&directions)), 0, "{target:?}");
        assert!(falls(&columns) > 100, "without a constraint there is a dip");
    }
}

#[test]
fn training_stops_when_the_held_out_rows_are_predicted_no_better() {
    let fixture = Fixture::new(4000);
    let target = Target::Mean { values: &fixture.values };
    let params = |rows, rounds| Params {
        rounds: 400,
        learning_rate: 0.5,
        rows_in_leaf_min: 2,
        early_stopping_rows: rows,
        early_stopping_rounds: rounds,
        ..Params::default()
    };
    let stopped = fixture.model(&target, params(1000, 5));
    assert!((3..200).contains(&stopped.trees().len()), "{}", stopped.trees().len());
    let error = |model: &Model| {
        let predicted = model.predict(&fixture.columns).unwrap();
        let rows = predicted.iter().zip(&fixture.values).skip(3000);
        rows.map(|(p, v)| (p - f64::from(*v)).powi(2)).sum::<f64>()
    };
    // The same rows to learn from, to the end.
    let first: Vec<Vec<f32>> =
        fixture.columns.iter().map(|column| column[..3000].to_vec()).collect();
    let columns = Columns::new(&first, &fixture.categorical);
    let target = Target::Mean { values: &fixture.values[..3000] };
    let to_the_end = train(&columns, &target, &params(0, 0).check().unwrap()).unwrap();
    assert_eq!(to_the_end.trees().len(), 400);
    assert!(error(&stopped) < error(&to_the_end));
}

#[test]
fn killed_and_resumed_gives_the_bytes_of_never_killed() {
    let fixture = Fixture::new(2000);
    let outcomes = fixture.outcomes();
    let columns = Columns::new(&fixture.columns, &fixture.categorical);
    for (target, early) in targets(&fixture, &outcomes).into_iter().zip([0, 200, 0]) {
        let params = Params {
            row_fraction_per_tree: 0.7,
            early_stopping_rows: early,
            early_stopping_rounds: early.min(4),
            ..params()
        };
        let checked = params.clone().check().unwrap();
        let mut saved: Vec<Vec<u8>> = Vec::new();
        let mut save = |checkpoint: &Checkpoint| {
            saved.push(checkpoint.encode());
            Ok(())
        };
        let checkpoints = Checkpoints::none().every(5, &mut save);
        let model = train_resumable(&columns, &target, &checked, checkpoints).unwrap();
        assert_eq!(model, train(&columns, &target, &checked).unwrap());
        assert!(!saved.is_empty());
        for bytes in &saved {
            let from = Checkpoints::none().from(Some(Checkpoint::decode(bytes).unwrap()));
            let resumed = train_resumable(&columns, &target, &checked, from).unwrap();
            assert!(resumed.encode() == model.encode(), "{target:?}");
        }
        let other = Params { seed: 9, ..params }.check().unwrap();
        let from = Checkpoints::none().from(Some(Checkpoint::decode(&saved[0]).unwrap()));
        let refused = train_resumable(&columns, &target, &other, from).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the checkpoint after 5 rounds is of other data or parameters"
        );
    }
}

#[test]
fn what_does_not_fit_the_memory_is_refused_with_an_estimate() {
    let fixture = Fixture::new(1000);
    let params = Params { memory_mib: Some(1), ..params() };
    let needed = training_bytes(1000, 5, 3, &params).div_ceil(1 << 20);
    let columns = Columns::new(&fixture.columns, &fixture.categorical);
    let refused = train(&columns, &fixture.quantiles(), &params.check().unwrap()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "training 1000 rows x 5 columns with 31 leaves needs {needed} MiB beside its columns, memory_mib allows 1"
        )
    );
    assert!(refused.hint().unwrap().contains("memory_mib"));
}

#[test]
fn high_cardinality_is_learned_although_codes_share_bins() {
    let n = 40_000;
    let codes: Vec<f32> = (0..n).map(|row| draw(row, 0, 2000) as f32).collect();
    let effect = |code: f32| draw(code as usize, 77, 1000) as f32;
    let values: Vec<f32> = codes.iter().map(|&code| effect(code)).collect();
    let columns = [codes];
    let params = Params { rounds: 150, rows_in_leaf_min: 5, ..Params::default() }.check().unwrap();
    let columns_and_kinds = Columns::new(&columns, &[true]);
    let model = train(&columns_and_kinds, &Target::Mean { values: &values }, &params).unwrap();
    let predicted = model.predict(&columns).unwrap();
    let errors = predicted.iter().zip(&values).map(|(p, v)| (p - f64::from(*v)).abs());
    // Effects are uniform below 1000: the error of their mean is 250. Eight codes share a bin.
    let mean = errors.sum::<f64>() / n as f64;
    assert!(mean < 25.0, "{mean}");
}
