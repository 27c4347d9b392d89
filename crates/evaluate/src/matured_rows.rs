//! Matured rows: the shipments whose outcome is known, weighted so that they stand for those that are
//! open, grouped by the UTC day of their order, and the losses of a forecast on them, with bootstrap
//! resamples.

use std::collections::BTreeMap;

use terms::{Day, Outcome, TWO_DAYS_HOURS};

use crate::bootstrap::Draws;
use crate::censoring_weights::{CensoringWeights, KnownWithin, WEIGHT_MAX};
use crate::tally::Tally;
use crate::whole_days::Step;
use crate::{Error, Forecast, Settings, Shipments};

/// The rows of some shipments whose outcome is known.
pub(crate) struct MaturedRows<'a> {
    pub(crate) shipments: &'a Shipments,
    /// Positions of the matured rows, ascending.
    pub(crate) rows: Vec<usize>,
    /// Positions of the rows that are open, ascending; the others are excluded.
    pub(crate) open: Vec<usize>,
    /// Days on which matured rows were ordered, ascending.
    pub(crate) days: Vec<Day>,
    /// Position in `days` of each row of the shipments; undefined for a row without an outcome.
    day_of: Vec<usize>,
    weights: CensoringWeights,
    /// The weight of each row of the shipments; 0 for a row without an outcome.
    weight_of: Vec<f64>,
    draws: Draws,
}

/// The losses of one forecast on some rows, and their resamples.
pub(crate) struct ResampledTally {
    pub(crate) total: Tally,
    /// The total of each resample, in the order of the rounds.
    pub(crate) resampled: Vec<Tally>,
}

impl<'a> MaturedRows<'a> {
    pub(crate) fn new(shipments: &'a Shipments, settings: &Settings) -> Result<Self, Error> {
        shipments.check()?;
        let outcomes = &shipments.outcomes;
        let known = |row: &usize| outcomes[*row].delivered().is_some();
        let rows: Vec<usize> = (0..shipments.len()).filter(known).collect();
        let is_open = |row: &usize| matches!(outcomes[*row], Outcome::Censored(_));
        let open = (0..shipments.len()).filter(is_open).collect();
        if rows.is_empty() {
            return Err(Error::NothingMatured { rows: shipments.len() });
        }
        let mut days: Vec<Day> = rows.iter().map(|&row| order_day(shipments, row)).collect();
        days.sort_unstable();
        days.dedup();
        let position = |row| days.partition_point(|&day| day < order_day(shipments, row));
        let day_of = (0..shipments.len()).map(position).collect();
        let weights = CensoringWeights::of(outcomes, &shipments.ordered_at);
        let weight = |row| weights.weight(row).unwrap_or(0.0);
        let weight_of = (0..shipments.len()).map(weight).collect();
        let draws = Draws::new(days.len(), settings);
        Ok(Self { shipments, rows, open, days, day_of, weights, weight_of, draws })
    }

    /// The known outcome of a matured row, in hours.
    pub(crate) fn actual(&self, row: usize) -> f64 {
        self.shipments.outcomes[row].delivered().map_or(f64::NAN, f64::from)
    }

    /// The weight of a matured row.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weight_of[row]
    }

    /// How many matured rows would weigh more than is allowed.
    pub(crate) fn n_bounded(&self) -> usize {
        let exceeds = |&&row: &&usize| self.weights.unbounded(row) > Some(WEIGHT_MAX);
        self.rows.iter().filter(exceeds).count()
    }

    /// Whether a row was delivered within `hours`; `None` if that is not known.
    pub(crate) fn within(&self, row: usize, hours: f64) -> Option<KnownWithin> {
        self.weights.within(row, hours)
    }

    /// The matured rows that took more than two days.
    pub(crate) fn over_two_days(&self) -> Vec<usize> {
        let over = |row: &usize| self.actual(*row) > TWO_DAYS_HOURS;
        self.rows.iter().copied().filter(over).collect()
    }

    /// The open rows that have taken more than two days already.
    pub(crate) fn open_over_two_days(&self) -> Vec<usize> {
        let over = |row: &usize| match self.shipments.outcomes[*row] {
            Outcome::Censored(hours) => f64::from(hours) >= TWO_DAYS_HOURS,
            Outcome::Delivered(_) | Outcome::Excluded => false,
        };
        self.open.iter().copied().filter(over).collect()
    }

    /// On how many UTC days the rows were ordered.
    pub(crate) fn order_days(&self, rows: &[usize]) -> usize {
        let mut days: Vec<usize> = rows.iter().map(|&row| self.day_of[row]).collect();
        days.sort_unstable();
        days.dedup();
        days.len()
    }

    /// The losses of a forecast on one row.
    pub(crate) fn tally_row(&self, forecast: &Forecast, row: usize) -> Tally {
        let actual = self.actual(row);
        let step = Step::of(forecast, row, actual, self.shipments.grain);
        Tally::of(&forecast.hours[row], actual).on_step(step)
    }

    /// The weighted losses of a forecast on some rows.
    pub(crate) fn tally(&self, forecast: &Forecast, rows: &[usize]) -> Tally {
        let mut total = Tally::default();
        for &row in rows {
            total.add(&self.tally_row(forecast, row), self.weight(row));
        }
        total
    }

    /// The weighted losses of a forecast on some rows, with a resample for each round of the bootstrap.
    pub(crate) fn score(&self, forecast: &Forecast, rows: &[usize]) -> ResampledTally {
        let mut by_day = vec![Tally::default(); self.days.len()];
        for &row in rows {
            let tally = self.tally_row(forecast, row);
            by_day[self.day_of[row]].add(&tally, self.weight(row));
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
        ResampledTally { total, resampled }
    }

    /// The resampled weighted means of one number a row, one for each round of the bootstrap.
    pub(crate) fn resampled_means(&self, rows: &[usize], values: &[f64]) -> Vec<f64> {
        let mut by_day = vec![(0.0, 0.0); self.days.len()];
        for (&row, value) in rows.iter().zip(values) {
            let (sum, count) = &mut by_day[self.day_of[row]];
            *sum += self.weight(row) * value;
            *count += self.weight(row);
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

    /// All rows, matured or not, by the Monday of their order week.
    pub(crate) fn weeks(&self) -> BTreeMap<Day, Vec<usize>> {
        let mut weeks: BTreeMap<Day, Vec<usize>> = BTreeMap::new();
        for row in 0..self.shipments.len() {
            weeks.entry(order_day(self.shipments, row).monday()).or_default().push(row);
        }
        weeks
    }
}

fn order_day(shipments: &Shipments, row: usize) -> Day {
    shipments.ordered_at[row].day()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::known_or_open;
    use terms::N_LEVELS;

    fn shipments(days: &[i32], actual: &[Option<f32>]) -> Shipments {
        Shipments {
            ordered_at: days.iter().map(|&day| Day::since_epoch(day).start()).collect(),
            outcomes: known_or_open(actual),
            promised_hours: vec![None; days.len()],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        }
    }

    #[test]
    fn only_rows_with_a_known_outcome_are_matured() {
        let shipments = shipments(&[5, 5, 6], &[Some(30.0), None, Some(60.0)]);
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        assert_eq!(matured.rows, [0, 2]);
        assert_eq!(matured.open, [1]);
        assert_eq!([0, 1, 2].map(|row| matured.weight(row)), [1.5, 0.0, 1.5]);
        assert_eq!(matured.days, [5, 6].map(Day::since_epoch));
        assert_eq!(matured.over_two_days(), vec![2]);
    }

    #[test]
    fn nothing_known_is_an_error() {
        let shipments = shipments(&[5, 6], &[None, None]);
        let error = MaturedRows::new(&shipments, &Settings::default()).err().unwrap();
        assert!(matches!(error, Error::NothingMatured { rows: 2 }));
    }

    #[test]
    fn a_week_begins_on_monday() {
        // Day 4 is Monday, 1970-01-05; day 3 the Sunday before.
        let shipments = shipments(&[3, 4, 10, 11], &[Some(1.0); 4]);
        let matured = MaturedRows::new(&shipments, &Settings::default()).unwrap();
        let weeks = matured.weeks().into_iter();
        let weeks: Vec<_> = weeks.map(|(monday, rows)| (monday.to_string(), rows)).collect();
        let expected =
            [("1969-12-29", vec![0]), ("1970-01-05", vec![1, 2]), ("1970-01-12", vec![3])];
        assert_eq!(weeks, expected.map(|(monday, rows)| (monday.to_owned(), rows)));
    }

    #[test]
    fn resamples_are_the_same_for_the_same_seed() {
        let shipments = shipments(&[1, 2, 3, 4], &[Some(50.0), Some(70.0), Some(20.0), Some(90.0)]);
        let forecast = Forecast { hours: vec![[60.0; N_LEVELS]; 4], ..Forecast::default() };
        let maes = |seed| {
            let settings = Settings { seed, ..Settings::default() };
            let matured = MaturedRows::new(&shipments, &settings).unwrap();
            let scored = matured.score(&forecast, &matured.rows);
            scored.resampled.iter().map(Tally::mae).collect::<Vec<_>>()
        };
        assert_eq!(maes(1), maes(1));
        assert_ne!(maes(1), maes(2));
    }
}
