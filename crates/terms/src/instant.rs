//! A moment in UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};

/// Microseconds in an hour, the unit between instants and [hours](crate::TWO_DAYS_HOURS).
pub const HOUR_MICROS: i64 = 3_600_000_000;
/// Microseconds in a day of UTC.
pub const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// A UTC instant. Units: microseconds since 1970-01-01, as in every column of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// A text that is neither a date nor an instant with its zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?}: expected a date like 2018-05-01 or an instant like 2018-05-01T06:00:00Z with its \
     zone"
)]
pub struct InstantError {
    text: String,
}

impl Instant {
    /// Before everything that can be recorded.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything that can be recorded.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since 1970-01-01.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by whole days of 24 hours, back if negative; at most to [`Instant::MIN`]
    /// or [`Instant::MAX`].
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MICROS)))
    }

    /// Microseconds from `earlier` to this instant, negative if it is the earlier one; the nearest
    /// number if they are further apart than one can say.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Hours from `earlier` to this instant; negative if it is the earlier one.
    pub fn hours_since(self, earlier: Self) -> f64 {
        self.micros_since(earlier) as f64 / HOUR_MICROS as f64
    }

    fn date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()));
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(instant) => Ok(Self(instant.timestamp_micros())),
            Err(_) => Err(InstantError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Instant {
    /// A date at midnight, otherwise RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.rem_euclid(DAY_MICROS) == 0 {
            self.date_time().date_naive().fmt(f)
        } else {
            f.write_str(&self.date_time().to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_and_an_instant_needs_a_zone() {
        let date: Instant = "2018-05-01".parse().unwrap();
        let instant: Instant = "2018-05-01T03:00:00+03:00".parse().unwrap();
        assert_eq!(date, instant);
        assert_eq!(date.to_string(), "2018-05-01");
        assert!("2018-05-01T03:00:00".parse::<Instant>().is_err());
        assert_eq!(Instant(date.0 + HOUR_MICROS).to_string(), "2018-05-01T01:00:00Z");
        assert_eq!(date.plus_days(2).hours_since(date), 48.0);
    }

    #[test]
    fn the_ends_of_time_are_not_passed() {
        for instant in [Instant::MIN, Instant::MAX, Instant(0)] {
            assert!(instant.plus_days(i64::MAX) >= instant);
            assert!(instant.plus_days(i64::MIN) <= instant);
            assert!(instant.hours_since(Instant::MIN) >= 0.0);
            assert!(instant.hours_since(Instant::MAX) <= 0.0);
            let day = instant.day();
            assert!(day.end() >= day.start() && day.plus(i32::MAX) >= day);
            assert!(day.plus(i32::MIN).days_since(day.plus(i32::MAX)) < 0);
            let _ = (instant.to_string(), day.to_string(), day.monday(), day.first_of_month());
        }
    }
}
