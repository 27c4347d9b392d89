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

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use terms::Digest;

use crate::activity::{Activity, Writing};
use crate::error::Error;
use crate::folders::Folders;
use crate::key;
use crate::object::{Entry, PutOutcome, SwapOutcome, Version};
use crate::object_lock::{Lock, is_absent};
use crate::temporary_file::TemporaryFile;

/// Reads of one object after which bytes that differ each time are an error.
const N_READS: u32 = 6;

#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    pub(crate) url: String,
    /// The largest object that is read.
    pub(crate) object_bytes: u64,
    pub(crate) folders: Folders,
    pub(crate) activity: Arc<Activity>,
}

impl Folder {
    pub(crate) fn get(&self, key: &str) -> Result<Bytes, Error> {
        let path = self.file(key);
        // Before it is opened: opening a named pipe waits for its writer.
        let metadata = fs::metadata(&path).map_err(|e| self.error(key, e))?;
        if metadata.is_dir() {
            return Err(Error::NotFound { url: key::join(&self.url, key) });
        }
        self.check_is_file(key, &metadata)?;
        let (size, limit) = (metadata.len(), self.object_bytes);
        if size > limit {
            return Err(Error::TooLarge { url: key::join(&self.url, key), size, limit });
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size as usize)
            .map_err(|e| self.error(key, io::Error::new(ErrorKind::OutOfMemory, e)))?;
        let file = File::open(&path).map_err(|e| self.error(key, e))?;
        // It may have grown since.
        file.take(limit).read_to_end(&mut bytes).map_err(|e| self.error(key, e))?;
        self.activity.count_request();
        self.activity.count_read(bytes.len());
        Ok(bytes.into())
    }

    /// Reads an object of a list until it is as long as that says and two reads in a row agree.
    pub(crate) fn get_fresh(&self, entry: &Entry) -> Result<(Bytes, Digest), Error> {
        let mut previous = None;
        let mut found = entry.size;
        for _ in 0..N_READS {
            let bytes = self.get(&entry.path)?;
            found = bytes.len() as u64;
            let digest = Digest::of(&bytes);
            if found == entry.size && previous.as_ref() == Some(&digest) {
                return Ok((bytes, digest));
            }
            previous = Some(digest);
        }
        let url = key::join(&self.url, &entry.path);
        Err(if found == entry.size {
            Error::Unsettled { url, n_reads: N_READS }
        } else {
            Error::Truncated { url, expected: entry.size, found }
        })
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
        self.replace(key, bytes)?;
        self.sync_names(key)
    }

    /// As [`Folder::put`], but the name may not survive a power cut until it is synced.
    pub(crate) fn replace(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        let _writing = self.writing(bytes);
        let path = self.file(key);
        let temporary = TemporaryFile::write(&path, bytes, &self.folders);
        let temporary = temporary.map_err(|e| self.error(key, e))?;
        temporary.replace(&path).map_err(|e| self.error(key, e))
    }

    /// Writes the names in the folder of an object to the disk.
    pub(crate) fn sync_names(&self, key: &str) -> Result<(), Error> {
        match self.file(key).parent() {
            Some(folder) => self.folders.sync(folder).map_err(|e| self.error(key, e)),
            None => Ok(()),
        }
    }

    pub(crate) fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<PutOutcome, Error> {
        let path = self.file(key);
        // Saves writing the bytes in the usual case; the link below is what decides.
        if path.exists() {
            return Ok(PutOutcome::Exists);
        }
        let _writing = self.writing(bytes);
        let temporary = TemporaryFile::write(&path, bytes, &self.folders);
        let temporary = temporary.map_err(|e| self.error(key, e))?;
        match fs::hard_link(&temporary.path, &path) {
            Ok(()) => {
                drop(temporary);
                self.sync_names(key)?;
                Ok(PutOutcome::Created)
            }
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
        // As long as its lock is held.
        let _writing = self.activity.write(0);
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
            Ok(metadata) if metadata.is_dir() => Ok(None),
            Ok(metadata) => self.check_is_file(key, &metadata).map(|()| None),
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
                    Ok(metadata) => {
                        self.check_is_file(&path, &metadata)?;
                        entries.push(entry(path, &metadata));
                    }
                    Err(e) if is_absent(&e) => {}
                    Err(e) => return Err(self.error(&path, e)),
                }
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
        let _writing = self.writing(&[]);
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

    /// An error if it is neither a file nor a folder: reading one of those may wait for ever.
    fn check_is_file(&self, key: &str, metadata: &fs::Metadata) -> Result<(), Error> {
        let kind = metadata.file_type();
        let found = match () {
            () if kind.is_file() => return Ok(()),
            () if kind.is_fifo() => "a named pipe",
            () if kind.is_socket() => "a socket",
            () => "a device",
        };
        Err(Error::NotAFile { url: key::join(&self.url, key), found })
    }

    fn writing(&self, bytes: &[u8]) -> Writing<'_> {
        self.activity.count_request();
        self.activity.write(bytes.len())
    }

    fn file(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    fn error(&self, key: &str, source: io::Error) -> Error {
        let url = key::join(&self.url, key);
        if is_absent(&source) { Error::NotFound { url } } else { Error::File { url, source } }
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::reserved_name::beside;
    use crate::temporary_file::N_TEMPORARY;

    fn folder(root: &Path) -> Folder {
        let url = format!("file://{}", root.display());
        let object_bytes = 1 << 20;
        Folder {
            root: root.to_owned(),
            url,
            object_bytes,
            folders: Folders::default(),
            activity: Arc::default(),
        }
    }

    #[test]
    fn files_that_a_killed_process_left_behind_are_not_listed_and_block_no_put() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("a/b", b"whole").unwrap();
        let next = N_TEMPORARY.load(Ordering::Relaxed);
        for n in next..next + 3 {
            let name = beside(&root.path().join("a/b"), &format!("{}.{n}", std::process::id()));
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

    #[test]
    fn what_is_no_file_is_named_and_nothing_waits_for_it() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("a/file", b"1").unwrap();
        std::os::unix::fs::symlink("file", root.path().join("a/link")).unwrap();
        let listed: Vec<_> = store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(listed, ["a/file", "a/link"]);
        assert_eq!(store.get("a/link").unwrap(), "1");
        let pipe = root.path().join("a/pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        for (error, name) in [
            (store.get("a/pipe").unwrap_err(), "a/pipe: expected a regular file, found a named"),
            (store.list("a").unwrap_err(), "a/pipe"),
            (store.head("a/pipe").unwrap_err(), "a/pipe"),
            (store.get("socket").unwrap_err(), "a socket"),
        ] {
            assert!(matches!(error, Error::NotAFile { .. }), "{error:?}");
            assert_eq!(error.class(), terms::ErrorClass::Contract);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn only_old_temporary_files_are_leftovers_to_remove() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("a/b", b"whole").unwrap();
        let (_, version) = store.get_versioned("a/b").unwrap().unwrap();
        let _ = store.compare_and_swap("a/b", Some(&version), b"again").unwrap();
        let age = |name: &str, seconds| {
            let file = File::create(root.path().join(name)).unwrap();
            let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(written).unwrap();
            written
        };
        age("a/b#12.0", 1_000);
        let young = age("a/c#12.1", 2_000);
        let names = |leftovers: Vec<crate::leftovers::Leftover>| -> Vec<String> {
            leftovers.into_iter().map(|leftover| leftover.path).collect()
        };
        assert_eq!(names(store.leftovers().unwrap()), ["a/b#12.0", "a/c#12.1"]);
        assert_eq!(names(store.remove_leftovers(young).unwrap()), ["a/b#12.0"]);
        assert_eq!(names(store.leftovers().unwrap()), ["a/c#12.1"]);
        assert_eq!(store.get("a/b").unwrap(), "again");
    }

    #[test]
    fn a_listed_file_of_another_length_or_above_the_limit_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let store = folder(root.path());
        store.put("k", b"listed").unwrap();
        let entry = store.list("").unwrap().remove(0);
        assert_eq!(store.get_fresh(&entry).unwrap(), ("listed".into(), Digest::of(b"listed")));
        store.put("k", b"other length").unwrap();
        let error = store.get_fresh(&entry).unwrap_err();
        assert!(matches!(error, Error::Truncated { expected: 6, found: 12, .. }), "{error:?}");
        // Sparse: it takes no room.
        File::create(root.path().join("large")).unwrap().set_len(9 << 40).unwrap();
        let error = store.get("large").unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    }
}
