//! The time that requests and pauses take: that of the machine, or a virtual one for simulations,
//! in which a pause passes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that stands still unless it is advanced; clones are one clock.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    nanoseconds: Arc<AtomicU64>,
}

impl VirtualClock {
    /// The time since it was made.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(by, Ordering::SeqCst);
    }
}

/// The time since a store was opened.
#[derive(Debug, Clone)]
pub(crate) enum Timer {
    Machine { opened: Instant },
    Virtual { opened: Duration, clock: VirtualClock },
}

impl Timer {
    #[expect(clippy::disallowed_methods, reason = "requests to a server end in time")]
    pub(crate) fn of_the_machine() -> Self {
        Self::Machine { opened: Instant::now() }
    }

    pub(crate) fn of(clock: VirtualClock) -> Self {
        Self::Virtual { opened: clock.now(), clock }
    }

    pub(crate) fn now(&self) -> Duration {
        match self {
            Self::Machine { opened } => opened.elapsed(),
            Self::Virtual { opened, clock } => clock.now().saturating_sub(*opened),
        }
    }

    pub(crate) async fn pause(&self, pause: Duration) {
        match self {
            Self::Machine { .. } => tokio::time::sleep(pause).await,
            Self::Virtual { clock, .. } => clock.advance(pause),
        }
    }

    /// The output of `request`; `None` if it takes longer than `limit`.
    pub(crate) async fn within<F: Future>(&self, limit: Duration, request: F) -> Option<F::Output> {
        match self {
            Self::Machine { .. } => tokio::time::timeout(limit, request).await.ok(),
            Self::Virtual { .. } => {
                let begun = self.now();
                let output = request.await;
                (self.now().saturating_sub(begun) <= limit).then_some(output)
            }
        }
    }

    /// A number below `bound`, in which repeated requests of many clients differ; on a virtual
    /// clock a function of its time and of `salt`.
    pub(crate) fn jitter(&self, bound: Duration, salt: u64) -> Duration {
        use std::hash::{BuildHasher as _, RandomState};
        let random = match self {
            Self::Machine { .. } => RandomState::new().hash_one(salt),
            Self::Virtual { clock, .. } => mix(clock.now().as_nanos() as u64 ^ mix(salt)),
        };
        bound.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// SplitMix64: a bijection whose bits look random.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
