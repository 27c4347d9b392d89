//! The as-of join: the only place where a row meets facts of other shipments.
//!
//! A [`Ledger`] holds, for each key and day of knowledge, running totals of differences. A row
//! asks for what was known at the end of a day; a window is the difference of two such answers.
//! Totals are integers, so the sum of a window is exact, does not depend on what came before it,
//! and can be merged from parts in any order.
//!
//! A ledger has a page for each month, which begins with what all keys had before it. So an answer
//! needs one page, and the pages of a long history are only read where a window begins.

use std::collections::BTreeSet;

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

/// Running totals by key and day, of the days of one month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// What each key had before the month; keys beyond its end had nothing.
    base: Vec<Total>,
    /// For each key where its days start; one longer than there are keys with days.
    starts: Vec<usize>,
    days: Vec<i32>,
    /// The total of the key up to and with the day.
    totals: Vec<Total>,
}

impl Page {
    /// From (key, day, total up to and with the day), sorted; a day before the month stands for
    /// what the key had before it.
    pub(crate) fn from_entries(
        first_day: i32,
        entries: impl Iterator<Item = (u32, i32, Total)>,
    ) -> Self {
        let mut page = Self { starts: vec![0], ..Self::default() };
        for (key, day, total) in entries {
            if day < first_day {
                page.base.resize(key as usize + 1, Total::default());
                page.base[key as usize] = total;
            } else {
                page.starts.resize(key as usize + 1, page.days.len());
                page.days.push(day);
                page.totals.push(total);
                page.starts.push(page.days.len());
            }
        }
        page
    }

    /// What [`Page::from_entries`] reads; what is before the month has the day before it.
    pub(crate) fn entries(&self, first_day: i32) -> impl Iterator<Item = (u32, i32, Total)> {
        let n_keys = self.base.len().max(self.starts.len().saturating_sub(1));
        (0..n_keys as u32).flat_map(move |key| {
            let base = self.base(key);
            let before = (base != Total::default()).then_some((key, first_day - 1, base));
            let days = self.days_of(key).map(move |i| (key, self.days[i], self.totals[i]));
            before.into_iter().chain(days)
        })
    }

    /// The page with more events, none of them before the last day that it has.
    #[must_use]
    pub(crate) fn and(&self, mut events: Vec<Event>) -> Self {
        events.sort_unstable_by_key(|event| (event.key, event.day));
        let last_key = events.last().map_or(0, |event| event.key as usize + 1);
        let n_keys = last_key.max(self.starts.len().saturating_sub(1));
        let mut page = Self { base: self.base.clone(), starts: vec![0], ..Self::default() };
        page.days.reserve(self.days.len() + events.len());
        page.totals.reserve(self.days.len() + events.len());
        let mut events = events.into_iter().peekable();
        for key in 0..n_keys as u32 {
            let start = page.days.len();
            for i in self.days_of(key) {
                page.days.push(self.days[i]);
                page.totals.push(self.totals[i]);
            }
            let mut total = self.last(key);
            while let Some(event) = events.next_if(|event| event.key == key) {
                total += event.change;
                if page.days.len() > start && page.days.last() == Some(&event.day) {
                    page.days.pop();
                    page.totals.pop();
                }
                page.days.push(event.day);
                page.totals.push(total);
            }
            page.starts.push(page.days.len());
        }
        page
    }

    /// The page of the next month.
    pub(crate) fn next(&self) -> Self {
        let n_keys = self.base.len().max(self.starts.len().saturating_sub(1));
        let base = (0..n_keys as u32).map(|key| self.last(key)).collect();
        Self { base, starts: vec![0], ..Self::default() }
    }

    /// The total of the key's facts recorded before `day`.
    fn until(&self, key: u32, day: i32) -> Total {
        let range = self.days_of(key);
        match self.days[range.clone()].partition_point(|&recorded_on| recorded_on < day) {
            0 => self.base(key),
            n => self.totals[range.start + n - 1],
        }
    }

    fn last(&self, key: u32) -> Total {
        self.days_of(key).last().map_or_else(|| self.base(key), |last| self.totals[last])
    }

    fn base(&self, key: u32) -> Total {
        self.base.get(key as usize).copied().unwrap_or_default()
    }

    fn days_of(&self, key: u32) -> std::ops::Range<usize> {
        let at = key as usize;
        if at + 1 < self.starts.len() { self.starts[at]..self.starts[at + 1] } else { 0..0 }
    }
}

/// Running totals by key and day, month by month.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By first day. A page that was not recalled is missing.
    pages: Vec<(i32, Option<Page>)>,
}

impl Ledger {
    /// Begins another month, after the last one.
    pub(crate) fn turn(&mut self, first_day: i32) {
        let next = self.pages.last().and_then(|(_, page)| page.as_ref()).map(Page::next);
        self.pages.push((first_day, Some(next.unwrap_or_default())));
    }

    /// Forgets the pages of months that answer at none of `days`, and are kept elsewhere.
    pub(crate) fn keep_pages_of(&mut self, days: &BTreeSet<i32>) {
        let ends: Vec<i32> = self.pages.iter().skip(1).map(|(first_day, _)| *first_day).collect();
        for ((first_day, page), end) in self.pages.iter_mut().zip(ends) {
            if days.range(*first_day..end).next().is_none() {
                *page = None;
            }
        }
    }

    /// Notes a month whose page is kept elsewhere.
    pub(crate) fn note(&mut self, first_day: i32) {
        self.pages.push((first_day, None));
    }

    /// Puts the page of a noted month into its place.
    pub(crate) fn recall(&mut self, first_day: i32, page: Page) {
        if let Some(place) = self.pages.iter_mut().find(|(first, _)| *first == first_day) {
            place.1 = Some(page);
        }
    }

    /// Adds events of the last month.
    pub(crate) fn add(&mut self, events: Vec<Event>) {
        if let Some((_, Some(page))) = self.pages.last_mut()
            && !events.is_empty()
        {
            *page = page.and(events);
        }
    }

    /// The page of a month.
    pub(crate) fn page(&self, first_day: i32) -> Option<&Page> {
        let (_, page) = self.pages.iter().find(|(first, _)| *first == first_day)?;
        page.as_ref()
    }

    /// What was recorded of `key` on all days before `day`. A window is the difference of two.
    ///
    /// As of: midnight at the start of `day`; a fact recorded on `day` itself is not seen.
    ///
    /// # Panics
    /// If the page that it takes is kept elsewhere and was not recalled: zero would be a wrong
    /// answer.
    pub(crate) fn until(&self, key: u32, day: i32) -> Total {
        match self.pages.partition_point(|(first_day, _)| *first_day <= day) {
            0 => Total::default(),
            n => match &self.pages[n - 1].1 {
                Some(page) => page.until(key, day),
                None => panic!("the page of day {day} was not recalled"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: u32, day: i32, sum: i64) -> Event {
        Event { key, day, change: Total { count: 1, sum, squares: sum * sum } }
    }

    fn ledger(events: Vec<Event>) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.turn(0);
        ledger.add(events);
        ledger
    }

    fn within(ledger: &Ledger, key: u32, day: i32, window: Option<i32>) -> Total {
        let now = ledger.until(key, day);
        window.map_or(now, |days| now - ledger.until(key, day - days))
    }

    #[test]
    fn a_window_ends_before_its_day_and_reaches_back_whole_days() {
        let ledger =
            ledger(vec![event(1, 10, 5), event(0, 10, 1), event(1, 12, 7), event(1, 10, 6)]);
        let within = |key, day, window| within(&ledger, key, day, window);
        assert_eq!(within(1, 10, Some(7)), Total::default());
        assert_eq!(within(1, 11, Some(1)), Total { count: 2, sum: 11, squares: 61 });
        assert_eq!(within(1, 13, Some(1)).sum, 7);
        assert_eq!(within(1, 13, Some(3)).sum, 18);
        assert_eq!(within(1, 99, Some(3)).count, 0);
        assert_eq!(within(1, 99, None).count, 3);
        assert_eq!(within(2, 99, None).count, 0);
    }

    #[test]
    fn a_fact_taken_back_leaves_nothing() {
        let fact = event(0, 3, 9);
        let taken_back = Event { day: 5, change: -fact.change, ..fact };
        let ledger = ledger(vec![taken_back, fact]);
        assert_eq!(ledger.until(0, 5).sum, 9);
        assert_eq!(ledger.until(0, 6), Total::default());
    }

    #[test]
    fn pages_answer_as_one_ledger_does_and_come_back_as_they_were() {
        let events: Vec<Event> =
            (0..400).map(|n| event(n * 7 % 5, (n * 13 % 90) as i32, i64::from(n))).collect();
        let whole = ledger(events.clone());
        let mut paged = Ledger::default();
        for month in [0, 30, 60] {
            paged.turn(month);
            for days in [month..month + 1, month + 1..month + 12, month + 12..month + 30] {
                let of_days = events.iter().filter(|event| days.contains(&event.day));
                paged.add(of_days.copied().collect());
            }
        }
        let mut recalled = Ledger::default();
        for month in [0, 30, 60] {
            recalled.note(month);
            let page = paged.page(month).unwrap();
            let again = Page::from_entries(month, page.entries(month));
            recalled.recall(month, again);
        }
        for key in 0..7 {
            for day in 0..130 {
                for window in [None, Some(1), Some(29), Some(61)] {
                    let expected = within(&whole, key, day, window);
                    assert_eq!(within(&paged, key, day, window), expected);
                    assert_eq!(within(&recalled, key, day, window), expected);
                }
            }
        }
    }
}
