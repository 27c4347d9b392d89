//! The machine that the program runs on: its clock, and which process this is.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A clock, and waiting by it.
pub(crate) trait Clock {
    /// Since some moment, never backwards.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
    /// The moment, for people to read.
    fn now(&self) -> String;
    /// How long ago [`now`](Clock::now) gave that text, for people to read.
    fn age_of(&self, moment: &str) -> String;
}

/// The machine's own clock.
pub(crate) struct SystemClock {
    started: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a lease expires by this clock, and no result does")]
impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// The moment.
    pub(crate) fn time(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[expect(clippy::disallowed_methods, reason = "a lease expires by this clock, and no result does")]
impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn now(&self) -> String {
        Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn age_of(&self, moment: &str) -> String {
        match DateTime::parse_from_rfc3339(moment) {
            Ok(then) => format!("{} s", (Utc::now() - then.to_utc()).num_seconds().max(0)),
            Err(_) => "unknown".to_owned(),
        }
    }
}

/// A process, told apart from those of other machines, and from later ones of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The machine's name.
    host: String,
    /// The machine since it was started, and the namespace of its processes: containers may share
    /// all but the latter.
    machine: String,
    id: u32,
    /// When it was started, in ticks since the machine was.
    started: String,
}

impl Process {
    /// This one.
    pub(crate) fn current() -> Self {
        let (id, host) = (std::process::id(), read("/proc/sys/kernel/hostname"));
        let started = start_of(id).unwrap_or_default();
        Self { host: host.unwrap_or_else(|| "unknown".to_owned()), machine: machine(), id, started }
    }

    /// One of which nothing is known.
    pub(crate) fn unknown() -> Self {
        let [host, machine, started] = [(); 3].map(|()| "unknown".to_owned());
        Self { host, machine, id: 0, started }
    }

    /// One of this machine that has ended.
    #[cfg(test)]
    pub(crate) fn ended() -> Self {
        Self { started: "0".to_owned(), ..Self::current() }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Whether it is known to have ended: one of this machine that is not there any more.
    pub(crate) fn has_ended(&self) -> bool {
        let sees_others = || start_of(1).is_some();
        !self.machine.is_empty()
            && !self.started.is_empty()
            && self.machine == machine()
            && sees_others()
            && start_of(self.id).is_none_or(|started| started != self.started)
    }
}

/// The machine since it was started, and the namespace of this process; empty if neither is known.
fn machine() -> String {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
    match (read("/proc/sys/kernel/random/boot_id"), namespace) {
        (Some(boot), Some(namespace)) => format!("{boot} {}", namespace.display()),
        _ => String::new(),
    }
}

/// When a process of this machine was started (field 22 of `/proc/<id>/stat`, after the name, which
/// may hold anything); `None` if there is none.
fn start_of(id: u32) -> Option<String> {
    let stat = read(&format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "which machine and process this is")]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_one_that_was_started_at_another_time_has_ended() {
        assert!(!Process::current().has_ended());
        assert!(Process::ended().has_ended());
        assert!(!Process::unknown().has_ended());
        let elsewhere = Process { machine: "elsewhere".to_owned(), ..Process::ended() };
        assert!(!elsewhere.has_ended());
        let no_such = Process { id: u32::MAX, ..Process::current() };
        assert!(no_such.has_ended());
    }
}
