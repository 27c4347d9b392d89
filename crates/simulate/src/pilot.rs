//! The pilot: a small simulation before the first day, which sets the capacities of nodes and carriers
//! and the pace at which the wanted share of orders is delivered within two days.
//!
//! Order of work:
//! 1. Draw some thousand orders over all days and count those of each node and carrier, which gives
//!    their capacities.
//! 2. Go through the days again with the expected backlogs, drawing the same orders at several paces.
//! 3. Interpolate the pace at which the wanted share is delivered within two days.
//!
//! Limits: the share in the simulation differs from the wanted one by the pilot's noise and by random
//! backlogs, about one percentage point.

use crate::carriers::CARRIERS;
use crate::load::Load;
use crate::order::{self, Ending, Shipment};
use crate::plan::{Plan, Waiting};
use crate::random::{Random, Stream};

/// Orders of the pilot.
const N_ORDERS: u64 = 6_000;
/// Paces that are compared: geometric, from fast to slow.
const N_PACES: usize = 14;
const PACES: (f64, f64) = (0.12, 4.0);

/// Sets the plan's pace, and returns nodes and carriers with their capacities and without backlog.
pub(crate) fn settle(plan: &mut Plan) -> Waiting {
    let (nodes, carriers) = count(plan);
    let days = f64::from(plan.settings.days);
    let scale = plan.settings.shipments as f64 / days;
    let load = |shares: &[f64]| Load::new(shares.iter().map(|share| share * scale));
    let idle = || Waiting { nodes: load(&nodes), carriers: load(&carriers) };

    let mut waiting = idle();
    let mut within = [0_u64; N_PACES];
    let mut delivered = [0_u64; N_PACES];
    for day in 0..plan.settings.days {
        for number in orders_of(plan, day) {
            for step in 0..N_PACES {
                plan.pace = pace(step as f64);
                for shipment in draw(plan, &waiting, day, number) {
                    if shipment.ending == Ending::Delivered {
                        delivered[step] += 1;
                        within[step] += u64::from(shipment.is_within_two_days());
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
    let shares: Vec<f64> = within
        .iter()
        .zip(delivered)
        .map(|(&within, delivered)| within as f64 / delivered.max(1) as f64)
        .collect();
    plan.pace = pace(step_of(&shares, plan.settings.share_within_two_days));
    idle()
}

/// Shares of all shipments that each node and each carrier gets.
fn count(plan: &Plan) -> (Vec<f64>, Vec<f64>) {
    let mut nodes = vec![0.0; plan.nodes.all.len()];
    let mut carriers = vec![0.0; CARRIERS.len()];
    let idle = Waiting {
        nodes: Load::new(nodes.iter().copied()),
        carriers: Load::new(carriers.iter().copied()),
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

/// The pace at a step, which may be between two.
fn pace(step: f64) -> f64 {
    let share = step / (N_PACES - 1) as f64;
    PACES.0 * libm::pow(PACES.1 / PACES.0, share)
}

/// The step, between two, at which the falling `shares` cross `wanted`; the nearest end if none.
fn step_of(shares: &[f64], wanted: f64) -> f64 {
    let Some(after) = shares.iter().position(|&share| share < wanted) else {
        return (shares.len() - 1) as f64;
    };
    if after == 0 {
        return 0.0;
    }
    let (above, below) = (shares[after - 1], shares[after]);
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
        assert!((pace(0.0) - PACES.0).abs() < 1e-12);
        assert!((pace((N_PACES - 1) as f64) - PACES.1).abs() < 1e-12);
    }
}
