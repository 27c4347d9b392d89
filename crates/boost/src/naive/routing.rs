//! Routing of rows by the naive trainer: by values, not bins.

use crate::{Child, Columns, Split, SplitRule};

/// The leaf that a row is routed to, by its values.
pub(super) fn leaf_of(columns: &Columns<'_>, splits: &[Split], row: usize) -> usize {
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

/// Whether a split sends a value to its left child.
pub(super) fn goes_left(rule: &SplitRule, missing_left: bool, value: f32) -> bool {
    match rule {
        _ if value.is_nan() => missing_left,
        SplitRule::AtMost(threshold) => value <= *threshold,
        SplitRule::Codes(codes) => codes.contains(&(value as u32)) != missing_left,
    }
}
