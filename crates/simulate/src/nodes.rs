//! Fulfilment nodes: centres of three kinds near the population, and sellers everywhere; and the choice
//! of the node for an order.

use terms::haversine_km;

use crate::calendar::OpenDays;
use crate::carriers::CARRIERS;
use crate::geography::{Geography, REGIONS, round};
use crate::goods::Handling;
use crate::random::{Random, Stream, Weights};
use crate::settings::NetworkSettings;

/// Distance at which a centre is chosen e times less often than one in the same zone.
const NEARNESS_KM: f64 = 260.0;
/// Share of centre orders for which the nearer centres have no stock.
const OUT_OF_STOCK: f64 = 0.12;
/// How often a centre is chosen however far it is, so that every zone is served.
const FAR_WEIGHT: f64 = 1e-3;
/// Share of sellers that open after the first day.
const NEW_SELLER_RATE: f64 = 0.25;

/// Kinds of nodes, as in the table `nodes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    SortableFc = 0,
    NonSortableFc = 1,
    SpecialtyFc = 2,
    Seller = 3,
}

impl NodeKind {
    pub(crate) fn name(self) -> &'static str {
        ["sortable_fc", "non_sortable_fc", "specialty_fc", "seller"][self as usize]
    }

    /// Local hours and days of pick-up, and the median hours of handling before.
    fn schedule(self) -> (&'static [u8], OpenDays, f64) {
        match self {
            Self::SortableFc => (&[8, 14, 19, 22], OpenDays::MONDAY_TO_SATURDAY, 5.0),
            Self::NonSortableFc => (&[12, 18], OpenDays::MONDAY_TO_SATURDAY, 15.0),
            Self::SpecialtyFc => (&[17], OpenDays::MONDAY_TO_FRIDAY, 22.0),
            Self::Seller => (&[17], OpenDays::MONDAY_TO_FRIDAY, 26.0),
        }
    }
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) kind: NodeKind,
    pub(crate) zone: usize,
    pub(crate) region: usize,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    /// Day of the simulation on which it takes its first order.
    pub(crate) opens_on: u32,
    pub(crate) pickup_hours: &'static [u8],
    pub(crate) pickup_days: OpenDays,
    /// Median hours of handling before a parcel is ready.
    pub(crate) handling_hours: f64,
    /// Spread of the log of these hours.
    pub(crate) sigma: f64,
    /// Share of orders that it leaves lying for days.
    pub(crate) forgets_rate: f64,
    /// The carrier that a seller prefers.
    pub(crate) carrier: usize,
    /// Relative number of orders, among nodes of its kind.
    weight: f64,
}

/// All nodes, and the weights of their choice.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    /// Shapes: nodes × zones, flat; kilometres.
    distances_km: Vec<f32>,
    /// Positions of the centres of each kind.
    centres: [Vec<usize>; 3],
    /// Shapes: kinds × zones.
    near: [Vec<Weights>; 3],
    first_seller: usize,
    sellers: Weights,
}

impl Nodes {
    pub(crate) fn new(settings: &NetworkSettings, geography: &Geography) -> Self {
        let kinds = kinds(settings.n_nodes as usize);
        let first_seller = kinds.partition_point(|kind| *kind != NodeKind::Seller);
        let mut all: Vec<Node> = Vec::with_capacity(kinds.len());
        for (index, &kind) in kinds.iter().enumerate() {
            let nth = all.iter().rev().take_while(|node| node.kind == kind).count();
            all.push(node(settings, geography, index, kind, nth));
        }
        let zones = &geography.zones;
        let distances_km: Vec<f32> = all
            .iter()
            .flat_map(|node| {
                zones.iter().map(|zone| km((node.lat, node.lon), (zone.lat, zone.lon)))
            })
            .collect();
        let centres = [NodeKind::SortableFc, NodeKind::NonSortableFc, NodeKind::SpecialtyFc]
            .map(|kind| (0..all.len()).filter(|&index| all[index].kind == kind).collect());
        let near = [0, 1, 2].map(|kind| {
            let weight = |centre: usize, zone: usize| {
                let km = f64::from(distances_km[centre * zones.len() + zone]);
                all[centre].weight * (libm::exp(-km / NEARNESS_KM) + FAR_WEIGHT)
            };
            let centres: &Vec<usize> = &centres[kind];
            let weights = |zone| Weights::new(centres.iter().map(|&centre| weight(centre, zone)));
            (0..zones.len()).map(weights).collect()
        });
        let sellers = Weights::new(all[first_seller..].iter().map(|node| node.weight));
        Self { all, distances_km, centres, near, first_seller, sellers }
    }

    /// Kilometres from a node to a zone.
    pub(crate) fn km(&self, node: usize, zone: usize) -> f64 {
        let n_zones = self.distances_km.len() / self.all.len();
        f64::from(self.distances_km[node * n_zones + zone])
    }

    /// Draws the centre that sends an item to a zone.
    pub(crate) fn draw_centre(
        &self,
        handling: Handling,
        zone: usize,
        random: &mut Random,
    ) -> usize {
        let centres = &self.centres[handling as usize];
        if random.chance(OUT_OF_STOCK) {
            return centres[random.below(centres.len())];
        }
        centres[self.near[handling as usize][zone].draw(random)]
    }

    /// Draws a seller that is open on `day`; `None` if three in a row are not.
    pub(crate) fn draw_seller(&self, day: u32, random: &mut Random) -> Option<usize> {
        (0..3)
            .map(|_| self.first_seller + self.sellers.draw(random))
            .find(|&seller| self.all[seller].opens_on <= day)
    }

    /// Replaces the sellers' shares by their sum spread by weight: the pilot is too small for each.
    pub(crate) fn spread_over_sellers(&self, shares: &mut [f64]) {
        let all: f64 = shares[self.first_seller..].iter().sum();
        let weights: f64 = self.all[self.first_seller..].iter().map(|node| node.weight).sum();
        for (share, node) in shares.iter_mut().zip(&self.all).skip(self.first_seller) {
            *share = all * node.weight / weights;
        }
    }
}

/// Centres first. Out of a hundred nodes five, three and two are centres; at least one of each.
fn kinds(n_nodes: usize) -> Vec<NodeKind> {
    let counts = [
        (NodeKind::SortableFc, (n_nodes / 20).max(2)),
        (NodeKind::NonSortableFc, (n_nodes / 33).max(1)),
        (NodeKind::SpecialtyFc, (n_nodes / 50).max(1)),
    ];
    let mut kinds: Vec<NodeKind> =
        counts.iter().flat_map(|&(kind, count)| std::iter::repeat_n(kind, count)).collect();
    kinds.resize(n_nodes, NodeKind::Seller);
    kinds
}

fn node(
    settings: &NetworkSettings,
    geography: &Geography,
    index: usize,
    kind: NodeKind,
    nth: usize,
) -> Node {
    let mut random = Random::new(settings.seed, Stream::Nodes, index as u64);
    let is_seller = kind == NodeKind::Seller;
    // The first centres of a kind are in the centres of the largest regions, in turn.
    let home = if !is_seller && nth < REGIONS.len() / 2 + 1 {
        geography.zones.iter().position(|zone| zone.region == nth).unwrap_or(0)
    } else {
        geography.people.draw(&mut random)
    };
    let zone = &geography.zones[home];
    let (pickup_hours, mut pickup_days, hours) = kind.schedule();
    let opens_on = if is_seller && random.chance(NEW_SELLER_RATE) {
        random.below(settings.days as usize) as u32
    } else {
        0
    };
    if is_seller && random.chance(0.3) {
        pickup_days = OpenDays::MONDAY_TO_SATURDAY;
    }
    // Sellers differ from each other far more than centres do.
    let (spread, sigma) = if is_seller {
        (0.6, random.between(0.35, 0.9))
    } else {
        (0.15, random.between(0.2, 0.35))
    };
    let jitter_lat = random.between(-0.05, 0.05);
    let jitter_lon = random.between(-0.05, 0.05);
    Node {
        id: format!("{}-{index:04}", if is_seller { "seller" } else { "fc" }),
        kind,
        zone: home,
        region: zone.region,
        lat: round(zone.lat + jitter_lat, 1e4),
        lon: round(zone.lon + jitter_lon, 1e4),
        opens_on,
        pickup_hours,
        pickup_days,
        handling_hours: random.lognormal(hours, spread),
        sigma,
        forgets_rate: if is_seller { random.lognormal(0.03, 0.6).min(0.2) } else { 0.004 },
        carrier: random.below(CARRIERS.len()),
        weight: random.lognormal(1.0, if is_seller { 1.1 } else { 0.3 }),
    }
}

/// Kilometres to a tenth, so that the last bit of the platform's sine does not matter.
fn km(from: (f64, f64), to: (f64, f64)) -> f32 {
    round(haversine_km(from, to), 10.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_network_has_every_kind() {
        let kinds = kinds(8);
        assert_eq!(kinds.len(), 8);
        assert_eq!(kinds.iter().filter(|kind| **kind == NodeKind::Seller).count(), 4);
        assert!(kinds.contains(&NodeKind::SpecialtyFc));
    }

    #[test]
    fn most_parcels_come_from_a_near_centre() {
        let settings = NetworkSettings::default();
        let geography = Geography::new(settings.seed, settings.n_zones);
        let nodes = Nodes::new(&settings, &geography);
        let mut random = Random::new(1, Stream::Orders, 0);
        let near = (0..1_000)
            .filter(|_| nodes.km(nodes.draw_centre(Handling::Sortable, 0, &mut random), 0) < 300.0)
            .count();
        assert!((700..980).contains(&near), "{near}");
    }
}
