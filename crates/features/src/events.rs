//! From timelines to dated differences of a quantity.
//!
//! A fact counts from the day on which it was recorded, not from the day on which it happened. A
//! corrected fact takes the old value back and adds the new one on the day of the correction.

use std::ops::Range;

use terms::TWO_DAYS_HOURS;

use crate::as_of::Total;
use crate::declaration::Quantity;
use crate::timeline::{State, Timelines, Version, day_of};

/// A shipment open for longer is lost, and in no stock any more.
pub(crate) const STOCK_DAYS_MAX: i32 = 60;
const SECOND_MICROS: i64 = 1_000_000;

/// A dated difference of a quantity, of one shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Position of the shipment.
    pub(crate) shipment: u32,
    /// Day on which the fact was recorded, since the epoch.
    pub(crate) day: i32,
    /// What changes.
    pub(crate) change: Total,
}

/// The differences of `quantity` that are dated on `days`. `ordered_at` and `timelines` are of the
/// same shipments, and know all that was recorded before the end of `days`.
pub(crate) fn of(
    quantity: Quantity,
    ordered_at: &[i64],
    timelines: &Timelines,
    days: &Range<i32>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (row, &ordered_at) in ordered_at.iter().enumerate() {
        let mut add = |day: i32, change: Total| {
            if days.contains(&day) {
                changes.push(Change { shipment: row as u32, day, change });
            }
        };
        let versions = timelines.of(row);
        match quantity.asked_at_age() {
            Some(age) => {
                let asked_on = day_of(ordered_at) + age;
                if days.contains(&asked_on)
                    && let Some(answer) = known_on(asked_on, versions)
                {
                    add(asked_on, answer);
                }
            }
            None if can_change(quantity, versions, days) => {
                along_the_timeline(quantity, ordered_at, versions, &mut add);
            }
            None => {}
        }
    }
    changes
}

/// Whether anything can be dated on `days`: of most shipments nothing is, since they are through.
fn can_change(quantity: Quantity, versions: &[Version], days: &Range<i32>) -> bool {
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else { return false };
    let is_forgotten = quantity.is_stock() && days.contains(&(first.day() + STOCK_DAYS_MAX));
    last.day() >= days.start || is_forgotten
}

fn along_the_timeline(
    quantity: Quantity,
    ordered_at: i64,
    versions: &[Version],
    add: &mut impl FnMut(i32, Total),
) {
    let last_day = match versions.first() {
        Some(first) if quantity.is_stock() => first.day() + STOCK_DAYS_MAX,
        _ => i32::MAX,
    };
    let mut known: Option<Total> = None;
    for version in versions.iter().take_while(|version| version.day() < last_day) {
        let now = value(quantity, ordered_at, version.state);
        if now != known {
            if let Some(old) = known {
                add(version.day(), -old);
            }
            if let Some(new) = now {
                add(version.day(), new);
            }
            known = now;
        }
    }
    if let Some(old) = known.filter(|_| quantity.is_stock()) {
        add(last_day, -old);
    }
}

/// Of a shipment that is not gone by then, whether it is known to be delivered on the day on which
/// it is asked. Its later versions change nothing.
fn known_on(asked_on: i32, versions: &[Version]) -> Option<Total> {
    let known = versions.iter().take_while(|version| version.day() < asked_on).last()?;
    let delivered = match known.state {
        State::Gone => return None,
        State::Delivered { .. } => 1,
        State::Waiting | State::HandedOver { .. } => 0,
    };
    Some(Total { count: 1, sum: delivered, squares: delivered })
}

/// What a shipment in `state` adds to the quantity, if anything.
fn value(quantity: Quantity, ordered_at: i64, state: State) -> Option<Total> {
    let one = Total { count: 1, sum: 1, squares: 1 };
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
                i64::from(terms::Instant::from_micros(at).hours_since(terms::Instant::from_micros(ordered_at)) <= TWO_DAYS_HOURS);
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
        )
        // And these are of legs.
        | (Quantity::FirstMileHours | Quantity::MiddleMileHours | Quantity::LastMileHours, _) => {
            None
        }
    }
}

/// What a duration adds. Units: microseconds since the epoch.
pub(crate) fn span(from: i64, to: i64) -> Total {
    let seconds = (to - from) / SECOND_MICROS;
    let minutes = seconds / 60;
    Total { count: 1, sum: seconds, squares: minutes * minutes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::DAY_MICROS;

    const HOUR: i64 = terms::HOUR_MICROS;

    fn on_day(day: i64, state: State) -> Version {
        Version { recorded_at: day * DAY_MICROS + 2 * HOUR, state }
    }

    /// (day, count, sum) of the changes of one shipment.
    fn changes(quantity: Quantity, versions: &[Version], days: Range<i32>) -> Vec<(i32, i64, i64)> {
        let mut timelines = Timelines::default();
        timelines.push(versions.iter().copied());
        let changes = of(quantity, &[0], &timelines, &days);
        changes.iter().map(|c| (c.day, c.change.count, c.change.sum)).collect()
    }

    #[test]
    fn a_correction_takes_back_and_adds_on_its_own_day() {
        let delivered = |at| State::Delivered { handed_over_at: None, at };
        let versions = [
            on_day(0, State::Waiting),
            on_day(3, delivered(60 * HOUR)),
            on_day(4, delivered(60 * HOUR)),
            on_day(9, delivered(70 * HOUR)),
        ];
        let of_days = |days| changes(Quantity::DeliveryHours, &versions, days);
        assert_eq!(of_days(0..99), [(3, 1, 216_000), (9, -1, -216_000), (9, 1, 252_000)]);
        assert_eq!(of_days(0..9), [(3, 1, 216_000)]);
        assert_eq!(of_days(9..10), [(9, -1, -216_000), (9, 1, 252_000)]);
    }

    #[test]
    fn an_order_is_asked_once_at_its_age_and_counts_if_it_is_open() {
        let delivered = State::Delivered { handed_over_at: None, at: 60 * HOUR };
        let seen = |versions: &[Version]| changes(Quantity::DeliveredByDay5, versions, 0..99);
        let in_time = [on_day(0, State::Waiting), on_day(4, delivered), on_day(9, State::Gone)];
        assert_eq!(seen(&in_time), [(5, 1, 1)]);
        // Recorded on the very day is not known before it.
        let too_late = [on_day(0, State::Waiting), on_day(5, delivered)];
        assert_eq!(seen(&too_late), [(5, 1, 0)]);
        assert_eq!(seen(&[on_day(0, State::Waiting), on_day(2, State::Gone)]), []);
        assert_eq!(seen(&[on_day(7, State::Waiting)]), [], "nobody knew of it");
        assert_eq!(changes(Quantity::DeliveredByDay5, &in_time, 6..99), []);
    }

    #[test]
    fn a_stock_forgets_what_is_open_for_60_days() {
        let open = [on_day(0, State::Waiting)];
        let shipped = [on_day(0, State::Waiting), on_day(2, State::HandedOver { at: 0 })];
        let counts = |versions: &[Version]| -> Vec<_> {
            let changes = changes(Quantity::Unshipped, versions, 0..99);
            changes.into_iter().map(|(day, count, _)| (day, count)).collect()
        };
        assert_eq!(counts(&open), [(0, 1), (60, -1)]);
        assert_eq!(counts(&shipped), [(0, 1), (2, -1)]);
    }
}
