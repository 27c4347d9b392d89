//! The model as a whole: features, gate, regressor, mixture, calibration.

use rayon::prelude::*;
use terms::{Feature, FeatureList, Matrix, N_LEVELS};

use crate::calibration::Calibration;
use crate::error::Error;
use crate::mixture::{Distribution, Knots, Mixture};

/// Rows that one thread scores at a time: enough to forget the cost of handing them out.
const ROWS_AT_A_TIME: usize = 256;

/// What a model is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The features, in the order of a row's values.
    pub features: FeatureList,
    /// Predicts the log-odds of more than two days.
    pub gate: boost::Model,
    /// Predicts the quantiles at [`terms::LEVELS`] given more than two days, in hours.
    pub regressor: boost::Model,
    /// Quantiles of delivery hours within two days.
    pub within: Knots,
    /// Mean excess beyond the last quantile, as a share of its distance from the median.
    pub tail_ratio: f32,
    /// The correction of the regressor's quantiles.
    pub calibration: Calibration,
}

/// A checked model: every score it gives is a proper distribution.
#[derive(Debug, Clone)]
pub struct Scorer {
    parts: Parts,
    model_id: String,
}

impl Scorer {
    /// Checks that the parts fit together. The model id is the fingerprint of its files, until
    /// [`with_model_id`](Self::with_model_id) gives it another.
    ///
    /// # Errors
    /// If the outputs or features of a part differ from what its place needs.
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        let n_features = parts.features.len();
        for (part, model, expected) in
            [("gate", &parts.gate, 1), ("regressor", &parts.regressor, N_LEVELS)]
        {
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
        parts.calibration.check()?;
        let mut scorer = Self { parts, model_id: String::new() };
        scorer.model_id = scorer.fingerprint().short().to_owned();
        Ok(scorer)
    }

    /// The same model under the name that the registry gave it.
    #[must_use]
    pub fn with_model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = model_id.into();
        self
    }

    /// What the model is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The model's name.
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
    /// If `row` is not as long as the feature list. [`check_row`](Self::check_row) finds out before.
    pub fn score_row(&self, row: &[f32]) -> Distribution {
        self.mixture_row(row).distribution()
    }

    /// The exact distribution function of one row: for probabilities and quantiles other than the
    /// published ones, and for conditioning on an age.
    ///
    /// # Panics
    /// If `row` is not as long as the feature list.
    pub fn mixture_row(&self, row: &[f32]) -> Mixture<'_> {
        let mut log_odds = [0.0];
        self.parts.gate.predict_row(row, &mut log_odds);
        let mut raw = [0.0; N_LEVELS];
        self.parts.regressor.predict_row(row, &mut raw);
        let over = 1.0 / (1.0 + (-f64::from(log_odds[0])).exp());
        let beyond = self.parts.calibration.apply(&raw);
        Mixture::new(over, &self.parts.within, beyond, f64::from(self.parts.tail_ratio))
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
        self.check_features(&matrix.features)?;
        Ok(self.map_rows(matrix, |_, mixture| mixture.distribution()))
    }

    /// The distributions of shipments that are known to be open for `ages` hours: each row's
    /// distribution conditioned on exceeding its age.
    ///
    /// # Errors
    /// If the matrix has other features than the model, or the ages are not one a row.
    pub fn score_open(&self, matrix: &Matrix, ages: &[f32]) -> Result<Vec<Distribution>, Error> {
        self.check_features(&matrix.features)?;
        if ages.len() != matrix.n_rows() {
            return Err(Error::Ages { expected: matrix.n_rows(), found: ages.len() });
        }
        Ok(self.map_rows(matrix, |row, mixture| {
            mixture.given_open_for(f64::from(ages[row])).distribution()
        }))
    }

    fn map_rows<T: Send>(
        &self,
        matrix: &Matrix,
        tell: impl Fn(usize, Mixture<'_>) -> T + Sync,
    ) -> Vec<T> {
        let n_rows = matrix.n_rows();
        let starts: Vec<usize> = (0..n_rows).step_by(ROWS_AT_A_TIME).collect();
        let score_some = |start: usize| {
            let mut values = vec![f32::NAN; matrix.columns.len()];
            let end = n_rows.min(start + ROWS_AT_A_TIME);
            let one = |row| {
                matrix.row_into(row, &mut values);
                tell(row, self.mixture_row(&values))
            };
            (start..end).map(one).collect::<Vec<T>>()
        };
        starts.into_par_iter().flat_map_iter(score_some).collect()
    }

    /// Checks that rows of `found` may be scored.
    ///
    /// # Errors
    /// If a name, a kind, a level or the number of features differs; says the first difference.
    pub fn check_features(&self, found: &FeatureList) -> Result<(), Error> {
        let expected = &self.parts.features;
        let longest = expected.len().max(found.len());
        match (0..longest).find(|&position| expected.0.get(position) != found.0.get(position)) {
            None => Ok(()),
            Some(position) => {
                let (expected, found) = (expected.0.get(position), found.0.get(position));
                let same_name = expected.map(|f| &f.name) == found.map(|f| &f.name);
                let tell = |feature: &Feature| match same_name {
                    true => format!("{} ({})", feature.name, told_kind(feature)),
                    false => feature.name.clone(),
                };
                let (expected, found) = (expected.map(tell), found.map(tell));
                Err(Error::FeatureDiffers { position, expected, found })
            }
        }
    }
}

/// The kind of a feature in a few words; levels by their digest, which tells lists apart.
fn told_kind(feature: &Feature) -> String {
    match &feature.kind {
        terms::FeatureKind::Numeric => "numeric".into(),
        terms::FeatureKind::Categorical { levels } => {
            let digest = terms::Digest::of(levels.join("\n").as_bytes());
            format!("categorical, {} levels, digest {}", levels.len(), digest.short())
        }
    }
}
