//! The check of the rows of one file: which rule each bad row breaks first, and what becomes of it.
//!
//! Phases: read when each row was recorded; evaluate the rules; assign to each bad row the first
//! rule that it breaks; report.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray, PolarsError, PolarsResult};
use terms::{AsOf, Digest, Instant, column};

use super::footer::check_days;
use super::join_lookup::JoinLookup;
use super::report::{FileCheck, QuarantinedRow};
use super::rows::{instants, value_text};
use super::rule_answers::{RuleAnswer, rule_answers};
use crate::contract::Contract;
use crate::contract::rule::OnViolation;
use crate::error::Error;
use crate::layout::TableFile;

/// The rows of one file, and what their check depends on.
pub(crate) struct FileRows<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) file: &'a TableFile,
    pub(crate) digest: &'a Digest,
    /// All columns of the contract.
    pub(crate) frame: &'a DataFrame,
    /// One for each join of the contract, in its order.
    pub(crate) lookups: &'a [JoinLookup<'a>],
    /// By rule, the rows that were released: they may break it.
    pub(crate) released_rows: BTreeMap<&'a str, BTreeSet<u32>>,
    pub(crate) as_of: AsOf,
}

/// The result of checking the rows of one file.
pub(crate) struct CheckedRows {
    pub(crate) check: FileCheck,
    /// The keys of the rows recorded before the as-of, without nulls.
    pub(crate) keys: DataFrame,
}

/// The rules that rows break, as positions in the order of the rules.
struct Violations {
    /// For each row the first rule by which it is quarantined or dropped.
    first: Vec<Option<usize>>,
    /// Released rows with a rule that they break, in the order of the rules.
    released: Vec<(usize, usize)>,
    /// Bad rows by the rules that only warn.
    warnings: BTreeMap<String, u64>,
}

impl FileRows<'_> {
    /// Checks every row recorded before the as-of.
    ///
    /// # Errors
    /// If a row has no `recorded_at`, was recorded on another day than the partition's, or breaks a
    /// rule that fails the table.
    pub(crate) fn check(&self) -> Result<CheckedRows, Error> {
        let recorded_at = self.recorded_at()?;
        let in_scope: Vec<bool> = recorded_at.iter().map(|at| self.as_of.knows(*at)).collect();
        let end_of_day = self.file.recorded_on.end();
        let answers = rule_answers(self.contract, self.frame, self.lookups, end_of_day)
            .map_err(|source| self.failed(source))?;
        let violations = self.violations(&answers, &in_scope)?;
        let check = self
            .report(&answers, violations, &recorded_at, &in_scope)
            .map_err(|source| self.failed(source))?;
        let keys = self.keys(&in_scope).map_err(|source| self.failed(source))?;
        Ok(CheckedRows { check, keys })
    }

    fn failed(&self, source: PolarsError) -> Error {
        Error::Frame { step: format!("rules on {}", self.file.path), source }
    }

    /// When each row was recorded: no null, and all on the partition's day.
    fn recorded_at(&self) -> Result<Vec<Instant>, Error> {
        let (contract, path) = (self.contract, &self.file.path);
        let all = instants(self.frame, column::RECORDED_AT)
            .map_err(|source| Error::Frame { step: path.clone(), source })?;
        let recorded_at: Vec<Instant> = all.iter().copied().flatten().collect();
        if recorded_at.len() < all.len() {
            return Err(Error::NullRecordedAt {
                table: contract.table().to_owned(),
                path: path.clone(),
                nulls: (all.len() - recorded_at.len()) as u64,
            });
        }
        // The footer was checked for this already, unless it has no statistics.
        if let (Some(first), Some(last)) = (recorded_at.iter().min(), recorded_at.iter().max()) {
            check_days(contract, path, self.file.recorded_on, (*first, *last))?;
        }
        Ok(recorded_at)
    }

    /// Assigns bad rows to rules, rule by rule, or fails at the first rule that fails the table.
    fn violations(
        &self,
        answers: &[RuleAnswer<'_>],
        in_scope: &[bool],
    ) -> Result<Violations, Error> {
        let (first, released) = (vec![None; self.frame.height()], Vec::new());
        let mut violations = Violations { first, released, warnings: BTreeMap::new() };
        for (position, answer) in answers.iter().enumerate() {
            let bad = bad_rows(answer, in_scope);
            let Some(&first) = bad.first() else { continue };
            match answer.on_violation {
                OnViolation::Fail => return Err(self.rule_broken(answer, bad.len(), first)),
                OnViolation::Warn => {
                    let rows = violations.warnings.entry(answer.rule.to_owned()).or_default();
                    *rows += bad.len() as u64;
                }
                OnViolation::Drop => violations.exclude(position, bad),
                OnViolation::Quarantine => {
                    let may_break = self.released_rows.get(answer.rule);
                    let is_released =
                        |row: &usize| may_break.is_some_and(|rows| rows.contains(&(*row as u32)));
                    let (released, bad): (Vec<_>, Vec<_>) = bad.into_iter().partition(is_released);
                    violations.released.extend(released.into_iter().map(|row| (row, position)));
                    violations.exclude(position, bad);
                }
            }
        }
        Ok(violations)
    }

    fn rule_broken(&self, answer: &RuleAnswer<'_>, rows: usize, first: usize) -> Error {
        Error::RuleBroken {
            table: self.contract.table().to_owned(),
            path: self.file.path.clone(),
            rule: answer.rule.to_owned(),
            condition: answer.condition.to_owned(),
            rows: rows as u64,
            row: first as u32,
        }
    }

    fn report(
        &self,
        answers: &[RuleAnswer<'_>],
        violations: Violations,
        recorded_at: &[Instant],
        in_scope: &[bool],
    ) -> PolarsResult<FileCheck> {
        let first_key = self.frame.column(&self.contract.keys()[0])?;
        let reported = |row: usize, reason: &str| -> PolarsResult<QuarantinedRow> {
            Ok(QuarantinedRow {
                row: row as u32,
                reason: reason.to_owned(),
                key: value_text(first_key, row)?,
                recorded_at: recorded_at[row],
            })
        };
        let mut check = FileCheck {
            path: self.file.path.clone(),
            recorded_on: self.file.recorded_on,
            digest: self.digest.clone(),
            rows: self.frame.height() as u64,
            rows_later: in_scope.iter().filter(|in_scope| !**in_scope).count() as u64,
            quarantined: Vec::new(),
            released: Vec::new(),
            dropped: Vec::new(),
            reasons: BTreeMap::new(),
            nulls: BTreeMap::new(),
            warnings: violations.warnings,
        };
        // Of several rules that a released row breaks the first is reported; a row that breaks
        // another rule, too, is not used.
        let mut released = violations.released;
        released.sort_unstable();
        released.dedup_by_key(|(row, _)| *row);
        released.retain(|(row, _)| violations.first[*row].is_none());
        for (row, position) in released {
            check.released.push(reported(row, answers[position].rule)?);
        }
        for (row, position) in violations.first.into_iter().enumerate() {
            let Some(answer) = position.map(|position| &answers[position]) else { continue };
            *check.reasons.entry(answer.rule.to_owned()).or_default() += 1;
            if answer.on_violation == OnViolation::Drop {
                check.dropped.push(row as u32);
            } else {
                check.quarantined.push(reported(row, answer.rule)?);
            }
        }
        Ok(check)
    }

    fn keys(&self, in_scope: &[bool]) -> PolarsResult<DataFrame> {
        self.frame
            .select(self.contract.keys().iter().map(String::as_str))?
            .filter(&BooleanChunked::from_slice("in_scope".into(), in_scope))?
            .drop_nulls::<String>(None)
    }
}

impl Violations {
    /// Assigns `rows` to a rule, except those that break an earlier one.
    fn exclude(&mut self, rule: usize, rows: Vec<usize>) {
        for row in rows {
            self.first[row].get_or_insert(rule);
        }
    }
}

fn bad_rows(answer: &RuleAnswer<'_>, in_scope: &[bool]) -> Vec<usize> {
    if !answer.is_bad.any() {
        return Vec::new();
    }
    let rows = answer.is_bad.iter().zip(in_scope).enumerate();
    rows.filter(|(_, (bad, in_scope))| *bad == Some(true) && **in_scope)
        .map(|(row, _)| row)
        .collect()
}
