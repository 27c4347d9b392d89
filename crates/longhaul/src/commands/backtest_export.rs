//! The files of `backtest … --export`, with or without `--in-flight`: the matrix, what was known of each
//! row at each origin, and the baselines, for another learner to try on the same rows.
//!
//! A row number is a position in the matrix, whose rows are shipments by the order's moment or snapshots
//! by their own.

use anyhow::Result;
use evaluate::Forecast;
use polars::prelude::*;
use scorer::{Distribution, TimeScale};
use serde_json::{Value, json};
use terms::{AsOf, DayGrid, Instant, Matrix, Outcome, column};

use crate::predictions::{by_day_column, distribution_columns, instants};

/// File name of the predictions.
pub(super) const PREDICTIONS: &str = "predictions.parquet";
/// File name of what is known at each origin, and of the rows to predict.
pub(super) const LABELS: &str = "labels.parquet";
/// File name of the features of all rows.
pub(super) const MATRIX: &str = "matrix.parquet";
/// File name of the names and kinds of the features.
pub(super) const FEATURES: &str = "features.json";
/// File name of the forecasts of the baselines.
pub(super) const BASELINES: &str = "baselines.parquet";
/// File name of what the quantiles of each origin's model are multiples of.
pub(super) const TIME_SCALES: &str = "time_scales.json";

/// A feature matrix as a table; categories are the positions of their levels.
///
/// # Errors
/// If Polars refuses, which no value makes it do.
pub(super) fn matrix_frame(matrix: &Matrix) -> Result<DataFrame> {
    let features = matrix.features.0.iter().zip(&matrix.columns);
    let columns: Vec<Column> = features
        .map(|(feature, values)| Column::new(feature.name.as_str().into(), values))
        .collect();
    Ok(DataFrame::new(matrix.n_rows(), columns)?)
}

/// The forecasts of the baselines, one row for each baseline, origin and row to predict, as
/// `labels.parquet` numbers them.
///
/// # Errors
/// If Polars refuses, which no value makes it do.
pub(super) fn baselines_frame<'a>(
    folds: impl Iterator<Item = (AsOf, &'a [usize], &'a [Forecast])>,
    days: DayGrid,
) -> Result<DataFrame> {
    let (mut names, mut origins, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut distributions = Vec::new();
    for (origin, to_predict, baselines) in folds {
        for forecast in baselines {
            for (position, &row) in to_predict.iter().enumerate() {
                let Some(distribution) = distribution(forecast, position) else { continue };
                names.push(forecast.name.as_str());
                origins.push(origin.instant());
                rows.push(row as u32);
                distributions.push(distribution);
            }
        }
    }
    let distributions: Vec<&Distribution> = distributions.iter().collect();
    let mut columns = vec![
        Column::new("forecast".into(), &names),
        instants(column::ORIGIN, &origins)?,
        Column::new("row".into(), &rows),
    ];
    columns.extend(distribution_columns(&distributions));
    columns.push(by_day_column(days, &distributions));
    Ok(DataFrame::new(names.len(), columns)?)
}

/// One row of a baseline, all of which have probabilities.
fn distribution(baseline: &Forecast, row: usize) -> Option<Distribution> {
    Some(Distribution {
        probability_over_2d: *baseline.probability_over_2d.as_ref()?.get(row)?,
        hours: *baseline.hours.get(row)?,
        by_day: *baseline.probability_by_day.as_ref()?.get(row)?,
        days: baseline.days,
    })
}

/// What the quantiles of each origin's model are multiples of, as JSON.
///
/// # Errors
/// If a number is not finite.
pub(super) fn time_scales<'a>(
    folds: impl Iterator<Item = (AsOf, &'a TimeScale)>,
) -> Result<Vec<u8>> {
    let scale = |(origin, time_scale)| json!({ "origin": origin, "time_scale": time_scale });
    let scales: Vec<Value> = folds.map(scale).collect();
    Ok(serde_json::to_vec_pretty(&scales)?)
}

/// For each origin the outcomes known then, and the rows to predict.
#[derive(Default)]
pub(super) struct Labels {
    origin: Vec<Instant>,
    row: Vec<u32>,
    moment: Vec<Instant>,
    hours: Vec<Option<f32>>,
    role: Vec<&'static str>,
}

impl Labels {
    /// Adds an origin. Shapes: one moment and one outcome, as known at the origin, a row.
    pub(super) fn add(
        &mut self,
        origin: AsOf,
        (moments, outcomes): (&[Instant], &[Outcome]),
        to_predict: &[usize],
    ) {
        let before = self.row.len();
        for (row, outcome) in outcomes.iter().enumerate() {
            match *outcome {
                Outcome::Delivered(hours) => self.push(origin, row, Some(hours), "delivered"),
                Outcome::Censored(hours) => self.push(origin, row, Some(hours), "open"),
                Outcome::Excluded => {}
            }
        }
        for &row in to_predict {
            self.push(origin, row, None, "predict");
        }
        self.moment.extend(self.row[before..].iter().map(|&row| moments[row as usize]));
    }

    fn push(&mut self, origin: AsOf, row: usize, hours: Option<f32>, role: &'static str) {
        self.origin.push(origin.instant());
        self.row.push(row as u32);
        self.hours.push(hours);
        self.role.push(role);
    }

    /// As a table, with this name of the moments. Units: hours.
    ///
    /// # Errors
    /// If Polars refuses, which no value makes it do.
    pub(super) fn into_frame(self, moment: &str) -> Result<DataFrame> {
        let columns = vec![
            instants(column::ORIGIN, &self.origin)?,
            Column::new("row".into(), &self.row),
            instants(moment, &self.moment)?,
            Column::new("hours".into(), &self.hours),
            Column::new("role".into(), &self.role),
        ];
        Ok(DataFrame::new(self.row.len(), columns)?)
    }
}
