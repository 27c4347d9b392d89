//! The lease of a pipeline: of two runs on one store one works, and the other waits or says who works.
//!
//! `locks/<pipeline>.json` names the holder and is replaced by compare-and-swap only. The holder
//! renews it while it works. One that is not renewed for [`EXPIRES_AFTER`], by the clock of whoever
//! watches it, is taken over; a holder on the same machine that has ended, at once. Who takes over
//! without knowing that the other has ended raises the fencing number of the champion's pointer
//! first: a run that was paused and goes on after all cannot publish any more (Kleppmann, Designing
//! Data-Intensive Applications, chapter 8).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use store::{Store, SwapOutcome, Version};
use terms::Schema;

use crate::machine::{Clock, Process};
use crate::refusal::Refusal;

const SCHEMA: Schema = Schema { name: "lease", version: 1 };

/// Where the leases are.
const FOLDER: &str = "locks/";

/// A holder that did not renew its lease for so long is taken to have stopped.
pub(crate) const EXPIRES_AFTER: Duration = Duration::from_secs(60);

/// Runs of this process that have taken a lease.
static N_RUNS: AtomicU64 = AtomicU64::new(1);

/// How often a holder renews it.
const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// How often a run that waits looks again.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// What `locks/<pipeline>.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Document {
    /// Rises with each holder.
    fence: u64,
    /// Rises while it is held.
    renewals: u64,
    /// Who works; `null` if nobody does.
    holder: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    process: Process,
    started_at: String,
    /// Which run of its process, so that no two runs write the same: after a lost answer the bytes
    /// that are there tell who has won.
    run: u64,
}

/// The right of this run to work on a pipeline, given back when it is dropped.
pub(crate) struct Lease {
    store: Store,
    path: String,
    fence: u64,
    renewal: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Whether a thread renews the lease while it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    InBackground,
    /// For whoever asks [`Lease::renew`] often enough.
    #[cfg_attr(not(test), expect(dead_code, reason = "of runs that share one thread"))]
    ByCaller,
}

impl Lease {
    /// Takes the lease of a pipeline, waiting for its holder at most for `patience`.
    ///
    /// # Errors
    /// [`Refusal::PipelineInUse`] if it is still held then, or that of the store.
    pub(crate) fn take(
        store: &Store,
        pipeline: &str,
        (clock, patience): (&dyn Clock, Duration),
        renewal: Renewal,
    ) -> Result<Self> {
        let path = format!("{FOLDER}{pipeline}.json");
        let began = clock.elapsed();
        // What was last seen, and since when.
        let mut seen: Option<(Document, Duration)> = None;
        loop {
            let (before, version) = read(store, &path)?;
            let last = match seen.take() {
                Some((document, since)) if document == before => since,
                _ => clock.elapsed(),
            };
            let has_expired = clock.elapsed() - last >= EXPIRES_AFTER;
            // One that is not known to have ended.
            let holder = before.holder.as_ref().filter(|holder| !holder.process.has_ended());
            if let Some(holder) = holder
                && !has_expired
            {
                if clock.elapsed() - began >= patience {
                    return Err(holder.in_use(pipeline, clock).into());
                }
                seen = Some((before, last));
                clock.sleep(LOOKED_AT_EVERY);
                continue;
            }
            let fence = before.fence.max(artifact::fence(store, pipeline)?).saturating_add(1);
            let document = Document { fence, renewals: 0, holder: Some(Holder::now(clock)) };
            if write(store, &path, &document, version.as_ref())? == SwapOutcome::Swapped {
                if holder.is_some() {
                    artifact::raise_fence(store, pipeline, fence)?;
                }
                return Self::held(store.clone(), path, fence, renewal);
            }
        }
    }

    /// Takes the leases of all pipelines that ever ran on a store, without waiting.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn take_all(store: &Store, clock: &dyn Clock) -> Result<Vec<Self>> {
        let names = store.list(FOLDER)?.into_iter().filter_map(|entry| {
            Some(entry.path.strip_prefix(FOLDER)?.strip_suffix(".json")?.to_owned())
        });
        let waits = (clock, Duration::ZERO);
        names.map(|name| Self::take(store, &name, waits, Renewal::InBackground)).collect()
    }

    fn held(store: Store, path: String, fence: u64, renewal: Renewal) -> Result<Self> {
        let mut lease = Self { store, path, fence, renewal: None };
        if renewal == Renewal::InBackground {
            let (stop, stopped) = channel();
            let (store, path) = (lease.store.clone(), lease.path.clone());
            let renew = move || {
                while stopped.recv_timeout(RENEWED_EVERY) == Err(RecvTimeoutError::Timeout) {
                    // If it is lost, the run learns so when it publishes.
                    if let Err(error) = renew(&store, &path, fence) {
                        tracing::warn!("the lease was not renewed: {error:#}");
                    }
                }
            };
            let thread = std::thread::Builder::new().spawn(renew);
            let thread = thread.context("cannot start the thread that renews the lease")?;
            lease.renewal = Some((stop, thread));
        }
        Ok(lease)
    }

    /// The fencing number of this run.
    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    /// What gives this lease back when its run cannot.
    pub(crate) fn claim(&self) -> Claim {
        Claim { path: self.path.clone(), fence: self.fence }
    }

    /// Runs `work`, which asks last, before it writes, whether the lease is still held.
    ///
    /// # Errors
    /// Why it is not held any more; whatever `work` makes of that.
    pub(crate) fn while_held<T>(
        &self,
        work: impl FnOnce(&mut dyn FnMut() -> bool) -> T,
    ) -> Result<T> {
        let mut lost = None;
        let done = work(&mut || {
            lost = self.renew().err();
            lost.is_none()
        });
        lost.map_or(Ok(done), Err)
    }

    /// Renews it, which shows that it is held.
    ///
    /// # Errors
    /// [`Refusal::LeaseLost`] if another run has taken over, or that of the store.
    pub(crate) fn renew(&self) -> Result<()> {
        renew(&self.store, &self.path, self.fence)
    }
}

/// Which lease a run holds.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    path: String,
    fence: u64,
}

impl Claim {
    /// Gives the lease back, if it is still held.
    pub(crate) fn give_back(&self, store: &Store) {
        let given_back = || -> Result<()> {
            let (before, version) = read(store, &self.path)?;
            if before.fence == self.fence && before.holder.is_some() {
                let free = Document { fence: self.fence, renewals: 0, holder: None };
                let _ = write(store, &self.path, &free, version.as_ref())?;
            }
            Ok(())
        };
        if let Err(error) = given_back() {
            let seconds = EXPIRES_AFTER.as_secs();
            tracing::warn!("the lease was not given back, and expires in {seconds} s: {error:#}");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.renewal.take() {
            drop(stop);
            // A panic in it was about the lease alone, which is given back here.
            let _ = thread.join();
        }
        self.claim().give_back(&self.store);
    }
}

impl Holder {
    /// This run.
    fn now(clock: &dyn Clock) -> Self {
        let run = N_RUNS.fetch_add(1, Ordering::Relaxed);
        Self { process: Process::current(), started_at: clock.now(), run }
    }

    fn in_use(&self, pipeline: &str, clock: &dyn Clock) -> Refusal {
        Refusal::PipelineInUse {
            pipeline: pipeline.to_owned(),
            host: self.process.host().to_owned(),
            process: self.process.id(),
            started_at: self.started_at.clone(),
            age: clock.age_of(&self.started_at),
            expires_after: EXPIRES_AFTER.as_secs(),
        }
    }
}

fn renew(store: &Store, path: &str, fence: u64) -> Result<()> {
    // Once more if the two renewals of one holder, in the background and before publishing, meet.
    for _ in 0..3 {
        let (mut document, version) = read(store, path)?;
        if document.fence != fence || document.holder.is_none() {
            break;
        }
        document.renewals = document.renewals.saturating_add(1);
        if write(store, path, &document, version.as_ref())? == SwapOutcome::Swapped {
            return Ok(());
        }
    }
    Err(Refusal::LeaseLost { path: path.to_owned() }.into())
}

/// Whether there is a lease at a path, as it was written.
///
/// # Errors
/// If the store fails, or it was altered.
pub(crate) fn at(store: &Store, path: &str) -> Result<bool, store::Error> {
    Ok(store.get_sealed::<Document>(path, SCHEMA)?.is_some())
}

/// What is there. A lease that is not as it was written is of nobody who could be asked: it is
/// waited for, and then taken over with a number above all that were given.
fn read(store: &Store, path: &str) -> Result<(Document, Option<Version>)> {
    match store.get_sealed(path, SCHEMA) {
        Ok(Some((document, version))) => Ok((document, Some(version))),
        Ok(None) => Ok((Document { fence: 0, renewals: 0, holder: None }, None)),
        Err(store::Error::Sealed { version, .. }) => {
            // Numbers rise by one a run: none has come to the half of all.
            let (fence, process) = (u64::from(u32::MAX), Process::unknown());
            let holder = Some(Holder { process, started_at: "unknown".to_owned(), run: 0 });
            Ok((Document { fence, renewals: 0, holder }, Some(version)))
        }
        Err(error) => Err(error.into()),
    }
}

fn write(
    store: &Store,
    path: &str,
    document: &Document,
    expected: Option<&Version>,
) -> Result<SwapOutcome> {
    Ok(store.compare_and_swap(path, expected, SCHEMA.seal(document)?.into())?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use store::StoreSettings;

    use super::*;

    /// A clock that only sleeping moves, and what happens while one sleeps.
    struct Virtual<'a> {
        seconds: Cell<u64>,
        meanwhile: Box<dyn Fn(u64) + 'a>,
    }

    impl Clock for Virtual<'_> {
        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.seconds.get())
        }
        fn sleep(&self, duration: Duration) {
            self.seconds.set(self.seconds.get() + duration.as_secs().max(1));
            (self.meanwhile)(self.seconds.get());
        }
        fn now(&self) -> String {
            "2026-03-01T02:00:00Z".to_owned()
        }
        fn age_of(&self, _: &str) -> String {
            format!("{} s", self.seconds.get())
        }
    }

    fn clock<'a>(meanwhile: impl Fn(u64) + 'a) -> Virtual<'a> {
        Virtual { seconds: Cell::new(0), meanwhile: Box::new(meanwhile) }
    }

    fn store() -> Store {
        let settings = StoreSettings::resolve("memory://", &BTreeMap::new()).expect("a store");
        Store::open(&settings).expect("a store")
    }

    fn take(store: &Store, clock: &Virtual<'_>, patience: u64) -> Result<Lease> {
        let patience = Duration::from_secs(patience);
        Lease::take(store, "demo", (clock, patience), Renewal::ByCaller)
    }

    /// Makes the holder one of another machine, of which nobody knows whether it has ended.
    fn move_away(store: &Store) {
        let (mut document, version) = read(store, "locks/demo.json").expect("a lease");
        document.holder.as_mut().expect("a holder").process = Process::unknown();
        let _ = write(store, "locks/demo.json", &document, version.as_ref()).expect("a swap");
    }

    #[test]
    fn one_run_works_and_the_other_says_who() {
        let (store, clock) = (store(), clock(|_| {}));
        let first = take(&store, &clock, 0).expect("the first");
        let error = take(&store, &clock, 5).err().expect("held").to_string();
        let found = error.contains("pipeline demo is worked on by process ")
            && error.contains("since 2026-03-01T02:00:00Z (5 s ago)");
        assert!(found, "{error}");
        drop(first);
        let second = take(&store, &clock, 0).expect("free again");
        assert_eq!(second.fence(), 2);
    }

    #[test]
    fn a_run_that_waits_begins_when_the_other_ends() {
        let store = store();
        let first = std::cell::RefCell::new(take(&store, &clock(|_| {}), 0).ok());
        let waiting = clock(|seconds| {
            if seconds == 20 {
                first.take();
            }
        });
        assert!(take(&store, &waiting, 90).is_ok());
        assert_eq!(waiting.seconds.get(), 20);
    }

    #[test]
    fn a_holder_that_is_not_renewed_is_taken_over_and_cannot_go_on() {
        let store = store();
        let paused = take(&store, &clock(|_| {}), 0).expect("the first");
        move_away(&store);
        let patient = clock(|seconds| {
            // It goes on for a while, and then is paused.
            if seconds == 30 {
                paused.renew().expect("held");
            }
        });
        let second = take(&store, &patient, 120).expect("taken over");
        let waited = patient.seconds.get();
        drop(patient);
        assert!((90..100).contains(&waited), "{waited}");
        assert_eq!(artifact::fence(&store, "demo").expect("a fence"), second.fence());
        let error = paused.renew().expect_err("lost").to_string();
        assert!(error.contains("taken over"), "{error}");
        drop(paused);
        second.renew().expect("the first does not give back what is the second's");
    }

    #[test]
    fn a_holder_on_this_machine_that_has_ended_is_taken_over_at_once() {
        let store = store();
        let ended = take(&store, &clock(|_| {}), 0).expect("the first");
        let (mut document, version) = read(&store, &ended.path).expect("a lease");
        document.holder.as_mut().expect("a holder").process = Process::ended();
        let _ = write(&store, &ended.path, &document, version.as_ref()).expect("a swap");
        let clock = clock(|_| {});
        take(&store, &clock, 0).expect("taken over");
        assert_eq!(clock.seconds.get(), 0);
        assert_eq!(artifact::fence(&store, "demo").expect("no fence"), 0);
    }

    #[test]
    fn a_damaged_lease_expires() {
        let store = store();
        store.put("locks/demo.json", bytes::Bytes::from_static(b"{}")).expect("a put");
        let clock = clock(|_| {});
        assert!(take(&store, &clock, 10).is_err());
        let lease = take(&store, &clock, 90).expect("taken over");
        lease.renew().expect("held");
        assert!(lease.fence() > u64::from(u32::MAX));
    }
}
