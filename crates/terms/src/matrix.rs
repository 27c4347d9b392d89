//! The feature matrix: what `features` builds, `learn` trains on and `scorer` reads.

use serde::{Deserialize, Serialize};

use crate::column;

/// How the numbers of a feature are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Ordered numbers.
    Numeric,
    /// Positions in `levels`, which ascend. A level that is not listed is missing.
    Categorical {
        /// The texts behind the positions.
        levels: Vec<String>,
    },
}

/// One feature of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// Its column name.
    pub name: String,
    /// How its numbers are to be read.
    pub kind: FeatureKind,
}

impl Feature {
    /// The number that stands for `level`: its position, or NaN (missing) if it is not listed.
    pub fn code(&self, level: &str) -> f32 {
        match &self.kind {
            FeatureKind::Numeric => f32::NAN,
            FeatureKind::Categorical { levels } => levels
                .binary_search_by(|known| known.as_str().cmp(level))
                .map_or(f32::NAN, |position| position as f32),
        }
    }

    /// Whether the numbers are positions of levels.
    pub fn is_categorical(&self) -> bool {
        matches!(self.kind, FeatureKind::Categorical { .. })
    }
}

/// The features of a model, in the order of its columns: the model's signature.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureList(pub Vec<Feature>);

impl FeatureList {
    /// How many features.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Position of the feature called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|feature| feature.name == name)
    }

    /// For each feature whether it is categorical.
    pub fn categorical(&self) -> Vec<bool> {
        self.0.iter().map(Feature::is_categorical).collect()
    }
}

/// The hour of the day of an order, of its [`column::ORDERED_WEEK_HOURS`]; `None` where that is missing.
pub fn order_hour(week_hours: f32) -> Option<f64> {
    week_hours.is_finite().then_some(f64::from(week_hours) % 24.0)
}

/// Numbers for training or scoring.
///
/// Shapes: `columns` is n_features × n_rows, column-major; missing is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    /// What the columns are.
    pub features: FeatureList,
    /// One vector a feature.
    pub columns: Vec<Vec<f32>>,
}

impl Matrix {
    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The hour of the day at which a row was ordered, at its destination, by its position; `None` where
    /// it is not known.
    pub fn order_hours(&self) -> impl Fn(usize) -> Option<f64> {
        let week_hours = self.features.position(column::ORDERED_WEEK_HOURS);
        let week_hours = week_hours.map(|at| &self.columns[at]);
        move |row| order_hour(week_hours?[row])
    }

    /// The rows at `positions`, in that order.
    #[must_use]
    pub fn take(&self, positions: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| positions.iter().map(|&row| column[row]).collect())
            .collect();
        Self { features: self.features.clone(), columns }
    }

    /// Writes row `row` into `out`. Shapes: `out` n_features.
    ///
    /// # Panics
    /// If `out` is shorter than the row, or `row` is past the end.
    pub fn row_into(&self, row: usize, out: &mut [f32]) {
        for (value, column) in out.iter_mut().zip(&self.columns) {
            *value = column[row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_an_hour_where_the_matrix_says_so() {
        let name = column::ORDERED_WEEK_HOURS.to_owned();
        let features = FeatureList(vec![Feature { name, kind: FeatureKind::Numeric }]);
        let matrix = Matrix { features, columns: vec![vec![49.5, f32::NAN]] };
        let hour = matrix.order_hours();
        assert_eq!((hour(0), hour(1)), (Some(1.5), None));
        assert_eq!(Matrix::default().order_hours()(0), None);
    }

    #[test]
    fn an_unlisted_level_is_missing() {
        let levels = vec!["RJ".to_owned(), "SP".to_owned()];
        let feature = Feature { name: "region".into(), kind: FeatureKind::Categorical { levels } };
        assert_eq!(feature.code("SP"), 1.0);
        assert!(feature.code("AM").is_nan());
    }
}
