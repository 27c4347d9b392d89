//! Everything that depends on the day alone: volumes with season, growth and peak; weekly factors of
//! nodes and carriers; drift; and the disruption of one carrier.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::calendar::{DAY, weekday};
use crate::carriers::CARRIERS;
use crate::geography::REGIONS;
use crate::random::{Random, Stream};
use crate::settings::NetworkSettings;

/// Orders by day of the week, Monday first.
const WEEKDAY_FACTORS: [f64; 7] = [1.12, 1.08, 1.05, 1.02, 0.98, 0.82, 0.93];
/// Orders by local hour of the day, midnight first.
pub(crate) const HOUR_WEIGHTS: [f64; 24] = [
    1.6, 0.9, 0.5, 0.3, 0.3, 0.5, 1.2, 2.4, 3.6, 4.8, 5.6, 5.9, 5.7, 5.4, 5.3, 5.3, 5.2, 5.2, 5.6,
    6.3, 7.0, 6.8, 5.2, 3.2,
];
/// Additional orders in the southern summer, and growth in a year, as shares.
const SUMMER_SHARE: f64 = 0.10;
const GROWTH_A_YEAR: f64 = 0.25;
/// Spread of the log of a day's orders.
const DAY_SIGMA: f64 = 0.05;
/// Standard deviation of the peak, in days.
const PEAK_DAYS: f64 = 5.0;
/// Drift of handling hours in a year, as a share.
const HANDLING_DRIFT_A_YEAR: f64 = -0.15;
/// When the disruption starts, as a share of the simulation, and how long it lasts.
const DISRUPTION_STARTS_AT: f64 = 0.3;
const DISRUPTION_DAYS: f64 = 11.0;

/// Everything that depends on the day alone.
#[derive(Debug)]
pub(crate) struct Rhythm {
    /// Days since the epoch.
    pub(crate) first_day: i64,
    /// Shipments created on each day; their sum is the number of the settings.
    pub(crate) volumes: Vec<u64>,
    n_weeks: usize,
    /// Shapes: nodes × weeks, flat.
    node_weeks: Vec<f32>,
    /// Shapes: carriers × regions × weeks, flat.
    carrier_weeks: Vec<f32>,
    /// Seconds since the epoch, half-open.
    disruption: (i64, i64),
}

impl Rhythm {
    pub(crate) fn new(settings: &NetworkSettings, first_day: i64) -> Self {
        let n_weeks = settings.days as usize / 7 + 20;
        let weeks = |stream, index: usize, sigma| {
            weekly_factors(Random::new(settings.seed, stream, index as u64), n_weeks, sigma)
        };
        let node_weeks = (0..settings.n_nodes as usize)
            .flat_map(|node| weeks(Stream::NodeWeeks, node, 0.12))
            .collect();
        let carrier_weeks = (0..CARRIERS.len() * REGIONS.len())
            .flat_map(|index| weeks(Stream::CarrierWeeks, index, 0.07))
            .collect();
        let days = f64::from(settings.days);
        let from = first_day + (days * DISRUPTION_STARTS_AT) as i64;
        let until = from + DISRUPTION_DAYS.min(days / 10.0).ceil() as i64;
        let volumes = volumes(settings, first_day);
        let disruption = (from * DAY, until * DAY);
        Self { first_day, volumes, n_weeks, node_weeks, carrier_weeks, disruption }
    }

    /// Handling time of a node on a day of the simulation, as a multiple of its usual one.
    pub(crate) fn node_factor(&self, node: usize, day: i64) -> f64 {
        let drift = 1.0 + HANDLING_DRIFT_A_YEAR * (day as f64 / 365.0).min(3.0);
        drift * f64::from(self.node_weeks[node * self.n_weeks + self.week(day)])
    }

    /// Transit time of a carrier into a region on a day of the simulation, as a multiple of the usual.
    pub(crate) fn carrier_factor(&self, carrier: usize, region: usize, day: i64) -> f64 {
        let drift = 1.0 + CARRIERS[carrier].drift_a_year * (day as f64 / 365.0).min(3.0);
        let row = carrier * REGIONS.len() + region;
        drift * f64::from(self.carrier_weeks[row * self.n_weeks + self.week(day)])
    }

    /// Hours until the disruption ends, if `at` is in it.
    pub(crate) fn disruption_hours_left(&self, at: i64) -> Option<f64> {
        let (from, until) = self.disruption;
        (from..until).contains(&at).then(|| (until - at) as f64 / 3_600.0)
    }

    fn week(&self, day: i64) -> usize {
        (day.max(0) as usize / 7).min(self.n_weeks - 1)
    }
}

/// A factor for each week around 1: the exponential of a stationary autoregressive process of order 1.
fn weekly_factors(mut random: Random, n_weeks: usize, sigma: f64) -> Vec<f32> {
    const AUTOCORRELATION: f64 = 0.85;
    let step = sigma * (1.0 - AUTOCORRELATION * AUTOCORRELATION).sqrt();
    let mut log = sigma * random.normal();
    (0..n_weeks)
        .map(|_| {
            let factor = libm::exp(log) as f32;
            log = AUTOCORRELATION * log + step * random.normal();
            factor
        })
        .collect()
}

/// Shipments of each day: the cumulative weights rounded down to whole shipments, so that the sum is
/// exact.
fn volumes(settings: &NetworkSettings, first_day: i64) -> Vec<u64> {
    let weights: Vec<f64> =
        (0..settings.days).map(|day| day_weight(settings, first_day, day)).collect();
    let sum: f64 = weights.iter().sum();
    let mut before = 0;
    let mut so_far = 0.0;
    let mut volumes: Vec<u64> = weights
        .iter()
        .map(|weight| {
            so_far += weight / sum * settings.shipments as f64;
            let now = (so_far as u64).min(settings.shipments);
            let volume = now - before;
            before = now;
            volume
        })
        .collect();
    if let Some(last) = volumes.last_mut() {
        *last += settings.shipments - before;
    }
    volumes
}

fn day_weight(settings: &NetworkSettings, first_day: i64, day: u32) -> f64 {
    let date = settings.first_day.plus(day as i32).date();
    let of_year = f64::from(date.ordinal0()) / 365.25 * std::f64::consts::TAU;
    let peak = peak_day(date.year());
    let from_peak = (date - peak).num_days() as f64 / PEAK_DAYS;
    WEEKDAY_FACTORS[weekday(first_day + i64::from(day))]
        * (1.0 + SUMMER_SHARE * libm::cos(of_year))
        * (1.0 + (settings.peak_factor - 1.0) * libm::exp(-0.5 * from_peak * from_peak))
        * (1.0 + GROWTH_A_YEAR * f64::from(day) / 365.0)
        * Random::new(settings.seed, Stream::Volumes, u64::from(day)).lognormal(1.0, DAY_SIGMA)
}

/// The last Friday of November.
pub(crate) fn peak_day(year: i32) -> NaiveDate {
    let last = NaiveDate::from_ymd_opt(year, 11, 30).unwrap_or_default();
    let back =
        (last.weekday().num_days_from_monday() + 7 - Weekday::Fri.num_days_from_monday()) % 7;
    last.checked_sub_days(Days::new(u64::from(back))).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_last_friday_of_november() {
        assert_eq!(peak_day(2025).to_string(), "2025-11-28");
        assert_eq!(peak_day(2018).to_string(), "2018-11-30");
    }

    #[test]
    fn days_add_up_and_the_peak_is_the_busiest() {
        let settings = NetworkSettings::default();
        let rhythm = Rhythm::new(&settings, 20_270);
        assert_eq!(rhythm.volumes.iter().sum::<u64>(), settings.shipments);
        let busiest = (0..180).max_by_key(|&day| rhythm.volumes[day]).unwrap();
        assert!((145..156).contains(&busiest), "{busiest}");
    }

    #[test]
    fn weekly_factors_stay_around_one() {
        let factors = weekly_factors(Random::new(1, Stream::NodeWeeks, 0), 5_000, 0.12);
        let mean = factors.iter().sum::<f32>() / 5_000.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }
}
