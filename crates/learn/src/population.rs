//! The training population as of one moment: which rows the regressor and the gate learn from, and
//! which are right-censored.
//!
//! Where deliveries are recorded by their dates, delivery times here are of a moment drawn evenly
//! from the day: what is learned is then continuous, and [`terms::Grain`] turns it back.

use std::ops::Range;

use statistics::SplitMix64;
use terms::{AsOf, DAY_MICROS, Grain, Instant, Matrix, Outcome, TWO_DAYS_HOURS};

use crate::error::Error;
use crate::network_features::network_features;
use crate::never_delivered::NeverDelivered;
use crate::settings::Settings;

/// All rows, and their outcomes as known at one moment. Shapes: one time and outcome a row of the
/// matrix.
#[derive(Clone)]
pub(crate) struct Population<'a> {
    pub(crate) moment: AsOf,
    pub(crate) matrix: &'a Matrix,
    pub(crate) ordered_at: &'a [Instant],
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) grain: Grain,
    /// Open rows that count as never delivered.
    pub(crate) never_delivered: usize,
}

/// Rows whose delivery time is known, or a lower bound of it (right-censored). Shapes: one value a row.
#[derive(Clone)]
pub(crate) struct Durations {
    /// Positions in the matrix.
    pub(crate) rows: Vec<usize>,
    /// Delivery time in hours, or its lower bound.
    pub(crate) hours: Vec<f32>,
    pub(crate) observed: Vec<bool>,
}

impl Durations {
    /// How many of the rows have been delivered.
    pub(crate) fn deliveries(&self) -> usize {
        self.observed.iter().filter(|&&seen| seen).count()
    }
}

impl<'a> Population<'a> {
    /// The rows with their outcomes as known at `moment`. Open rows of which experience says that they
    /// will never be delivered are excluded.
    ///
    /// # Errors
    /// If times or outcomes are not one a row of the matrix.
    pub(crate) fn at(
        moment: AsOf,
        matrix: &'a Matrix,
        ordered_at: &'a [Instant],
        outcomes_at: &dyn Fn(AsOf) -> Vec<Outcome>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let outcomes = outcomes_at(moment);
        let expected = matrix.n_rows();
        for (what, found) in [("ordered_at", ordered_at.len()), ("outcomes", outcomes.len())] {
            if found != expected {
                return Err(Error::RowCount { what, expected, found });
            }
        }
        let grain = Grain::Instant;
        let mut population =
            Self { moment, matrix, ordered_at, outcomes, grain, never_delivered: 0 };
        let never_delivered =
            NeverDelivered::of(moment, &population.outcomes, outcomes_at, settings.lost_after_days);
        population.exclude(&never_delivered, settings.seed);
        population.spread_over_days(settings.seed);
        Ok(population)
    }

    fn exclude(&mut self, never_delivered: &NeverDelivered, seed: u64) {
        for (row, outcome) in self.outcomes.iter_mut().enumerate() {
            let Outcome::Censored(age) = *outcome else { continue };
            if draw(seed, self.matrix, self.ordered_at, row) < never_delivered.share(age) {
                *outcome = Outcome::Excluded;
                self.never_delivered += 1;
            }
        }
    }

    /// Finds the grain; where it is a day, puts each delivery somewhere in its day.
    fn spread_over_days(&mut self, seed: u64) {
        self.grain = Grain::of_outcomes(self.matrix, &self.outcomes);
        if !self.grain.is_a_day() {
            return;
        }
        let order_hour = self.matrix.order_hours();
        for (row, outcome) in self.outcomes.iter_mut().enumerate() {
            let hour = order_hour(row).unwrap_or(0.0);
            *outcome = match *outcome {
                Outcome::Delivered(hours) => {
                    // Never at the very beginning: no delivery takes no time.
                    let share = 1.0 - draw(seed.wrapping_add(1), self.matrix, self.ordered_at, row);
                    Outcome::Delivered(self.grain.happened(hours.into(), hour, share) as f32)
                }
                Outcome::Censored(age) if age > 0.0 => {
                    Outcome::Censored(self.grain.until(age.into(), hour) as f32)
                }
                known => known,
            };
        }
    }

    /// Rows ordered in the `history_days` before the moment, excluded ones included.
    pub(crate) fn history(&self, settings: &Settings) -> Vec<usize> {
        let end = self.moment.instant();
        let days = settings.history_days;
        let start = days.map_or(Instant::MIN, |days| end.plus_days(-i64::from(days)));
        self.ordered_within(start..end)
    }

    /// Which features tell of the whole network, as the rows of `history` show. Rows that were not
    /// recorded yet are among the excluded ones.
    pub(crate) fn network_features(&self, history: &[usize], settings: &Settings) -> Vec<bool> {
        let is_known = |row: &usize| self.outcomes[*row] != Outcome::Excluded;
        let known: Vec<usize> = history.iter().copied().filter(is_known).collect();
        network_features(self.matrix, self.ordered_at, &known, settings.network_share_min)
    }

    /// Rows ordered in a span of time.
    pub(crate) fn ordered_within(&self, span: Range<Instant>) -> Vec<usize> {
        (0..self.ordered_at.len()).filter(|&row| span.contains(&self.ordered_at[row])).collect()
    }

    /// The rows of `among` whose delivery time is known, or which have been open for some time.
    pub(crate) fn durations(&self, among: &[usize]) -> Durations {
        let mut known = Durations { rows: Vec::new(), hours: Vec::new(), observed: Vec::new() };
        for &row in among {
            let Some((hours, observed)) = self.outcomes[row].known() else { continue };
            if observed || hours > 0.0 {
                known.rows.push(row);
                known.hours.push(hours);
                known.observed.push(observed);
            }
        }
        known
    }

    /// The rows of `among` of which it is known whether they took more than two days, and whether
    /// they did. Rows ordered within the last `undecided_days` are left out, delivered or not: among
    /// them it is known of the fast ones only.
    pub(crate) fn decided(&self, among: &[usize], undecided_days: u32) -> (Vec<usize>, Vec<bool>) {
        let end = self.moment.instant().plus_days(-i64::from(undecided_days));
        let order_hour = self.matrix.order_hours();
        let decided = |&row: &usize| {
            let two_days = self.grain.until(TWO_DAYS_HOURS, order_hour(row).unwrap_or(0.0));
            let over = match self.outcomes[row] {
                _ if self.ordered_at[row] >= end => return None,
                Outcome::Delivered(hours) => f64::from(hours) > two_days,
                Outcome::Censored(hours) if f64::from(hours) >= two_days => true,
                Outcome::Censored(_) | Outcome::Excluded => return None,
            };
            Some((row, over))
        };
        among.iter().filter_map(decided).unzip()
    }

    /// Whether a row is so old that its outcome is known, but for exceptions.
    pub(crate) fn is_matured(&self, row: usize, maturity_days: u32) -> bool {
        let age = self.moment.instant().micros_since(self.ordered_at[row]);
        age >= i64::from(maturity_days) * DAY_MICROS
    }
}

/// A number from 0 to 1 that a shipment keeps as it ages, whichever rows are beside it: it follows from
/// when it was ordered and from its numeric features, which do not change any more.
fn draw(seed: u64, matrix: &Matrix, ordered_at: &[Instant], row: usize) -> f64 {
    let features = matrix.features.0.iter().zip(&matrix.columns);
    let numeric = features.filter(|(feature, _)| !feature.is_categorical());
    let start = SplitMix64::mix(seed.wrapping_add(ordered_at[row].micros() as u64));
    let key = numeric.fold(start, |key, (_, values)| {
        SplitMix64::mix(key.wrapping_add(SplitMix64::GAMMA) ^ u64::from(values[row].to_bits()))
    });
    SplitMix64::new(key).unit()
}

#[cfg(test)]
mod tests {
    use terms::{FeatureList, Matrix};

    use super::*;

    #[test]
    fn regressor_and_gate_learn_from_the_rows_that_are_informative() {
        let day = |day: i64| Instant::from_micros(0).plus_days(day);
        let moment = AsOf::at(day(100));
        let cases = [
            (day(10), Outcome::Delivered(20.0)),
            (day(50), Outcome::Delivered(90.0)),
            (day(90), Outcome::Censored(240.0)),
            (day(96), Outcome::Censored(30.0)),
            (day(98), Outcome::Delivered(20.0)),
            (day(99), Outcome::Excluded),
            (day(100), Outcome::Excluded),
        ];
        let ordered_at: Vec<Instant> = cases.iter().map(|case| case.0).collect();
        let outcomes = |_| cases.iter().map(|case| case.1).collect();
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 7]] };
        let population =
            Population::at(moment, &matrix, &ordered_at, &outcomes, &Settings::default()).unwrap();
        let settings = Settings { history_days: Some(60), ..Settings::default() };
        let history = population.history(&settings);
        assert_eq!(history, [1, 2, 3, 4, 5]);
        assert_eq!(population.history(&Settings::default()), [0, 1, 2, 3, 4, 5]);
        let known = population.durations(&history);
        assert_eq!(known.rows, [1, 2, 3, 4]);
        assert_eq!(known.observed, [true, false, false, true]);
        let decided = population.decided(&population.history(&Settings::default()), 3);
        assert_eq!(decided, (vec![0, 1, 2], vec![false, true, true]));
        assert!(population.is_matured(1, 30) && !population.is_matured(2, 30));
    }

    #[test]
    fn deliveries_on_dates_are_somewhere_in_their_day() {
        let day = |day: i64| Instant::from_micros(0).plus_days(day);
        let moment = AsOf::at(day(300));
        let ordered_at: Vec<Instant> = (0..200).map(day).collect();
        let outcomes = |_| {
            let delivered = |row| Outcome::Delivered(24.0 * (row % 4) as f32);
            (0..199).map(delivered).chain([Outcome::Censored(72.0)]).collect()
        };
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 200]] };
        let population =
            Population::at(moment, &matrix, &ordered_at, &outcomes, &Settings::default()).unwrap();
        assert_eq!(population.grain, Grain::WholeDays);
        let mut sum = 0.0;
        for (row, outcome) in population.outcomes[..199].iter().enumerate() {
            let of_day = outcome.delivered().unwrap() - 24.0 * (row % 4) as f32;
            assert!(of_day > 0.0 && of_day <= 24.0, "{row}: {outcome:?}");
            sum += of_day;
        }
        assert!((sum / 199.0 - 12.0).abs() < 1.5, "{sum}");
        // Open for three days: not delivered on the third one either.
        assert_eq!(population.outcomes[199], Outcome::Censored(96.0));
        let (decided, over) = population.decided(&population.history(&Settings::default()), 3);
        let expected = |&row: &usize| row == 199 || row % 4 == 3;
        assert_eq!(over, decided.iter().map(expected).collect::<Vec<_>>());
    }

    #[test]
    fn rows_that_were_not_recorded_yet_say_nothing_of_the_network() {
        let day = |day: i64| Instant::from_micros(0).plus_days(day);
        let (days, known, later) = (10, 20, 20);
        let rows = || (0..days).flat_map(|day| (0..known + later).map(move |row| (day, row)));
        let ordered_at: Vec<Instant> = rows().map(|(of, _)| day(of)).collect();
        let outcomes = |_| {
            let outcome = |(_, row)| match row < known {
                true => Outcome::Delivered(50.0),
                false => Outcome::Excluded,
            };
            rows().map(outcome).collect()
        };
        // The same for all of a day, but for those that are recorded later: any value.
        let value = |altered: f32| {
            rows().map(move |(of, row)| if row < known { of as f32 } else { altered * row as f32 })
        };
        let kind = terms::FeatureKind::Numeric;
        let feature = terms::Feature { name: "a".to_owned(), kind };
        let settings = Settings::default();
        for altered in [0.0, 1.0, 1e6] {
            let features = FeatureList(vec![feature.clone()]);
            let matrix = Matrix { features, columns: vec![value(altered).collect()] };
            let moment = AsOf::at(day(100));
            let population =
                Population::at(moment, &matrix, &ordered_at, &outcomes, &settings).unwrap();
            let history = population.history(&settings);
            assert_eq!(history.len(), ordered_at.len());
            assert_eq!(population.network_features(&history, &settings), [true], "{altered}");
        }
    }

    #[test]
    fn an_outcome_for_each_row_is_needed() {
        let matrix = Matrix { features: FeatureList::default(), columns: vec![vec![0.0; 2]] };
        let none = |_| Vec::new();
        let start = Instant::from_micros(0);
        let ordered_at = [start; 2];
        let refused =
            Population::at(AsOf::at(start), &matrix, &ordered_at, &none, &Settings::default());
        assert!(matches!(
            refused.err(),
            Some(Error::RowCount { what: "outcomes", expected: 2, found: 0 })
        ));
    }
}
