//! The store itself: the same operations on a folder, a bucket or memory.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use terms::Digest;

use crate::error::Error;
use crate::folder::Folder;
use crate::key;
use crate::location::Location;
use crate::object::{Entry, PutOutcome, SwapOutcome, Version};
use crate::remote::Remote;
use crate::settings::StoreSettings;

/// Objects that [`Store::get_many`] and [`Store::put_many`] transfer at once.
const N_AT_ONCE: usize = 8;

/// Objects by key. Clones share one connection pool and one runtime, and may be used from many
/// threads at once.
///
/// Every call blocks until it is done, and panics if it is made from inside an async runtime.
#[derive(Debug, Clone)]
pub struct Store {
    url: Arc<str>,
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
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
        let url = settings.url();
        let backend = match (settings.location(), settings.s3()) {
            (Location::Folder(root), _) => {
                let url = url.trim_end_matches('/').to_owned();
                Backend::Folder(Arc::new(Folder { root: root.clone(), url }))
            }
            (Location::S3 { .. }, Some(s3)) => Backend::Remote(Arc::new(Remote::s3(url, s3)?)),
            (Location::Memory | Location::S3 { .. }, _) => {
                Backend::Remote(Arc::new(Remote::memory(url)?))
            }
        };
        Ok(Self { url: url.into(), backend })
    }

    /// The URL it was opened with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the object `path`, for error messages.
    pub fn url_of(&self, path: &str) -> String {
        key::join(self.url.trim_end_matches('/'), path)
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
                let (bytes, _) = remote.runtime().block_on(remote.objects.get(path))?;
                Ok(bytes)
            }
        }
    }

    /// Reads a whole object and verifies its digest.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the digest is not `expected`; [`Error::NotFound`] if the object does
    /// not exist.
    pub fn get_verified(&self, path: &str, expected: &Digest) -> Result<Bytes, Error> {
        let bytes = self.get(path)?;
        let found = Digest::of(&bytes);
        if found == *expected {
            Ok(bytes)
        } else {
            Err(Error::Corrupt { url: self.url_of(path), expected: expected.clone(), found })
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
            Backend::Remote(remote) => {
                remote.runtime().block_on(remote.objects.get_versioned(path))
            }
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
            async move { objects.get(&path).await.map(|(bytes, _)| bytes) }
        };
        in_order(remote, paths.iter().map(get), |position, bytes| visit(position, bytes?))
    }

    /// Writes a whole object, and replaces it if it exists.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn put(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        key::check(path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.put(path, &bytes),
            Backend::Remote(remote) => remote.runtime().block_on(remote.objects.put(path, bytes)),
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
        in_order(remote, puts, |_, result| result)
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
                remote.runtime().block_on(remote.objects.put_if_absent(path, bytes))
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
                remote.runtime().block_on(swap)
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
            Backend::Remote(remote) => remote.runtime().block_on(remote.objects.list(prefix)),
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
            Backend::Remote(remote) => remote.runtime().block_on(remote.objects.head(path)),
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
            Backend::Remote(remote) => remote.runtime().block_on(remote.objects.delete(path)),
        }
    }
}

/// Runs `tasks`, [`N_AT_ONCE`] at a time, and visits their results in order. Tasks that still run
/// when it returns are aborted.
fn in_order<T, F, E>(
    remote: &Remote,
    mut tasks: impl Iterator<Item = F>,
    mut visit: impl FnMut(usize, Result<T, Error>) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
    E: From<Error>,
{
    let runtime = remote.runtime();
    let mut running = VecDeque::with_capacity(N_AT_ONCE);
    for position in 0.. {
        while running.len() < N_AT_ONCE
            && let Some(task) = tasks.next()
        {
            running.push_back(AbortOnDrop(runtime.spawn(task)));
        }
        let Some(mut first) = running.pop_front() else { break };
        let result = runtime.block_on(&mut first.0).unwrap_or_else(|source| {
            let url = remote.objects.address.url.clone();
            Err(Error::Other { url, source: Box::new(source) })
        });
        visit(position, result)?;
    }
    Ok(())
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes objects from a few threads: a put mostly waits for the disk.
fn put_in_folder(folder: &Folder, objects: &[(String, Bytes)]) -> Result<(), Error> {
    let share = objects.len().div_ceil(N_AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = objects
            .chunks(share)
            .map(|share| {
                scope.spawn(|| share.iter().try_for_each(|(key, bytes)| folder.put(key, bytes)))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}
