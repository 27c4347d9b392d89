//! The store itself: the same operations on a folder, a bucket or memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::activity::{Activity, Traffic};
use crate::clock::{Timer, VirtualClock};
use crate::error::Error;
use crate::folder::Folder;
use crate::folders::Folders;
use crate::key;
use crate::leftovers::Leftover;
use crate::limits::Limits;
use crate::location::Location;
use crate::object::{Entry, PutOutcome, SwapOutcome, Version};
use crate::remote::{Client, Remote};
use crate::settings::StoreSettings;
use crate::simulated_client::SimulatedClient;

/// Objects that are written to a folder at once.
const N_AT_ONCE: usize = 8;

/// Objects by key. Clones share one connection pool and one runtime, and may be used from many
/// threads at once.
///
/// Every call blocks until it is done, and panics if it is made from inside an async runtime.
#[derive(Debug, Clone)]
pub struct Store {
    url: Arc<str>,
    pub(crate) backend: Backend,
}

#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Folder(Arc<Folder>),
    Remote(Arc<Remote>),
}

impl Store {
    /// Opens a store. Nothing is requested or created yet; a `memory://` store is empty, and new
    /// each time.
    ///
    /// # Errors
    /// If the client of the storage refuses the settings.
    pub fn open(settings: &StoreSettings) -> Result<Self, Error> {
        Self::open_at(settings, Timer::of_the_machine())
    }

    /// As [`Store::open`], but the pauses between attempts pass at once and move `clock` on: for
    /// tests.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on_clock(settings: &StoreSettings, clock: VirtualClock) -> Result<Self, Error> {
        Self::open_at(settings, Timer::of(clock))
    }

    fn open_at(settings: &StoreSettings, timer: Timer) -> Result<Self, Error> {
        let url = settings.url();
        let limits = settings.limits();
        let backend = match (settings.location(), settings.s3()) {
            (Location::Folder(root), _) => Backend::Folder(Arc::new(Folder {
                root: root.clone(),
                url: url.trim_end_matches('/').to_owned(),
                object_bytes: limits.object_bytes,
                folders: Folders::default(),
                activity: Arc::default(),
            })),
            (Location::S3 { .. }, Some(s3)) => {
                Backend::Remote(Arc::new(Remote::s3(url, s3, limits, timer)?))
            }
            (Location::Memory | Location::S3 { .. }, _) => {
                let client = Arc::new(SimulatedClient::default());
                // In memory nothing is waited for.
                let timer = Timer::of(VirtualClock::default());
                return Ok(Self::of_client(url, client, limits, timer));
            }
        };
        Ok(Self { url: url.into(), backend })
    }

    /// A store on a client in memory.
    pub(crate) fn of_client(
        url: &str,
        client: Arc<dyn Client>,
        limits: Limits,
        timer: Timer,
    ) -> Self {
        let remote = Remote::memory(url, client, limits, timer);
        Self { url: url.into(), backend: Backend::Remote(Arc::new(remote)) }
    }

    /// The URL it was opened with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the object `path`, for error messages.
    pub fn url_of(&self, path: &str) -> String {
        key::join(key::without_last_slash(&self.url), path)
    }

    /// What this store and its clones have transferred so far.
    pub fn traffic(&self) -> Traffic {
        self.activity().traffic()
    }

    /// Lets this store and its clones begin no further write, and waits at most for `patience` until
    /// those under way have ended; returns whether they have. Whoever begins a write from then on
    /// waits for the end of the process: this is for one that is told to end.
    pub fn stop(&self, patience: Duration) -> bool {
        self.activity().stop(patience)
    }

    fn activity(&self) -> &Activity {
        match &self.backend {
            Backend::Folder(folder) => &folder.activity,
            Backend::Remote(remote) => &remote.objects.pacing.activity,
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not exist.
    pub fn get(&self, path: &str) -> Result<Bytes, Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.get(path),
            Backend::Remote(remote) => {
                remote.executor.block_on(remote.objects.get(path)).map(|fetched| fetched.bytes)
            }
        }
    }

    /// Reads a whole object with its version; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be read, or sends no ETag.
    pub fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>, Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.get_versioned(path),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.get_versioned(path)),
        }
    }

    /// Reads whole objects, a few at a time, and returns them in the order of `paths`.
    ///
    /// # Errors
    /// The first error in the order of `paths`.
    pub fn get_many(&self, paths: &[String]) -> Result<Vec<Bytes>, Error> {
        let mut all = Vec::with_capacity(paths.len());
        self.for_each(paths, |_, bytes| {
            all.push(bytes);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }

    /// Reads whole objects and calls `visit` with the position and the bytes of each, in the order
    /// of `paths`. The next few are fetched while one is visited; no more than those are in memory.
    ///
    /// # Errors
    /// The first error, of reading or of `visit`; nothing is visited after it.
    pub(crate) fn for_each<E: From<Error>>(
        &self,
        paths: &[String],
        mut visit: impl FnMut(usize, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        for path in paths {
            key::check(path)?;
        }
        let remote = match &self.backend {
            Backend::Folder(folder) => {
                for (position, path) in paths.iter().enumerate() {
                    visit(position, folder.get(path)?)?;
                }
                return Ok(());
            }
            Backend::Remote(remote) => remote,
        };
        let get = |path: &String| {
            let (objects, path) = (remote.objects.clone(), path.clone());
            async move { objects.get(&path).await.map(|fetched| fetched.bytes) }
        };
        remote
            .executor
            .in_order(&self.url, paths.iter().map(get), |position, bytes| visit(position, bytes?))
    }

    /// Writes a whole object, and replaces it if it exists.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.put(path, &bytes),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.put(path, bytes)),
        }
    }

    /// Writes objects, a few at a time, in any order.
    ///
    /// # Errors
    /// The first error in the order of `objects`; some of the others may have been written.
    pub fn put_many(&self, objects: Vec<(String, Bytes)>) -> Result<(), Error> {
        for (path, _) in &objects {
            key::check(path)?;
        }
        let remote = match &self.backend {
            Backend::Folder(folder) => return put_in_folder(folder, &objects),
            Backend::Remote(remote) => remote,
        };
        let puts = objects.into_iter().map(|(path, bytes)| {
            let objects = remote.objects.clone();
            async move { objects.put(&path, bytes).await }
        });
        remote.executor.in_order(&self.url, puts, |_, result| result)
    }

    /// Creates an object if it does not exist. Of concurrent creators exactly one succeeds.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn put_if_absent(&self, path: &str, bytes: Bytes) -> Result<PutOutcome, Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.put_if_absent(path, &bytes),
            Backend::Remote(remote) => {
                remote.executor.block_on(remote.objects.put_if_absent(path, bytes))
            }
        }
    }

    /// Replaces an object that is still at the version `expected`; with `None`, creates one that
    /// does not exist. Atomic among swaps and creates; a plain [`put`](Store::put) of the same object
    /// at the same time is not excluded.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn compare_and_swap(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> Result<SwapOutcome, Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.compare_and_swap(path, expected, &bytes),
            Backend::Remote(remote) => {
                let swap = remote.objects.compare_and_swap(path, expected.cloned(), bytes);
                remote.executor.block_on(swap)
            }
        }
    }

    /// The objects below `prefix` at any depth, sorted by path; none if there are none. A prefix is
    /// a whole number of path segments: `a/b` lists `a/b/c` and not `a/bc`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let prefix = key::check_prefix(prefix)?;
        match &self.backend {
            Backend::Folder(folder) => folder.list(prefix),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.list(prefix)),
        }
    }

    /// Size and entity tag of an object; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be read. With S3 a missing bucket cannot be distinguished from a missing
    /// object here.
    pub(crate) fn head(&self, path: &str) -> Result<Option<Entry>, Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.head(path),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.head(path)),
        }
    }

    /// Whether an object exists.
    ///
    /// # Errors
    /// As [`Store::head`].
    pub fn exists(&self, path: &str) -> Result<bool, Error> {
        self.head(path).map(|found| found.is_some())
    }

    /// Deletes an object, if it exists.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn delete(&self, path: &str) -> Result<(), Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.delete(path),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.delete(path)),
        }
    }

    /// Temporary files of writes to a folder that have not ended, sorted by path; none elsewhere. (In
    /// a bucket unfinished uploads are left to its rules of expiry.)
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        match &self.backend {
            Backend::Folder(folder) => folder.leftovers(),
            Backend::Remote(_) => Ok(Vec::new()),
        }
    }

    /// Deletes the [`leftovers`](Store::leftovers) that were last written to before `written_before`
    /// and returns them. A file of a process that is at work is younger than the write it is part
    /// of, which takes seconds: with the moment of a day ago it is spared.
    ///
    /// # Errors
    /// If the folder cannot be read or written; some may have been deleted.
    pub fn remove_leftovers(&self, written_before: SystemTime) -> Result<Vec<Leftover>, Error> {
        match &self.backend {
            Backend::Folder(folder) => folder.remove_leftovers(written_before),
            Backend::Remote(_) => Ok(Vec::new()),
        }
    }
}

/// Writes objects from a few threads, and then the names in each folder to the disk.
fn put_in_folder(folder: &Folder, objects: &[(String, Bytes)]) -> Result<(), Error> {
    let share = objects.len().div_ceil(N_AT_ONCE).max(1);
    let write = |share: &[(String, Bytes)]| {
        share.iter().try_for_each(|(key, bytes)| folder.replace(key, bytes))
    };
    std::thread::scope(|scope| {
        let start = |share| {
            let thread = std::thread::Builder::new().spawn_scoped(scope, move || write(share));
            // Where there is no memory for a thread, this one does its work.
            thread.map_err(|_| write(share))
        };
        let shares: Vec<_> = objects.chunks(share).map(start).collect();
        shares.into_iter().try_for_each(|share| match share {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(written) => written,
        })
    })?;
    let folders: BTreeMap<&str, &str> = objects
        .iter()
        .map(|(key, _)| (key.rsplit_once('/').map_or("", |(folder, _)| folder), key.as_str()))
        .collect();
    folders.values().try_for_each(|key| folder.sync_names(key))
}
