//! The journey of one parcel: handling until handover, transit, the last mile; and the promise.
//!
//! Units: hours, and seconds since the epoch for instants.

use crate::calendar::{DAY, HOUR, OpenDays, weekday};
use crate::carriers::{CARRIERS, Service, n_hubs};
use crate::goods::Goods;
use crate::nodes::NodeKind;
use crate::plan::Plan;
use crate::random::Random;
use crate::speed::SpeedChanges;

/// A parcel that arrives by this local hour goes out with today's van.
const VAN_LOADED_BY_HOUR: i64 = 7;
/// The van's first delivery, and the limits of a day's deliveries, in local hours.
const VAN_STARTS_AT_HOUR: f64 = 9.0;
const VAN_HOURS: (f64, f64) = (8.5, 20.5);
/// Share of parcels left behind after a Sunday, when the vans are full.
const MONDAY_LEFT_BEHIND: f64 = 0.12;
/// The last attempt always succeeds: the parcel is left with a neighbour.
const ATTEMPTS_MAX: usize = 4;
/// Tail index and scale of the hours that a stuck parcel loses: a Pareto of infinite variance.
const STUCK_SHAPE: f64 = 1.7;
const STUCK_HOURS: (f64, f64) = (24.0, 900.0);
/// The promise is the rule for the lane times the padding, and some hours more.
const PROMISE_PADDING: f64 = 1.7;
const PROMISE_MORE_HOURS: f64 = 30.0;

/// The node, carrier and service that bring a parcel to a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) node: usize,
    pub(crate) zone: usize,
    pub(crate) carrier: usize,
    pub(crate) service: Service,
}

/// When delivery was attempted and failed, from the first on. Units: seconds since the epoch.
pub(crate) type FailedAttempts = [Option<i64>; ATTEMPTS_MAX - 1];

/// The journey of a parcel. Units: seconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) handed_over_at: i64,
    /// When it arrives at the last station.
    pub(crate) at_station_at: i64,
    pub(crate) failed_attempts: FailedAttempts,
    pub(crate) delivered_at: i64,
}

impl Route {
    /// Transit hours by the carrier's rule: without random deviations, backlog or disruptions.
    fn rule_hours(self, plan: &Plan) -> f64 {
        let carrier = &CARRIERS[self.carrier];
        let service = self.service as usize;
        let km = plan.nodes.km(self.node, self.zone);
        let remoteness = plan.geography.zones[self.zone].remoteness;
        plan.pace
            * (carrier.hub_hours[service] * n_hubs(km, remoteness)
                + km / carrier.speed_km_h[service]
                + carrier.remote_hours * remoteness * remoteness)
    }

    /// The journey of goods paid for at `paid_at`, by the speed changes and before strikes. `wait` has
    /// the hours of backlog of the node and of the carrier.
    pub(crate) fn times(
        self,
        plan: &Plan,
        speed_changes: &SpeedChanges,
        goods: &Goods,
        paid_at: i64,
        wait: (f64, f64),
        random: &mut Random,
    ) -> Times {
        let handed_over_at =
            self.handed_over_at(plan, speed_changes, goods, paid_at, wait.0, random);
        self.arrives(plan, speed_changes, handed_over_at, wait.1, random)
    }

    /// When the carrier takes custody.
    fn handed_over_at(
        self,
        plan: &Plan,
        speed_changes: &SpeedChanges,
        goods: &Goods,
        paid_at: i64,
        wait_hours: f64,
        random: &mut Random,
    ) -> i64 {
        let node = &plan.nodes.all[self.node];
        let usual = plan.pace
            * node.handling_hours
            * goods.category().packing
            * (1.0 + 0.03 * f64::from(goods.n_units - 1))
            * plan.rhythm.node_factor(self.node, plan.day(paid_at));
        let mut hours = random.lognormal(usual, node.sigma);
        hours += wait_hours * random.between(0.6, 1.2);
        if random.chance(node.forgets_rate) {
            hours += 24.0 + random.exponential(60.0);
        }
        let ready_at = speed_changes.handled_at(node.region, paid_at, hours);
        let clock = &plan.clock;
        clock.next_slot(node.region, ready_at, node.pickup_hours, node.pickup_days)
            + random.between(60.0, 1_500.0) as i64
    }

    /// The rest of the journey.
    fn arrives(
        self,
        plan: &Plan,
        speed_changes: &SpeedChanges,
        handed_over_at: i64,
        wait_hours: f64,
        random: &mut Random,
    ) -> Times {
        let carrier = &CARRIERS[self.carrier];
        let zone = &plan.geography.zones[self.zone];
        let origin = plan.nodes.all[self.node].region;
        let day = plan.day(handed_over_at);
        let usual = self.rule_hours(plan)
            * plan.carriers.lane_factor(self.carrier, origin, zone.region)
            * plan.rhythm.carrier_factor(self.carrier, zone.region, day);
        let far = (plan.nodes.km(self.node, self.zone) / 2_500.0).min(1.0);
        let sigma = carrier.sigma * (0.6 + 0.5 * far + 0.8 * zone.remoteness);
        let mut hours = random.lognormal(usual, sigma);
        hours += wait_hours * random.between(0.4, 1.0);
        if random.chance(carrier.stuck_rate * (1.0 + zone.remoteness)) {
            let lost = STUCK_HOURS.0 * libm::pow(1.0 - random.share(), -1.0 / STUCK_SHAPE);
            hours += lost.min(STUCK_HOURS.1);
        }
        if self.carrier == crate::carriers::DISRUPTED_CARRIER {
            hours += self.disruption_hours(plan, handed_over_at, hours, random);
        }
        let at_station_at =
            speed_changes.arrived_at(self.carrier, zone.region, handed_over_at, hours);
        let (failed_attempts, delivered_at) = self.last_mile(plan, at_station_at, random);
        let delivered_at = delivered_at.max(handed_over_at + HOUR as i64);
        Times { handed_over_at, at_station_at, failed_attempts, delivered_at }
    }

    /// Delay of a parcel that is handed over, or would have arrived, during the disruption.
    fn disruption_hours(self, plan: &Plan, at: i64, hours: f64, random: &mut Random) -> f64 {
        let arrives_at = at + (hours * HOUR) as i64;
        let rhythm = &plan.rhythm;
        match (rhythm.disruption_hours_left(at), rhythm.disruption_hours_left(arrives_at)) {
            (Some(left), _) => left * random.between(0.3, 1.1) + random.exponential(12.0),
            (None, Some(left)) => left * random.between(0.0, 0.6),
            (None, None) => 0.0,
        }
    }

    /// The same journey with the strikes of its carrier, which concern pick-up and delivery. The time
    /// between is as long as without, at least.
    pub(crate) fn after_strikes(self, plan: &Plan, usual: Times) -> Times {
        let zone = &plan.geography.zones[self.zone];
        let handed_over_at = self.pickup_after_strikes(plan, usual.handed_over_at);
        let late = handed_over_at - usual.handed_over_at;
        let delayed = |at: i64| plan.strikes.delayed(self.carrier, zone.region, at).max(at + late);
        let due_at = delayed(usual.delivered_at);
        let mut delivered_at = due_at;
        if due_at > usual.delivered_at {
            // At the usual time of the van's day, the first one that is not in another strike.
            let (_, seconds) = plan.clock.local(zone.region, usual.delivered_at);
            let (mut day, _) = plan.clock.local(zone.region, due_at);
            loop {
                day = plan.clock.next_open(day, zone.delivery_days);
                delivered_at = plan.clock.instant(zone.region, day, seconds);
                let is_strike = plan.strikes.end(self.carrier, zone.region, delivered_at).is_some();
                if delivered_at >= handed_over_at + HOUR as i64 && !is_strike {
                    break;
                }
                day += 1;
            }
        }
        let at_station_at = delayed(usual.at_station_at).min(delivered_at).max(handed_over_at);
        // What would have been attempted during a strike, or before the parcel was there, was not.
        let is_made = |at: &i64| delayed(*at) == *at;
        let failed_attempts = usual.failed_attempts.map(|at| at.filter(is_made));
        Times { handed_over_at, at_station_at, failed_attempts, delivered_at }
    }

    /// The first pick-up after strikes, for what would have been picked up at `usual`.
    fn pickup_after_strikes(self, plan: &Plan, usual: i64) -> i64 {
        let node = &plan.nodes.all[self.node];
        let mut at = plan.strikes.delayed(self.carrier, node.region, usual);
        if at == usual {
            return usual;
        }
        // Pick-ups are at full hours of a local time that differs by half hours.
        let loaded = usual.rem_euclid(HOUR as i64 / 2);
        loop {
            let slot = plan.clock.next_slot(node.region, at, node.pickup_hours, node.pickup_days);
            match plan.strikes.end(self.carrier, node.region, slot + loaded) {
                Some(end) => at = end,
                None => return slot + loaded,
            }
        }
    }

    /// When delivery is attempted in vain, and when the parcel is delivered.
    fn last_mile(self, plan: &Plan, arrived_at: i64, random: &mut Random) -> (FailedAttempts, i64) {
        let zone = &plan.geography.zones[self.zone];
        let clock = &plan.clock;
        let (today, seconds) = clock.local(zone.region, arrived_at);
        let missed_van = seconds >= VAN_LOADED_BY_HOUR * HOUR as i64;
        let mut day = clock.next_open(today + i64::from(missed_van), zone.delivery_days);
        if weekday(day) == 0 && random.chance(MONDAY_LEFT_BEHIND) {
            day = clock.next_open(day + 1, zone.delivery_days);
        }
        let mut failed_on = [None; ATTEMPTS_MAX - 1];
        for failed in &mut failed_on {
            if !random.chance(zone.failed_attempt_rate) {
                break;
            }
            *failed = Some(day);
            day = clock.next_open(day + 1, zone.delivery_days);
        }
        let hour = VAN_STARTS_AT_HOUR + zone.route_hours + 0.8 * random.normal();
        let seconds = (hour.clamp(VAN_HOURS.0, VAN_HOURS.1) * HOUR) as i64;
        // The van passes at the same time every day.
        let passes = |day| clock.instant(zone.region, day, seconds).max(arrived_at);
        (failed_on.map(|day| day.map(passes)), passes(day))
    }

    /// The shop's promise: its rule for the lane, padded, to the end of a day that is no Sunday. The
    /// rule ignores weekdays, backlog, and differences between nodes and between carriers.
    pub(crate) fn promised_at(self, plan: &Plan, ordered_at: i64) -> i64 {
        let handling_hours = match plan.nodes.all[self.node].kind {
            NodeKind::SortableFc => 8.0,
            NodeKind::NonSortableFc => 20.0,
            NodeKind::SpecialtyFc => 28.0,
            NodeKind::Seller => 34.0,
        };
        let hours = PROMISE_PADDING * (plan.pace * handling_hours + self.rule_hours(plan));
        let region = plan.geography.zones[self.zone].region;
        let at = ordered_at + ((hours + PROMISE_MORE_HOURS) * HOUR) as i64;
        let (day, _) = plan.clock.local(region, at);
        let day = plan.clock.next_open(day, OpenDays::MONDAY_TO_SATURDAY);
        plan.clock.instant(region, day, DAY - 1)
    }

    /// When the node should hand over: 18:00 of its n-th working day after the order.
    pub(crate) fn ship_by_at(self, plan: &Plan, ordered_at: i64) -> i64 {
        let node = &plan.nodes.all[self.node];
        let working_days = match node.kind {
            NodeKind::SortableFc => 1,
            NodeKind::NonSortableFc | NodeKind::SpecialtyFc => 2,
            NodeKind::Seller => 3,
        };
        let (mut day, _) = plan.clock.local(node.region, ordered_at);
        for _ in 0..working_days {
            day = plan.clock.next_open(day + 1, node.pickup_days);
        }
        plan.clock.instant(node.region, day, 18 * HOUR as i64)
    }
}
