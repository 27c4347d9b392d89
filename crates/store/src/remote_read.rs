//! Reading through `object_store`: whole objects, checked against what the server says of them.
//!
//! An object larger than [`PART_BYTES`] is read by ranges, a few at a time, each repeated on its
//! own, so that no single request has to carry it within its time. Memory is taken as bytes arrive,
//! not as they are announced.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore as _, ObjectStoreExt as _};
use terms::Digest;

use crate::error::Error;
use crate::etag;
use crate::object::{Entry, Version};
use crate::remote::{N_PARTS_AT_ONCE, Objects, PART_BYTES};

/// Reads of one object after which bytes that differ each time, or from what they should be, are
/// an error.
const N_READS: u32 = 6;

/// The bytes of an object and its entity tag.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    pub(crate) etag: Option<String>,
}

enum Answer {
    Whole(Fetched),
    Large { size: u64, etag: Option<String> },
}

impl Objects {
    /// Reads an object. Where its entity tag is an MD5 the bytes have it, or are those of two reads.
    pub(crate) async fn get(&self, key: &str) -> Result<Fetched, Error> {
        let fetched = self.fetch(key).await?;
        if etag::agrees(fetched.etag.as_deref(), &fetched.bytes) == Some(false) {
            return Ok(self.settle(key, fetched, None).await?.0);
        }
        Ok(fetched)
    }

    pub(crate) async fn get_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>, Error> {
        match self.get(key).await {
            Ok(Fetched { bytes, etag: Some(etag) }) => Ok(Some((bytes, Version(etag)))),
            Ok(Fetched { etag: None, .. }) => Err(Error::Other {
                url: self.url(key),
                source: "the server sends no ETag, so that the object has no version".into(),
            }),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads an object of a known digest, again if the bytes that come are not those.
    pub(crate) async fn get_verified(&self, key: &str, expected: &Digest) -> Result<Bytes, Error> {
        let mut n_reads = 0;
        let mut attempts = self.attempts("GET", key);
        loop {
            let Fetched { bytes, .. } = self.fetch(key).await?;
            let found = Digest::of(&bytes);
            if found == *expected {
                return Ok(bytes);
            }
            n_reads += 1;
            let (url, expected) = (self.url(key), expected.clone());
            let error = Error::Corrupt { url, expected, found };
            if n_reads == N_READS {
                return Err(error);
            }
            attempts.begin()?;
            match attempts.pause_after(error).await {
                Err(Error::GaveUp { last, .. }) => return Err(*last),
                paused => paused?,
            }
        }
    }

    /// Reads an object of a list whose digest is not known yet.
    pub(crate) async fn get_fresh(&self, entry: &Entry) -> Result<(Bytes, Digest), Error> {
        let fetched = self.fetch(&entry.path).await?;
        let (fetched, digest) = match self.is_verified(&fetched, Some(entry)) {
            true => {
                let digest = Digest::of(&fetched.bytes);
                (fetched, digest)
            }
            false => self.settle(&entry.path, fetched, Some(entry)).await?,
        };
        Ok((fetched.bytes, digest))
    }

    /// Reads until the bytes have the MD5 that the server says, or two reads in a row agree.
    async fn settle(
        &self,
        key: &str,
        first: Fetched,
        listed: Option<&Entry>,
    ) -> Result<(Fetched, Digest), Error> {
        let mut previous = Digest::of(&first.bytes);
        let mut last = first;
        for _ in 1..N_READS {
            let fetched = self.fetch(key).await?;
            let digest = Digest::of(&fetched.bytes);
            let fits = listed.is_none_or(|entry| is_listed(entry, &fetched));
            if self.is_verified(&fetched, listed) || (fits && digest == previous) {
                return Ok((fetched, digest));
            }
            (last, previous) = (fetched, digest);
        }
        let url = self.url(key);
        let found = last.bytes.len() as u64;
        Err(match listed {
            Some(entry) if entry.size != found => {
                Error::Truncated { url, expected: entry.size, found }
            }
            Some(entry) if !is_listed(entry, &last) => Error::Replaced { url },
            _ => Error::Unsettled { url, n_reads: N_READS },
        })
    }

    fn is_verified(&self, fetched: &Fetched, listed: Option<&Entry>) -> bool {
        listed.is_none_or(|entry| is_listed(entry, fetched))
            && etag::agrees(fetched.etag.as_deref(), &fetched.bytes) == Some(true)
    }

    /// Reads an object, in as many attempts as there is time for.
    async fn fetch(&self, key: &str) -> Result<Fetched, Error> {
        let path = self.path(key)?;
        let mut attempts = self.attempts("GET", key);
        loop {
            let error = match attempts.attempt(0, self.ask(key, &path)).await {
                Ok(Answer::Whole(fetched)) => return Ok(fetched),
                Ok(Answer::Large { size, etag }) => {
                    match self.get_in_parts(key, &path, size, etag.as_deref()).await {
                        Ok(bytes) => return Ok(Fetched { bytes, etag }),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            attempts.pause_after(error).await?;
        }
    }

    async fn ask(&self, key: &str, path: &Path) -> Result<Answer, Error> {
        let response = self.client.get(path).await.map_err(|e| self.error(key, e))?;
        let (size, etag) = (response.meta.size, response.meta.e_tag.clone());
        let limit = self.pacing.limits.object_bytes;
        if size > limit {
            return Err(Error::TooLarge { url: self.url(key), size, limit });
        }
        if size > PART_BYTES {
            return Ok(Answer::Large { size, etag });
        }
        Ok(Answer::Whole(Fetched { bytes: self.body(key, response).await?, etag }))
    }

    async fn body(&self, key: &str, response: GetResult) -> Result<Bytes, Error> {
        let expected = response.range.end - response.range.start;
        let mut pieces = response.into_stream();
        let mut bytes = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(|e| self.error(key, e))?);
            if bytes.len() as u64 > expected {
                break;
            }
        }
        let found = bytes.len() as u64;
        self.pacing.activity.count_read(bytes.len());
        if found == expected {
            Ok(bytes.freeze())
        } else {
            Err(Error::Truncated { url: self.url(key), expected, found })
        }
    }

    async fn get_in_parts(
        &self,
        key: &str,
        path: &Path,
        size: u64,
        etag: Option<&str>,
    ) -> Result<Bytes, Error> {
        let starts = (0..size).step_by(PART_BYTES as usize);
        let parts = starts.map(|start| async move {
            let range = start..size.min(start + PART_BYTES);
            let mut attempts = self.attempts("GET", key);
            loop {
                let part = async {
                    let options = GetOptions {
                        range: Some(GetRange::Bounded(range.clone())),
                        ..GetOptions::default()
                    };
                    let response = self
                        .client
                        .get_opts(path, options)
                        .await
                        .map_err(|e| self.error(key, e))?;
                    if response.meta.e_tag.as_deref() != etag || response.meta.size != size {
                        return Err(Error::Replaced { url: self.url(key) });
                    }
                    self.body(key, response).await
                };
                match attempts.attempt(PART_BYTES, part).await {
                    Ok(bytes) => return Ok(bytes),
                    // The whole is read again.
                    Err(error @ Error::Replaced { .. }) => return Err(error),
                    Err(error) => attempts.pause_after(error).await?,
                }
            }
        });
        let mut parts = futures::stream::iter(parts).buffered(N_PARTS_AT_ONCE);
        let mut whole = BytesMut::new();
        while let Some(part) = parts.next().await {
            whole.extend_from_slice(&part?);
        }
        Ok(whole.freeze())
    }
}

/// Whether an object is still the one of its list, as far as that says.
fn is_listed(entry: &Entry, fetched: &Fetched) -> bool {
    let same_tag = match (&entry.etag, &fetched.etag) {
        (Some(listed), Some(found)) => etag::is_same(listed, found),
        _ => true,
    };
    entry.size == fetched.bytes.len() as u64 && same_tag
}
