//! Checkpoints of a training, so that another process can continue it.
//!
//! A checkpoint is the model so far and a digest of what it is trained on, not the state of the
//! trainer: the current predictions are the sums of the trees' leaves in the order in which they
//! were added, and everything random in a round follows from the seed and the round's number. So a
//! resumed training computes the same bytes.
//!
//! As bytes: `LHBC`, version u32, digest u64, rounds u32, then 1 and the best round's number u32,
//! trees u64 and loss f64, or 0; then the model, which ends with a checksum of its own bytes. All
//! numbers are little-endian.

use crate::digest::Digest;
use crate::encoding::Reader;
use crate::{CheckedParams, Columns, Error, Model, SaveError, Target};

const MAGIC: [u8; 4] = *b"LHBC";
const VERSION: u32 = 1;

/// A training after some of its rounds.
///
/// ```
/// use boost::{Checkpoint, Checkpoints, Columns, Params, Target, train, train_resumable};
///
/// let columns = [vec![1.0, 2.0, 3.0, 4.0]];
/// let columns = Columns::new(&columns, &[false]);
/// let target = Target::Mean { values: &[1.0, 2.0, 4.0, 8.0] };
/// let params = Params { rounds: 9, rows_in_leaf_min: 1, ..Params::default() }.check()?;
/// let mut bytes = Vec::new();
/// let mut save = |checkpoint: &Checkpoint| {
///     bytes = checkpoint.encode();
///     Ok(())
/// };
/// train_resumable(&columns, &target, &params, Checkpoints::none().every(5, &mut save))?;
///
/// let checkpoint = Checkpoint::decode(&bytes)?;
/// assert_eq!(checkpoint.rounds(), 5);
/// let resumed = Checkpoints::none().from(Some(checkpoint));
/// let resumed = train_resumable(&columns, &target, &params, resumed)?;
/// assert_eq!(resumed.encode(), train(&columns, &target, &params)?.encode());
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The digest of the columns, the target and the parameters.
    pub(crate) training_digest: u64,
    /// Rounds done.
    pub(crate) rounds: u32,
    /// The best round so far, where rows are held out.
    pub(crate) best: Option<BestRound>,
    pub(crate) model: Model,
}

/// The round after which the held-out rows had the lowest loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BestRound {
    /// Rounds done by then.
    pub(crate) rounds: u32,
    /// Trees that the model had.
    pub(crate) trees: usize,
    /// The mean loss of the held-out rows.
    pub(crate) loss: f64,
}

impl BestRound {
    /// The better of the best round so far and this one; the earlier if they are equal.
    pub(crate) fn better(best: Option<Self>, round: Self) -> Self {
        match best {
            Some(best) if best.loss <= round.loss => best,
            _ => round,
        }
    }
}

/// The function that saves a checkpoint.
pub type Save<'a> = dyn FnMut(&Checkpoint) -> Result<(), SaveError> + Send + 'a;

/// The function that is called after each round, with the number of rounds done.
pub type OnRound<'a> = dyn FnMut(u32) + Send + 'a;

/// Which checkpoint a training begins with, and how its own are saved; [`Checkpoint`] has an
/// example.
///
/// ```
/// use boost::Checkpoints;
///
/// let mut rounds = Vec::new();
/// let mut save = |checkpoint: &boost::Checkpoint| {
///     rounds.push(checkpoint.rounds());
///     Ok(())
/// };
/// let columns = [vec![1.0, 2.0]];
/// let columns = boost::Columns::new(&columns, &[false]);
/// let target = boost::Target::Mean { values: &[1.0, 2.0] };
/// let params = boost::Params { rounds: 7, ..Default::default() }.check()?;
/// let checkpoints = Checkpoints::none().every(2, &mut save);
/// boost::train_resumable(&columns, &target, &params, checkpoints)?;
/// // None after the last round: then there is a model.
/// assert_eq!(rounds, [2, 4, 6]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Default)]
pub struct Checkpoints<'a> {
    /// Where to begin; none for the beginning.
    pub(crate) from: Option<Checkpoint>,
    /// Rounds from one checkpoint to the next.
    pub(crate) every: u32,
    pub(crate) save: Option<&'a mut Save<'a>>,
    /// What is called after each round, with the number of rounds done.
    pub(crate) on_round: Option<&'a mut OnRound<'a>>,
}

impl<'a> Checkpoints<'a> {
    /// Begins with the first round and saves nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins after the rounds of a checkpoint, if there is one.
    #[must_use]
    pub fn from(self, from: Option<Checkpoint>) -> Self {
        Self { from, ..self }
    }

    /// Calls a function after each round.
    #[must_use]
    pub fn each_round(self, on_round: &'a mut OnRound<'a>) -> Self {
        Self { on_round: Some(on_round), ..self }
    }

    /// Saves a checkpoint after every `rounds` rounds (at least 1) but the last.
    #[must_use]
    pub fn every(self, rounds: u32, save: &'a mut Save<'a>) -> Self {
        Self { every: rounds.max(1), save: Some(save), ..self }
    }
}

impl Checkpoint {
    /// The checkpoint before the first round.
    pub(crate) fn start(training_digest: u64, model: Model) -> Self {
        Self { training_digest, rounds: 0, best: None, model }
    }

    /// The number of rounds done.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// This checkpoint, if it is of the training with this digest.
    pub(crate) fn continue_on(self, training_digest: u64) -> Result<Self, Error> {
        if self.training_digest == training_digest {
            Ok(self)
        } else {
            Err(Error::OtherTraining { rounds: self.rounds })
        }
    }

    /// The checkpoint as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.training_digest.to_le_bytes());
        bytes.extend(self.rounds.to_le_bytes());
        match self.best {
            None => bytes.push(0),
            Some(best) => {
                bytes.push(1);
                bytes.extend(best.rounds.to_le_bytes());
                bytes.extend((best.trees as u64).to_le_bytes());
                bytes.extend(best.loss.to_le_bytes());
            }
        }
        bytes.extend(self.model.encode());
        bytes
    }

    /// The checkpoint that was encoded to these bytes.
    ///
    /// # Errors
    /// Bytes of something else, of another version, cut short or altered.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let version = reader.u32()?;
        if version != VERSION {
            return Err(Error::Version { found: version, expected: VERSION });
        }
        let training_digest = u64::from_le_bytes(reader.array()?);
        let rounds = reader.u32()?;
        let best = match reader.take(1)?[0] {
            0 => None,
            1 => Some(BestRound {
                rounds: reader.u32()?,
                trees: u64::from_le_bytes(reader.array()?) as usize,
                loss: f64::from_le_bytes(reader.array()?),
            }),
            found => return Err(Error::Tag { what: "best", at: reader.at - 1, found }),
        };
        Ok(Self { training_digest, rounds, best, model: Model::decode(&bytes[reader.at..])? })
    }
}

/// A digest of all that changes a model: not the number of threads or the limit of memory.
pub(crate) fn training_digest(
    columns: &Columns<'_>,
    target: &Target<'_>,
    params: &CheckedParams,
) -> u64 {
    let mut digest = Digest(0);
    let params = crate::Params { threads: None, memory_mib: None, ..(**params).clone() };
    digest.text(&format!("{params:?} {:?} {:?}", columns.categorical, columns.directions));
    columns.columns.iter().for_each(|column| digest.numbers(column));
    digest.numbers(columns.weights.unwrap_or_default());
    let flags =
        |flags: &[bool]| flags.iter().map(|&flag| u8::from(flag).into()).collect::<Vec<f32>>();
    match target {
        Target::Quantiles { values, observed, levels } => {
            digest.text(&format!("quantiles {levels:?}"));
            digest.numbers(values);
            digest.numbers(&flags(observed));
        }
        Target::Mean { values } => {
            digest.text("mean");
            digest.numbers(values);
        }
        Target::Probability { outcomes } => {
            digest.text("probability");
            digest.numbers(&flags(outcomes));
        }
    }
    digest.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::small_model;

    #[test]
    fn checkpoints_come_back_as_they_were_and_altered_bytes_do_not() {
        for best in [None, Some(BestRound { rounds: 3, trees: 2, loss: 0.25 })] {
            let checkpoint =
                Checkpoint { training_digest: 77, rounds: 5, best, model: small_model() };
            let bytes = checkpoint.encode();
            assert_eq!(Checkpoint::decode(&bytes).unwrap(), checkpoint);
            assert!(Checkpoint::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(Checkpoint::decode(&bytes[1..]).is_err());
        }
    }
}
