//! The rules of a contract, tried on the rows of one file.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataFrame, IntoLazy, NewChunkedArray, PolarsResult,
};
use terms::{AsOf, Digest, column};

use crate::contract::Contract;
use crate::error::Error;
use crate::footer::check_days;
use crate::join::Known;
use crate::layout::{TableFile, end_of};
use crate::report::{FileCheck, Quarantined};
use crate::rows::instants;
use crate::rule::OnViolation;

/// What the rules found in one file.
pub(crate) struct Evaluated {
    pub(crate) check: FileCheck,
    /// The keys of the rows recorded before the as-of, without null.
    pub(crate) keys: DataFrame,
}

/// Tries the rules on `frame`, which has all columns of the contract, and names for each bad row
/// the first rule that it breaks. `released` says which rows may break which rule.
pub(crate) fn evaluate(
    contract: &Contract,
    file: &TableFile,
    digest: Digest,
    frame: &DataFrame,
    known: &[Known<'_>],
    released: &BTreeMap<&str, BTreeSet<u32>>,
    as_of: AsOf,
) -> Result<Evaluated, Error> {
    let failed = |source| Error::Frame { place: format!("rules on {}", file.path), source };
    let recorded_at = recorded(contract, file, frame)?;
    let in_scope: Vec<bool> = recorded_at.iter().map(|at| *at < as_of.micros()).collect();
    let flags = flags(contract, frame, known, end_of(file.recorded_on)).map_err(failed)?;

    let mut breaks: Vec<Option<usize>> = vec![None; frame.height()];
    let mut let_in = Vec::new();
    let mut warnings = BTreeMap::new();
    for (position, flag) in flags.iter().enumerate() {
        if !flag.values.any() {
            continue;
        }
        let bad = flag.values.iter().zip(&in_scope).enumerate();
        let bad: Vec<usize> = bad
            .filter(|(_, (bad, in_scope))| *bad == Some(true) && **in_scope)
            .map(|(row, _)| row)
            .collect();
        let Some(&first) = bad.first() else { continue };
        match flag.on_violation {
            OnViolation::Fail => {
                return Err(Error::RuleBroken {
                    table: contract.table().to_owned(),
                    path: file.path.clone(),
                    rule: flag.name.to_owned(),
                    condition: flag.condition.to_owned(),
                    rows: bad.len() as u64,
                    row: first as u32,
                });
            }
            OnViolation::Warn => {
                *warnings.entry(flag.name.to_owned()).or_default() += bad.len() as u64
            }
            OnViolation::Quarantine | OnViolation::Drop => {
                let may = released.get(flag.name).filter(|_| !drops(flag.on_violation));
                for row in bad {
                    if may.is_some_and(|rows| rows.contains(&(row as u32))) {
                        let_in.push((row, position));
                    } else {
                        breaks[row].get_or_insert(position);
                    }
                }
            }
        }
    }

    let first_key = frame.column(&contract.keys()[0]).map_err(failed)?;
    let mut check = FileCheck {
        path: file.path.clone(),
        recorded_on: file.recorded_on,
        digest,
        rows: frame.height() as u64,
        rows_later: in_scope.iter().filter(|in_scope| !**in_scope).count() as u64,
        quarantined: Vec::new(),
        released: Vec::new(),
        dropped: Vec::new(),
        reasons: BTreeMap::new(),
        warnings,
        nulls: BTreeMap::new(),
    };
    let named = |row: usize, reason: &str| -> Result<Quarantined, Error> {
        Ok(Quarantined {
            row: row as u32,
            reason: reason.to_owned(),
            key: key_text(first_key, row).map_err(failed)?,
            recorded_at: recorded_at[row],
        })
    };
    let_in.sort_unstable();
    let_in.dedup_by_key(|(row, _)| *row);
    for (row, position) in let_in.into_iter().filter(|(row, _)| breaks[*row].is_none()) {
        check.released.push(named(row, flags[position].name)?);
    }
    for (row, position) in breaks.into_iter().enumerate() {
        let Some(flag) = position.and_then(|position| flags.get(position)) else { continue };
        *check.reasons.entry(flag.name.to_owned()).or_default() += 1;
        if drops(flag.on_violation) {
            check.dropped.push(row as u32);
        } else {
            check.quarantined.push(named(row, flag.name)?);
        }
    }
    let keys = keys_in_scope(contract, frame, &in_scope).map_err(failed)?;
    Ok(Evaluated { check, keys })
}

fn drops(on: OnViolation) -> bool {
    on == OnViolation::Drop
}

/// A rule's answer for every row.
pub(crate) struct Flag<'a> {
    pub(crate) name: &'a str,
    pub(crate) condition: &'a str,
    pub(crate) on_violation: OnViolation,
    pub(crate) values: BooleanChunked,
}

/// One flag for each rule, in the order in which the rules are tried; joins come last.
///
/// As of: joins know what was recorded before `known_before`.
pub(crate) fn flags<'a>(
    contract: &'a Contract,
    frame: &DataFrame,
    known: &[Known<'_>],
    known_before: AsOf,
) -> PolarsResult<Vec<Flag<'a>>> {
    let mut columns: Vec<Column> = frame.columns().to_vec();
    let mut unknown = Vec::new();
    for (join, known) in contract.joins().iter().zip(known) {
        let (joined, not_known) = known.look_up(frame.column(&join.on)?, known_before)?;
        columns.extend(joined);
        unknown.push(Flag {
            name: &join.rule,
            condition: "its key is not known to the joined table",
            on_violation: OnViolation::Quarantine,
            values: BooleanChunked::from_slice("unknown".into(), &not_known),
        });
    }
    let rules = contract.rules();
    let answers = DataFrame::new(frame.height(), columns)?
        .lazy()
        .select(rules.iter().map(|rule| rule.flag()).collect::<Vec<_>>())
        .collect()?;
    let mut flags = Vec::with_capacity(rules.len() + unknown.len());
    for rule in rules {
        flags.push(Flag {
            name: &rule.name,
            condition: &rule.condition,
            on_violation: rule.on_violation,
            values: answers.column(&rule.name)?.bool()?.clone(),
        });
    }
    flags.extend(unknown);
    Ok(flags)
}

/// When each row was recorded: no null, and all on the partition's day.
///
/// Units: microseconds since the epoch, UTC.
fn recorded(contract: &Contract, file: &TableFile, frame: &DataFrame) -> Result<Vec<i64>, Error> {
    let all = instants(frame, column::RECORDED_AT)
        .map_err(|source| Error::Frame { place: file.path.clone(), source })?;
    let recorded_at: Vec<i64> = all.iter().copied().flatten().collect();
    if recorded_at.len() < all.len() {
        return Err(Error::NullRecordedAt {
            table: contract.table().to_owned(),
            path: file.path.clone(),
            nulls: (all.len() - recorded_at.len()) as u64,
        });
    }
    // The footer said so already, unless it has no statistics.
    if let (Some(first), Some(last)) = (recorded_at.iter().min(), recorded_at.iter().max()) {
        check_days(contract, file, (*first, *last))?;
    }
    Ok(recorded_at)
}

fn keys_in_scope(
    contract: &Contract,
    frame: &DataFrame,
    in_scope: &[bool],
) -> PolarsResult<DataFrame> {
    frame
        .select(contract.keys().iter().map(String::as_str))?
        .filter(&BooleanChunked::from_slice("in_scope".into(), in_scope))?
        .drop_nulls::<String>(None)
}

pub(crate) fn key_text(column: &Column, row: usize) -> PolarsResult<Option<String>> {
    Ok(match column.get(row)? {
        AnyValue::Null => None,
        AnyValue::String(text) => Some(text.to_owned()),
        AnyValue::StringOwned(text) => Some(text.to_string()),
        other => Some(other.to_string()),
    })
}
