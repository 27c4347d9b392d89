//! The as-of join: the only place where a row meets facts of other shipments.
//!
//! [`CumulativeTotals`] hold, for each key, the running total of everything recorded up to each
//! day. A row reads the total before a day; the total of a window is the difference of two such
//! reads. Totals are integers, so a window's sum is exact, whatever was recorded before it and in
//! whatever order totals are merged.
//!
//! Totals are kept in one [`MonthPage`] a month, which begins with what each key had before the
//! month. So a read needs one page, and of a long history only the pages in which a window begins
//! or ends are in memory; the others are evicted.

use std::collections::BTreeSet;

use terms::{Day, KeyIdx};

use crate::Error;

/// A dated difference of a quantity: what one recorded fact adds to a key, or takes back from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// The key.
    pub(crate) key: KeyIdx,
    /// Day on which the fact was recorded.
    pub(crate) day: Day,
    /// What it adds.
    pub(crate) change: Totals,
}

/// A count, and sums of a quantity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// How many.
    pub(crate) count: i64,
    /// Sum of seconds (or of ones).
    pub(crate) sum: i64,
    /// Sum of squared minutes: 180 days squared, a hundred million times, still fits, and what does
    /// not stays at the largest number.
    pub(crate) squares: i64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.saturating_add(other.squares);
    }
}

impl std::ops::Sub for Totals {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_sub(other.count),
            sum: self.sum.saturating_sub(other.sum),
            squares: self.squares.saturating_sub(other.squares),
        }
    }
}

impl std::ops::Neg for Totals {
    type Output = Self;

    fn neg(self) -> Self {
        Self::default() - self
    }
}

/// Running totals by key and day, of the days of one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MonthPage {
    /// The total of each key before the month; keys beyond its end had nothing.
    before: Vec<Totals>,
    /// For each key the position of its first day in `days`; one longer than there are keys.
    starts: Vec<usize>,
    /// Days on which something was recorded, ascending within a key.
    days: Vec<Day>,
    /// The total of the key up to and including the day.
    totals: Vec<Totals>,
}

impl Default for MonthPage {
    fn default() -> Self {
        Self { before: Vec::new(), starts: vec![0], days: Vec::new(), totals: Vec::new() }
    }
}

impl MonthPage {
    /// From (key, day, total up to and including the day), sorted by key and day. An entry of a day
    /// before the month is what the key had before it.
    pub(crate) fn from_entries(
        first_day: Day,
        entries: impl Iterator<Item = (KeyIdx, Day, Totals)>,
    ) -> Self {
        let mut page = Self::default();
        for (key, day, total) in entries {
            let key = key.as_usize();
            if day < first_day {
                page.before.resize(key + 1, Totals::default());
                page.before[key] = total;
            } else {
                page.starts.resize(key + 1, page.days.len());
                page.days.push(day);
                page.totals.push(total);
                page.starts.push(page.days.len());
            }
        }
        page
    }

    /// The inverse of [`MonthPage::from_entries`]: what a key had before the month is an entry of
    /// the day before it.
    pub(crate) fn entries(&self, first_day: Day) -> impl Iterator<Item = (KeyIdx, Day, Totals)> {
        self.keys().flat_map(move |key| {
            let total = self.before_month(key);
            let before = (total != Totals::default()).then_some((key, first_day.plus(-1), total));
            let days = self.days_of(key).map(move |i| (key, self.days[i], self.totals[i]));
            before.into_iter().chain(days)
        })
    }

    /// The page with more events, none of them before the last day that it has.
    #[must_use]
    fn with_events(&self, mut events: Vec<Event>) -> Self {
        events.sort_unstable_by_key(|event| (event.key, event.day));
        let last_key = events.last().map_or(0, |event| event.key.as_usize() + 1);
        let n_keys = last_key.max(self.starts.len() - 1);
        let mut page = Self { before: self.before.clone(), ..Self::default() };
        page.days.reserve(self.days.len() + events.len());
        page.totals.reserve(self.days.len() + events.len());
        let mut events = events.into_iter().peekable();
        for key in (0..n_keys as u32).map(KeyIdx) {
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

    /// The page of the next month, still without days.
    fn next_month(&self) -> Self {
        Self { before: self.keys().map(|key| self.last(key)).collect(), ..Self::default() }
    }

    /// The total of what was recorded of the key before `day`.
    fn before(&self, key: KeyIdx, day: Day) -> Totals {
        let range = self.days_of(key);
        match self.days[range.clone()].partition_point(|&recorded_on| recorded_on < day) {
            0 => self.before_month(key),
            n => self.totals[range.start + n - 1],
        }
    }

    fn last(&self, key: KeyIdx) -> Totals {
        self.days_of(key).last().map_or_else(|| self.before_month(key), |last| self.totals[last])
    }

    fn before_month(&self, key: KeyIdx) -> Totals {
        self.before.get(key.as_usize()).copied().unwrap_or_default()
    }

    fn keys(&self) -> impl Iterator<Item = KeyIdx> + use<> {
        let n_keys = self.before.len().max(self.starts.len() - 1);
        (0..n_keys as u32).map(KeyIdx)
    }

    fn days_of(&self, key: KeyIdx) -> std::ops::Range<usize> {
        let key = key.as_usize();
        if key + 1 < self.starts.len() { self.starts[key]..self.starts[key + 1] } else { 0..0 }
    }
}

/// Running totals of one quantity by key and day, month by month.
#[derive(Debug, Default)]
pub(crate) struct CumulativeTotals {
    /// By first day. `None` is a page that is evicted.
    pages: Vec<(Day, Option<MonthPage>)>,
}

impl CumulativeTotals {
    /// Of months whose pages are all evicted, ascending by first day.
    pub(crate) fn evicted(months: &[Day]) -> Self {
        Self { pages: months.iter().map(|&first_day| (first_day, None)).collect() }
    }

    /// Starts the page of a month after the last one.
    ///
    /// # Errors
    /// If the page of the last month is evicted.
    pub(crate) fn start_month(&mut self, first_day: Day) -> Result<(), Error> {
        let page = match self.pages.last() {
            None => MonthPage::default(),
            Some((_, Some(last))) => last.next_month(),
            Some(&(month, None)) => return Err(Error::PageMissing { month }),
        };
        self.pages.push((first_day, Some(page)));
        Ok(())
    }

    /// Adds events of the last month.
    ///
    /// # Errors
    /// If there is no month, or its page is evicted.
    pub(crate) fn add(&mut self, events: Vec<Event>) -> Result<(), Error> {
        let Some(last) = events.last() else { return Ok(()) };
        let month = last.day.first_of_month();
        match self.pages.last_mut() {
            Some((_, Some(page))) => *page = page.with_events(events),
            _ => return Err(Error::PageMissing { month }),
        }
        Ok(())
    }

    /// Evicts the pages that are not read for any of `days`; the last one stays.
    pub(crate) fn evict_pages(&mut self, days: &BTreeSet<Day>) {
        let ends: Vec<Day> = self.pages.iter().skip(1).map(|(first_day, _)| *first_day).collect();
        for ((first_day, page), end) in self.pages.iter_mut().zip(ends) {
            if days.range(*first_day..end).next().is_none() {
                *page = None;
            }
        }
    }

    /// Puts the page of a month back that was evicted.
    pub(crate) fn load_page(&mut self, first_day: Day, page: MonthPage) {
        if let Some((_, evicted)) = self.pages.iter_mut().find(|(first, _)| *first == first_day) {
            *evicted = Some(page);
        }
    }

    /// The page of a month, if it is in memory.
    pub(crate) fn page(&self, first_day: Day) -> Option<&MonthPage> {
        let (_, page) = self.pages.iter().find(|(first, _)| *first == first_day)?;
        page.as_ref()
    }

    /// The total of what was recorded of `key` on all days before `day`; `None` if the page with
    /// the answer is evicted. A window is the difference of two totals.
    ///
    /// As of: midnight at the start of `day`; a fact recorded on `day` itself does not count.
    pub(crate) fn before(&self, key: KeyIdx, day: Day) -> Option<Totals> {
        match self.pages.partition_point(|(first_day, _)| *first_day <= day) {
            0 => Some(Totals::default()),
            n => self.pages[n - 1].1.as_ref().map(|page| page.before(key, day)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i32) -> Day {
        Day::since_epoch(days)
    }

    fn event(key: u32, on: i32, sum: i64) -> Event {
        let change = Totals { count: 1, sum, squares: sum * sum };
        Event { key: KeyIdx(key), day: day(on), change }
    }

    fn totals_of(events: Vec<Event>) -> CumulativeTotals {
        let mut totals = CumulativeTotals::default();
        totals.start_month(day(0)).unwrap();
        totals.add(events).unwrap();
        totals
    }

    fn within(totals: &CumulativeTotals, key: u32, on: i32, window: Option<i32>) -> Totals {
        let before = |on: i32| totals.before(KeyIdx(key), day(on)).unwrap();
        window.map_or(before(on), |days| before(on) - before(on - days))
    }

    #[test]
    fn a_window_ends_before_its_day_and_reaches_back_whole_days() {
        let totals =
            totals_of(vec![event(1, 10, 5), event(0, 10, 1), event(1, 12, 7), event(1, 10, 6)]);
        let within = |key, day, window| within(&totals, key, day, window);
        assert_eq!(within(1, 10, Some(7)), Totals::default());
        assert_eq!(within(1, 11, Some(1)), Totals { count: 2, sum: 11, squares: 61 });
        assert_eq!(within(1, 13, Some(1)).sum, 7);
        assert_eq!(within(1, 13, Some(3)).sum, 18);
        assert_eq!(within(1, 99, Some(3)).count, 0);
        assert_eq!(within(1, 99, None).count, 3);
        assert_eq!(within(2, 99, None).count, 0);
    }

    #[test]
    fn a_fact_taken_back_leaves_nothing() {
        let fact = event(0, 3, 9);
        let taken_back = Event { day: day(5), change: -fact.change, ..fact };
        let totals = totals_of(vec![taken_back, fact]);
        assert_eq!(within(&totals, 0, 5, None).sum, 9);
        assert_eq!(within(&totals, 0, 6, None), Totals::default());
    }

    #[test]
    fn month_pages_give_the_totals_of_one_page_and_survive_eviction() {
        let events: Vec<Event> =
            (0..400).map(|n| event(n * 7 % 5, (n * 13 % 90) as i32, i64::from(n))).collect();
        let whole = totals_of(events.clone());
        let mut paged = CumulativeTotals::default();
        for month in [0, 30, 60] {
            paged.start_month(day(month)).unwrap();
            for days in [month..month + 1, month + 1..month + 12, month + 12..month + 30] {
                let days = day(days.start)..day(days.end);
                let of_days = events.iter().filter(|event| days.contains(&event.day));
                paged.add(of_days.copied().collect()).unwrap();
            }
        }
        let months = [0, 30, 60].map(day);
        let mut loaded = CumulativeTotals::evicted(&months);
        for month in months {
            let page = paged.page(month).unwrap();
            loaded.load_page(month, MonthPage::from_entries(month, page.entries(month)));
        }
        for key in 0..7 {
            for day in 0..130 {
                for window in [None, Some(1), Some(29), Some(61)] {
                    let expected = within(&whole, key, day, window);
                    assert_eq!(within(&paged, key, day, window), expected);
                    assert_eq!(within(&loaded, key, day, window), expected);
                }
            }
        }
    }

    #[test]
    fn an_evicted_page_is_never_taken_for_an_empty_one() {
        let mut totals = totals_of(vec![event(0, 3, 9)]);
        totals.start_month(day(31)).unwrap();
        totals.evict_pages(&BTreeSet::from([day(40)]));
        assert_eq!(totals.before(KeyIdx(0), day(5)), None);
        assert_eq!(totals.before(KeyIdx(0), day(40)).unwrap().sum, 9);
        let mut evicted = CumulativeTotals::evicted(&[day(0)]);
        assert!(evicted.start_month(day(31)).is_err());
        assert!(evicted.add(vec![event(0, 4, 1)]).is_err());
    }
}
