//! Uploading a large object in parts, each of which is repeated on its own.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, PutPayload};

use crate::error::Error;
use crate::remote::{N_PARTS_AT_ONCE, Objects, PART_BYTES};

impl Objects {
    /// Replaces an object by an upload in parts.
    pub(crate) async fn put_in_parts(
        &self,
        key: &str,
        path: &Path,
        bytes: &Bytes,
    ) -> Result<(), Error> {
        let create =
            || async { self.client.create_multipart(path).await.map_err(|e| self.error(key, e)) };
        let id = self.attempts("POST", key).repeat(0, create).await?;
        let uploaded = match self.put_parts(key, path, &id, bytes).await {
            Ok(parts) => self.complete(key, path, &id, &parts, bytes).await,
            Err(error) => Err(error),
        };
        if uploaded.is_err() {
            // If the abort fails too, the parts cost space until the bucket's rules expire them.
            let abort = async {
                self.client.abort_multipart(path, &id).await.map_err(|e| self.error(key, e))
            };
            if let Err(left) = self.attempts("DELETE", key).attempt(0, abort).await {
                tracing::debug!(key, error = %left, "unfinished upload left behind");
            }
        }
        uploaded
    }

    async fn put_parts(
        &self,
        key: &str,
        path: &Path,
        id: &MultipartId,
        bytes: &Bytes,
    ) -> Result<Vec<PartId>, Error> {
        let size = PART_BYTES as usize;
        let parts =
            (0..bytes.len()).step_by(size).enumerate().map(|(position, start)| async move {
                let part = bytes.slice(start..bytes.len().min(start + size));
                let put = || async {
                    let payload = PutPayload::from_bytes(part.clone());
                    let put = self.client.put_part(path, id, position, payload);
                    put.await.map_err(|e| self.error(key, e))
                };
                self.attempts("PUT", key).repeat(part.len() as u64, put).await
            });
        futures::stream::iter(parts).buffered(N_PARTS_AT_ONCE).try_collect().await
    }

    async fn complete(
        &self,
        key: &str,
        path: &Path,
        id: &MultipartId,
        parts: &[PartId],
        bytes: &Bytes,
    ) -> Result<(), Error> {
        let mut attempts = self.attempts("POST", key);
        let mut may_be_written = false;
        loop {
            let complete = async {
                let complete = self.client.complete_multipart(path, id, parts.to_vec());
                complete.await.map_err(|e| self.error(key, e))
            };
            // The server puts the parts together before it answers.
            match attempts.attempt(bytes.len() as u64, complete).await {
                Ok(_) => return Ok(()),
                // An upload that is complete is there no more.
                Err(Error::NotFound { .. }) if may_be_written && self.holds(key, bytes).await? => {
                    return Ok(());
                }
                Err(error) => {
                    may_be_written |= error.is_ambiguous();
                    attempts.pause_after(error).await?;
                }
            }
        }
    }
}
