//! Backlog of nodes and carriers: each has a daily capacity, and the rest of the work waits.
//!
//! A fluid approximation of a queue: no single parcel is queued. What arrives today delays what
//! arrives tomorrow, so nothing depends on orders that are not placed yet.

use crate::calendar::weekday;

/// Capacity on an ordinary day, as a multiple of mean arrivals.
pub(crate) const CAPACITY: f64 = 1.35;
/// Factor on capacity while there is a backlog.
pub(crate) const OVERTIME: f64 = 1.35;
/// Factor on capacity on Sundays.
const SUNDAY: f64 = 0.5;
/// The longest wait, and that where every day is a working day: there help comes at once.
pub(crate) const WAIT_HOURS_MAX: f64 = 96.0;
pub(crate) const WAIT_HOURS_MAX_EVERY_DAY: f64 = 2.0;

/// The backlog of each server, a node or a carrier. Units: shipments.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Units: shipments a day.
    capacity: Vec<f64>,
    backlog: Vec<f64>,
    wait_hours_max: f64,
    arrivals: Vec<f64>,
}

impl Load {
    /// Servers without a backlog, by their mean arrivals a day; nothing waits longer than the most.
    pub(crate) fn new(mean_a_day: impl IntoIterator<Item = f64>, wait_hours_max: f64) -> Self {
        let capacity: Vec<f64> = mean_a_day.into_iter().map(|mean| CAPACITY * mean + 1.0).collect();
        let nothing = vec![0.0; capacity.len()];
        Self { backlog: nothing.clone(), wait_hours_max, arrivals: nothing, capacity }
    }

    pub(crate) fn capacity(&self, server: usize) -> f64 {
        self.capacity[server]
    }

    /// Adds arrivals of today.
    pub(crate) fn arrive(&mut self, server: usize, shipments: f64) {
        self.arrivals[server] += shipments;
    }

    /// How long today's arrivals wait for the backlog before them.
    pub(crate) fn wait_hours(&self, server: usize) -> f64 {
        (24.0 * self.backlog[server] / self.capacity[server]).min(self.wait_hours_max)
    }

    /// Ends a day (since the epoch): works off what its capacity allows.
    pub(crate) fn end_day(&mut self, day: i64) {
        let staff = if weekday(day) == 6 { SUNDAY } else { 1.0 };
        for server in 0..self.capacity.len() {
            let overtime = if self.backlog[server] > 0.0 { OVERTIME } else { 1.0 };
            let work = self.backlog[server] + std::mem::take(&mut self.arrivals[server]);
            self.backlog[server] = (work - self.capacity[server] * staff * overtime).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_delays_the_days_after_it_and_passes() {
        let mut load = Load::new([100.0], WAIT_HOURS_MAX);
        let mut waits = Vec::new();
        // From a Monday; the rush is on Wednesday, and Sunday comes when it is nearly over.
        const MONDAY: i64 = 4;
        for day in MONDAY..MONDAY + 10 {
            waits.push(load.wait_hours(0));
            load.arrive(0, if day == MONDAY + 2 { 400.0 } else { 100.0 });
            load.end_day(day);
        }
        assert!(waits[..3].iter().all(|&wait| wait == 0.0));
        assert!(waits[3] > 30.0 && waits[4] < waits[3]);
        assert_eq!(waits[9], 0.0);
    }
}
