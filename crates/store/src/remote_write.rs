//! Writing through `object_store`: whole, by multipart upload, and conditionally.
//!
//! Conditions are sent as `If-None-Match: *` and `If-Match: <ETag>`. Most servers compare the ETag
//! as they sent it, in quotes; Ceph compares it without. It is sent as received, and once more
//! without its quotes if the server refuses it while the object still has it. Which form a server
//! wants is not remembered: a server that ignores conditions in a form unknown to it would then be
//! trusted with that form.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::error::Error;
use crate::object::{PutOutcome, SwapOutcome, Version};
use crate::remote::{N_PARTS_AT_ONCE, Objects, PART_BYTES};
use crate::response::ErrorResponse;

/// How often a create is repeated that conflicted with a concurrent one (409), and the pause between.
const N_CONFLICTS: u32 = 5;
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);

impl Objects {
    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = self.path(key)?;
        if bytes.len() as u64 <= PART_BYTES {
            let put = self.client.put(&path, PutPayload::from_bytes(bytes)).await;
            return put.map(drop).map_err(|e| self.error(key, e));
        }
        let mut upload = self.client.put_multipart(&path).await.map_err(|e| self.error(key, e))?;
        match put_in_parts(upload.as_mut(), &bytes).await {
            Ok(()) => Ok(()),
            Err(error) => {
                // If the abort fails too, the parts cost space until the bucket's rules expire them.
                if let Err(left) = upload.abort().await {
                    tracing::debug!(key, error = %left, "unfinished upload left behind");
                }
                Err(self.error(key, error))
            }
        }
    }

    pub(crate) async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome, Error> {
        let path = self.path(key)?;
        for _ in 0..N_CONFLICTS {
            match self.put_as(&path, bytes.clone(), PutMode::Create).await {
                Ok(()) => return Ok(PutOutcome::Created),
                Err(error @ object_store::Error::AlreadyExists { .. }) => {
                    // 409: another writer is in the middle of a write, which may yet fail.
                    let is_conflict = ErrorResponse::of(&error).status == Some(409);
                    if !is_conflict || self.head(key).await?.is_some() {
                        return Ok(PutOutcome::Exists);
                    }
                }
                Err(error) => return Err(self.error(key, error)),
            }
            tokio::time::sleep(CONFLICT_PAUSE).await;
        }
        Ok(PutOutcome::Exists)
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
        if self.put_if_match(key, &path, &etag, &bytes).await? == SwapOutcome::Swapped {
            return Ok(SwapOutcome::Swapped);
        }
        let bare = etag.trim_matches('"');
        let now = self.head(key).await?.and_then(|entry| entry.etag);
        if bare == etag || now.as_deref() != Some(&*etag) {
            return Ok(SwapOutcome::Moved);
        }
        self.put_if_match(key, &path, bare, &bytes).await
    }

    async fn put_if_match(
        &self,
        key: &str,
        path: &Path,
        etag: &str,
        bytes: &Bytes,
    ) -> Result<SwapOutcome, Error> {
        let version = UpdateVersion { e_tag: Some(etag.to_owned()), version: None };
        match self.put_as(path, bytes.clone(), PutMode::Update(version)).await {
            Ok(()) => Ok(SwapOutcome::Swapped),
            Err(error) => {
                // A missing object is reported as a failed condition, a missing bucket likewise.
                let is_condition = matches!(
                    error,
                    object_store::Error::Precondition { .. }
                        | object_store::Error::NotModified { .. }
                        | object_store::Error::AlreadyExists { .. }
                        | object_store::Error::NotFound { .. }
                );
                match self.error(key, error) {
                    error @ Error::BucketMissing { .. } => Err(error),
                    _ if is_condition => Ok(SwapOutcome::Moved),
                    error => Err(error),
                }
            }
        }
    }

    async fn put_as(&self, path: &Path, bytes: Bytes, mode: PutMode) -> object_store::Result<()> {
        let options = PutOptions { mode, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(bytes);
        self.client.put_opts(path, payload, options).await.map(drop)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.client.delete(&self.path(key)?).await {
            Ok(()) => Ok(()),
            Err(error) => match self.error(key, error) {
                Error::NotFound { .. } => Ok(()),
                error => Err(error),
            },
        }
    }
}

async fn put_in_parts(upload: &mut dyn MultipartUpload, bytes: &Bytes) -> object_store::Result<()> {
    let size = PART_BYTES as usize;
    let starts = (0..bytes.len()).step_by(size);
    // Parts are numbered in the order in which they are started, and may finish in any.
    let parts = starts.map(|start| {
        let part = bytes.slice(start..bytes.len().min(start + size));
        upload.put_part(PutPayload::from_bytes(part))
    });
    futures::stream::iter(parts).buffer_unordered(N_PARTS_AT_ONCE).try_collect::<()>().await?;
    upload.complete().await.map(drop)
}
