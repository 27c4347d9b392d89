//! Which promises are weaker on a store than on others, found by trying.

use bytes::Bytes;

use crate::error::Error;
use crate::etag;
use crate::folders::can_sync;
use crate::store::{Backend, Store};

/// A promise that a store keeps less well, or at a higher price, than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weakness {
    /// What is weaker.
    pub promise: &'static str,
    /// Why, and what follows.
    pub reason: &'static str,
}

impl Store {
    /// What is weaker on this store; writes and deletes one object at `path`.
    ///
    /// # Errors
    /// If the object cannot be written, listed or deleted.
    pub fn weaknesses(&self, path: &str) -> Result<Vec<Weakness>, Error> {
        let bytes = Bytes::from_static(b"weaknesses");
        self.put(path, bytes.clone())?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let found = self.list(folder).and_then(|entries| match &self.backend {
            Backend::Folder(folder) => {
                let syncs = can_sync(&folder.root)
                    .map_err(|source| Error::File { url: self.url().to_owned(), source })?;
                Ok(of_folder(syncs))
            }
            Backend::Remote(_) => {
                let listed = entries.into_iter().find(|entry| entry.path == path);
                let listed = listed.and_then(|entry| entry.etag);
                let head = self.head(path)?.and_then(|entry| entry.etag);
                Ok(of_etags(listed.as_deref(), head.as_deref(), &bytes))
            }
        });
        self.delete(path)?;
        found
    }
}

fn of_folder(syncs: bool) -> Vec<Weakness> {
    let unsynced = Weakness {
        promise: "durable writes",
        reason: "this file system cannot sync a folder: a power cut may lose the names of files that \
                 were just written, and a night may have to be run again",
    };
    [(!syncs).then_some(unsynced)].into_iter().flatten().collect()
}

fn of_etags(listed: Option<&str>, head: Option<&str>, bytes: &[u8]) -> Vec<Weakness> {
    let unlisted = Weakness {
        promise: "unchanged files are known without reading them",
        reason: "lists have no ETag: contents are read and hashed each night",
    };
    let no_md5 = Weakness {
        promise: "bytes are verified as they are first read",
        reason: "the ETag of an object is not its MD5: a new file is read twice, and the reads are \
                 compared",
    };
    let is_md5 = etag::agrees(head, bytes) == Some(true);
    [listed.is_none().then_some(unlisted), (!is_md5).then_some(no_md5)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultPlan, Limits, SimulatedStorage, VirtualClock};

    #[test]
    fn a_store_without_etags_in_its_lists_says_what_follows() {
        let storage = SimulatedStorage::new(FaultPlan::none(), VirtualClock::default());
        let store = storage.open(Limits::default());
        assert_eq!(store.weaknesses(".doctor/1").unwrap(), []);
        storage.leave_etags_out_of_lists();
        let found = store.weaknesses(".doctor/1").unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].reason.contains("hashed each night"));
        assert!(storage.objects().is_empty());
    }

    #[test]
    fn tags_that_are_no_md5_and_folders_without_sync_are_weaknesses() {
        assert_eq!(of_etags(Some("\"1-2\""), Some("\"1-2\""), b"x").len(), 1);
        assert_eq!(of_etags(None, None, b"x").len(), 2);
        assert_eq!((of_folder(true).len(), of_folder(false).len()), (0, 1));
    }
}
