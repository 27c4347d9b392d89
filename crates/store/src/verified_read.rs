//! Reads whose bytes are verified: against a digest that is known, or else against what the store
//! says of them.

use bytes::Bytes;
use terms::Digest;

use crate::error::Error;
use crate::key;
use crate::object::Entry;
use crate::store::{Backend, Store};

/// Reads of a file after which bytes that have another digest are an error.
const N_READS: usize = 3;

impl Store {
    /// Reads a whole object and verifies its digest. Bytes that do not have it are read again, a few
    /// times: they may have been damaged on their way.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the digest is not `expected`; [`Error::NotFound`] if the object does
    /// not exist.
    pub fn get_verified(&self, path: &str, expected: &Digest) -> Result<Bytes, Error> {
        key::check(path)?;
        let folder = match &self.backend {
            Backend::Remote(remote) => {
                return remote.executor.block_on(remote.objects.get_verified(path, expected));
            }
            Backend::Folder(folder) => folder,
        };
        let mut read = folder.get(path)?;
        let mut found = Digest::of(&read);
        for _ in 1..N_READS {
            if found == *expected {
                return Ok(read);
            }
            read = folder.get(path)?;
            let again = Digest::of(&read);
            // A file that was read the same twice is what it is.
            if again == found {
                break;
            }
            found = again;
        }
        if found == *expected {
            return Ok(read);
        }
        Err(Error::Corrupt { url: self.url_of(path), expected: expected.clone(), found })
    }

    /// Reads a whole object as it is listed, whose digest is not known yet, and returns it with its
    /// digest. It is as long as `entry` says, has its entity tag, and has been verified: against its
    /// MD5 where that is what the tag is, else by reading it until two reads in a row agree.
    ///
    /// An object on a server that encrypts with a key of its own has a tag that looks like an MD5
    /// and is none; it is read twice.
    ///
    /// # Errors
    /// An error of the class `Storage` if it differs each time it is read, or is another object than
    /// the listed one; [`Error::NotFound`] if it does not exist.
    pub fn get_fresh(&self, entry: &Entry) -> Result<(Bytes, Digest), Error> {
        key::check(&entry.path)?;
        match &self.backend {
            Backend::Folder(folder) => folder.get_fresh(entry),
            Backend::Remote(remote) => remote.executor.block_on(remote.objects.get_fresh(entry)),
        }
    }

    /// Reads objects as [`Store::get_fresh`] does, a few at a time, in the order of `entries`.
    ///
    /// # Errors
    /// The first error in the order of `entries`.
    pub fn get_many_fresh(&self, entries: &[Entry]) -> Result<Vec<(Bytes, Digest)>, Error> {
        let remote = match &self.backend {
            Backend::Folder(_) => {
                return entries.iter().map(|entry| self.get_fresh(entry)).collect();
            }
            Backend::Remote(remote) => remote,
        };
        entries.iter().try_for_each(|entry| key::check(&entry.path))?;
        let mut all = Vec::with_capacity(entries.len());
        let get = |entry: &Entry| {
            let (objects, entry) = (remote.objects.clone(), entry.clone());
            async move { objects.get_fresh(&entry).await }
        };
        remote.executor.in_order(self.url(), entries.iter().map(get), |_, read| {
            read.map(|read| all.push(read))
        })?;
        Ok(all)
    }

    /// Reads objects as [`Store::get_verified`] does, a few at a time, in the order of `objects`.
    ///
    /// # Errors
    /// The first error in the order of `objects`.
    pub fn get_many_verified(&self, objects: &[(String, Digest)]) -> Result<Vec<Bytes>, Error> {
        let remote = match &self.backend {
            Backend::Folder(_) => {
                return objects
                    .iter()
                    .map(|(path, digest)| self.get_verified(path, digest))
                    .collect();
            }
            Backend::Remote(remote) => remote,
        };
        objects.iter().try_for_each(|(path, _)| key::check(path))?;
        let mut all = Vec::with_capacity(objects.len());
        let get = |(path, digest): &(String, Digest)| {
            let (objects, path, digest) = (remote.objects.clone(), path.clone(), digest.clone());
            async move { objects.get_verified(&path, &digest).await }
        };
        remote.executor.in_order(self.url(), objects.iter().map(get), |_, read| {
            read.map(|bytes| all.push(bytes))
        })?;
        Ok(all)
    }
}
