//! The trait that the families of regressors share, and the boosted family.
//!
//! Every family ends as trees with a vector of nine quantiles in each leaf, so that a scorer
//! knows one form of model and the backtest compares like with like.

use std::collections::BTreeMap;

use boost::Direction;
use terms::{FeatureList, LEVELS, Matrix};

use crate::checkpoints::{self, Checkpoints};
use crate::error::Error;
use crate::forest::{Forest, Kind};
use crate::settings::{FamilyName, Settings};

/// Rows of the population that takes more than two days.
#[derive(Debug, Clone, Copy)]
pub struct TrainingRows<'a> {
    /// Their features.
    pub matrix: &'a Matrix,
    /// Delivery time in hours, or what it is known to exceed.
    pub hours: &'a [f32],
    /// Whether the delivery was observed; if not, `hours` is a lower bound.
    pub observed: &'a [bool],
    /// Whether the order is old enough that its outcome is known, or exceptional. A family that
    /// cannot learn from lower bounds uses only these, or it would learn from the fast ones.
    pub matured: &'a [bool],
}

/// A way to learn quantiles of delivery time given that it exceeds two days.
pub trait Family: Sync {
    /// Its name in settings and reports.
    fn name(&self) -> &'static str;

    /// Trains a model that predicts the quantiles at [`LEVELS`], in hours. The same rows and
    /// settings give the same model on any number of threads.
    ///
    /// A family that takes long leaves checkpoints under the name of the `regressor`, and goes on
    /// from there.
    ///
    /// # Errors
    /// If the rows cannot be learned from, or a checkpoint cannot be kept.
    fn train(
        &self,
        rows: &TrainingRows<'_>,
        regressor: &str,
        checkpoints: &dyn Checkpoints,
    ) -> Result<boost::Model, Error>;
}

/// The family of a name.
///
/// # Errors
/// If its settings are out of range.
pub fn family(name: FamilyName, settings: &Settings) -> Result<Box<dyn Family>, Error> {
    settings.check()?;
    Ok(match name {
        FamilyName::Boost => Box::new(Boosted {
            params: settings.boost_params(),
            checkpoint_rounds: settings.checkpoint_rounds,
            monotone: settings.monotone.clone(),
        }),
        FamilyName::Forest => {
            Box::new(Forest::new(Kind::RandomForest, &settings.forest, settings.seed))
        }
        FamilyName::ExtraTrees => {
            Box::new(Forest::new(Kind::ExtraTrees, &settings.forest, settings.seed))
        }
    })
}

/// Boosting of all quantiles at once, with open shipments as censored rows.
struct Boosted {
    params: boost::Params,
    checkpoint_rounds: u32,
    monotone: BTreeMap<String, Direction>,
}

/// The direction of each feature.
fn directions(
    features: &FeatureList,
    monotone: &BTreeMap<String, Direction>,
) -> Result<Vec<Option<Direction>>, Error> {
    let mut directions = vec![None; features.len()];
    for (name, &direction) in monotone {
        let refused = |found| Error::Monotone { name: name.clone(), found };
        let at = features.position(name).ok_or(refused("no feature of that name"))?;
        if features.0[at].is_categorical() {
            return Err(refused("a categorical feature"));
        }
        directions[at] = Some(direction);
    }
    Ok(directions)
}

impl Family for Boosted {
    fn name(&self) -> &'static str {
        "boost"
    }

    fn train(
        &self,
        rows: &TrainingRows<'_>,
        regressor: &str,
        checkpoints: &dyn Checkpoints,
    ) -> Result<boost::Model, Error> {
        let failed = |source| Error::Boost { step: "boost", source };
        let categorical = rows.matrix.features.categorical();
        let directions = directions(&rows.matrix.features, &self.monotone)?;
        let columns = boost::Columns::new(&rows.matrix.columns, &categorical).directed(&directions);
        let target = boost::Target::Quantiles {
            values: rows.hours,
            observed: rows.observed,
            levels: &LEVELS,
        };
        let params = self.params.clone().check().map_err(failed)?;
        let kept = (self.checkpoint_rounds, regressor, checkpoints);
        checkpoints::train(&columns, &target, &params, kept)
    }
}

#[cfg(test)]
mod tests {
    use terms::{ErrorClass, Feature, FeatureKind};

    use super::*;

    #[test]
    fn directions_are_of_numeric_features_that_there_are() {
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let features = FeatureList(vec![
            feature("lane", FeatureKind::Categorical { levels: vec![] }),
            feature("distance_km", FeatureKind::Numeric),
        ]);
        let of = |name: &str| {
            directions(&features, &BTreeMap::from([(name.to_owned(), Direction::Rising)]))
        };
        assert_eq!(of("distance_km").unwrap(), [None, Some(Direction::Rising)]);
        for (name, found) in [("lane", "a categorical feature"), ("x", "no feature of that name")] {
            let error = of(name).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Configuration);
            assert_eq!(
                error.to_string(),
                format!(
                    "setting monotone.{name}: expected the name of a numeric feature, found {found}"
                )
            );
        }
    }
}
