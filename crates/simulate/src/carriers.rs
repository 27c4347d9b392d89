//! Carriers and services: speeds between hubs, factors of lanes, and the choice of the carrier.

use crate::geography::{REGIONS, Zone};
use crate::random::{Random, Stream, Weights};

/// A level of speed, which the customer chooses and a carrier offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Economy = 0,
    Standard = 1,
    Express = 2,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        ["economy", "standard", "express"][self as usize]
    }
}

/// A carrier. Arrays are by service.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) name: &'static str,
    /// Average speed between hubs.
    pub(crate) speed_km_h: [f64; 3],
    /// Time that each hub takes.
    pub(crate) hub_hours: [f64; 3],
    /// Spread of the log of its hours on an easy lane.
    pub(crate) sigma: f64,
    /// Additional hours to the most remote zone.
    pub(crate) remote_hours: f64,
    /// Share of parcels that get stuck somewhere.
    pub(crate) stuck_rate: f64,
    /// Drift of its hours in a year, as a share.
    pub(crate) drift_a_year: f64,
    /// How often it is chosen for a metropolis, and for the most remote zone.
    pub(crate) metro_share: [f64; 3],
    pub(crate) remote_share: [f64; 3],
}

/// Position of the carrier with a disruption.
pub(crate) const DISRUPTED_CARRIER: usize = 1;

#[rustfmt::skip]
pub(crate) static CARRIERS: [Carrier; 4] = [
    Carrier { name: "kestrel", speed_km_h: [45.0, 60.0, 110.0], hub_hours: [9.0, 5.5, 2.5], sigma: 0.22, remote_hours: 60.0, stuck_rate: 0.012, drift_a_year: 0.18, metro_share: [0.15, 0.30, 0.60], remote_share: [0.05, 0.10, 0.35] },
    Carrier { name: "longreach", speed_km_h: [38.0, 52.0, 80.0], hub_hours: [11.0, 7.0, 4.0], sigma: 0.30, remote_hours: 40.0, stuck_rate: 0.020, drift_a_year: -0.12, metro_share: [0.30, 0.30, 0.20], remote_share: [0.25, 0.30, 0.25] },
    Carrier { name: "crown_post", speed_km_h: [30.0, 44.0, 75.0], hub_hours: [14.0, 9.0, 4.5], sigma: 0.38, remote_hours: 26.0, stuck_rate: 0.028, drift_a_year: 0.0, metro_share: [0.40, 0.25, 0.10], remote_share: [0.65, 0.55, 0.35] },
    Carrier { name: "tidewater", speed_km_h: [42.0, 58.0, 90.0], hub_hours: [10.0, 6.0, 3.5], sigma: 0.27, remote_hours: 70.0, stuck_rate: 0.035, drift_a_year: -0.05, metro_share: [0.15, 0.15, 0.10], remote_share: [0.05, 0.05, 0.05] },
];

/// Steps of remoteness for which the weights of the choice are computed.
const REMOTENESS_STEPS: usize = 10;

/// The choice of the carrier, and the factors of lanes.
#[derive(Debug)]
pub(crate) struct CarrierMap {
    /// Shapes: services × remoteness steps.
    choice: Vec<Vec<Weights>>,
    /// Shapes: carriers × origin regions × destination regions, flat.
    lane_factors: Vec<f64>,
}

impl CarrierMap {
    pub(crate) fn new(seed: u64) -> Self {
        let weights = |service: usize, step: usize| {
            let remote = step as f64 / REMOTENESS_STEPS as f64;
            Weights::new(CARRIERS.iter().map(|carrier| {
                carrier.metro_share[service] * (1.0 - remote)
                    + carrier.remote_share[service] * remote
            }))
        };
        let choice = (0..3)
            .map(|service| (0..=REMOTENESS_STEPS).map(|step| weights(service, step)).collect())
            .collect();
        let n_lanes = CARRIERS.len() * REGIONS.len() * REGIONS.len();
        let lane_factors = (0..n_lanes)
            .map(|lane| Random::new(seed, Stream::Lanes, lane as u64).lognormal(1.0, 0.13))
            .collect();
        Self { choice, lane_factors }
    }

    /// Draws the carrier of a parcel to `zone`; its position.
    pub(crate) fn draw(&self, service: Service, zone: &Zone, random: &mut Random) -> usize {
        let step = (zone.remoteness * REMOTENESS_STEPS as f64).round() as usize;
        self.choice[service as usize][step].draw(random)
    }

    /// Transit time of a carrier between two regions, as a multiple of its rule.
    pub(crate) fn lane_factor(&self, carrier: usize, from: usize, to: usize) -> f64 {
        self.lane_factors[(carrier * REGIONS.len() + from) * REGIONS.len() + to]
    }
}

/// How many hubs a parcel passes.
pub(crate) fn n_hubs(km: f64, remoteness: f64) -> f64 {
    let road = match km {
        km if km < 150.0 => 1.0,
        km if km < 900.0 => 2.0,
        _ => 3.0,
    };
    if remoteness > 0.5 { road + 1.0 } else { road }
}
