//! The fixed part of a simulation: settings, calendar, geography, nodes, carriers and daily volumes.

use crate::calendar::{DAY, OpenDays};
use crate::carriers::CarrierMap;
use crate::clock::Clock;
use crate::geography::Geography;
use crate::goods::CATEGORIES;
use crate::load::{Load, WAIT_HOURS_MAX, WAIT_HOURS_MAX_EVERY_DAY};
use crate::nodes::Nodes;
use crate::random::{Random, Weights};
use crate::rhythm::{HOUR_WEIGHTS, Rhythm};
use crate::settings::{CheckedNetwork, NetworkSettings};
use crate::speed::SpeedChanges;
use crate::strikes::Strikes;

/// Shares of ship options: economy, standard, express.
const SHIP_OPTION_WEIGHTS: [f64; 3] = [0.25, 0.58, 0.17];

/// Local hours of pick-up where every day is open.
const EVERY_DAY_PICKUP_HOURS: [u8; 6] = [6, 9, 12, 15, 18, 22];
/// The slowest pace of a network whose deliveries take days.
pub(crate) const USUAL_PACE_MAX: f64 = 4.0;

/// The fixed part of a simulation.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: NetworkSettings,
    pub(crate) clock: Clock,
    pub(crate) geography: Geography,
    pub(crate) nodes: Nodes,
    pub(crate) carriers: CarrierMap,
    pub(crate) rhythm: Rhythm,
    pub(crate) categories: Weights,
    pub(crate) hours: Weights,
    pub(crate) ship_options: Weights,
    /// The factor on all hours of handling and transit, so that deliveries take as long as wanted.
    pub(crate) pace: f64,
    pub(crate) speed_changes: SpeedChanges,
    pub(crate) strikes: Strikes,
    /// The longest wait for a backlog.
    pub(crate) wait_hours_max: f64,
}

impl Plan {
    /// Draws the network; its pace is 1, and it has no episodes yet.
    pub(crate) fn new(network: &CheckedNetwork) -> Self {
        let settings = network.settings().clone();
        let first_day = i64::from(settings.first_day.days_since_epoch());
        let geography = Geography::new(settings.seed, settings.n_zones);
        Self {
            clock: Clock::new(first_day, i64::from(settings.days)),
            nodes: Nodes::new(&settings, &geography),
            geography,
            carriers: CarrierMap::new(settings.seed),
            rhythm: Rhythm::new(&settings, first_day),
            categories: Weights::new(CATEGORIES.iter().map(|category| category.share)),
            hours: Weights::new(HOUR_WEIGHTS),
            ship_options: Weights::new(SHIP_OPTION_WEIGHTS),
            pace: 1.0,
            speed_changes: SpeedChanges::default(),
            strikes: Strikes::default(),
            wait_hours_max: WAIT_HOURS_MAX,
            settings,
        }
    }

    /// Lets every node hand over and every zone get deliveries on all days, and nothing wait
    /// long for a backlog.
    pub(crate) fn open_every_day(&mut self) {
        self.wait_hours_max = WAIT_HOURS_MAX_EVERY_DAY;
        for node in &mut self.nodes.all {
            node.pickup_hours = &EVERY_DAY_PICKUP_HOURS;
            node.pickup_days = OpenDays::EVERY_DAY;
        }
        for zone in &mut self.geography.zones {
            zone.delivery_days = OpenDays::EVERY_DAY;
        }
    }

    /// How many times slower the network is than the slowest one of a few days: what people wait
    /// before they give up a parcel grows with it.
    pub(crate) fn patience(&self) -> f64 {
        (self.pace / USUAL_PACE_MAX).max(1.0)
    }

    /// Lets the episodes of the settings happen.
    pub(crate) fn begin_episodes(&mut self) {
        self.speed_changes = SpeedChanges::new(&self.settings.episodes);
        self.strikes = Strikes::new(&self.settings.episodes);
    }

    /// The day of the simulation that an instant (seconds since the epoch) falls on.
    pub(crate) fn day(&self, at: i64) -> i64 {
        at.div_euclid(DAY) - self.rhythm.first_day
    }

    /// The instant at which a day of the simulation starts.
    pub(crate) fn midnight(&self, day: u32) -> i64 {
        (self.rhythm.first_day + i64::from(day)) * DAY
    }

    /// The nightly extract in which an event is recorded if nothing is late: extract n follows day
    /// n - 1. What has a date and no time is recorded after the end of that date.
    pub(crate) fn night(&self, at: i64) -> u32 {
        let end = if self.settings.dates_only { at + DAY - 1 } else { at };
        u32::try_from(self.day(end) + 1).unwrap_or(0)
    }

    /// An instant as the shop knows it: where there are dates only, the local midnight in the region
    /// that begins its day.
    pub(crate) fn known(&self, region: usize, at: i64) -> i64 {
        if !self.settings.dates_only {
            return at;
        }
        let (day, _) = self.clock.local(region, at);
        self.clock.instant(region, day, 0)
    }

    /// Draws an instant of a day of the simulation, by the distribution of orders over local hours.
    pub(crate) fn draw_instant(&self, day: u32, region: usize, random: &mut Random) -> i64 {
        let hour = self.hours.draw(random) as f64;
        let local = ((hour + random.share()) * 3_600.0) as i64;
        let offset = self.clock.offset(region, self.rhythm.first_day + i64::from(day));
        self.midnight(day) + (local - offset).rem_euclid(DAY)
    }
}

/// The backlogs of nodes and of carriers.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) nodes: Load,
    pub(crate) carriers: Load,
}

impl Waiting {
    /// Ends a day (since the epoch).
    pub(crate) fn end_day(&mut self, day: i64) {
        self.nodes.end_day(day);
        self.carriers.end_day(day);
    }
}
