//! Imputation of missing values by the median of their feature, for the learners that cannot use
//! missing values: forests and the readable gate.
//!
//! A missing category gets the median code, which is that of a level in the data.

use terms::Matrix;

/// The imputed value of each feature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Medians(Vec<f32>);

impl Medians {
    /// The lower medians of the present values at `rows`; 0 where none is present.
    pub(crate) fn of(matrix: &Matrix, rows: &[usize]) -> Self {
        let median = |column: &Vec<f32>| {
            let mut present: Vec<f32> =
                rows.iter().map(|&row| column[row]).filter(|value| !value.is_nan()).collect();
            match present.len() {
                0 => 0.0,
                n => *present.select_nth_unstable_by((n - 1) / 2, f32::total_cmp).1,
            }
        };
        Self(matrix.columns.iter().map(median).collect())
    }

    /// The value for a feature.
    pub(crate) fn of_feature(&self, feature: usize) -> f32 {
        self.0[feature]
    }

    /// `value` of `feature`, or the median if it is missing.
    pub(crate) fn filled(&self, feature: usize, value: f32) -> f32 {
        if value.is_nan() { self.0[feature] } else { value }
    }
}

#[cfg(test)]
mod tests {
    use terms::FeatureList;

    use super::*;

    #[test]
    fn the_median_ignores_what_is_missing_and_other_rows() {
        let columns = vec![vec![3.0, f32::NAN, 1.0, 2.0, 99.0], vec![f32::NAN; 5]];
        let matrix = Matrix { features: FeatureList::default(), columns };
        let medians = Medians::of(&matrix, &[0, 1, 2, 3]);
        assert_eq!(medians, Medians(vec![2.0, 0.0]));
        assert_eq!(medians.filled(0, f32::NAN), 2.0);
        assert_eq!(medians.filled(0, 7.0), 7.0);
    }
}
