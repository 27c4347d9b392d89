//! Answers in the form of S3's errors.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use s3s::{Body, HttpResponse};

pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = HttpResponse::new(Body::from(body));
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}
