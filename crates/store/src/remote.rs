//! The backend of S3-compatible buckets and of memory, through `object_store`: its client, and
//! listing. Reading is in [`remote_read`](crate::remote_read), writing in
//! [`remote_write`](crate::remote_write).

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig,
};

use crate::address::Address;
use crate::clock::Timer;
use crate::error::Error;
use crate::executor::Executor;
use crate::http::CheckedConnector;
use crate::key;
use crate::limits::Limits;
use crate::object::Entry;
use crate::response::translate;
use crate::retry::{Attempts, Pacing};
use crate::settings::S3Settings;
use crate::variables::unusable;

/// Objects larger than this are read and written in parts of this size.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parts of one object that are in transfer at once.
pub(crate) const N_PARTS_AT_ONCE: usize = 4;
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// A client of `object_store` and the address of its objects; cheap to clone into a task.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) client: Arc<dyn Client>,
    pub(crate) address: Arc<Address>,
    pub(crate) pacing: Pacing,
    prefix: Arc<str>,
}

/// What is asked of a client: whole objects, and uploads in parts of which each can be repeated.
pub(crate) trait Client: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Client for T {}

/// [`Objects`] with what runs their requests.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) objects: Objects,
    pub(crate) executor: Executor,
}

impl Remote {
    /// Objects in memory.
    pub(crate) fn memory(url: &str, client: Arc<dyn Client>, limits: Limits, timer: Timer) -> Self {
        let address = Address {
            url: key::without_last_slash(url).to_owned(),
            bucket: String::new(),
            endpoint: "memory".to_owned(),
            region: String::new(),
            uses_instance_credentials: false,
        };
        let objects = Objects::new(client, address, limits, timer, "");
        Self { objects, executor: Executor::Caller }
    }

    pub(crate) fn s3(
        url: &str,
        settings: &S3Settings,
        limits: Limits,
        timer: Timer,
    ) -> Result<Self, Error> {
        // The time of a request is measured with its body, by the attempts.
        let mut options = ClientOptions::new()
            .with_allow_http(settings.allow_http.value)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout_disabled();
        if let Some(bundle) = &settings.ca_bundle {
            for certificate in certificates(&bundle.value, &bundle.origin)? {
                options = options.with_root_certificate(certificate);
            }
        }
        let builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_http_connector(CheckedConnector)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        let other = |source| Error::Other { url: url.to_owned(), source: Box::new(source) };
        let client = settings.apply(builder)?.build().map_err(other)?;
        let address = Address {
            url: key::without_last_slash(url).to_owned(),
            bucket: settings.bucket.clone(),
            endpoint: settings.endpoint.value.clone(),
            region: settings.region.value.clone(),
            uses_instance_credentials: settings.uses_instance_credentials(),
        };
        let executor = Executor::with_threads(url)?;
        let objects = Objects::new(Arc::new(client), address, limits, timer, &settings.prefix);
        Ok(Self { objects, executor })
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

impl Objects {
    fn new(
        client: Arc<dyn Client>,
        address: Address,
        limits: Limits,
        timer: Timer,
        prefix: &str,
    ) -> Self {
        let endpoint = address.endpoint.as_str().into();
        let pacing = Pacing { limits, timer, endpoint, activity: Arc::default() };
        Self { client, address: Arc::new(address), pacing, prefix: prefix.into() }
    }

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

    pub(crate) fn attempts(&self, method: &'static str, key: &str) -> Attempts<'_> {
        self.pacing.attempts(method, self.url(key))
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<Entry>, Error> {
        let path = self.path(key)?;
        let head = || async { self.client.head(&path).await.map_err(|e| self.error(key, e)) };
        match self.attempts("HEAD", key).repeat(0, head).await {
            Ok(meta) => Ok(Some(self.entry(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let path = match (self.prefix.is_empty(), prefix.is_empty()) {
            (true, true) => None,
            _ => Some(self.path(prefix)?),
        };
        let mut attempts = self.attempts("LIST", prefix);
        loop {
            match self.list_once(&mut attempts, prefix, path.as_ref()).await {
                Ok(mut entries) => {
                    entries.sort_by(|a, b| a.path.cmp(&b.path));
                    return Ok(entries);
                }
                Err(error) => attempts.pause_after(error).await?,
            }
        }
    }

    /// All pages of a list, each in its own time.
    async fn list_once(
        &self,
        attempts: &mut Attempts<'_>,
        prefix: &str,
        path: Option<&Path>,
    ) -> Result<Vec<Entry>, Error> {
        // A chunk ends where a page does: the next item is not there yet.
        let mut pages = self.client.list(path).map_ok(|meta| self.entry(&meta)).ready_chunks(1_000);
        let mut entries = Vec::new();
        attempts.begin()?;
        while let Some(page) = attempts.within(0, async { Ok(pages.next().await) }).await? {
            for entry in page {
                entries.push(entry.map_err(|e| self.error(prefix, e))?);
            }
        }
        Ok(entries)
    }

    fn entry(&self, meta: &ObjectMeta) -> Entry {
        let full = meta.location.as_ref();
        let path = full.strip_prefix(&*self.prefix).unwrap_or(full).trim_start_matches('/');
        let etag = meta.e_tag.clone().filter(|etag| !etag.trim_matches('"').is_empty());
        Entry { path: path.to_owned(), size: meta.size, etag }
    }
}
