//! Drawing an order with its shipments: goods, destination, node, carrier, and everything that happens
//! to them until the end.

use terms::TWO_DAYS_HOURS;

use crate::calendar::{DAY, HOUR};
use crate::carriers::Service;
use crate::geography::round;
use crate::goods::Goods;
use crate::journey::{FailedAttempts, Route, Times};
use crate::plan::{Plan, Waiting};
use crate::random::Random;
use crate::speed::SpeedChanges;

/// Share of addresses without coordinates.
const UNLOCATED_RATE: f64 = 0.02;
/// Share of orders paid within minutes, and within hours; the others by bank within days.
const PAID_IN_MINUTES: f64 = 0.85;
const PAID_IN_HOURS: f64 = 0.10;
/// Share of a seller's parcels that go with its own carrier.
const OWN_CARRIER: f64 = 0.6;
/// Days after handover at which a parcel is declared lost.
const DECLARED_LOST_DAYS: (f64, f64) = (25.0, 45.0);
/// Days after the failed delivery at which a parcel is back.
const BACK_DAYS: (f64, f64) = (5.0, 20.0);

/// An order with all that happens to it. Units: instants are seconds since the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) ordered_at: i64,
    pub(crate) zone: u32,
    /// Latitude and longitude, if the address is located.
    pub(crate) location: Option<(f64, f64)>,
    pub(crate) ship_option: Service,
    pub(crate) promised_at: i64,
    /// `None` if it is cancelled before.
    pub(crate) paid_at: Option<i64>,
    pub(crate) cancelled_at: Option<i64>,
}

impl Order {
    /// Replaces each instant by what the shop knows of it.
    fn know(&mut self, known: impl Fn(i64) -> i64) {
        self.ordered_at = known(self.ordered_at);
        self.promised_at = known(self.promised_at);
        self.paid_at = self.paid_at.map(&known);
        self.cancelled_at = self.cancelled_at.map(&known);
    }
}

/// How a shipment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Delivered,
    Cancelled,
    Lost,
    Returned,
}

/// A shipment with all that happens to it. Units: instants are seconds since the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Shipment {
    pub(crate) order_number: u64,
    /// 1, or 2 for the second shipment of an order.
    pub(crate) part: u8,
    pub(crate) node: u32,
    pub(crate) carrier: u8,
    pub(crate) service: Service,
    /// The region of the customer.
    pub(crate) region: usize,
    pub(crate) goods: Goods,
    pub(crate) freight_value: f64,
    pub(crate) ordered_at: i64,
    pub(crate) ship_by_at: i64,
    /// `None` if it is cancelled.
    pub(crate) handed_over_at: Option<i64>,
    /// `None` if it is cancelled, or lost on the way there.
    pub(crate) at_station_at: Option<i64>,
    /// None if it is cancelled, or lost on the way there.
    pub(crate) failed_attempts: FailedAttempts,
    pub(crate) ending: Ending,
    pub(crate) ended_at: i64,
}

impl Shipment {
    /// Whether it is delivered, no later than two days after its order.
    pub(crate) fn is_within_two_days(&self) -> bool {
        let hours = (self.ended_at - self.ordered_at) as f64 / HOUR;
        self.ending == Ending::Delivered && hours <= TWO_DAYS_HOURS
    }

    /// Replaces each instant by what the shop knows of it.
    fn know(&mut self, known: impl Fn(i64) -> i64) {
        self.ordered_at = known(self.ordered_at);
        self.ship_by_at = known(self.ship_by_at);
        self.handed_over_at = self.handed_over_at.map(&known);
        self.at_station_at = self.at_station_at.map(&known);
        self.failed_attempts = self.failed_attempts.map(|at| at.map(&known));
        self.ended_at = known(self.ended_at);
    }
}

/// Draws order `number`, placed on a day of the simulation, with at most `shipments_max`.
pub(crate) fn draw(
    plan: &Plan,
    waiting: &Waiting,
    day: u32,
    number: u64,
    shipments_max: u64,
    random: &mut Random,
) -> (Order, Vec<Shipment>) {
    let zone_index = plan.geography.people.draw(random);
    let zone = &plan.geography.zones[zone_index];
    let ordered_at = plan.draw_instant(day, zone.region, random);
    let paid_at = ordered_at + payment_seconds(random);
    let (north, east) = (random.between(-0.03, 0.03), random.between(-0.03, 0.03));
    let location = (round(zone.lat + north, 1e4), round(zone.lon + east, 1e4));
    let location = (!random.chance(UNLOCATED_RATE)).then_some(location);
    let services = [Service::Economy, Service::Standard, Service::Express];
    let ship_option = services[plan.ship_options.draw(random)];
    let split = random.chance(plan.settings.split_rate) && shipments_max > 1;
    let cancelled = random.chance(plan.settings.cancelled_rate);
    let cancelled_share = random.between(0.02, 0.9);

    let mut order = Order {
        number,
        ordered_at,
        zone: zone_index as u32,
        location,
        ship_option,
        promised_at: 0,
        paid_at: Some(paid_at),
        cancelled_at: None,
    };
    let mut shipments = Vec::with_capacity(2);
    let mut first_handover_at = i64::MAX;
    for part in 1..=if split { 2 } else { 1 } {
        let goods = Goods::draw(&plan.categories, random);
        let route = draw_route(plan, day, &goods, zone_index, ship_option, random);
        order.promised_at = order.promised_at.max(route.promised_at(plan, ordered_at));
        let wait =
            (waiting.nodes.wait_hours(route.node), waiting.carriers.wait_hours(route.carrier));
        // Drawn alike with episodes and without, so that they change times and nothing else.
        let mut same_random = random.clone();
        let usual = route.times(plan, &SpeedChanges::default(), &goods, paid_at, wait, random);
        first_handover_at = first_handover_at.min(usual.handed_over_at);
        let times = if plan.speed_changes.is_empty() {
            usual
        } else {
            route.times(plan, &plan.speed_changes, &goods, paid_at, wait, &mut same_random)
        };
        let times = route.after_strikes(plan, times);
        shipments.push(draw_shipment(plan, &order, part, goods, route, times, random));
    }
    if cancelled {
        cancel(&mut order, &mut shipments, first_handover_at, cancelled_share);
    }
    let known = |at: i64| plan.known(zone.region, at);
    order.know(known);
    shipments.iter_mut().for_each(|shipment| shipment.know(known));
    (order, shipments)
}

fn payment_seconds(random: &mut Random) -> i64 {
    let share = random.share();
    let hours = if share < PAID_IN_MINUTES {
        random.between(0.01, 0.3)
    } else if share < PAID_IN_MINUTES + PAID_IN_HOURS {
        0.3 + random.exponential(4.0)
    } else {
        12.0 + random.exponential(20.0)
    };
    (hours * HOUR) as i64
}

/// Draws the node and the carrier of some goods.
fn draw_route(
    plan: &Plan,
    day: u32,
    goods: &Goods,
    zone: usize,
    ship_option: Service,
    random: &mut Random,
) -> Route {
    let category = goods.category();
    let seller = if random.chance(category.seller_share) {
        plan.nodes.draw_seller(day, random)
    } else {
        None
    };
    let node = seller.unwrap_or_else(|| plan.nodes.draw_centre(category.handling, zone, random));
    // Sellers have no contract for express.
    let service = match (ship_option, seller) {
        (Service::Express, Some(_)) => Service::Standard,
        (option, _) => option,
    };
    let carrier = if seller.is_some() && random.chance(OWN_CARRIER) {
        plan.nodes.all[node].carrier
    } else {
        plan.carriers.draw(service, &plan.geography.zones[zone], random)
    };
    Route { node, zone, carrier, service }
}

/// Draws how the journey of a shipment ends.
fn draw_shipment(
    plan: &Plan,
    order: &Order,
    part: u8,
    goods: Goods,
    route: Route,
    times: Times,
    random: &mut Random,
) -> Shipment {
    let Times { handed_over_at, at_station_at, failed_attempts, delivered_at } = times;
    let fate = random.share();
    let (ending, ended_at) = if fate < plan.settings.lost_rate {
        let days = plan.patience() * random.between(DECLARED_LOST_DAYS.0, DECLARED_LOST_DAYS.1);
        (Ending::Lost, handed_over_at + (days * DAY as f64) as i64)
    } else if fate < plan.settings.lost_rate + plan.settings.returned_rate {
        let days = plan.patience() * random.between(BACK_DAYS.0, BACK_DAYS.1);
        (Ending::Returned, delivered_at + (days * DAY as f64) as i64)
    } else {
        (Ending::Delivered, delivered_at)
    };
    Shipment {
        order_number: order.number,
        part,
        node: route.node as u32,
        carrier: route.carrier as u8,
        service: route.service,
        region: plan.geography.zones[route.zone].region,
        goods,
        freight_value: freight(plan, &goods, route, random),
        ordered_at: order.ordered_at,
        ship_by_at: route.ship_by_at(plan, order.ordered_at),
        handed_over_at: Some(handed_over_at),
        at_station_at: (ending != Ending::Lost).then_some(at_station_at),
        failed_attempts: if ending == Ending::Lost {
            FailedAttempts::default()
        } else {
            failed_attempts
        },
        ending,
        ended_at,
    }
}

/// The price of carriage: by weight, distance and service.
fn freight(plan: &Plan, goods: &Goods, route: Route, random: &mut Random) -> f64 {
    let size = (goods.weight_g.max(goods.volume_cm3 / 5.0) / 1_000.0).sqrt();
    let km = plan.nodes.km(route.node, route.zone);
    let base = 3.5 + 1.1 * size + 0.0016 * km * size;
    let service = [0.8, 1.0, 1.9][route.service as usize];
    round(random.lognormal(base * service, 0.06), 100.0)
}

/// Cancels an order at some share of the time until its first handover, were there no episodes.
fn cancel(order: &mut Order, shipments: &mut [Shipment], first_handover_at: i64, share: f64) {
    let until = first_handover_at - order.ordered_at;
    let cancelled_at = order.ordered_at + (until as f64 * share) as i64;
    order.paid_at = order.paid_at.filter(|&paid_at| paid_at <= cancelled_at);
    order.cancelled_at = Some(cancelled_at);
    for shipment in shipments {
        shipment.handed_over_at = None;
        shipment.at_station_at = None;
        shipment.failed_attempts = FailedAttempts::default();
        shipment.ending = Ending::Cancelled;
        shipment.ended_at = cancelled_at;
    }
}
