//! By when an order is to be delivered, as it is written on the command line.

use terms::{Day, Instant};

/// When an order has to have arrived: by the end of a day of UTC, or by an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Deadline {
    /// By its end.
    Day(Day),
    /// By then.
    Instant(Instant),
}

impl std::str::FromStr for Deadline {
    type Err = terms::InstantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(day) => Ok(Self::Day(day)),
            Err(_) => text.parse().map(Self::Instant),
        }
    }
}

impl Deadline {
    /// The moment.
    pub(crate) fn instant(self) -> Instant {
        match self {
            Self::Day(day) => day.end(),
            Self::Instant(instant) => instant,
        }
    }

    /// In words.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Day(day) => format!("the end of {day}"),
            Self::Instant(instant) => instant.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_over_at_its_end_and_an_instant_at_once() {
        let by = |text: &str| text.parse::<Deadline>().unwrap().instant().to_string();
        assert_eq!(by("2018-05-24"), "2018-05-25");
        assert_eq!(by("2018-05-24T21:00:00-03:00"), "2018-05-25");
        assert!("tomorrow".parse::<Deadline>().is_err());
    }
}
