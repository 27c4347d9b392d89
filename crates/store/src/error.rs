//! The errors of a store, the class of each, and a hint what to do about it.

use std::time::Duration;

use terms::{Digest, ErrorClass};

/// An error of a store. Every one names the URL it happened at; none holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No object at this URL.
    #[error("{url}: not found")]
    NotFound {
        /// The object.
        url: String,
    },
    /// The bucket itself does not exist.
    #[error("{url}: bucket {bucket:?} does not exist at {endpoint}")]
    BucketMissing {
        /// The object or prefix of the request.
        url: String,
        /// The bucket.
        bucket: String,
        /// The server.
        endpoint: String,
    },
    /// The server does not accept the credentials, or not for this operation.
    #[error("{url}: refused by {endpoint}: {code}: {message}")]
    Forbidden {
        /// The object or prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// The server's error code, such as `SignatureDoesNotMatch`.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The bucket is in another region.
    #[error("{url}: not in region {region:?}, says {endpoint}: {message}")]
    WrongRegion {
        /// The object or prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// The region that requests were signed for.
        region: String,
        /// The server's message.
        message: String,
    },
    /// No key was configured and the instance offers none.
    #[error("{url}: no credentials configured, and none from the instance: {cause}")]
    CredentialsMissing {
        /// The object or prefix of the request.
        url: String,
        /// How the request to the instance failed.
        cause: String,
    },
    /// No response came, or it broke off.
    #[error("{url}: cannot reach {endpoint}: {cause}")]
    Unreachable {
        /// The object or prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// How the attempt failed.
        cause: String,
        /// Whether the request may have been carried out: it was sent, and its answer is not known.
        sent: bool,
    },
    /// The server reported a fault of its own (5xx, 429, 408), or a write under way (409).
    #[error("{url}: {endpoint} failed: {status} {code}: {message}")]
    Unavailable {
        /// The object or prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The server's error code, such as `SlowDown`.
        code: String,
        /// The server's message.
        message: String,
    },
    /// A request was repeated until its time was up.
    #[error("{last} ({method}, attempts: {n_attempts}, in {:.1} s)", spent.as_secs_f64())]
    GaveUp {
        /// What was asked for, as the method of its requests.
        method: &'static str,
        /// How many requests were made.
        n_attempts: u32,
        /// The time from the first request on, pauses included.
        spent: Duration,
        /// How the last attempt failed; it names the object.
        last: Box<Error>,
    },
    /// The deadline that was set for all requests has passed.
    #[error("{url}: not requested, since the deadline of this run has passed")]
    DeadlinePassed {
        /// The object or prefix of the request.
        url: String,
    },
    /// The answer to the request for a list is not a list, or not a whole one.
    #[error("{url}: expected a list of objects from {endpoint}, found {found}")]
    NotAList {
        /// The prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// What came instead.
        found: String,
    },
    /// Reads of one object differ from each other, and none agrees with what the store says of it.
    #[error("{url}: {n_reads} reads, of which no two in a row agree")]
    Unsettled {
        /// The object.
        url: String,
        /// How often it was read.
        n_reads: u32,
    },
    /// The object is larger than objects may be.
    #[error("{url}: {size} bytes by its length, expected at most {limit}")]
    TooLarge {
        /// The object.
        url: String,
        /// Its length as announced.
        size: u64,
        /// The limit of [`Limits`](crate::Limits).
        limit: u64,
    },
    /// What has the name of an object in a folder is not a file.
    #[error("{url}: expected a regular file, found {found}")]
    NotAFile {
        /// The object.
        url: String,
        /// What it is, such as a named pipe.
        found: &'static str,
    },
    /// The server rejected the request as invalid.
    #[error("{url}: not accepted by {endpoint}: {status} {code}: {message}")]
    NotAccepted {
        /// The object or prefix of the request.
        url: String,
        /// The server.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The server's error code.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The server carried out a conditional put whose condition did not hold.
    #[error("{url}: a put was accepted although its condition ({condition}) did not hold")]
    ConditionIgnored {
        /// The object.
        url: String,
        /// The condition, as the header of the request.
        condition: &'static str,
    },
    /// The bytes are not those that were written.
    #[error("{url}: expected SHA-256 {expected}, found {found}")]
    Corrupt {
        /// The object.
        url: String,
        /// The digest of what was written.
        expected: Digest,
        /// The digest of what was read.
        found: Digest,
    },
    /// A control object of another schema, or not as it was written.
    #[error("{url}: {source}")]
    Sealed {
        /// The object.
        url: String,
        /// The version that was read, by which it can be replaced.
        version: crate::object::Version,
        /// What is wrong with it.
        source: terms::SealError,
    },
    /// Fewer or more bytes came than were announced.
    #[error("{url}: expected {expected} bytes, found {found}")]
    Truncated {
        /// The object.
        url: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes received.
        found: u64,
    },
    /// The object was replaced while its parts were read.
    #[error("{url}: replaced while it was read")]
    Replaced {
        /// The object.
        url: String,
    },
    /// A text that is not a key.
    #[error("key {key:?}: expected {expected}")]
    Key {
        /// The text.
        key: String,
        /// What a key must be.
        expected: &'static str,
    },
    /// A setting that cannot be used.
    #[error("{name}: expected {expected}, found {found:?}")]
    Setting {
        /// The setting: a variable, a line of a file, or `store`.
        name: String,
        /// What it may be.
        expected: String,
        /// Its value, or a description if it is secret.
        found: String,
    },
    /// The named profile is in neither file.
    #[error("AWS_PROFILE: profile {profile:?} is neither in {config} nor in {credentials}")]
    ProfileMissing {
        /// The profile.
        profile: String,
        /// The config file that was read.
        config: String,
        /// The credentials file that was read.
        credentials: String,
    },
    /// The file system failed.
    #[error("{url}: the file system failed")]
    File {
        /// The object, folder or file.
        url: String,
        /// The underlying error.
        source: std::io::Error,
    },
    /// Anything else that the client of the storage reports.
    #[error("{url}: the storage client failed")]
    Other {
        /// The object or prefix of the request.
        url: String,
        /// The underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How often a request is repeated that ended with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Not at all: it would end the same way.
    Never,
    /// A few times: the answer was damaged, or another write is under way.
    AFewTimes,
    /// For as long as there is time: the server or the network is down.
    WhileThereIsTime,
}

impl Error {
    pub(crate) fn repeat(&self) -> Repeat {
        match self {
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Truncated { .. } => {
                Repeat::WhileThereIsTime
            }
            Self::Replaced { .. }
            | Self::NotAList { .. }
            | Self::TooLarge { .. }
            | Self::Corrupt { .. }
            | Self::CredentialsMissing { .. } => Repeat::AFewTimes,
            _ => Repeat::Never,
        }
    }

    /// Whether a request that ended with this error may have been carried out.
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. } => *sent,
            // 409: another write is under way, which this one gave way to.
            Self::Unavailable { status, .. } => *status != 409,
            Self::Truncated { .. } => true,
            _ => false,
        }
    }

    /// The URL of the object, if it is gone or not what was written.
    pub fn damaged(&self) -> Option<&str> {
        match self {
            Self::Corrupt { url, .. } | Self::NotFound { url } | Self::Sealed { url, .. } => {
                Some(url)
            }
            _ => None,
        }
    }

    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Key { .. } => ErrorClass::Internal,
            Self::Corrupt { .. }
            | Self::Sealed { .. }
            | Self::NotAList { .. }
            | Self::NotAFile { .. } => ErrorClass::Contract,
            Self::NotFound { .. } => ErrorClass::Input,
            Self::GaveUp { last, .. } => last.class(),
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                ErrorClass::Configuration
            }
            Self::Unreachable { .. }
            | Self::Unavailable { .. }
            | Self::DeadlinePassed { .. }
            | Self::Unsettled { .. }
            | Self::TooLarge { .. }
            | Self::Truncated { .. }
            | Self::Replaced { .. }
            | Self::File { .. }
            | Self::Other { .. } => ErrorClass::Storage,
            Self::BucketMissing { .. }
            | Self::Forbidden { .. }
            | Self::WrongRegion { .. }
            | Self::CredentialsMissing { .. }
            | Self::NotAccepted { .. }
            | Self::ConditionIgnored { .. }
            | Self::Setting { .. }
            | Self::ProfileMissing { .. } => ErrorClass::Configuration,
        }
    }

    /// What to do about it, as one sentence.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BucketMissing { bucket, .. } => format!(
                "create the bucket {bucket:?}, or check AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and \
                 the store's URL"
            ),
            Self::Forbidden { code, .. } if code == "RequestTimeTooSkewed" => {
                "set the clock of this machine: signatures carry the time".to_owned()
            }
            Self::Forbidden { code, .. } if code.starts_with("Expired") => {
                "the session has ended: get new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                 AWS_SESSION_TOKEN"
                    .to_owned()
            }
            Self::Forbidden { code, .. } if code == "SignatureDoesNotMatch" => {
                "check AWS_SECRET_ACCESS_KEY, and that AWS_REGION is the server's region".to_owned()
            }
            Self::Forbidden { .. } => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the key may do in this \
                 bucket"
                    .to_owned()
            }
            Self::WrongRegion { .. } => "set AWS_REGION to the region of the bucket".to_owned(),
            Self::CredentialsMissing { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or \
                 AWS_SKIP_SIGNATURE=true for a public bucket"
                    .to_owned()
            }
            Self::Unreachable { endpoint, .. } => format!(
                "check AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL, and that {endpoint} is up and can \
                 be reached from here"
            ),
            Self::GaveUp { last, .. } => return last.hint(),
            Self::Unavailable { .. } => {
                "run again later, or allow requests to be repeated for longer".to_owned()
            }
            Self::DeadlinePassed { .. } => {
                "run again: what is finished is not done again; or allow the run more time"
                    .to_owned()
            }
            Self::NotAList { .. } => {
                "check that the endpoint is the storage itself and no page of a proxy or portal, \
                 and run again"
                    .to_owned()
            }
            Self::Unsettled { .. } => {
                "bytes are damaged on their way: check the network and the disks, and run again"
                    .to_owned()
            }
            Self::TooLarge { .. } => {
                "raise the limit of an object's size if it is that large; else run again".to_owned()
            }
            Self::NotAFile { .. } => "remove it from the folder, or make it a file".to_owned(),
            Self::ConditionIgnored { .. } => {
                "this server cannot keep two runs apart: use one that honours If-None-Match and \
                 If-Match on put"
                    .to_owned()
            }
            Self::Sealed { source: terms::SealError::Schema { .. }, .. } => {
                "it may have been written by another version of this program".to_owned()
            }
            Self::Corrupt { .. } | Self::Sealed { .. } => {
                "restore the object, or write it again".to_owned()
            }
            Self::Replaced { .. } | Self::Truncated { .. } => "run again".to_owned(),
            Self::ProfileMissing { .. } => {
                "name a profile of these files, or unset AWS_PROFILE and set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY"
                    .to_owned()
            }
            Self::File { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "let this user read and write the folder".to_owned()
                }
                std::io::ErrorKind::StorageFull => "make room on the disk".to_owned(),
                _ => return None,
            },
            Self::NotFound { .. }
            | Self::NotAccepted { .. }
            | Self::Key { .. }
            | Self::Setting { .. }
            | Self::Other { .. } => return None,
        };
        Some(hint)
    }
}
