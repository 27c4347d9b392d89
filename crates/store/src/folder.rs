//! The backend of a folder: each object is a file, and atomicity comes from the file system.
//!
//! A put writes a temporary file beside the object, syncs it to the disk and renames it. A create
//! makes a hard link to it instead, which fails if the name exists. A swap holds a lock file beside
//! the object, which the kernel releases if the process dies. Names with `#` are reserved for
//! temporary files and locks: they are not keys and are not listed, so what a killed process left
//! behind is never visible.
//!
//! `object_store` has a folder backend too, but it can neither swap nor sync, and requires the
//! folder to exist before the first put.
#![expect(clippy::disallowed_methods, reason = "the file system is the backend of this store")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use terms::Digest;

use crate::error::Error;
use crate::key::{self, RESERVED};
use crate::object::{Entry, PutOutcome, SwapOutcome, Version};

/// Retries when another process removes the empty folder that is about to be used.
const N_RETRIES: u32 = 16;

/// Numbers the temporary files of this process.
static N_TEMPORARY: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    pub(crate) url: String,
}

impl Folder {
    pub(crate) fn get(&self, key: &str) -> Result<Bytes, Error> {
        fs::read(self.file(key)).map(Bytes::from).map_err(|e| self.error(key, e))
    }

    pub(crate) fn get_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>, Error> {
        match self.get(key) {
            Ok(bytes) => {
                let version = version(&bytes);
                Ok(Some((bytes, version)))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.file(key);
        let temporary = TemporaryFile::write(&path, bytes).map_err(|e| self.error(key, e))?;
        temporary.replace(&path).map_err(|e| self.error(key, e))
    }

    pub(crate) fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, Error> {
        let path = self.file(key);
        // Saves writing the bytes in the usual case; the link below is what decides.
        if path.exists() {
            return Ok(PutOutcome::Exists);
        }
        let temporary = TemporaryFile::write(&path, bytes).map_err(|e| self.error(key, e))?;
        match fs::hard_link(&temporary.path, &path) {
            Ok(()) => Ok(PutOutcome::Created),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(PutOutcome::Exists),
            Err(e) => Err(self.error(key, e)),
        }
    }

    pub(crate) fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<SwapOutcome, Error> {
        let Some(expected) = expected else {
            return Ok(match self.put_if_absent(key, bytes)? {
                PutOutcome::Created => SwapOutcome::Swapped,
                PutOutcome::Exists => SwapOutcome::Moved,
            });
        };
        let Some(_lock) = Lock::take(&self.file(key)).map_err(|e| self.error(key, e))? else {
            return Ok(SwapOutcome::Moved);
        };
        match self.get_versioned(key)? {
            Some((_, found)) if found == *expected => {
                self.put(key, bytes)?;
                Ok(SwapOutcome::Swapped)
            }
            _ => Ok(SwapOutcome::Moved),
        }
    }

    pub(crate) fn head(&self, key: &str) -> Result<Option<Entry>, Error> {
        match fs::metadata(self.file(key)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(entry(key.to_owned(), &metadata))),
            Ok(_) => Ok(None),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(self.error(key, e)),
        }
    }

    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut folders = vec![prefix.to_owned()];
        while let Some(folder) = folders.pop() {
            let read = match fs::read_dir(self.file(&folder)) {
                Ok(read) => read,
                Err(e) if is_absent(&e) => continue,
                Err(e) => return Err(self.error(&folder, e)),
            };
            for found in read {
                let found = found.map_err(|e| self.error(&folder, e))?;
                // A name that is not a key was not written by a store.
                let Some(name) = found.file_name().to_str().map(str::to_owned) else { continue };
                if key::fault(&name).is_some() {
                    continue;
                }
                let path = key::join(&folder, &name);
                // By path and not by entry, so that symbolic links are followed; a file that was
                // deleted meanwhile is absent.
                match fs::metadata(found.path()) {
                    Ok(metadata) if metadata.is_dir() => folders.push(path),
                    Ok(metadata) => entries.push(entry(path, &metadata)),
                    Err(e) if is_absent(&e) => {}
                    Err(e) => return Err(self.error(&path, e)),
                }
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.file(key);
        let Some(lock) = Lock::take(&path).map_err(|e| self.error(key, e))? else { return Ok(()) };
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(self.error(key, e)),
        }
        lock.remove().map_err(|e| self.error(key, e))?;
        // Empty folders are removed, up to the root, which stays.
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|f| f.starts_with(&self.root) && *f != self.root) {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }

    fn file(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    fn error(&self, key: &str, source: io::Error) -> Error {
        let url = key::join(&self.url, key);
        if is_absent(&source) { Error::NotFound { url } } else { Error::File { url, source } }
    }
}

/// A temporary file whose bytes are synced; removed on drop unless it is renamed into place.
struct TemporaryFile {
    path: PathBuf,
}

impl TemporaryFile {
    /// Writes `bytes` beside `target`, creating the folders above it.
    fn write(target: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut n_retries = 0;
        loop {
            let n = N_TEMPORARY.fetch_add(1, Ordering::Relaxed);
            let path = reserved_name(target, &format!("{}.{n}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let temporary = Self { path };
                    file.write_all(bytes)?;
                    file.sync_data()?;
                    return Ok(temporary);
                }
                // Left behind by an earlier process with the same id.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) if e.kind() == ErrorKind::NotFound && n_retries < N_RETRIES => {
                    n_retries += 1;
                    if let Some(folder) = target.parent() {
                        fs::create_dir_all(folder)?;
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn replace(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        // The temporary name is free again; by the time of the drop another thread may use it.
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The lock of one object, held until it is dropped or the process dies.
struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock of the object at `target`. `None` if there is no folder to hold it, and
    /// therefore no object.
    fn take(target: &Path) -> io::Result<Option<Self>> {
        let path = reserved_name(target, "lock");
        loop {
            let file = match OpenOptions::new().create(true).append(true).open(&path) {
                Ok(file) => file,
                Err(e) if is_absent(&e) => return Ok(None),
                Err(e) => return Err(e),
            };
            file.lock()?;
            // The previous holder may have removed the file: then this locks a file without a name.
            let locked = file.metadata()?;
            match fs::metadata(&path) {
                Ok(named) if (named.dev(), named.ino()) == (locked.dev(), locked.ino()) => {
                    return Ok(Some(Self { _file: file, path }));
                }
                Ok(_) => {}
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The name of a temporary file or lock beside `target`.
fn reserved_name(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(RESERVED.to_string());
    name.push(suffix);
    name.into()
}

fn version(bytes: &[u8]) -> Version {
    Version(Digest::of(bytes).as_str().to_owned())
}

/// The entity tag of a file is the time of its last change: a put writes a new file. A caller that
/// relies on the bytes verifies their digest.
fn entry(path: String, metadata: &fs::Metadata) -> Entry {
    let etag = format!("{:x}.{:09}", metadata.mtime(), metadata.mtime_nsec());
    Entry { path, size: metadata.len(), etag: Some(etag) }
}

/// Whether the error means that there is no such object. A folder is not an object, and there are
/// no objects below an object.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path) -> Folder {
        Folder { root: root.to_owned(), url: format!("file://{}", root.display()) }
    }

    #[test]
    fn files_that_a_killed_process_left_behind_are_not_listed_and_block_no_put() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("a/b", b"whole").unwrap();
        let next = N_TEMPORARY.load(Ordering::Relaxed);
        for n in next..next + 3 {
            let name =
                reserved_name(&root.path().join("a/b"), &format!("{}.{n}", std::process::id()));
            fs::write(name, b"ha").unwrap();
        }
        assert_eq!(store.list("").unwrap().len(), 1);
        store.put("a/b", b"whole again").unwrap();
        assert_eq!(store.get("a/b").unwrap(), "whole again");
    }

    #[test]
    fn deleting_the_last_object_leaves_an_empty_root() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("a/b/c", b"1").unwrap();
        let (_, version) = store.get_versioned("a/b/c").unwrap().unwrap();
        let outcome = store.compare_and_swap("a/b/c", Some(&version), b"2").unwrap();
        assert_eq!(outcome, SwapOutcome::Swapped);
        store.delete("a/b/c").unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_root_that_does_not_exist_is_empty_and_is_not_created_by_reads() {
        let parent = tempfile::tempdir().unwrap();
        let store = folder(&parent.path().join("absent"));
        assert_eq!(store.list("").unwrap(), []);
        assert!(matches!(store.get("a"), Err(Error::NotFound { .. })));
        store.delete("a").unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn deletes_and_swaps_of_one_object_exclude_each_other() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        store.delete("p/x").unwrap();
                        let _ = store.compare_and_swap("p/x", None, b"1").unwrap();
                        if let Some((_, version)) = store.get_versioned("p/x").unwrap() {
                            let _ = store.compare_and_swap("p/x", Some(&version), b"2").unwrap();
                        }
                    }
                });
            }
        });
        store.delete("p/x").unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
