//! Ids of runs: UUIDs of version 7 (RFC 9562), which sort by the moment at which a run began.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;

use uuid::{Builder, Uuid};

/// The id of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

/// A text that is not the id of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of a run, such as 019ac1f2-5c7a-7c3e-9a51-0d2f6b1c8e47, found {found:?}")]
pub struct RunIdError {
    /// The text.
    pub found: String,
}

impl RunId {
    /// A new id, of a run that begins so many milliseconds after 1970-01-01T00:00:00Z.
    pub fn new(unix_millis: u64) -> Self {
        let mut random = [0; 10];
        // Each state is keyed by the operating system's random numbers.
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half).to_le_bytes());
        for (byte, of_half) in random.iter_mut().zip(halves.concat()) {
            *byte = of_half;
        }
        Self(Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let parsed = Uuid::try_parse(text).map_err(|_| RunIdError { found: text.to_owned() })?;
        Ok(Self(parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_sort_by_their_moment_and_differ_at_the_same_one() {
        let [first, second] = [1_764_000_000_000, 1_764_000_000_001].map(RunId::new);
        assert!(first < second);
        assert_eq!(first.0.get_version_num(), 7);
        assert_ne!(RunId::new(1), RunId::new(1));
        assert_eq!(first.to_string().parse(), Ok(first));
        assert!("yesterday".parse::<RunId>().is_err());
    }
}
