//! Objects behind `object_store`: in an S3-compatible bucket, or in memory.
//!
//! It owns the runtime on which requests run, reads objects and lists them; writing is in
//! [`remote_write`](crate::remote_write). An object larger than [`PART_BYTES`] is read in parts, a
//! few at a time, so that no request has to carry it within one time limit.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, GetOptions, GetRange, GetResult, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, RetryConfig,
};
use tokio::runtime::Runtime;

use crate::error::Error;
use crate::failure::{Refusal, explain};
use crate::key;
use crate::outcome::{Entry, Version};
use crate::settings::S3Settings;
use crate::vars::unusable;

/// Objects larger than this travel in parts of this size.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parts of one object that are under way at once.
pub(crate) const N_PARTS_AT_ONCE: usize = 4;
/// Requests that meet a lost connection, a 5xx or a 429 are repeated so often.
pub(crate) const N_RETRIES: u32 = 3;
/// No retry is begun later than this after the first attempt. A server that takes connections and
/// never answers is given up after two request limits; one that takes none, after 4 × 3 s.
const RETRY_LIMIT: Duration = Duration::from_secs(45);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// At [`PART_BYTES`] this asks for half a megabyte a second.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// What error texts say of the place.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) bucket: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    /// Credentials come from the instance, because nothing else was configured.
    pub(crate) asks_instance: bool,
}

/// Objects and where they are; cheap to clone into a task.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) client: Arc<dyn ObjectStore>,
    pub(crate) place: Arc<Place>,
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
        let place = Place {
            url: url.trim_end_matches('/').to_owned(),
            bucket: String::new(),
            endpoint: "memory".to_owned(),
            region: String::new(),
            asks_instance: false,
        };
        Self::new(Arc::new(InMemory::new()), place, "")
    }

    pub(crate) fn s3(url: &str, settings: &S3Settings) -> Result<Self, Error> {
        let mut options = ClientOptions::new()
            .with_allow_http(settings.allow_http.value)
            .with_connect_timeout(CONNECT_LIMIT)
            .with_timeout(REQUEST_LIMIT);
        if let Some(bundle) = &settings.ca_bundle {
            for certificate in certificates(&bundle.value, &bundle.origin)? {
                options = options.with_root_certificate(certificate);
            }
        }
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 3.0,
        };
        let retry =
            RetryConfig { backoff, max_retries: N_RETRIES as usize, retry_timeout: RETRY_LIMIT };
        let builder = AmazonS3Builder::new().with_client_options(options).with_retry(retry);
        let other = |source| Error::Other { url: url.to_owned(), source: Box::new(source) };
        let client = settings.apply(builder)?.build().map_err(other)?;
        let place = Place {
            url: url.trim_end_matches('/').to_owned(),
            bucket: settings.bucket.clone(),
            endpoint: settings.endpoint.value.clone(),
            region: settings.region.value.clone(),
            asks_instance: settings.asks_instance(),
        };
        Self::new(Arc::new(client), place, &settings.prefix)
    }

    fn new(client: Arc<dyn ObjectStore>, place: Place, prefix: &str) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|source| Error::File { url: place.url.clone(), source })?;
        let objects = Objects { client, place: Arc::new(place), prefix: prefix.into() };
        Ok(Self { objects, runtime: Some(runtime) })
    }

    /// The runtime. It is there until the drop.
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is taken by drop only")
    }
}

/// The certificates of a file in PEM.
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
            // Without waiting: a look-up of a name may hang in the system for long.
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    pub(crate) fn url(&self, key: &str) -> String {
        key::join(&self.place.url, key)
    }

    pub(crate) fn error(&self, key: &str, error: object_store::Error) -> Error {
        explain(&self.place, self.url(key), error)
    }

    pub(crate) fn path(&self, key: &str) -> Result<Path, Error> {
        let full = key::join(&self.prefix, key);
        Path::parse(&full)
            .map_err(|_| Error::Key { key: full, expected: "segments that a path may have" })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<(Bytes, Option<String>), Error> {
        let path = self.path(key)?;
        let answer = self.client.get(&path).await.map_err(|e| self.error(key, e))?;
        let etag = answer.meta.e_tag.clone();
        let size = answer.meta.size;
        let bytes = if size <= PART_BYTES {
            self.body(key, answer).await?
        } else {
            drop(answer);
            self.get_in_parts(key, &path, size, etag.as_deref()).await?
        };
        Ok((bytes, etag))
    }

    pub(crate) async fn get_versioned(&self, key: &str) -> Result<Option<(Bytes, Version)>, Error> {
        match self.get(key).await {
            Ok((bytes, Some(etag))) => Ok(Some((bytes, Version(etag)))),
            Ok((_, None)) => Err(Error::Other {
                url: self.url(key),
                source: "the server sends no ETag, so that no version can be told".into(),
            }),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes of `range`, fewer if the object ends earlier.
    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let path = self.path(key)?;
        let answer = match self.part(&path, range).await {
            Ok(answer) => answer,
            // "Range not satisfiable": it starts at or past the end.
            Err(error) if Refusal::of(&error).status == Some(416) => return Ok(Bytes::new()),
            Err(error) => return Err(self.error(key, error)),
        };
        self.body(key, answer).await
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

    async fn body(&self, key: &str, answer: GetResult) -> Result<Bytes, Error> {
        let expected = answer.range.end - answer.range.start;
        let bytes = answer.bytes().await.map_err(|e| self.error(key, e))?;
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
            let answer = self.part(path, range).await.map_err(|e| self.error(key, e))?;
            if answer.meta.e_tag.as_deref() != etag || answer.meta.size != size {
                return Err(Error::Replaced { url: self.url(key) });
            }
            self.body(key, answer).await
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
