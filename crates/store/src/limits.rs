//! How long and how much a store may take.

use std::time::Duration;

/// Bounds of the time and the size of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a request is repeated that meets a fault of the server or the network, from its
    /// first attempt on. No attempt begins later.
    pub retry_for: Duration,
    /// How long one attempt may take, its whole body included, for each 16 MiB of what it carries.
    pub request: Duration,
    /// No attempt begins later than this after the store was opened: the deadline of a night.
    pub until: Option<Duration>,
    /// The largest object that is read, in bytes.
    pub object_bytes: u64,
}

impl Default for Limits {
    /// Three minutes, 30 seconds, no deadline, 8 GiB.
    fn default() -> Self {
        Self {
            retry_for: Duration::from_secs(180),
            request: Duration::from_secs(30),
            until: None,
            object_bytes: 8 << 30,
        }
    }
}
