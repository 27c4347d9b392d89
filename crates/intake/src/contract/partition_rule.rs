//! Rules on whole partitions: how many rows a day has, how large a share of them is null in a
//! column, and how late the newest partition may be.

use super::rule::OnViolation;

/// A rule on a whole partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionRule {
    /// Its name.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// What it is compared with.
    pub against: Against,
    /// The lower bound. Units: rows, percent or percentage points, as `against` says.
    pub at_least: Option<f64>,
    /// The upper bound. Units: as of the lower.
    pub at_most: Option<f64>,
    /// Warn or fail.
    pub on_violation: OnViolation,
}

/// What is measured of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// The number of its rows.
    Rows,
    /// The share of its rows that are null in a column. Units: percent.
    Nulls(String),
}

/// What the measure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Nothing: the bounds hold for the measure itself.
    Bounds,
    /// The median over the same weekday of the weeks before; the bounds are percent of it.
    SameWeekday {
        /// How many weeks back.
        weeks: u32,
    },
    /// The share over the days before; the bounds are percentage points above it.
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
    /// The column whose nulls are counted.
    pub(crate) fn column(&self) -> Option<&str> {
        match self {
            Self::Rows => None,
            Self::Nulls(column) => Some(column),
        }
    }
}

impl PartitionRule {
    /// What it expects, as text.
    pub fn describe(&self) -> String {
        let (bounds, measure) = (self.bounds_text(), self.measure_text());
        match self.against {
            Against::Bounds => format!("{bounds}{measure}"),
            Against::SameWeekday { weeks } => format!(
                "{bounds}% of the median rows of the same weekday in the {weeks} weeks before"
            ),
            Against::DaysBefore { days } => {
                let measure = measure.trim_start_matches("% of ");
                format!(
                    "a share of {measure} that is {bounds} percentage points over that of the \
                     {days} days before"
                )
            }
        }
    }

    /// The measure, as it follows its number.
    pub(crate) fn measure_text(&self) -> String {
        match &self.measure {
            Measure::Rows => " rows".to_owned(),
            Measure::Nulls(column) => format!("% of rows without {column}"),
        }
    }

    /// The bounds, without their unit.
    pub(crate) fn bounds_text(&self) -> String {
        match (self.at_least, self.at_most) {
            (Some(low), Some(high)) => format!("{low} to {high}"),
            (Some(low), None) => format!("at least {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => "any".to_owned(),
        }
    }
}
