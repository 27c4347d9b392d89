//! Growth of one tree by the naive trainer: every split of every leaf is evaluated from lists of
//! rows.

use super::routing::goes_left;
use crate::binning::{BINS, BinMapping, Binning, MISSING_BIN};
use crate::fixed_point::{Word, add};
use crate::sampling::{WHOLE_TREE, draw, draw_rows};
use crate::splitting::SplitFinder;
use crate::{Child, Columns, Split, SplitRule};

/// A column and its bins.
pub(super) struct Feature {
    /// Shapes: n_rows.
    bins: Vec<u8>,
    binning: Binning,
}

impl Feature {
    pub(super) fn new(values: &[f32], binning: Binning) -> Self {
        Self { bins: values.iter().map(|&value| binning.bin(value)).collect(), binning }
    }
}

/// A split, and its sampled rows on either side.
struct Found {
    /// Compared among the splits of a column.
    score: f64,
    /// Compared among columns and leaves.
    gain: f64,
    feature: usize,
    rule: SplitRule,
    missing_left: bool,
    sides: [Vec<usize>; 2],
}

/// A leaf that may still be split.
struct Leaf {
    /// The split and side of which it is the child; none for the root.
    parent: Option<(usize, usize)>,
    best: Option<Found>,
}

/// Grows the tree of a round and returns its splits. Shapes: `words` n_rows.
pub(super) fn grow<const W: usize>(
    columns: &Columns<'_>,
    features: &[Feature],
    finder: SplitFinder<'_>,
    words: &[Word<W>],
    round: u32,
) -> Vec<Split> {
    let params = finder.params;
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
            for found in every_split(columns, features, finder, words, rows, feature) {
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
    let sample: Vec<usize> = all.into_iter().map(|row| row as usize).collect();
    let mut leaves = vec![Leaf { best: best(&sample, 0), parent: None }];
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
    splits
}

/// Every allowed split of some rows by a column, in the order in which ties are decided.
fn every_split<const W: usize>(
    columns: &Columns<'_>,
    features: &[Feature],
    finder: SplitFinder<'_>,
    words: &[Word<W>],
    rows: &[usize],
    feature: usize,
) -> Vec<Found> {
    let values = &columns.columns[feature];
    let Feature { bins, binning } = &features[feature];
    let sum = |rows: &mut dyn Iterator<Item = usize>| {
        let mut sum = [0; W];
        rows.for_each(|row| add(&mut sum, &words[row]));
        sum
    };
    let mut present: Vec<u8> = rows.iter().map(|&row| bins[row]).collect();
    present.sort_unstable();
    present.dedup();
    present.retain(|&bin| bin != MISSING_BIN);
    let any_missing = rows.iter().any(|&row| values[row].is_nan());
    let mut noise_gains = [0.0; BINS];
    if let BinMapping::Categorical { .. } = &binning.mapping {
        let whole = finder.packing.sums(&sum(&mut rows.iter().copied()));
        let smoothing = finder.params.category_smoothing;
        let mean = |bin: u8| {
            let here = &mut rows.iter().copied().filter(|&row| bins[row] == bin);
            let sums = finder.packing.sums(&sum(here));
            (sums.gradient + whole.gradient / whole.hessian * smoothing)
                / (sums.hessian + smoothing)
        };
        // Stable, so that equal means stay in the order of their bins.
        present.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
        let up_to = |last: usize| {
            let is_below = |&row: &usize| present[..=last].contains(&bins[row]);
            sum(&mut rows.iter().copied().filter(is_below))
        };
        let below: Vec<Word<W>> = (0..present.len()).map(up_to).collect();
        noise_gains = finder.expected_noise_gain(&below);
    }
    let mut found = Vec::new();
    for last in 0..present.len() {
        let n_below = rows.iter().filter(|&&row| present[..=last].contains(&bins[row])).count();
        let larger_left = n_below >= rows.len() - n_below;
        let missing_sides = if any_missing { vec![false, true] } else { vec![larger_left] };
        for missing_left in missing_sides {
            let rule = match &binning.mapping {
                BinMapping::Numeric { borders } => {
                    let border = borders.get(present[last] as usize);
                    SplitRule::AtMost(border.copied().unwrap_or(f32::MAX))
                }
                BinMapping::Categorical { codes } => {
                    let in_set =
                        if missing_left { &present[last + 1..] } else { &present[..=last] };
                    let mut codes: Vec<u32> =
                        in_set.iter().flat_map(|&bin| codes[bin as usize].clone()).collect();
                    codes.sort_unstable();
                    SplitRule::Codes(codes)
                }
            };
            let (left, right): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|&&row| goes_left(&rule, missing_left, values[row]));
            let sides = [&left, &right].map(|rows| sum(&mut rows.iter().copied()));
            let whole = sum(&mut rows.iter().copied());
            let direction = columns.directions.get(feature).copied().flatten();
            if let Some((score, gain)) =
                finder.gain(&sides[0], &whole, noise_gains[last], direction)
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
