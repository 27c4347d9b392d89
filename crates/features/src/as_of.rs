//! The as-of join: the only place where a row meets facts of other shipments.
//!
//! A [`Ledger`] holds, for each key and day of knowledge, running totals of differences. A row
//! asks for what was known at the end of a day; a window is the difference of two such answers.
//! Totals are integers, so the sum of a window is exact, does not depend on what came before it,
//! and can be merged from parts in any order.

/// A dated difference of a quantity: what one recorded fact adds to (or takes back from) a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Position of the key.
    pub(crate) key: u32,
    /// Day on which the fact was recorded, since the epoch.
    pub(crate) day: i32,
    /// What changes.
    pub(crate) change: Total,
}

/// A count, and sums of a quantity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// How many.
    pub(crate) count: i64,
    /// Sum of seconds (or of ones).
    pub(crate) sum: i64,
    /// Sum of squared minutes: 60 days squared, ten million times, still fits.
    pub(crate) squares: i64,
}

impl std::ops::AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

impl std::ops::Sub for Total {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            count: self.count - other.count,
            sum: self.sum - other.sum,
            squares: self.squares - other.squares,
        }
    }
}

impl std::ops::Neg for Total {
    type Output = Self;

    fn neg(self) -> Self {
        Self::default() - self
    }
}

/// Running totals by key and day.
pub(crate) struct Ledger {
    /// For each key where its days start; n_keys + 1 long.
    starts: Vec<usize>,
    days: Vec<i32>,
    /// The total of the key up to and with the day.
    totals: Vec<Total>,
}

impl Ledger {
    /// Sums `events` up. Order of the events does not matter.
    pub(crate) fn new(mut events: Vec<Event>, n_keys: usize) -> Self {
        events.sort_unstable_by_key(|event| (event.key, event.day));
        let mut ledger = Self { starts: vec![0], days: Vec::new(), totals: Vec::new() };
        let mut events = events.into_iter().peekable();
        for key in 0..n_keys as u32 {
            let mut total = Total::default();
            while let Some(event) = events.next_if(|event| event.key == key) {
                total += event.change;
                if ledger.days.len() > ledger.starts[key as usize]
                    && ledger.days.last() == Some(&event.day)
                {
                    ledger.days.pop();
                    ledger.totals.pop();
                }
                ledger.days.push(event.day);
                ledger.totals.push(total);
            }
            ledger.starts.push(ledger.days.len());
        }
        ledger
    }

    /// What was recorded of `key` on the `window` days before `day`, or on all days before it.
    ///
    /// As of: midnight at the start of `day`; a fact recorded on `day` itself is not seen.
    pub(crate) fn before(&self, key: u32, day: i32, window: Option<u16>) -> Total {
        let now = self.until(key, day);
        match window {
            None => now,
            Some(days) => now - self.until(key, day - i32::from(days)),
        }
    }

    fn until(&self, key: u32, day: i32) -> Total {
        let range = self.starts[key as usize]..self.starts[key as usize + 1];
        match self.days[range.clone()].partition_point(|&recorded_on| recorded_on < day) {
            0 => Total::default(),
            n => self.totals[range.start + n - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: u32, day: i32, sum: i64) -> Event {
        Event { key, day, change: Total { count: 1, sum, squares: sum * sum } }
    }

    #[test]
    fn a_window_ends_before_its_day_and_reaches_back_whole_days() {
        let events = vec![event(1, 10, 5), event(0, 10, 1), event(1, 12, 7), event(1, 10, 6)];
        let ledger = Ledger::new(events, 3);
        assert_eq!(ledger.before(1, 10, Some(7)), Total::default());
        assert_eq!(ledger.before(1, 11, Some(1)), Total { count: 2, sum: 11, squares: 61 });
        assert_eq!(ledger.before(1, 13, Some(1)).sum, 7);
        assert_eq!(ledger.before(1, 13, Some(3)).sum, 18);
        assert_eq!(ledger.before(1, 99, Some(3)).count, 0);
        assert_eq!(ledger.before(1, 99, None).count, 3);
        assert_eq!(ledger.before(2, 99, None).count, 0);
    }

    #[test]
    fn a_fact_taken_back_leaves_nothing() {
        let fact = event(0, 3, 9);
        let taken_back = Event { day: 5, change: -fact.change, ..fact };
        let ledger = Ledger::new(vec![taken_back, fact], 1);
        assert_eq!(ledger.before(0, 5, None).sum, 9);
        assert_eq!(ledger.before(0, 6, None), Total::default());
    }
}
