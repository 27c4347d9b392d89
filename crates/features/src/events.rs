//! Dated differences of a quantity, from the timelines of shipments.
//!
//! A fact counts from the day on which it was recorded, not from the day on which it happened. A
//! corrected fact takes the old value back and adds the new one on the day of the correction.

use std::ops::Range;

use terms::{Day, Instant, ShipmentIdx, TWO_DAYS_HOURS};

use crate::as_of::Totals;
use crate::quantity::Quantity;
use crate::timeline::{State, Timelines, Version};

pub(crate) const SECOND_MICROS: i64 = 1_000_000;

/// A dated difference of a quantity, of one shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// The shipment.
    pub(crate) shipment: ShipmentIdx,
    /// Day on which the fact was recorded.
    pub(crate) day: Day,
    /// What it adds.
    pub(crate) change: Totals,
}

/// The differences of `quantity` that are dated on `days`. `ordered_at` and `timelines` are of the
/// same shipments, and complete up to the end of `days`. A shipment is in a stock for
/// `stock_days_max` days.
pub(crate) fn of(
    (quantity, stock_days_max): (Quantity, i32),
    ordered_at: &[Instant],
    timelines: &Timelines,
    days: &Range<Day>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (row, &ordered_at) in ordered_at.iter().enumerate() {
        let shipment = ShipmentIdx(row as u32);
        let mut add = |day: Day, change: Totals| {
            if days.contains(&day) {
                changes.push(Change { shipment, day, change });
            }
        };
        let versions = timelines.of(row);
        match quantity.checked_at_age_days() {
            Some(age) => {
                let checked_on = ordered_at.day().plus(age);
                if days.contains(&checked_on)
                    && let Some(change) = delivered_before(checked_on, versions)
                {
                    add(checked_on, change);
                }
            }
            None => {
                let leaves_stock_on = (versions.first())
                    .filter(|_| quantity.is_stock())
                    .map(|first| first.day().plus(stock_days_max));
                if can_change(leaves_stock_on, versions, days) {
                    of_timeline(quantity, ordered_at, (versions, leaves_stock_on), &mut add);
                }
            }
        }
    }
    changes
}

/// Whether anything can be dated on `days`: of most shipments nothing is, since they are finished.
fn can_change(leaves_stock_on: Option<Day>, versions: &[Version], days: &Range<Day>) -> bool {
    let is_recorded = versions.last().is_some_and(|last| last.day() >= days.start);
    is_recorded || leaves_stock_on.is_some_and(|day| days.contains(&day))
}

fn of_timeline(
    quantity: Quantity,
    ordered_at: Instant,
    (versions, leaves_stock_on): (&[Version], Option<Day>),
    add: &mut impl FnMut(Day, Totals),
) {
    let is_before = |version: &&Version| leaves_stock_on.is_none_or(|day| version.day() < day);
    let mut current: Option<Totals> = None;
    for version in versions.iter().take_while(is_before) {
        let new = value(quantity, ordered_at, version.state);
        if new != current {
            if let Some(old) = current {
                add(version.day(), -old);
            }
            if let Some(new) = new {
                add(version.day(), new);
            }
            current = new;
        }
    }
    if let Some((old, day)) = current.zip(leaves_stock_on) {
        add(day, -old);
    }
}

/// Counts a shipment, and 1 if its delivery was recorded before `day`; nothing if the shipment was
/// not recorded by then, or is excluded. Its later versions change nothing.
fn delivered_before(day: Day, versions: &[Version]) -> Option<Totals> {
    let last = versions.iter().take_while(|version| version.day() < day).last()?;
    let delivered = match last.state {
        State::Excluded => return None,
        State::Delivered { .. } => 1,
        State::Waiting | State::HandedOver { .. } => 0,
    };
    Some(Totals { count: 1, sum: delivered, squares: delivered })
}

/// What a shipment in `state` adds to the quantity, if anything.
fn value(quantity: Quantity, ordered_at: Instant, state: State) -> Option<Totals> {
    let one = Totals { count: 1, sum: 1, squares: 1 };
    match (quantity, state) {
        (Quantity::Ordered, _) => Some(one),
        (_, State::Excluded) => None,
        (Quantity::Unshipped, State::Waiting) | (Quantity::InTransit, State::HandedOver { .. }) => {
            Some(one)
        }
        (Quantity::Open, State::Waiting | State::HandedOver { .. }) => {
            let ordered_at_seconds = ordered_at.micros().div_euclid(SECOND_MICROS);
            Some(Totals { count: 1, sum: ordered_at_seconds, squares: 0 })
        }
        (Quantity::Unshipped | Quantity::InTransit | Quantity::Open, _) => None,
        (Quantity::HandlingHours, State::HandedOver { at }) => Some(duration(ordered_at, at)),
        (Quantity::HandlingHours, State::Delivered { handed_over_at, .. }) => {
            handed_over_at.map(|at| duration(ordered_at, at))
        }
        (Quantity::TransitHours, State::Delivered { handed_over_at, at }) => {
            handed_over_at.map(|from| duration(from, at))
        }
        (Quantity::DeliveryHours, State::Delivered { at, .. }) => Some(duration(ordered_at, at)),
        (Quantity::WithinTwoDays, State::Delivered { at, .. }) => {
            let within = i64::from(at.hours_since(ordered_at) <= TWO_DAYS_HOURS);
            Some(Totals { count: 1, sum: within, squares: within })
        }
        (
            Quantity::HandlingHours
            | Quantity::TransitHours
            | Quantity::DeliveryHours
            | Quantity::WithinTwoDays,
            State::Waiting | State::HandedOver { .. },
        )
        // These are checked once, at an age.
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

/// A longer duration is none that a network has: it counts as this, so that sums of squares fit.
/// Units: seconds; ten years.
const DURATION_MAX_SECONDS: i64 = 10 * 365 * 86_400;

/// What a duration adds.
pub(crate) fn duration(from: Instant, to: Instant) -> Totals {
    let seconds =
        (to.micros_since(from) / SECOND_MICROS).clamp(-DURATION_MAX_SECONDS, DURATION_MAX_SECONDS);
    let minutes = seconds / 60;
    Totals { count: 1, sum: seconds, squares: minutes * minutes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::HOUR_MICROS;

    const EPOCH: Instant = Instant::from_micros(0);

    fn hours(hours: i64) -> Instant {
        Instant::from_micros(hours * HOUR_MICROS)
    }

    fn on_day(day: i64, state: State) -> Version {
        Version { recorded_at: hours(day * 24 + 2), state }
    }

    /// (day, count, sum) of the changes of one shipment.
    fn changes(quantity: Quantity, versions: &[Version], days: Range<i32>) -> Vec<(i32, i64, i64)> {
        let mut timelines = Timelines::default();
        timelines.push(versions.iter().copied());
        let days = Day::since_epoch(days.start)..Day::since_epoch(days.end);
        let changes = of((quantity, 60), &[EPOCH], &timelines, &days);
        let change = |c: &Change| (c.day.days_since_epoch(), c.change.count, c.change.sum);
        changes.iter().map(change).collect()
    }

    #[test]
    fn a_correction_takes_back_and_adds_on_its_own_day() {
        let delivered = |at| State::Delivered { handed_over_at: None, at };
        let versions = [
            on_day(0, State::Waiting),
            on_day(3, delivered(hours(60))),
            on_day(4, delivered(hours(60))),
            on_day(9, delivered(hours(70))),
        ];
        let of_days = |days| changes(Quantity::DeliveryHours, &versions, days);
        assert_eq!(of_days(0..99), [(3, 1, 216_000), (9, -1, -216_000), (9, 1, 252_000)]);
        assert_eq!(of_days(0..9), [(3, 1, 216_000)]);
        assert_eq!(of_days(9..10), [(9, -1, -216_000), (9, 1, 252_000)]);
    }

    #[test]
    fn a_delivery_is_checked_once_at_an_age_and_open_shipments_count() {
        let delivered = State::Delivered { handed_over_at: None, at: hours(60) };
        let found = |versions: &[Version]| changes(Quantity::DeliveredByDay5, versions, 0..99);
        let in_time = [on_day(0, State::Waiting), on_day(4, delivered), on_day(9, State::Excluded)];
        assert_eq!(found(&in_time), [(5, 1, 1)]);
        // What is recorded on the day itself does not count.
        let too_late = [on_day(0, State::Waiting), on_day(5, delivered)];
        assert_eq!(found(&too_late), [(5, 1, 0)]);
        assert_eq!(found(&[on_day(0, State::Waiting), on_day(2, State::Excluded)]), []);
        assert_eq!(found(&[on_day(7, State::Waiting)]), [], "not recorded by then");
        assert_eq!(changes(Quantity::DeliveredByDay5, &in_time, 6..99), []);
    }

    #[test]
    fn a_shipment_open_for_60_days_leaves_its_stock() {
        let open = [on_day(0, State::Waiting)];
        let shipped = [on_day(0, State::Waiting), on_day(2, State::HandedOver { at: EPOCH })];
        let counts = |versions: &[Version]| -> Vec<_> {
            let changes = changes(Quantity::Unshipped, versions, 0..99);
            changes.into_iter().map(|(day, count, _)| (day, count)).collect()
        };
        assert_eq!(counts(&open), [(0, 1), (60, -1)]);
        assert_eq!(counts(&shipped), [(0, 1), (2, -1)]);
    }
}
