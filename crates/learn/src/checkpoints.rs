//! Checkpoints of the boosted regressors, kept by whoever has a place for them.

use crate::error::Error;

/// Why a checkpoint could not be kept.
pub type CheckpointError = Box<dyn std::error::Error + Send + Sync>;

/// A place for checkpoints: each regressor of a training has its name there.
pub trait Checkpoints: Sync {
    /// The last checkpoint of a regressor, if there is one.
    ///
    /// # Errors
    /// If the place cannot be read.
    fn read(&self, regressor: &str) -> Result<Option<Vec<u8>>, CheckpointError>;

    /// Keeps a checkpoint in place of the one before.
    ///
    /// # Errors
    /// If the place cannot be written.
    fn write(&self, regressor: &str, checkpoint: Vec<u8>) -> Result<(), CheckpointError>;
}

/// No place: a training that is killed begins anew.
pub struct NoCheckpoints;

impl Checkpoints for NoCheckpoints {
    fn read(&self, _: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        Ok(None)
    }

    fn write(&self, _: &str, _: Vec<u8>) -> Result<(), CheckpointError> {
        Ok(())
    }
}

/// Trains with a checkpoint after every so many rounds, from where the last one is.
///
/// A checkpoint that cannot be decoded or is of another training is left aside: it may cost time,
/// never bytes.
pub(crate) fn train(
    columns: &boost::Columns<'_>,
    target: &boost::Target<'_>,
    params: &boost::CheckedParams,
    (every, regressor, place): (u32, &str, &dyn Checkpoints),
) -> Result<boost::Model, Error> {
    let failed = |source| Error::Boost { step: "boost", source };
    if every == 0 {
        return boost::train(columns, target, params).map_err(failed);
    }
    let read = place.read(regressor).map_err(|source| Error::Checkpoint { source })?;
    let from = read.and_then(|bytes| boost::Checkpoint::decode(&bytes).ok());
    let rounds = from.as_ref().map_or(0, boost::Checkpoint::rounds);
    let mut save = |checkpoint: &boost::Checkpoint| place.write(regressor, checkpoint.encode());
    let mut go_on = |from| {
        let checkpoints = boost::Checkpoints::none().from(from).every(every, &mut save);
        boost::train_resumable(columns, target, params, checkpoints)
    };
    match go_on(from) {
        Err(boost::Error::OtherTraining { .. }) => {
            tracing::warn!(regressor, rounds, "a checkpoint of another training is left aside");
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
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    /// Keeps in memory, and refuses after so many writes, as a kill would.
    struct Place {
        kept: Mutex<BTreeMap<String, Vec<u8>>>,
        writes_left: Mutex<usize>,
    }

    impl Checkpoints for Place {
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
    fn a_training_goes_on_where_it_was_killed_and_leaves_strange_checkpoints_aside() {
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
            let place = Place { kept: Mutex::new(kept), writes_left: Mutex::new(2) };
            let train = |params| train(&columns, &target, params, (3, "regressor", &place));
            assert!(matches!(train(&params), Err(Error::Boost { .. })), "it is killed");
            let kept = place.read("regressor").unwrap().unwrap();
            assert_eq!(boost::Checkpoint::decode(&kept).unwrap().rounds(), 6);
            *place.writes_left.lock().unwrap() = 100;
            assert_eq!(train(&params).unwrap(), whole);

            let other = boost::Params { leaves: 4, ..(*params).clone() }.check().unwrap();
            assert_eq!(
                train(&other).unwrap(),
                boost::train(&columns, &target, &other).unwrap(),
                "a checkpoint of other parameters changes nothing"
            );
        }
    }
}
