//! The conditions of a contract's rules, evaluated on the rows of one file.

use polars::prelude::{
    BooleanChunked, Column, DataFrame, Expr, IntoLazy, NewChunkedArray, PolarsResult,
};
use terms::Instant;

use super::join_lookup::JoinLookup;
use crate::contained::contained_result;
use crate::contract::Contract;
use crate::contract::rule::OnViolation;

/// Which rows of a file break one rule.
pub(crate) struct RuleAnswer<'a> {
    pub(crate) rule: &'a str,
    pub(crate) condition: &'a str,
    pub(crate) on_violation: OnViolation,
    /// One value for each row, without null.
    pub(crate) is_bad: BooleanChunked,
}

/// One answer for each rule, in the order of the contract; those of joins come last.
///
/// As of: lookups find what was recorded strictly before `join_before`.
pub(crate) fn rule_answers<'a>(
    contract: &'a Contract,
    frame: &DataFrame,
    lookups: &[JoinLookup<'_>],
    join_before: Instant,
) -> PolarsResult<Vec<RuleAnswer<'a>>> {
    let mut columns: Vec<Column> = frame.columns().to_vec();
    let mut of_joins = Vec::new();
    for (join, lookup) in contract.joins().iter().zip(lookups) {
        let (joined, unknown) = lookup.look_up(frame.column(&join.on)?, join_before)?;
        columns.extend(joined);
        of_joins.push(RuleAnswer {
            rule: &join.rule,
            condition: "its key is not known to the joined table",
            on_violation: OnViolation::Quarantine,
            is_bad: BooleanChunked::from_slice("unknown".into(), &unknown),
        });
    }
    let rules = contract.rules();
    let of_rules: Vec<Expr> = rules.iter().map(|rule| rule.is_bad()).collect();
    let rows = DataFrame::new(frame.height(), columns)?.lazy();
    let evaluated = contained_result(|| rows.select(of_rules).collect())?;
    let mut answers = Vec::with_capacity(rules.len() + of_joins.len());
    for rule in rules {
        answers.push(RuleAnswer {
            rule: &rule.name,
            condition: &rule.condition,
            on_violation: rule.on_violation,
            is_bad: evaluated.column(&rule.name)?.bool()?.clone(),
        });
    }
    answers.extend(of_joins);
    Ok(answers)
}
