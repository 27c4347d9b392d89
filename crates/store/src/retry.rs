//! Attempts of one request: repeated with exponential backoff and full jitter while its time lasts.
//!
//! `object_store` repeats requests too, but not after a body broke off and not after a write whose
//! answer was lost, and it cannot be told when the night is over: its own repeats are turned off.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::Activity;
use crate::clock::Timer;
use crate::error::{Error, Repeat};
use crate::limits::Limits;

/// Attempts of a request whose answers are damaged, or in conflict with another write.
const A_FEW: u32 = 6;
/// The longest pause after the first attempt; it doubles after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What [`Limits::request`] is the time for.
const BYTES_PER_LIMIT: u64 = 16 << 20;

/// How attempts are timed; one for each store.
#[derive(Debug, Clone)]
pub(crate) struct Pacing {
    pub(crate) limits: Limits,
    pub(crate) timer: Timer,
    pub(crate) endpoint: Arc<str>,
    pub(crate) activity: Arc<Activity>,
}

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    pacing: &'a Pacing,
    method: &'static str,
    url: String,
    begun: Duration,
    n_attempts: u32,
}

impl Pacing {
    /// Begins the attempts of a request for the object or prefix at `url`.
    pub(crate) fn attempts(&self, method: &'static str, url: String) -> Attempts<'_> {
        Attempts { pacing: self, method, url, begun: self.timer.now(), n_attempts: 0 }
    }
}

impl Attempts<'_> {
    /// Makes attempts, each carrying `n_bytes`, until one succeeds.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(crate) async fn repeat<T, F: Future<Output = Result<T, Error>>>(
        mut self,
        n_bytes: u64,
        mut request: impl FnMut() -> F,
    ) -> Result<T, Error> {
        loop {
            match self.attempt(n_bytes, request()).await {
                Ok(done) => return Ok(done),
                Err(error) => self.pause_after(error).await?,
            }
        }
    }

    /// Makes one attempt, which carries `n_bytes` and may take as long as these may.
    pub(crate) async fn attempt<T>(
        &mut self,
        n_bytes: u64,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.begin()?;
        let is_write = !matches!(self.method, "GET" | "HEAD" | "LIST");
        let activity = Arc::clone(&self.pacing.activity);
        let _writing = match is_write.then(|| activity.try_write(n_bytes)) {
            // After a stop it waits for the end of the process.
            Some(None) => std::future::pending().await,
            writing => writing,
        };
        self.within(n_bytes, request).await
    }

    /// Counts an attempt that begins.
    ///
    /// # Errors
    /// If none may begin any more.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let Pacing { limits, timer, activity, .. } = self.pacing;
        if limits.until.is_some_and(|until| timer.now() >= until) {
            return Err(Error::DeadlinePassed { url: self.url.clone() });
        }
        activity.count_request();
        if self.n_attempts > 0 {
            activity.count_retry();
        }
        self.n_attempts += 1;
        Ok(())
    }

    /// Waits for a request of this attempt as long as its bytes may take.
    pub(crate) async fn within<T>(
        &self,
        n_bytes: u64,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Pacing { limits, timer, endpoint, .. } = self.pacing;
        let n_limits = u32::try_from(n_bytes.div_ceil(BYTES_PER_LIMIT)).unwrap_or(u32::MAX).max(1);
        let limit = limits.request.saturating_mul(n_limits);
        timer.within(limit, request).await.unwrap_or_else(|| {
            Err(Error::Unreachable {
                url: self.url.clone(),
                endpoint: endpoint.to_string(),
                cause: format!("no whole answer within {} s", limit.as_secs_f64()),
                sent: true,
            })
        })
    }

    /// Waits after an attempt that ended with `error`, if there is to be another.
    ///
    /// # Errors
    /// `error`, with what was tried, if there is not.
    pub(crate) async fn pause_after(&mut self, error: Error) -> Result<(), Error> {
        let Pacing { limits, timer, .. } = self.pacing;
        let spent = timer.now().saturating_sub(self.begun);
        let pause = self.next_pause().min(limits.retry_for.saturating_sub(spent));
        let is_last = match error.repeat() {
            Repeat::Never => return Err(error),
            Repeat::AFewTimes => self.n_attempts >= A_FEW || spent >= limits.retry_for,
            Repeat::WhileThereIsTime => spent >= limits.retry_for,
        };
        if is_last || limits.until.is_some_and(|until| timer.now() + pause >= until) {
            return Err(self.gave_up(error));
        }
        tracing::warn!(
            method = self.method,
            attempt = self.n_attempts,
            pause_ms = pause.as_millis() as u64,
            "{error}"
        );
        timer.pause(pause).await;
        Ok(())
    }

    fn next_pause(&self) -> Duration {
        let doublings = self.n_attempts.saturating_sub(1).min(10);
        let bound = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
        self.pacing.timer.jitter(bound, u64::from(self.n_attempts))
    }

    fn gave_up(&self, last: Error) -> Error {
        let spent = self.pacing.timer.now().saturating_sub(self.begun);
        let (method, n_attempts) = (self.method, self.n_attempts);
        Error::GaveUp { method, n_attempts, spent, last: Box::new(last) }
    }
}
