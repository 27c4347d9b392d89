//! The backend of S3-compatible buckets and of memory, through `object_store`: reading and listing.
//!
//! It owns the runtime on which requests run; writing is in
//! [`remote_write`](crate::remote_write). An object larger than [`PART_BYTES`] is read by ranges, a
//! few at a time, so that no single request has to carry it within its timeout.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore,
    ObjectStoreExt as _,
};
use tokio::runtime::Runtime;

use crate::address::Address;
use crate::error::Error;
use crate::key;
use crate::object::{Entry, Version};
use crate::response::translate;
use crate::retry::{retries, with_timeouts};
use crate::settings::S3Settings;
use crate::variables::unusable;

/// Objects larger than this are read and written in parts of this size.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parts of one object that are in transfer at once.
pub(crate) const N_PARTS_AT_ONCE: usize = 4;
/// A client of `object_store` and the address of its objects; cheap to clone into a task.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) client: Arc<dyn ObjectStore>,
    pub(crate) address: Arc<Address>,
    prefix: Arc<str>,
}

/// [`Objects`] with the runtime that carries their requests.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) objects: Objects,
    runtime: Option<Runtime>,
}

impl Remote {
    pub(crate) fn memory(url: &str) -> Result<Self, Error> {
        let address = Address {
            url: url.trim_end_matches('/').to_owned(),
            bucket: String::new(),
            endpoint: "memory".to_owned(),
            region: String::new(),
            uses_instance_credentials: false,
        };
        Self::new(Arc::new(InMemory::new()), address, "")
    }

    pub(crate) fn s3(url: &str, settings: &S3Settings) -> Result<Self, Error> {
        let mut options =
            with_timeouts(ClientOptions::new().with_allow_http(settings.allow_http.value));
        if let Some(bundle) = &settings.ca_bundle {
            for certificate in certificates(&bundle.value, &bundle.origin)? {
                options = options.with_root_certificate(certificate);
            }
        }
        let builder = AmazonS3Builder::new().with_client_options(options).with_retry(retries());
        let other = |source| Error::Other { url: url.to_owned(), source: Box::new(source) };
        let client = settings.apply(builder)?.build().map_err(other)?;
        let address = Address {
            url: url.trim_end_matches('/').to_owned(),
            bucket: settings.bucket.clone(),
            endpoint: settings.endpoint.value.clone(),
            region: settings.region.value.clone(),
            uses_instance_credentials: settings.uses_instance_credentials(),
        };
        Self::new(Arc::new(client), address, &settings.prefix)
    }

    fn new(client: Arc<dyn ObjectStore>, address: Address, prefix: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|source| Error::File { url: address.url.clone(), source })?;
        let objects = Objects { client, address: Arc::new(address), prefix: prefix.into() };
        Ok(Self { objects, runtime: Some(runtime) })
    }

    /// The runtime that requests run on.
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is taken by drop only")
    }
}

/// The certificates of a file in PEM.
#[expect(clippy::disallowed_methods, reason = "the settings name a file of certificates")]
fn certificates(file: &str, origin: &str) -> Result<Vec<Certificate>, Error> {
    let text = std::fs::read(file)
        .map_err(|source| Error::File { url: format!("{origin}: {file}"), source })?;
    match Certificate::from_pem_bundle(&text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable(origin, "a file of certificates in PEM", file)),
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: a DNS lookup may block for long.
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    pub(crate) fn url(&self, key: &str) -> String {
        key::join(&self.address.url, key)
    }

    pub(crate) fn error(&self, key: &str, error: object_store::Error) -> Error {
        translate(&self.address, self.url(key), error)
    }

    pub(crate) fn path(&self, key: &str) -> Result<Path, Error> {
        let full = key::join(&self.prefix, key);
        Path::parse(&full)
            .map_err(|_| Error::Key { key: full, expected: "segments that a path may have" })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<(Bytes, Option<String>), Error> {
        let path = self.path(key)?;
        let response = self.client.get(&path).await.map_err(|e| self.error(key, e))?;
        let etag = response.meta.e_tag.clone();
        let size = response.meta.size;
        let bytes = if size <= PART_BYTES {
            self.body(key, response).await?
        } else {
            drop(response);
            self.get_in_parts(key, &path, size, etag.as_deref()).await?
        };
        Ok((bytes, etag))
    }

    pub(crate) async fn get_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>, Error> {
        match self.get(key).await {
            Ok((bytes, Some(etag))) => Ok(Some((bytes, Version(etag)))),
            Ok((_, None)) => Err(Error::Other {
                url: self.url(key),
                source: "the server sends no ETag, so that the object has no version".into(),
            }),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<Entry>, Error> {
        match self.client.head(&self.path(key)?).await {
            Ok(meta) => Ok(Some(self.entry(&meta))),
            Err(error) => match self.error(key, error) {
                Error::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let path = match (self.prefix.is_empty(), prefix.is_empty()) {
            (true, true) => None,
            _ => Some(self.path(prefix)?),
        };
        let found = self.client.list(path.as_ref()).map_ok(|meta| self.entry(&meta));
        let mut entries: Vec<Entry> =
            found.try_collect().await.map_err(|e| self.error(prefix, e))?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn entry(&self, meta: &ObjectMeta) -> Entry {
        let full = meta.location.as_ref();
        let path = full.strip_prefix(&*self.prefix).unwrap_or(full).trim_start_matches('/');
        Entry { path: path.to_owned(), size: meta.size, etag: meta.e_tag.clone() }
    }

    async fn body(&self, key: &str, response: GetResult) -> Result<Bytes, Error> {
        let expected = response.range.end - response.range.start;
        let bytes = response.bytes().await.map_err(|e| self.error(key, e))?;
        let found = bytes.len() as u64;
        if found == expected {
            Ok(bytes)
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
            let response = self.part(path, range).await.map_err(|e| self.error(key, e))?;
            if response.meta.e_tag.as_deref() != etag || response.meta.size != size {
                return Err(Error::Replaced { url: self.url(key) });
            }
            self.body(key, response).await
        });
        let mut parts = futures::stream::iter(parts).buffered(N_PARTS_AT_ONCE);
        let mut whole = BytesMut::with_capacity(size as usize);
        while let Some(part) = parts.next().await {
            whole.extend_from_slice(&part?);
        }
        Ok(whole.freeze())
    }

    async fn part(&self, path: &Path, range: Range<u64>) -> object_store::Result<GetResult> {
        let range = Some(GetRange::Bounded(range));
        self.client.get_opts(path, GetOptions { range, ..GetOptions::default() }).await
    }
}
