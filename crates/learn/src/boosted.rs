//! The boosted family: quantiles by gradient boosting (`boost`), resumable from checkpoints.

use std::collections::BTreeMap;

use boost::Direction;
use terms::{FeatureList, LEVELS};

use crate::checkpoints::Checkpoints;
use crate::error::Error;
use crate::family::{Family, TrainingRows, WeightedTrees};
use crate::settings::Settings;

/// Gradient boosting of all quantiles at once, with open shipments as right-censored rows.
pub(crate) struct Boosted {
    params: boost::Params,
    checkpoint_rounds: u32,
    monotone: BTreeMap<String, Direction>,
}

impl Boosted {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            params: settings.boost_params(),
            checkpoint_rounds: settings.checkpoint_rounds,
            monotone: settings.monotone.clone(),
        }
    }
}

/// The direction of each feature; `None` is no constraint.
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
    ) -> Result<Vec<WeightedTrees>, Error> {
        let failed = |source| Error::Boost { step: "boost", source };
        let categorical = rows.matrix.features.categorical();
        let directions = directions(&rows.matrix.features, &self.monotone)?;
        let columns = boost::Columns::new(&rows.matrix.columns, &categorical).directed(&directions);
        let target = boost::Target::Quantiles {
            values: rows.times,
            observed: rows.observed,
            levels: &LEVELS,
        };
        let params = self.params.clone().check().map_err(failed)?;
        let kept = (self.checkpoint_rounds, regressor, checkpoints);
        Ok(vec![(train(&columns, &target, &params, kept)?, 1.0)])
    }
}

/// Trains with a checkpoint after every so many rounds, going on from the last one.
///
/// A checkpoint that cannot be decoded, or that is of another training, is ignored: it costs time,
/// and does not change the model.
fn train(
    columns: &boost::Columns<'_>,
    target: &boost::Target<'_>,
    params: &boost::CheckedParams,
    (every, regressor, storage): (u32, &str, &dyn Checkpoints),
) -> Result<boost::Model, Error> {
    let failed = |source| Error::Boost { step: "boost", source };
    let mut each_round = |done| storage.round(regressor, done, params.rounds);
    if every == 0 {
        let rounds = boost::Checkpoints::none().each_round(&mut each_round);
        return boost::train_resumable(columns, target, params, rounds).map_err(failed);
    }
    let read = storage.read(regressor).map_err(|source| Error::Checkpoint { source })?;
    let from = read.and_then(|bytes| boost::Checkpoint::decode(&bytes).ok());
    let rounds = from.as_ref().map_or(0, boost::Checkpoint::rounds);
    let mut save = |checkpoint: &boost::Checkpoint| storage.write(regressor, checkpoint.encode());
    let mut go_on = |from| {
        let checkpoints = boost::Checkpoints::none()
            .from(from)
            .every(every, &mut save)
            .each_round(&mut each_round);
        boost::train_resumable(columns, target, params, checkpoints)
    };
    match go_on(from) {
        Err(boost::Error::OtherTraining { .. }) => {
            tracing::warn!(regressor, rounds, "a checkpoint of another training is ignored");
            go_on(None)
        }
        trained => {
            if rounds > 0 {
                tracing::info!(regressor, rounds, "went on from a checkpoint");
            }
            trained
        }
    }
    .map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use terms::{ErrorClass, Feature, FeatureKind};

    use super::*;
    use crate::checkpoints::CheckpointError;

    /// In memory; fails after so many writes, as if the training was killed.
    struct Storage {
        kept: Mutex<BTreeMap<String, Vec<u8>>>,
        writes_left: Mutex<usize>,
    }

    impl Checkpoints for Storage {
        fn read(&self, regressor: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
            Ok(self.kept.lock().unwrap().get(regressor).cloned())
        }

        fn write(&self, regressor: &str, checkpoint: Vec<u8>) -> Result<(), CheckpointError> {
            let mut left = self.writes_left.lock().unwrap();
            *left = left.checked_sub(1).ok_or("killed")?;
            self.kept.lock().unwrap().insert(regressor.to_owned(), checkpoint);
            Ok(())
        }
    }

    #[test]
    fn a_training_goes_on_where_it_was_killed_and_ignores_other_checkpoints() {
        let column: Vec<f32> = (0..400).map(|row| (row % 37) as f32).collect();
        let values: Vec<f32> = (0..400).map(|row| 50.0 + (row % 37 + row % 11) as f32).collect();
        let columns = [column];
        let columns = boost::Columns::new(&columns, &[false]);
        let target = boost::Target::Quantiles {
            values: &values,
            observed: &[true; 400],
            levels: &[0.1, 0.5, 0.9],
        };
        let params = boost::Params { rounds: 20, rows_in_leaf_min: 10, ..Default::default() };
        let params = params.check().unwrap();
        let whole = boost::train(&columns, &target, &params).unwrap();
        for first in [None, Some(b"no checkpoint".to_vec())] {
            let kept = first.map(|bytes| ("regressor".to_owned(), bytes)).into_iter().collect();
            let storage = Storage { kept: Mutex::new(kept), writes_left: Mutex::new(2) };
            let train = |params| train(&columns, &target, params, (3, "regressor", &storage));
            assert!(matches!(train(&params), Err(Error::Boost { .. })), "it is killed");
            let kept = storage.read("regressor").unwrap().unwrap();
            assert_eq!(boost::Checkpoint::decode(&kept).unwrap().rounds(), 6);
            *storage.writes_left.lock().unwrap() = 100;
            assert_eq!(train(&params).unwrap(), whole);

            let other = boost::Params { leaves: 4, ..(*params).clone() }.check().unwrap();
            assert_eq!(
                train(&other).unwrap(),
                boost::train(&columns, &target, &other).unwrap(),
                "a checkpoint of other parameters changes nothing"
            );
        }
    }

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
                    "setting train.monotone.{name}: expected the name of a numeric feature, found {found}"
                )
            );
        }
    }
}
