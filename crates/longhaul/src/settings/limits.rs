//! The section `[limits]`: how long a run waits for others, and how long it may take.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OutOfRange, check_ranges};

/// Limits of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsSection {
    /// For how long a run waits for another one of its pipeline on the same store.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) lock_wait_seconds: i64,
    /// For how long a request to the store is repeated that meets a fault of the server or the network.
    #[schemars(range(min = 0, max = 86_400))]
    pub(crate) storage_retry_seconds: i64,
    /// After so many minutes a run asks nothing more of the store, and ends; a minute later it is
    /// ended, whatever it waits for.
    #[schemars(range(min = 1, max = 10_080))]
    pub(crate) night_minutes: i64,
}

impl LimitsSection {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        let ranges = [
            ("limits.lock_wait_seconds", self.lock_wait_seconds, 0..=86_400),
            ("limits.storage_retry_seconds", self.storage_retry_seconds, 0..=86_400),
            ("limits.night_minutes", self.night_minutes, 1..=10_080),
        ];
        check_ranges(ranges, "")
    }

    pub(crate) fn lock_wait(&self) -> Duration {
        Duration::from_secs(self.lock_wait_seconds.unsigned_abs())
    }

    /// How long a run may take.
    pub(crate) fn night(&self) -> Duration {
        Duration::from_secs(self.night_minutes.unsigned_abs() * 60)
    }

    /// The limits of requests to the store.
    pub(crate) fn of_store(&self) -> store::Limits {
        store::Limits {
            retry_for: Duration::from_secs(self.storage_retry_seconds.unsigned_abs()),
            until: Some(self.night()),
            ..store::Limits::default()
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { lock_wait_seconds: 90, storage_retry_seconds: 180, night_minutes: 1_200 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_outlast_a_holder_that_stopped_and_a_limit_out_of_range_is_named() {
        let limits = LimitsSection::default();
        assert!(limits.check().is_ok());
        assert!(limits.lock_wait() > crate::lease::EXPIRES_AFTER);
        let wrong = LimitsSection { night_minutes: 0, ..limits };
        let error = wrong.check().expect_err("no night");
        assert_eq!(
            (error.key, &*error.problem),
            ("limits.night_minutes", "expected 1 to 10080, found 0")
        );
    }
}
