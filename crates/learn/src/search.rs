//! The search for the sizes of an ensemble: rounds, rows of a leaf, and the weight of the forest.
//!
//! Sizes that suit many deliveries overfit few. Each candidate is trained as of an earlier moment, with
//! what was known then, and forecasts the orders of the weeks that followed, of which nearly all have
//! been delivered by now. The sizes of the settings are given up only for such that are better by more
//! than what is expected by chance, so that sizes do not change from night to night. A shorter ensemble
//! is the beginning of a longer one, so all numbers of rounds cost one training.
//!
//! Rows that are still open have no loss; those like them that were delivered stand for them
//! ([`CensoringSurvival`]).

use std::collections::BTreeMap;

use rayon::prelude::*;
use scorer::{Regressor, mean_hours};
use serde::{Deserialize, Serialize};
use statistics::{Censored, CensoringSurvival};
use terms::{AsOf, LEVELS, N_LEVELS, Outcome, pinball_loss};

use crate::boosted::Boosted;
use crate::checkpoints::Checkpoints;
use crate::ensemble_settings::EnsembleSettings;
use crate::error::Error;
use crate::family::Family;
use crate::forest::{Forest, Kind};
use crate::population::{Durations, Population};
use crate::regressors::{Regressors, Which};
use crate::settings::Settings;

const WEEK_HOURS: f64 = 7.0 * 24.0;
/// With fewer weeks nothing is known of what differs by chance.
const WEEKS_MIN: usize = 3;
/// By how many of its standard errors a candidate must be better than the sizes of the settings.
const STANDARD_ERRORS: f64 = 2.0;
/// And by which share of their loss.
const SHARE_MIN: f64 = 0.005;

/// What was found by a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The moment as of which the candidates were trained.
    pub as_of: AsOf,
    /// Rows that were forecast and are delivered by now.
    pub rows: usize,
    /// The sizes of the settings first.
    pub candidates: Vec<Candidate>,
    /// The position of those that the model has.
    pub chosen: usize,
}

/// Sizes, and how well an ensemble of them forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Rounds of boosting (`train.boost.rounds`).
    pub rounds: u32,
    /// Rows of a leaf at least (`train.boost.rows_in_leaf_min`).
    pub rows_in_leaf_min: u32,
    /// The forest's weight where deliveries are few (`train.ensemble.forest_weight`).
    pub forest_weight: f64,
    /// Mean pinball loss over rows and levels, in hours.
    pub mean_pinball_hours: f64,
    /// The mean over weeks of how much smaller it is than that of the sizes of the settings, in hours.
    pub gain_hours: f64,
    /// The standard error of the gain, from its differences between weeks.
    pub standard_error_hours: f64,
}

impl Search {
    /// The settings with the sizes that were chosen.
    pub(crate) fn settings(&self, settings: &Settings) -> Settings {
        let mut found = settings.clone();
        let Some(chosen) = self.candidates.get(self.chosen) else { return found };
        found.boost.rounds = chosen.rounds;
        found.boost.rows_in_leaf_min = chosen.rows_in_leaf_min;
        found.ensemble.forest_weight = chosen.forest_weight;
        found
    }
}

/// Searches for the sizes of an ensemble; `None` where there are enough deliveries for those of the
/// settings, or too few to judge candidates by.
///
/// # Errors
/// If boosting fails.
pub(crate) fn search(
    population: &Population<'_>,
    outcomes: &dyn Fn(AsOf) -> Vec<Outcome>,
    settings: &Settings,
    checkpoints: &dyn Checkpoints,
) -> Result<Option<Search>, Error> {
    let Population { matrix, ordered_at, moment, .. } = population;
    let deliveries = population.durations(&population.history(settings)).deliveries();
    if !settings.search.enabled || deliveries >= settings.ensemble.deliveries_max {
        return Ok(None);
    }
    let days = i64::from(settings.search.days);
    let as_of = moment.plus_days(-days - i64::from(settings.maturity_days));
    let span = as_of.instant()..as_of.instant().plus_days(days);
    let followed = population.durations(&population.ordered_within(span));
    let begin = as_of.instant();
    let week = |&row: &usize| (ordered_at[row].hours_since(begin) / WEEK_HOURS) as usize;
    let weeks: Vec<usize> = followed.rows.iter().map(week).collect();
    let judged = Followed::new(&followed, weeks);
    let rows = judged.weights.iter().filter(|&&weight| weight > 0.0).count();
    if rows < settings.search.deliveries_min {
        return Ok(None);
    }
    let earlier = Population::at(as_of, matrix, ordered_at, outcomes, settings)?;
    let training = Training { earlier: &earlier, followed: &followed, checkpoints };
    let forecasts = match training.forecasts(settings, deliveries) {
        Err(Error::TooFewRows { .. } | Error::NothingMatured { .. }) => return Ok(None),
        forecasts => forecasts?,
    };
    let (candidates, chosen) = judged.compared(&forecasts);
    tracing::info!(chosen = ?candidates.get(chosen), "sizes of the ensemble");
    Ok(Some(Search { as_of, rows, candidates, chosen }))
}

/// Quantiles in hours. Shapes: one a row that is followed.
type Hours = Vec<[f64; N_LEVELS]>;

/// Sizes, and what an ensemble of them forecasts.
struct Forecast {
    rounds: u32,
    rows_in_leaf_min: u32,
    forest_weight: f64,
    hours: Hours,
}

/// What candidates are trained on, and what they forecast.
struct Training<'a> {
    earlier: &'a Population<'a>,
    followed: &'a Durations,
    checkpoints: &'a dyn Checkpoints,
}

impl Training<'_> {
    /// The forecasts of all candidates, weighted as after so many deliveries; the sizes of the settings
    /// come first.
    fn forecasts(&self, settings: &Settings, deliveries: usize) -> Result<Vec<Forecast>, Error> {
        let boost = &settings.boost;
        let half = |number: u32| (number / 2).max(1);
        let most = boost.rounds.saturating_add(half(boost.rounds));
        let forest = Forest::new(Kind::RandomForest, &settings.forest, settings.seed);
        let forest = self.trained(&forest, settings, "forest_of_search")?;
        let forest = self.hours(&forest, usize::MAX)?;
        let mut forecasts = Vec::new();
        for rows_in_leaf_min in [boost.rows_in_leaf_min, half(boost.rows_in_leaf_min)] {
            let mut longest = settings.clone();
            longest.boost.rows_in_leaf_min = rows_in_leaf_min;
            longest.boost.rounds = most;
            let name = format!("boost_of_search_{rows_in_leaf_min}");
            let boosted = self.trained(&Boosted::new(&longest), &longest, &name)?;
            for rounds in [boost.rounds, half(boost.rounds), most] {
                let boosted = self.hours(&boosted, rounds as usize)?;
                // Sizes of boosting do not matter to the forest, so it is tried alone once.
                let alone = forecasts.is_empty().then_some(1.0);
                for forest_weight in [settings.ensemble.forest_weight, 0.0].into_iter().chain(alone)
                {
                    let ensemble = EnsembleSettings { forest_weight, ..settings.ensemble.clone() };
                    let weight = ensemble.forest_weight_of(deliveries);
                    let hours = mean((&boosted, 1.0 - weight), (&forest, weight));
                    forecasts.push(Forecast { rounds, rows_in_leaf_min, forest_weight, hours });
                }
            }
        }
        Ok(forecasts)
    }

    fn trained(
        &self,
        family: &dyn Family,
        settings: &Settings,
        name: &str,
    ) -> Result<Regressors, Error> {
        let kept = (name, self.checkpoints);
        Regressors::train(self.earlier, family, settings, Which::First, kept)
    }

    /// The forecasts of the first so many trees.
    fn hours(&self, trained: &Regressors, trees: usize) -> Result<Hours, Error> {
        let first_trees = |regressor: &Regressor| {
            let of_all = &regressor.trees;
            let first = of_all.trees()[..trees.min(of_all.trees().len())].to_vec();
            let (base, order) = (of_all.base().to_vec(), of_all.output_order());
            let trees = boost::Model::new(base, first, of_all.n_features(), order)?;
            Ok(Regressor { trees, ..regressor.clone() })
        };
        let failed = |source| Error::Boost { step: "search", source };
        let regressors: Result<Vec<Regressor>, boost::Error> =
            trained.regressors.iter().map(first_trees).collect();
        let regressors = regressors.map_err(failed)?;
        let matrix = self.earlier.matrix;
        let row = || vec![f32::NAN; matrix.columns.len()];
        let of_row = |values: &mut Vec<f32>, &row: &usize| {
            matrix.row_into(row, values);
            mean_hours(&regressors, &trained.time_scales, values)
        };
        Ok(self.followed.rows.par_iter().map_init(row, of_row).collect())
    }
}

/// The weighted mean of two forecasts.
fn mean((one, weight): (&Hours, f64), (other, other_weight): (&Hours, f64)) -> Hours {
    let of_row = |(one, other): (&[f64; N_LEVELS], &[f64; N_LEVELS])| {
        std::array::from_fn(|level| weight * one[level] + other_weight * other[level])
    };
    one.iter().zip(other).map(of_row).collect()
}

/// What became of the orders that were forecast. Shapes: one value a row that is followed.
struct Followed {
    hours: Vec<f64>,
    /// For how many rows it stands; 0 where it is open.
    weights: Vec<f64>,
    /// The week after the moment of training in which it was ordered.
    weeks: Vec<usize>,
}

impl Followed {
    fn new(followed: &Durations, weeks: Vec<usize>) -> Self {
        let value = |(&hours, &observed): (&f32, &bool)| Censored {
            value: f64::from(hours),
            observed,
            weight: 1.0,
        };
        let values: Vec<Censored<f64>> =
            followed.hours.iter().zip(&followed.observed).map(value).collect();
        let survival = CensoringSurvival::of(&values);
        let weight = |of: &Censored<f64>| match of.observed {
            true => 1.0 / survival.before(of.value),
            false => 0.0,
        };
        let weights = values.iter().map(weight).collect();
        Self { hours: values.iter().map(|of| of.value).collect(), weights, weeks }
    }

    /// The sum of the losses of each week, and of the weights.
    fn by_week(&self, forecast: &Hours) -> BTreeMap<usize, (f64, f64)> {
        let mut weeks: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        let rows = self.hours.iter().zip(&self.weights).zip(&self.weeks).zip(forecast);
        for (((&hours, &weight), &week), quantiles) in rows {
            let loss = |(&level, &quantile)| pinball_loss(level, quantile, hours);
            let loss: f64 = LEVELS.iter().zip(quantiles).map(loss).sum::<f64>() / N_LEVELS as f64;
            if weight > 0.0 {
                let sums = weeks.entry(week).or_default();
                *sums = (sums.0 + weight * loss, sums.1 + weight);
            }
        }
        weeks
    }

    /// The candidates, and the position of the one that is chosen.
    fn compared(&self, forecasts: &[Forecast]) -> (Vec<Candidate>, usize) {
        let weeks: Vec<_> = forecasts.iter().map(|one| self.by_week(&one.hours)).collect();
        let of_one = |(forecast, weeks_of_it): (&Forecast, &BTreeMap<usize, (f64, f64)>)| {
            let pairs = weeks[0].values().zip(weeks_of_it.values());
            let gains: Vec<f64> =
                pairs.map(|(of_set, of_it)| of_set.0 / of_set.1 - of_it.0 / of_it.1).collect();
            let n = gains.len() as f64;
            let gain = gains.iter().sum::<f64>() / n;
            let squares: f64 = gains.iter().map(|of| (of - gain) * (of - gain)).sum();
            let total = weeks_of_it.values().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            Candidate {
                rounds: forecast.rounds,
                rows_in_leaf_min: forecast.rows_in_leaf_min,
                forest_weight: forecast.forest_weight,
                mean_pinball_hours: total.0 / total.1,
                gain_hours: gain,
                standard_error_hours: (squares / (n - 1.0).max(1.0) / n).sqrt(),
            }
        };
        let candidates: Vec<Candidate> = forecasts.iter().zip(&weeks).map(of_one).collect();
        let n_weeks = weeks.first().map_or(0, BTreeMap::len);
        let is_better = |one: &Candidate| {
            let of_set = candidates[0].mean_pinball_hours;
            n_weeks >= WEEKS_MIN
                && one.gain_hours > STANDARD_ERRORS * one.standard_error_hours
                && one.mean_pinball_hours < (1.0 - SHARE_MIN) * of_set
        };
        let loss = |&at: &usize| candidates[at].mean_pinball_hours;
        let better = (0..candidates.len()).filter(|&at| is_better(&candidates[at]));
        let chosen = better.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap_or(0);
        (candidates, chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty deliveries of 100 hours a week for four weeks; each candidate forecasts these hours.
    fn compared(forecasts: &[&dyn Fn(usize) -> f64]) -> (Vec<Candidate>, usize) {
        let followed = Durations {
            rows: (0..160).collect(),
            hours: vec![100.0; 160],
            observed: vec![true; 160],
        };
        let judged = Followed::new(&followed, (0..160).map(|row| row / 40).collect());
        let forecast = |(at, of): (usize, &&dyn Fn(usize) -> f64)| Forecast {
            rounds: at as u32,
            rows_in_leaf_min: 1,
            forest_weight: 0.5,
            hours: (0..160).map(|row| [of(row / 40); N_LEVELS]).collect(),
        };
        let forecasts: Vec<Forecast> = forecasts.iter().enumerate().map(forecast).collect();
        judged.compared(&forecasts)
    }

    #[test]
    fn sizes_are_given_up_for_better_ones_and_not_for_luckier_ones() {
        let set = |_| 110.0;
        // Ten hours too late at nine levels: the mean of (1 - level) times ten.
        let (candidates, chosen) = compared(&[&set, &|_| 106.0, &|_| 104.0, &|_| 120.0]);
        let of_set = 10.0 * LEVELS.iter().map(|level| 1.0 - level).sum::<f64>() / N_LEVELS as f64;
        assert!((candidates[0].mean_pinball_hours - of_set).abs() < 1e-9);
        assert!((candidates[2].gain_hours - 0.6 * of_set).abs() < 1e-9);
        assert!(candidates[3].gain_hours < 0.0 && candidates[0].gain_hours == 0.0);
        assert_eq!(chosen, 2, "the best of two that are better in each week");
        // Better on the whole by one week, and worse in the others.
        let lucky = |week| if week == 0 { 100.0 } else { 111.0 };
        let (candidates, chosen) = compared(&[&set, &lucky]);
        assert!(candidates[1].mean_pinball_hours < 0.9 * of_set);
        assert_eq!(chosen, 0);
        assert_eq!(compared(&[&set, &|_| 109.99]).1, 0, "a gain that is too small to matter");
    }

    #[test]
    fn what_is_open_is_stood_for_by_what_was_delivered_later() {
        let followed = Durations {
            rows: vec![0, 1, 2, 3],
            hours: vec![10.0, 20.0, 30.0, 40.0],
            observed: vec![true, false, true, true],
        };
        let judged = Followed::new(&followed, vec![0; 4]);
        assert_eq!(judged.weights, [1.0, 0.0, 1.5, 1.5]);
    }
}
