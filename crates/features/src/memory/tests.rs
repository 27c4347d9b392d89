//! However the past is learned, the features are the same, and they are what their words say.

use std::collections::BTreeMap;

use polars::prelude::*;
use proptest::prelude::*;
use terms::{AsOf, DAY_MICROS, HOUR_MICROS};

use super::*;
use crate::timeline::{Doubt, State, Version, instants, states, texts};
use crate::{Frame, Month, Outcomes, assemble, build};

const DECLARED: &str = r#"
    facts = ["n_units", "n_shipments", "origin_daily_capacity"]
    categories = ["origin_region", "origin_kind"]
    calendar = ["hour", "origin_hour", "destination_workdays"]
    [[history]]
    key = ["origin_region"]
    quantity = "delivery_hours"
    statistics = ["mean", "count", "sd"]
    windows_days = [7, 100]
    fall_back = []
    [[history]]
    key = ["origin_region", "origin_node_id:1"]
    quantity = "handling_hours"
    statistics = ["mean"]
    windows_days = [30]
    [[history]]
    key = []
    quantity = "open"
    statistics = ["count", "mean"]
    [[history]]
    key = ["origin_region"]
    quantity = "last_mile_hours"
    statistics = ["mean", "count", "sd"]
    windows_days = [30]
    [[history]]
    key = ["origin_region"]
    quantity = "delivered_by_day_5"
    statistics = ["mean", "count"]
    windows_days = [14]
"#;
const FIRST_DAY: i64 = 17;
const DAYS: i64 = 260;

/// Numbers that look drawn, the same for the same seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as i64
    }

    fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone)]
struct OrderRow {
    id: String,
    recorded_at: i64,
    ordered_at: i64,
    status: &'static str,
}

#[derive(Clone)]
struct LegRow {
    shipment_id: String,
    recorded_at: i64,
    index: i64,
    mile: &'static str,
    times: Option<(i64, i64)>,
}

#[derive(Clone)]
struct ShipmentRow {
    id: String,
    order_id: String,
    recorded_at: i64,
    status: &'static str,
    handed_over_at: Option<i64>,
    delivered_at: Option<i64>,
}

/// Orders with shipments that are early, late, corrected, cancelled, told again after months.
fn world(seed: u64) -> Tables {
    let mut draws = Draws(seed);
    let (mut orders, mut shipments, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    let mut legs = Vec::new();
    let last = (FIRST_DAY + DAYS) * DAY_MICROS;
    for n in 0..70 {
        let id = format!("o{n:02}");
        let recorded_at =
            (FIRST_DAY + draws.below(DAYS - 60)) * DAY_MICROS + draws.below(24) * HOUR_MICROS;
        let waited = match draws.below(12) {
            0 => draws.below(130),
            1..4 => draws.below(3),
            _ => 0,
        };
        let ordered_at = recorded_at - waited * DAY_MICROS - draws.below(20) * HOUR_MICROS;
        let order = OrderRow { id: id.clone(), recorded_at, ordered_at, status: "placed" };
        orders.push(order.clone());
        for again in [3, 40, 95, 125, 155, 170] {
            if draws.one_in(8) {
                let recorded_at = recorded_at + again * DAY_MICROS;
                let status = if draws.one_in(2) { "cancelled" } else { "paid" };
                orders.push(OrderRow { recorded_at, status, ..order.clone() });
            }
        }
        for part in 0..1 + draws.below(2) {
            let id = format!("{id}-{part}");
            let after = match draws.below(10) {
                0 => draws.below(120),
                1 => -draws.below(3),
                2..4 => draws.below(4),
                _ => 0,
            };
            let mut at = (recorded_at + after * DAY_MICROS).max(FIRST_DAY * DAY_MICROS);
            let mut row = ShipmentRow {
                id: id.clone(),
                order_id: order.id.clone(),
                recorded_at: at,
                status: "created",
                handed_over_at: None,
                delivered_at: None,
            };
            shipments.push(row.clone());
            for _ in 0..draws.below(5) {
                let wait = if draws.one_in(9) { draws.below(170) } else { draws.below(12) };
                at += wait * DAY_MICROS + (1 + draws.below(30)) * HOUR_MICROS;
                let happened = at - draws.below(40) * HOUR_MICROS;
                row.recorded_at = at;
                match draws.below(6) {
                    0 => (row.status, row.delivered_at) = ("returned", None),
                    1 | 2 => (row.status, row.handed_over_at) = ("in_transit", Some(happened)),
                    _ => (row.status, row.delivered_at) = ("delivered", Some(happened)),
                }
                shipments.push(row.clone());
            }
            legs.extend(legs_of(&mut draws, &id, recorded_at));
            if draws.one_in(7) {
                let recorded_at = at + (draws.below(60) - 30) * DAY_MICROS + HOUR_MICROS / 7;
                doubts.push(Doubt { shipment_id: id, recorded_at });
            }
        }
    }
    orders.retain(|row| row.recorded_at < last);
    shipments.retain(|row| row.recorded_at < last);
    legs.retain(|row| (FIRST_DAY * DAY_MICROS..last).contains(&row.recorded_at));
    doubts.retain(|doubt| (FIRST_DAY * DAY_MICROS..last).contains(&doubt.recorded_at));
    Tables {
        orders: orders_frame(&orders),
        shipments: shipments_frame(&shipments),
        doubts,
        legs: legs_frame(&legs),
        nodes: nodes_frame(&mut draws),
        holidays: DataFrame::default(),
    }
}

/// Legs that have not arrived, arrive, are corrected, taken back, or told before their shipment.
fn legs_of(draws: &mut Draws, shipment_id: &str, from: i64) -> Vec<LegRow> {
    let mut legs = Vec::new();
    for index in 0..draws.below(4) {
        let mile = ["first", "middle", "last"][draws.below(3) as usize];
        let mut recorded_at = from + (draws.below(14) - 2) * DAY_MICROS;
        for _ in 0..1 + draws.below(3) {
            let wait = if draws.one_in(6) { draws.below(110) } else { draws.below(5) };
            recorded_at += wait * DAY_MICROS + draws.below(20) * HOUR_MICROS;
            let departed_at = from - draws.below(9) * HOUR_MICROS;
            let arrived_at = departed_at + draws.below(50) * HOUR_MICROS;
            let times = (!draws.one_in(3)).then_some((departed_at, arrived_at));
            let shipment_id = shipment_id.to_owned();
            legs.push(LegRow { shipment_id, recorded_at, index, mile, times });
        }
    }
    legs
}

fn legs_frame(rows: &[LegRow]) -> DataFrame {
    let time = |of: fn((i64, i64)) -> i64| rows.iter().map(|row| row.times.map(of)).collect();
    let columns = vec![
        text("shipment_id", rows, |row| &row.shipment_id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        Column::new("leg_index".into(), rows.iter().map(|row| row.index).collect::<Vec<_>>()),
        text("mile", rows, |row| row.mile),
        instant("departed_at", time(|times| times.0)),
        instant("arrived_at", time(|times| times.1)),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

fn instant(name: &str, values: Vec<Option<i64>>) -> Column {
    let instant = DataType::Datetime(TimeUnit::Microseconds, None);
    Column::new(name.into(), values).cast(&instant).unwrap()
}

fn text<'a, T>(name: &str, rows: &'a [T], of: impl Fn(&'a T) -> &'a str) -> Column {
    Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
}

fn orders_frame(rows: &[OrderRow]) -> DataFrame {
    let columns = vec![
        text("order_id", rows, |row| &row.id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        instant("ordered_at", rows.iter().map(|row| Some(row.ordered_at)).collect()),
        text("status", rows, |row| row.status),
        text("destination_time_zone", rows, |_| "Asia/Tokyo"),
        text("destination_region", rows, |_| "east"),
        instant("promised_at", rows.iter().map(|row| Some(row.ordered_at)).collect()),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

fn shipments_frame(rows: &[ShipmentRow]) -> DataFrame {
    let of_id = |place: usize, names: &[&'static str]| -> Vec<&'static str> {
        rows.iter().map(|row| names[usize::from(row.id.as_bytes()[place]) % names.len()]).collect()
    };
    let columns = vec![
        text("shipment_id", rows, |row| &row.id),
        text("order_id", rows, |row| &row.order_id),
        instant("recorded_at", rows.iter().map(|row| Some(row.recorded_at)).collect()),
        text("status", rows, |row| row.status),
        Column::new("origin_region".into(), of_id(2, &["north", "south"])),
        Column::new("origin_node_id".into(), of_id(1, &["a1", "a2", "b1"])),
        Column::new(
            "n_units".into(),
            rows.iter().map(|row| row.recorded_at % 5).collect::<Vec<_>>(),
        ),
        instant("handed_over_at", rows.iter().map(|row| row.handed_over_at).collect()),
        instant("delivered_at", rows.iter().map(|row| row.delivered_at).collect()),
    ];
    DataFrame::new(rows.len(), columns).unwrap()
}

/// Nodes of which some move to another zone.
fn nodes_frame(draws: &mut Draws) -> DataFrame {
    let ids = ["a1", "a2", "b1", "a1", "b1", "a1"];
    let zones = ["Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "Asia/Tokyo", "UTC", "UTC"];
    let mut days: Vec<i64> = ids.iter().map(|_| FIRST_DAY + draws.below(DAYS - 60)).collect();
    days.sort_unstable();
    let columns = vec![
        Column::new("node_id".into(), ids),
        instant("recorded_at", days.iter().map(|day| Some(day * DAY_MICROS)).collect()),
        Column::new("kind".into(), ["seller"; 6]),
        Column::new("time_zone".into(), zones),
        Column::new("daily_capacity".into(), [1.0; 6]),
    ];
    DataFrame::new(ids.len(), columns).unwrap()
}

/// What a store would hold, as bytes.
#[derive(Default)]
struct Kept {
    months: BTreeMap<i32, (Vec<u8>, Vec<u8>)>,
    pages: BTreeMap<i32, Vec<u8>>,
    saved: Saved,
    until: i32,
}

impl Kept {
    fn restore(&self, declared: &Declaration) -> Memory {
        let months: Vec<i32> = self.pages.keys().copied().collect();
        let mut memory = Memory::restore(declared, self.until, &months, &self.saved).unwrap();
        let last = *months.last().unwrap();
        memory.recall(last, &self.pages[&last]).unwrap();
        memory
    }

    fn month(&self, first_day: i32) -> Month {
        let kept = self.months.get(&first_day);
        kept.map(|(rows, versions)| Month::read(rows, versions).unwrap()).unwrap_or_default()
    }

    fn learn(&mut self, memory: &mut Memory, tables: &Tables, days: Range<i32>) {
        let of_days = tables
            .recorded(
                AsOf::start_of(terms::Day::since_epoch(days.start)),
                AsOf::start_of(terms::Day::since_epoch(days.end)),
            )
            .unwrap();
        let strangers = memory.strangers(&of_days).unwrap();
        let among = |&first: &i32| self.month(first).orders_among(&strangers).unwrap();
        let forgotten = self.months.keys().flat_map(among).collect();
        for month in memory.learn(&of_days, days.clone(), &forgotten).unwrap() {
            memory.recall(month, &self.pages[&month]).unwrap();
        }
        let first_day = month_of(days.start);
        let learned = memory.features().unwrap();
        let month = self.month(first_day).and(learned.month).unwrap().in_order().unwrap();
        self.months.insert(first_day, month.to_parquet().unwrap());
        self.pages.insert(first_day, memory.page(first_day).unwrap());
        self.saved = memory.save().unwrap();
        self.until = days.end;
        memory.put_pages_aside();
    }

    fn assemble(&self) -> (Frame, Outcomes) {
        let months: Vec<Month> = self.months.keys().map(|&first| self.month(first)).collect();
        assemble(&months).unwrap()
    }
}

/// Learns the days in pieces of drawn lengths, some nights from what was kept of the one before.
fn in_pieces(tables: &Tables, declared: &Declaration, seed: u64) -> Kept {
    let mut draws = Draws(seed);
    let days = tables.days().unwrap().unwrap();
    let (mut kept, mut memory) = (Kept::default(), Memory::new(declared).unwrap());
    let mut from = days.start;
    while from < days.end {
        let to = (from + 1 + draws.below(25) as i32).min(days.end);
        for days in by_month(from..to) {
            kept.learn(&mut memory, tables, days);
            if draws.one_in(2) {
                memory = kept.restore(declared);
            }
        }
        from = to;
    }
    kept
}

fn as_ofs() -> impl Iterator<Item = AsOf> {
    (0..8).map(|n| AsOf::start_of(terms::Day::since_epoch((FIRST_DAY + 40 * n) as i32)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn a_full_build_and_any_nights_give_the_same_bytes(seed: u64, nights: u64) {
        let (tables, declared) = (world(seed), Declaration::read(DECLARED).unwrap());
        let end = AsOf::start_of(terms::Day::since_epoch((FIRST_DAY + DAYS) as i32));
        let (whole, outcomes) = build(&tables, &declared, end).unwrap();
        let kept = in_pieces(&tables, &declared, nights);
        let (pieced, of_pieces) = kept.assemble();
        prop_assert_eq!(whole.to_parquet().unwrap(), pieced.to_parquet().unwrap());
        for as_of in as_ofs() {
            prop_assert_eq!(outcomes.as_of(as_of), of_pieces.as_of(as_of));
        }
        let others = in_pieces(&tables, &declared, nights ^ 0x5555);
        prop_assert_eq!(&kept.months, &others.months);
        prop_assert_eq!(&kept.pages, &others.pages);
    }

    #[test]
    fn history_is_what_its_words_say(seed: u64) {
        let (tables, declared) = (world(seed), Declaration::read(DECLARED).unwrap());
        let end = AsOf::start_of(terms::Day::since_epoch((FIRST_DAY + DAYS) as i32));
        let (frame, _) = build(&tables, &declared, end).unwrap();
        let told = Told::of(&tables, &frame);
        let regions = frame.texts("origin_region").unwrap();
        let column = |name: &str| frame.numbers(name).unwrap();
        let counts = column("origin_region_delivery_hours_count_7d");
        let asked = column("origin_region_delivered_by_day_5_count_14d");
        let legs = column("origin_region_last_mile_hours_count_30d");
        let open = column("everywhere_open_count");
        for (row, region) in regions.iter().enumerate() {
            let day = told.rows[row].1;
            let here = |other: &usize| regions[*other] == *region;
            let rows = || 0..regions.len();
            let delivered = |other: usize| {
                told.delivered_before(other, day) - told.delivered_before(other, day - 7)
            };
            let expected: i64 = rows().filter(here).map(delivered).sum();
            prop_assert_eq!(counts[row], Some(expected as f32), "row {} deliveries", row);
            let expected = rows().filter(|&other| told.is_open_before(other, day)).count();
            prop_assert_eq!(open[row], Some(expected as f32), "row {} open", row);
            let asked_on = |other: &usize| told.asked_on(*other, 5, day - 14..day);
            let expected = rows().filter(here).filter(asked_on).count();
            prop_assert_eq!(asked[row], Some(expected as f32), "row {} asked", row);
            let arrived = |other: usize| {
                told.last_miles_before(other, day) - told.last_miles_before(other, day - 30)
            };
            let expected: i64 = rows().filter(here).map(arrived).sum();
            prop_assert_eq!(legs[row], Some(expected as f32), "row {} legs", row);
        }
    }
}

/// What was recorded of each row, read the slow way.
struct Told {
    /// (when ordered, the day before which history counts, the day of the first record).
    rows: Vec<(i64, i32, i32)>,
    /// By row, then time.
    versions: Vec<Vec<Version>>,
    /// By row, then time: (the day of the record, the place of the leg, whether it is of the last
    /// mile and has arrived).
    legs: Vec<Vec<(i32, i64, bool)>>,
}

impl Told {
    fn of(tables: &Tables, frame: &Frame) -> Self {
        let ids = frame.texts("shipment_id").unwrap();
        let order_ids = frame.texts("order_id").unwrap();
        let ordered_at = frame.ordered_at().unwrap();
        let known_from = instants(frame.frame(), "recorded_at").unwrap();
        let (shipment_ids, states) =
            (texts(&tables.shipments, "shipment_id").unwrap(), states(&tables.shipments).unwrap());
        let recorded_at = instants(&tables.shipments, "recorded_at").unwrap();
        let statuses = texts(&tables.orders, "status").unwrap();
        let orders = texts(&tables.orders, "order_id").unwrap();
        let orders_at = instants(&tables.orders, "recorded_at").unwrap();
        let (mut rows, mut versions, mut legs) = (Vec::new(), Vec::new(), Vec::new());
        for (row, id) in ids.iter().enumerate() {
            let since = known_from[row].unwrap();
            let of_order = |other: &usize| orders.get(*other) == order_ids[row].as_deref();
            let mut records: Vec<i64> =
                (0..orders.len()).filter(of_order).filter_map(|i| orders_at[i]).collect();
            records.sort_unstable();
            // Told again after months, an order without a row is a new one.
            let first_of_order = records.into_iter().fold(i64::MIN / 2, |first, at| {
                let is_new = day_of(at) >= day_of(first) + 121;
                if is_new && day_of(at) <= day_of(since) { at } else { first }
            });
            let mut told: Vec<(i64, u8, State)> = Vec::new();
            for (other, state) in states.iter().enumerate() {
                let at = recorded_at[other].unwrap();
                if shipment_ids.get(other) == id.as_deref() && at >= since {
                    told.push((at, 0, *state));
                }
            }
            for other in (0..orders.len()).filter(of_order) {
                let at = orders_at[other].unwrap();
                let in_reach = day_of(at) < day_of(first_of_order) + 90;
                if statuses.get(other) == Some("cancelled") && at >= first_of_order && in_reach {
                    told.push((at.max(since), 1, State::Gone));
                }
            }
            for doubt in &tables.doubts {
                if Some(&doubt.shipment_id) == id.as_ref() && doubt.recorded_at >= since {
                    told.push((doubt.recorded_at, 2, State::Gone));
                }
            }
            told.retain(|(at, ..)| day_of(*at) < day_of(first_of_order) + 90);
            told.sort_by_key(|(at, source, _)| (*at, *source));
            let version = |(recorded_at, _, state)| Version { recorded_at, state };
            versions.push(told.into_iter().map(version).collect());
            legs.push(Self::legs_of(
                tables,
                id.as_deref(),
                day_of(since)..day_of(first_of_order) + 90,
            ));
            let day = day_of(ordered_at[row].min(since));
            rows.push((ordered_at[row], day, day_of(since)));
        }
        Self { rows, versions, legs }
    }

    fn legs_of(tables: &Tables, id: Option<&str>, days: Range<i32>) -> Vec<(i32, i64, bool)> {
        let ids = texts(&tables.legs, "shipment_id").unwrap();
        let recorded_at = instants(&tables.legs, "recorded_at").unwrap();
        let indexes = instants(&tables.legs, "leg_index").unwrap();
        let miles = texts(&tables.legs, "mile").unwrap();
        let arrived_at = instants(&tables.legs, "arrived_at").unwrap();
        let mut legs: Vec<(i64, i64, bool)> = (0..ids.len())
            .filter(|&leg| ids.get(leg) == id)
            .map(|leg| {
                let arrived = miles.get(leg) == Some("last") && arrived_at[leg].is_some();
                (recorded_at[leg].unwrap(), indexes[leg].unwrap(), arrived)
            })
            .filter(|(at, ..)| days.contains(&day_of(*at)))
            .collect();
        legs.sort_by_key(|(at, index, _)| (*at, *index));
        legs.into_iter().map(|(at, index, arrived)| (day_of(at), index, arrived)).collect()
    }

    /// How many legs of the last mile were known to have arrived.
    fn last_miles_before(&self, row: usize, day: i32) -> i64 {
        let known = self.legs[row].iter().filter(|(recorded_on, ..)| *recorded_on < day);
        let last: BTreeMap<i64, bool> = known.map(|&(_, leg, arrived)| (leg, arrived)).collect();
        last.values().filter(|arrived| **arrived).count() as i64
    }

    fn state_before(&self, row: usize, day: i32) -> Option<State> {
        let known = self.versions[row].iter().rfind(|version| version.day() < day);
        known.map(|version| version.state)
    }

    /// One if the delivery was known then.
    fn delivered_before(&self, row: usize, day: i32) -> i64 {
        i64::from(matches!(self.state_before(row, day), Some(State::Delivered { .. })))
    }

    fn is_open_before(&self, row: usize, day: i32) -> bool {
        let open =
            matches!(self.state_before(row, day), Some(State::Waiting | State::HandedOver { .. }));
        // What was asked for before the midnight counts until the day after its sixtieth.
        open && day <= self.rows[row].2 + 60
    }

    fn asked_on(&self, row: usize, age: i32, days: Range<i32>) -> bool {
        let asked_on = day_of(self.rows[row].0) + age;
        let gone = matches!(self.state_before(row, asked_on), None | Some(State::Gone));
        days.contains(&asked_on) && !gone
    }
}
