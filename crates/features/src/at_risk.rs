//! Time at risk and deliveries by age of shipments, counted in integers by day: what the
//! [level of the network](crate::level) is made of.
//!
//! As known at the midnight after a day, a shipment has been at risk from its order until its
//! delivery, until the record of its exclusion, or else until that midnight, and until it is lost at
//! most.
//! What a day adds is what is known after it less what was known before: the hours of the day of
//! what is open, and what a late or corrected record gives or takes back. So sums over days depend
//! on what was recorded in them, and not on how many days are ingested at once.

use std::ops::Range;

use rayon::prelude::*;
use statistics::AgeInterval;
use terms::{Day, Instant, KeyIdx};

use crate::Error;
use crate::as_of::{CumulativeTotals, Event, Totals};
use crate::events::SECOND_MICROS;
use crate::timeline::{State, Timelines, Version};

const HOUR_SECONDS: i64 = 3600;

/// Age intervals, in steps of so many hours up to an age in hours: a step is at most a twentieth of the
/// age at which it begins, but for the first day or two.
const STEPS: [(i64, i64); 4] = [(3, 96), (6, 480), (24, 1440), (72, i64::MAX)];

/// Start and width of each age interval in seconds, ascending, up to the age at which a shipment is
/// lost.
fn intervals(lost_after_days: i32) -> Vec<(i64, i64)> {
    let oldest = i64::from(lost_after_days) * 24;
    let mut intervals = Vec::new();
    let mut start = 0;
    for (step, end) in STEPS {
        let end = end.min(oldest);
        while start < end {
            let width = step.min(end - start);
            intervals.push((start * HOUR_SECONDS, width * HOUR_SECONDS));
            start += width;
        }
    }
    intervals
}

/// Counts of one day by age interval: deliveries, and seconds at risk.
struct DayCounts {
    deliveries: Vec<i64>,
    at_risk: Vec<i64>,
}

/// Adds what the versions of active shipments change on `days` to `totals`, of which each key is an
/// age interval. `ordered_at` and `timelines` are of the same shipments, and complete up to the end
/// of `days`. A shipment is at risk for `lost_after_days` at most.
///
/// # Errors
/// If the page of the month is evicted.
pub(crate) fn add(
    totals: &mut CumulativeTotals,
    ordered_at: &[Instant],
    timelines: &Timelines,
    (days, lost_after_days): (&Range<Day>, i32),
) -> Result<(), Error> {
    const ROWS_AT_A_TIME: usize = 4096;
    let intervals = intervals(lost_after_days);
    let n_days = days.end.days_since(days.start) as usize;
    let none = || -> Vec<DayCounts> {
        let zeros = || vec![0; intervals.len()];
        (0..n_days).map(|_| DayCounts { deliveries: zeros(), at_risk: zeros() }).collect()
    };
    let rows: Vec<usize> = (0..ordered_at.len()).collect();
    let counts = rows
        .par_chunks(ROWS_AT_A_TIME)
        .fold(none, |mut counts, rows| {
            for &row in rows {
                let versions = timelines.of(row);
                count(
                    &mut counts,
                    &intervals,
                    (ordered_at[row], versions),
                    (days, lost_after_days),
                );
            }
            counts
        })
        .reduce(none, |mut all, some| {
            for (all, some) in all.iter_mut().zip(&some) {
                all.deliveries.iter_mut().zip(&some.deliveries).for_each(|(all, n)| *all += n);
                all.at_risk.iter_mut().zip(&some.at_risk).for_each(|(all, n)| *all += n);
            }
            all
        });
    let mut events = Vec::new();
    for (day, counts) in Day::each(days.clone()).zip(&counts) {
        for (interval, (&count, &sum)) in counts.deliveries.iter().zip(&counts.at_risk).enumerate()
        {
            let change = Totals { count, sum, squares: 0 };
            if change != Totals::default() {
                events.push(Event { key: KeyIdx(interval as u32), day, change });
            }
        }
    }
    totals.add(events)
}

/// Until when a shipment was at risk, as known at some moment. Units: seconds from its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct AtRisk {
    until: i64,
    is_delivered: bool,
}

impl AtRisk {
    /// As known at the midnight after `day`, at which `last` is its last version; at the age `oldest`
    /// it is lost.
    fn known_after(day: Day, last: Option<&Version>, ordered_at: Instant, oldest: i64) -> Self {
        let Some(last) = last else { return Self::default() };
        let (end, is_delivered) = match last.state {
            State::Delivered { at, .. } => (at, true),
            State::Excluded => (last.recorded_at, false),
            State::Waiting | State::HandedOver { .. } => (day.next().start(), false),
        };
        let until = end.micros_since(ordered_at).div_euclid(SECOND_MICROS).max(0);
        Self { until: until.min(oldest), is_delivered: is_delivered && until < oldest }
    }
}

/// Adds what the versions of one shipment change on `days`.
fn count(
    counts: &mut [DayCounts],
    intervals: &[(i64, i64)],
    (ordered_at, versions): (Instant, &[Version]),
    (days, lost_after_days): (&Range<Day>, i32),
) {
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else { return };
    // Nothing can change any more: not what is closed, nor what is lost.
    let is_open = matches!(last.state, State::Waiting | State::HandedOver { .. });
    let open_until = ordered_at.day().plus(lost_after_days + 1);
    let ends = if is_open { last.day().next().max(open_until) } else { last.day().next() };
    let days_changed = days.start.max(first.day())..days.end.min(ends);
    if days_changed.start >= days_changed.end {
        return;
    }
    let mut n_known = versions.partition_point(|version| version.day() < days_changed.start);
    let oldest = i64::from(lost_after_days) * 24 * HOUR_SECONDS;
    let of = |day: Day, n_known: usize| {
        let last = n_known.checked_sub(1).map(|last| &versions[last]);
        AtRisk::known_after(day, last, ordered_at, oldest)
    };
    let mut before = of(days_changed.start.plus(-1), n_known);
    let skipped = days_changed.start.days_since(days.start) as usize;
    for (counts, day) in counts[skipped..].iter_mut().zip(Day::each(days_changed)) {
        n_known += versions[n_known..].iter().take_while(|version| version.day() <= day).count();
        let after = of(day, n_known);
        add_at_risk(counts, intervals, before.until, after.until);
        for (known, sign) in [(before, -1), (after, 1)] {
            if known.is_delivered {
                counts.deliveries[interval_at(intervals, known.until)] += sign;
            }
        }
        before = after;
    }
}

/// The interval that contains an age below the last one's end.
fn interval_at(intervals: &[(i64, i64)], age: i64) -> usize {
    intervals.partition_point(|&(start, _)| start <= age).saturating_sub(1)
}

/// Adds the seconds between two ages to their intervals; takes them back if the second is smaller.
fn add_at_risk(counts: &mut DayCounts, intervals: &[(i64, i64)], from: i64, to: i64) {
    let (low, high, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
    let mut at = low;
    let mut interval = interval_at(intervals, low);
    while at < high {
        let (start, width) = intervals[interval];
        let end = high.min(start + width);
        counts.at_risk[interval] += sign * (end - at);
        at = end;
        interval += 1;
    }
}

/// The life table of what was recorded on `days`, in hours; `None` if a page that it needs is
/// evicted.
pub(crate) fn life_table(
    totals: &CumulativeTotals,
    days: Range<Day>,
    lost_after_days: i32,
) -> Option<Vec<AgeInterval>> {
    let of = |(interval, (_, width)): (usize, (i64, i64))| {
        let key = KeyIdx(interval as u32);
        let recorded = totals.before(key, days.end)? - totals.before(key, days.start)?;
        Some(AgeInterval {
            width: (width / HOUR_SECONDS) as f64,
            at_risk: recorded.sum as f64 / HOUR_SECONDS as f64,
            events: recorded.count as f64,
        })
    };
    intervals(lost_after_days).into_iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: i64) -> Instant {
        Instant::from_micros(hours * HOUR_SECONDS * SECOND_MICROS)
    }

    fn version(recorded_at: i64, state: State) -> Version {
        Version { recorded_at: hours(recorded_at), state }
    }

    fn delivered(at: i64) -> State {
        State::Delivered { handed_over_at: None, at: hours(at) }
    }

    fn day(day: i32) -> Day {
        Day::since_epoch(day)
    }

    /// Of shipments that are ordered at hour 6: (deliveries, hours at risk) by interval, of
    /// everything recorded on the days before `until`.
    fn counted(timelines: &[&[Version]], steps: &[i32], until: i32) -> Vec<(usize, i64, f64)> {
        counted_up_to(60, timelines, steps, until)
    }

    /// The same in a network in which a shipment is lost after so many days.
    fn counted_up_to(
        lost_after_days: i32,
        timelines: &[&[Version]],
        steps: &[i32],
        until: i32,
    ) -> Vec<(usize, i64, f64)> {
        let mut all = Timelines::default();
        timelines.iter().for_each(|versions| all.push(versions.iter().copied()));
        let ordered_at = vec![hours(6); timelines.len()];
        let mut totals = CumulativeTotals::default();
        totals.start_month(day(0)).unwrap();
        for days in steps.windows(2) {
            let days = day(days[0])..day(days[1]);
            add(&mut totals, &ordered_at, &all, (&days, lost_after_days)).unwrap();
        }
        let table = life_table(&totals, day(0)..day(until), lost_after_days).unwrap();
        let rows = table.iter().enumerate().map(|(i, row)| (i, row.events as i64, row.at_risk));
        rows.filter(|&(_, events, at_risk)| events != 0 || at_risk != 0.0).collect()
    }

    fn total(counted: &[(usize, i64, f64)]) -> (i64, f64) {
        (counted.iter().map(|row| row.1).sum(), counted.iter().map(|row| row.2).sum())
    }

    #[test]
    fn what_is_open_adds_the_hours_of_each_day_and_a_late_record_takes_some_back() {
        let versions = [version(7, State::Waiting), version(74, delivered(40))];
        let until = |day| counted(&[&versions], &[0, 1, 2, 3, 4, 5], day);
        assert_eq!(total(&until(1)), (0, 18.0));
        assert_eq!(total(&until(3)), (0, 66.0));
        // Delivered 34 hours after the order, known after 68.
        let known = until(4);
        assert_eq!(total(&known), (1, 34.0));
        assert_eq!(known.last(), Some(&(11, 1, 1.0)), "the interval of 33 to 36 hours");
        assert_eq!(known, until(5));
        assert_eq!(known[..11], (0..11).map(|i| (i, 0, 3.0)).collect::<Vec<_>>());
    }

    #[test]
    fn corrections_and_exclusions_leave_what_is_known_last() {
        let corrected =
            [version(7, State::Waiting), version(50, delivered(40)), version(99, delivered(46))];
        assert_eq!(total(&counted(&[&corrected], &[0, 9], 9)), (1, 40.0));
        let returned = [version(7, delivered(7)), version(30, State::Excluded)];
        assert_eq!(total(&counted(&[&returned], &[0, 9], 9)), (0, 24.0));
        let lost = [version(7, State::Waiting)];
        assert_eq!(total(&counted(&[&lost], &[0, 99], 99)), (0, 60.0 * 24.0));
        let very_late = [version(7, State::Waiting), version(80 * 24, delivered(79 * 24))];
        assert_eq!(total(&counted(&[&very_late], &[0, 99], 99)), (0, 60.0 * 24.0));
        // In a slower network it is a delivery like others.
        let slower = counted_up_to(120, &[&very_late], &[0, 99], 99);
        assert_eq!(total(&slower), (1, 79.0 * 24.0 - 6.0));
        let quicker = counted_up_to(10, &[&very_late], &[0, 99], 99);
        assert_eq!(total(&quicker), (0, 240.0));
    }

    #[test]
    fn age_intervals_reach_to_where_a_shipment_is_lost_and_end_there() {
        let ends = |lost_after_days: i32| {
            let intervals = intervals(lost_after_days);
            let is_gapless = |pair: &[(i64, i64)]| pair[0].0 + pair[0].1 == pair[1].0;
            assert!(intervals[0].0 == 0 && intervals.windows(2).all(is_gapless));
            let (start, width) = intervals[intervals.len() - 1];
            (intervals.len(), (start + width) / (24 * HOUR_SECONDS))
        };
        // The first 136 are those of a network of 60 days, whatever follows.
        assert_eq!(ends(60), (32 + 64 + 40, 60));
        assert_eq!(ends(180), (136 + 40, 180));
        assert_eq!((ends(100), ends(730)), ((136 + 14, 100), (136 + 224, 730)));
        assert_eq!((ends(7), ends(1)), ((32 + 12, 7), (8, 1)));
        assert_eq!(intervals(180)[..136], intervals(60));
    }

    #[test]
    fn it_does_not_matter_how_many_days_are_ingested_at_once() {
        let shipments: Vec<Vec<Version>> = (0..200)
            .map(|i: i64| {
                let recorded = 7 + i % 50;
                let at = recorded + i * 37 % 600;
                let last = if i % 7 == 0 { State::Excluded } else { delivered(at) };
                let corrected = version(at + i % 90 + 30, delivered(at - i % 5));
                vec![version(recorded, State::Waiting), version(at + i % 90, last), corrected]
            })
            .collect();
        let shipments: Vec<&[Version]> = shipments.iter().map(Vec::as_slice).collect();
        let at_once = counted(&shipments, &[0, 31], 31);
        let daily: Vec<i32> = (0..32).collect();
        assert_eq!(at_once, counted(&shipments, &daily, 31));
        assert_eq!(at_once, counted(&shipments, &[0, 1, 4, 20, 31], 31));
        assert_eq!(total(&at_once).0, 200);
    }
}
