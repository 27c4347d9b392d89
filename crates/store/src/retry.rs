//! How often and for how long a request to a server is repeated before its error is final.

use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};

/// Retries of a request that met a lost connection, a 5xx or a 429.
pub(crate) const N_RETRIES: u32 = 3;
/// No retry begins later than this after the first attempt. A server that accepts connections and
/// never answers is given up after two request timeouts; one that accepts none, after 4 × 3 s.
const RETRY_TIMEOUT: Duration = Duration::from_secs(45);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For a part of 16 MiB this needs half a megabyte a second.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Retries with exponential backoff: 0.1 s, 0.3 s, 0.9 s.
pub(crate) fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 3.0,
    };
    RetryConfig { backoff, max_retries: N_RETRIES as usize, retry_timeout: RETRY_TIMEOUT }
}

/// A client whose connections and requests end in time.
pub(crate) fn with_timeouts(options: ClientOptions) -> ClientOptions {
    options.with_connect_timeout(CONNECT_TIMEOUT).with_timeout(REQUEST_TIMEOUT)
}
