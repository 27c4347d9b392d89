//! A small speed table, generated: a shop that records origins, carriers and weights for some lanes, and
//! for others the destination only.

use scorer::{Lane, LaneGrouping, LaneRow, Mixture, SpeedTableHeader};
use terms::DayGrid;

/// What the table says of itself.
pub(crate) fn header() -> SpeedTableHeader {
    let as_of = "2026-11-20".parse().expect("a date");
    SpeedTableHeader { model_id: "generated-1".into(), as_of, days: DayGrid::DAILY }
}

/// Its rows, each of another number of shipments.
pub(crate) fn rows() -> Vec<LaneRow<'static>> {
    let hamburg = Lane {
        destination_zone: Some("22041"),
        destination_region: Some("DE-HH"),
        ..Lane::default()
    };
    let from_berlin = Lane {
        origin_zone: Some("10115"),
        origin_region: Some("DE-BE"),
        carrier: Some("Größe & Söhne"),
        service: Some("express"),
        ..hamburg
    };
    let light = Lane { weight_g: Some(400.0), ..from_berlin };
    let heavy = Lane { weight_g: Some(40_000.0), ..from_berlin };
    let munich = Lane {
        destination_zone: Some("80331"),
        destination_region: Some("DE-BY"),
        ..Lane::default()
    };
    let any_carrier = Lane { carrier: None, service: None, ..from_berlin };
    let from_the_region = Lane { origin_zone: None, ..any_carrier };
    let from_anywhere = Lane { origin_zone: None, origin_region: None, ..from_berlin };
    let to_the_region = Lane { destination_zone: None, ..from_anywhere };
    let lanes = [
        (0, light, 20.0),
        (0, heavy, 90.0),
        (1, from_berlin, 30.0),
        (2, any_carrier, 31.0),
        (3, from_berlin, 34.0),
        (4, from_the_region, 35.0),
        (5, heavy, 95.0),
        (6, from_berlin, 36.0),
        (7, from_berlin, 44.0),
        (8, from_anywhere, 48.0),
        (9, hamburg, 50.0),
        (9, munich, 66.0),
        (10, to_the_region, 51.0),
        (11, hamburg, 52.0),
        (11, munich, 70.0),
        (12, Lane::default(), 60.0),
    ];
    let row = |(at, (grouping, lane, median)): (u32, (usize, _, f64))| {
        let hours = [0.4, 0.5, 0.7, 0.9, 1.0, 1.15, 1.4, 2.0, 2.5].map(|share| share * median);
        let over_2d = (median / 120.0).clamp(0.05, 0.95);
        let distribution = Mixture::new(over_2d, hours, 0.4).distribution();
        LaneRow { grouping: LaneGrouping::ALL[grouping], lane, n_shipments: 100 + at, distribution }
    };
    (0..).zip(lanes).map(row).collect()
}

/// Lanes to look up: those of rows, and others that fall through to each coarser grouping.
pub(crate) fn requests() -> Vec<Lane<'static>> {
    let mut lanes: Vec<Lane<'static>> = rows().into_iter().map(|row| row.lane).collect();
    let full = lanes[0];
    lanes.extend([
        Lane { weight_g: None, ..full },
        Lane { weight_g: Some(f32::NAN), ..full },
        Lane { origin_zone: Some("10117"), ..full },
        Lane { origin_zone: Some("10117"), destination_zone: Some("22043"), ..full },
        Lane { destination_zone: Some("22043"), weight_g: Some(50_000.0), ..full },
        Lane { carrier: Some(""), ..full },
        Lane { carrier: Some("unknown"), destination_zone: None, ..full },
        Lane { origin_region: None, destination_zone: None, ..full },
        Lane { destination_region: full.destination_region, ..Lane::default() },
        Lane { destination_zone: Some("nowhere"), ..Lane::default() },
    ]);
    lanes
}
