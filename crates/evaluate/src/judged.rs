//! The rows that can be judged: those whose outcome is known, with their order days.

use std::collections::BTreeMap;

use terms::{Day, Instant, N_LEVELS, TWO_DAYS_HOURS};

use crate::bootstrap::Draws;
use crate::tally::Tally;
use crate::{Error, Forecast, Settings, Shipments};

/// Days from the Monday before the epoch, a Thursday, to the epoch.
const EPOCH_AFTER_MONDAY: i32 = 3;

/// The judged rows of some shipments.
pub(crate) struct Judged<'a> {
    pub(crate) shipments: &'a Shipments,
    /// Positions of the judged rows, ascending.
    pub(crate) rows: Vec<usize>,
    /// Days since the epoch on which judged rows were ordered, ascending.
    pub(crate) days: Vec<i32>,
    /// Position in `days` of each row of the shipments; that of an unjudged row means nothing.
    day_of: Vec<usize>,
    draws: Draws,
}

/// What one forecast scores on some rows.
pub(crate) struct Scored {
    pub(crate) total: Tally,
    /// The total of each resample, in the order of the rounds.
    pub(crate) resampled: Vec<Tally>,
}

impl<'a> Judged<'a> {
    pub(crate) fn new(shipments: &'a Shipments, settings: &Settings) -> Result<Self, Error> {
        shipments.check()?;
        let known = |row: &usize| shipments.actual_hours[*row].is_some();
        let rows: Vec<usize> = (0..shipments.len()).filter(known).collect();
        if rows.is_empty() {
            return Err(Error::NothingMatured { rows: shipments.len() });
        }
        let mut days: Vec<i32> = rows.iter().map(|&row| order_day(shipments, row)).collect();
        days.sort_unstable();
        days.dedup();
        let position = |row| days.partition_point(|&day| day < order_day(shipments, row));
        let day_of = (0..shipments.len()).map(position).collect();
        let draws = Draws::new(days.len(), settings.rounds, settings.seed);
        Ok(Self { shipments, rows, days, day_of, draws })
    }

    /// The known outcome of a judged row, in hours.
    pub(crate) fn actual(&self, row: usize) -> f64 {
        self.shipments.actual_hours[row].map_or(f64::NAN, f64::from)
    }

    /// The judged rows that really took more than two days.
    pub(crate) fn over_two_days(&self) -> Vec<usize> {
        let over = |row: &usize| self.actual(*row) > TWO_DAYS_HOURS;
        self.rows.iter().copied().filter(over).collect()
    }

    pub(crate) fn order_days(&self, rows: &[usize]) -> usize {
        let mut days: Vec<usize> = rows.iter().map(|&row| self.day_of[row]).collect();
        days.sort_unstable();
        days.dedup();
        days.len()
    }

    pub(crate) fn tally(&self, hours: &[[f32; N_LEVELS]], rows: &[usize]) -> Tally {
        let mut total = Tally::default();
        for &row in rows {
            total.add(&Tally::of(&hours[row], self.actual(row)), 1.0);
        }
        total
    }

    pub(crate) fn score(&self, forecast: &Forecast, rows: &[usize]) -> Scored {
        let mut by_day = vec![Tally::default(); self.days.len()];
        for &row in rows {
            let tally = Tally::of(&forecast.hours[row], self.actual(row));
            by_day[self.day_of[row]].add(&tally, 1.0);
        }
        let mut total = Tally::default();
        for day in &by_day {
            total.add(day, 1.0);
        }
        let resampled = self.draws.rounds(|times| {
            let mut sum = Tally::default();
            for (day, &times) in by_day.iter().zip(times).filter(|(_, times)| **times > 0) {
                sum.add(day, f64::from(times));
            }
            (sum.rows > 0.0).then_some(sum)
        });
        Scored { total, resampled }
    }

    /// The resampled means of one number a row.
    pub(crate) fn resampled_means(&self, rows: &[usize], values: &[f64]) -> Vec<f64> {
        let mut by_day = vec![(0.0, 0.0); self.days.len()];
        for (&row, value) in rows.iter().zip(values) {
            let (sum, count) = &mut by_day[self.day_of[row]];
            *sum += value;
            *count += 1.0;
        }
        self.draws.rounds(|times| {
            let (mut sum, mut count) = (0.0, 0.0);
            for ((day_sum, day_count), &times) in by_day.iter().zip(times) {
                sum += f64::from(times) * day_sum;
                count += f64::from(times) * day_count;
            }
            (count > 0.0).then(|| sum / count)
        })
    }

    /// All rows by the Monday of their order week, in days since the epoch.
    pub(crate) fn weeks(&self) -> BTreeMap<i32, Vec<usize>> {
        let mut weeks: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for row in 0..self.shipments.len() {
            let since_monday = order_day(self.shipments, row) + EPOCH_AFTER_MONDAY;
            let monday = since_monday.div_euclid(7) * 7 - EPOCH_AFTER_MONDAY;
            weeks.entry(monday).or_default().push(row);
        }
        weeks
    }
}

fn order_day(shipments: &Shipments, row: usize) -> i32 {
    Instant::from_micros(shipments.ordered_at[row]).day().days_since_epoch()
}

/// A day since the epoch as a date.
pub(crate) fn date(day: i32) -> String {
    Day::since_epoch(day).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipments(days: &[i64], actual: &[Option<f32>]) -> Shipments {
        Shipments {
            ordered_at: days.iter().map(|day| day * terms::DAY_MICROS).collect(),
            actual_hours: actual.to_vec(),
            promised_hours: vec![None; days.len()],
            segments: Vec::new(),
        }
    }

    #[test]
    fn only_known_outcomes_are_judged() {
        let shipments = shipments(&[5, 5, 6], &[Some(30.0), None, Some(60.0)]);
        let judged = Judged::new(&shipments, &Settings::default()).unwrap();
        assert_eq!((judged.rows.as_slice(), judged.days.as_slice()), (&[0, 2][..], &[5, 6][..]));
        assert_eq!(judged.over_two_days(), vec![2]);
    }

    #[test]
    fn nothing_known_is_an_error() {
        let shipments = shipments(&[5, 6], &[None, None]);
        let error = Judged::new(&shipments, &Settings::default()).err().unwrap();
        assert!(matches!(error, Error::NothingMatured { rows: 2 }));
    }

    #[test]
    fn a_week_begins_on_monday() {
        // Day 4 is Monday, 1970-01-05; day 3 the Sunday before.
        let shipments = shipments(&[3, 4, 10, 11], &[Some(1.0); 4]);
        let judged = Judged::new(&shipments, &Settings::default()).unwrap();
        let weeks: Vec<_> = judged.weeks().into_iter().collect();
        assert_eq!(weeks, vec![(-3, vec![0]), (4, vec![1, 2]), (11, vec![3])]);
        assert_eq!(date(4), "1970-01-05");
    }

    #[test]
    fn resamples_are_the_same_for_the_same_seed() {
        let shipments = shipments(&[1, 2, 3, 4], &[Some(50.0), Some(70.0), Some(20.0), Some(90.0)]);
        let forecast = Forecast { hours: vec![[60.0; N_LEVELS]; 4], ..Forecast::default() };
        let maes = |seed| {
            let settings = Settings { seed, ..Settings::default() };
            let judged = Judged::new(&shipments, &settings).unwrap();
            let scored = judged.score(&forecast, &judged.rows);
            scored.resampled.iter().map(Tally::mae).collect::<Vec<_>>()
        };
        assert_eq!(maes(1), maes(1));
        assert_ne!(maes(1), maes(2));
    }
}
