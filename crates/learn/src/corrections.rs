//! What the corrections of the quantiles are learned from: models of earlier moments, and what
//! became of the orders that followed them.
//!
//! Both are made from the first regressor only, which is a fraction of the work.

use scorer::{Calibration, Recalibration};
use terms::{AsOf, Outcome};

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

/// An earlier model of a smaller share of today's deliveries errs in other ways, as in the first months
/// of a network: of today's the errors on held-out weeks are nearer.
const EARLIER_SHARE_MIN: f64 = 0.5;

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
        let EarlierModel { regressors, followed, basis } = match earlier {
            Ok(earlier) => earlier,
            Err(basis) => return none(basis),
        };
        let matured = Matured::of(self.population, &regressors, followed);
        let history = self.population.history(self.settings);
        let deliveries = self.population.durations(&history).deliveries();
        let earlier = regressors.durations.deliveries() as f64;
        if deliveries >= DELIVERIES_MIN && earlier >= EARLIER_SHARE_MIN * deliveries as f64 {
            tracing::info!(?basis, "calibration learned");
            return Ok((calibration(&matured, settings), Some(matured), basis));
        }
        let (held_out, basis) = self.held_out(&history)?;
        tracing::info!(?basis, "calibration learned");
        Ok((calibration(&held_out, settings), Some(matured), basis))
    }

    /// The matured rows of the history, each as predicted by a model that was not trained on its week.
    fn held_out(&self, history: &[usize]) -> Result<(Matured, CalibrationBasis), Error> {
        let population = self.population;
        let end = population.moment.instant();
        let fold = |row: usize| {
            (end.hours_since(population.ordered_at[row]) / WEEK_HOURS) as usize % FOLDS
        };
        let mut all = Matured { predicted: vec![], times: vec![], observed: vec![] };
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
            let is_matured = |row: &usize| population.is_matured(*row, self.settings.maturity_days);
            let judged: Vec<usize> = of_fold.into_iter().filter(is_matured).collect();
            let judged = Matured::of(population, &regressors, population.durations(&judged));
            all.predicted.extend(judged.predicted);
            all.times.extend(judged.times);
            all.observed.extend(judged.observed);
        }
        let (rows, open) = (all.times.len(), all.observed.iter().filter(|&&seen| !seen).count());
        Ok((all, CalibrationBasis::HeldOut { folds: FOLDS, rows, open }))
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
