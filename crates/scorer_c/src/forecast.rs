//! Forecasts of rows.
#![expect(unsafe_code, reason = "functions that C calls by their names, with pointers")]

use scorer::Distribution;
use terms::{DAYS_AHEAD, LEVELS, MEDIAN, N_LEVELS};

use crate::failure::{Failure, Status, status_of, value_or};
use crate::model::Model;
use crate::pointers::{self, Out};

/// How many quantiles a forecast has.
pub const LONGHAUL_LEVELS: usize = 9;
/// Where the median is among them.
pub const LONGHAUL_MEDIAN: usize = 4;
/// For how many days a forecast has a probability.
pub const LONGHAUL_DAYS: usize = 60;

// cbindgen reads numbers, and not what they are made of.
const _: () = assert!(LONGHAUL_LEVELS == N_LEVELS);
const _: () = assert!(LONGHAUL_MEDIAN == MEDIAN);
const _: () = assert!(LONGHAUL_DAYS == DAYS_AHEAD);

/// A forecast of the delivery time of one row.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The probability that delivery takes more than two days from the order.
    pub probability_over_2d: f32,
    /// Quantiles of delivery time, in hours from the order, ascending; longhaul_quantile_level has their
    /// levels.
    pub hours: [f32; LONGHAUL_LEVELS],
    /// The probability of delivery within so many days from the order, never descending; longhaul_day
    /// has the days.
    pub probability_by_day: [f32; LONGHAUL_DAYS],
}

impl From<Distribution> for Forecast {
    fn from(distribution: Distribution) -> Self {
        Self {
            probability_over_2d: distribution.probability_over_2d,
            hours: distribution.hours,
            probability_by_day: distribution.by_day,
        }
    }
}

/// The level of a quantile of a forecast, by its position: 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9,
/// 0.95; NaN past the last one.
#[unsafe(no_mangle)]
pub extern "C" fn longhaul_quantile_level(position: usize) -> f64 {
    LEVELS.get(position).copied().unwrap_or(f64::NAN)
}

/// The days within which a forecast's probability at a position is of delivery; 0 if there is none.
/// They are 1 to LONGHAUL_DAYS, unless the model is of a network whose deliveries take months.
///
/// # Safety
/// `model` is NULL or a model that is loaded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_day(model: *const Model, position: usize) -> u32 {
    value_or(0, || {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        if position >= LONGHAUL_DAYS {
            let text = format!("day {position}: expected a position below {LONGHAUL_DAYS}");
            return Err(Failure::new(Status::InvalidLength, text));
        }
        Ok(model.scorer.days().day(position))
    })
}

/// The forecast of one row of `n_features` values.
///
/// # Safety
/// `model` is NULL or a model that is loaded; `row` is NULL or points to `n_features` values; `out` is
/// NULL or memory for a forecast.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_score_row(
    model: *const Model,
    row: *const f32,
    n_features: usize,
    out: *mut Forecast,
) -> Status {
    // SAFETY: as the caller promises.
    unsafe { longhaul_score_rows(model, row, 1, n_features, out) }
}

/// The forecasts of `n_rows` rows of `n_features` values each, one row after the other, on the thread
/// that calls: the same bits as longhaul_score_row gives for each. Threads that share a model score
/// parts of the rows at once.
///
/// # Safety
/// `model` is NULL or a model that is loaded; `rows` is NULL or points to `n_rows` times `n_features`
/// values; `out` is NULL or memory for `n_rows` forecasts, which does not overlap the rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_score_rows(
    model: *const Model,
    rows: *const f32,
    n_rows: usize,
    n_features: usize,
    out: *mut Forecast,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let model = unsafe { pointers::reference(model, "model")? };
        let expected = model.texts.len();
        if n_features != expected {
            return Err(scorer::Error::RowLength { expected, found: n_features }.into());
        }
        // A product that is too large is refused as a length.
        let n_values = n_rows.saturating_mul(n_features);
        // SAFETY: as the caller promises.
        let (rows, out) =
            unsafe { (pointers::slice(rows, n_values, "rows")?, Out::new(out, n_rows, "out")?) };
        for position in 0..n_rows {
            let row = &rows[position * n_features..(position + 1) * n_features];
            out.write(position, model.scorer.score_row(row).into());
        }
        Ok(())
    })
}
