//! The forecasts of the shipments that are open at the as-of, as tables: all of them, and those that have
//! a promise by how likely they miss it.

use std::ops::Range;

use anyhow::{Context as _, Result};
use features::{Frame, Milestone, OpenShipment, PROMISED_HOURS, Snapshots};
use polars::prelude::*;
use scorer::{Distribution, IN_FLIGHT_FOLDER, Lane, Mixture, Scorer};
use terms::{AsOf, HOUR_MICROS, Instant, LEVELS, MEDIAN, N_LEVELS, TWO_DAYS_HOURS, column};

use crate::predictions::{by_day_column, distribution_columns, instants};
use crate::stages::features::FeatureSet;
use crate::stages::holdout::credible_promise;
use crate::stages::in_flight::hours_left;
use crate::stages::lanes::{Lanes, REGIONAL};

const SECOND_MICROS: i64 = 1_000_000;

/// Snapshots whose features are numbers at the same time: of a million they would take half a gigabyte.
const SNAPSHOTS_AT_ONCE: usize = 1 << 16;

/// Half a second, in hours: what rounding may have taken from a promise. Where deliveries are dates, a
/// promise of a midnight includes its day.
const ROUNDING_HOURS: f64 = 0.5 / 3_600.0;

/// The forecasts of open shipments. Shapes: every list one entry a shipment, in the order of the feature
/// set.
pub(super) struct OpenForecasts<'a> {
    feature_set: &'a FeatureSet,
    as_of: AsOf,
    model_id: &'a str,
    scorer: &'a Scorer,
    shipments: Vec<OpenShipment>,
    recording_lag_hours: f32,
    promised_at: Vec<Option<Instant>>,
    levels: Vec<Option<f32>>,
    forecasts: Vec<OpenForecast>,
}

/// The forecast of a shipment.
#[derive(Clone)]
struct OpenForecast {
    /// By which model: `at_order`, given that it is open, or `in_flight`.
    by: &'static str,
    distribution: Distribution,
    /// Its quantiles as instants.
    eta: [Instant; N_LEVELS],
    /// P(delivered later than promised), where there is a promise.
    missing_promise: Option<f32>,
}

impl<'a> OpenForecasts<'a> {
    /// Scores the shipments that are open at the as-of: by the model of what is in flight those of which there
    /// is a snapshot, tonight's; the others by that of orders, given that they are open, or as of their order.
    ///
    /// # Errors
    /// If the feature set or the snapshots lack a feature of a model.
    pub(super) fn new(
        feature_set: &'a FeatureSet,
        scorer: &'a Scorer,
        (in_flight, snapshots): (Option<&Scorer>, &Snapshots),
        (as_of, model_id): (AsOf, &'a str),
        given_still_open: bool,
    ) -> Result<Self> {
        let FeatureSet { frame, outcomes, matrix, .. } = feature_set;
        let shipments = outcomes.open(as_of);
        let rows: Vec<usize> = shipments.iter().map(|open| open.row).collect();
        let ordered_at: Vec<Instant> = rows.iter().map(|&row| outcomes.ordered_at()[row]).collect();
        let promised = promised_hours(frame, snapshots, &rows)?;
        let promised_at = promised.into_iter().zip(&ordered_at).map(|(promised, ordered_at)| {
            credible_promise(promised).map(|hours| after(*ordered_at, f64::from(hours)))
        });
        let promised_at: Vec<Option<Instant>> = promised_at.collect();
        let mut forecasts: Vec<Option<OpenForecast>> = vec![None; rows.len()];
        if let Some(scorer) = in_flight {
            for start in (0..snapshots.len()).step_by(SNAPSHOTS_AT_ONCE) {
                let end = snapshots.len().min(start + SNAPSHOTS_AT_ONCE);
                let part = snapshots.slice(start..end);
                let matrix = part.encode(frame, scorer.features())?;
                let forecast = |snapshot: usize, mixture: &Mixture| {
                    let at = rows.binary_search(&part.rows()[snapshot]).ok()?;
                    let moments = (ordered_at[at], part.at()[snapshot]);
                    Some((at, of_snapshot(mixture, moments, promised_at[at])))
                };
                let scored = scorer.map_mixtures(&matrix, None, forecast)?;
                for (at, forecast) in scored.into_iter().flatten() {
                    forecasts[at] = Some(forecast);
                }
            }
        }
        let others: Vec<usize> = (0..rows.len()).filter(|&at| forecasts[at].is_none()).collect();
        let forecast = |other: usize, mixture: &Mixture| {
            let at = others[other];
            OpenForecast {
                by: AT_ORDER,
                distribution: mixture.distribution(),
                eta: eta(mixture, ordered_at[at]),
                missing_promise: promised_at[at].map(|promised_at| {
                    let hours = promised_at.hours_since(ordered_at[at]) + ROUNDING_HOURS;
                    mixture.survival(hours) as f32
                }),
            }
        };
        let open_for: Vec<f32> = others.iter().map(|&at| shipments[at].open_hours).collect();
        let of_others = matrix.take(&others.iter().map(|&at| rows[at]).collect::<Vec<usize>>());
        let of_others =
            scorer.map_mixtures(&of_others, given_still_open.then_some(&*open_for), forecast)?;
        for (&at, forecast) in others.iter().zip(of_others) {
            forecasts[at] = Some(forecast);
        }
        // In place: a second list of them would be a third of a gigabyte for a million.
        let forecasts: Option<Vec<OpenForecast>> = forecasts.into_iter().collect();
        Ok(Self {
            levels: rows.iter().map(|&row| scorer.level_hours(matrix, row)).collect(),
            recording_lag_hours: outcomes.recording_lag_hours(as_of) as f32,
            feature_set,
            as_of,
            model_id,
            scorer,
            shipments,
            promised_at,
            forecasts: forecasts.context("a shipment without a forecast")?,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shipments.len()
    }

    /// Some of them, one a row. Units: hours from the order, instants in UTC microseconds.
    ///
    /// # Errors
    /// If the feature set lacks its keys.
    pub(super) fn predictions(&self, chosen: Range<usize>) -> Result<DataFrame> {
        let all: Vec<usize> = chosen.clone().collect();
        let n_rows = all.len();
        let (shipments, forecasts) =
            (&self.shipments[chosen.clone()], &self.forecasts[chosen.clone()]);
        let ordered_at = self.feature_set.outcomes.ordered_at();
        let ordered_at: Vec<Instant> = shipments.iter().map(|open| ordered_at[open.row]).collect();
        let mut last = vec![
            instants(column::ORDERED_AT, &ordered_at)?,
            Column::new(column::RECORDING_LAG_HOURS.into(), vec![self.recording_lag_hours; n_rows]),
            Column::new(column::LEVEL_HOURS.into(), &self.levels[chosen]),
            Column::new(
                column::FORECAST_BY.into(),
                forecasts.iter().map(|forecast| forecast.by).collect::<Vec<_>>(),
            ),
        ];
        last.extend(self.of_promise(&all)?);
        for (level, name) in column::ETA.into_iter().enumerate() {
            last.push(self.eta_column(name, level, &all)?);
        }
        let distributions: Vec<&Distribution> =
            forecasts.iter().map(|forecast| &forecast.distribution).collect();
        let mut columns = self.keys(&all)?;
        columns.extend(distribution_columns(&distributions));
        columns.push(by_day_column(self.scorer.days(), &distributions));
        columns.extend(last);
        Ok(DataFrame::new(n_rows, columns)?)
    }

    /// Those that have a promise, the likeliest to miss it first.
    pub(super) fn promised(&self) -> Vec<usize> {
        let mut promised: Vec<usize> =
            (0..self.len()).filter(|&at| self.promised_at[at].is_some()).collect();
        let probability = |at: &usize| self.forecasts[*at].missing_promise.unwrap_or_default();
        // Equal ones stay in the order of the feature set.
        promised.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
        promised
    }

    /// Some of those that have a promise, one a row. Lanes are of the columns that are declared.
    ///
    /// # Errors
    /// If the feature set lacks a column.
    pub(super) fn at_risk(&self, chosen: &[usize], lanes: &Lanes) -> Result<DataFrame> {
        let mut columns = self.keys(chosen)?;
        let lanes: Vec<Lane<'_>> =
            chosen.iter().map(|&at| lanes.of_row(self.shipments[at].row)).collect();
        for name in REGIONAL {
            let texts: StringChunked = lanes.iter().map(|lane| lane.text(name)).collect();
            columns.push(texts.with_name(name.into()).into_column());
        }
        let passed = |&at: &usize| self.promised_at[at].is_some_and(|at| at < self.as_of.instant());
        let passed: Vec<bool> = chosen.iter().map(passed).collect();
        columns.push(Column::new(PROMISE_PASSED.into(), passed));
        columns.extend(self.of_promise(chosen)?);
        columns.push(self.eta_column(column::ETA[MEDIAN], MEDIAN, chosen)?);
        Ok(DataFrame::new(chosen.len(), columns)?)
    }

    /// Ids, as-of and model of some of them.
    fn keys(&self, chosen: &[usize]) -> Result<Vec<Column>> {
        let frame = self.feature_set.frame.frame();
        let rows = chosen.iter().map(|&at| self.shipments[at].row as IdxSize).collect();
        let rows = IdxCa::from_vec("".into(), rows);
        let id = |name: &str| frame.column(name)?.take(&rows)?.cast(&DataType::String);
        Ok(vec![
            id(column::SHIPMENT_ID)?,
            id(column::ORDER_ID)?,
            instants(column::AS_OF, &vec![self.as_of.instant(); chosen.len()])?,
            Column::new(column::MODEL_ID.into(), vec![self.model_id; chosen.len()]),
        ])
    }

    /// Age, milestone and promise of some of them.
    fn of_promise(&self, chosen: &[usize]) -> Result<[Column; 4]> {
        let age: Vec<f32> = chosen.iter().map(|&at| self.shipments[at].age_hours).collect();
        let milestone = |&at: &usize| Milestone::name(self.shipments[at].milestone);
        let milestones: Vec<&str> = chosen.iter().map(milestone).collect();
        let promised_at: Vec<Option<i64>> =
            chosen.iter().map(|&at| self.promised_at[at].map(Instant::micros)).collect();
        let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
        let missing: Vec<Option<f32>> =
            chosen.iter().map(|&at| self.forecasts[at].missing_promise).collect();
        Ok([
            Column::new(column::AGE_HOURS.into(), age),
            Column::new(column::MILESTONE.into(), milestones),
            Column::new(column::PROMISED_AT.into(), promised_at).cast(&utc)?,
            Column::new(column::PROBABILITY_OF_MISSING_PROMISE.into(), missing),
        ])
    }

    fn eta_column(&self, name: &str, level: usize, chosen: &[usize]) -> Result<Column> {
        let eta: Vec<Instant> = chosen.iter().map(|&at| self.forecasts[at].eta[level]).collect();
        instants(name, &eta)
    }
}

/// Names of the models that forecast open shipments.
const AT_ORDER: &str = "at_order";

/// The forecast of a shipment by the distribution of the time that is left after a snapshot. Nothing of it
/// lies before the snapshot.
fn of_snapshot(
    mixture: &Mixture,
    (ordered_at, taken_at): (Instant, Instant),
    promised_at: Option<Instant>,
) -> OpenForecast {
    let age = taken_at.hours_since(ordered_at);
    let within = |hours: f64| if hours > age { mixture.cdf(hours - age) } else { 0.0 };
    let days = mixture.days();
    let eta = LEVELS.map(|level| after(taken_at, hours_left(mixture, level)));
    // Running maxima only undo the last bit of rounding.
    let (mut so_far, mut share_so_far) = (0.0_f32, 0.0_f32);
    OpenForecast {
        by: IN_FLIGHT_FOLDER,
        distribution: Distribution {
            probability_over_2d: (1.0 - within(TWO_DAYS_HOURS)) as f32,
            hours: LEVELS.map(|level| {
                so_far = so_far.max((age + hours_left(mixture, level)) as f32);
                so_far
            }),
            by_day: std::array::from_fn(|point| {
                share_so_far = share_so_far.max(within(days.hours(point)) as f32);
                share_so_far
            }),
            days,
        },
        eta,
        missing_promise: promised_at
            .map(|at| 1.0 - within(at.hours_since(ordered_at) + ROUNDING_HOURS) as f32),
    }
}

/// What is promised of shipments, in hours from their orders: as it was last recorded where there is a
/// snapshot, otherwise as of the order. `rows` are their rows of the frame, ascending.
fn promised_hours(
    frame: &Frame,
    snapshots: &Snapshots,
    rows: &[usize],
) -> Result<Vec<Option<f32>>> {
    let of_orders = frame.numbers(PROMISED_HOURS)?;
    let mut promised: Vec<Option<f32>> = rows.iter().map(|&row| of_orders[row]).collect();
    for (row, hours) in snapshots.rows().iter().zip(snapshots.numbers(PROMISED_HOURS)?) {
        if let Ok(at) = rows.binary_search(row) {
            promised[at] = (!hours.is_nan()).then_some(hours);
        }
    }
    Ok(promised)
}

/// Whether a promise lies before the as-of.
const PROMISE_PASSED: &str = "promise_passed";

/// The quantiles as instants, to the second. They are of the exact quantiles: hours of 32 bits are not
/// exact to the second after some weeks, and a date would miss its midnight.
fn eta(mixture: &Mixture, ordered_at: Instant) -> [Instant; N_LEVELS] {
    // The running maximum only undoes the last bit of rounding, as in the hours.
    let mut so_far = Instant::MIN;
    LEVELS.map(|level| {
        so_far = so_far.max(after(ordered_at, mixture.quantile(level)));
        so_far
    })
}

/// So many hours after an instant, to the second.
fn after(instant: Instant, hours: f64) -> Instant {
    let micros = instant.micros().saturating_add((hours * HOUR_MICROS as f64).round() as i64);
    let seconds = micros.saturating_add(SECOND_MICROS / 2).div_euclid(SECOND_MICROS);
    Instant::from_micros(seconds.saturating_mul(SECOND_MICROS))
}

#[cfg(test)]
mod tests {
    use terms::Grain;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn an_instant_is_to_the_second_however_late_it_is() {
        let ordered_at = at("2026-03-01T15:00:00.4Z");
        assert_eq!(after(ordered_at, 24.0), at("2026-03-02T15:00:00Z"));
        // Hours as they are stored of a promise, of 32 bits: 100 days and a second.
        let hours = (100.0_f64 * 24.0 + 1.0 / 3600.0) as f32;
        let promised_at = after(at("2026-03-01T15:00:00Z"), f64::from(hours));
        assert_eq!(promised_at, at("2026-06-09T15:00:01Z"));
        assert_eq!(after(at("2026-03-01"), -1.0), at("2026-02-28T23:00:00Z"));
        assert_eq!(
            after(at("2026-03-01"), f64::MAX).micros() / SECOND_MICROS,
            i64::MAX / SECOND_MICROS
        );
    }

    #[test]
    fn where_deliveries_are_dates_an_eta_is_their_midnight_and_a_promise_includes_its_day() {
        // Ordered at an odd moment, of which the model knows the hour with 32 bits.
        let ordered_at = at("2026-03-02T15:17:23.25Z");
        let hour = f64::from(ordered_at.hours_since(at("2026-03-02")) as f32);
        let quantiles = std::array::from_fn(|level| 60.0 + 20.0 * level as f64);
        let mixture = Mixture::of_quantiles(quantiles, 0.4, Grain::Date, hour);
        for instant in eta(&mixture, ordered_at) {
            assert_eq!(instant.micros().rem_euclid(24 * HOUR_MICROS), 0, "{instant}");
        }
        let missing = |promised_at: &str| {
            mixture.survival(at(promised_at).hours_since(ordered_at) + ROUNDING_HOURS)
        };
        let midnight = missing("2026-03-07");
        assert!((0.05..0.95).contains(&midnight), "{midnight}");
        assert!((missing("2026-03-07T23:59:59Z") - midnight).abs() < 1e-3);
        assert!(missing("2026-03-06T23:59:58Z") > midnight + 0.05);
    }
}
