//! What a store has transferred, and letting no further write begin.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a stop looks whether the writes under way have ended.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(5);

/// What a store has transferred since it was opened, all its clones together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Attempts of requests; for a folder, files that were read or written.
    pub requests: u64,
    /// Attempts after one that met a fault of the server or the network.
    pub retries: u64,
    /// Bytes of objects that were read.
    pub bytes_read: u64,
    /// Bytes of objects that were sent to be written.
    pub bytes_written: u64,
}

impl Traffic {
    /// What was transferred since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            retries: self.retries - earlier.retries,
            bytes_read: self.bytes_read - earlier.bytes_read,
            bytes_written: self.bytes_written - earlier.bytes_written,
        }
    }
}

/// Counts of what a store does; shared by its clones.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    n_writing: AtomicU64,
    is_stopped: AtomicBool,
}

/// A write that is under way.
pub(crate) struct Writing<'a>(&'a Activity);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.n_writing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Activity {
    pub(crate) fn traffic(&self) -> Traffic {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Traffic {
            requests: of(&self.requests),
            retries: of(&self.retries),
            bytes_read: of(&self.bytes_read),
            bytes_written: of(&self.bytes_written),
        }
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_read(&self, n_bytes: usize) {
        self.bytes_read.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    /// Begins a write of so many bytes; `None` if none may begin any more.
    pub(crate) fn try_write(&self, n_bytes: u64) -> Option<Writing<'_>> {
        // Counted before it is asked whether one may begin, so that a stop that does not see this
        // write is seen by it.
        self.n_writing.fetch_add(1, Ordering::SeqCst);
        let writing = Writing(self);
        if self.is_stopped.load(Ordering::SeqCst) {
            return None;
        }
        self.bytes_written.fetch_add(n_bytes, Ordering::Relaxed);
        Some(writing)
    }

    /// Begins a write as [`try_write`](Self::try_write) does. After a stop it waits for the end of
    /// the process.
    pub(crate) fn write(&self, n_bytes: usize) -> Writing<'_> {
        loop {
            match self.try_write(n_bytes as u64) {
                Some(writing) => return writing,
                None => std::thread::park(),
            }
        }
    }

    /// Lets no further write begin, and waits at most for `patience` until those under way have
    /// ended. Returns whether they have.
    pub(crate) fn stop(&self, patience: Duration) -> bool {
        self.is_stopped.store(true, Ordering::SeqCst);
        let mut waited = Duration::ZERO;
        while self.n_writing.load(Ordering::SeqCst) > 0 {
            if waited >= patience {
                return false;
            }
            std::thread::sleep(LOOKED_AT_EVERY);
            waited += LOOKED_AT_EVERY;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn after_a_stop_no_write_begins_and_those_under_way_are_waited_for() {
        let activity = Arc::new(Activity::default());
        let writing = activity.try_write(7).expect("nothing is stopped");
        assert!(!activity.stop(Duration::from_millis(20)));
        assert!(activity.try_write(7).is_none());
        drop(writing);
        assert!(activity.stop(Duration::ZERO));
        assert_eq!(activity.traffic().bytes_written, 7);
    }
}
