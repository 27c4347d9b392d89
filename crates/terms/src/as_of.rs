//! The moment whose knowledge may be used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Day, Instant};

/// The cut between what may be used and what may not: only facts with `recorded_at` strictly
/// before it [are known](AsOf::knows).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsOf(Instant);

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
    /// As of an instant.
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// As of the midnight at the start of a day.
    pub const fn start_of(day: Day) -> Self {
        Self(day.start())
    }

    /// The instant.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// Whether what was recorded then may be used.
    pub fn knows(self, recorded_at: Instant) -> bool {
        recorded_at < self.0
    }

    /// The UTC day of the instant.
    pub const fn day(self) -> Day {
        self.0.day()
    }

    /// The as-of so many days later, earlier if negative.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.plus_days(days))
    }

    /// Hours from `earlier` to the instant.
    pub fn hours_since(self, earlier: Instant) -> f64 {
        self.0.hours_since(earlier)
    }
}

impl FromStr for AsOf {
    type Err = AsOfError;

    fn from_str(text: &str) -> Result<Self, AsOfError> {
        text.parse().map(Self).map_err(|_| AsOfError { text: text.to_owned() })
    }
}

impl fmt::Display for AsOf {
    /// A date at midnight, otherwise RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
    fn only_what_was_recorded_before_is_known() {
        let as_of: AsOf = "2018-05-01".parse().unwrap();
        assert!(!as_of.knows(as_of.instant()));
        assert!(as_of.knows(Instant::from_micros(as_of.instant().micros() - 1)));
        let error = "yesterday".parse::<AsOf>().unwrap_err();
        assert!(error.to_string().starts_with("as-of \"yesterday\": expected a date"), "{error}");
    }
}
