//! What the corrections of the quantiles are learned from: models of earlier moments, and what
//! became of the orders that followed them.
//!
//! Both are made from the first regressor only, which is a fraction of the work.

use scorer::{Calibration, Recalibration};
use terms::{AsOf, Outcome, TWO_DAYS_HOURS};

use crate::calibration::{Matured, calibration};
use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::Family;
use crate::population::{Beyond, Population};
use crate::recalibration::{Spell, recalibration};
use crate::regressors::{Regressors, Which};
use crate::settings::Settings;
use crate::sizes::CalibrationBasis;

/// What a training is made of, for its corrections.
pub(crate) struct Corrections<'a> {
    pub(crate) population: &'a Population<'a>,
    pub(crate) outcomes: &'a dyn Fn(AsOf) -> Vec<Outcome>,
    pub(crate) family: &'a dyn Family,
    pub(crate) settings: &'a Settings,
    pub(crate) checkpoints: &'a dyn Checkpoints,
}

/// A model of an earlier moment, or why there is none.
type RegressorsOrReason = Result<Regressors, CalibrationBasis>;

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
        let days = i64::from(settings.days);
        let moment =
            self.population.moment.plus_days(-(i64::from(self.settings.maturity_days) + days));
        let followed = self.followed(moment, days);
        let found = followed.observed.iter().filter(|&&seen| seen).count();
        let needed = settings.rows_min;
        if found < needed {
            return none(CalibrationBasis::TooFewMatured { found, needed });
        }
        let regressors = match self.as_of(moment, "regressor_of_calibration")? {
            Ok(regressors) => regressors,
            Err(basis) => return none(basis),
        };
        let matrix = self.population.matrix;
        let matured = Matured {
            predicted: regressors.predict(matrix, &followed.rows)?,
            times: followed.times(matrix, &regressors.time_scales[0]),
            observed: followed.observed,
        };
        let rows = matured.times.len();
        tracing::info!(rows, as_of = %moment, "calibration learned");
        let basis = CalibrationBasis::Learned { as_of: moment, rows, open: rows - found };
        Ok((calibration(&matured, settings), Some(matured), basis))
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
        let moment = self.population.moment.plus_days(-days);
        let followed = self.followed(moment, days);
        let found = followed.observed.iter().filter(|&&seen| seen).count();
        let needed = settings.deliveries_min;
        if found < needed {
            return none(CalibrationBasis::TooFewMatured { found, needed });
        }
        let regressors = match self.as_of(moment, "regressor_of_recalibration")? {
            Ok(regressors) => regressors,
            Err(basis) => return none(basis),
        };
        let matrix = self.population.matrix;
        let predicted = regressors.predict(matrix, &followed.rows)?;
        let times = followed.times(matrix, &regressors.time_scales[0]);
        let spell = |(position, quantiles)| {
            let scale = regressors.time_scales[0].of_matrix(matrix, followed.rows[position]);
            let start = scale.scaled(TWO_DAYS_HOURS);
            Spell {
                quantiles: calibration.apply(quantiles),
                start,
                // All of them were ordered in the period.
                entered: start,
                left: f64::from(times[position]),
                delivered: followed.observed[position],
            }
        };
        let spells: Vec<Spell> = predicted.into_iter().enumerate().map(spell).collect();
        let rows = spells.len();
        tracing::info!(rows, as_of = %moment, "recalibration learned");
        let basis = CalibrationBasis::Learned { as_of: moment, rows, open: rows - found };
        Ok((recalibration(&spells, settings), basis))
    }

    /// The rows beyond two days that were ordered in the days after a moment, as known now.
    fn followed(&self, moment: AsOf, days: i64) -> Beyond {
        let span = moment.instant()..moment.instant().plus_days(days);
        self.population.beyond(&self.population.ordered_within(span))
    }

    /// The first regressor as of an earlier moment.
    fn as_of(&self, moment: AsOf, name: &str) -> Result<RegressorsOrReason, Error> {
        let Population { matrix, ordered_at, .. } = self.population;
        let earlier = Population::at(moment, matrix, ordered_at, self.outcomes)?;
        let kept = (name, self.checkpoints);
        match Regressors::train(&earlier, self.family, self.settings, Which::First, kept) {
            Ok(regressors) => Ok(Ok(regressors)),
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
