//! Error responses of a server, translated from an error of `object_store` to [`Error`].
//!
//! `object_store` keeps the status and body of a response in types that it does not export, so they
//! are parsed from the text of its error, in one place. The text itself is not passed on: when a
//! signature is refused it repeats the headers of the request, a session token among them.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};

use crate::address::Address;
use crate::error::Error;
use crate::http::NotAList;

/// Longest message of a server that is passed on, in characters.
const MESSAGE_LIMIT: usize = 300;

/// What could be parsed of an error response.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ErrorResponse {
    /// The HTTP status; `None` if no response came.
    pub(crate) status: Option<u16>,
    code: String,
    message: String,
}

impl ErrorResponse {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        Self::parse(&causes_of(error).last_text_with("status code: "))
    }

    /// Parses `… status code: 404 …: <Error><Code>…</Code><Message>…`.
    fn parse(text: &str) -> Self {
        let status = after(text, "status code: ").and_then(|rest| rest.get(..3)?.parse().ok());
        let code = between(text, "<Code>", "</Code>").or_else(|| between(text, "(code: ", ")"));
        let message = between(text, "<Message>", "</Message>").filter(|text| !text.is_empty());
        Self {
            status,
            // The response to HEAD has no body, and some servers send a code only.
            code: code.unwrap_or("no code given").to_owned(),
            message: message.unwrap_or("no reason given").chars().take(MESSAGE_LIMIT).collect(),
        }
    }
}

/// The error that `error` means for the object or prefix at `url`.
pub(crate) fn translate(address: &Address, url: String, error: object_store::Error) -> Error {
    let causes = causes_of(&error);
    let endpoint = address.endpoint.clone();
    let response = ErrorResponse::of(&error);

    if let Some(found) = causes.not_a_list {
        return Error::NotAList { url, endpoint, found };
    }
    if address.uses_instance_credentials && causes.mentions("169.254.169.254") {
        return Error::CredentialsMissing { url, cause: causes.innermost() };
    }
    if response.code == "NoSuchBucket" {
        return Error::BucketMissing { url, bucket: address.bucket.clone(), endpoint };
    }
    if is_wrong_region(&response.code) || causes.mentions("redirect without LOCATION") {
        let region = address.region.clone();
        return Error::WrongRegion { url, endpoint, region, message: response.message };
    }
    let (code, message) = (response.code, response.message);
    match response.status {
        Some(404) => return Error::NotFound { url },
        Some(401 | 403) => return Error::Forbidden { url, endpoint, code, message },
        Some(400) if is_about_credentials(&code) => {
            return Error::Forbidden { url, endpoint, code, message };
        }
        // A body may report an internal error after a status of 200.
        Some(status @ (200 | 408 | 409 | 429 | 500..)) => {
            return Error::Unavailable { url, endpoint, status, code, message };
        }
        Some(status) => return Error::NotAccepted { url, endpoint, status, code, message },
        None => {}
    }
    match error {
        object_store::Error::NotFound { .. } => Error::NotFound { url },
        _ if code == "AccessDenied" => Error::Forbidden { url, endpoint, code, message },
        _ if causes.is_transport => {
            Error::Unreachable { url, endpoint, cause: causes.innermost(), sent: causes.is_sent }
        }
        error => Error::Other { url, source: Box::new(error) },
    }
}

fn is_wrong_region(code: &str) -> bool {
    matches!(
        code,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"
    )
}

fn is_about_credentials(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId")
}

/// An error and its causes, as text.
struct Causes {
    texts: Vec<String>,
    /// Whether no response came, or it broke off.
    is_transport: bool,
    /// Whether the request was sent, as far as is known.
    is_sent: bool,
    /// What came instead of a list.
    not_a_list: Option<String>,
}

fn causes_of(error: &object_store::Error) -> Causes {
    let mut causes =
        Causes { texts: Vec::new(), is_transport: false, is_sent: true, not_a_list: None };
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        causes.texts.push(cause.to_string());
        if let Some(http) = cause.downcast_ref::<HttpError>() {
            // A body that is shorter than its length is an error of decoding.
            causes.is_transport = true;
            causes.is_sent = http.kind() != HttpErrorKind::Connect;
        }
        if let Some(NotAList { found }) = cause.downcast_ref::<NotAList>() {
            causes.not_a_list = Some(found.clone());
        }
        next = cause.source();
    }
    causes
}

impl Causes {
    fn mentions(&self, text: &str) -> bool {
        self.texts.iter().any(|cause| cause.contains(text))
    }

    /// The innermost text of a failed request, or else with `mark`.
    fn last_text_with(&self, mark: &str) -> String {
        let marked = |cause: &&String| cause.contains(mark);
        let retried = self.texts.iter().rev().find(|cause| cause.contains("Error performing"));
        retried.or_else(|| self.texts.iter().rev().find(marked)).cloned().unwrap_or_default()
    }

    /// The text of the first cause.
    fn innermost(&self) -> String {
        self.texts.last().cloned().unwrap_or_default()
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    after(text, start)?.split_once(end).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_code_and_message_are_parsed_from_the_text() {
        let text = "Error performing GET http://h/b/k in 3.1s, after 3 retries, max_retries: 3, \
                    retry_timeout: 45s  - Server returned non-2xx status code: 503 Service \
                    Unavailable: <Error><Code>SlowDown</Code><Message>wait</Message></Error>";
        let expected = ErrorResponse {
            status: Some(503),
            code: "SlowDown".to_owned(),
            message: "wait".to_owned(),
        };
        assert_eq!(ErrorResponse::parse(text), expected);
        assert_eq!(ErrorResponse::parse("no route to host").status, None);
        let bare = ErrorResponse::parse("Server returned non-2xx status code: 403 Forbidden: ");
        assert_eq!((bare.status, &*bare.code), (Some(403), "no code given"));
    }
}
