//! Rules on whole partitions: how many rows a day brings, how many of them lack a value, and how
//! late the newest day may be. They are answered from counts that the check keeps of each file, so
//! that no row of the past is read again.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use terms::AsOf;

use crate::contract::Contract;
use crate::error::Error;
use crate::layout::end_of;
use crate::report::{FileCheck, Notice};
use crate::rule::OnViolation;

/// Only partitions of so many days before the as-of are judged. A night that was missed is caught
/// up with; what was odd a month ago is no news.
pub(crate) const JUDGED_DAYS: i64 = 7;

/// With fewer days to compare with there is no judgement.
const COMPARED_MIN: usize = 2;

/// A rule on a whole partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionRule {
    /// Its name.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// What it is compared with.
    pub against: Against,
    /// The least that is expected. Units: rows, or percent.
    pub at_least: Option<f64>,
    /// The most that is expected. Units: rows, or percent.
    pub at_most: Option<f64>,
    /// Warn or fail.
    pub on_violation: OnViolation,
}

/// What is measured of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Its rows.
    Rows,
    /// The share of them that is null in a column. Units: percent.
    Nulls(String),
}

/// What the measure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The bounds themselves.
    Bounds,
    /// The median of the same weekday in so many weeks before, of which the bounds are percent.
    SameWeekday {
        /// How many weeks back.
        weeks: u32,
    },
    /// The share over so many days before, over which the bounds are percentage points.
    DaysBefore {
        /// How many days back.
        days: u32,
    },
}

/// How late the newest partition may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// From the end of its day to the as-of. Units: hours.
    pub hours: f64,
    /// Warn or fail.
    pub on_violation: OnViolation,
}

impl Measure {
    /// The column that is counted in.
    pub(crate) fn column(&self) -> Option<&str> {
        match self {
            Self::Rows => None,
            Self::Nulls(column) => Some(column),
        }
    }
}

/// What is known of a partition without its rows.
#[derive(Debug, Default)]
struct Day<'a> {
    rows: u64,
    nulls: BTreeMap<&'a str, u64>,
}

/// Judges the last partitions of a table by the contract's rules on whole partitions, each by what
/// was recorded up to it.
///
/// As of: partitions whose day is over.
pub(crate) fn judge(
    contract: &Contract,
    files: &[FileCheck],
    as_of: AsOf,
) -> Result<Vec<Notice>, Error> {
    let mut notices = Vec::new();
    if let (Some(latency), Some(last)) = (contract.latency(), files.last()) {
        let hours = as_of.hours_since(end_of(last.recorded_on).instant());
        if hours > latency.hours {
            let expected = format!("a partition that ended at most {} h ago", latency.hours);
            let found = format!("the newest, which ended {} h before {as_of}", hours.round());
            let notice = Notice {
                rule: "latency".to_owned(),
                recorded_on: last.recorded_on,
                expected,
                found,
            };
            match latency.on_violation {
                OnViolation::Fail => return Err(stale(contract, &notice)),
                _ => notices.push(notice),
            }
        }
    }
    let days = days(files, as_of);
    let judged = days.range(as_of.plus_days(-JUDGED_DAYS).day().date()..).map(|(day, _)| *day);
    for recorded_on in judged {
        for rule in contract.partition_rules() {
            let Some((expected, found)) = rule.broken_by(&days, recorded_on) else { continue };
            let notice = Notice { rule: rule.name.clone(), recorded_on, expected, found };
            match rule.on_violation {
                OnViolation::Fail => return Err(broken(contract, notice)),
                _ => notices.push(notice),
            }
        }
    }
    Ok(notices)
}

fn days(files: &[FileCheck], as_of: AsOf) -> BTreeMap<NaiveDate, Day<'_>> {
    let mut days: BTreeMap<NaiveDate, Day<'_>> = BTreeMap::new();
    for file in files.iter().filter(|file| end_of(file.recorded_on) <= as_of) {
        let day = days.entry(file.recorded_on).or_default();
        day.rows += file.rows;
        for (column, nulls) in &file.nulls {
            *day.nulls.entry(column).or_default() += nulls;
        }
    }
    days
}

fn stale(contract: &Contract, notice: &Notice) -> Error {
    Error::Stale {
        table: contract.table().to_owned(),
        newest: notice.recorded_on,
        expected: notice.expected.clone(),
        found: notice.found.clone(),
    }
}

fn broken(contract: &Contract, notice: Notice) -> Error {
    let Notice { rule, recorded_on, expected, found } = notice;
    let table = contract.table().to_owned();
    Error::PartitionRule { table, recorded_on, rule, expected, found }
}

impl PartitionRule {
    /// What is asked, in words.
    pub fn in_words(&self) -> String {
        let (bounds, what) = (self.bounds(), self.what());
        match self.against {
            Against::Bounds => format!("{bounds}{what}"),
            Against::SameWeekday { weeks } => format!(
                "{bounds}% of the median rows of the same weekday in the {weeks} weeks before"
            ),
            Against::DaysBefore { days } => {
                let what = what.trim_start_matches("% of ");
                format!(
                    "a share of {what} that is {bounds} percentage points over that of the \
                     {days} days before"
                )
            }
        }
    }

    /// The measure after its number.
    fn what(&self) -> String {
        match &self.measure {
            Measure::Rows => " rows".to_owned(),
            Measure::Nulls(column) => format!("% of rows without {column}"),
        }
    }

    fn bounds(&self) -> String {
        match (self.at_least, self.at_most) {
            (Some(low), Some(high)) => format!("{low} to {high}"),
            (Some(low), None) => format!("at least {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => "any".to_owned(),
        }
    }

    /// What was expected and found of a day that breaks the rule, in words.
    fn broken_by(
        &self,
        days: &BTreeMap<NaiveDate, Day<'_>>,
        recorded_on: NaiveDate,
    ) -> Option<(String, String)> {
        let found = self.measured(days.get(&recorded_on)?);
        let (base, over) = match self.against {
            Against::Bounds => (found, String::new()),
            Against::SameWeekday { weeks } => {
                let before = (1..=i64::from(weeks)).filter_map(|week| {
                    Some(self.measured(days.get(&before(recorded_on, 7 * week)?)?))
                });
                let (median, n) = median(before.collect())?;
                let weekday = recorded_on.format("%A");
                let share = if median > 0.0 { 100.0 * found / median } else { 100.0 };
                (share, format!("% of {median}, the median of {n} {weekday}s before"))
            }
            Against::DaysBefore { days: n_days } => {
                let first = before(recorded_on, i64::from(n_days))?;
                let past: Vec<&Day<'_>> =
                    days.range(first..recorded_on).map(|(_, day)| day).collect();
                let rows: u64 = past.iter().map(|day| day.rows).sum();
                if past.len() < COMPARED_MIN || rows == 0 {
                    return None;
                }
                let nulls: u64 = past.iter().map(|day| self.nulls(day)).sum();
                let share = 100.0 * nulls as f64 / rows as f64;
                let over = format!(" points over {share:.1}%, the share of {n_days} days before");
                (found - share, over)
            }
        };
        let low = self.at_least.is_some_and(|low| base < low);
        let high = self.at_most.is_some_and(|high| base > high);
        (low || high).then(|| {
            let expected = match self.against {
                Against::Bounds => format!("{}{}", self.bounds(), self.what()),
                _ => format!("{}{over}", self.bounds()),
            };
            let found = match self.measure {
                Measure::Rows => format!("{found} rows"),
                Measure::Nulls(_) => format!("{found:.1}{}", self.what()),
            };
            (expected, found)
        })
    }

    fn measured(&self, day: &Day<'_>) -> f64 {
        match self.measure {
            Measure::Rows => day.rows as f64,
            Measure::Nulls(_) => 100.0 * self.nulls(day) as f64 / (day.rows as f64).max(1.0),
        }
    }

    fn nulls(&self, day: &Day<'_>) -> u64 {
        let column = self.measure.column().and_then(|column| day.nulls.get(column));
        column.copied().unwrap_or_default()
    }
}

fn before(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    day.checked_sub_signed(chrono::TimeDelta::days(days))
}

/// The middle of at least [`COMPARED_MIN`] values, and how many there are.
fn median(mut values: Vec<f64>) -> Option<(f64, usize)> {
    let n = values.len();
    if n < COMPARED_MIN {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(((values[(n - 1) / 2] + values[n / 2]) / 2.0, n))
}
