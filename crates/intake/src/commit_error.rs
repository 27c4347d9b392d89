//! Errors of tables that are not as their commits say.

use terms::ErrorClass;

/// Why tables are not as their commits say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Something began to write tables and has not committed them.
    #[error(
        "{path}: expected `longhaul {by}` to have ended, found that it began and did not commit"
    )]
    Unfinished {
        /// The object that says so.
        path: String,
        /// What writes, or wrote until it was killed.
        by: String,
    },
    /// A file is not the one that was committed.
    #[error("{path}: expected {expected} ({commit}), found {found}")]
    Differs {
        /// The file.
        path: String,
        /// Its committed size or digest.
        expected: String,
        /// The commit.
        commit: String,
        /// What is there.
        found: String,
    },
    /// Others changed the list of commits each time.
    #[error("{path}: expected the list of commits to stay, found that others change it each time")]
    Contended {
        /// The last that was tried.
        path: String,
    },
}

impl CommitError {
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Unfinished { .. } => ErrorClass::Input,
            Self::Differs { .. } => ErrorClass::Contract,
            Self::Contended { .. } => ErrorClass::Locked,
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unfinished { path, by } => format!(
                "if it does not run any more, run longhaul {by} again, with the same flags and \
                 --force if it says so; or delete {path} to use the tables as they are"
            ),
            Self::Differs { commit, .. } => format!(
                "restore the file, or import again with --force; delete {commit} only if its \
                 tables are now written by others"
            ),
            Self::Contended { .. } => "run it again when nothing else writes tables".to_owned(),
        }
    }
}
