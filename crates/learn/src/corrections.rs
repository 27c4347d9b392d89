//! What the corrections of the quantiles are learned from: models of earlier moments, and what
//! became of the orders that followed them.
//!
//! Both are made from the first regressor only, which is a fraction of the work.

use scorer::{Calibration, Recalibration};
use terms::{AsOf, Instant, Outcome};

use crate::calibration::{Matured, calibration};
use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::Family;
use crate::population::{Durations, Population};
use crate::recalibration::{Spell, recalibration};
use crate::regressors::{Regressors, Which};
use crate::settings::Settings;
use crate::sizes::CalibrationBasis;

const WEEK_HOURS: f64 = 7.0 * 24.0;

/// From where an earlier model of such a share of today's deliveries, as in the first months of a network,
/// errs in other ways to where it errs as today's does. Between both the errors on held-out weeks count in
/// part.
const EARLIER_SHARES: (f64, f64) = (1.0 / 3.0, 2.0 / 3.0);

/// With fewer deliveries those of some weeks are too few to learn a calibration from, and all are held
/// out in turn.
const DELIVERIES_MIN: usize = 5_000;

/// One of so many weeks is held out at a time.
const FOLDS: usize = 4;

/// What a training is made of, for its corrections.
pub(crate) struct Corrections<'a> {
    pub(crate) population: &'a Population<'a>,
    pub(crate) outcomes: &'a dyn Fn(AsOf) -> Vec<Outcome>,
    pub(crate) family: &'a dyn Family,
    pub(crate) settings: &'a Settings,
    pub(crate) checkpoints: &'a dyn Checkpoints,
}

/// A model of an earlier moment, and the orders that followed it.
struct EarlierModel {
    regressors: Regressors,
    /// What is known of them now.
    followed: Durations,
    basis: CalibrationBasis,
}

/// It, or why there is none.
type EarlierModelOrReason = Result<EarlierModel, CalibrationBasis>;

impl Corrections<'_> {
    /// The calibration, and the rows that it was learned from if there were enough.
    ///
    /// # Errors
    /// If the family fails.
    pub(crate) fn calibration(
        &self,
    ) -> Result<(Calibration, Option<Matured>, CalibrationBasis), Error> {
        let settings = &self.settings.calibration;
        let none = |basis| Ok((Calibration::identity(), None, basis));
        if !settings.enabled {
            return none(CalibrationBasis::Disabled);
        }
        let maturity_days = i64::from(self.settings.maturity_days);
        let days = i64::from(settings.days);
        let span = (maturity_days + days, days);
        let earlier = self.earlier(span, settings.rows_min, "regressor_of_calibration")?;
        let (followed, deliveries_then, learned) = match earlier {
            Ok(EarlierModel { regressors, followed, basis }) => {
                let deliveries = regressors.durations.deliveries();
                (Some(Matured::of(self.population, &regressors, followed)), deliveries, basis)
            }
            Err(basis @ CalibrationBasis::TooFewToTrain { .. }) => (None, 0, basis),
            Err(basis) => return none(basis),
        };
        let history = self.population.history(self.settings);
        let deliveries = self.population.durations(&history).deliveries();
        let are_few = deliveries < DELIVERIES_MIN;
        let weight_of_earlier = weight_of_earlier(deliveries_then, deliveries);
        if weight_of_earlier == 1.0
            && let Some(followed) = followed
        {
            tracing::info!(basis = ?learned, "calibration learned");
            return Ok((calibration(&followed, settings), Some(followed), learned));
        }
        // The same orders as after the earlier moment, or all where these are few.
        let first = match are_few {
            true => Instant::MIN,
            false => self.population.moment.plus_days(-span.0).instant(),
        };
        let held_out = self.held_out(&history, first)?;
        let rows = held_out.times.len();
        let open = held_out.observed.iter().filter(|&&seen| !seen).count();
        let basis = CalibrationBasis::HeldOut { folds: FOLDS, rows, open, weight_of_earlier };
        tracing::info!(?basis, "calibration learned");
        let mut both = Matured::default();
        both.add(&held_out, 1.0 - weight_of_earlier);
        if let Some(followed) = &followed {
            both.add(followed, weight_of_earlier);
        }
        Ok((calibration(&both, settings), Some(followed.unwrap_or(held_out)), basis))
    }

    /// The matured rows of the history from `first` on, each as predicted by a model that was not trained
    /// on its week.
    fn held_out(&self, history: &[usize], first: Instant) -> Result<Matured, Error> {
        let population = self.population;
        let end = population.moment.instant();
        let fold = |row: usize| {
            (end.hours_since(population.ordered_at[row]) / WEEK_HOURS) as usize % FOLDS
        };
        let is_judged = |row: &usize| {
            population.ordered_at[*row] >= first
                && population.is_matured(*row, self.settings.maturity_days)
        };
        let mut all = Matured::default();
        for held_out in 0..FOLDS {
            let mut others = population.clone();
            let of_fold: Vec<usize> =
                history.iter().copied().filter(|&row| fold(row) == held_out).collect();
            of_fold.iter().for_each(|&row| others.outcomes[row] = Outcome::Excluded);
            let name = format!("regressor_of_calibration_{held_out}");
            let kept = (&*name, self.checkpoints);
            let trained =
                Regressors::train(&others, self.family, self.settings, Which::First, kept);
            let regressors = match trained {
                Err(Error::TooFewRows { .. } | Error::NothingMatured { .. }) => continue,
                trained => trained?,
            };
            let judged: Vec<usize> = of_fold.into_iter().filter(is_judged).collect();
            all.add(&Matured::of(population, &regressors, population.durations(&judged)), 1.0);
        }
        Ok(all)
    }

    /// The recalibration of quantiles that `calibration` has corrected.
    ///
    /// # Errors
    /// If the family fails.
    pub(crate) fn recalibration(
        &self,
        calibration: &Calibration,
    ) -> Result<(Recalibration, CalibrationBasis), Error> {
        let settings = &self.settings.recalibration;
        let none = |basis| Ok((Recalibration::identity(), basis));
        if !settings.enabled {
            return none(CalibrationBasis::Disabled);
        }
        let days = i64::from(settings.days);
        let (span, needed) = ((days, days), settings.deliveries_min);
        let earlier = self.earlier(span, needed, "regressor_of_recalibration")?;
        let EarlierModel { regressors, followed, basis } = match earlier {
            Ok(earlier) => earlier,
            Err(basis) => return none(basis),
        };
        let matrix = self.population.matrix;
        let predicted = regressors.predict(matrix, &followed.rows);
        let times = followed.times(matrix, &regressors.time_scales[0]);
        let Population { moment, ordered_at, .. } = self.population;
        let begin = moment.plus_days(-days).instant();
        let week = |row: usize| (ordered_at[row].hours_since(begin) / WEEK_HOURS) as usize;
        let spell = |(position, quantiles)| Spell {
            quantiles: calibration.apply(quantiles),
            // All of them were ordered in the period.
            entered: 0.0,
            left: f64::from(times[position]),
            delivered: followed.observed[position],
            week: week(followed.rows[position]),
        };
        let spells: Vec<Spell> = predicted.into_iter().enumerate().map(spell).collect();
        tracing::info!(?basis, "recalibration learned");
        Ok((recalibration(&spells, settings), basis))
    }

    /// The first regressor as of `days_ago` days before now, and the orders of the `days` days that
    /// followed, of which `needed` have to be delivered by now.
    fn earlier(
        &self,
        (days_ago, days): (i64, i64),
        needed: usize,
        name: &str,
    ) -> Result<EarlierModelOrReason, Error> {
        let Population { matrix, ordered_at, moment, .. } = self.population;
        let moment = moment.plus_days(-days_ago);
        let span = moment.instant()..moment.instant().plus_days(days);
        let followed = self.population.durations(&self.population.ordered_within(span));
        let found = followed.deliveries();
        if found < needed {
            return Ok(Err(CalibrationBasis::TooFewMatured { found, needed }));
        }
        let earlier = Population::at(moment, matrix, ordered_at, self.outcomes, self.settings)?;
        let kept = (name, self.checkpoints);
        match Regressors::train(&earlier, self.family, self.settings, Which::First, kept) {
            Ok(regressors) => {
                let rows = followed.rows.len();
                let basis = CalibrationBasis::Learned { as_of: moment, rows, open: rows - found };
                Ok(Ok(EarlierModel { regressors, followed, basis }))
            }
            Err(Error::TooFewRows { found, needed, .. }) => {
                Ok(Err(CalibrationBasis::TooFewToTrain { found, needed }))
            }
            Err(Error::NothingMatured { .. }) => {
                let needed = self.settings.rows_min;
                Ok(Err(CalibrationBasis::TooFewToTrain { found: 0, needed }))
            }
            Err(error) => Err(error),
        }
    }
}

/// From 0 to 1: how much the errors of an earlier model count that was trained when there were so many
/// deliveries, and not those of models from which weeks are held out.
fn weight_of_earlier(deliveries_then: usize, deliveries: usize) -> f64 {
    if deliveries < DELIVERIES_MIN {
        return 0.0;
    }
    let (none, whole) = EARLIER_SHARES;
    let share = deliveries_then as f64 / deliveries as f64;
    ((share - none) / (whole - none)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_model_counts_by_the_share_of_the_deliveries_that_it_had() {
        assert_eq!(weight_of_earlier(DELIVERIES_MIN - 1, DELIVERIES_MIN - 1), 0.0, "few");
        assert_eq!(weight_of_earlier(0, 60_000), 0.0);
        assert_eq!(weight_of_earlier(20_000, 60_000), 0.0);
        assert!((weight_of_earlier(30_000, 60_000) - 0.5).abs() < 1e-12);
        assert!(weight_of_earlier(39_999, 60_000) < 1.0);
        assert_eq!(weight_of_earlier(50_000, 60_000), 1.0);
        // Of a moment with more deliveries, as where old ones leave the history.
        assert_eq!(weight_of_earlier(90_000, 60_000), 1.0);
    }
}
