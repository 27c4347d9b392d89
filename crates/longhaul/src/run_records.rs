//! The records of earlier runs in the store: `nights/<pipeline>/<as-of>/<run id>.json`.

use anyhow::Result;
use operations::{RUN_RECORD, RunId, RunRecord, Status};
use store::Store;
use terms::AsOf;

use crate::machine::Process;
use crate::refusal::Refusal;
use crate::report::Reporter;

/// Where they are.
const FOLDER: &str = "nights";

/// A run by what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunPath {
    pub(crate) path: String,
    pub(crate) pipeline: String,
    pub(crate) as_of: AsOf,
    pub(crate) run_id: RunId,
}

impl RunPath {
    /// The run whose record is at a path; `None` if it is that of no run.
    fn at(path: String) -> Option<Self> {
        let mut parts = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/');
        let (pipeline, as_of) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let run_id = parts.next()?.strip_suffix(".json")?.parse().ok()?;
        Some(Self { pipeline, as_of, run_id, path })
    }

    /// Its record; `None`, with a warning, if it was altered or is gone.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn read(&self, store: &Store, reporter: &Reporter) -> Result<Option<RunRecord>> {
        match store.get_sealed::<RunRecord>(&self.path, RUN_RECORD) {
            Ok(found) => Ok(found.map(|(record, _)| record)),
            Err(error @ store::Error::Sealed { .. }) => {
                reporter.warn(&format!("{error}; the run is left out"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The runs of a store, or of one pipeline, newest first.
///
/// # Errors
/// If the store cannot be listed.
pub(crate) fn list(store: &Store, pipeline: Option<&str>) -> Result<Vec<RunPath>> {
    let folder = match pipeline {
        Some(pipeline) => format!("{FOLDER}/{pipeline}"),
        None => FOLDER.to_owned(),
    };
    let entries = store.list(&folder)?.into_iter();
    let mut runs: Vec<RunPath> = entries.filter_map(|entry| RunPath::at(entry.path)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.run_id));
    Ok(runs)
}

/// The record of a run: by its id or the beginning of one, by an as-of (the last run of that night), or
/// `latest`.
///
/// # Errors
/// If there is none, or several begin so, or the store fails.
pub(crate) fn find(store: &Store, name: &str, reporter: &Reporter) -> Result<RunRecord> {
    let runs = list(store, None)?;
    let as_of: Option<AsOf> = name.parse().ok();
    let found: Vec<&RunPath> = match name {
        "latest" => runs.first().into_iter().collect(),
        _ if as_of.is_some() => {
            runs.iter().find(|run| Some(run.as_of) == as_of).into_iter().collect()
        }
        _ => runs.iter().filter(|run| run.run_id.to_string().starts_with(name)).collect(),
    };
    let place = || format!("{}/{FOLDER}/", store.url().trim_end_matches('/'));
    match found[..] {
        [run] => run.read(store, reporter)?.ok_or_else(|| missing(place(), name).into()),
        [] => Err(missing(place(), name).into()),
        [first, ..] => Err(Refusal::Usage {
            what: format!(
                "{name}: expected the beginning of one run's id, found {} runs, among them {}",
                found.len(),
                first.run_id
            ),
        }
        .into()),
    }
}

fn missing(place: String, name: &str) -> Refusal {
    Refusal::Missing {
        what: place,
        expected: format!("the record of a run {name}"),
        hint: "longhaul runs list shows those that are there".to_owned(),
    }
}

/// How a run ended, as far as can be known: one whose record says that it runs may have been killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has not ended, or nobody can know.
    Runs,
    /// Its process has ended, or another run took its lease, before it said how it ended.
    Killed,
    Ended(Status),
}

impl Ending {
    /// How the run of a record ended. `is_last` says whether no later run of its pipeline is there:
    /// two do not work at the same time.
    pub(crate) fn of(record: &RunRecord, is_last: bool) -> Self {
        match record.status {
            Status::Running
                if !is_last || Process::is_of_here_and_ended(&record.host, record.process) =>
            {
                Self::Killed
            }
            Status::Running => Self::Runs,
            status => Self::Ended(status),
        }
    }

    /// Whether every stage was run.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Ended(status) if status.is_complete())
    }

    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runs => Status::Running.name(),
            Self::Killed => "killed",
            Self::Ended(status) => status.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_which_run_it_is_and_others_are_of_none() {
        let id = RunId::new(1_764_000_000_000);
        let run = RunPath::at(format!("nights/demo/2026-11-21/{id}.json")).expect("a run");
        assert_eq!((run.pipeline.as_str(), run.run_id), ("demo", id));
        assert_eq!(run.as_of.to_string(), "2026-11-21");
        for path in ["nights/demo/2026-11-21/notes.json", "runs/0123/inputs.json", "nights/demo"] {
            assert_eq!(RunPath::at(path.to_owned()), None, "{path}");
        }
    }
}
