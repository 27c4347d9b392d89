//! Work that piles up: nodes and carriers get through so much a day, and the rest waits.
//!
//! A fluid: no single parcel is queued. What came in today delays who comes tomorrow, so nothing
//! depends on orders that are not placed yet.

use crate::clock::weekday;

/// Capacity on an ordinary day, as a multiple of the mean of what comes in.
const CAPACITY: f64 = 1.35;
/// Overtime while work is piled up.
const OVERTIME: f64 = 1.35;
/// Half the staff works on Sundays.
const SUNDAY: f64 = 0.5;
/// Nobody lets work pile up beyond this.
const WAIT_HOURS_MAX: f64 = 96.0;

/// What waits at each place.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Units: shipments a day.
    capacity: Vec<f64>,
    backlog: Vec<f64>,
    arrivals: Vec<f64>,
}

impl Load {
    /// Places that get so many shipments a day in the mean.
    pub(crate) fn new(mean_a_day: impl IntoIterator<Item = f64>) -> Self {
        let capacity: Vec<f64> = mean_a_day.into_iter().map(|mean| CAPACITY * mean + 1.0).collect();
        let nothing = vec![0.0; capacity.len()];
        Self { backlog: nothing.clone(), arrivals: nothing, capacity }
    }

    pub(crate) fn capacity(&self, place: usize) -> f64 {
        self.capacity[place]
    }

    /// Work comes in.
    pub(crate) fn arrive(&mut self, place: usize, shipments: f64) {
        self.arrivals[place] += shipments;
    }

    /// How long what comes in today waits for what came before.
    pub(crate) fn wait_hours(&self, place: usize) -> f64 {
        (24.0 * self.backlog[place] / self.capacity[place]).min(WAIT_HOURS_MAX)
    }

    /// Works off what can be worked off on a day (since the epoch).
    pub(crate) fn end_day(&mut self, day: i64) {
        let staff = if weekday(day) == 6 { SUNDAY } else { 1.0 };
        for place in 0..self.capacity.len() {
            let overtime = if self.backlog[place] > 0.0 { OVERTIME } else { 1.0 };
            let waiting = self.backlog[place] + std::mem::take(&mut self.arrivals[place]);
            self.backlog[place] = (waiting - self.capacity[place] * staff * overtime).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_delays_the_days_after_it_and_passes() {
        let mut load = Load::new([100.0]);
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
