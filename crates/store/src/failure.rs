//! From an error of `object_store` to ours.
//!
//! `object_store` keeps the status and body of a refusal in types that it does not export, so they
//! are read from the text, in one place. The text itself is not passed on: it repeats the headers
//! of the request, a session token among them, when a signature is refused.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::Error;
use crate::remote::Place;

/// Longest sentence of a server that is passed on, in characters.
const MESSAGE_LIMIT: usize = 300;

/// What of a refusal could be read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: Option<u16>,
    code: String,
    message: String,
    n_attempts: u32,
}

impl Refusal {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        Self::read(&chain(error).last_text_with("status code: "))
    }

    /// Reads `… after N retries … status code: 404 …: <Error><Code>…</Code><Message>…`.
    fn read(text: &str) -> Self {
        let status = after(text, "status code: ").and_then(|rest| rest.get(..3)?.parse().ok());
        let n_retries: u32 = after(text, ", after ")
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .unwrap_or(0);
        let code = between(text, "<Code>", "</Code>").or_else(|| between(text, "(code: ", ")"));
        let message = between(text, "<Message>", "</Message>").filter(|text| !text.is_empty());
        Self {
            status,
            // The answer to HEAD has no body, and some servers say a code only.
            code: code.unwrap_or("no code given").to_owned(),
            message: message.unwrap_or("no reason given").chars().take(MESSAGE_LIMIT).collect(),
            n_attempts: n_retries + 1,
        }
    }
}

/// What `error` means for the object or prefix at `url`.
pub(crate) fn explain(place: &Place, url: String, error: object_store::Error) -> Error {
    let links = chain(&error);
    let endpoint = place.endpoint.clone();
    let refusal = Refusal::of(&error);
    let n_attempts = refusal.n_attempts;

    if place.asks_instance && links.mention("169.254.169.254") {
        return Error::CredentialsMissing { url, cause: links.innermost() };
    }
    if refusal.code == "NoSuchBucket" {
        return Error::BucketMissing { url, bucket: place.bucket.clone(), endpoint };
    }
    if is_wrong_region(&refusal.code) || links.mention("redirect without LOCATION") {
        let region = place.region.clone();
        return Error::WrongRegion { url, endpoint, region, message: refusal.message };
    }
    let (code, message) = (refusal.code, refusal.message);
    match refusal.status {
        Some(404) => return Error::NotFound { url },
        Some(401 | 403) => return Error::Forbidden { url, endpoint, code, message },
        Some(400) if is_about_credentials(&code) => {
            return Error::Forbidden { url, endpoint, code, message };
        }
        // 200 stands before a body that says an internal error happened after all.
        Some(status @ (200 | 408 | 429 | 500..)) => {
            return Error::Unavailable { url, endpoint, n_attempts, status, code, message };
        }
        Some(status) => return Error::NotAccepted { url, endpoint, status, code, message },
        None => {}
    }
    match error {
        object_store::Error::NotFound { .. } => Error::NotFound { url },
        _ if code == "AccessDenied" => Error::Forbidden { url, endpoint, code, message },
        error if links.is_transport => {
            Error::Unreachable { url, endpoint, n_attempts, cause: chain(&error).innermost() }
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

/// An error and its sources, as text.
struct Links {
    texts: Vec<String>,
    /// Whether no answer came, or it broke off.
    is_transport: bool,
}

fn chain(error: &object_store::Error) -> Links {
    let mut links = Links { texts: Vec::new(), is_transport: false };
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(link) = next {
        links.texts.push(link.to_string());
        links.is_transport |= link
            .downcast_ref::<HttpError>()
            .is_some_and(|http| !matches!(http.kind(), HttpErrorKind::Decode));
        next = link.source();
    }
    links
}

impl Links {
    fn mention(&self, text: &str) -> bool {
        self.texts.iter().any(|link| link.contains(text))
    }

    /// The innermost text with `mark` that also says how many retries there were, or without.
    fn last_text_with(&self, mark: &str) -> String {
        let marked = |link: &&String| link.contains(mark);
        let retried = self.texts.iter().rev().find(|link| link.contains("Error performing"));
        retried.or_else(|| self.texts.iter().rev().find(marked)).cloned().unwrap_or_default()
    }

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
    fn status_code_and_sentence_are_read_from_the_text() {
        let text = "Error performing GET http://h/b/k in 3.1s, after 3 retries, max_retries: 3, \
                    retry_timeout: 45s  - Server returned non-2xx status code: 503 Service \
                    Unavailable: <Error><Code>SlowDown</Code><Message>wait</Message></Error>";
        let expected = Refusal {
            status: Some(503),
            code: "SlowDown".to_owned(),
            message: "wait".to_owned(),
            n_attempts: 4,
        };
        assert_eq!(Refusal::read(text), expected);
        assert_eq!(Refusal::read("no route to host").status, None);
        let bare = Refusal::read("Server returned non-2xx status code: 403 Forbidden: ");
        assert_eq!((bare.status, &*bare.code), (Some(403), "no code given"));
    }
}
