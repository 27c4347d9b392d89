//! Baselines: forecasts that need no model, with which every model is compared.
//!
//! They are empirical quantiles of past deliveries, given as plain columns, of which only those known
//! strictly before the origin are used. The look-back is by the time when a delivery became known,
//! and not by order time: among recent orders only the fast ones are delivered.
//!
//! Limits: they ignore shipments that are still open.

use std::collections::BTreeMap;

use statistics::{quantile, share_within};
use terms::{AsOf, DAYS_AHEAD, DayGrid, Instant, LEVELS, N_LEVELS, TWO_DAYS_HOURS};

use crate::forecast::same_length;
use crate::{Error, Forecast};

/// The name of the family of models that are baselines: trees of lanes, published where nothing better
/// can be trained.
pub const FAMILY: &str = "baseline";

/// The name of the baseline of lanes.
pub const LANE_MEDIAN_28D: &str = "lane_median_28d";

/// How far the lane median looks back.
const LOOK_BACK_DAYS: i64 = 28;

/// A lane with fewer deliveries than this in the look-back gets the quantiles of the coarser one.
const LANE_ROWS_MIN: usize = 5;

/// Past deliveries, one row each. A lane is identified by N keys, the finest first: by regions,
/// carrier and service, say, and by regions alone.
#[derive(Debug, Clone, Copy)]
pub struct PastDeliveries<'a, K, const N: usize> {
    /// The keys of the lane of each delivery.
    pub lanes: &'a [[K; N]],
    /// When each delivery became known.
    pub known_at: &'a [Instant],
    /// Hours from order to delivery.
    pub hours: &'a [f32],
    /// The days for which a baseline says the share delivered by then.
    pub days: DayGrid,
}

/// The shop's promise as a point forecast: all quantiles are the promise, and the probability of
/// delivery within d days is 0 or 1. Rows without a promise get the row of `fallback`; `None` if there
/// is no promise at all.
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
        let point = EmpiricalDistribution::of(vec![f64::from(hours)], forecast.days);
        let Some(point) = point else { continue };
        forecast.hours[row] = point.hours;
        if let Some(over) = &mut forecast.probability_over_2d {
            over[row] = point.over_2d;
        }
        if let Some(by_day) = &mut forecast.probability_by_day {
            by_day[row] = point.by_day;
        }
    }
    Ok(Some(forecast))
}

/// The quantiles of each lane's deliveries known in the 28 days before `origin`, by the finest of its
/// keys that has five of them; if none has, the quantiles of all lanes; if all lanes together have
/// fewer than five, those of all deliveries known before `origin`.
///
/// # Errors
/// If columns differ in length, or no delivery is known before `origin`.
pub fn lane_median_28d<K: Ord, const N: usize>(
    past: &PastDeliveries<'_, K, N>,
    origin: AsOf,
    lanes: &[[K; N]],
) -> Result<Forecast, Error> {
    let name = LANE_MEDIAN_28D;
    let all = known_before(past, name, origin)?;
    let since = origin.plus_days(-LOOK_BACK_DAYS).instant();
    let recent: Vec<usize> =
        all.iter().copied().filter(|&row| past.known_at[row] >= since).collect();
    let everywhere = if recent.len() < LANE_ROWS_MIN { &all } else { &recent };
    let global = of_rows(past, everywhere, name, origin)?;
    let by_key: [BTreeMap<&K, EmpiricalDistribution>; N] = std::array::from_fn(|part| {
        let mut by_key: BTreeMap<&K, Vec<f64>> = BTreeMap::new();
        for &row in &recent {
            let hours = f64::from(past.hours[row]);
            by_key.entry(&past.lanes[row][part]).or_default().push(hours);
        }
        by_key.retain(|_, hours| hours.len() >= LANE_ROWS_MIN);
        let distributions = by_key.into_iter();
        distributions
            .filter_map(|(key, hours)| Some((key, EmpiricalDistribution::of(hours, past.days)?)))
            .collect()
    });
    let of_lane =
        |lane: &[K; N]| lane.iter().zip(&by_key).find_map(|(key, by_key)| by_key.get(key));
    Ok(forecast(name, past.days, lanes.iter().map(|lane| of_lane(lane).unwrap_or(&global))))
}

/// The quantiles of all deliveries known before `origin`, the same for each of `rows` shipments.
///
/// # Errors
/// If columns differ in length, or no delivery is known before `origin`.
pub fn global_quantiles<K, const N: usize>(
    past: &PastDeliveries<'_, K, N>,
    origin: AsOf,
    rows: usize,
) -> Result<Forecast, Error> {
    let name = "global_quantiles";
    let all = known_before(past, name, origin)?;
    let global = of_rows(past, &all, name, origin)?;
    Ok(forecast(name, past.days, std::iter::repeat_n(&global, rows)))
}

/// Rows of the deliveries known strictly before `origin`.
fn known_before<K, const N: usize>(
    past: &PastDeliveries<'_, K, N>,
    name: &str,
    origin: AsOf,
) -> Result<Vec<usize>, Error> {
    let rows = past.hours.len();
    same_length(rows, past.lanes.len(), || format!("lanes of {name}"))?;
    same_length(rows, past.known_at.len(), || format!("known_at of {name}"))?;
    Ok((0..rows).filter(|&row| origin.knows(past.known_at[row])).collect())
}

fn of_rows<K, const N: usize>(
    past: &PastDeliveries<'_, K, N>,
    rows: &[usize],
    name: &str,
    origin: AsOf,
) -> Result<EmpiricalDistribution, Error> {
    let hours = rows.iter().map(|&row| f64::from(past.hours[row])).collect();
    EmpiricalDistribution::of(hours, past.days)
        .ok_or_else(|| Error::NoHistory { baseline: name.into(), origin })
}

fn forecast<'a>(
    name: &str,
    days: DayGrid,
    rows: impl Iterator<Item = &'a EmpiricalDistribution>,
) -> Forecast {
    let (mut hours, mut over, mut by_day) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        hours.push(row.hours);
        over.push(row.over_2d);
        by_day.push(row.by_day);
    }
    Forecast {
        name: name.into(),
        hours,
        probability_over_2d: Some(over),
        probability_by_day: Some(by_day),
        days,
    }
}

/// Empirical quantiles of some deliveries, the share of more than two days, and shares delivered within
/// d days.
struct EmpiricalDistribution {
    hours: [f32; N_LEVELS],
    over_2d: f32,
    by_day: [f32; DAYS_AHEAD],
}

impl EmpiricalDistribution {
    fn of(mut hours: Vec<f64>, days: DayGrid) -> Option<Self> {
        hours.sort_by(f64::total_cmp);
        let mut quantiles = [0.0; N_LEVELS];
        for (value, level) in quantiles.iter_mut().zip(LEVELS) {
            *value = quantile(&hours, level)? as f32;
        }
        let mut by_day = [0.0; DAYS_AHEAD];
        for (point, share) in by_day.iter_mut().enumerate() {
            *share = share_within(&hours, days.hours(point))? as f32;
        }
        let over_2d = 1.0 - share_within(&hours, TWO_DAYS_HOURS)? as f32;
        Some(Self { hours: quantiles, over_2d, by_day })
    }
}

#[cfg(test)]
mod tests {
    use terms::{Day, ErrorClass, MEDIAN};

    use super::*;

    const ORIGIN: AsOf = AsOf::start_of(Day::since_epoch(100));

    fn past<'a, const N: usize>(
        lanes: &'a [[&'a str; N]],
        known_at: &'a [Instant],
        hours: &'a [f32],
    ) -> PastDeliveries<'a, &'a str, N> {
        PastDeliveries { lanes, known_at, hours, days: DayGrid::DAILY }
    }

    fn day(day: i32) -> Instant {
        Day::since_epoch(day).start()
    }

    fn after_origin(micros: i64) -> Instant {
        Instant::from_micros(ORIGIN.instant().micros() + micros)
    }

    fn medians(forecast: &Forecast) -> Vec<f32> {
        forecast.hours.iter().map(|quantiles| quantiles[MEDIAN]).collect()
    }

    /// Five deliveries on lane "a" on day 90, five on lane "b" on day 60.
    fn deliveries() -> (Vec<[&'static str; 1]>, Vec<Instant>, Vec<f32>) {
        let lanes = [[["a"]; 5], [["b"]; 5]].concat();
        let known_at = [[day(90); 5], [day(60); 5]].concat();
        let hours = vec![50.0, 60.0, 70.0, 80.0, 90.0, 150.0, 160.0, 170.0, 180.0, 190.0];
        (lanes, known_at, hours)
    }

    #[test]
    fn a_lane_gets_its_own_quantiles_and_one_without_recent_deliveries_those_of_all() {
        let (lanes, known_at, hours) = deliveries();
        let past = self::past(&lanes, &known_at, &hours);
        let forecast = lane_median_28d(&past, ORIGIN, &[["a"], ["b"], ["c"]]).unwrap();
        assert_eq!(medians(&forecast), [70.0, 70.0, 70.0]);
        assert_eq!(forecast.hours[0][2], 60.0);
        assert_eq!(forecast.hours[0][6], 80.0);
        let global = global_quantiles(&past, ORIGIN, 2).unwrap();
        assert_eq!(medians(&global), [120.0, 120.0]);
        assert_eq!(global.probability_by_day.unwrap()[0][3], 0.5);
        assert_eq!(global.probability_over_2d.unwrap(), [1.0, 1.0]);
    }

    #[test]
    fn a_lane_with_four_recent_deliveries_falls_back() {
        let (mut lanes, known_at, hours) = deliveries();
        lanes[0] = ["c"];
        let past = self::past(&lanes, &known_at, &hours);
        let forecast = lane_median_28d(&past, ORIGIN, &[["a"], ["c"]]).unwrap();
        assert_eq!(medians(&forecast), [70.0, 70.0]);
    }

    #[test]
    fn a_lane_with_few_deliveries_falls_back_to_the_coarser_key_before_all() {
        let (slow, fast) = (["north slow", "north"], ["north fast", "north"]);
        let lanes = [vec![slow; 5], vec![fast; 4], vec![["south slow", "south"]]].concat();
        let known_at = [day(90); 10];
        let hours = [[90.0; 5], [50.0, 50.0, 50.0, 50.0, 400.0]].concat();
        let past = self::past(&lanes, &known_at, &hours);
        let lanes = [slow, fast, ["south new", "south"]];
        let forecast = lane_median_28d(&past, ORIGIN, &lanes).unwrap();
        let p40 = |row: usize| forecast.hours[row][3];
        // Its own five; nine of the pair of regions; ten of all.
        assert_eq!([0, 1, 2].map(p40), [90.0, 58.0, 74.0]);
    }

    #[test]
    fn nothing_known_at_or_after_the_origin_is_used() {
        let (mut lanes, mut known_at, mut hours) = deliveries();
        let forecasts = |lanes: &[[&str; 1]], known_at: &[Instant], hours: &[f32]| {
            let past = self::past(lanes, known_at, hours);
            let lane = lane_median_28d(&past, ORIGIN, &[["a"], ["b"]]).unwrap();
            (lane, global_quantiles(&past, ORIGIN, 2).unwrap())
        };
        let before = forecasts(&lanes, &known_at, &hours);
        for micros in [0, 1, terms::DAY_MICROS] {
            lanes.extend([["a"], ["b"]]);
            known_at.extend([after_origin(micros); 2]);
            hours.extend([9999.0, 9999.0]);
        }
        assert_eq!(forecasts(&lanes, &known_at, &hours), before);
        known_at[10] = after_origin(-1);
        assert_ne!(forecasts(&lanes, &known_at, &hours), before);
    }

    #[test]
    fn the_look_back_begins_28_days_before_the_origin() {
        let lanes = [[["a"]; 5], [["b"]; 5]].concat();
        let begin = day(100 - 28);
        let before = Instant::from_micros(begin.micros() - 1);
        let known_at = [[begin; 5], [before; 5]].concat();
        let hours = [[60.0; 5], [500.0; 5]].concat();
        let past = self::past(&lanes, &known_at, &hours);
        let forecast = lane_median_28d(&past, ORIGIN, &[["a"], ["b"]]).unwrap();
        assert_eq!(medians(&forecast), [60.0, 60.0]);
    }

    #[test]
    fn no_deliveries_are_an_error_that_names_the_origin() {
        let known_at = [ORIGIN.instant()];
        let past = self::past(&[["a"]], &known_at, &[60.0]);
        let error = global_quantiles(&past, ORIGIN, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "baseline global_quantiles: expected deliveries known before 1970-04-11, found none"
        );
        assert_eq!(error.class(), ErrorClass::Input);
    }

    #[test]
    fn a_promise_is_a_point_and_its_gaps_are_filled() {
        let (lanes, known_at, hours) = deliveries();
        let past = self::past(&lanes, &known_at, &hours);
        let global = global_quantiles(&past, ORIGIN, 2).unwrap();
        let forecast = promise(&[Some(96.0), None], &global).unwrap().unwrap();
        assert_eq!(forecast.hours[0], [96.0; N_LEVELS]);
        assert_eq!(forecast.hours[1], global.hours[1]);
        let by_day = forecast.probability_by_day.unwrap();
        assert_eq!((by_day[0][2], by_day[0][3]), (0.0, 1.0));
        assert_eq!(promise(&[None, None], &global).unwrap(), None);
    }
}
