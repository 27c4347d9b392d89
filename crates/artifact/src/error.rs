//! Errors of reading, writing and promoting bundles.

use terms::{AsOf, Digest, ErrorClass, SealError};

/// Why a bundle cannot be read, written or promoted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No manifest under that id.
    #[error("model {model_id:?}: not found in {store}")]
    NotFound {
        /// The id that was looked up.
        model_id: String,
        /// Where it was looked for.
        store: String,
    },
    /// A manifest or pointer that cannot be read.
    #[error("{path}: expected {expected}")]
    Unreadable {
        /// The object.
        path: String,
        /// What it should have held.
        expected: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A manifest whose model id is not that of its files.
    #[error("{path}: expected model id {expected}, its files make {found}")]
    WrongId {
        /// The manifest.
        path: String,
        /// The id in it.
        expected: String,
        /// The id that follows from its files' digests.
        found: String,
    },
    /// A manifest in a folder that is not as it was written.
    #[error("{path}")]
    Sealed {
        /// The manifest.
        path: String,
        /// What is wrong with it.
        source: SealError,
    },
    /// A file in a folder that cannot be read.
    #[error("{path}: cannot be read")]
    File {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file in a folder that is not the one in its manifest.
    #[error("{path}: expected SHA-256 {expected}, found {found}: it was altered or cut off")]
    Altered {
        /// The file.
        path: String,
        /// The digest in the manifest.
        expected: String,
        /// The digest of its bytes.
        found: Digest,
    },
    /// A file that holds no key of the kind that is needed.
    #[error("{path}: expected {expected}")]
    Key {
        /// The file.
        path: String,
        /// The key that it should have held.
        expected: &'static str,
    },
    /// A bundle without a signature.
    #[error("model {model_id}: expected a signature, manifest.sig, found none")]
    Unsigned {
        /// The model.
        model_id: String,
    },
    /// A signature that is not of this manifest by this key.
    #[error("model {model_id}: manifest.sig is not a signature of its manifest by this key")]
    Forged {
        /// The model.
        model_id: String,
    },
    /// Another process moved the pointer first.
    #[error("{path}: moved by another run to model {model_id} while this one published")]
    Moved {
        /// The pointer.
        path: String,
        /// What it points to now.
        model_id: String,
    },
    /// The champion is as of a later moment than this model.
    #[error(
        "model {model_id}: as-of {as_of}, while the champion {champion} is as of {champion_as_of}"
    )]
    Older {
        /// The model that was to be promoted.
        model_id: String,
        /// Its as-of.
        as_of: AsOf,
        /// The champion.
        champion: String,
        /// The champion's as-of.
        champion_as_of: AsOf,
    },
    /// A person chose another champion in place of this model.
    #[error("model {model_id}: withdrawn by hand: {reason}")]
    Withdrawn {
        /// The model that was to be promoted.
        model_id: String,
        /// Why it was withdrawn.
        reason: String,
    },
    /// The files cannot be decoded as a model.
    #[error("model {model_id}: its files do not make a scorer")]
    Scorer {
        /// The model.
        model_id: String,
        /// The scorer's error.
        source: scorer::Error,
    },
    /// A part of the model has no equal in another format.
    #[error("{format}: the {part} cannot be written: {what}")]
    Export {
        /// The format.
        format: &'static str,
        /// The part of the model.
        part: &'static str,
        /// What of it.
        what: String,
    },
    /// Bytes that are no parity vectors of the model.
    #[error("{file}: {problem}")]
    ParityFile {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A row of the parity vectors of which the scorer makes something else.
    #[error("parity vectors, row {row}, {column}: expected {expected}, this scorer makes {found}")]
    Parity {
        /// The row, from 0.
        row: usize,
        /// The column, and the position in its list.
        column: String,
        /// What the file says.
        expected: String,
        /// What the scorer makes of the row.
        found: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotFound { .. }
            | Self::Export { .. }
            | Self::File { .. }
            | Self::Key { .. }
            | Self::Unsigned { .. } => ErrorClass::Input,
            Self::Unreadable { .. }
            | Self::WrongId { .. }
            | Self::Scorer { .. }
            | Self::Sealed { .. }
            | Self::Altered { .. }
            | Self::Forged { .. }
            | Self::ParityFile { .. }
            | Self::Parity { .. } => ErrorClass::Contract,
            Self::Moved { .. } => ErrorClass::Locked,
            Self::Older { .. } | Self::Withdrawn { .. } => ErrorClass::Gate,
            Self::Store(error) => error.class(),
        }
    }

    /// Whether it says that a model is not as it was published, or is gone.
    pub fn is_damage(&self) -> bool {
        matches!(self.class(), ErrorClass::Contract | ErrorClass::Input)
    }

    /// What a person can do about it, where something usually helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } | Self::Export { .. } | Self::File { .. } => None,
            Self::Key { .. } => Some(
                "openssl genpkey -algorithm ed25519 -out key.pem makes one; openssl pkey -in key.pem \
                 -pubout -out key.pub.pem its public half"
                    .to_owned(),
            ),
            Self::Unsigned { .. } => Some("longhaul models sign signs it".to_owned()),
            Self::Forged { .. } => Some(
                "the manifest was altered or signed by another key: do not use the model".to_owned(),
            ),
            Self::Moved { .. } => {
                Some("publish again: the model is then compared with the new champion".into())
            }
            Self::Older { .. } => Some(
                "a rerun of an old night does not replace a newer champion; the model is kept"
                    .to_owned(),
            ),
            Self::Withdrawn { .. } => {
                Some("longhaul models promote takes the withdrawal back".to_owned())
            }
            Self::Parity { .. } => Some(
                "the model was made by another version, or its files belong to another model: \
                 publish it again"
                    .to_owned(),
            ),
            Self::Unreadable { .. }
            | Self::WrongId { .. }
            | Self::Scorer { .. }
            | Self::Sealed { .. }
            | Self::Altered { .. }
            | Self::ParityFile { .. } => {
                Some("the bundle was altered after it was published: publish it again".to_owned())
            }
            Self::Store(error) => error.hint(),
        }
    }
}
