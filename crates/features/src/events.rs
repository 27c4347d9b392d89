//! From timelines to dated differences of a quantity.
//!
//! A fact counts from the day on which it was recorded, not from the day on which it happened. A
//! corrected fact takes the old value back and adds the new one on the day of the correction.

use terms::{DAY_MICROS, TWO_DAYS_HOURS};

use crate::as_of::{Event, Total};
use crate::declaration::Quantity;
use crate::timeline::{Placed, State, Version};

/// A shipment open for longer is lost, and in no stock any more.
const STOCK_DAYS_MAX: i32 = 60;
const SECOND_MICROS: i64 = 1_000_000;

/// All differences of `quantity`, for the key of each shipment in `keys`.
pub(crate) fn of(quantity: Quantity, placed: &Placed, keys: &[u32]) -> Vec<Event> {
    if let Some(age) = quantity.asked_at_age() {
        return asked_at_age(age, placed, keys);
    }
    let mut events = Vec::new();
    for (row, &key) in keys.iter().enumerate() {
        let ordered_at = placed.ordered_at[row];
        let versions = placed.versions_of(row);
        let last_day = match versions.first() {
            Some(first) if quantity.is_stock() => day(first) + STOCK_DAYS_MAX,
            _ => i32::MAX,
        };
        let mut known: Option<Total> = None;
        for version in versions.iter().take_while(|version| day(version) < last_day) {
            let now = value(quantity, ordered_at, version.state);
            if now != known {
                let day = day(version);
                events.extend(known.map(|old| Event { key, day, change: -old }));
                events.extend(now.map(|new| Event { key, day, change: new }));
                known = now;
            }
        }
        if let Some(old) = known.filter(|_| quantity.is_stock()) {
            events.push(Event { key, day: last_day, change: -old });
        }
    }
    events
}

/// Of every shipment that is not gone by then, whether it is known to be delivered on the day on
/// which its order is `age` days old. Its later versions change nothing.
fn asked_at_age(age: i32, placed: &Placed, keys: &[u32]) -> Vec<Event> {
    let event = |(row, &key): (usize, &u32)| {
        let asked_on = placed.ordered_at[row].div_euclid(DAY_MICROS) as i32 + age;
        let last = placed.versions_of(row).iter().take_while(|v| day(v) < asked_on).last()?;
        let delivered = match last.state {
            State::Gone => return None,
            State::Delivered { .. } => 1,
            State::Waiting | State::HandedOver { .. } => 0,
        };
        let change = Total { count: 1, sum: delivered, squares: delivered };
        Some(Event { key, day: asked_on, change })
    };
    keys.iter().enumerate().filter_map(event).collect()
}

fn day(version: &Version) -> i32 {
    version.recorded_at.div_euclid(DAY_MICROS) as i32
}

/// What a shipment in `state` adds to the quantity, if anything.
fn value(quantity: Quantity, ordered_at: i64, state: State) -> Option<Total> {
    let one = Total { count: 1, sum: 1, squares: 1 };
    let span = |from: i64, to: i64| {
        let seconds = (to - from) / SECOND_MICROS;
        let minutes = seconds / 60;
        Total { count: 1, sum: seconds, squares: minutes * minutes }
    };
    match (quantity, state) {
        (Quantity::Ordered, _) => Some(one),
        (_, State::Gone) => None,
        (Quantity::Unshipped, State::Waiting) | (Quantity::InTransit, State::HandedOver { .. }) => {
            Some(one)
        }
        (Quantity::Open, State::Waiting | State::HandedOver { .. }) => {
            Some(Total { count: 1, sum: ordered_at.div_euclid(SECOND_MICROS), squares: 0 })
        }
        (Quantity::Unshipped | Quantity::InTransit | Quantity::Open, _) => None,
        (Quantity::HandlingHours, State::HandedOver { at }) => Some(span(ordered_at, at)),
        (Quantity::HandlingHours, State::Delivered { handed_over_at, .. }) => {
            handed_over_at.map(|at| span(ordered_at, at))
        }
        (Quantity::TransitHours, State::Delivered { handed_over_at, at }) => {
            handed_over_at.map(|from| span(from, at))
        }
        (Quantity::DeliveryHours, State::Delivered { at, .. }) => Some(span(ordered_at, at)),
        (Quantity::WithinTwoDays, State::Delivered { at, .. }) => {
            let within =
                i64::from(terms::AsOf::from_micros(at).hours_since(ordered_at) <= TWO_DAYS_HOURS);
            Some(Total { count: 1, sum: within, squares: within })
        }
        (
            Quantity::HandlingHours
            | Quantity::TransitHours
            | Quantity::DeliveryHours
            | Quantity::WithinTwoDays,
            State::Waiting | State::HandedOver { .. },
        )
        // These are asked once, at an age.
        | (
            Quantity::DeliveredByDay5 | Quantity::DeliveredByDay10 | Quantity::DeliveredByDay20,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::DataFrame;

    const HOUR: i64 = terms::HOUR_MICROS;

    fn one_shipment(versions: Vec<Version>) -> Placed {
        Placed {
            firsts: DataFrame::empty(),
            ordered_at: vec![0],
            starts: vec![0, versions.len()],
            versions,
        }
    }

    fn on_day(day: i64, state: State) -> Version {
        Version { recorded_at: day * DAY_MICROS + 2 * HOUR, state }
    }

    #[test]
    fn a_correction_takes_back_and_adds_on_its_own_day() {
        let delivered = |at| State::Delivered { handed_over_at: None, at };
        let placed = one_shipment(vec![
            on_day(0, State::Waiting),
            on_day(3, delivered(60 * HOUR)),
            on_day(4, delivered(60 * HOUR)),
            on_day(9, delivered(70 * HOUR)),
        ]);
        let events = of(Quantity::DeliveryHours, &placed, &[0]);
        let seen: Vec<_> = events.iter().map(|e| (e.day, e.change.count, e.change.sum)).collect();
        assert_eq!(seen, [(3, 1, 216_000), (9, -1, -216_000), (9, 1, 252_000)]);
    }

    #[test]
    fn an_order_is_asked_once_at_its_age_and_counts_if_it_is_open() {
        let delivered = State::Delivered { handed_over_at: None, at: 60 * HOUR };
        let seen = |versions| -> Vec<_> {
            let events = of(Quantity::DeliveredByDay5, &one_shipment(versions), &[0]);
            events.iter().map(|e| (e.day, e.change.count, e.change.sum)).collect()
        };
        let in_time = vec![on_day(0, State::Waiting), on_day(4, delivered), on_day(9, State::Gone)];
        assert_eq!(seen(in_time), [(5, 1, 1)]);
        // Recorded on the very day is not known before it.
        let too_late = vec![on_day(0, State::Waiting), on_day(5, delivered)];
        assert_eq!(seen(too_late), [(5, 1, 0)]);
        assert_eq!(seen(vec![on_day(0, State::Waiting), on_day(2, State::Gone)]), []);
        assert_eq!(seen(vec![on_day(7, State::Waiting)]), [], "nobody knew of it");
    }

    #[test]
    fn a_stock_forgets_what_is_open_for_60_days() {
        let open = one_shipment(vec![on_day(0, State::Waiting)]);
        let shipped =
            one_shipment(vec![on_day(0, State::Waiting), on_day(2, State::HandedOver { at: 0 })]);
        let days = |placed| -> Vec<_> {
            of(Quantity::Unshipped, placed, &[0]).iter().map(|e| (e.day, e.change.count)).collect()
        };
        assert_eq!(days(&open), [(0, 1), (60, -1)]);
        assert_eq!(days(&shipped), [(0, 1), (2, -1)]);
    }
}
