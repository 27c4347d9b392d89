//! Files that are not yet, or never became, objects of a folder.
#![expect(clippy::disallowed_methods, reason = "the file system is the backend of this store")]

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folders::Folders;
use crate::reserved_name::beside;

/// Retries when another process removes the empty folder that is about to be used.
const N_RETRIES: u32 = 16;

/// Numbers the temporary files of this process.
pub(crate) static N_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A temporary file whose bytes are synced; removed on drop unless it is renamed into place.
pub(crate) struct TemporaryFile {
    pub(crate) path: PathBuf,
}

impl TemporaryFile {
    /// Writes `bytes` beside `target`, creating the folders above it through `folders`.
    pub(crate) fn write(target: &Path, bytes: &[u8], folders: &Folders) -> io::Result<Self> {
        let mut n_retries = 0;
        loop {
            let n = N_TEMPORARY.fetch_add(1, Ordering::Relaxed);
            let path = beside(target, &format!("{}.{n}", std::process::id()));
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
                        folders.create(folder)?;
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    pub(crate) fn replace(mut self, target: &Path) -> io::Result<()> {
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
