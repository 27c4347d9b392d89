//! The settings of a simulated network, as written ([`NetworkSettings`]) and as checked
//! ([`CheckedNetwork`]).

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::Day;

use crate::episode::Episode;
use crate::error::Error;

/// Average shipments a day beyond which one nightly extract no longer fits in memory.
const SHIPMENTS_A_DAY_MAX: f64 = 500_000.0;

/// The share within two days if nothing else says how fast the network is.
const SHARE: f64 = 0.2;

/// What is simulated. Rates are shares of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The UTC day of the first orders. The last Friday of November is the yearly peak.
    #[schemars(with = "String", extend("format" = "date"))]
    pub first_day: Day,
    /// How many days of orders, and how many nightly extracts.
    #[schemars(range(min = 1, max = 3_660))]
    pub days: u32,
    /// How many shipments are created, exactly; at most 500,000 a day on average.
    #[schemars(range(min = 1))]
    pub shipments: u64,
    /// Share of delivered shipments that take no more than two days, were there no episodes; 0.2
    /// unless `median_days` is set. Either one sets the speed of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.05, max = 0.85))]
    pub share_within_two_days: Option<f64>,
    /// Median of the days until delivery, were there no episodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub median_days: Option<f64>,
    /// Whether times are dates, as in a source without a clock: each instant of an order and of its
    /// shipments is the midnight, in the local time of the destination, that begins its day, and is
    /// recorded after the end of that day.
    pub dates_only: bool,
    /// Share of shipments with a fact that is recorded nights later.
    #[schemars(range(min = 0, max = 0.5))]
    pub late_rate: f64,
    /// Share of deliveries whose first recorded time is wrong and corrected nights later.
    #[schemars(range(min = 0, max = 0.5))]
    pub corrected_rate: f64,
    /// Share of shipment versions with an impossible value.
    #[schemars(range(min = 0, max = 0.5))]
    pub odd_rate: f64,
    /// Share of orders that are cancelled before handover.
    #[schemars(range(min = 0, max = 0.2))]
    pub cancelled_rate: f64,
    /// Share of shipments that the carrier loses.
    #[schemars(range(min = 0, max = 0.5))]
    pub lost_rate: f64,
    /// Share of shipments that come back undelivered.
    #[schemars(range(min = 0, max = 0.2))]
    pub returned_rate: f64,
    /// Share of orders with two shipments.
    #[schemars(range(min = 0, max = 1))]
    pub split_rate: f64,
    /// How many fulfilment nodes, sellers among them.
    #[schemars(range(min = 8, max = 5_000))]
    pub n_nodes: u32,
    /// How many postal zones.
    #[schemars(range(min = 8, max = 2_000))]
    pub n_zones: u32,
    /// Orders on the busiest day, as a multiple of an ordinary one.
    #[schemars(range(min = 1, max = 10))]
    pub peak_factor: f64,
    /// Whether the carriers record each leg, in the table `legs`.
    pub legs: bool,
    /// Strikes, slowdowns and speed-ups; by default there are none. Until the first one begins, the
    /// network is the same with them and without.
    pub episodes: Vec<Episode>,
}

impl Default for NetworkSettings {
    /// A small network over its yearly peak: 200,000 shipments in the second half of 2025.
    fn default() -> Self {
        Self {
            seed: 1,
            first_day: day(2025, 7, 1),
            days: 180,
            shipments: 200_000,
            share_within_two_days: None,
            median_days: None,
            dates_only: false,
            late_rate: 0.02,
            corrected_rate: 0.005,
            odd_rate: 0.002,
            cancelled_rate: 0.012,
            lost_rate: 0.002,
            returned_rate: 0.004,
            split_rate: 0.08,
            n_nodes: 240,
            n_zones: 400,
            peak_factor: 2.2,
            legs: false,
            episodes: Vec::new(),
        }
    }
}

impl NetworkSettings {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first setting that is out of range, by name, with its value.
    pub fn check(self) -> Result<CheckedNetwork, Error> {
        let (min, max) = (day(1970, 1, 2), day(2200, 12, 31));
        if !(min..=max).contains(&self.first_day) {
            return Err(Error::FirstDay { found: self.first_day, min, max });
        }
        let days = f64::from(self.days);
        let ranges = [
            ("days", days, 1.0, 3_660.0),
            ("shipments", self.shipments as f64, 1.0, SHIPMENTS_A_DAY_MAX * days),
            ("share_within_two_days", self.share_within_two_days.unwrap_or(SHARE), 0.05, 0.85),
            ("median_days", self.median_days.unwrap_or(1.0), 1.0, 120.0),
            ("late_rate", self.late_rate, 0.0, 0.5),
            ("corrected_rate", self.corrected_rate, 0.0, 0.5),
            ("odd_rate", self.odd_rate, 0.0, 0.5),
            ("cancelled_rate", self.cancelled_rate, 0.0, 0.2),
            ("lost_rate", self.lost_rate, 0.0, 0.5),
            ("returned_rate", self.returned_rate, 0.0, 0.2),
            ("split_rate", self.split_rate, 0.0, 1.0),
            ("n_nodes", f64::from(self.n_nodes), 8.0, 5_000.0),
            ("n_zones", f64::from(self.n_zones), 8.0, 2_000.0),
            ("peak_factor", self.peak_factor, 1.0, 10.0),
        ];
        for (name, found, min, max) in ranges {
            if !(min..=max).contains(&found) {
                return Err(Error::OutOfRange { name, found, min, max });
            }
        }
        if let (Some(share), Some(median_days)) = (self.share_within_two_days, self.median_days) {
            return Err(Error::TwoSpeeds { share, median_days });
        }
        let last_day = self.first_day.plus(self.days as i32 - 1);
        for (index, episode) in self.episodes.iter().enumerate() {
            episode.check(index, self.first_day, last_day)?;
        }
        Ok(CheckedNetwork(self))
    }

    /// How fast the network is to be.
    pub(crate) fn speed(&self) -> Speed {
        match (self.median_days, self.share_within_two_days) {
            (Some(days), _) => Speed::MedianDays(days),
            (None, share) => Speed::ShareWithinTwoDays(share.unwrap_or(SHARE)),
        }
    }
}

/// What sets the speed of a network: one of two figures of its deliveries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    ShareWithinTwoDays(f64),
    MedianDays(f64),
}

fn day(year: i32, month: u32, day: u32) -> Day {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default().into()
}

/// Settings that are within their ranges; made by [`NetworkSettings::check`] alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct CheckedNetwork(NetworkSettings);

impl CheckedNetwork {
    /// The settings.
    pub fn settings(&self) -> &NetworkSettings {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error as ValueError, MapDeserializer};

    use super::*;
    use terms::ErrorClass;

    /// The settings of a file with one key.
    fn settings<'a, V>(name: &'a str, value: V) -> Result<NetworkSettings, ValueError>
    where
        V: serde::de::IntoDeserializer<'a, ValueError>,
    {
        NetworkSettings::deserialize(MapDeserializer::new([(name, value)].into_iter()))
    }

    #[track_caller]
    fn check_refused(settings: NetworkSettings, expected: &str) {
        let error = settings.check().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let error = settings("shippments", 3_u64).unwrap_err().to_string();
        assert!(error.contains("shippments") && error.contains("`shipments`"), "{error}");
    }

    #[test]
    fn a_setting_out_of_range_is_refused_by_name_and_value() {
        check_refused(
            NetworkSettings { share_within_two_days: Some(0.9), ..NetworkSettings::default() },
            "simulate setting share_within_two_days: expected 0.05 to 0.85, found 0.9",
        );
        check_refused(
            NetworkSettings { median_days: Some(0.5), ..NetworkSettings::default() },
            "simulate setting median_days: expected 1 to 120, found 0.5",
        );
        check_refused(
            settings("late_rate", f64::NAN).unwrap(),
            "simulate setting late_rate: expected 0 to 0.5, found NaN",
        );
        check_refused(
            NetworkSettings { days: 2, shipments: 1_000_001, ..NetworkSettings::default() },
            "simulate setting shipments: expected 1 to 1000000, found 1000001",
        );
        check_refused(
            settings("first_day", "1492-10-12").unwrap(),
            "simulate setting first_day: expected a date from 1970-01-02 to 2200-12-31, \
             found 1492-10-12",
        );
    }

    #[test]
    fn two_settings_of_the_speed_contradict_each_other() {
        let both = NetworkSettings {
            share_within_two_days: Some(0.2),
            median_days: Some(8.0),
            ..NetworkSettings::default()
        };
        check_refused(
            both,
            "simulate settings share_within_two_days and median_days: expected one of them, \
             found 0.2 and 8",
        );
        assert_eq!(settings("seed", 1_u64).unwrap().speed(), Speed::ShareWithinTwoDays(0.2));
        let slow = NetworkSettings { median_days: Some(8.0), ..NetworkSettings::default() };
        assert_eq!(slow.speed(), Speed::MedianDays(8.0));
    }

    #[test]
    fn a_setting_that_is_not_given_has_its_default() {
        let seeded = settings("seed", 7_u64).unwrap();
        assert_eq!(seeded, NetworkSettings { seed: 7, ..NetworkSettings::default() });
        assert!(seeded.check().is_ok());
    }
}
