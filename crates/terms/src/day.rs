//! A calendar day of UTC.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{DAY_MICROS, Instant};

/// Days from the Monday before 1970-01-01, a Thursday, to it.
const EPOCH_AFTER_MONDAY: i32 = 3;

/// A UTC day, as in `recorded_on`. Units: days since 1970-01-01. Written as `2018-05-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "NaiveDate", into = "NaiveDate")]
pub struct Day(i32);

impl Day {
    /// The day so many days after 1970-01-01, before it if negative.
    pub const fn since_epoch(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days_since_epoch(self) -> i32 {
        self.0
    }

    /// The midnight at its start.
    pub const fn start(self) -> Instant {
        Instant::from_micros((self.0 as i64).saturating_mul(DAY_MICROS))
    }

    /// The midnight at its end.
    pub const fn end(self) -> Instant {
        self.plus(1).start()
    }

    /// The day so many days later, earlier if negative; at most the last or first that there is.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Days from `earlier` to this one; negative if it is the earlier one.
    pub const fn days_since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        self.plus(-(self.date().day0() as i32))
    }

    /// The Monday at or before it.
    #[must_use]
    pub const fn monday(self) -> Self {
        self.plus(-self.0.saturating_add(EPOCH_AFTER_MONDAY).rem_euclid(7))
    }

    /// Its date.
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or_default()
    }

    /// The days of a range, in order.
    pub fn each(days: Range<Self>) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (days.start.0..days.end.0).map(Self)
    }
}

impl Instant {
    /// The UTC day of this instant: of a `recorded_at` the `recorded_on` of its partition.
    pub const fn day(self) -> Day {
        Day(self.micros().div_euclid(DAY_MICROS) as i32)
    }

    /// The last UTC midnight at or before this instant.
    pub const fn midnight(self) -> Self {
        self.day().start()
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date.to_epoch_days())
    }
}

impl From<Day> for NaiveDate {
    fn from(day: Day) -> Self {
        day.date()
    }
}

impl FromStr for Day {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, chrono::ParseError> {
        text.parse::<NaiveDate>().map(Self::from)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_knows_its_month_its_monday_and_its_midnights() {
        let leap: Day = "2024-02-29".parse().unwrap();
        assert_eq!(leap.first_of_month().to_string(), "2024-02-01");
        assert_eq!(leap.next().first_of_month(), leap.next());
        // A Thursday.
        assert_eq!(leap.monday().to_string(), "2024-02-26");
        assert_eq!(leap.monday().monday(), leap.monday());
        assert_eq!(Day::since_epoch(-3).monday(), Day::since_epoch(-3));
        assert_eq!(leap.end(), leap.next().start());
        assert_eq!(leap.start().day(), leap);
        assert_eq!(Instant::from_micros(leap.start().micros() - 1).day(), leap.plus(-1));
        assert_eq!(Instant::from_micros(leap.start().micros() + 1).midnight(), leap.start());
        assert_eq!(Day::each(leap..leap.plus(3)).count(), 3);
        assert_eq!(serde_json::to_string(&leap).unwrap(), "\"2024-02-29\"");
    }
}
