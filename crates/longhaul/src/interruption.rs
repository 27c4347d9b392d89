//! SIGTERM and SIGINT: the write under way is finished or abandoned, the run says that it was ended,
//! gives its lease back, and the process ends with 143 or 130, all within five seconds. A run that has
//! not ended a minute after `limits.night_minutes`, whatever it waits for, is ended likewise, with 20.
//!
//! A service stops taking requests, and answers those under way. Without a run or a service the process
//! ends at once. Whatever is abandoned is as after a crash: nothing
//! of it is visible, and the next run goes on from there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{Store, StoreSettings};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit_code::ExitCode;
use crate::lease::Claim;
use crate::recorder::Recorder;

/// How long writes under way may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take to say how the run ended.
const LAST_WRITES: Duration = Duration::from_millis(2_500);

/// How long after its deadline a run may take to end by itself.
const GRACE: Duration = Duration::from_secs(60);

/// What a signal ends.
pub(crate) struct Interruptible {
    /// The store of the run.
    pub(crate) store: Store,
    /// How it is opened once more, for what is written last.
    pub(crate) settings: StoreSettings,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) claim: Claim,
    /// How long it may take.
    pub(crate) deadline: Duration,
}

/// A service, which ends by itself once it is asked to.
struct Stoppable {
    stop: tokio::sync::oneshot::Sender<()>,
    ended: Receiver<()>,
    /// How long it may take.
    patience: Duration,
}

/// The service that answers.
static SERVICE: Mutex<Option<Stoppable>> = Mutex::new(None);

/// Ready once a signal asks the service to end, which has `patience` for it from then on. The process
/// ends with the signal's code when the other half is dropped, which [`ended`] does.
pub(crate) fn stops_service(
    patience: Duration,
) -> (tokio::sync::oneshot::Receiver<()>, Sender<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (ending, ended) = channel();
    let service = Stoppable { stop, ended, patience };
    *SERVICE.lock().unwrap_or_else(PoisonError::into_inner) = Some(service);
    (stopped, ending)
}

/// Lets the process end with the code of the signal that ended the service; returns if there was none.
pub(crate) fn ended(ending: Sender<()>) {
    drop(ending);
    if SERVICE.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
        loop {
            std::thread::park();
        }
    }
}

/// The run under way.
static RUN: Mutex<Option<Interruptible>> = Mutex::new(None);

/// While this lives, a signal or the deadline ends the run.
pub(crate) struct Guard {
    _deadline: Deadline,
}

/// While this lives, the process is ended when its time is over, whatever it waits for.
pub(crate) struct Deadline {
    /// Never sent to: the thread that waits ends once it is dropped.
    _ended: Sender<()>,
}

impl Deadline {
    /// Ends the process after so long with this code, saying what it did not do in time.
    pub(crate) fn after(duration: Duration, exit_code: ExitCode, what: &'static str) -> Self {
        let (ended, has_ended) = channel::<()>();
        let wait = move || {
            if has_ended.recv_timeout(duration) == Err(RecvTimeoutError::Timeout) {
                tracing::error!("{what}");
                end(exit_code.number(), what);
            }
        };
        // Without the thread it takes as long as it takes.
        if let Err(error) = std::thread::Builder::new().spawn(wait) {
            tracing::warn!("nothing ends this process in time: {error}");
        }
        Self { _ended: ended }
    }
}

impl Interruptible {
    /// Lets a signal end this run, until the guard is dropped.
    pub(crate) fn guarded(self) -> Guard {
        let last = self.deadline.saturating_add(GRACE);
        *RUN.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
        let code = ExitCode::StorageFailed;
        Guard { _deadline: Deadline::after(last, code, "limits.night_minutes are over") }
    }

    fn end(self, exit_code: u8, name: &str) {
        let is_idle = self.store.stop(PATIENCE);
        if !is_idle {
            tracing::warn!("a write was abandoned");
        }
        let (ended, has_ended) = channel();
        let name = name.to_owned();
        std::thread::spawn(move || {
            if let Ok(store) = Store::open(&self.settings) {
                self.claim.give_back(&store);
                self.recorder.interrupt(&store, exit_code, &name);
            }
            // Nobody waits any more if it took too long.
            let _ = ended.send(());
        });
        let _ = has_ended.recv_timeout(LAST_WRITES);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        RUN.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Starts the thread that waits for a signal.
pub(crate) fn watch() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let Ok(runtime) = runtime else {
        tracing::warn!("signals end the process as the system does");
        return;
    };
    // Before anything is begun that a signal could end.
    let signals = {
        let _inside = runtime.enter();
        signal(SignalKind::terminate())
            .and_then(|sigterm| Ok((sigterm, signal(SignalKind::interrupt())?)))
    };
    let Ok((mut sigterm, mut sigint)) = signals else {
        tracing::warn!("signals end the process as the system does");
        return;
    };
    std::thread::spawn(move || {
        let (exit_code, name) = runtime.block_on(async {
            tokio::select! {
                _ = sigterm.recv() => (143, "SIGTERM"),
                _ = sigint.recv() => (130, "SIGINT"),
            }
        });
        end(exit_code, name);
    });
}

#[expect(clippy::exit, reason = "a computation of minutes cannot be left in another way")]
fn end(exit_code: u8, name: &str) {
    let run = RUN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(run) = run {
        tracing::warn!("ends after {name}");
        run.end(exit_code, name);
    }
    let service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Stoppable { stop, ended, patience }) = service {
        tracing::warn!("stops after {name}");
        // Nobody listens if it has ended by itself.
        let _ = stop.send(());
        let _ = ended.recv_timeout(patience);
    }
    std::process::exit(exit_code.into());
}
