//! The input of an evaluation: forecasts, and the shipments that they are for.
//!
//! Both are plain columns of equal length, with their rows in the same order, whichever it is.

use terms::{DAYS_AHEAD, DayGrid, Grain, Instant, N_LEVELS, Outcome};

use crate::Error;

/// Predicted distributions, one row a shipment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forecast {
    /// What predicts: a family of models, a baseline, the champion.
    pub name: String,
    /// Predicted quantiles. Shapes: n_rows × [`terms::LEVELS`]. Units: hours from `ordered_at`.
    pub hours: Vec<[f32; N_LEVELS]>,
    /// Predicted probability of more than two days.
    pub probability_over_2d: Option<Vec<f32>>,
    /// Predicted probability of delivery within d days, for each d of `days`.
    pub probability_by_day: Option<Vec<[f32; DAYS_AHEAD]>>,
    /// The days of these probabilities.
    pub days: DayGrid,
}

impl Forecast {
    /// Appends the rows of `other`, such as those of the next origin of a backtest. Probabilities are
    /// kept only if both have them, those by day only if they are of the same days; a forecast without rows becomes `other`, under its own name.
    pub fn append(&mut self, other: Self) {
        if self.hours.is_empty() {
            *self = Self { name: std::mem::take(&mut self.name), ..other };
            return;
        }
        self.hours.extend(other.hours);
        self.probability_over_2d =
            joined(self.probability_over_2d.take(), other.probability_over_2d);
        let by_day = other.probability_by_day.filter(|_| other.days == self.days);
        self.probability_by_day = joined(self.probability_by_day.take(), by_day);
    }

    pub(crate) fn check(&self, rows: usize) -> Result<(), Error> {
        let column = |name: &str| format!("{} of {}", name, self.name);
        same_length(rows, self.hours.len(), || column("hours"))?;
        for (row, quantiles) in self.hours.iter().enumerate() {
            all_finite(quantiles, row, || column("hours"))?;
        }
        if let Some(over) = &self.probability_over_2d {
            same_length(rows, over.len(), || column("probability_over_2d"))?;
            for (row, value) in over.iter().enumerate() {
                all_finite(std::slice::from_ref(value), row, || column("probability_over_2d"))?;
            }
        }
        if let Some(by_day) = &self.probability_by_day {
            same_length(rows, by_day.len(), || column("probability_by_day"))?;
            for (row, values) in by_day.iter().enumerate() {
                all_finite(values, row, || column("probability_by_day"))?;
            }
        }
        Ok(())
    }
}

fn joined<T>(first: Option<Vec<T>>, second: Option<Vec<T>>) -> Option<Vec<T>> {
    let (mut first, second) = (first?, second?);
    first.extend(second);
    Some(first)
}

/// A division of the shipments into segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentFamily {
    /// What they are divided by: region, distance band, carrier, month …
    pub name: String,
    /// The segment of each row.
    pub values: Vec<String>,
}

/// The shipments that are predicted. Shapes: every column n_rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shipments {
    /// When each was ordered.
    pub ordered_at: Vec<Instant>,
    /// What is known of each delivery. Units: hours from `ordered_at`.
    pub outcomes: Vec<Outcome>,
    /// To what resolution they are recorded.
    pub grain: Grain,
    /// Hours from `ordered_at` to the shop's promise, where there is one.
    pub promised_hours: Vec<Option<f32>>,
    /// Divisions of them into segments, in the order of the report.
    pub segments: Vec<SegmentFamily>,
}

impl Shipments {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.ordered_at.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordered_at.is_empty()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let rows = self.len();
        same_length(rows, self.outcomes.len(), || "outcomes".into())?;
        same_length(rows, self.promised_hours.len(), || "promised_hours".into())?;
        for family in &self.segments {
            same_length(rows, family.values.len(), || format!("segment {}", family.name))?;
        }
        for (row, outcome) in self.outcomes.iter().enumerate() {
            if let Outcome::Delivered(hours) | Outcome::Censored(hours) = outcome {
                all_finite(std::slice::from_ref(hours), row, || "outcomes".into())?;
            }
        }
        for (row, hours) in self.promised_hours.iter().enumerate() {
            all_finite(hours.as_slice(), row, || "promised_hours".into())?;
        }
        Ok(())
    }
}

pub(crate) fn same_length(
    expected: usize,
    found: usize,
    column: impl Fn() -> String,
) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { column: column(), expected, found })
}

/// Outcomes of which those without hours are open from the beginning.
#[cfg(test)]
pub(crate) fn known_or_open(hours: &[Option<f32>]) -> Vec<Outcome> {
    let outcome = |hours: &Option<f32>| hours.map_or(Outcome::Censored(0.0), Outcome::Delivered);
    hours.iter().map(outcome).collect()
}

fn all_finite(values: &[f32], row: usize, column: impl Fn() -> String) -> Result<(), Error> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&found) => Err(Error::NotFinite { column: column(), row, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(rows: usize) -> Forecast {
        Forecast {
            name: "one".into(),
            hours: vec![[50.0; N_LEVELS]; rows],
            probability_over_2d: Some(vec![0.5; rows]),
            probability_by_day: None,
            days: DayGrid::DAILY,
        }
    }

    #[test]
    fn a_short_column_is_named() {
        let error = forecast(2).check(3).unwrap_err();
        assert_eq!(error.to_string(), "hours of one: expected 3 rows, found 2");
    }

    #[test]
    fn a_missing_prediction_is_named_with_its_row() {
        let mut forecast = forecast(3);
        forecast.hours[1][4] = f32::NAN;
        let error = forecast.check(3).unwrap_err();
        assert_eq!(error.to_string(), "hours of one: expected a finite number, found NaN in row 1");
    }

    #[test]
    fn appending_keeps_only_probabilities_that_both_have() {
        let mut both = Forecast { name: "all".into(), ..Forecast::default() };
        both.append(forecast(2));
        both.append(forecast(1));
        assert_eq!(both.name, "all");
        assert_eq!(both.probability_over_2d.as_ref().map(Vec::len), Some(3));
        both.append(Forecast { probability_over_2d: None, ..forecast(1) });
        assert_eq!(both.probability_over_2d, None);
        assert_eq!(both.hours.len(), 4);
    }

    #[test]
    fn probabilities_of_different_days_are_not_put_together() {
        let by_day = Some(vec![[0.5; DAYS_AHEAD]]);
        let daily = Forecast { probability_by_day: by_day, ..forecast(1) };
        let weekly = Forecast { days: DayGrid::up_to(420).unwrap(), ..daily.clone() };
        let joined = |first: &Forecast, second: &Forecast| {
            let mut both = first.clone();
            both.append(second.clone());
            (both.probability_by_day.map(|rows| rows.len()), both.hours.len())
        };
        assert_eq!(joined(&weekly, &weekly), (Some(2), 2));
        assert_eq!(joined(&daily, &weekly), (None, 2));
    }
}
