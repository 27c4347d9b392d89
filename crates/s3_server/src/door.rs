//! What stands before the file system: the order of requests, buckets that do not exist, and the
//! faults that a test asks for.
//!
//! It decides from the method, the bucket in the path and the headers; signatures are checked
//! behind it, by `s3s`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, IF_MATCH};
use hyper::{Method, Request, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};
use tokio::sync::RwLock;

/// The way in for every request.
pub(crate) struct Door {
    pub(crate) service: S3Service,
    pub(crate) folder: PathBuf,
    pub(crate) unquoted_etags_only: bool,
    /// Held for writing by requests that change something, for reading by GET and HEAD.
    pub(crate) turn: RwLock<()>,
    /// How many of the next requests are answered with 503.
    pub(crate) n_refusals: AtomicU32,
    pub(crate) n_requests: AtomicU64,
}

impl Door {
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        self.n_requests.fetch_add(1, Ordering::SeqCst);
        if self.takes_refusal() {
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "asked for by a test"));
        }
        // The file system would create the folder of an unknown bucket, and says "no such key"
        // where S3 says "no such bucket".
        if let Some(bucket) = bucket_needed(&request)
            && !self.folder.join(bucket).is_dir()
        {
            let message = format!("bucket {bucket} does not exist");
            return Ok(refusal(StatusCode::NOT_FOUND, "NoSuchBucket", &message));
        }
        if self.unquoted_etags_only && has_quoted_condition(&request) {
            let message = "the ETag of If-Match is compared with its quotes";
            return Ok(refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message));
        }
        let request = request.map(Body::from);
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            let _shared = self.turn.read().await;
            self.service.call(request).await
        } else {
            let _alone = self.turn.write().await;
            self.service.call(request).await
        }
    }

    fn takes_refusal(&self) -> bool {
        self.n_refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }
}

/// The bucket of the path, unless the request is the one that creates it or has none.
fn bucket_needed(request: &Request<Incoming>) -> Option<&str> {
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let creates = request.method() == Method::PUT && key.is_empty();
    (!bucket.is_empty() && !creates).then_some(bucket)
}

fn has_quoted_condition(request: &Request<Incoming>) -> bool {
    request.method() == Method::PUT
        && request.headers().get(IF_MATCH).is_some_and(|etag| etag.as_bytes().starts_with(b"\""))
}

fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = HttpResponse::new(Body::from(body));
    *response.status_mut() = status;
    let xml = hyper::header::HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}
