//! The forecasts of the time that is left of open shipments: by the model of what is in flight, and by that
//! of orders given their age.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::loss::Loss;
use crate::matured_rows::MaturedRows;
use crate::{Error, Forecast, Settings, Shipments};

/// What segments by the milestone of which the snapshot is the first night are called.
pub const FIRST_NIGHT: &str = "first night after";
/// The segment of the snapshots of later nights.
pub const LATER_NIGHTS: &str = "none: later nights";

/// Forecasts of the time that is left, of the same open shipments.
#[derive(Debug, Clone, Copy)]
pub struct InFlightForecasts<'a> {
    /// By the model of what is in flight.
    pub in_flight: &'a Forecast,
    /// By the model of orders, given that each is open.
    pub given_age: &'a Forecast,
    /// The probability that each misses its promise, where there is one. Shapes: n_rows.
    pub missing_promise: &'a [Option<f32>],
}

/// How good forecasts of the time that is left are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightScores {
    /// Snapshots of open shipments.
    pub snapshots: usize,
    /// Whether the model of what is in flight scores open shipments: whether it loses no more.
    pub is_used: bool,
    /// On all whose outcome is known.
    pub overall: InFlightLoss,
    /// By segment: age, milestone.
    pub segments: Vec<InFlightSegment>,
    /// The probabilities of missing the promise, if there are promises.
    pub missing_promise: Option<MissingPromise>,
}

/// The losses on the snapshots of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightSegment {
    /// What the snapshots are divided by.
    pub by: String,
    /// The segment.
    pub name: String,
    /// On those whose outcome is known.
    pub loss: InFlightLoss,
}

/// The losses of both on the same snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlightLoss {
    /// Of the model of what is in flight.
    pub in_flight: Loss,
    /// Of the model of orders, given their age.
    pub given_age: Loss,
}

/// How good the probabilities of missing the promise are, by the model of what is in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissingPromise {
    /// Snapshots with a promise that lies ahead and of which it is known whether it was kept.
    pub rows: usize,
    /// The share that missed it.
    pub missed_share: f64,
    /// The mean squared error of the probability.
    pub brier: f64,
    /// By how much it is smaller than that of the share of each band of ages, as a share of that; none where
    /// that is 0: where all of each band missed it, or none.
    pub brier_skill: Option<f64>,
    /// By tenths of the rows, ascending by probability: the mean probability, and the share that missed.
    pub tenths: Vec<[f64; 2]>,
}

impl InFlightScores {
    /// Judges forecasts by what is known of the time that was left; `None` if nothing is. What was
    /// promised is in hours from the snapshot, where it lies ahead; the first segments are bands of ages.
    ///
    /// # Errors
    /// If columns differ in length, or a number is not finite.
    pub fn of(
        shipments: &Shipments,
        forecasts: &InFlightForecasts<'_>,
    ) -> Result<Option<Self>, Error> {
        let snapshots = shipments.len();
        forecasts.in_flight.check(snapshots)?;
        forecasts.given_age.check(snapshots)?;
        let settings = Settings { rounds: 0, ..Settings::default() };
        let matured = match MaturedRows::new(shipments, &settings) {
            Ok(matured) => matured,
            Err(Error::NothingMatured { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let overall = InFlightLoss::of(&matured, forecasts, &matured.rows);
        let mut segments = Vec::new();
        for family in &shipments.segments {
            let names: BTreeSet<&String> =
                matured.rows.iter().map(|&row| &family.values[row]).collect();
            for name in names {
                let of_segment = |row: &usize| family.values[*row] == *name;
                let rows: Vec<usize> = matured.rows.iter().copied().filter(of_segment).collect();
                segments.push(InFlightSegment {
                    by: family.name.clone(),
                    name: name.clone(),
                    loss: InFlightLoss::of(&matured, forecasts, &rows),
                });
            }
        }
        Ok(Some(Self {
            snapshots,
            is_used: overall.in_flight.mean_pinball_days <= overall.given_age.mean_pinball_days,
            overall,
            segments,
            missing_promise: MissingPromise::of(&matured, forecasts.missing_promise),
        }))
    }
}

impl InFlightLoss {
    fn of(matured: &MaturedRows<'_>, of: &InFlightForecasts<'_>, rows: &[usize]) -> Self {
        Self {
            in_flight: Loss::of(matured, of.in_flight, rows),
            given_age: Loss::of(matured, of.given_age, rows),
        }
    }

    /// What the model of what is in flight loses for each unit that the other one loses.
    pub fn ratio(&self) -> f64 {
        self.in_flight.mean_pinball_days / self.given_age.mean_pinball_days
    }
}

impl MissingPromise {
    fn of(matured: &MaturedRows<'_>, probabilities: &[Option<f32>]) -> Option<Self> {
        let shipments = matured.shipments;
        let judged = |row: usize| {
            let promised = f64::from(shipments.promised_hours[row]?);
            let within = matured.within(row, promised).filter(|within| within.weight > 0.0)?;
            Some((row, f64::from(probabilities[row]?), within))
        };
        let mut rows: Vec<_> = (0..shipments.len()).filter_map(judged).collect();
        rows.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        if rows.is_empty() {
            return None;
        }
        let missed = |within: &crate::censoring_weights::KnownWithin| {
            (if within.delivered { 0.0 } else { 1.0 }, within.weight)
        };
        let mean = |values: &mut dyn Iterator<Item = (f64, f64)>| {
            let (sum, weights) = values.fold((0.0, 0.0), |(sum, all), (value, weight)| {
                (sum + value * weight, all + weight)
            });
            sum / weights
        };
        let ages = shipments.segments.first();
        let band = |row: usize| ages.map_or("", |family| family.values[row].as_str());
        let mut shares = std::collections::BTreeMap::new();
        for (row, _, within) in &rows {
            let (missed, weight) = missed(within);
            let (sum, weights) = shares.entry(band(*row)).or_insert((0.0, 0.0));
            *sum += missed * weight;
            *weights += weight;
        }
        let brier = mean(&mut rows.iter().map(|(_, probability, within)| {
            let (missed, weight) = missed(within);
            ((probability - missed).powi(2), weight)
        }));
        let of_bands = mean(&mut rows.iter().map(|(row, _, within)| {
            let ((missed, weight), (sum, weights)) = (missed(within), shares[band(*row)]);
            ((sum / weights - missed).powi(2), weight)
        }));
        let tenth = |rows: &[(usize, f64, crate::censoring_weights::KnownWithin)]| {
            let with_weight = |of: &dyn Fn(f64, f64) -> f64| {
                mean(&mut rows.iter().map(|(_, probability, within)| {
                    let (missed, weight) = missed(within);
                    (of(*probability, missed), weight)
                }))
            };
            [with_weight(&|probability, _| probability), with_weight(&|_, missed| missed)]
        };
        Some(Self {
            rows: rows.len(),
            missed_share: mean(&mut rows.iter().map(|(_, _, within)| missed(within))),
            brier,
            brier_skill: (of_bands > 0.0).then(|| 1.0 - brier / of_bands),
            tenths: rows.chunks(rows.len().div_ceil(10)).map(tenth).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use terms::{Day, N_LEVELS, Outcome};

    use super::*;
    use crate::SegmentFamily;

    fn forecast(hours: &[f32]) -> Forecast {
        let hours = hours.iter().map(|&hours| [hours; N_LEVELS]).collect();
        Forecast { hours, ..Forecast::default() }
    }

    fn snapshots(outcomes: &[f32]) -> Shipments {
        let n = outcomes.len();
        let age = |row: usize| if row * 2 < n { "young" } else { "old" }.to_owned();
        Shipments {
            ordered_at: vec![Day::since_epoch(0).start(); n],
            outcomes: outcomes.iter().map(|&hours| Outcome::Delivered(hours)).collect(),
            promised_hours: vec![Some(48.0); n],
            segments: vec![SegmentFamily {
                name: "age".to_owned(),
                values: (0..n).map(age).collect(),
            }],
            ..Shipments::default()
        }
    }

    #[test]
    fn the_model_of_what_is_in_flight_is_used_where_it_loses_no_more() {
        let shipments = snapshots(&[24.0, 24.0, 72.0, 72.0]);
        let (exact, off) = (forecast(&[24.0, 24.0, 72.0, 72.0]), forecast(&[48.0; 4]));
        let scores = |in_flight, given_age| {
            let forecasts = InFlightForecasts { in_flight, given_age, missing_promise: &[None; 4] };
            InFlightScores::of(&shipments, &forecasts).unwrap().unwrap()
        };
        let found = scores(&exact, &off);
        assert!(found.is_used && found.missing_promise.is_none());
        assert_eq!((found.overall.ratio(), found.overall.given_age.mae_days), (0.0, 1.0));
        let names: Vec<&str> = found.segments.iter().map(|segment| segment.name.as_str()).collect();
        assert_eq!(names, ["old", "young"]);
        assert_eq!(found.segments[0].loss.in_flight.rows, 2);
        assert!(!scores(&off, &exact).is_used && scores(&off, &off).is_used);
        let wrong = forecast(&[24.0]);
        let short =
            InFlightForecasts { in_flight: &wrong, given_age: &off, missing_promise: &[None; 4] };
        assert!(InFlightScores::of(&shipments, &short).is_err());
    }

    #[test]
    fn the_skill_of_a_missed_promise_is_over_the_share_of_its_band() {
        // Of each band half are later than the 48 hours that were promised.
        let shipments = snapshots(&[24.0, 72.0, 24.0, 72.0]);
        let same = forecast(&[48.0; 4]);
        let of = |probabilities: &[Option<f32>]| {
            let forecasts = InFlightForecasts {
                in_flight: &same,
                given_age: &same,
                missing_promise: probabilities,
            };
            InFlightScores::of(&shipments, &forecasts).unwrap().unwrap().missing_promise.unwrap()
        };
        let known = of(&[Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
        assert_eq!((known.rows, known.missed_share, known.brier), (4, 0.5, 0.0));
        assert_eq!(known.brier_skill, Some(1.0));
        assert_eq!(known.tenths, [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]);
        let shares = of(&[Some(0.5); 4]);
        assert_eq!((shares.brier, shares.brier_skill), (0.25, Some(0.0)));
        // Of one snapshot the share is exact: nothing is to be gained, and metrics have no NaN.
        let one = of(&[Some(0.5), None, None, None]);
        assert_eq!((one.rows, one.brier_skill), (1, None));
    }
}
