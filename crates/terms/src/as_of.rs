//! The moment whose knowledge may be used.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds in an hour, the unit between instants and [hours](crate::TWO_DAYS_HOURS).
pub const HOUR_MICROS: i64 = 3_600_000_000;
/// Microseconds in a day of UTC.
pub const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// A UTC instant: only facts with `recorded_at` strictly before it may be used.
///
/// Units: microseconds since the epoch, like every instant in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsOf(i64);

/// A text that is no as-of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "as-of {text:?}: expected a date like 2018-05-01 or an instant like 2018-05-01T06:00:00Z \
     with its zone"
)]
pub struct AsOfError {
    text: String,
}

impl AsOf {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The midnight at the start of a day, counted since the epoch.
    pub const fn start_of(day: i32) -> Self {
        Self(day as i64 * DAY_MICROS)
    }

    /// The last UTC midnight at or before this instant: what the features of an order placed now
    /// may know was recorded before it.
    pub const fn midnight(self) -> Self {
        Self::start_of(self.day())
    }

    /// Days since the epoch, rounded down; the `recorded_on` of a fact recorded at this instant.
    pub const fn day(self) -> i32 {
        self.0.div_euclid(DAY_MICROS) as i32
    }

    /// This instant moved by whole days, back if negative.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0 + days * DAY_MICROS)
    }

    /// Hours from `earlier` to this instant.
    pub fn hours_since(self, earlier_micros: i64) -> f64 {
        (self.0 - earlier_micros) as f64 / HOUR_MICROS as f64
    }

    /// The UTC date of this instant, as in a partition's name.
    pub fn date(self) -> NaiveDate {
        self.instant().date_naive()
    }

    fn instant(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl FromStr for AsOf {
    type Err = AsOfError;

    fn from_str(text: &str) -> Result<Self, AsOfError> {
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()));
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(instant) => Ok(Self(instant.timestamp_micros())),
            Err(_) => Err(AsOfError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for AsOf {
    /// A date at midnight, otherwise RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.rem_euclid(DAY_MICROS) == 0 {
            write!(f, "{}", self.date())
        } else {
            f.write_str(&self.instant().to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
    }
}

impl TryFrom<String> for AsOf {
    type Error = AsOfError;

    fn try_from(text: String) -> Result<Self, AsOfError> {
        text.parse()
    }
}

impl From<AsOf> for String {
    fn from(as_of: AsOf) -> Self {
        as_of.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_and_an_instant_needs_a_zone() {
        let date: AsOf = "2018-05-01".parse().unwrap();
        let instant: AsOf = "2018-05-01T03:00:00+03:00".parse().unwrap();
        assert_eq!(date, instant);
        assert_eq!(date.to_string(), "2018-05-01");
        assert_eq!(AsOf(date.0 + 1).midnight(), date);
        assert_eq!(AsOf(date.0 - 1).midnight(), date.plus_days(-1));
        assert!("2018-05-01T03:00:00".parse::<AsOf>().is_err());
        assert_eq!(AsOf(date.0 + HOUR_MICROS).to_string(), "2018-05-01T01:00:00Z");
    }
}
