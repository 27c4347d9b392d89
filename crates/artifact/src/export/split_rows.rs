//! Rows that meet splits at their thresholds.
//!
//! A row meets a split if the tree routes it there; to say something of a threshold, the split's
//! feature must then have that very value, or the float next to it. So rows are made of the
//! conditions of the path to a split and of the value there, and as many splits as agree with each
//! other share a row: for each of the four values (the threshold, the float below, the float above,
//! missing; of categories two of the set, one outside, missing) the splits of all trees are taken in
//! random order, and a row takes in whichever of the next ones it can. So all splits are met if the
//! rows suffice, and a random sample of them if not.

use boost::{Child, Split, SplitRule};
use scorer::Parts;
use statistics::SplitMix64;

use super::value_pools::{ValuePools, models};

/// How often the first split of a row is tried.
const FIRST_TRIES: usize = 8;

/// How many of the remaining splits a row is tried for.
const TRIES: usize = 400;

/// Which of its values a split is met with.
const VALUES: usize = 4;

/// The rows, and how many splits there are.
pub(super) struct SplitRows {
    pub(super) rows: Vec<Vec<f32>>,
    pub(super) n_splits: usize,
    /// Splits that are met at the threshold and at both neighbours, or inside and outside the set.
    pub(super) n_met: usize,
}

/// Splits of a tree with the way to each.
struct Paths {
    splits: Vec<Split>,
    /// The split that each split is a child of, and whether it is the left one.
    parents: Vec<Option<(usize, bool)>>,
}

impl Paths {
    fn new(splits: Vec<Split>) -> Self {
        let mut parents = vec![None; splits.len()];
        for (at, split) in splits.iter().enumerate() {
            for (child, is_left) in [(split.left, true), (split.right, false)] {
                if let Child::Split(child) = child {
                    parents[child as usize] = Some((at, is_left));
                }
            }
        }
        Self { splits, parents }
    }
}

/// What a feature of a row may be so that the row goes where it is wanted.
#[derive(Clone, Copy)]
enum Condition {
    /// More than the first and at most the second; or missing, if that is allowed.
    Between(f32, f32, bool),
    /// This value, which may be missing.
    Exactly(f32),
}

const ANY: Condition = Condition::Between(f32::NEG_INFINITY, f32::INFINITY, true);

impl Condition {
    fn allows(self, value: f32) -> bool {
        match self {
            Self::Between(_, _, missing) if value.is_nan() => missing,
            Self::Between(above, up_to, _) => above < value && value <= up_to,
            Self::Exactly(only) => only.to_bits() == value.to_bits(),
        }
    }
}

/// At most `rows_max` rows that meet the splits of a model.
pub(super) fn split_rows(
    parts: &Parts,
    pools: &ValuePools,
    rows_max: usize,
    random: &mut SplitMix64,
) -> SplitRows {
    let trees = models(parts).flat_map(boost::Model::trees);
    let trees: Vec<Paths> = trees.map(|tree| Paths::new(tree.splits().collect())).collect();
    let all: Vec<(usize, usize)> = (trees.iter().enumerate())
        .flat_map(|(tree, paths)| (0..paths.splits.len()).map(move |split| (tree, split)))
        .collect();
    let n_features = parts.features.len();
    let mut rows = Vec::new();
    for value in 0..VALUES {
        let mut left = all.clone();
        shuffle(&mut left, random);
        let last = rows_max * (value + 1) / VALUES;
        while !left.is_empty() && rows.len() < last {
            let mut conditions = vec![ANY; n_features];
            let mut is_new = true;
            let mut later = Vec::new();
            for (tree, split) in left.drain(..left.len().min(TRIES)) {
                let paths = &trees[tree];
                // Codes outside of a set are drawn, so the next try may find others.
                let tries = if is_new { FIRST_TRIES } else { 1 };
                if (0..tries).any(|_| add(&mut conditions, paths, split, value, pools, random)) {
                    is_new = false;
                } else if !is_new {
                    later.push((tree, split));
                }
                // What a row without other conditions cannot meet, no row can.
            }
            // Those that did not fit have the first try of the next row.
            left.splice(0..0, later);
            if !is_new {
                rows.push(fill(&conditions, pools, random));
            }
        }
    }
    let n_met = n_met(&trees, &rows, pools);
    SplitRows { rows, n_splits: all.len(), n_met }
}

fn shuffle<T>(items: &mut [T], random: &mut SplitMix64) {
    for end in (1..items.len()).rev() {
        items.swap(end, random.below(end + 1));
    }
}

/// Adds the conditions under which a row meets a split with a value. Returns whether they agree with
/// those that are there; if not, they are as they were.
fn add(
    conditions: &mut [Condition],
    paths: &Paths,
    split: usize,
    value: usize,
    pools: &ValuePools,
    random: &mut SplitMix64,
) -> bool {
    let mut before = Vec::new();
    let mut set = |conditions: &mut [Condition], feature: u32, to: Option<Condition>| {
        let Some(to) = to else { return false };
        before.push((feature, conditions[feature as usize]));
        conditions[feature as usize] = to;
        true
    };
    let mut agree = true;
    let mut at = split;
    while let (true, Some((parent, is_left))) = (agree, paths.parents[at]) {
        let rule = &paths.splits[parent];
        let found = conditions[rule.feature as usize];
        agree = set(conditions, rule.feature, towards(found, rule, is_left, pools, random));
        at = parent;
    }
    if agree {
        let goal = &paths.splits[split];
        let wanted = wanted(goal, value, pools, random);
        let is_allowed = conditions[goal.feature as usize].allows(wanted);
        agree = set(conditions, goal.feature, is_allowed.then_some(Condition::Exactly(wanted)));
    }
    if !agree {
        for (feature, condition) in before.into_iter().rev() {
            conditions[feature as usize] = condition;
        }
    }
    agree
}

/// The condition with which a row goes left (or right) at a split as well; `None` if there is none.
fn towards(
    found: Condition,
    split: &Split,
    is_left: bool,
    pools: &ValuePools,
    random: &mut SplitMix64,
) -> Option<Condition> {
    match (found, &split.rule) {
        (Condition::Exactly(value), _) => (goes_left(split, value) == is_left).then_some(found),
        (Condition::Between(above, up_to, missing), SplitRule::AtMost(threshold)) => {
            let missing = missing && split.missing_left == is_left;
            let (above, up_to) = match is_left {
                true => (above, up_to.min(*threshold)),
                false => (above.max(*threshold), up_to),
            };
            (above < up_to || missing).then_some(Condition::Between(above, up_to, missing))
        }
        (Condition::Between(..), SplitRule::Codes(codes)) => {
            let value = if split.missing_left == is_left {
                pools.code_outside(codes, split.feature as usize, random)
            } else {
                *codes.get(random.below(codes.len().max(1)))? as f32
            };
            found.allows(value).then_some(Condition::Exactly(value))
        }
    }
}

/// The value with which a split is to be met.
fn wanted(split: &Split, value: usize, pools: &ValuePools, random: &mut SplitMix64) -> f32 {
    match &split.rule {
        SplitRule::AtMost(threshold) => {
            let around = pools.around(*threshold, split.feature as usize);
            around.get(value).copied().unwrap_or(f32::NAN)
        }
        SplitRule::Codes(codes) => match value {
            0 => codes.first().map_or(f32::NAN, |code| *code as f32),
            1 => codes.last().map_or(f32::NAN, |code| *code as f32),
            2 => pools.code_outside(codes, split.feature as usize, random),
            _ => f32::NAN,
        },
    }
}

fn goes_left(split: &Split, value: f32) -> bool {
    match &split.rule {
        SplitRule::AtMost(threshold) => {
            value <= *threshold || (split.missing_left && value.is_nan())
        }
        SplitRule::Codes(codes) => {
            let is_in = codes.iter().any(|code| *code as f32 == value);
            is_in != split.missing_left
        }
    }
}

/// A row that fulfils the conditions and is random otherwise.
fn fill(conditions: &[Condition], pools: &ValuePools, random: &mut SplitMix64) -> Vec<f32> {
    let value = |(feature, condition): (usize, &Condition)| match *condition {
        Condition::Exactly(value) => value,
        Condition::Between(above, up_to, missing) => {
            for _ in 0..8 {
                let drawn = pools.draw(feature, random);
                if condition.allows(drawn) {
                    return drawn;
                }
            }
            match (missing, up_to.is_finite()) {
                (true, _) => f32::NAN,
                // At the upper end of the threshold there, or at the lower end of that above.
                (false, true) => pools.around(up_to, feature)[0],
                (false, false) => pools.around(above, feature)[2],
            }
        }
    };
    conditions.iter().enumerate().map(value).collect()
}

/// How many splits the rows meet with every value that says something of the rule.
fn n_met(trees: &[Paths], rows: &[Vec<f32>], pools: &ValuePools) -> usize {
    let mut met: Vec<Vec<u8>> = trees.iter().map(|paths| vec![0; paths.splits.len()]).collect();
    for row in rows {
        for (paths, met) in trees.iter().zip(&mut met) {
            let mut at = if paths.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
            while let Child::Split(split) = at {
                let (split, flags) = (&paths.splits[split as usize], &mut met[split as usize]);
                let value = row[split.feature as usize];
                let is_left = goes_left(split, value);
                *flags |= match &split.rule {
                    SplitRule::AtMost(threshold) => {
                        let values = pools.around(*threshold, split.feature as usize);
                        let flag = |at: usize| u8::from(values[at] == value) << at;
                        flag(0) | flag(1) | flag(2)
                    }
                    SplitRule::Codes(_) if value.is_nan() => 0,
                    // Inside the set is both of the first.
                    SplitRule::Codes(_) if is_left != split.missing_left => 0b011,
                    SplitRule::Codes(_) => 0b100,
                };
                at = if is_left { split.left } else { split.right };
            }
        }
    }
    met.iter().flatten().filter(|flags| **flags == 0b111).count()
}

#[cfg(test)]
mod tests {
    use boost::{Model, OutputOrder, Tree};

    use super::*;
    use crate::export::test_model::parts;

    /// Forests split categories as numbers: readers take a fraction of a code for the code below it.
    #[test]
    fn codes_are_whole_at_thresholds_too() {
        let split = |threshold, left, right| Split {
            feature: 1,
            rule: SplitRule::AtMost(threshold),
            missing_left: false,
            left,
            right,
            gain: 1.0,
        };
        let splits = [
            split(1.5, Child::Split(1), Child::Leaf(2)),
            split(0.5, Child::Leaf(0), Child::Leaf(1)),
        ];
        let tree = Tree::new(&splits, vec![0.0, 1.0, 2.0], 1).unwrap();
        let gate = Model::new(vec![0.5], vec![tree], 5, OutputOrder::AsAdded).unwrap();
        let parts = Parts { gate, ..parts() };
        let pools = ValuePools::new(&parts);
        let found = split_rows(&parts, &pools, 200, &mut SplitMix64::new(1));
        let codes: Vec<f32> = found.rows.iter().map(|row| row[1]).collect();
        assert!(codes.iter().all(|code| !code.is_finite() || code.fract() == 0.0), "{codes:?}");
        for code in [0.0, 1.0, 2.0] {
            assert!(codes.contains(&code), "{code} is not in {codes:?}");
        }
        // Both thresholds are met on both their sides.
        assert_eq!(found.n_met, found.n_splits);
    }
}
