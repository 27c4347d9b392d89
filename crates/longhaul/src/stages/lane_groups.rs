//! Orders grouped by lane in several ways, and the distribution of each lane: the pooled one of its orders,
//! shrunk towards that of the next coarser lane.

use std::collections::BTreeMap;

use rayon::prelude::*;
use scorer::{Distribution, Lane, LaneGrouping, LaneRow};

/// The next coarser lane counts as so many orders.
const PRIOR_ORDERS: usize = 5;

/// The grouping of which every zone that is known has a row.
const BY_DESTINATION_ZONE: &[&str] = &["destination_zone"];

/// For each grouping, by its columns, the one that its lanes are shrunk towards: zones towards their regions,
/// after carrier, service and weight are given up.
const COARSER: [(&[&str], &[&str]); 12] = [
    (
        &["origin_zone", "destination_zone", "carrier", "service", "weight_band"],
        &["origin_zone", "destination_zone", "carrier", "service"],
    ),
    (
        &["origin_zone", "destination_zone", "carrier", "service"],
        &["origin_region", "destination_zone", "carrier", "service"],
    ),
    (&["origin_zone", "destination_zone"], &["origin_region", "destination_zone"]),
    (
        &["origin_region", "destination_zone", "carrier", "service"],
        &["origin_region", "destination_region", "carrier", "service"],
    ),
    (&["origin_region", "destination_zone"], &["origin_region", "destination_region"]),
    (
        &["origin_region", "destination_region", "carrier", "service", "weight_band"],
        &["origin_region", "destination_region", "carrier", "service"],
    ),
    (
        &["origin_region", "destination_region", "carrier", "service"],
        &["origin_region", "destination_region"],
    ),
    (&["origin_region", "destination_region"], &["destination_region"]),
    (&["destination_zone", "carrier", "service"], &["destination_region", "carrier", "service"]),
    (BY_DESTINATION_ZONE, &["destination_region"]),
    (&["destination_region", "carrier", "service"], &["destination_region"]),
    (&["destination_region"], &[]),
];

/// What the lanes of a grouping are told apart by.
type Key<'a> = Vec<Option<&'a str>>;

/// Some orders, at least one. Shapes: one of each an order.
pub(crate) struct Orders<'a> {
    pub(crate) lanes: Vec<Lane<'a>>,
    pub(crate) distributions: Vec<Distribution>,
}

/// The lanes of a grouping.
struct Group<'a> {
    grouping: LaneGrouping,
    lanes: BTreeMap<Key<'a>, Vec<usize>>,
}

impl<'a> Orders<'a> {
    /// A row for each lane of at least so many orders, one for each of `zones`, whose last lanes they
    /// are, and one for all orders.
    pub(crate) fn rows(
        &self,
        orders_min: usize,
        zones: &BTreeMap<Option<&'a str>, Lane<'a>>,
    ) -> Vec<LaneRow<'a>> {
        let groups = LaneGrouping::ALL.map(|grouping| self.divided(grouping));
        let mut pooled: BTreeMap<LaneGrouping, BTreeMap<Key<'a>, Distribution>> = BTreeMap::new();
        let mut rows = Vec::new();
        // From the coarsest on: what a lane is shrunk towards is there.
        for (at, group) in groups.iter().enumerate().rev() {
            let grouping = group.grouping;
            let towards = |lane: &Lane<'a>| {
                let coarser = coarser(grouping)?;
                pooled.get(&coarser)?.get(&key(coarser, lane)).copied()
            };
            let of_lane = |(key, orders): (&Key<'a>, &Vec<usize>)| {
                let last = self.lanes[*orders.last()?];
                let mut all: Vec<Distribution> =
                    orders.iter().map(|&order| self.distributions[order]).collect();
                all.extend(towards(&last).into_iter().flat_map(|coarser| [coarser; PRIOR_ORDERS]));
                Some((key.clone(), last, orders.len(), Distribution::pooled(&all)?))
            };
            let mut lanes: Vec<_> = group.lanes.par_iter().filter_map(of_lane).collect();
            if grouping.columns() == BY_DESTINATION_ZONE {
                let is_new = |zone: &Option<&str>| !group.lanes.contains_key(&vec![*zone]);
                let other = zones.iter().filter(|(zone, _)| is_new(zone));
                let known =
                    other.filter_map(|(&zone, lane)| Some((vec![zone], *lane, 0, towards(lane)?)));
                lanes.extend(known);
            }
            let is_kept = !is_like_a_coarser(group, &groups[at + 1..]);
            let mut of_grouping = BTreeMap::new();
            for (key, lane, n_orders, distribution) in lanes {
                let is_enough = n_orders >= orders_min
                    || grouping == LaneGrouping::ALL_SHIPMENTS
                    || grouping.columns() == BY_DESTINATION_ZONE;
                if is_kept && is_enough {
                    let n_shipments = n_orders as u32;
                    rows.push(LaneRow { grouping, lane, n_shipments, distribution });
                }
                of_grouping.insert(key, distribution);
            }
            pooled.insert(grouping, of_grouping);
        }
        rows.sort_by_key(|row| row.grouping);
        rows
    }

    fn divided(&self, grouping: LaneGrouping) -> Group<'a> {
        let mut lanes: BTreeMap<Key<'a>, Vec<usize>> = BTreeMap::new();
        for (order, lane) in self.lanes.iter().enumerate() {
            lanes.entry(key(grouping, lane)).or_default().push(order);
        }
        Group { grouping, lanes }
    }
}

/// Whether a coarser grouping of fewer of the same columns divides the orders in the same way: it answers
/// the same, and more requests.
fn is_like_a_coarser(group: &Group<'_>, coarser: &[Group<'_>]) -> bool {
    let columns = group.grouping.columns();
    coarser.iter().any(|other| {
        let of_other = other.grouping.columns();
        of_other.len() < columns.len()
            && of_other.iter().all(|column| columns.contains(column))
            && other.lanes.len() == group.lanes.len()
            && group.grouping != LaneGrouping::ALL_SHIPMENTS
            && other.grouping != LaneGrouping::ALL_SHIPMENTS
    })
}

fn key<'a>(grouping: LaneGrouping, lane: &Lane<'a>) -> Key<'a> {
    grouping.columns().iter().map(|name| lane.text(name)).collect()
}

/// The grouping that the lanes of another are shrunk towards; `None` of all orders.
fn coarser(grouping: LaneGrouping) -> Option<LaneGrouping> {
    let (_, columns) = COARSER.iter().find(|(finer, _)| *finer == grouping.columns())?;
    LaneGrouping::ALL.into_iter().find(|coarser| coarser.columns() == *columns)
}

#[cfg(test)]
mod tests {
    use terms::{DAYS_AHEAD, DayGrid, LEVELS};

    use super::*;

    fn around(hours: f32) -> Distribution {
        Distribution {
            probability_over_2d: if hours > 48.0 { 1.0 } else { 0.0 },
            hours: LEVELS.map(|_| hours),
            by_day: [0.5; DAYS_AHEAD],
            days: DayGrid::DAILY,
        }
    }

    fn lane<'a>(zone: &'a str, region: &'a str) -> Lane<'a> {
        Lane { destination_zone: Some(zone), destination_region: Some(region), ..Lane::default() }
    }

    #[test]
    fn every_grouping_but_that_of_all_has_a_coarser_one_that_comes_later() {
        for grouping in LaneGrouping::ALL {
            match coarser(grouping) {
                Some(coarser) => assert!(grouping < coarser),
                None => assert_eq!(grouping, LaneGrouping::ALL_SHIPMENTS),
            }
        }
    }

    #[test]
    fn a_lane_is_its_orders_and_five_of_the_coarser_one() {
        // Five orders to the east, of which one goes to the zone 20; one to the west.
        let orders = Orders {
            lanes: [("10", "east"); 4]
                .into_iter()
                .chain([("20", "east"), ("90", "west")])
                .map(|(zone, region)| lane(zone, region))
                .collect(),
            distributions: [40.0, 40.0, 40.0, 40.0, 90.0, 240.0].map(around).to_vec(),
        };
        let zones: BTreeMap<_, _> = [("20", "east"), ("30", "east"), ("40", "south")]
            .into_iter()
            .map(|(zone, region)| (Some(zone), lane(zone, region)))
            .collect();
        let rows = orders.rows(2, &zones);
        let named: Vec<(String, Option<&str>, u32)> = rows
            .iter()
            .map(|row| (row.grouping.name(), row.lane.destination_zone, row.n_shipments))
            .collect();
        let zone = |zone, n| ("destination_zone".to_owned(), Some(zone), n);
        // Regions and carriers are the same for all: the coarser groupings answer for them. Of zones
        // there are all whose region is known; of regions those with two orders.
        let expected = [
            zone("10", 4),
            zone("20", 1),
            zone("90", 1),
            zone("30", 0),
            ("destination_region".to_owned(), Some("20"), 5),
            ("all".to_owned(), Some("90"), 6),
        ];
        assert_eq!(named, expected);
        let over = |at: usize| f64::from(rows[at].distribution.probability_over_2d);
        // All: 2 of 6. East: (1 + 5 * 2/6) of 10. Zone 20: 1 and five of the east, of six.
        let east = (1.0 + 5.0 / 3.0) / 10.0;
        assert!((over(5) - 1.0 / 3.0).abs() < 1e-6 && (over(4) - east).abs() < 1e-6);
        assert!((over(1) - (1.0 + 5.0 * east) / 6.0).abs() < 1e-6, "{}", over(1));
        assert!((over(3) - east).abs() < 1e-6, "none of its own");
    }
}
