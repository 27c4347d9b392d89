//! The comparison of forecasts on the same rows: candidates, champion and baselines, and the gates.
//!
//! Limits: the model chosen among several candidates on these rows looks slightly better on them than
//! it is (selection bias). A caller who has to avoid that names the model in [`Comparison::chosen`].

use std::collections::BTreeMap;

use terms::{Day, MEDIAN};

use crate::baseline::LANE_MEDIAN_28D;
use crate::bootstrap::{Estimate, range_of};
use crate::evaluation::{
    Counts, Difference, Entry, Evaluation, Role, SCHEMA_VERSION, Week, WeekScore,
};
use crate::matured_rows::{MaturedRows, ResampledTally};
use crate::segment::score_family;
use crate::tally::Tally;
use crate::{Error, Forecast, GateSettings, Metrics, Settings, Shipments, Verdict};

/// The forecasts to compare, and the rows on which they are.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The shipments to predict.
    pub shipments: &'a Shipments,
    /// Forecasts of the families, of which one is the model.
    pub candidates: &'a [Forecast],
    /// Which of them is the model; `None` chooses the smallest mean pinball on these rows.
    pub chosen: Option<usize>,
    /// The forecast of the model that is published now.
    pub champion: Option<&'a Forecast>,
    /// Forecasts that need no model ([`crate::baseline`]).
    pub baselines: &'a [Forecast],
}

/// Evaluates all forecasts on the same rows; with `gates`, decides whether the model may be published.
///
/// # Errors
/// If columns differ in length, a number is not finite, no outcome is known, there is no candidate,
/// or gates are set and there is no baseline.
///
/// ```
/// use evaluate::{Comparison, Forecast, Settings, Shipments, evaluate};
/// use terms::{Day, N_LEVELS, Outcome};
///
/// let shipments = Shipments {
///     ordered_at: vec![Day::since_epoch(0).start()],
///     outcomes: vec![Outcome::Delivered(60.0)],
///     promised_hours: vec![None],
///     grain: terms::Grain::Instant,
///     segments: Vec::new(),
/// };
/// let forecast = |name: &str, hours| Forecast {
///     name: name.to_owned(),
///     hours: vec![[hours; N_LEVELS]],
///     ..Forecast::default()
/// };
/// let comparison = Comparison {
///     shipments: &shipments,
///     candidates: &[forecast("boost", 66.0)],
///     chosen: None,
///     champion: None,
///     baselines: &[forecast("median", 90.0)],
/// };
/// let evaluation = evaluate(&comparison, &Settings::default(), None)?;
/// assert_eq!(evaluation.overall[0].metrics.mae_hours, 6.0);
/// assert_eq!(evaluation.overall[1].metrics.mae_hours, 30.0);
/// # Ok::<(), evaluate::Error>(())
/// ```
pub fn evaluate(
    comparison: &Comparison<'_>,
    settings: &Settings,
    gates: Option<&GateSettings>,
) -> Result<Evaluation, Error> {
    let matured = MaturedRows::new(comparison.shipments, settings)?;
    for forecast in comparison.forecasts() {
        forecast.check(comparison.shipments.len())?;
    }
    comparison.check_days()?;
    let (model, with_roles) = comparison.with_roles(&matured)?;
    let over = matured.over_two_days();
    let overall = entries(&matured, &with_roles, &matured.rows, &matured.open);
    let over_two_days = if over.is_empty() {
        Vec::new()
    } else {
        entries(&matured, &with_roles, &over, &matured.open_over_two_days())
    };
    let best_baseline = comparison.best_baseline(&matured);
    let segments = match best_baseline {
        Some(baseline) => comparison
            .shipments
            .segments
            .iter()
            .map(|family| score_family(&matured, family, model, baseline, settings))
            .collect(),
        None => Vec::new(),
    };
    Ok(Evaluation {
        schema_version: SCHEMA_VERSION,
        model: model.name.clone(),
        best_baseline: best_baseline.map(|forecast| forecast.name.clone()),
        settings: *settings,
        counts: counts(&matured, over.len()),
        verdict: gates.map(|gates| verdict(&overall, gates)).transpose()?,
        overall,
        over_two_days,
        segments,
        weeks: weeks(&matured, &with_roles),
        nightly: None,
        speed_table: None,
        in_flight: None,
        cut_off: Vec::new(),
        grain: comparison.shipments.grain,
        about: BTreeMap::new(),
    })
}

/// Forecasts with their roles, in the order of the tables.
type WithRoles<'a> = Vec<(Role, &'a Forecast)>;

impl<'a> Comparison<'a> {
    fn forecasts(&self) -> impl Iterator<Item = &'a Forecast> {
        self.candidates.iter().chain(self.champion).chain(self.baselines)
    }

    /// Scores by day are compared only between forecasts for the same days.
    fn check_days(&self) -> Result<(), Error> {
        let mut by_day = self.forecasts().filter(|forecast| forecast.probability_by_day.is_some());
        let Some(first) = by_day.next() else { return Ok(()) };
        match by_day.find(|forecast| forecast.days != first.days) {
            None => Ok(()),
            Some(other) => Err(Error::Days {
                forecast: other.name.clone(),
                expected: first.days.last_day(),
                found: other.days.last_day(),
            }),
        }
    }

    /// The model, and all forecasts.
    fn with_roles(
        &self,
        matured: &MaturedRows<'_>,
    ) -> Result<(&'a Forecast, WithRoles<'a>), Error> {
        let no_candidate =
            || Error::NoCandidate { candidates: self.candidates.len(), chosen: self.chosen };
        let chosen = match self.chosen {
            Some(chosen) => chosen,
            None => least_pinball(matured, self.candidates).ok_or_else(no_candidate)?,
        };
        let model = self.candidates.get(chosen).ok_or_else(no_candidate)?;
        let others = self.candidates.iter().enumerate().filter(|(position, _)| *position != chosen);
        let mut with_roles = vec![(Role::Model, model)];
        with_roles.extend(others.map(|(_, forecast)| (Role::Candidate, forecast)));
        with_roles.extend(self.champion.map(|forecast| (Role::Champion, forecast)));
        with_roles.extend(self.baselines.iter().map(|forecast| (Role::Baseline, forecast)));
        Ok((model, with_roles))
    }

    fn best_baseline(&self, matured: &MaturedRows<'_>) -> Option<&'a Forecast> {
        self.baselines.get(least_pinball(matured, self.baselines)?)
    }
}

/// Position of the forecast with the smallest mean pinball, the first of equals.
fn least_pinball(matured: &MaturedRows<'_>, forecasts: &[Forecast]) -> Option<usize> {
    let pinball = |forecast: &Forecast| matured.tally(forecast, &matured.rows).mean_pinball();
    forecasts
        .iter()
        .map(pinball)
        .enumerate()
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(position, _)| position)
}

fn entries(
    matured: &MaturedRows<'_>,
    with_roles: &[(Role, &Forecast)],
    rows: &[usize],
    open: &[usize],
) -> Vec<Entry> {
    let scored: Vec<ResampledTally> =
        with_roles.iter().map(|(_, forecast)| matured.score(forecast, rows)).collect();
    let Some(model) = scored.first() else { return Vec::new() };
    let entry = |(&(role, forecast), scored): (&(Role, &Forecast), &ResampledTally)| Entry {
        forecast: forecast.name.clone(),
        role,
        metrics: Metrics::of(matured, forecast, rows, open, scored),
        difference: (role != Role::Model).then(|| Difference::between(model, scored)),
    };
    let mut entries: Vec<Entry> = with_roles.iter().zip(&scored).map(entry).collect();
    let is_lane =
        |entry: &&Entry| entry.role == Role::Baseline && entry.forecast == LANE_MEDIAN_28D;
    let lane = entries.iter().find(is_lane).and_then(|entry| entry.metrics.by_day.clone());
    if let Some(lane) = lane {
        let all = entries.iter_mut().filter_map(|entry| entry.metrics.by_day.as_mut());
        all.for_each(|scores| scores.set_skill(&lane));
    }
    entries
}

impl Difference {
    fn between(model: &ResampledTally, other: &ResampledTally) -> Self {
        let estimate = |statistic: &dyn Fn(&Tally) -> f64| {
            let pairs = model.resampled.iter().zip(&other.resampled);
            Estimate {
                value: statistic(&model.total) - statistic(&other.total),
                range: range_of(
                    pairs.map(|(one, other)| statistic(one) - statistic(other)).collect(),
                ),
            }
        };
        Self {
            mae_hours: estimate(&Tally::mae),
            mean_pinball_hours: estimate(&Tally::mean_pinball),
            coverage_80: estimate(&Tally::coverage_80),
        }
    }
}

fn counts(matured: &MaturedRows<'_>, over_two_days: usize) -> Counts {
    let day = |day: Option<&Day>| day.map(Day::to_string).unwrap_or_default();
    let (rows, judged, open) = (matured.shipments.len(), matured.rows.len(), matured.open.len());
    Counts {
        rows,
        judged,
        open,
        excluded: rows - judged - open,
        open_share: open as f64 / (judged + open) as f64,
        weight_sum: matured.rows.iter().map(|&row| matured.weight(row)).sum(),
        weights_bounded: matured.n_bounded(),
        over_two_days,
        first_day: day(matured.days.first()),
        last_day: day(matured.days.last()),
        order_days: matured.days.len(),
    }
}

fn verdict(overall: &[Entry], gates: &GateSettings) -> Result<Verdict, Error> {
    let of = |role| overall.iter().filter(move |entry| entry.role == role);
    let no_candidate = || Error::NoCandidate { candidates: 0, chosen: None };
    let model = of(Role::Model).next().ok_or_else(no_candidate)?;
    let champion = of(Role::Champion).next();
    let baselines: Vec<(&str, &Metrics)> =
        of(Role::Baseline).map(|entry| (entry.forecast.as_str(), &entry.metrics)).collect();
    let model = (model.forecast.as_str(), &model.metrics);
    Verdict::of(model, champion.map(|entry| &entry.metrics), &baselines, gates)
}

fn weeks(matured: &MaturedRows<'_>, with_roles: &[(Role, &Forecast)]) -> Vec<Week> {
    let score = |forecast: &Forecast, rows: &[usize]| {
        let tally = matured.tally(forecast, rows);
        WeekScore {
            forecast: forecast.name.clone(),
            mae_hours: tally.mae(),
            mean_pinball_hours: tally.mean_pinball(),
            coverage_80: tally.coverage_80(),
            share_below_median: tally.below[MEDIAN] / tally.rows,
        }
    };
    let week = |(monday, all): (Day, Vec<usize>)| {
        let known = |row: &usize| matured.rows.binary_search(row).is_ok();
        let rows: Vec<usize> = all.iter().copied().filter(known).collect();
        let open = all.iter().filter(|row| matured.open.binary_search(row).is_ok()).count();
        let shown = with_roles.iter().filter(|(role, _)| *role != Role::Candidate);
        Week {
            monday: monday.to_string(),
            rows: all.len(),
            judged: rows.len(),
            open,
            scores: if rows.is_empty() {
                Vec::new()
            } else {
                shown.map(|(_, forecast)| score(forecast, &rows)).collect()
            },
        }
    };
    matured.weeks().into_iter().map(week).collect()
}

#[cfg(test)]
mod tests {
    use terms::{N_LEVELS, Outcome};

    use super::*;
    use crate::SegmentFamily;

    fn forecast(name: &str, hours: f32) -> Forecast {
        Forecast { name: name.into(), hours: vec![[hours; N_LEVELS]; 60], ..Forecast::default() }
    }

    /// Sixty orders on twenty days; of the last three one is cancelled and two are open.
    fn shipments() -> Shipments {
        let actual = |row: usize| match row {
            57 => Outcome::Excluded,
            58.. => Outcome::Censored(0.0),
            _ => Outcome::Delivered(40.0 + row as f32),
        };
        Shipments {
            ordered_at: (0..60).map(|row| Day::since_epoch(row / 3).start()).collect(),
            outcomes: (0..60).map(actual).collect(),
            promised_hours: vec![Some(90.0); 60],
            grain: terms::Grain::Instant,
            segments: vec![SegmentFamily { name: "all".into(), values: vec!["x".into(); 60] }],
        }
    }

    fn evaluated(chosen: Option<usize>, seed: u64) -> Result<Evaluation, Error> {
        let shipments = shipments();
        let candidates = [forecast("poor", 150.0), forecast("good", 70.0)];
        let baselines = [forecast("high", 120.0), forecast("low", 50.0)];
        let comparison = Comparison {
            shipments: &shipments,
            candidates: &candidates,
            chosen,
            champion: Some(&candidates[0]),
            baselines: &baselines,
        };
        let settings = Settings { seed, ..Settings::default() };
        evaluate(&comparison, &settings, Some(&GateSettings::default()))
    }

    #[test]
    fn the_model_is_the_candidate_with_the_least_pinball_unless_it_is_named() {
        let free = evaluated(None, 0).unwrap();
        assert_eq!(free.model, "good");
        let roles: Vec<_> =
            free.overall.iter().map(|entry| (entry.forecast.as_str(), entry.role)).collect();
        assert_eq!(
            roles,
            [
                ("good", Role::Model),
                ("poor", Role::Candidate),
                ("poor", Role::Champion),
                ("high", Role::Baseline),
                ("low", Role::Baseline),
            ]
        );
        assert_eq!(evaluated(Some(0), 0).unwrap().model, "poor");
        assert!(matches!(evaluated(Some(2), 0), Err(Error::NoCandidate { candidates: 2, .. })));
    }

    #[test]
    fn rows_are_counted_in_all_and_by_week() {
        let evaluation = evaluated(None, 0).unwrap();
        let counts = &evaluation.counts;
        assert_eq!((counts.rows, counts.judged, counts.open, counts.excluded), (60, 57, 2, 1));
        // The two that were open from the beginning are stood for by all.
        assert!((counts.weight_sum - 59.0).abs() < 1e-9 && counts.weights_bounded == 0);
        assert!((counts.open_share - 2.0 / 59.0).abs() < 1e-12);
        assert_eq!((counts.over_two_days, counts.order_days), (48, 19));
        assert_eq!(
            (counts.first_day.as_str(), counts.last_day.as_str()),
            ("1970-01-01", "1970-01-19")
        );
        let weeks: Vec<_> = evaluation
            .weeks
            .iter()
            .map(|week| (week.monday.as_str(), week.rows, week.judged))
            .collect();
        assert_eq!(
            weeks,
            [
                ("1969-12-29", 12, 12),
                ("1970-01-05", 21, 21),
                ("1970-01-12", 21, 21),
                ("1970-01-19", 6, 3)
            ]
        );
        assert_eq!(evaluation.weeks[0].scores.len(), 4);
    }

    #[test]
    fn a_difference_is_the_model_minus_the_other_on_the_same_resamples() {
        let evaluation = evaluated(None, 0).unwrap();
        let (model, high) = (&evaluation.overall[0], &evaluation.overall[3]);
        let difference = high.difference.unwrap().mae_hours;
        assert!(
            (difference.value - (model.metrics.mae_hours - high.metrics.mae_hours)).abs() < 1e-9
        );
        let range = difference.range.unwrap();
        assert!(
            range.low <= difference.value && difference.value <= range.high && range.high < 0.0
        );
        assert!(model.difference.is_none());
        assert_eq!(evaluation.best_baseline.as_deref(), Some("low"));
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_which_read_back() {
        let text = evaluated(None, 5).unwrap().to_json().unwrap();
        assert_eq!(text, evaluated(None, 5).unwrap().to_json().unwrap());
        assert_ne!(text, evaluated(None, 6).unwrap().to_json().unwrap());
        let read: Evaluation = serde_json::from_str(&text).unwrap();
        assert_eq!(read.to_json().unwrap(), text);
        assert!(text.starts_with("{\n  \"schema_version\": 2,\n  \"model\": \"good\","));
    }

    #[test]
    fn probabilities_by_different_days_are_not_compared() {
        let shipments = shipments();
        let by_day = |name: &str, days| Forecast {
            probability_by_day: Some(vec![[0.5; terms::DAYS_AHEAD]; 60]),
            days,
            ..forecast(name, 70.0)
        };
        let evaluated = |days: terms::DayGrid| {
            let candidates = [by_day("own", terms::DayGrid::DAILY)];
            let baselines = [by_day("lane", days), forecast("point", 90.0)];
            let comparison = Comparison {
                shipments: &shipments,
                candidates: &candidates,
                chosen: None,
                champion: None,
                baselines: &baselines,
            };
            evaluate(&comparison, &Settings::default(), None)
        };
        assert!(evaluated(terms::DayGrid::DAILY).is_ok());
        let error = evaluated(terms::DayGrid::up_to(180).unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "probability_by_day of lane: expected days up to 60 as the others have, found days up to \
             180"
        );
    }

    #[test]
    fn gates_without_a_baseline_are_an_error() {
        let shipments = shipments();
        let comparison = Comparison {
            shipments: &shipments,
            candidates: &[forecast("good", 70.0)],
            chosen: None,
            champion: None,
            baselines: &[],
        };
        let gates = GateSettings::default();
        let gated = evaluate(&comparison, &Settings::default(), Some(&gates));
        assert!(matches!(gated, Err(Error::NoBaseline)));
        let free = evaluate(&comparison, &Settings::default(), None).unwrap();
        assert!(free.verdict.is_none() && free.segments.is_empty());
    }
}
