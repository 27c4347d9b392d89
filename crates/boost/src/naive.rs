//! The obvious slow trainer, which the tests hold the fast one to.
//!
//! It shares with the fast one the bins of single values, the draws (of rows, of columns, of open
//! rows' outcomes), the packing of numbers (so that equal sums are equal to the bit), the buckets of
//! residuals, the bounds of directed leaves, the gain of two sides and what noise gains. Its own are
//! the search (every place of every column, each time from all rows of the leaf), growth (lists of
//! rows, no blocks, no histograms and no subtraction), the ranks, the leaves (by sorting), the base
//! (Kaplan-Meier by its definition) and the routing (of values, not bins). One thread.

use crate::binning::{BINS, Binning, MISSING_BIN, Meaning};
use crate::censored::OpenRows;
use crate::leaf::Buckets;
use crate::monotone::{Fork, bind};
use crate::numbers::{Word, add};
use crate::quantile::{noise, packing};
use crate::sampling::{WHOLE_TREE, draw, draw_rows};
use crate::splitting::Judge;
use crate::table::Table;
use crate::{CheckedParams, Child, Columns, Model, OutputOrder, Rule, Split, Target, Tree};

/// A column in bins.
struct Feature {
    bins: Vec<u8>,
    binning: Binning,
}

/// A split, and its sampled rows on either side.
struct Found {
    /// Compared within a column.
    score: f64,
    /// Compared among columns and leaves.
    gain: f64,
    feature: usize,
    rule: Rule,
    missing_left: bool,
    sides: [Vec<usize>; 2],
}

struct Leaf {
    parent: Option<(usize, usize)>,
    best: Option<Found>,
}

/// Trains a model of quantiles.
pub fn train(columns: &Columns<'_>, target: &Target<'_>, params: &CheckedParams) -> Model {
    let Target::Quantiles { values, observed, levels } = *target else { panic!("quantiles") };
    let binnings = Binning::of_all(columns, params, || target.signal(values.len()));
    let features: Vec<Feature> = (columns.columns.iter().zip(binnings))
        .map(|(column, binning)| Feature {
            bins: column.iter().map(|&value| binning.bin(value)).collect(),
            binning,
        })
        .collect();
    let n_rows = values.len();
    let table = Table::new(columns, params, || target.signal(values.len()));
    let open = OpenRows::new(values, observed, levels, |row| table.row_digest(row));
    let (lowest, highest) = values
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    let buckets = Buckets::new(highest - lowest);
    let base: Vec<f32> = levels.iter().map(|&level| quantile(values, observed, level)).collect();
    let mut current: Vec<Vec<f32>> = vec![base.clone(); n_rows];
    let mut outcomes = values.to_vec();
    let mut trees = Vec::new();
    for round in 0..params.rounds {
        let drawn = open.draw(round, &current.concat());
        drawn.iter().for_each(|drawn| outcomes[drawn.row as usize] = drawn.outcome);
        let packing = packing(n_rows, levels);
        let words: Vec<Word<1>> = (0..n_rows)
            .map(|row| {
                let n_below = current[row].iter().filter(|&&q| outcomes[row] < q).count();
                let gradient = n_below as f64 - levels.iter().sum::<f64>();
                let expected = drawn.iter().find(|drawn| drawn.row as usize == row);
                let gradient = gradient / levels.len() as f64;
                packing.word(&packing.fix(expected.map_or(gradient, |drawn| drawn.gradient)))
            })
            .collect();
        let judge = Judge { params, packing: &packing, noise: noise(levels) };
        let (splits, sampled) = grow(columns, &features, judge, &words, round);
        let mut leaves = vec![Vec::new(); sampled];
        for row in 0..n_rows {
            leaves[leaf_of(columns, &splits, row)].push(row);
        }
        let mut leaf_values: Vec<f32> = Vec::new();
        for rows in &leaves {
            leaf_values.extend((0..levels.len()).map(|k| {
                let residual = |&row: &usize| outcomes[row] - current[row][k];
                let mut found: Vec<usize> =
                    rows.iter().map(residual).map(|residual| buckets.of(residual)).collect();
                found.sort_unstable();
                let wanted = rows.len() as f64 * levels[k];
                let enough = |rank: &usize| *rank as f64 >= wanted - rows.len() as f64 * 1e-9;
                let bucket = found[(1..=rows.len()).find(enough).expect("all is enough") - 1];
                let before = found.iter().filter(|&&other| other < bucket).count() as f64;
                let here = found.iter().filter(|&&other| other == bucket).count() as f64;
                let way = ((wanted - before) / here).clamp(0.0, 1.0);
                buckets.along(bucket, way) * params.learning_rate as f32
            }));
        }
        let direction = |split: &Split| columns.directions[split.feature as usize];
        let fork = |split: &Split| Fork {
            children: [split.left, split.right],
            direction: direction(split),
        };
        let forks: Vec<Fork> = splits.iter().map(fork).collect();
        let weights: Vec<f64> = leaves.iter().map(|rows| rows.len() as f64).collect();
        bind(&forks, &weights, &mut leaf_values);
        for (rows, step) in leaves.iter().zip(leaf_values.chunks(levels.len())) {
            for &row in rows {
                current[row].iter_mut().zip(step).for_each(|(q, step)| *q += step);
            }
        }
        if !splits.is_empty() || leaf_values.iter().any(|&value| value != 0.0) {
            trees.push(Tree::new(&splits, leaf_values, levels.len()).expect("a tree"));
        }
    }
    Model::new(base, trees, columns.columns.len(), OutputOrder::Rising).expect("a model")
}

/// The Kaplan-Meier quantile by its definition.
fn quantile(values: &[f32], observed: &[bool], level: f64) -> f32 {
    let mut all: Vec<(f32, bool)> = values.iter().copied().zip(observed.iter().copied()).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut survival = 1.0;
    for (before, &(value, is_event)) in all.iter().enumerate() {
        if is_event {
            survival *= 1.0 - 1.0 / (all.len() - before) as f64;
            if 1.0 - survival >= level - 1e-9 {
                return value;
            }
        }
    }
    all[all.len() - 1].0
}

/// The leaf of a row, by its values.
fn leaf_of(columns: &Columns<'_>, splits: &[Split], row: usize) -> usize {
    let mut at = if splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
    loop {
        match at {
            Child::Leaf(leaf) => return leaf as usize,
            Child::Split(split) => {
                let split = &splits[split as usize];
                let value = columns.columns[split.feature as usize][row];
                let left = goes_left(&split.rule, split.missing_left, value);
                at = if left { split.left } else { split.right };
            }
        }
    }
}

fn goes_left(rule: &Rule, missing_left: bool, value: f32) -> bool {
    match rule {
        _ if value.is_nan() => missing_left,
        Rule::AtMost(threshold) => value <= *threshold,
        Rule::Codes(codes) => codes.contains(&(value as u32)) != missing_left,
    }
}

/// Grows a tree; gives its splits and the number of its leaves.
fn grow(
    columns: &Columns<'_>,
    features: &[Feature],
    judge: Judge<'_>,
    words: &[Word<1>],
    round: u32,
) -> (Vec<Split>, usize) {
    let params = judge.params;
    let is_useful = |&feature: &usize| {
        let bins = &features[feature].bins;
        bins.iter().any(|bin| *bin != bins[0])
    };
    let useful: Vec<usize> = (0..features.len()).filter(is_useful).collect();
    let drawn = |from: &[usize], fraction, node| -> Vec<usize> {
        let drawn = draw(from.len(), fraction, params.seed, round, node);
        from.iter().zip(drawn).filter(|(_, drawn)| *drawn).map(|(&feature, _)| feature).collect()
    };
    let of_tree = drawn(&useful, params.feature_fraction_per_tree, WHOLE_TREE);
    let best = |rows: &[usize], node| {
        let mut best: Option<Found> = None;
        for feature in drawn(&of_tree, params.feature_fraction_per_split, node) {
            let mut of_feature: Option<Found> = None;
            for found in every_split(columns, features, judge, words, rows, feature) {
                if of_feature.as_ref().is_none_or(|best| found.score > best.score) {
                    of_feature = Some(found);
                }
            }
            if let Some(found) = of_feature
                && best.as_ref().is_none_or(|best| found.gain > best.gain)
            {
                best = Some(found);
            }
        }
        best
    };
    let mut all = vec![0; words.len()];
    let fraction = params.row_fraction_per_tree;
    let mut scratch = vec![0; words.len()];
    let n_sampled = draw_rows(fraction, params.seed, round, &mut all, &mut scratch);
    all.truncate(n_sampled);
    let all: Vec<usize> = all.into_iter().map(|row| row as usize).collect();
    let mut leaves = vec![Leaf { best: best(&all, 0), parent: None }];
    let mut splits: Vec<Split> = Vec::new();
    while leaves.len() < params.leaves as usize {
        let gain = |leaf: &Leaf| leaf.best.as_ref().map_or(0.0, |best| best.gain);
        let most = leaves.iter().map(gain).fold(0.0, f64::max);
        if most == 0.0 {
            break;
        }
        let at = leaves.iter().position(|leaf| gain(leaf) == most).expect("the best");
        let found = leaves[at].best.take().expect("a split");
        let split = splits.len();
        match leaves[at].parent {
            Some((parent, 0)) => splits[parent].left = Child::Split(split as u32),
            Some((parent, _)) => splits[parent].right = Child::Split(split as u32),
            None => {}
        }
        splits.push(Split {
            feature: found.feature as u32,
            rule: found.rule,
            missing_left: found.missing_left,
            left: Child::Leaf(at as u32),
            right: Child::Leaf(leaves.len() as u32),
            gain: found.gain as f32,
        });
        let [left, right] = found.sides;
        let child = |rows: Vec<usize>, side: usize| Leaf {
            best: best(&rows, (2 * split + 1 + side) as u64),
            parent: Some((split, side)),
        };
        leaves[at] = child(left, 0);
        leaves.push(child(right, 1));
    }
    (splits, leaves.len())
}

/// Every allowed split of some rows by a column, in the order in which ties are decided.
fn every_split(
    columns: &Columns<'_>,
    features: &[Feature],
    judge: Judge<'_>,
    words: &[Word<1>],
    rows: &[usize],
    feature: usize,
) -> Vec<Found> {
    let values = &columns.columns[feature];
    let Feature { bins, binning } = &features[feature];
    let sum = |rows: &mut dyn Iterator<Item = usize>| {
        let mut sum = [0; 1];
        rows.for_each(|row| add(&mut sum, &words[row]));
        sum
    };
    let mut present: Vec<u8> = rows.iter().map(|&row| bins[row]).collect();
    present.sort_unstable();
    present.dedup();
    present.retain(|&bin| bin != MISSING_BIN);
    let any_missing = rows.iter().any(|&row| values[row].is_nan());
    let mut chances = [0.0; BINS];
    if let Meaning::Categorical { .. } = &binning.meaning {
        let whole = judge.packing.sums(&sum(&mut rows.iter().copied()));
        let smoothing = judge.params.category_smoothing;
        let mean = |bin: u8| {
            let here = &mut rows.iter().copied().filter(|&row| bins[row] == bin);
            let sums = judge.packing.sums(&sum(here));
            (sums.gradient + whole.gradient / whole.hessian * smoothing)
                / (sums.hessian + smoothing)
        };
        // Stable, so that equal means stay in the order of their bins.
        present.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
        let up_to = |last: usize| {
            let is_below = |&row: &usize| present[..=last].contains(&bins[row]);
            sum(&mut rows.iter().copied().filter(is_below))
        };
        let below: Vec<Word<1>> = (0..present.len()).map(up_to).collect();
        chances = judge.chances(&below);
    }
    let mut found = Vec::new();
    for last in 0..present.len() {
        let n_below = rows.iter().filter(|&&row| present[..=last].contains(&bins[row])).count();
        let larger_left = n_below >= rows.len() - n_below;
        let missing_sides = if any_missing { vec![false, true] } else { vec![larger_left] };
        for missing_left in missing_sides {
            let rule = match &binning.meaning {
                Meaning::Numeric { borders } => {
                    let border = borders.get(present[last] as usize);
                    Rule::AtMost(border.copied().unwrap_or(f32::MAX))
                }
                Meaning::Categorical { codes } => {
                    let apart = if missing_left { &present[last + 1..] } else { &present[..=last] };
                    let mut codes: Vec<u32> =
                        apart.iter().flat_map(|&bin| codes[bin as usize].clone()).collect();
                    codes.sort_unstable();
                    Rule::Codes(codes)
                }
            };
            let (left, right): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|&&row| goes_left(&rule, missing_left, values[row]));
            let sides = [&left, &right].map(|rows| sum(&mut rows.iter().copied()));
            let whole = sum(&mut rows.iter().copied());
            if let Some((score, gain)) =
                judge.gain(&sides[0], &whole, chances[last], columns.directions[feature])
            {
                found.push(Found {
                    score,
                    gain,
                    feature,
                    rule,
                    missing_left,
                    sides: [left, right],
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Direction;

    /// A value of a column: few distinct ones, so that ties and full bins are common.
    fn column(n: usize, categorical: bool) -> impl Strategy<Value = Vec<f32>> {
        let value = if categorical { 0i16..12 } else { -20i16..20 };
        let value = prop_oneof![
            9 => value.prop_map(move |v| if categorical { v.into() } else { f32::from(v) / 4.0 }),
            1 => Just(f32::NAN),
        ];
        prop::collection::vec(value, n)
    }

    fn world() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<f32>, Vec<bool>)> {
        (20usize..120).prop_flat_map(|n| {
            (
                (column(n, false), column(n, true), column(n, false)),
                prop::collection::vec(0.0f32..8.0, n),
                prop::collection::vec(prop::bool::weighted(0.8), n),
            )
                .prop_map(|((a, b, c), noise, mut observed)| {
                    let signal = a.iter().zip(&b).map(|(a, b)| {
                        10.0 + if a.is_nan() { 5.0 } else { *a } + if *b == 3.0 { 9.0 } else { 0.0 }
                    });
                    let values = signal.zip(noise).map(|(signal, noise)| signal + noise).collect();
                    observed[0] = true;
                    (vec![a, b, c], values, observed)
                })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_fast_trainer_grows_the_trees_of_the_obvious_one(
            (columns, values, observed) in world(),
            rows_in_leaf_min in 1u32..12,
            leaves in 2u32..12,
            bins_max in 4u16..30,
            row_fraction_per_tree in prop_oneof![Just(1.0), 0.5..1.0],
            category_noise in prop_oneof![Just(0.0), 0.0..3.0],
            direction in prop_oneof![
                Just(None), Just(Some(Direction::Rising)), Just(Some(Direction::Falling)),
            ],
            seed: u64,
        ) {
            prop_assume!(columns.iter().flatten().any(|value| !value.is_nan()));
            let params = crate::Params {
                rounds: 6,
                learning_rate: 0.5,
                rows_in_leaf_min,
                leaves,
                bins_max,
                row_fraction_per_tree,
                seed,
                category_smoothing: 1.0,
                category_noise,
                ..crate::Params::default()
            };
            let params = params.check().unwrap();
            let directions = [None, None, direction];
            let columns = Columns::new(&columns, &[false, true, false]).directed(&directions);
            let levels = [0.1, 0.5, 0.9];
            let target =
                Target::Quantiles { values: &values, observed: &observed, levels: &levels };
            let expected = train(&columns, &target, &params);
            let model = crate::train(&columns, &target, &params).unwrap();
            prop_assert_eq!(model, expected);
        }
    }
}
