//! The gate: a boosted classifier for P(delivery takes more than two days), as log-odds.

use terms::Matrix;

use crate::error::Error;
use crate::settings::Settings;

/// Trains the gate. Shapes: one `over` a row of the matrix: whether it took more than two days.
///
/// With too few rows of either class the gate is a constant: the log-odds of the share, with one row
/// added to each class (Laplace's rule of succession).
pub(crate) fn train(
    matrix: &Matrix,
    over: &[bool],
    settings: &Settings,
) -> Result<boost::Model, Error> {
    let failed = |source| Error::Boost { step: "gate", source };
    let n_over = over.iter().filter(|&&over| over).count();
    let n_within = over.len() - n_over;
    if n_over.min(n_within) < settings.gate.rows_of_class_min {
        let odds = (n_over as f64 + 1.0) / (n_within as f64 + 1.0);
        let (base, n_features) = (vec![libm::log(odds) as f32], matrix.columns.len());
        return boost::Model::new(base, Vec::new(), n_features, boost::OutputOrder::AsAdded)
            .map_err(failed);
    }
    let categorical = matrix.features.categorical();
    let columns = boost::Columns::new(&matrix.columns, &categorical);
    let target = boost::Target::Probability { outcomes: over };
    let params = settings.gate_params().check().map_err(failed)?;
    boost::train(&columns, &target, &params).map_err(failed)
}

#[cfg(test)]
mod tests {
    use terms::{Feature, FeatureKind, FeatureList};

    use super::*;

    #[test]
    fn one_class_alone_gives_a_smoothed_share() {
        let features = FeatureList(vec![Feature { name: "x".into(), kind: FeatureKind::Numeric }]);
        let matrix = Matrix { features, columns: vec![vec![1.0; 9]] };
        let gate = train(&matrix, &[true; 9], &Settings::default()).unwrap();
        let log_odds = gate.predict(&matrix.columns).unwrap()[0];
        assert!((log_odds - 10f64.ln()).abs() < 1e-6);
    }
}
