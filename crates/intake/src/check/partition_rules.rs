//! The check of whole partitions, and of how late the newest one is, from the counts in the reports
//! on files: no row is read again.

use std::collections::BTreeMap;

use terms::{AsOf, Day};

use super::report::{FileCheck, Notice};
use crate::contract::Contract;
use crate::contract::partition_rule::{Against, Measure, PartitionRule};
use crate::contract::rule::OnViolation;
use crate::error::Error;

/// Only partitions of so many days before the as-of are checked: enough to catch up after missed
/// nights, and nothing is reported again for a month.
const CHECKED_DAYS: i64 = 7;

/// A rule that compares with earlier days needs at least so many of them.
const COMPARED_MIN: usize = 2;

/// The counts of one partition.
#[derive(Debug, Default)]
struct PartitionCounts<'a> {
    rows: u64,
    nulls: BTreeMap<&'a str, u64>,
}

type CountsByDay<'a> = BTreeMap<Day, PartitionCounts<'a>>;

/// Checks the latency of a table, and its last partitions by the contract's rules on whole
/// partitions. Returns the violations that only warn.
///
/// As of: partitions whose day is over, each compared with earlier ones only.
///
/// # Errors
/// The first violation that fails the table.
pub(crate) fn check_partitions(
    contract: &Contract,
    files: &[FileCheck],
    as_of: AsOf,
) -> Result<Vec<Notice>, Error> {
    let mut notices: Vec<Notice> = check_latency(contract, files, as_of)?.into_iter().collect();
    let days = counts_by_day(files, as_of);
    for (&recorded_on, counts) in days.range(as_of.plus_days(-CHECKED_DAYS).day()..) {
        for rule in contract.partition_rules() {
            let Some(violation) = violation(rule, &days, recorded_on, counts) else { continue };
            let (expected, found) = violation;
            let notice = Notice { rule: rule.name.clone(), recorded_on, expected, found };
            match rule.on_violation {
                OnViolation::Fail => return Err(broken(contract, notice)),
                _ => notices.push(notice),
            }
        }
    }
    Ok(notices)
}

fn check_latency(
    contract: &Contract,
    files: &[FileCheck],
    as_of: AsOf,
) -> Result<Option<Notice>, Error> {
    let (Some(latency), Some(last)) = (contract.latency(), files.last()) else { return Ok(None) };
    let hours = as_of.hours_since(last.recorded_on.end());
    if hours <= latency.hours {
        return Ok(None);
    }
    let expected = format!("a partition that ended at most {} h ago", latency.hours);
    let found = format!("the newest, which ended {} h before {as_of}", hours.round());
    let (rule, recorded_on) = (Notice::LATENCY.to_owned(), last.recorded_on);
    match latency.on_violation {
        OnViolation::Fail => {
            let table = contract.table().to_owned();
            Err(Error::Stale { table, newest: recorded_on, expected, found })
        }
        _ => Ok(Some(Notice { rule, recorded_on, expected, found })),
    }
}

fn counts_by_day(files: &[FileCheck], as_of: AsOf) -> CountsByDay<'_> {
    let mut days = CountsByDay::new();
    for file in files.iter().filter(|file| file.recorded_on.end() <= as_of.instant()) {
        let counts = days.entry(file.recorded_on).or_default();
        counts.rows += file.rows;
        for (column, nulls) in &file.nulls {
            *counts.nulls.entry(column).or_default() += nulls;
        }
    }
    days
}

fn broken(contract: &Contract, notice: Notice) -> Error {
    let Notice { rule, recorded_on, expected, found } = notice;
    let table = contract.table().to_owned();
    Error::PartitionRule { table, recorded_on, rule, expected, found }
}

/// What a rule expected and what was found, as texts, if a partition breaks it.
fn violation(
    rule: &PartitionRule,
    days: &CountsByDay<'_>,
    recorded_on: Day,
    counts: &PartitionCounts<'_>,
) -> Option<(String, String)> {
    let found = measured(&rule.measure, counts);
    let (compared, reference) = match rule.against {
        Against::Bounds => (found, rule.measure_text()),
        Against::SameWeekday { weeks } => {
            let before = (1..=weeks).filter_map(|week| {
                let day = days_before(recorded_on, week.checked_mul(7)?)?;
                Some(measured(&rule.measure, days.get(&day)?))
            });
            let (median, n) = median(before.collect())?;
            let weekday = recorded_on.date().format("%A");
            let share = if median > 0.0 { 100.0 * found / median } else { 100.0 };
            (share, format!("% of {median}, the median of {n} {weekday}s before"))
        }
        Against::DaysBefore { days: n_days } => {
            let first = days_before(recorded_on, n_days)?;
            let before = days.range(first..recorded_on).map(|(_, counts)| counts);
            let share = share_of_nulls(&rule.measure, before)?;
            let reference = format!(" points over {share:.1}%, the share of {n_days} days before");
            (found - share, reference)
        }
    };
    let is_low = rule.at_least.is_some_and(|low| compared < low);
    let is_high = rule.at_most.is_some_and(|high| compared > high);
    (is_low || is_high).then(|| {
        let found = match rule.measure {
            Measure::Rows => format!("{found} rows"),
            Measure::Nulls(_) => format!("{found:.1}{}", rule.measure_text()),
        };
        (format!("{}{reference}", rule.bounds_text()), found)
    })
}

/// The measure of one partition. Units: rows or percent.
fn measured(measure: &Measure, counts: &PartitionCounts<'_>) -> f64 {
    match measure {
        Measure::Rows => counts.rows as f64,
        Measure::Nulls(_) => 100.0 * nulls(measure, counts) as f64 / (counts.rows as f64).max(1.0),
    }
}

fn nulls(measure: &Measure, counts: &PartitionCounts<'_>) -> u64 {
    let nulls = measure.column().and_then(|column| counts.nulls.get(column));
    nulls.copied().unwrap_or_default()
}

/// The share of nulls over several partitions, unless they are too few. Units: percent.
fn share_of_nulls<'a>(
    measure: &Measure,
    partitions: impl Iterator<Item = &'a PartitionCounts<'a>>,
) -> Option<f64> {
    let partitions: Vec<&PartitionCounts<'_>> = partitions.collect();
    let rows: u64 = partitions.iter().map(|counts| counts.rows).sum();
    if partitions.len() < COMPARED_MIN || rows == 0 {
        return None;
    }
    let nulls: u64 = partitions.iter().map(|counts| nulls(measure, counts)).sum();
    Some(100.0 * nulls as f64 / rows as f64)
}

fn days_before(day: Day, days: u32) -> Option<Day> {
    let first = day.days_since_epoch().checked_sub(i32::try_from(days).ok()?)?;
    Some(Day::since_epoch(first))
}

/// The median of at least [`COMPARED_MIN`] values, and how many there are.
fn median(mut values: Vec<f64>) -> Option<(f64, usize)> {
    let n = values.len();
    if n < COMPARED_MIN {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(((values[(n - 1) / 2] + values[n / 2]) / 2.0, n))
}
