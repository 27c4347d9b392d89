//! Temporary files that killed processes left behind in a folder.
#![expect(clippy::disallowed_methods, reason = "the file system is the backend of this store")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::Error;
use crate::folder::Folder;
use crate::key;
use crate::object_lock::is_absent;
use crate::reserved_name::is_temporary;

/// A temporary file of a write that has not ended: one of a process that was killed, or that is at
/// work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its name below the URL of the store; no key.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written to.
    pub written: SystemTime,
}

impl Folder {
    pub(crate) fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let mut found = Vec::new();
        let mut folders = vec![(self.root.clone(), String::new())];
        while let Some((folder, path)) = folders.pop() {
            let failed = |source| Error::File { url: key::join(&self.url, &path), source };
            let read = match fs::read_dir(&folder) {
                Ok(read) => read,
                Err(e) if is_absent(&e) => continue,
                Err(e) => return Err(failed(e)),
            };
            for entry in read {
                let entry = entry.map_err(failed)?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                // Links are not followed: what they lead to is not this store's to delete.
                let metadata = match entry.metadata() {
                    Ok(metadata) => metadata,
                    Err(e) if is_absent(&e) => continue,
                    Err(e) => return Err(failed(e)),
                };
                let path = key::join(&path, &name);
                if metadata.is_dir() {
                    folders.push((entry.path(), path));
                } else if metadata.is_file() && is_temporary(&name) {
                    let written = metadata.modified().map_err(failed)?;
                    found.push(Leftover { path, size: metadata.len(), written });
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(crate) fn remove_leftovers(
        &self,
        written_before: SystemTime,
    ) -> Result<Vec<Leftover>, Error> {
        let mut removed = self.leftovers()?;
        removed.retain(|leftover| leftover.written < written_before);
        for leftover in &removed {
            let file: PathBuf = Path::new(&self.root).join(&leftover.path);
            match fs::remove_file(file) {
                Ok(()) => {}
                Err(e) if is_absent(&e) => {}
                Err(source) => {
                    let url = key::join(&self.url, &leftover.path);
                    return Err(Error::File { url, source });
                }
            }
        }
        Ok(removed)
    }
}
