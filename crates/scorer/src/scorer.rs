//! The model as a whole: gate, regressors, corrections and mixture, checked to fit together, and the
//! scoring of rows with it.

use rayon::prelude::*;
use terms::{DayGrid, Feature, FeatureList, Grain, Matrix, N_LEVELS, column, order_hour};

use crate::calibration::Calibration;
use crate::compiled::{Ensemble, Instructions};
use crate::distribution::Distribution;
use crate::error::Error;
use crate::mixture::Mixture;
use crate::parts::Parts;
use crate::recalibration::{RecalibratedLevels, Recalibration};
use crate::regressor::{mean_hours_of, shares};
use crate::time_scale::{FeatureTimeScale, TimeScale};

/// Rows that one thread scores at a time: enough for the cost of distributing them to vanish.
const ROWS_AT_A_TIME: usize = 256;

/// A checked model: every score that it gives is a proper distribution.
///
/// It keeps of its [`Parts`] what it scores with, and no trees as they grew beside the form in which it
/// walks them: what encodes, exports or explains a model does so with its parts.
///
/// ```
/// use boost::{Model, OutputOrder};
/// use scorer::{Calibration, Parts, Recalibration, Regressor, Scorer, TimeScale};
/// use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, MEDIAN};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let distance = Feature { name: "distance_km".into(), kind: FeatureKind::Numeric };
/// let quantiles = vec![10.0, 20.0, 30.0, 40.0, 48.0, 60.0, 80.0, 120.0, 150.0];
/// let parts = Parts {
///     features: FeatureList(vec![distance]),
///     days: DayGrid::DAILY,
///     gate: Model::new(vec![0.0], Vec::new(), 1, OutputOrder::AsAdded)?,
///     regressors: vec![Regressor {
///         trees: Model::new(quantiles, Vec::new(), 1, OutputOrder::Rising)?,
///         time_scale: TimeScale::hours(),
///         weight: 1.0,
///     }],
///     tail_ratio: 0.4,
///     calibration: Calibration::identity(),
///     recalibration: Recalibration::identity(),
///     grain: Grain::Instant,
/// };
/// let files = parts.encode();
/// let scorer = Scorer::from_parts(parts)?;
/// let row = [850.0];
/// scorer.check_row(&row)?;
/// let distribution = scorer.score_row(&row);
/// assert_eq!(distribution.probability_over_2d, 0.5);
/// assert!((distribution.hours[MEDIAN] - 48.0).abs() < 1e-3);
/// // The files of the model give the same model.
/// assert_eq!(Scorer::decode(&files)?.score_row(&row), distribution);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scorer {
    features: FeatureList,
    days: DayGrid,
    gate: Ensemble<1>,
    regressors: Vec<ScaledTrees>,
    tail_ratio: f64,
    calibration: Calibration,
    recalibration: Recalibration,
    recalibrated: RecalibratedLevels,
    grain: Grain,
    /// The feature that has the hour of the order.
    week_hours: Option<usize>,
    model_id: String,
}

/// A regressor as rows are scored with it.
#[derive(Debug, Clone)]
struct ScaledTrees {
    trees: Ensemble<N_LEVELS>,
    time_scale: FeatureTimeScale,
    /// Its weight as a share of the sum of all.
    share: f64,
}

impl Scorer {
    /// The scorer of these parts. The model's id is the fingerprint of its files.
    ///
    /// # Errors
    /// If the parts do not fit together ([`Parts::check`]).
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        let model_id = parts.fingerprint().short().to_owned();
        Self::named(parts, model_id)
    }

    /// As [`from_parts`](Self::from_parts), with the id that the registry gave the model.
    ///
    /// # Errors
    /// If the parts do not fit together ([`Parts::check`]).
    pub fn named(parts: Parts, model_id: impl Into<String>) -> Result<Self, Error> {
        Ok(Self {
            model_id: model_id.into(),
            ..Self::with_instructions(parts, Instructions::best())?
        })
    }

    /// A scorer without an id that walks its trees by these instructions, if this machine has them and
    /// the model is within their limits, otherwise as they are: for comparing them. The same bits come of
    /// all.
    ///
    /// # Errors
    /// If the parts do not fit together ([`Parts::check`]).
    pub fn with_instructions(parts: Parts, instructions: Instructions) -> Result<Self, Error> {
        parts.check()?;
        let shares: Vec<f64> = shares(&parts.regressors).collect();
        // One after the other, so that of one only both forms of the trees are in memory.
        let regressors = parts.regressors.into_iter().zip(shares).map(|(regressor, share)| {
            Ok(ScaledTrees {
                trees: Ensemble::of(regressor.trees, instructions),
                time_scale: regressor.time_scale.of_features(&parts.features)?,
                share,
            })
        });
        Ok(Self {
            regressors: regressors.collect::<Result<_, Error>>()?,
            gate: Ensemble::of(parts.gate, instructions),
            recalibrated: parts.recalibration.levels(),
            week_hours: parts.features.position(column::ORDERED_WEEK_HOURS),
            tail_ratio: parts.tail_ratio.into(),
            calibration: parts.calibration,
            recalibration: parts.recalibration,
            grain: parts.grain,
            days: parts.days,
            features: parts.features,
            model_id: String::new(),
        })
    }

    /// The same model with probabilities by other days, as to compare it with others on theirs. It
    /// keeps its id.
    #[must_use]
    pub fn on_days(mut self, days: DayGrid) -> Self {
        self.days = days;
        self
    }

    /// The days for which P(delivered by day) is given.
    pub fn days(&self) -> DayGrid {
        self.days
    }

    /// The correction of the quantiles by what was delivered in the last weeks.
    pub fn recalibration(&self) -> &Recalibration {
        &self.recalibration
    }

    /// The time scale of the corrections, which is that of the first regressor.
    pub fn time_scale(&self) -> &TimeScale {
        self.regressors[0].time_scale.scale()
    }

    /// The model's id.
    pub fn model_id(&self) -> &str {
        &self.model_id
    }

    /// The features, in the order of a row's values.
    pub fn features(&self) -> &FeatureList {
        &self.features
    }

    /// The distribution of one row. Shapes: `row` n_features; missing is NaN.
    ///
    /// Allocates nothing, so that a ranking service can call it within its latency limit.
    ///
    /// # Panics
    /// If `row` is not as long as the feature list, for which [`check_row`](Self::check_row) checks.
    pub fn score_row(&self, row: &[f32]) -> Distribution {
        self.mixture_row(row).distribution()
    }

    /// The exact distribution function of one row: for probabilities and quantiles other than the
    /// published ones, and for conditioning on an age.
    ///
    /// # Panics
    /// If `row` is not as long as the feature list.
    pub fn mixture_row(&self, row: &[f32]) -> Mixture {
        let [log_odds] = self.gate.predict_row(row);
        let hour = self.week_hours.and_then(|at| order_hour(row[at])).unwrap_or(0.0);
        let quantiles = self.quantiles_row(row);
        let mixture = Mixture::of_quantiles(quantiles, self.tail_ratio, self.grain, hour);
        // Both estimate the same from other sides, and the mean of their log-odds errs less than either.
        let of_quantiles = log_odds_of(mixture.probability_over_2d());
        let mean = f64::midpoint(log_odds, of_quantiles);
        mixture.with_over_2d(1.0 / (1.0 + libm::exp(-mean))).on_days(self.days)
    }

    /// The corrected quantiles of one row, in hours, ascending.
    pub(crate) fn quantiles_row(&self, row: &[f32]) -> [f64; N_LEVELS] {
        let scale = self.regressors[0].time_scale.of_row(row);
        let mean = mean_hours_of(
            row,
            self.regressors.iter().map(|ScaledTrees { trees, time_scale, share }| {
                (*share, time_scale, trees.predict_row(row))
            }),
        );
        let corrected = self.calibration.apply(mean.map(|hours| scale.scaled(hours)));
        self.recalibrated.apply(0.0, corrected).map(|scaled| scale.hours(scaled))
    }

    /// Checks that a row has one value for each feature.
    ///
    /// # Errors
    /// If it has not.
    pub fn check_row(&self, row: &[f32]) -> Result<(), Error> {
        let expected = self.features.len();
        if row.len() == expected {
            Ok(())
        } else {
            Err(Error::RowLength { expected, found: row.len() })
        }
    }

    /// The distributions of all rows, each equal to [`score_row`](Self::score_row) of it.
    ///
    /// # Errors
    /// If the matrix has other features than the model; names the first difference.
    pub fn score(&self, matrix: &Matrix) -> Result<Vec<Distribution>, Error> {
        self.map_mixtures(matrix, None, |_, mixture| mixture.distribution())
    }

    /// The distributions of shipments that are known to be open for `ages` hours: each row's
    /// distribution conditioned on exceeding its age.
    ///
    /// # Errors
    /// If the matrix has other features than the model, or the ages are not one a row.
    pub fn score_open(&self, matrix: &Matrix, ages: &[f32]) -> Result<Vec<Distribution>, Error> {
        self.map_mixtures(matrix, Some(ages), |_, mixture| mixture.distribution())
    }

    /// What `of_row` makes of each row's distribution: for numbers beside those that are published.
    /// With `ages` it is conditioned on exceeding the row's age, as in [`score_open`](Self::score_open).
    ///
    /// # Errors
    /// If the matrix has other features than the model, or the ages are not one a row.
    pub fn map_mixtures<T: Send>(
        &self,
        matrix: &Matrix,
        ages: Option<&[f32]>,
        of_row: impl Fn(usize, &Mixture) -> T + Sync,
    ) -> Result<Vec<T>, Error> {
        self.check_features(&matrix.features)?;
        match ages {
            Some(ages) if ages.len() != matrix.n_rows() => {
                Err(Error::Ages { expected: matrix.n_rows(), found: ages.len() })
            }
            Some(ages) => Ok(self.map_rows(matrix, |row, mixture| {
                of_row(row, &mixture.given_open_for(f64::from(ages[row])))
            })),
            None => Ok(self.map_rows(matrix, |row, mixture| of_row(row, &mixture))),
        }
    }

    /// The level of the network of a row of a matrix with the model's features, in hours: that by
    /// which the first regressor that has one scales its times. `None` if none has.
    ///
    /// # Panics
    /// If the matrix has fewer columns or rows.
    pub fn level_hours(&self, matrix: &Matrix, row: usize) -> Option<f32> {
        self.regressors.iter().find_map(|trees| trees.time_scale.level_hours(matrix, row))
    }

    fn map_rows<T: Send>(
        &self,
        matrix: &Matrix,
        of_row: impl Fn(usize, Mixture) -> T + Sync,
    ) -> Vec<T> {
        let n_rows = matrix.n_rows();
        let starts: Vec<usize> = (0..n_rows).step_by(ROWS_AT_A_TIME).collect();
        let score_some = |start: usize| {
            let mut values = vec![f32::NAN; matrix.columns.len()];
            let end = n_rows.min(start + ROWS_AT_A_TIME);
            let one = |row| {
                matrix.row_into(row, &mut values);
                of_row(row, self.mixture_row(&values))
            };
            (start..end).map(one).collect::<Vec<T>>()
        };
        starts.into_par_iter().flat_map_iter(score_some).collect()
    }

    /// Checks that rows of `found` may be scored.
    ///
    /// # Errors
    /// If a name, a kind, a level or the number of features differs; names the first difference.
    pub fn check_features(&self, found: &FeatureList) -> Result<(), Error> {
        let expected = &self.features;
        let longest = expected.len().max(found.len());
        match (0..longest).find(|&position| expected.0.get(position) != found.0.get(position)) {
            None => Ok(()),
            Some(position) => {
                let (expected, found) = (expected.0.get(position), found.0.get(position));
                let same_name = expected.map(|f| &f.name) == found.map(|f| &f.name);
                let text = |feature: &Feature| match same_name {
                    true => format!("{} ({})", feature.name, kind_text(feature)),
                    false => feature.name.clone(),
                };
                let (expected, found) = (expected.map(text), found.map(text));
                Err(Error::FeatureDiffers { position, expected, found })
            }
        }
    }
}

fn log_odds_of(probability: f64) -> f64 {
    libm::log(probability / (1.0 - probability))
}

/// The kind of a feature as text; of levels their digest, by which lists differ.
fn kind_text(feature: &Feature) -> String {
    match &feature.kind {
        terms::FeatureKind::Numeric => "numeric".into(),
        terms::FeatureKind::Categorical { levels } => {
            let digest = terms::Digest::of(levels.join("\n").as_bytes());
            format!("categorical, {} levels, digest {}", levels.len(), digest.short())
        }
    }
}
