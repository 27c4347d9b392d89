//! All ways to walk the trees give the same bits, for models and rows of all that they may be made of.

use boost::{Child, Model, OutputOrder, Split, SplitRule, Tree};
use proptest::prelude::*;

use super::{Compiled, Instructions};

/// Numbers in which thresholds and values meet.
const NUMBERS: [f32; 14] = [
    0.0,
    -0.0,
    1.0,
    1.000_000_1,
    -1.0,
    1e-45,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    3.0,
    63.0,
    64.0,
];

/// Of a model whose splits are drawn.
#[derive(Clone, Debug)]
struct Shape {
    n_features: usize,
    n_trees: usize,
    leaves_max: usize,
    /// Of ten splits so many are by categories.
    categorical: u32,
    codes_max: u32,
    /// Thresholds are of so many different numbers, beside those that meet.
    thresholds: u32,
}

fn shapes() -> impl Strategy<Value = Shape> {
    let many = prop_oneof![Just(3u32), Just(60), Just(100_000)];
    (1usize..90, 0usize..140, 1usize..70, 0u32..6, 1u32..300, many).prop_map(
        |(n_features, n_trees, leaves_max, categorical, codes_max, thresholds)| Shape {
            n_features,
            n_trees,
            leaves_max,
            categorical,
            codes_max,
            thresholds,
        },
    )
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (((self.0 >> 33) * u64::from(end)) >> 31) as u32
    }

    fn number(&mut self, of: u32) -> f32 {
        match self.below(4) {
            0 => NUMBERS[self.below(NUMBERS.len() as u32) as usize],
            _ => self.below(of) as f32 / 16.0 - 2.0,
        }
    }
}

/// A tree that grew leaf by leaf: each split replaces a random leaf.
fn tree(random: &mut Random, shape: &Shape, n_outputs: usize) -> Tree {
    let n_leaves = 1 + random.below(shape.leaves_max as u32) as usize;
    let mut splits: Vec<Split> = Vec::new();
    let mut places: Vec<Option<(usize, bool)>> = vec![None];
    while places.len() < n_leaves {
        let leaf = random.below(places.len() as u32) as usize;
        let at = splits.len();
        let rule = if random.below(10) < shape.categorical {
            let n_codes = 1 + random.below(5);
            SplitRule::Codes((0..n_codes).map(|_| random.below(shape.codes_max)).collect())
        } else {
            SplitRule::AtMost(random.number(shape.thresholds))
        };
        splits.push(Split {
            feature: random.below(shape.n_features as u32),
            rule,
            missing_left: random.below(2) == 0,
            left: Child::Leaf(leaf as u32),
            right: Child::Leaf(places.len() as u32),
            gain: 1.0,
        });
        if let Some((parent, is_left)) = places[leaf] {
            let child = Child::Split(at as u32);
            if is_left { splits[parent].left = child } else { splits[parent].right = child }
        }
        places[leaf] = Some((at, true));
        places.push(Some((at, false)));
    }
    let values = (0..n_leaves * n_outputs)
        .map(|_| (random.below(1 << 20) as f32 - 5e5) * 10f32.powi(random.below(12) as i32 - 9));
    Tree::new(&splits, values.collect(), n_outputs).unwrap()
}

fn model(random: &mut Random, shape: &Shape, n_outputs: usize) -> Model {
    let trees = (0..shape.n_trees).map(|_| tree(random, shape, n_outputs)).collect();
    let base = (0..n_outputs).map(|output| 0.1 + output as f32).collect();
    let order = [OutputOrder::AsAdded, OutputOrder::Rising][random.below(2) as usize];
    Model::new(base, trees, shape.n_features, order).unwrap()
}

fn row(random: &mut Random, shape: &Shape) -> Vec<f32> {
    let value = |_| match random.below(8) {
        0 => f32::NAN,
        1 => -f32::NAN,
        2 => random.below(shape.codes_max + 2) as f32,
        _ => random.number(shape.thresholds),
    };
    (0..shape.n_features).map(value).collect()
}

/// Compares all instructions on some rows; returns by how many the model was compiled.
fn compare<const N: usize>(model: &Model, rows: &[Vec<f32>]) -> usize {
    let mut n_compiled = 0;
    for instructions in [Instructions::Portable, Instructions::Avx512] {
        let Some(compiled) = Compiled::<N>::of(model, instructions) else { continue };
        n_compiled += 1;
        for row in rows {
            let mut expected = [0.0; N];
            model.predict_row(row, &mut expected);
            let found = compiled.predict_row(row);
            assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{instructions:?}");
        }
    }
    n_compiled
}

fn n_ways() -> usize {
    1 + usize::from(Instructions::Avx512.is_available())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn all_instructions_give_the_same_bits(shape in shapes(), seed in any::<u64>()) {
        let mut random = Random(seed);
        let (nine, one) = (model(&mut random, &shape, 9), model(&mut random, &shape, 1));
        let rows: Vec<_> = (0..20).map(|_| row(&mut random, &shape)).collect();
        // Beyond the limits it need not be compiled.
        compare::<9>(&nine, &rows);
        compare::<1>(&one, &rows);
    }
}

fn shape() -> Shape {
    Shape {
        n_features: 60,
        n_trees: 130,
        leaves_max: 63,
        categorical: 2,
        codes_max: 200,
        thresholds: 1000,
    }
}

#[test]
fn models_within_the_limits_are_compiled() {
    let mut random = Random(7);
    for shape in [
        shape(),
        Shape { n_features: 120, ..shape() },
        Shape { n_features: 20, n_trees: 1, leaves_max: 1, ..shape() },
        Shape { n_trees: 0, ..shape() },
        // Of a feature more thresholds than a column has.
        Shape { n_features: 3, thresholds: 100_000, leaves_max: 120, ..shape() },
        Shape { n_trees: 20, leaves_max: 256, ..shape() },
        Shape { categorical: 10, leaves_max: 40, ..shape() },
    ] {
        let model = model(&mut random, &shape, 9);
        let rows: Vec<_> = (0..50).map(|_| row(&mut random, &shape)).collect();
        assert_eq!(compare::<9>(&model, &rows), n_ways(), "{shape:?}");
    }
}

#[test]
fn models_beyond_the_limits_are_walked_as_they_are() {
    let mut random = Random(3);
    for shape in [
        Shape { leaves_max: 400, n_trees: 30, ..shape() },
        Shape { n_features: 300, n_trees: 300, ..shape() },
        Shape { categorical: 10, n_trees: 400, ..shape() },
    ] {
        let model = model(&mut random, &shape, 9);
        assert!(Compiled::<9>::of(&model, Instructions::best()).is_none(), "{shape:?}");
    }
    let model = model(&mut random, &shape(), 9);
    assert!(Compiled::<9>::of(&model, Instructions::Plain).is_none());
    assert!(Compiled::<1>::of(&model, Instructions::best()).is_none(), "another number of outputs");
}

#[test]
#[should_panic(expected = "a value for each feature")]
fn a_row_of_another_length_is_refused() {
    let model = model(&mut Random(1), &shape(), 9);
    Compiled::<9>::of(&model, Instructions::best()).unwrap().predict_row(&[0.0; 61]);
}
