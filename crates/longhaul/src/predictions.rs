//! Predictions as a table with one row a shipment, and as Parquet.

use anyhow::Result;
use polars::prelude::*;
use scorer::Distribution;
use terms::{AsOf, DAYS_AHEAD, DayGrid, Instant, column};

/// Predictions, column by column. Shapes: every column n_rows.
#[derive(Default)]
pub(crate) struct Predictions {
    /// The shipment.
    pub(crate) shipment_id: Vec<String>,
    /// Its order.
    pub(crate) order_id: Vec<String>,
    /// Only facts recorded before this were used.
    pub(crate) as_of: Vec<Instant>,
    /// The model's id; in a backtest the family.
    pub(crate) model_id: Vec<String>,
    /// The predicted distribution.
    pub(crate) distributions: Vec<Distribution>,
    /// The days of their probabilities.
    days: DayGrid,
    /// Further columns, as of a backtest.
    pub(crate) more: Vec<Column>,
}

impl Predictions {
    /// None yet, with probabilities by these days.
    pub(crate) fn on_days(days: DayGrid) -> Self {
        Self { days, ..Self::default() }
    }

    /// Adds the prediction of one shipment.
    pub(crate) fn push(
        &mut self,
        (shipment_id, order_id): (&str, &str),
        as_of: AsOf,
        model_id: &str,
        distribution: Distribution,
    ) {
        self.shipment_id.push(shipment_id.to_owned());
        self.order_id.push(order_id.to_owned());
        self.as_of.push(as_of.instant());
        self.model_id.push(model_id.to_owned());
        self.distributions.push(distribution);
    }

    /// As a frame. Units: hours from `ordered_at`, instants in UTC microseconds.
    ///
    /// # Errors
    /// If Polars refuses, which no value makes it do.
    pub(crate) fn into_frame(self) -> Result<DataFrame> {
        let mut columns = vec![
            Column::new(column::SHIPMENT_ID.into(), &self.shipment_id),
            Column::new(column::ORDER_ID.into(), &self.order_id),
            instants(column::AS_OF, &self.as_of)?,
            Column::new(column::MODEL_ID.into(), &self.model_id),
        ];
        let distributions: Vec<&Distribution> = self.distributions.iter().collect();
        let n_rows = distributions.len();
        columns.extend(distribution_columns(&distributions));
        columns.push(by_day_column(self.days, &distributions));
        columns.extend(self.more);
        Ok(DataFrame::new(n_rows, columns)?)
    }
}

/// The probability of more than two days, and the quantiles.
pub(crate) fn distribution_columns(distributions: &[&Distribution]) -> Vec<Column> {
    let over: Vec<f32> = distributions.iter().map(|d| d.probability_over_2d).collect();
    let mut columns = vec![Column::new(column::PROBABILITY_OVER_2D.into(), over)];
    for (level, name) in column::HOURS.into_iter().enumerate() {
        let hours: Vec<f32> = distributions.iter().map(|d| d.hours[level]).collect();
        columns.push(Column::new(name.into(), hours));
    }
    columns
}

/// The probabilities of delivery by each of these days, as lists, in a column that is named after them.
pub(crate) fn by_day_column(days: DayGrid, distributions: &[&Distribution]) -> Column {
    let n_rows = distributions.len();
    let mut by_day = ListPrimitiveChunkedBuilder::<Float32Type>::new(
        days.column().into(),
        n_rows,
        n_rows * DAYS_AHEAD,
        DataType::Float32,
    );
    for distribution in distributions {
        by_day.append_slice(&distribution.by_day);
    }
    by_day.finish().into_column()
}

/// A column of UTC instants.
///
/// # Errors
/// If Polars refuses, which no value makes it do.
pub(crate) fn instants(name: &str, instants: &[Instant]) -> Result<Column> {
    let micros: Vec<i64> = instants.iter().map(|instant| instant.micros()).collect();
    let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    Ok(Column::new(name.into(), micros).cast(&utc)?)
}

/// A frame as Parquet; equal frames give equal bytes.
///
/// # Errors
/// If Polars cannot write it.
pub(crate) fn to_parquet(mut frame: DataFrame) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(1 << 17))
        .finish(&mut frame)?;
    Ok(bytes)
}
