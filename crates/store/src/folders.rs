//! The folders of a store on a disk: made, and synced, so that the name of an object is there after
//! a power cut too.
#![expect(clippy::disallowed_methods, reason = "the file system is the backend of this store")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The folders of one store.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    /// Those whose own names are on the disk.
    durable: Mutex<BTreeSet<PathBuf>>,
}

impl Folders {
    /// Makes `folder` and those above it.
    pub(crate) fn create(&self, folder: &Path) -> io::Result<()> {
        let mut missing = Some(folder);
        while let Some(folder) = missing.filter(|folder| !folder.exists()) {
            self.durable().remove(folder);
            missing = folder.parent();
        }
        fs::create_dir_all(folder)
    }

    /// Writes the names in `folder` to the disk, and its own name and those above it if they may
    /// not be there yet.
    pub(crate) fn sync(&self, folder: &Path) -> io::Result<()> {
        can_sync(folder)?;
        let mut folder = folder;
        while let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            if self.durable().contains(folder) {
                break;
            }
            can_sync(above)?;
            self.durable().insert(folder.to_owned());
            folder = above;
        }
        Ok(())
    }

    fn durable(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Syncs a folder; false if the file system does not know how.
pub(crate) fn can_sync(folder: &Path) -> io::Result<bool> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Ok(()) => Ok(true),
        // Another process may have removed it, once it was empty.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(true),
        // A folder that may be written to but not read, or one of some network file systems.
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}
