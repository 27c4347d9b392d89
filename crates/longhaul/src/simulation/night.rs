//! One run of a night, as the command `run` does it, and how it ended.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use store::{Store, VirtualClock};
use terms::AsOf;

use crate::diagnosis::Diagnosis;
use crate::exit_code::ExitCode;
use crate::lease::Renewal;
use crate::machine::Clock;
use crate::recorded_run::under_lease;
use crate::report::Reporter;
use crate::settings::Resolved;
use crate::stage::RunContext;
use crate::stages;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Its exit code; 101 for a panic.
    pub(super) code: u8,
    pub(super) message: String,
}

impl Ended {
    pub(super) fn of(result: &Result<()>) -> Self {
        match result {
            Ok(()) => Self { code: 0, message: String::new() },
            Err(error) => {
                let Diagnosis { message, exit_code, .. } = Diagnosis::of(error);
                Self { code: exit_code.number(), message }
            }
        }
    }

    /// Whether the night's work is done, if only by refusing its model.
    pub(super) fn is_done(&self) -> bool {
        self.code == 0 || self.code == ExitCode::GateRefused.number()
    }

    /// Whether it says clearly what was wrong with the store: its input, its storage, its lock.
    pub(super) fn is_clear(&self) -> bool {
        [
            ExitCode::ContractFailed,
            ExitCode::InputMissing,
            ExitCode::StorageFailed,
            ExitCode::LockHeld,
        ]
        .iter()
        .any(|code| code.number() == self.code)
    }
}

/// A store's virtual clock as that of a lease.
pub(super) struct LeaseClock<'a>(pub(super) &'a VirtualClock);

impl Clock for LeaseClock<'_> {
    fn elapsed(&self) -> Duration {
        self.0.now()
    }
    fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }
    fn now(&self) -> String {
        format!("{} s", self.0.now().as_secs())
    }
    fn age_of(&self, _: &str) -> String {
        "some time".to_owned()
    }
}

/// Runs all stages of a night.
pub(super) fn run(
    (resolved, reporter): (&Resolved, &Reporter),
    store: &Store,
    (clock, patience): (&VirtualClock, Duration),
    as_of: AsOf,
) -> Result<()> {
    let waits = (&LeaseClock(clock) as &dyn Clock, patience, Renewal::ByCaller);
    let lease = under_lease(&resolved.settings.name, store, waits, reporter)?;
    let context = RunContext { lease: Some(&lease), ..RunContext::new(store, as_of, reporter) };
    match stages::run_all(&context, resolved)?.refused {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

/// The same, with a panic as an end.
pub(super) fn run_to_its_end(
    program: (&Resolved, &Reporter),
    store: &Store,
    clock: (&VirtualClock, Duration),
    as_of: AsOf,
) -> Ended {
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| run(program, store, clock, as_of)));
    match result {
        Ok(result) => Ended::of(&result),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Ended { code: 101, message: text.unwrap_or_else(|| "a panic".to_owned()) }
        }
    }
}
