//! The section `[network]`: for how long shipments of the network are followed, which no default
//! knows of every network.

use std::ops::RangeInclusive;

use features::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::DayGrid;

use super::{OutOfRange, check_ranges};

/// What a shipment is followed for. Units: days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkSection {
    /// A shipment open for longer counts as lost, and not as a long delivery.
    #[schemars(range(min = 7, max = 730))]
    pub(crate) lost_after_days: i64,
    /// What is recorded of an order so long after its first record counts as an outcome, and in no
    /// history.
    #[schemars(range(min = 30, max = 1_095))]
    pub(crate) history_days: i64,
    /// P(delivered by day) is given for sixty days, the same number of days apart, up to this one.
    #[schemars(range(min = 60, max = 3_600), extend("multipleOf" = 60))]
    pub(crate) days_ahead: i64,
}

impl NetworkSection {
    /// Key of [`NetworkSection::lost_after_days`].
    pub(crate) const LOST_AFTER_DAYS: &str = "network.lost_after_days";
    /// Key of [`NetworkSection::history_days`].
    pub(crate) const HISTORY_DAYS: &str = "network.history_days";
    /// Key of [`NetworkSection::days_ahead`].
    pub(crate) const DAYS_AHEAD: &str = "network.days_ahead";

    /// Shortest and longest.
    const LOST_AFTER_RANGE: RangeInclusive<i64> = 7..=730;
    /// Shortest, since features look at orders when they are twenty days old, and longest.
    const HISTORY_RANGE: RangeInclusive<i64> = 30..=1_095;

    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        let ranges = [
            (Self::LOST_AFTER_DAYS, self.lost_after_days, Self::LOST_AFTER_RANGE),
            (Self::HISTORY_DAYS, self.history_days, Self::HISTORY_RANGE),
        ];
        check_ranges(ranges, " days")?;
        if self.history_days < self.lost_after_days {
            let problem = format!(
                "expected at least {} days, as {} says, since a shipment is followed until it is \
                 lost; found {}",
                self.lost_after_days,
                Self::LOST_AFTER_DAYS,
                self.history_days
            );
            return Err(OutOfRange { key: Self::HISTORY_DAYS, problem });
        }
        if self.grid().is_none() {
            let (expected, found) = (DayGrid::EXPECTED, self.days_ahead);
            let problem = format!("expected {expected} days, found {found}");
            return Err(OutOfRange { key: Self::DAYS_AHEAD, problem });
        }
        Ok(())
    }

    fn grid(&self) -> Option<DayGrid> {
        u32::try_from(self.days_ahead).ok().and_then(DayGrid::up_to)
    }

    /// The days of P(delivered by day).
    pub(crate) fn days(&self) -> DayGrid {
        self.grid().unwrap_or_default()
    }

    /// For how long shipments are followed. Checked values fit.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            lost_after_days: self.lost_after_days as u16,
            history_days: self.history_days as u16,
        }
    }

    /// An order older than this is matured, unless `train.maturity_days` is set: as many days of those
    /// up to which it may be open as of a network of days.
    pub(super) fn maturity_days(&self) -> u32 {
        (self.lost_after_days / 2) as u32
    }
}

impl Default for NetworkSection {
    fn default() -> Self {
        let Limits { lost_after_days, history_days } = Limits::default();
        Self {
            lost_after_days: lost_after_days.into(),
            history_days: history_days.into(),
            days_ahead: DayGrid::DAILY.last_day().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(lost_after_days: i64, history_days: i64, days_ahead: i64) -> Result<(), OutOfRange> {
        NetworkSection { lost_after_days, history_days, days_ahead }.check()
    }

    #[test]
    fn a_network_of_days_has_the_defaults() {
        let section = NetworkSection::default();
        assert_eq!(
            (section.lost_after_days, section.history_days, section.days_ahead),
            (60, 90, 60)
        );
        assert_eq!((section.limits(), section.days()), (Limits::default(), DayGrid::DAILY));
        assert_eq!(section.maturity_days(), learn::Settings::default().maturity_days);
        assert_eq!(section.check(), Ok(()));
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        assert_eq!(checked(240, 300, 360), Ok(()));
        let refused = |lost_after_days, history_days, days_ahead| {
            let error = checked(lost_after_days, history_days, days_ahead).unwrap_err();
            (error.key, error.problem)
        };
        let says = |text: &str| text.to_owned();
        assert_eq!(
            refused(5, 90, 60),
            ("network.lost_after_days", says("expected 7 to 730 days, found 5"))
        );
        assert_eq!(
            refused(20, -1, 60),
            ("network.history_days", says("expected 30 to 1095 days, found -1"))
        );
        assert_eq!(
            refused(60, 90, 100),
            (
                "network.days_ahead",
                says("expected a multiple of 60, from 60 to 3600 days, found 100")
            )
        );
        let (key, problem) = refused(180, 90, 60);
        assert_eq!(key, "network.history_days");
        assert!(problem.starts_with("expected at least 180 days, as network.lost_after_days says"));
    }
}
