//! Where a training stands, so that another process can go on.
//!
//! A checkpoint is the model so far and what it was trained on (as a digest), not the state of the
//! trainer: the current predictions are the sums of the trees' leaves in the order in which they
//! were added, and everything else of a round is drawn from the seed and the round's number. So a
//! resumed training computes the same bytes.
//!
//! As bytes: `LHBC`, version u32, digest u64, rounds u32, then 1 and the best rounds u32, trees u64
//! and loss f64, or 0; then the model, which ends with a sum of its own bytes. All little-endian.

use crate::encode::Reader;
use crate::{CheckedParams, Columns, Error, Model, Target};

const MAGIC: [u8; 4] = *b"LHBC";
const VERSION: u32 = 1;

/// A training that can be gone on with.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The digest of what is trained on.
    pub(crate) of: u64,
    /// Rounds done.
    pub(crate) rounds: u32,
    pub(crate) best: Option<Best>,
    pub(crate) model: Model,
}

/// The best that the held-out rows have been predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) rounds: u32,
    pub(crate) trees: usize,
    pub(crate) loss: f64,
}

impl Best {
    /// The better of what was best and what is now; the earlier if they are equal.
    pub(crate) fn of(best: Option<Self>, rounds: u32, trees: usize, loss: f64) -> Option<Self> {
        match best {
            Some(best) if best.loss <= loss => Some(best),
            _ => Some(Self { rounds, trees, loss }),
        }
    }
}

/// Why a checkpoint could not be saved.
pub type SaveError = Box<dyn std::error::Error + Send + Sync>;

/// What saves a checkpoint.
pub type Save<'a> = dyn FnMut(&Checkpoint) -> Result<(), SaveError> + Send + 'a;

/// Where to begin, and what is done with checkpoints.
#[derive(Default)]
pub struct Checkpoints<'a> {
    /// Where to begin; none for the beginning.
    pub(crate) from: Option<Checkpoint>,
    /// Rounds from one checkpoint to the next.
    pub(crate) every: u32,
    pub(crate) save: Option<&'a mut Save<'a>>,
}

impl<'a> Checkpoints<'a> {
    /// From the beginning, saving nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins where a checkpoint ends.
    #[must_use]
    pub fn from(self, from: Option<Checkpoint>) -> Self {
        Self { from, ..self }
    }

    /// Saves a checkpoint after every so many rounds (at least 1).
    #[must_use]
    pub fn every(self, rounds: u32, save: &'a mut Save<'a>) -> Self {
        Self { every: rounds.max(1), save: Some(save), ..self }
    }
}

impl Checkpoint {
    pub(crate) fn start(of: u64, model: Model) -> Self {
        Self { of, rounds: 0, best: None, model }
    }

    /// The rounds that are done.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// This checkpoint, if it is of the training with this digest.
    pub(crate) fn continue_on(self, of: u64) -> Result<Self, Error> {
        if self.of == of { Ok(self) } else { Err(Error::OtherTraining { rounds: self.rounds }) }
    }

    /// The checkpoint as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.of.to_le_bytes());
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

    /// The checkpoint of some bytes.
    ///
    /// # Errors
    /// Bytes of something else, of another version, cut short or altered.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let version = reader.u32()?;
        if version != VERSION {
            return Err(Error::Version { found: version, expected: VERSION });
        }
        let of = u64::from_le_bytes(reader.array()?);
        let rounds = reader.u32()?;
        let best = match reader.take(1)?[0] {
            0 => None,
            1 => Some(Best {
                rounds: reader.u32()?,
                trees: u64::from_le_bytes(reader.array()?) as usize,
                loss: f64::from_le_bytes(reader.array()?),
            }),
            found => return Err(Error::Tag { what: "best", at: reader.at - 1, found }),
        };
        Ok(Self { of, rounds, best, model: Model::decode(&bytes[reader.at..])? })
    }
}

/// A digest of all that a training depends on. The number of threads changes nothing.
pub(crate) fn digest(columns: &Columns<'_>, target: &Target<'_>, params: &CheckedParams) -> u64 {
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

/// Mixes words, each times an odd number (as SplitMix64 does). Against mistakes, not malice.
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    #[inline(always)]
    pub(crate) fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn numbers(&mut self, numbers: &[f32]) {
        self.word(numbers.len() as u64);
        numbers.iter().for_each(|number| self.word(number.to_bits().into()));
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.word(byte.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::small_model;

    #[test]
    fn checkpoints_come_back_as_they_were_and_altered_bytes_do_not() {
        for best in [None, Some(Best { rounds: 3, trees: 2, loss: 0.25 })] {
            let checkpoint = Checkpoint { of: 77, rounds: 5, best, model: small_model() };
            let bytes = checkpoint.encode();
            assert_eq!(Checkpoint::decode(&bytes).unwrap(), checkpoint);
            assert!(Checkpoint::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(Checkpoint::decode(&bytes[1..]).is_err());
        }
    }
}
