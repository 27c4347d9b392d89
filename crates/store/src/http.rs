//! The HTTP client of an S3 server, whose answers are checked before `object_store` reads them.
//!
//! `object_store` takes any XML for a list, so that a page of a proxy would be a list of no objects,
//! and reserves as much memory as an answer says that it is long. Here a list is a list with as many
//! entries as it says, and answers other than an object's bytes are read up to a limit.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService, ReqwestConnector,
};

/// The longest answer that is not an object: a page of a list of 1,000 long keys is some megabytes.
const ANSWER_BYTES: usize = 64 << 20;
/// How much of the text of an error is read.
const ERROR_BYTES: usize = 64 << 10;

/// Makes clients whose answers are checked.
#[derive(Debug)]
pub(crate) struct CheckedConnector;

impl HttpConnector for CheckedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(CheckedService { client }))
    }
}

#[derive(Debug)]
struct CheckedService {
    client: HttpClient,
}

/// What is wrong with an answer that should be a list.
#[derive(Debug, thiserror::Error)]
#[error("{found}")]
pub(crate) struct NotAList {
    pub(crate) found: String,
}

/// An answer that goes on beyond the limit.
#[derive(Debug, thiserror::Error)]
#[error("an answer of more than {ANSWER_BYTES} bytes that is not an object")]
struct TooLong;

#[async_trait]
impl HttpService for CheckedService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_get = request.method().as_str() == "GET";
        let query = request.uri().query();
        let is_list = is_get && query.is_some_and(|query| query.contains("list-type=2"));
        let is_object = is_get && query.is_none();
        let (head, body) = self.client.execute(request).await?.into_parts();
        if head.status.is_success() && is_object {
            return Ok(HttpResponse::from_parts(head, body));
        }
        if !head.status.is_success() {
            let bytes = beginning(body).await;
            return Ok(HttpResponse::from_parts(head, bytes.into()));
        }
        let bytes = whole(body).await?;
        if is_list && let Some(found) = fault_of_list(&bytes) {
            return Err(HttpError::new(HttpErrorKind::Decode, NotAList { found }));
        }
        Ok(HttpResponse::from_parts(head, bytes.into()))
    }
}

async fn whole(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let mut stream = body.bytes_stream();
    let mut bytes = BytesMut::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
        if bytes.len() > ANSWER_BYTES {
            return Err(HttpError::new(HttpErrorKind::Decode, TooLong));
        }
    }
    Ok(bytes.freeze())
}

/// The first bytes of the text of an error: its status counts also if the text breaks off.
async fn beginning(body: HttpResponseBody) -> Bytes {
    let mut stream = body.bytes_stream();
    let mut bytes = BytesMut::new();
    while let Some(Ok(piece)) = stream.next().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() >= ERROR_BYTES {
            bytes.truncate(ERROR_BYTES);
            break;
        }
    }
    bytes.freeze()
}

/// What `bytes` are, if not a whole page of a list.
fn fault_of_list(bytes: &[u8]) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("no text".to_owned()) };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Some("an empty answer".to_owned());
    }
    let root = match text.strip_prefix("<?").and_then(|rest| rest.split_once("?>")) {
        Some((_, root)) => root.trim_start(),
        None => text,
    };
    let name = root.strip_prefix('<').map(|rest| rest.split(['>', ' ', '\n', '\r', '\t', '/']));
    match name.and_then(|mut parts| parts.next()) {
        Some("ListBucketResult") => {}
        Some(name) => return Some(format!("<{}>", name.chars().take(40).collect::<String>())),
        None => return Some("text that is no XML".to_owned()),
    }
    let is_bare = root.matches('<').count() == 1 && root.ends_with("/>");
    if !is_bare && !root.ends_with("</ListBucketResult>") {
        return Some("the beginning of a list".to_owned());
    }
    let n_entries = root.matches("<Contents>").count() + root.matches("<CommonPrefixes>").count();
    if let Some(count) = element(root, "KeyCount")
        && count.trim().parse() != Ok(n_entries)
    {
        return Some(format!("a list of {n_entries} entries that says that it has {count:?}"));
    }
    let goes_on = element(root, "IsTruncated").is_some_and(|text| text.trim() == "true");
    if goes_on && element(root, "NextContinuationToken").is_none_or(str::is_empty) {
        return Some("a list that goes on, but not where".to_owned());
    }
    None
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\">\
        <IsTruncated>false</IsTruncated><KeyCount>2</KeyCount><Contents><Key>a</Key></Contents>\
        <Contents><Key>b</Key></Contents></ListBucketResult>";

    #[test]
    fn a_list_is_a_list() {
        assert_eq!(fault_of_list(LIST.as_bytes()), None);
        assert_eq!(fault_of_list(b"<ListBucketResult/>"), None);
        assert_eq!(fault_of_list(b"\n<ListBucketResult></ListBucketResult>\n"), None);
    }

    #[test]
    fn pages_of_proxies_and_damaged_lists_are_no_lists() {
        for (text, found) in [
            ("", "empty"),
            ("<html>login please</html>", "<html>"),
            ("<!DOCTYPE html><html></html>", "<!DOCTYPE>"),
            ("{}", "no XML"),
            ("<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>", "<Error>"),
            (&LIST[..LIST.len() - 20], "beginning"),
            (&LIST.replacen("<Contents>", "<Conteots>", 1), "1 entries"),
            (&LIST.replace("false", "true"), "goes on"),
        ] {
            let fault = fault_of_list(text.as_bytes()).unwrap_or_default();
            assert!(fault.contains(found), "{text}: {fault:?}");
        }
    }
}
