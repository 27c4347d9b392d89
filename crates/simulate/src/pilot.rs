//! The pilot: a small simulation before the first day, which sets the capacities of nodes and carriers
//! and the pace at which deliveries take as long as the settings want.
//!
//! Order of work:
//! 1. Draw some thousand orders over all days and count those of each node and carrier, which gives
//!    their capacities.
//! 2. Go through the days again with the expected backlogs, drawing the same orders at several paces.
//! 3. If even the fastest pace is too slow, let nodes and zones work every day, and do so again.
//! 4. Interpolate the pace at which the wanted share is delivered within two days, or at which the
//!    median is the wanted one.
//!
//! Limits: the share in the simulation differs from the wanted one by the pilot's noise and by random
//! backlogs, about one percentage point, and the median by a tenth of itself; where it is little more
//! than a day, vans that leave once a day make it coarser.

use terms::TWO_DAYS_HOURS;

use crate::calendar::HOUR;
use crate::carriers::CARRIERS;
use crate::load::Load;
use crate::order::{self, Ending, Shipment};
use crate::plan::{Plan, USUAL_PACE_MAX, Waiting};
use crate::random::{Random, Stream};
use crate::settings::Speed;

/// Orders of the pilot.
const N_ORDERS: u64 = 6_000;

/// Paces that are compared: the fastest, the slowest, and how many in geometric steps.
#[derive(Debug, Clone, Copy)]
struct Paces(f64, f64, usize);

const FOR_SHARE: Paces = Paces(0.12, USUAL_PACE_MAX, 14);
const FOR_MEDIAN: Paces = Paces(0.05, 100.0, 20);

/// Sets the plan's pace, and returns nodes and carriers with their capacities and without backlog.
pub(crate) fn settle(plan: &mut Plan) -> Waiting {
    let (nodes, carriers) = count(plan);
    let speed = plan.settings.speed();
    let (paces, wanted) = match speed {
        Speed::ShareWithinTwoDays(share) => (FOR_SHARE, share),
        Speed::MedianDays(days) => (FOR_MEDIAN, -libm::log(24.0 * days)),
    };
    let mut known = swiftness(plan, (&nodes, &carriers), paces, speed);
    if known[0] < wanted {
        plan.open_every_day();
        known = swiftness(plan, (&nodes, &carriers), paces, speed);
    }
    plan.pace = paces.at(step_of(&known, wanted));
    idle(plan, (&nodes, &carriers))
}

/// Nodes and carriers without backlog, by their shares of all shipments.
fn idle(plan: &Plan, (nodes, carriers): (&[f64], &[f64])) -> Waiting {
    let days = f64::from(plan.settings.days);
    let scale = plan.settings.shipments as f64 / days;
    let load =
        |shares: &[f64]| Load::new(shares.iter().map(|share| share * scale), plan.wait_hours_max);
    Waiting { nodes: load(nodes), carriers: load(carriers) }
}

/// How swift deliveries are at each pace, in what sets the speed: the share within two days, or minus
/// the logarithm of the median in hours. It falls from pace to pace.
fn swiftness(
    plan: &mut Plan,
    (nodes, carriers): (&[f64], &[f64]),
    paces: Paces,
    speed: Speed,
) -> Vec<f64> {
    let mut waiting = idle(plan, (nodes, carriers));
    let mut hours = vec![Vec::new(); paces.2];
    for day in 0..plan.settings.days {
        for number in orders_of(plan, day) {
            for (step, hours) in hours.iter_mut().enumerate() {
                plan.pace = paces.at(step as f64);
                for shipment in draw(plan, &waiting, day, number) {
                    if shipment.ending == Ending::Delivered {
                        hours.push((shipment.ended_at - shipment.ordered_at) as f64 / HOUR);
                    }
                }
            }
        }
        let volume = plan.rhythm.volumes[day as usize] as f64;
        for (node, share) in nodes.iter().enumerate() {
            waiting.nodes.arrive(node, share * volume);
        }
        for (carrier, share) in carriers.iter().enumerate() {
            waiting.carriers.arrive(carrier, share * volume);
        }
        waiting.end_day(plan.rhythm.first_day + i64::from(day));
    }
    hours
        .iter_mut()
        .map(|hours| match speed {
            Speed::ShareWithinTwoDays(_) => {
                let within = hours.iter().filter(|&&hours| hours <= TWO_DAYS_HOURS).count();
                within as f64 / hours.len().max(1) as f64
            }
            Speed::MedianDays(_) => {
                let middle = hours.len() / 2;
                hours.sort_unstable_by(f64::total_cmp);
                -libm::log(hours.get(middle).map_or(1.0, |&median| median.max(1.0)))
            }
        })
        .collect()
}

/// Shares of all shipments that each node and each carrier gets.
fn count(plan: &Plan) -> (Vec<f64>, Vec<f64>) {
    let mut nodes = vec![0.0; plan.nodes.all.len()];
    let mut carriers = vec![0.0; CARRIERS.len()];
    let idle = Waiting {
        nodes: Load::new(nodes.iter().copied(), plan.wait_hours_max),
        carriers: Load::new(carriers.iter().copied(), plan.wait_hours_max),
    };
    let mut n_shipments = 0.0;
    for day in 0..plan.settings.days {
        for number in orders_of(plan, day) {
            for shipment in draw(plan, &idle, day, number) {
                nodes[shipment.node as usize] += 1.0;
                carriers[usize::from(shipment.carrier)] += 1.0;
                n_shipments += 1.0;
            }
        }
    }
    for count in nodes.iter_mut().chain(&mut carriers) {
        *count /= n_shipments;
    }
    plan.nodes.spread_over_sellers(&mut nodes);
    (nodes, carriers)
}

/// Numbers of the pilot's orders of a day, in proportion to the day's shipments.
fn orders_of(plan: &Plan, day: u32) -> std::ops::Range<u64> {
    let before: u64 = plan.rhythm.volumes[..day as usize].iter().sum();
    let after = before + plan.rhythm.volumes[day as usize];
    let number = |shipments: u64| {
        (u128::from(shipments) * u128::from(N_ORDERS) / u128::from(plan.settings.shipments)) as u64
    };
    number(before)..number(after)
}

/// The shipments of one order of the pilot.
fn draw(plan: &Plan, waiting: &Waiting, day: u32, number: u64) -> Vec<Shipment> {
    let mut random = Random::new(plan.settings.seed, Stream::Pilot, number);
    order::draw(plan, waiting, day, number, 2, &mut random).1
}

impl Paces {
    /// The pace at a step, which may be between two.
    fn at(self, step: f64) -> f64 {
        let Self(fast, slow, n) = self;
        fast * libm::pow(slow / fast, step / (n - 1) as f64)
    }
}

/// The step, between two, at which the falling figures cross `wanted`; the nearest end if none.
fn step_of(known: &[f64], wanted: f64) -> f64 {
    let Some(after) = known.iter().position(|&swift| swift < wanted) else {
        return (known.len() - 1) as f64;
    };
    if after == 0 {
        return 0.0;
    }
    let (above, below) = (known[after - 1], known[after]);
    (after - 1) as f64 + (above - wanted) / (above - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_where_the_shares_cross() {
        assert_eq!(step_of(&[0.4, 0.3, 0.1], 0.2), 1.5);
        assert_eq!(step_of(&[0.4, 0.3], 0.9), 0.0);
        assert_eq!(step_of(&[0.4, 0.3], 0.05), 1.0);
        for paces in [FOR_SHARE, FOR_MEDIAN] {
            assert!((paces.at(0.0) - paces.0).abs() < 1e-12);
            assert!((paces.at((paces.2 - 1) as f64) - paces.1).abs() < 1e-9);
        }
    }
}
