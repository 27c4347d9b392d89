//! A probe of a store: every operation is tried on small objects, to diagnose a configuration.

use bytes::Bytes;

use crate::error::Error;
use crate::object::{PutOutcome, SwapOutcome};
use crate::store::Store;

/// The objects of a probe are below this prefix, and are deleted afterwards.
const PREFIX: &str = ".doctor";

/// One step of a probe.
#[derive(Debug)]
pub struct ProbeStep {
    /// The operation that was tried.
    pub name: &'static str,
    /// Whether it succeeded.
    pub result: Result<(), Error>,
}

impl Store {
    /// Lists, puts, gets, creates, swaps and deletes an object below `.doctor/`, in this order, up
    /// to the first step that fails; then cleans up.
    pub fn probe(&self) -> Vec<ProbeStep> {
        let steps: [(&'static str, Step); 6] = [
            ("list", list),
            ("put", put),
            ("get", get),
            ("put if absent", put_if_absent),
            ("compare and swap", compare_and_swap),
            ("delete", delete),
        ];
        // The process id separates two probes of one store.
        let prefix = format!("{PREFIX}/{}", std::process::id());
        let mut results = Vec::with_capacity(steps.len());
        for (name, step) in steps {
            let result = step(self, &prefix);
            let failed = result.is_err();
            results.push(ProbeStep { name, result });
            if failed {
                // Cleaning up may fail too; the first failure is the one to report.
                if name != "list" {
                    let _ = delete(self, &prefix);
                }
                break;
            }
        }
        results
    }
}

type Step = fn(&Store, &str) -> Result<(), Error>;

fn plain(prefix: &str) -> String {
    format!("{prefix}/put")
}

fn created(prefix: &str) -> String {
    format!("{prefix}/created")
}

fn list(store: &Store, prefix: &str) -> Result<(), Error> {
    store.list(prefix).map(drop)
}

fn put(store: &Store, prefix: &str) -> Result<(), Error> {
    store.put(&plain(prefix), Bytes::from_static(b"put"))
}

fn get(store: &Store, prefix: &str) -> Result<(), Error> {
    store.get_verified(&plain(prefix), &terms::Digest::of(b"put")).map(drop)
}

fn put_if_absent(store: &Store, prefix: &str) -> Result<(), Error> {
    let path = created(prefix);
    store.delete(&path)?;
    let outcomes = [
        store.put_if_absent(&path, Bytes::from_static(b"first"))?,
        store.put_if_absent(&path, Bytes::from_static(b"second"))?,
    ];
    check(store, &path, "If-None-Match", outcomes == [PutOutcome::Created, PutOutcome::Exists])
}

fn compare_and_swap(store: &Store, prefix: &str) -> Result<(), Error> {
    let path = created(prefix);
    let Some((_, first)) = store.get_versioned(&path)? else {
        return Err(Error::NotFound { url: store.url_of(&path) });
    };
    let outcomes = [
        store.compare_and_swap(&path, Some(&first), Bytes::from_static(b"second"))?,
        // The version that has just been replaced must be refused.
        store.compare_and_swap(&path, Some(&first), Bytes::from_static(b"third"))?,
    ];
    check(store, &path, "If-Match", outcomes == [SwapOutcome::Swapped, SwapOutcome::Moved])
}

fn delete(store: &Store, prefix: &str) -> Result<(), Error> {
    store.delete(&plain(prefix))?;
    store.delete(&created(prefix))
}

/// An error unless the server honoured the condition.
fn check(
    store: &Store,
    path: &str,
    condition: &'static str,
    as_expected: bool,
) -> Result<(), Error> {
    if as_expected {
        Ok(())
    } else {
        Err(Error::ConditionIgnored { url: store.url_of(path), condition })
    }
}
