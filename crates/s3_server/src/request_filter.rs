//! What happens to a request before the S3 service handles it: writes are serialised, buckets that
//! do not exist are refused, and faults that a test ordered are injected.
//!
//! It decides by the method, the bucket in the path and the headers. Signatures are checked by the
//! service, which is `s3s` on a folder.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};
use tokio::sync::RwLock;

use crate::faults::{Fault, FaultRule, closed};
use crate::refusal::refusal;

/// Answers some requests itself and passes the others to the service, writes one at a time.
pub(crate) struct RequestFilter {
    pub(crate) service: S3Service,
    pub(crate) folder: PathBuf,
    pub(crate) unquoted_etags_only: bool,
    /// Taken exclusively by requests that write, shared by GET and HEAD.
    pub(crate) write_lock: RwLock<()>,
    /// How many of the next requests are refused with 503.
    pub(crate) n_refusals: AtomicU32,
    pub(crate) n_requests: AtomicU64,
    /// Connections are closed without an answer until then.
    pub(crate) down_until: Mutex<Option<Instant>>,
    pub(crate) rules: Mutex<Vec<FaultRule>>,
    pub(crate) n_faults: AtomicU64,
}

impl RequestFilter {
    /// The response to a request.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        self.n_requests.fetch_add(1, Ordering::SeqCst);
        if self.is_network_down() {
            return Err(closed());
        }
        if self.is_to_be_refused() {
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "ordered by a test"));
        }
        let fault = self.fault_of(&request);
        let number = self.n_faults.load(Ordering::SeqCst);
        if let Some(fault) = fault.filter(|fault| fault.is_before()) {
            return fault.answer(None, number).await;
        }
        // The file system would create the folder of an unknown bucket, and says "no such key"
        // where S3 says "no such bucket".
        let (bucket, key) = bucket_and_key(request.uri().path());
        let creates_bucket = request.method() == Method::PUT && key.is_empty();
        if !bucket.is_empty() && !creates_bucket && !self.folder.join(&bucket).is_dir() {
            let message = format!("bucket {bucket} does not exist");
            return Ok(refusal(StatusCode::NOT_FOUND, "NoSuchBucket", &message));
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        // A folder that holds objects is not an object.
        if is_read && !key.is_empty() && self.folder.join(&bucket).join(&key).is_dir() {
            return Ok(refusal(StatusCode::NOT_FOUND, "NoSuchKey", "no such object"));
        }
        if self.unquoted_etags_only && has_quoted_condition(&request) {
            let message = "the ETag of If-Match is compared with its quotes";
            return Ok(refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message));
        }
        let request = request.map(Body::from);
        let answer = if is_read {
            let _guard = self.write_lock.read().await;
            self.service.call(request).await
        } else {
            let _guard = self.write_lock.write().await;
            self.service.call(request).await
        };
        match fault {
            Some(fault) => fault.answer(Some(answer?), number).await,
            None => answer,
        }
    }

    /// The fault that a request meets.
    fn fault_of(&self, request: &Request<Incoming>) -> Option<Fault> {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let headers = request.headers();
        let is_conditional = headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH);
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules = rules.iter_mut();
        let rule = rules.find_map(|rule| {
            rule.applies(request.method(), target, is_conditional).then_some(rule.fault)
        });
        if rule.is_some() {
            self.n_faults.fetch_add(1, Ordering::SeqCst);
        }
        rule
    }

    fn is_network_down(&self) -> bool {
        let down_until = self.down_until.lock().unwrap_or_else(PoisonError::into_inner);
        down_until.is_some_and(|until| Instant::now() < until)
    }

    fn is_to_be_refused(&self) -> bool {
        self.n_refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }
}

/// The bucket and the key of a path, either empty if there is none.
fn bucket_and_key(path: &str) -> (String, String) {
    let path = decoded(path.trim_start_matches('/'));
    match path.split_once('/') {
        Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
        None => (path, String::new()),
    }
}

/// Percent-decoded; what does not decode stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = tail.get(..2).filter(|_| first == b'%');
        let value = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn has_quoted_condition(request: &Request<Incoming>) -> bool {
    request.method() == Method::PUT
        && request.headers().get(IF_MATCH).is_some_and(|etag| etag.as_bytes().starts_with(b"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_key_are_decoded() {
        let both = |bucket: &str, key: &str| (bucket.to_owned(), key.to_owned());
        assert_eq!(bucket_and_key("/"), both("", ""));
        assert_eq!(bucket_and_key("/demo/"), both("demo", ""));
        assert_eq!(bucket_and_key("/demo/a%20b/100%25/%"), both("demo", "a b/100%/%"));
    }
}
