//! Writing through `object_store`: whole objects, and conditionally.
//!
//! Conditions are sent as `If-None-Match: *` and `If-Match: <ETag>`. Most servers compare the ETag
//! as they sent it, in quotes; Ceph compares it without. It is sent as received, and once more
//! without its quotes if the server refuses it while the object still has it. Which form a server
//! wants is not remembered: a server that ignores conditions in a form unknown to it would then be
//! trusted with that form.
//!
//! The answer to a conditional write may be lost after the write took effect. It is then repeated,
//! and if that is refused the object is read: with the bytes of this write it is this write's.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::error::Error;
use crate::object::{PutOutcome, SwapOutcome, Version};
use crate::remote::{Objects, PART_BYTES};
use crate::response::ErrorResponse;

/// How the server answered a conditional write.
enum Answer {
    Written,
    /// The condition does not hold.
    Refused,
    /// Another write is under way, and may yet fail (409).
    Conflict(Error),
}

impl Objects {
    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = self.path(key)?;
        if bytes.len() as u64 > PART_BYTES {
            return self.put_in_parts(key, &path, &bytes).await;
        }
        let put = || async {
            let payload = PutPayload::from_bytes(bytes.clone());
            self.client.put(&path, payload).await.map_err(|e| self.error(key, e))
        };
        self.attempts("PUT", key).repeat(bytes.len() as u64, put).await.map(drop)
    }

    pub(crate) async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome, Error> {
        let path = self.path(key)?;
        let mut attempts = self.attempts("PUT", key);
        let mut may_be_written = false;
        loop {
            let put = self.put_as(key, &path, &bytes, PutMode::Create);
            match attempts.attempt(bytes.len() as u64, put).await {
                Ok(Answer::Written) => return Ok(PutOutcome::Created),
                Ok(Answer::Conflict(error)) if self.head(key).await?.is_none() => {
                    attempts.pause_after(error).await?;
                }
                Ok(Answer::Refused | Answer::Conflict(_)) => {
                    return Ok(match may_be_written && self.holds(key, &bytes).await? {
                        true => PutOutcome::Created,
                        false => PutOutcome::Exists,
                    });
                }
                Err(error) => {
                    may_be_written |= error.is_ambiguous();
                    attempts.pause_after(error).await?;
                }
            }
        }
    }

    pub(crate) async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<Version>,
        bytes: Bytes,
    ) -> Result<SwapOutcome, Error> {
        let Some(Version(etag)) = expected else {
            return Ok(match self.put_if_absent(key, bytes).await? {
                PutOutcome::Created => SwapOutcome::Swapped,
                PutOutcome::Exists => SwapOutcome::Moved,
            });
        };
        let path = self.path(key)?;
        let mut attempts = self.attempts("PUT", key);
        let mut may_be_written = false;
        let mut sent = &*etag;
        loop {
            let version = UpdateVersion { e_tag: Some(sent.to_owned()), version: None };
            let put = self.put_as(key, &path, &bytes, PutMode::Update(version));
            match attempts.attempt(bytes.len() as u64, put).await {
                Ok(Answer::Written) => return Ok(SwapOutcome::Swapped),
                Ok(Answer::Refused) => {
                    if may_be_written && self.holds(key, &bytes).await? {
                        return Ok(SwapOutcome::Swapped);
                    }
                    let bare = etag.trim_matches('"');
                    if bare == sent {
                        return Ok(SwapOutcome::Moved);
                    }
                    let now = self.head(key).await?.and_then(|entry| entry.etag);
                    if now.as_deref() != Some(&*etag) {
                        return Ok(SwapOutcome::Moved);
                    }
                    sent = bare;
                }
                Ok(Answer::Conflict(error)) => attempts.pause_after(error).await?,
                Err(error) => {
                    may_be_written |= error.is_ambiguous();
                    attempts.pause_after(error).await?;
                }
            }
        }
    }

    async fn put_as(
        &self,
        key: &str,
        path: &Path,
        bytes: &Bytes,
        mode: PutMode,
    ) -> Result<Answer, Error> {
        let is_swap = matches!(mode, PutMode::Update(_));
        let options = PutOptions { mode, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(bytes.clone());
        let error = match self.client.put_opts(path, payload, options).await {
            Ok(_) => return Ok(Answer::Written),
            Err(error) => error,
        };
        if ErrorResponse::of(&error).status == Some(409) {
            return Ok(Answer::Conflict(self.error(key, error)));
        }
        // A missing object is reported as a failed condition, a missing bucket likewise.
        let is_condition = match error {
            object_store::Error::AlreadyExists { .. } => true,
            object_store::Error::Precondition { .. }
            | object_store::Error::NotModified { .. }
            | object_store::Error::NotFound { .. } => is_swap,
            _ => false,
        };
        match self.error(key, error) {
            error @ Error::BucketMissing { .. } => Err(error),
            _ if is_condition => Ok(Answer::Refused),
            error => Err(error),
        }
    }

    /// Whether the object now has these bytes.
    pub(crate) async fn holds(&self, key: &str, bytes: &Bytes) -> Result<bool, Error> {
        match self.get(key).await {
            Ok(found) => Ok(found.bytes == *bytes),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key)?;
        let delete = || async { self.client.delete(&path).await.map_err(|e| self.error(key, e)) };
        match self.attempts("DELETE", key).repeat(0, delete).await {
            Err(Error::NotFound { .. }) => Ok(()),
            deleted => deleted,
        }
    }
}
