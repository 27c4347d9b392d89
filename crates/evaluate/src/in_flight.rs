//! The forecasts of the time that is left of open shipments: by the model of what is in flight, and by that
//! of orders given their age.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::loss::Loss;
use crate::matured_rows::MaturedRows;
use crate::{Error, Forecast, Settings, Shipments};

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
    /// By how much it is smaller than that of the share of each band of ages, as a share of that.
    pub brier_skill: f64,
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
            let within = matured.within(row, promised)?;
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
            brier_skill: 1.0 - brier / of_bands,
            tenths: rows.chunks(rows.len().div_ceil(10)).map(tenth).collect(),
        })
    }
}
