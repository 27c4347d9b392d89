//! What a request, a connection and the service may take.

use std::time::Duration;

/// Limits of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; beyond them 413.
    pub body_bytes: usize,
    /// Rows of a request; beyond them 413.
    pub rows: usize,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// How long a request may take to arrive, headers and body each; then it is closed, or 408.
    pub read: Duration,
    /// How long requests under way may take once the service has begun to stop.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            rows: 10_000,
            connections: 1_024,
            read: Duration::from_secs(5),
            stop: Duration::from_secs(10),
        }
    }
}
