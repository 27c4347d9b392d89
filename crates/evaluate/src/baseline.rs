//! Forecasts that need no model, always shown beside one.
//!
//! They get the deliveries of the past as plain columns, and use only those known strictly before
//! the origin, whatever else is in the columns. Limits: they see delivered shipments only, so a
//! look-back on the newest orders sees the fast ones; it is taken by when a delivery became known,
//! not by when it was ordered, which keeps slow deliveries in.

use std::collections::BTreeMap;

use terms::{AsOf, DAYS_AHEAD, LEVELS, N_LEVELS};

use crate::empirical::{quantile, share_within};
use crate::forecast::same_length;
use crate::tally::DAY_HOURS;
use crate::{Error, Forecast};

/// How far the lane median looks back.
const LOOK_BACK_DAYS: i64 = 28;

/// With fewer deliveries than this in the look-back, a lane says less than all lanes together.
const LANE_ROWS_MIN: usize = 5;

/// Deliveries to look back on, one row each. `K` is whatever names a lane.
#[derive(Debug, Clone, Copy)]
pub struct History<'a, K> {
    /// The lane of each delivery.
    pub lanes: &'a [K],
    /// When each delivery became known. Units: microseconds since the epoch, UTC.
    pub known_at: &'a [i64],
    /// Hours from order to delivery.
    pub hours: &'a [f32],
}

/// The shop's promise as a point: all quantiles are the promise, and delivery within d days is
/// certain or impossible. Rows without a promise get `fallback`'s row; `None` if there is no
/// promise at all.
///
/// # Errors
/// If `fallback` has another number of rows, or lacks probabilities.
pub fn promise(
    promised_hours: &[Option<f32>],
    fallback: &Forecast,
) -> Result<Option<Forecast>, Error> {
    fallback.check(promised_hours.len())?;
    if promised_hours.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut forecast = Forecast { name: "promise".into(), ..fallback.clone() };
    for (row, hours) in promised_hours.iter().enumerate() {
        let Some(hours) = *hours else { continue };
        let point = Distribution::of(vec![f64::from(hours)]);
        let Some(point) = point else { continue };
        forecast.hours[row] = point.hours;
        if let Some(over) = &mut forecast.probability_over_2d {
            over[row] = point.over_2d();
        }
        if let Some(by_day) = &mut forecast.probability_by_day {
            by_day[row] = point.by_day;
        }
    }
    Ok(Some(forecast))
}

/// The median of each lane's deliveries known in the 28 days before `origin`, and, to be the
/// stronger baseline, the other quantiles of the same deliveries. A lane with fewer than five gets
/// those of all lanes, and if that is fewer than five, of all history.
///
/// # Errors
/// If columns differ in length, or no delivery is known before `origin`.
pub fn lane_median_28d<K: Ord>(
    history: &History<'_, K>,
    origin: AsOf,
    lanes: &[K],
) -> Result<Forecast, Error> {
    let name = "lane_median_28d";
    let all = known_before(history, name, origin)?;
    let since = origin.plus_days(-LOOK_BACK_DAYS).micros();
    let recent: Vec<usize> =
        all.iter().copied().filter(|&row| history.known_at[row] >= since).collect();
    let everywhere = if recent.len() < LANE_ROWS_MIN { &all } else { &recent };
    let global = of_rows(history, everywhere, name, origin)?;
    let mut by_lane: BTreeMap<&K, Vec<f64>> = BTreeMap::new();
    for &row in &recent {
        by_lane.entry(&history.lanes[row]).or_default().push(f64::from(history.hours[row]));
    }
    by_lane.retain(|_, hours| hours.len() >= LANE_ROWS_MIN);
    let by_lane: BTreeMap<&K, Distribution> = by_lane
        .into_iter()
        .filter_map(|(lane, hours)| Some((lane, Distribution::of(hours)?)))
        .collect();
    Ok(forecast(name, lanes.iter().map(|lane| by_lane.get(lane).unwrap_or(&global))))
}

/// The quantiles of all deliveries known before `origin`, the same for each of `rows` shipments.
///
/// # Errors
/// If columns differ in length, or no delivery is known before `origin`.
pub fn global_quantiles<K>(
    history: &History<'_, K>,
    origin: AsOf,
    rows: usize,
) -> Result<Forecast, Error> {
    let name = "global_quantiles";
    let all = known_before(history, name, origin)?;
    let global = of_rows(history, &all, name, origin)?;
    Ok(forecast(name, std::iter::repeat_n(&global, rows)))
}

/// Rows of the deliveries known strictly before `origin`.
fn known_before<K>(
    history: &History<'_, K>,
    name: &str,
    origin: AsOf,
) -> Result<Vec<usize>, Error> {
    let rows = history.hours.len();
    same_length(rows, history.lanes.len(), || format!("lanes of {name}"))?;
    same_length(rows, history.known_at.len(), || format!("known_at of {name}"))?;
    Ok((0..rows).filter(|&row| history.known_at[row] < origin.micros()).collect())
}

fn of_rows<K>(
    history: &History<'_, K>,
    rows: &[usize],
    name: &str,
    origin: AsOf,
) -> Result<Distribution, Error> {
    let hours = rows.iter().map(|&row| f64::from(history.hours[row])).collect();
    Distribution::of(hours).ok_or_else(|| Error::NoHistory { baseline: name.into(), origin })
}

fn forecast<'a>(name: &str, rows: impl Iterator<Item = &'a Distribution>) -> Forecast {
    let (mut hours, mut over, mut by_day) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        hours.push(row.hours);
        over.push(row.over_2d());
        by_day.push(row.by_day);
    }
    Forecast {
        name: name.into(),
        hours,
        probability_over_2d: Some(over),
        probability_by_day: Some(by_day),
    }
}

/// What some past deliveries say about the next one.
struct Distribution {
    hours: [f32; N_LEVELS],
    by_day: [f32; DAYS_AHEAD],
}

impl Distribution {
    fn of(mut hours: Vec<f64>) -> Option<Self> {
        hours.sort_by(f64::total_cmp);
        let mut quantiles = [0.0; N_LEVELS];
        for (value, level) in quantiles.iter_mut().zip(LEVELS) {
            *value = quantile(&hours, level)? as f32;
        }
        let mut by_day = [0.0; DAYS_AHEAD];
        for (day, share) in by_day.iter_mut().enumerate() {
            *share = share_within(&hours, (day + 1) as f64 * DAY_HOURS)? as f32;
        }
        Some(Self { hours: quantiles, by_day })
    }

    fn over_2d(&self) -> f32 {
        1.0 - self.by_day[1]
    }
}

#[cfg(test)]
mod tests {
    use terms::{DAY_MICROS, ErrorClass, MEDIAN};

    use super::*;

    const ORIGIN: AsOf = AsOf::from_micros(100 * DAY_MICROS);

    fn medians(forecast: &Forecast) -> Vec<f32> {
        forecast.hours.iter().map(|quantiles| quantiles[MEDIAN]).collect()
    }

    /// Five deliveries on lane "a" on day 90, five on lane "b" on day 60.
    fn history() -> (Vec<&'static str>, Vec<i64>, Vec<f32>) {
        let lanes = [["a"; 5], ["b"; 5]].concat();
        let known_at = [[90 * DAY_MICROS; 5], [60 * DAY_MICROS; 5]].concat();
        let hours = vec![50.0, 60.0, 70.0, 80.0, 90.0, 150.0, 160.0, 170.0, 180.0, 190.0];
        (lanes, known_at, hours)
    }

    #[test]
    fn a_lane_gets_its_own_quantiles_and_an_old_lane_those_of_all() {
        let (lanes, known_at, hours) = history();
        let history = History { lanes: &lanes, known_at: &known_at, hours: &hours };
        let forecast = lane_median_28d(&history, ORIGIN, &["a", "b", "c"]).unwrap();
        assert_eq!(medians(&forecast), [70.0, 70.0, 70.0]);
        assert_eq!(forecast.hours[0][2], 60.0);
        assert_eq!(forecast.hours[0][6], 80.0);
        let global = global_quantiles(&history, ORIGIN, 2).unwrap();
        assert_eq!(medians(&global), [120.0, 120.0]);
        assert_eq!(global.probability_by_day.unwrap()[0][3], 0.5);
        assert_eq!(global.probability_over_2d.unwrap(), [1.0, 1.0]);
    }

    #[test]
    fn a_lane_with_four_recent_deliveries_falls_back() {
        let (mut lanes, known_at, hours) = history();
        lanes[0] = "c";
        let history = History { lanes: &lanes, known_at: &known_at, hours: &hours };
        let forecast = lane_median_28d(&history, ORIGIN, &["a", "c"]).unwrap();
        assert_eq!(medians(&forecast), [70.0, 70.0]);
    }

    #[test]
    fn nothing_known_at_or_after_the_origin_is_used() {
        let (mut lanes, mut known_at, mut hours) = history();
        let forecasts = |lanes: &[&str], known_at: &[i64], hours: &[f32]| {
            let history = History { lanes, known_at, hours };
            let lane = lane_median_28d(&history, ORIGIN, &["a", "b"]).unwrap();
            (lane, global_quantiles(&history, ORIGIN, 2).unwrap())
        };
        let before = forecasts(&lanes, &known_at, &hours);
        for future in [0, 1, DAY_MICROS] {
            lanes.extend(["a", "b"]);
            known_at.extend([ORIGIN.micros() + future; 2]);
            hours.extend([9999.0, 9999.0]);
        }
        assert_eq!(forecasts(&lanes, &known_at, &hours), before);
        known_at[10] = ORIGIN.micros() - 1;
        assert_ne!(forecasts(&lanes, &known_at, &hours), before);
    }

    #[test]
    fn the_look_back_begins_28_days_before_the_origin() {
        let lanes = [["a"; 5], ["b"; 5]].concat();
        let begin = ORIGIN.plus_days(-28).micros();
        let known_at = [[begin; 5], [begin - 1; 5]].concat();
        let hours = [[60.0; 5], [500.0; 5]].concat();
        let history = History { lanes: &lanes, known_at: &known_at, hours: &hours };
        let forecast = lane_median_28d(&history, ORIGIN, &["a", "b"]).unwrap();
        assert_eq!(medians(&forecast), [60.0, 60.0]);
    }

    #[test]
    fn no_history_is_an_error_that_says_from_when() {
        let history = History { lanes: &["a"], known_at: &[ORIGIN.micros()], hours: &[60.0] };
        let error = global_quantiles(&history, ORIGIN, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "baseline global_quantiles: expected deliveries known before 1970-04-11, found none"
        );
        assert_eq!(error.class(), ErrorClass::Input);
    }

    #[test]
    fn a_promise_is_a_point_and_its_gaps_are_filled() {
        let (lanes, known_at, hours) = history();
        let history = History { lanes: &lanes, known_at: &known_at, hours: &hours };
        let global = global_quantiles(&history, ORIGIN, 2).unwrap();
        let forecast = promise(&[Some(96.0), None], &global).unwrap().unwrap();
        assert_eq!(forecast.hours[0], [96.0; N_LEVELS]);
        assert_eq!(forecast.hours[1], global.hours[1]);
        let by_day = forecast.probability_by_day.unwrap();
        assert_eq!((by_day[0][2], by_day[0][3]), (0.0, 1.0));
        assert_eq!(promise(&[None, None], &global).unwrap(), None);
    }
}
