//! The regions and postal zones of an invented country, around real coordinates and time zones.
//!
//! The code of a zone is a digit for the region and three for the zone, with leading zeros. Population
//! density falls with the distance from the region's centre, and remoteness rises.

use chrono_tz::{Australia, Tz};

use crate::calendar::OpenDays;
use crate::random::{Random, Stream, Weights};

/// Kilometres of one degree of latitude.
const DEGREE_KM: f64 = 111.2;

/// A region of the country.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) code: &'static str,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    pub(crate) time_zone: Tz,
    /// Share of the country's people.
    pub(crate) people: f64,
    /// Mean distance of zones from the centre.
    pub(crate) spread_km: f64,
    /// From 0 (a metropolis) to 1 (the most remote).
    pub(crate) remoteness: f64,
}

/// The regions, most people first.
#[rustfmt::skip]
pub(crate) static REGIONS: [Region; 8] = [
    Region { code: "HB", lat: -33.87, lon: 151.21, time_zone: Australia::Sydney, people: 0.31, spread_km: 120.0, remoteness: 0.05 },
    Region { code: "GF", lat: -37.81, lon: 144.96, time_zone: Australia::Melbourne, people: 0.27, spread_km: 110.0, remoteness: 0.05 },
    Region { code: "SC", lat: -27.47, lon: 153.03, time_zone: Australia::Brisbane, people: 0.15, spread_km: 150.0, remoteness: 0.12 },
    Region { code: "WS", lat: -31.95, lon: 115.86, time_zone: Australia::Perth, people: 0.10, spread_km: 160.0, remoteness: 0.25 },
    Region { code: "VY", lat: -34.93, lon: 138.60, time_zone: Australia::Adelaide, people: 0.08, spread_km: 120.0, remoteness: 0.15 },
    Region { code: "RF", lat: -19.26, lon: 146.82, time_zone: Australia::Lindeman, people: 0.04, spread_km: 250.0, remoteness: 0.45 },
    Region { code: "SI", lat: -42.88, lon: 147.33, time_zone: Australia::Hobart, people: 0.03, spread_km: 70.0, remoteness: 0.40 },
    Region { code: "IN", lat: -23.70, lon: 133.88, time_zone: Australia::Darwin, people: 0.02, spread_km: 300.0, remoteness: 0.75 },
];

/// A postal zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) code: String,
    pub(crate) region: usize,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    /// From 0 (a metropolis) to 1 (the most remote).
    pub(crate) remoteness: f64,
    /// Days with deliveries.
    pub(crate) delivery_days: OpenDays,
    /// Position on the van's route: hours after the first delivery.
    pub(crate) route_hours: f64,
    /// The zone's own share of delivery attempts that fail.
    pub(crate) failed_attempt_rate: f64,
}

/// All zones, with their shares of the population.
#[derive(Debug)]
pub(crate) struct Geography {
    pub(crate) zones: Vec<Zone>,
    pub(crate) people: Weights,
}

impl Geography {
    /// Draws the zones of a network.
    pub(crate) fn new(seed: u64, n_zones: u32) -> Self {
        let mut zones = Vec::new();
        let mut people = Vec::new();
        for (index, region) in zone_regions(n_zones as usize).into_iter().enumerate() {
            let number = zones.iter().filter(|zone: &&Zone| zone.region == region).count();
            let random = Random::new(seed, Stream::Zones, index as u64);
            let (zone, density) = zone(region, number, random);
            zones.push(zone);
            people.push((region, density));
        }
        let density_of_region = |wanted| -> f64 {
            people.iter().filter(|(region, _)| *region == wanted).map(|(_, density)| density).sum()
        };
        let weights: Vec<f64> = people
            .iter()
            .map(|&(region, density)| REGIONS[region].people * density / density_of_region(region))
            .collect();
        Self { zones, people: Weights::new(weights) }
    }
}

/// The region of each zone: one zone in each region, the rest in proportion to the population.
fn zone_regions(n_zones: usize) -> Vec<usize> {
    let spare = n_zones - REGIONS.len();
    let mut regions = Vec::with_capacity(n_zones);
    let mut people = 0.0;
    for (index, region) in REGIONS.iter().enumerate() {
        let before = (people * spare as f64) as usize;
        people += region.people;
        // The shares add up to 1 except for rounding; the last region takes the remainder.
        let after =
            if index + 1 == REGIONS.len() { spare } else { (people * spare as f64) as usize };
        regions.extend(std::iter::repeat_n(index, after - before + 1));
    }
    regions
}

/// A zone and its population density.
fn zone(region: usize, number: usize, mut random: Random) -> (Zone, f64) {
    let home = &REGIONS[region];
    // The first zone is the centre itself.
    let out_km = if number == 0 { 0.0 } else { random.exponential(home.spread_km).min(900.0) };
    let angle = random.between(0.0, std::f64::consts::TAU);
    let lat = home.lat + out_km * libm::sin(angle) / DEGREE_KM;
    // Some zones are in the sea: the country is invented.
    let lon = home.lon + out_km * libm::cos(angle) / (DEGREE_KM * libm::cos(home.lat.to_radians()));
    let out = out_km / (out_km + 250.0);
    let remoteness = (home.remoteness + 0.8 * out + 0.05 * random.normal()).clamp(0.0, 1.0);
    let delivery_days = match remoteness {
        r if r > 0.75 => OpenDays([0b000_1010, 0b001_0100, 0b010_0100][random.below(3)]),
        r if r > 0.5 => OpenDays::MONDAY_TO_FRIDAY,
        _ => OpenDays::MONDAY_TO_SATURDAY,
    };
    let density = random.lognormal(1.0, 0.5) * libm::exp(-1.5 * out_km / home.spread_km);
    let zone = Zone {
        code: format!("{region}{number:03}"),
        region,
        lat: round(lat, 1e4),
        lon: round(lon, 1e4),
        remoteness,
        delivery_days,
        route_hours: random.between(0.5, 7.0),
        failed_attempt_rate: (random.lognormal(0.05, 0.4) + 0.05 * remoteness).min(0.3),
    };
    (zone, density)
}

/// Rounds to `1 / parts`.
pub(crate) fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_zones_and_codes_are_unique() {
        for n_zones in [8, 9, 400, 2_000] {
            let geography = Geography::new(1, n_zones);
            let codes: std::collections::BTreeSet<_> =
                geography.zones.iter().map(|zone| zone.code.as_str()).collect();
            assert_eq!(codes.len(), n_zones as usize);
            assert!(codes.iter().all(|code| code.len() == 4));
            assert!((0..8).all(|region| geography.zones.iter().any(|zone| zone.region == region)));
        }
    }
}
