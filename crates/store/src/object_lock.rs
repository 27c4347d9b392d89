//! The lock of one object in a folder, held while it is swapped or deleted.
#![expect(clippy::disallowed_methods, reason = "the file system is the backend of this store")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::reserved_name::beside;

/// The lock of one object, held until it is dropped or the process dies.
pub(crate) struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock of the object at `target`. `None` if there is no folder to hold it, and
    /// therefore no object.
    pub(crate) fn take(target: &Path) -> io::Result<Option<Self>> {
        let path = beside(target, "lock");
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

    pub(crate) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Whether the error means that there is no such object. A folder is not an object, and there are
/// no objects below an object.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}
