//! Fuzzing: any bytes become a small training set, a target and parameters. What the trainer accepts,
//! the naive trainer must train to the same model; what it refuses, it must refuse without a panic.
//! `make fuzz` runs it.
#![no_main]

use boost::{Columns, Direction, Params, Target};
use libfuzzer_sys::fuzz_target;

/// Bytes read as numbers; zeros after the last.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `n`.
    fn below(&mut self, n: u8) -> u8 {
        self.next() % n
    }

    /// A share, sometimes outside its range.
    fn share(&mut self) -> f64 {
        match self.next() {
            0 => 1.0,
            255 => f64::NAN,
            byte => f64::from(byte) / 250.0,
        }
    }

    /// A value of a column: few distinct ones, and every special one.
    fn value(&mut self, categorical: bool) -> f32 {
        match self.next() {
            byte @ 0..200 if categorical => f32::from(byte % 20),
            byte @ 0..200 => (f32::from(byte) - 100.0) / 8.0,
            200..245 => f32::NAN,
            245 if categorical => 16_777_215.0,
            246 => f32::MAX,
            247 => f32::MIN_POSITIVE / 2.0,
            248 => -0.0,
            249 => f32::INFINITY,
            250 => 0.5,
            byte => f32::from(byte),
        }
    }

    /// A weight of a few quarters, so that sums are exact, sometimes an invalid one.
    fn weight(&mut self) -> f32 {
        match self.next() {
            255 => -1.0,
            byte => f32::from(byte % 32) / 4.0,
        }
    }

    fn outcome(&mut self) -> f32 {
        match self.next() {
            255 => f32::NAN,
            254 => 1e30,
            byte => f32::from(byte) / 4.0,
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let n_rows = bytes.below(100) as usize;
    let n_columns = 1 + bytes.below(4) as usize;
    let params = Params {
        rounds: bytes.below(5).into(),
        learning_rate: bytes.share(),
        leaves: bytes.below(14).into(),
        rows_in_leaf_min: bytes.below(12).into(),
        bins_max: bytes.below(32).into(),
        row_fraction_per_tree: bytes.share(),
        feature_fraction_per_tree: bytes.share(),
        feature_fraction_per_split: bytes.share(),
        l2: bytes.share(),
        category_smoothing: bytes.share(),
        category_noise: bytes.share(),
        gain_min: bytes.share() - 0.5,
        seed: bytes.next().into(),
        threads: Some(1),
        ..Params::default()
    };
    let Ok(params) = params.check() else { return };
    let mut levels: Vec<f64> =
        (0..bytes.below(6)).map(|_| f64::from(bytes.next()) / 255.0).collect();
    levels.sort_by(f64::total_cmp);
    let categorical: Vec<bool> = (0..n_columns).map(|_| bytes.below(3) == 0).collect();
    let directions: Vec<Option<Direction>> = (0..n_columns)
        .map(|_| match bytes.below(5) {
            0 => Some(Direction::Rising),
            1 => Some(Direction::Falling),
            _ => None,
        })
        .collect();
    let columns: Vec<Vec<f32>> = categorical
        .iter()
        .map(|&categorical| (0..n_rows).map(|_| bytes.value(categorical)).collect())
        .collect();
    let values: Vec<f32> = (0..n_rows).map(|_| bytes.outcome()).collect();
    let observed: Vec<bool> = (0..n_rows).map(|_| bytes.below(4) > 0).collect();
    let weights: Vec<f32> = (0..n_rows).map(|_| bytes.weight()).collect();
    let events: Vec<bool> = values.iter().map(|&value| value > 20.0).collect();
    let columns = Columns::new(&columns, &categorical).directed(&directions);
    let columns = if bytes.below(2) == 0 { columns } else { columns.weighted(&weights) };
    let target = match bytes.below(4) {
        0 => Target::Mean { values: &values },
        1 => Target::Probability { outcomes: &events },
        _ => Target::Quantiles { values: &values, observed: &observed, levels: &levels },
    };
    let Ok(model) = boost::train(&columns, &target, &params) else { return };
    assert_eq!(model, boost::naive::train(&columns, &target, &params));
    assert_eq!(boost::Model::decode(&model.encode()).as_ref().ok(), Some(&model));
});
