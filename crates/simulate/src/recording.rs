//! When facts are recorded: a version of an order or a shipment in each nightly extract in which it
//! has a new fact.
//!
//! Extract n (a *night* in names) follows day n - 1 of the simulation and records the facts of that
//! day. A late fact is recorded some nights later, and no later fact of the same shipment before it.
//! A misread delivery is recorded with a wrong time first and corrected some nights later.

use crate::calendar::{DAY, HOUR};
use crate::order::{Ending, Order, Shipment};
use crate::plan::Plan;
use crate::random::Random;

/// Shares of late facts that are the order, and of the others that are the handover.
const LATE_ORDER: f64 = 0.2;
const LATE_HANDOVER: f64 = 0.5;
/// Chance of each further night, and the most.
const LATE_AGAIN: f64 = 0.5;
const LATE_NIGHTS_MAX: u32 = 12;
/// A misread time is off by so many hours, and corrected after at most so many nights.
const MISREAD_HOURS: (f64, f64) = (2.0, 30.0);
const MISREAD_NIGHTS_MAX: usize = 14;

/// An event and the night in which it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Seconds since the epoch.
    pub(crate) at: i64,
    pub(crate) night: u32,
}

/// An order and when each fact of it is recorded.
#[derive(Debug)]
pub(crate) struct OrderRecord {
    pub(crate) order: Order,
    placed: u32,
    paid: Option<Fact>,
    cancelled: Option<Fact>,
}

/// The version of an order in one nightly extract.
#[derive(Debug, PartialEq)]
pub(crate) struct OrderVersion {
    pub(crate) status: &'static str,
    pub(crate) paid_at: Option<i64>,
}

/// A shipment and when each fact of it is recorded.
#[derive(Debug)]
pub(crate) struct ShipmentRecord {
    pub(crate) shipment: Shipment,
    created: u32,
    handed_over: Option<Fact>,
    ended: Fact,
    /// The wrong time of delivery, and the night that corrects it.
    pub(crate) misread: Option<Fact>,
    /// Whether any of its own facts is late.
    pub(crate) is_late: bool,
}

/// The version of a shipment in one nightly extract.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShipmentVersion {
    pub(crate) status: &'static str,
    pub(crate) n_units: i32,
    pub(crate) weight_g: Option<f64>,
    pub(crate) handed_over_at: Option<i64>,
    pub(crate) delivered_at: Option<i64>,
}

/// A leg of a parcel, recorded when it has arrived and, of the last mile, after each attempt to deliver
/// that failed. Units: instants are seconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LegRecord {
    pub(crate) order_number: u64,
    pub(crate) part: u8,
    /// Its position in the journey, from 0.
    pub(crate) index: u8,
    pub(crate) node: u32,
    /// The zone of the customer, and of the last station.
    pub(crate) zone: u32,
    pub(crate) departed_at: i64,
    pub(crate) arrived_at: Option<i64>,
    /// How many attempts have failed, and when the last one did; `None` of a mile without attempts.
    pub(crate) failed_attempts: Option<(u8, Option<i64>)>,
    /// The night in which it is recorded.
    pub(crate) night: u32,
}

/// Draws when the facts of an order and its shipments are recorded.
pub(crate) fn record(
    plan: &Plan,
    order: Order,
    shipments: Vec<Shipment>,
    random: &mut Random,
) -> (OrderRecord, Vec<ShipmentRecord>) {
    let mut placed = plan.night(order.ordered_at);
    let order_is_late = random.chance(plan.settings.late_rate * LATE_ORDER);
    if order_is_late {
        placed += late_nights(random);
    }
    let fact = |at: i64| Fact { at, night: plan.night(at).max(placed) };
    let paid = order.paid_at.map(fact);
    let cancelled = order.cancelled_at.map(fact);
    let shipments = shipments
        .into_iter()
        .map(|shipment| {
            let mut record = record_shipment(plan, shipment, placed, random);
            record.is_late |= order_is_late;
            record
        })
        .collect();
    (OrderRecord { order, placed, paid, cancelled }, shipments)
}

fn record_shipment(
    plan: &Plan,
    shipment: Shipment,
    created: u32,
    random: &mut Random,
) -> ShipmentRecord {
    let fact = |at: i64| Fact { at, night: plan.night(at).max(created) };
    let mut handed_over = shipment.handed_over_at.map(fact);
    let mut ended = fact(shipment.ended_at);
    // The rest of the rate is for the two later facts.
    let is_late = random.chance(plan.settings.late_rate * (1.0 - LATE_ORDER));
    if is_late {
        let nights = late_nights(random);
        match &mut handed_over {
            Some(fact) if random.chance(LATE_HANDOVER) => fact.night += nights,
            _ => ended.night += nights,
        }
    }
    ended.night = ended.night.max(handed_over.map_or(0, |fact| fact.night));
    let misread =
        if shipment.ending == Ending::Delivered && random.chance(plan.settings.corrected_rate) {
            misread(plan, &shipment, ended, random)
        } else {
            None
        };
    ShipmentRecord { shipment, created, handed_over, ended, misread, is_late }
}

fn late_nights(random: &mut Random) -> u32 {
    let mut nights = 1;
    while nights < LATE_NIGHTS_MAX && random.chance(LATE_AGAIN) {
        nights += 1;
    }
    nights
}

/// A wrong time of delivery: after the handover and before the day that is recorded is over.
fn misread(plan: &Plan, shipment: &Shipment, ended: Fact, random: &mut Random) -> Option<Fact> {
    let off = random.between(MISREAD_HOURS.0, MISREAD_HOURS.1) * HOUR;
    let sign = if random.chance(0.5) { 1 } else { -1 };
    let earliest = shipment.handed_over_at? + HOUR as i64;
    let latest = plan.midnight(ended.night) - 1;
    let at = (shipment.ended_at + sign * off as i64).clamp(earliest, latest.max(earliest));
    let at = plan.known(shipment.region, at);
    let night = ended.night + 1 + random.below(MISREAD_NIGHTS_MAX) as u32;
    let is_over = at <= latest && plan.night(at) <= ended.night;
    (at != shipment.ended_at && is_over).then_some(Fact { at, night })
}

impl OrderRecord {
    /// Its version in a night from its first one on.
    pub(crate) fn version(&self, night: u32) -> OrderVersion {
        let known = |fact: &Fact| fact.night <= night;
        let paid_at = self.paid.filter(known).map(|fact| fact.at);
        let status = match (self.cancelled.filter(known), paid_at) {
            (Some(_), _) => "cancelled",
            (None, Some(_)) => "paid",
            (None, None) => "placed",
        };
        OrderVersion { status, paid_at }
    }

    /// The night of its first version.
    pub(crate) fn first_night(&self) -> u32 {
        self.placed
    }

    /// The next night in which it has a new fact.
    pub(crate) fn next_night(&self, night: u32) -> Option<u32> {
        let nights = [self.paid, self.cancelled].into_iter().flatten().map(|fact| fact.night);
        nights.filter(|&next| next > night).min()
    }
}

impl ShipmentRecord {
    /// Its version in a night from its first one on.
    pub(crate) fn version(&self, night: u32) -> ShipmentVersion {
        let shipment = &self.shipment;
        let handed_over_at =
            self.handed_over.filter(|fact| fact.night <= night).map(|fact| fact.at);
        let ending = (self.ended.night <= night).then_some(shipment.ending);
        let status = match (ending, handed_over_at) {
            (Some(Ending::Delivered), _) => "delivered",
            (Some(Ending::Cancelled), _) => "cancelled",
            (Some(Ending::Lost), _) => "lost",
            (Some(Ending::Returned), _) => "returned",
            (None, Some(_)) => "in_transit",
            (None, None) => "created",
        };
        let delivered_at = (ending == Some(Ending::Delivered)).then(|| {
            self.misread.filter(|wrong| night < wrong.night).map_or(self.ended.at, |wrong| wrong.at)
        });
        ShipmentVersion {
            status,
            n_units: i32::from(shipment.goods.n_units),
            weight_g: shipment.goods.measured.then_some(shipment.goods.weight_g),
            handed_over_at,
            delivered_at,
        }
    }

    /// The night of its first version.
    pub(crate) fn first_night(&self) -> u32 {
        self.created
    }

    /// The next night in which it has a new fact.
    pub(crate) fn next_night(&self, night: u32) -> Option<u32> {
        let facts = [self.handed_over, Some(self.ended), self.misread];
        facts.into_iter().flatten().map(|fact| fact.night).filter(|&next| next > night).min()
    }
}

impl ShipmentRecord {
    /// The legs of a parcel: to the last station, and from there to a customer in `zone`, once it is
    /// attempted. One that is returned has come as far as the station, as one that is delivered.
    pub(crate) fn legs(&self, plan: &Plan, zone: u32) -> Vec<LegRecord> {
        let shipment = &self.shipment;
        let times = shipment.handed_over_at.zip(shipment.at_station_at);
        let Some((handed_over_at, at_station_at)) = times else { return Vec::new() };
        let recorded = |at: i64| plan.night(at).max(self.created);
        let leg = LegRecord {
            order_number: shipment.order_number,
            part: shipment.part,
            index: 0,
            node: shipment.node,
            zone,
            departed_at: handed_over_at,
            arrived_at: Some(at_station_at),
            failed_attempts: None,
            night: recorded(at_station_at),
        };
        let mut legs = vec![leg];
        let mut last_mile = LegRecord {
            index: 1,
            departed_at: at_station_at,
            arrived_at: None,
            failed_attempts: Some((0, None)),
            ..leg
        };
        for (n, &at) in (1..).zip(shipment.failed_attempts.iter().flatten()) {
            last_mile.failed_attempts = Some((n, Some(at)));
            last_mile.night = recorded(at);
            if last_mile.night < self.ended.night {
                legs.push(last_mile);
            }
        }
        if shipment.ending == Ending::Delivered {
            last_mile.arrived_at = Some(self.ended.at);
            last_mile.night = self.ended.night;
            legs.push(last_mile);
        }
        // A shipment that is recorded late has several facts in its first night: the last version counts.
        legs.reverse();
        legs.dedup_by_key(|leg| (leg.index, leg.night));
        legs.reverse();
        legs
    }
}

/// Kinds of impossible values in a version of a shipment, as counted in the summary.
pub(crate) const ODD_KINDS: [&str; 6] = [
    "weight_negative",
    "units_zero",
    "handed_over_before_ordered",
    "delivered_before_handed_over",
    "delivered_without_time",
    "delivered_after_recorded",
];

/// Puts an impossible value into a version, of one of the kinds that its facts allow; returns which.
pub(crate) fn make_odd(
    plan: &Plan,
    version: &mut ShipmentVersion,
    shipment: &Shipment,
    recorded_at: i64,
    random: &mut Random,
) -> &'static str {
    let hours = (random.between(1.0, 72.0) * HOUR) as i64;
    let n_kinds = match (version.handed_over_at, version.delivered_at) {
        (None, _) => 2,
        (Some(_), None) => 3,
        (Some(_), Some(_)) => ODD_KINDS.len(),
    };
    let kind = random.below(n_kinds);
    let known = |at: i64| plan.known(shipment.region, at);
    match kind {
        0 => version.weight_g = Some(-shipment.goods.weight_g),
        1 => version.n_units = 0,
        2 => version.handed_over_at = Some(known(shipment.ordered_at - hours)),
        3 => version.delivered_at = version.handed_over_at.map(|at| known(at - hours)),
        4 => version.delivered_at = None,
        _ => version.delivered_at = Some(known(recorded_at + hours + DAY)),
    }
    ODD_KINDS[kind]
}
