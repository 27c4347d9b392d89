//! Objects in memory, what was done to them, and what is planned to go wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, MultipartId, ObjectMeta, PutMode, Result};

use crate::clock::VirtualClock;
use crate::etag::md5_of;
use crate::fault_plan::{Fault, FaultPlan, Operation, OperationKind};

/// Changes that a stale list may not show yet.
pub(crate) const N_CHANGES: usize = 16;
pub(crate) type Hook = Box<dyn FnMut(&Operation) + Send>;

/// What the stores of a storage share.
pub(crate) struct Shared {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
    pub(crate) clock: VirtualClock,
}

/// Objects, and what was done to them.
pub(crate) struct State {
    pub(crate) plan: FaultPlan,
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) n_operations: u64,
    pub(crate) operations: BTreeMap<OperationKind, u64>,
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) lists_have_etags: bool,
    pub(crate) crash: Option<(u64, bool)>,
    pub(crate) outage_until: Option<Duration>,
    /// The last changes: what was there before each.
    changes: VecDeque<(String, Option<Object>)>,
    pub(crate) uploads: BTreeMap<MultipartId, BTreeMap<usize, Bytes>>,
    pub(crate) n_uploads: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
}

impl Shared {
    pub(crate) fn new(plan: FaultPlan, clock: VirtualClock) -> Self {
        let state = State {
            plan,
            objects: BTreeMap::new(),
            n_operations: 0,
            operations: BTreeMap::new(),
            faults: BTreeMap::new(),
            lists_have_etags: true,
            crash: None,
            outage_until: None,
            changes: VecDeque::new(),
            uploads: BTreeMap::new(),
            n_uploads: 0,
        };
        Self { state: Mutex::new(state), hook: Mutex::new(None), clock }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hook(&self) -> MutexGuard<'_, Option<Hook>> {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the hook, unless it is what makes this operation.
    pub(crate) fn call_hook(&self, operation: &Operation) {
        let taken = self.hook().take();
        if let Some(mut hook) = taken {
            hook(operation);
            self.hook().get_or_insert(hook);
        }
    }
}

impl State {
    pub(crate) fn insert(&mut self, key: &str, bytes: Bytes) -> String {
        let etag = format!("\"{}\"", md5_of(&bytes));
        self.insert_as(key, Object { bytes, etag: etag.clone() });
        etag
    }

    pub(crate) fn insert_as(&mut self, key: &str, object: Object) {
        let before = self.objects.insert(key.to_owned(), object);
        self.note(key, before);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        let before = self.objects.remove(key);
        self.note(key, before);
    }

    fn note(&mut self, key: &str, before: Option<Object>) {
        if self.changes.len() == N_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((key.to_owned(), before));
    }

    /// The objects as they were some changes ago.
    pub(crate) fn stale(&self, n_changes: usize) -> BTreeMap<String, Object> {
        let mut objects = self.objects.clone();
        for (key, before) in self.changes.iter().rev().take(n_changes) {
            match before {
                Some(object) => objects.insert(key.clone(), object.clone()),
                None => objects.remove(key),
            };
        }
        objects
    }

    pub(crate) fn get(&self, path: &Path) -> Result<Object> {
        self.objects.get(path.as_ref()).cloned().ok_or_else(|| Error::NotFound {
            path: path.to_string(),
            source: "no such object".into(),
        })
    }

    pub(crate) fn put(&mut self, path: &Path, bytes: Bytes, mode: &PutMode) -> Result<String> {
        let found = self.objects.get(path.as_ref());
        match mode {
            PutMode::Overwrite => {}
            PutMode::Create if found.is_none() => {}
            PutMode::Create => {
                let source = "it exists".into();
                return Err(Error::AlreadyExists { path: path.to_string(), source });
            }
            PutMode::Update(version) => {
                if found.map(|object| &object.etag) != version.e_tag.as_ref() {
                    let source = "it has another tag".into();
                    return Err(Error::Precondition { path: path.to_string(), source });
                }
            }
        }
        Ok(self.insert(path.as_ref(), bytes))
    }
}

pub(crate) fn meta_of(location: Path, object: &Object) -> ObjectMeta {
    let (size, e_tag) = (object.bytes.len() as u64, Some(object.etag.clone()));
    ObjectMeta { location, last_modified: Default::default(), size, e_tag, version: None }
}
