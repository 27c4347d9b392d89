//! The model as a whole: gate, regressors, corrections and mixture, checked to fit together, and the
//! scoring of rows with it.

use rayon::prelude::*;
use terms::{DayGrid, Feature, FeatureList, Grain, Matrix, N_LEVELS, column, order_hour};

use crate::calibration::Calibration;
use crate::compiled::{Compiled, Instructions};
use crate::distribution::Distribution;
use crate::error::Error;
use crate::mixture::Mixture;
use crate::recalibration::{RecalibratedLevels, Recalibration};
use crate::regressor::{Regressor, mean_hours_of};
use crate::time_scale::FeatureTimeScale;

/// Rows that one thread scores at a time: enough for the cost of distributing them to vanish.
const ROWS_AT_A_TIME: usize = 256;

/// What a model is made of.
///
/// ```
/// use boost::{Model, OutputOrder};
/// use scorer::{Calibration, Parts, Recalibration, Regressor, Scorer, TimeScale};
/// use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain};
///
/// let distance = Feature { name: "distance_km".into(), kind: FeatureKind::Numeric };
/// let quantiles = vec![10.0, 20.0, 30.0, 40.0, 48.0, 60.0, 80.0, 120.0, 150.0];
/// let parts = Parts {
///     features: FeatureList(vec![distance]),
///     days: DayGrid::DAILY,
///     // Models without trees predict their base values for every row.
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
/// assert!(Scorer::from_parts(parts.clone()).is_ok());
/// // The gate gives one number, and not a quantile for each level.
/// assert!(Scorer::from_parts(Parts { gate: parts.regressors[0].trees.clone(), ..parts }).is_err());
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Parts {
    /// The features, in the order of a row's values.
    pub features: FeatureList,
    /// The days for which P(delivered by day) is given.
    pub days: DayGrid,
    /// Predicts the log-odds of more than two days.
    pub gate: boost::Model,
    /// Predict the quantiles of delivery time; their weighted mean, in hours, is what counts.
    /// The time scale of the first is that of the corrections.
    pub regressors: Vec<Regressor>,
    /// Mean excess beyond the last quantile, as a share of its distance from the median.
    pub tail_ratio: f32,
    /// The correction of the quantiles by what matured orders did.
    pub calibration: Calibration,
    /// Their correction by what was delivered in the last weeks.
    pub recalibration: Recalibration,
    /// To what resolution deliveries are recorded.
    pub grain: Grain,
}

/// A checked model: every score that it gives is a proper distribution.
///
/// ```
/// use boost::{Model, OutputOrder};
/// use scorer::{Calibration, Parts, Recalibration, Regressor, Scorer, TimeScale};
/// use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain, MEDIAN};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let distance = Feature { name: "distance_km".into(), kind: FeatureKind::Numeric };
/// let quantiles = vec![10.0, 20.0, 30.0, 40.0, 48.0, 60.0, 80.0, 120.0, 150.0];
/// let scorer = Scorer::from_parts(Parts {
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
/// })?;
/// let row = [850.0];
/// scorer.check_row(&row)?;
/// let distribution = scorer.score_row(&row);
/// assert_eq!(distribution.probability_over_2d, 0.5);
/// assert!((distribution.hours[MEDIAN] - 48.0).abs() < 1e-3);
/// // The files of the model give the same model.
/// assert_eq!(Scorer::decode(&scorer.encode())?.score_row(&row), distribution);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scorer {
    parts: Parts,
    /// The trees of the parts as rows are scored with them.
    trees: Trees,
    /// Of the regressors.
    time_scales: Vec<FeatureTimeScale>,
    /// The feature that has the hour of the order.
    week_hours: Option<usize>,
    recalibrated: RecalibratedLevels,
    model_id: String,
}

/// The trees of gate and regressors; None where they are walked as they are.
#[derive(Debug, Clone)]
struct Trees {
    gate: Option<Compiled<1>>,
    regressors: Vec<Option<Compiled<N_LEVELS>>>,
}

impl Trees {
    fn of(parts: &Parts, instructions: Instructions) -> Self {
        let compiled = |regressor: &Regressor| Compiled::of(&regressor.trees, instructions);
        Self {
            gate: Compiled::of(&parts.gate, instructions),
            regressors: parts.regressors.iter().map(compiled).collect(),
        }
    }
}

/// What a model predicts, by its compiled trees if it has them.
fn predicted<const N: usize>(
    compiled: Option<&Compiled<N>>,
    model: &boost::Model,
    row: &[f32],
) -> [f64; N] {
    compiled.map_or_else(
        || {
            let mut outputs = [0.0; N];
            model.predict_row(row, &mut outputs);
            outputs
        },
        |compiled| compiled.predict_row(row),
    )
}

impl Scorer {
    /// Checks that the parts fit together. The model id is the fingerprint of its files, until
    /// [`with_model_id`](Self::with_model_id) gives it another.
    ///
    /// # Errors
    /// If a part has another number of outputs or features than it needs, a value out of range, or a
    /// time scale of other features.
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        let scorer = Self::named(parts, String::new())?;
        let model_id = scorer.fingerprint().short().to_owned();
        Ok(scorer.with_model_id(model_id))
    }

    /// As [`from_parts`](Self::from_parts), with an id that is known: no file is encoded to find it.
    pub(crate) fn named(parts: Parts, model_id: String) -> Result<Self, Error> {
        let n_features = parts.features.len();
        let trees =
            parts.regressors.iter().map(|regressor| ("regressor", &regressor.trees, N_LEVELS));
        for (part, model, expected) in trees.chain([("gate", &parts.gate, 1)]) {
            if model.n_outputs() != expected {
                return Err(Error::Outputs { part, expected, found: model.n_outputs() });
            }
            if model.n_features() != n_features {
                let found = model.n_features();
                return Err(Error::FeatureCount { part, expected: n_features, found });
            }
        }
        if !(parts.tail_ratio.is_finite() && parts.tail_ratio > 0.0) {
            return Err(Error::Tail { found: parts.tail_ratio });
        }
        let weights = parts.regressors.iter().map(|regressor| regressor.weight);
        if !weights.clone().all(|weight| weight.is_finite() && weight > 0.0) || weights.len() == 0 {
            return Err(Error::Weights { found: weights.collect() });
        }
        parts.calibration.check()?;
        parts.recalibration.check()?;
        let scale =
            |regressor: &Regressor| regressor.time_scale.clone().of_features(&parts.features);
        let time_scales = parts.regressors.iter().map(scale).collect::<Result<_, _>>()?;
        let recalibrated = parts.recalibration.levels();
        let week_hours = parts.features.position(column::ORDERED_WEEK_HOURS);
        let trees = Trees::of(&parts, Instructions::best());
        Ok(Self { parts, trees, time_scales, week_hours, recalibrated, model_id })
    }

    /// The same model with probabilities by other days, as to compare it with others on theirs. It
    /// keeps its id.
    #[must_use]
    pub fn on_days(mut self, days: DayGrid) -> Self {
        self.parts.days = days;
        self
    }

    /// The same model with its trees walked by these instructions, if this machine has them and the
    /// model is within their limits, otherwise as they are: for comparing them. The same bits come of
    /// all, and a new model has the fastest.
    #[must_use]
    pub fn with_instructions(mut self, instructions: Instructions) -> Self {
        self.trees = Trees::of(&self.parts, instructions);
        self
    }

    /// The days for which P(delivered by day) is given.
    pub fn days(&self) -> DayGrid {
        self.parts.days
    }

    /// The same model with the id that the registry gave it.
    #[must_use]
    pub fn with_model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = model_id.into();
        self
    }

    /// What the model is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The model's id.
    pub fn model_id(&self) -> &str {
        &self.model_id
    }

    /// The features, in the order of a row's values.
    pub fn features(&self) -> &FeatureList {
        &self.parts.features
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
        let [log_odds] = predicted(self.trees.gate.as_ref(), &self.parts.gate, row);
        let hour = self.week_hours.and_then(|at| order_hour(row[at])).unwrap_or(0.0);
        let Parts { tail_ratio, grain, days, .. } = &self.parts;
        let quantiles = self.quantiles_row(row);
        let mixture = Mixture::of_quantiles(quantiles, f64::from(*tail_ratio), *grain, hour);
        // Both estimate the same from other sides, and the mean of their log-odds errs less than either.
        let of_quantiles = log_odds_of(mixture.probability_over_2d());
        let mean = f64::midpoint(log_odds, of_quantiles);
        mixture.with_over_2d(1.0 / (1.0 + libm::exp(-mean))).on_days(*days)
    }

    /// The corrected quantiles of one row, in hours, ascending.
    pub(crate) fn quantiles_row(&self, row: &[f32]) -> [f64; N_LEVELS] {
        let Parts { regressors, calibration, .. } = &self.parts;
        let scale = self.time_scales[0].of_row(row);
        let mean = mean_hours_of(regressors, &self.time_scales, row, |position| {
            let compiled = self.trees.regressors[position].as_ref();
            predicted(compiled, &regressors[position].trees, row)
        });
        let corrected = calibration.apply(mean.map(|hours| scale.scaled(hours)));
        self.recalibrated.apply(0.0, corrected).map(|scaled| scale.hours(scaled))
    }

    /// Checks that a row has one value for each feature.
    ///
    /// # Errors
    /// If it has not.
    pub fn check_row(&self, row: &[f32]) -> Result<(), Error> {
        let expected = self.parts.features.len();
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
        self.time_scales.iter().find_map(|scale| scale.level_hours(matrix, row))
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
        let expected = &self.parts.features;
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
