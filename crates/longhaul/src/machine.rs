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

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn unix_millis(&self) -> u64 {
        Utc::now().timestamp_millis().unsigned_abs()
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

    /// Whether a process of this machine, by its name and number, has ended. Of another machine nobody
    /// knows; a later process may have the same number, and is taken for it.
    pub(crate) fn is_of_here_and_ended(host: &str, id: u32) -> bool {
        let sees_others = || start_of(1).is_some();
        Self::current().host == host && sees_others() && start_of(id).is_none()
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

/// The largest resident set of this process since [`reset_peak_memory`], in bytes; `None` where the
/// system does not say. (`VmHWM` of `/proc/self/status`, in KiB.)
pub(crate) fn peak_memory() -> Option<u64> {
    let status = read("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Lets the largest resident set be that of now, where the system can do that.
#[expect(clippy::disallowed_methods, reason = "what this process does with its own memory")]
pub(crate) fn reset_peak_memory() {
    // Refused in some containers: then a stage's peak is that of the run so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
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
