//! The client of a storage in memory, as `object_store` knows it, and the faults that it meets.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartId, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use crate::clock::VirtualClock;
use crate::etag::md5_of;
use crate::fault_plan::{Fault, FaultPlan, Operation, OperationKind};
use crate::http::NotAList;

/// Changes that a stale list may not show yet.
const N_CHANGES: usize = 16;
/// How long a request hangs: longer than one may take by default.
const HANG: Duration = Duration::from_secs(45);
/// The longest outage.
const OUTAGE_SECONDS: u64 = 400;

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
    uploads: BTreeMap<MultipartId, BTreeMap<usize, Bytes>>,
    n_uploads: u64,
}

/// The fault that an operation met, and a random number for its details.
#[derive(Debug, Clone, Copy)]
struct Met {
    fault: Option<Fault>,
    random: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    etag: String,
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
    fn call_hook(&self, operation: &Operation) {
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

    fn insert_as(&mut self, key: &str, object: Object) {
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
    fn stale(&self, n_changes: usize) -> BTreeMap<String, Object> {
        let mut objects = self.objects.clone();
        for (key, before) in self.changes.iter().rev().take(n_changes) {
            match before {
                Some(object) => objects.insert(key.clone(), object.clone()),
                None => objects.remove(key),
            };
        }
        objects
    }

    fn get(&self, path: &Path) -> Result<Object> {
        self.objects.get(path.as_ref()).cloned().ok_or_else(|| Error::NotFound {
            path: path.to_string(),
            source: "no such object".into(),
        })
    }

    fn put(&mut self, path: &Path, bytes: Bytes, mode: &PutMode) -> Result<String> {
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

/// One store's client; clones are one process.
#[derive(Clone)]
pub(crate) struct SimulatedClient {
    shared: Arc<Shared>,
    is_crashed: Arc<AtomicBool>,
}

impl Default for SimulatedClient {
    fn default() -> Self {
        Self::new(Arc::new(Shared::new(FaultPlan::none(), VirtualClock::default())))
    }
}

impl fmt::Debug for SimulatedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedClient")
    }
}

impl fmt::Display for SimulatedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("storage in memory")
    }
}

impl SimulatedClient {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, is_crashed: Arc::default() }
    }

    /// Does `effect`, unless a fault keeps it from taking effect, and returns what it returns, unless
    /// a fault loses that; with the fault that the caller is to apply to it.
    fn operate<T>(
        &self,
        kind: OperationKind,
        key: &str,
        effect: impl FnOnce(&mut State, Met) -> Result<T>,
    ) -> Result<(T, Met)> {
        if self.is_crashed.load(Ordering::SeqCst) {
            return Err(crash());
        }
        let number = {
            let mut state = self.shared.state();
            state.n_operations += 1;
            *state.operations.entry(kind).or_default() += 1;
            state.n_operations
        };
        self.shared.call_hook(&Operation { number, kind, key: key.to_owned() });
        let mut state = self.shared.state();
        let crashes = state.crash.filter(|(at, _)| *at == number).map(|(_, is_after)| is_after);
        if crashes == Some(false) {
            self.is_crashed.store(true, Ordering::SeqCst);
            return Err(crash());
        }
        let now = self.shared.clock.now();
        let random = state.plan.random(number);
        let is_out = state.outage_until.is_some_and(|until| now < until);
        let fault = if is_out { Some(Fault::Refused) } else { state.plan.fault(number, kind) };
        if let Some(fault) = fault {
            *state.faults.entry(fault).or_default() += 1;
        }
        match fault {
            Some(Fault::Refused) => return Err(lost(HttpErrorKind::Connect, "refused")),
            Some(Fault::Outage) => {
                let seconds = 1 + random % OUTAGE_SECONDS;
                state.outage_until = Some(now + Duration::from_secs(seconds));
                return Err(lost(HttpErrorKind::Connect, "no network"));
            }
            Some(Fault::Reset) => return Err(lost(HttpErrorKind::Interrupted, "reset")),
            Some(Fault::Status429) => return Err(status(429, "TooManyRequests")),
            Some(Fault::Status500) => return Err(status(500, "InternalError")),
            Some(Fault::Status503) => return Err(status(503, "SlowDown")),
            Some(Fault::Conflict) => {
                return Err(Error::AlreadyExists {
                    path: key.to_owned(),
                    source: response(409, "ConditionalRequestConflict").into(),
                });
            }
            Some(Fault::NotAList) => {
                let found = "<html>".to_owned();
                let source = HttpError::new(HttpErrorKind::Decode, NotAList { found });
                return Err(Error::Generic { store: "memory", source: Box::new(source) });
            }
            _ => {}
        }
        let met = Met { fault, random };
        let done = effect(&mut state, met);
        if crashes == Some(true) {
            self.is_crashed.store(true, Ordering::SeqCst);
            return Err(crash());
        }
        match fault {
            Some(Fault::LostAnswer) => Err(lost(HttpErrorKind::Interrupted, "reset")),
            Some(Fault::Status500After) => Err(status(500, "InternalError")),
            Some(Fault::Hang) => {
                self.shared.clock.advance(HANG);
                Err(lost(HttpErrorKind::Timeout, "no answer"))
            }
            _ => done.map(|done| (done, met)),
        }
    }

    fn list_now(&self, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let key = prefix.trim_end_matches('/');
        let found = self.operate(OperationKind::List, key, |state, met| {
            let has_etags = state.lists_have_etags;
            let n_stale = 1 + (met.random % N_CHANGES as u64) as usize;
            let is_stale = met.fault == Some(Fault::StaleList);
            let stale = is_stale.then(|| state.stale(n_stale));
            let objects = stale.as_ref().unwrap_or(&state.objects);
            let below = objects.range(prefix.clone()..);
            let below = below.take_while(|(key, _)| key.starts_with(&prefix));
            below
                .map(|(key, object)| {
                    let mut meta = meta_of(Path::parse(key)?, object);
                    meta.e_tag = meta.e_tag.filter(|_| has_etags);
                    Ok(meta)
                })
                .collect::<Result<Vec<_>>>()
        })?;
        Ok(found.0)
    }
}

#[async_trait]
impl ObjectStore for SimulatedClient {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let kind = match opts.mode {
            PutMode::Overwrite => OperationKind::Put,
            PutMode::Create => OperationKind::Create,
            PutMode::Update(_) => OperationKind::Swap,
        };
        let (etag, _) = self.operate(kind, location.as_ref(), |state, _| {
            state.put(location, payload.into(), &opts.mode)
        })?;
        Ok(PutResult { e_tag: Some(etag), version: None })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { OperationKind::Head } else { OperationKind::Get };
        let (object, Met { fault, random }) =
            self.operate(kind, location.as_ref(), |state, _| state.get(location))?;
        let size = object.bytes.len() as u64;
        let range = match options.range {
            None => 0..size,
            Some(GetRange::Bounded(range)) => range.start.min(size)..range.end.min(size),
            Some(GetRange::Offset(start)) => start.min(size)..size,
            Some(GetRange::Suffix(n_last)) => size.saturating_sub(n_last)..size,
        };
        let meta = meta_of(location.clone(), &object);
        let mut bytes = object.bytes.slice(range.start as usize..range.end as usize);
        let mut pieces = Vec::new();
        match fault {
            Some(Fault::BrokenBody) => {
                pieces.push(Ok(bytes.slice(..bytes.len() / 2)));
                pieces.push(Err(lost(HttpErrorKind::Interrupted, "the body breaks off")));
            }
            Some(Fault::ShortBody) => pieces.push(Ok(bytes.slice(..bytes.len() / 2))),
            Some(Fault::FlippedBit) if !bytes.is_empty() => {
                let bit = random % (bytes.len() as u64 * 8);
                let mut flipped = bytes.to_vec();
                flipped[(bit / 8) as usize] ^= 1 << (bit % 8);
                bytes = flipped.into();
                pieces.push(Ok(bytes));
            }
            _ => pieces.push(Ok(bytes)),
        }
        let payload = GetResultPayload::Stream(futures::stream::iter(pieces).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let client = self.clone();
        let delete = move |path: Path| {
            let deleted = client.operate(OperationKind::Delete, path.as_ref(), |state, _| {
                state.remove(path.as_ref());
                Ok(())
            });
            futures::future::ready(deleted.map(|_| path.clone()))
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.list_now(prefix) {
            Ok(found) => futures::stream::iter(found.into_iter().map(Ok)).boxed(),
            Err(error) => futures::stream::once(futures::future::ready(Err(error))).boxed(),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(not_implemented("put_multipart_opts"))
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(not_implemented("list_with_delimiter"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(not_implemented("copy_opts"))
    }
}

#[async_trait]
impl MultipartStore for SimulatedClient {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        let created = self.operate(OperationKind::Put, path.as_ref(), |state, _| {
            state.n_uploads += 1;
            let id = state.n_uploads.to_string();
            state.uploads.insert(id.clone(), BTreeMap::new());
            Ok(id)
        });
        Ok(created?.0)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let put = self.operate(OperationKind::Put, path.as_ref(), |state, _| {
            let upload = state.uploads.get_mut(id).ok_or_else(|| no_upload(path))?;
            upload.insert(part_idx, data.into());
            Ok(PartId { content_id: part_idx.to_string() })
        });
        Ok(put?.0)
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let completed = self.operate(OperationKind::Put, path.as_ref(), |state, _| {
            let upload = state.uploads.remove(id).ok_or_else(|| no_upload(path))?;
            let bytes: Bytes = upload.values().flatten().copied().collect::<Vec<u8>>().into();
            let etag = format!("\"{}-{}\"", md5_of(&bytes), parts.len());
            state.insert_as(path.as_ref(), Object { bytes, etag: etag.clone() });
            Ok(PutResult { e_tag: Some(etag), version: None })
        });
        Ok(completed?.0)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let aborted = self.operate(OperationKind::Put, path.as_ref(), |state, _| {
            state.uploads.remove(id);
            Ok(())
        });
        aborted.map(|_| ())
    }
}

fn meta_of(location: Path, object: &Object) -> ObjectMeta {
    let (size, e_tag) = (object.bytes.len() as u64, Some(object.etag.clone()));
    ObjectMeta { location, last_modified: Default::default(), size, e_tag, version: None }
}

/// The process has stopped.
#[derive(Debug, thiserror::Error)]
#[error("this process was stopped by its simulation")]
struct Stopped;

fn crash() -> Error {
    Error::Generic { store: "memory", source: Box::new(Stopped) }
}

fn lost(kind: HttpErrorKind, text: &'static str) -> Error {
    let source = HttpError::new(kind, io::Error::other(text));
    Error::Generic { store: "memory", source: Box::new(source) }
}

fn status(status: u16, code: &str) -> Error {
    Error::Generic { store: "memory", source: response(status, code).into() }
}

/// The text in which `object_store` reports an answer.
fn response(status: u16, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>simulated</Message></Error>");
    format!("Server returned non-2xx status code: {status} : {body}")
}

fn no_upload(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "no such upload".into() }
}

fn not_implemented(operation: &str) -> Error {
    let implementer = "storage in memory".to_owned();
    Error::NotImplemented { operation: operation.to_owned(), implementer }
}
