//! Faults that a test orders: which requests meet one, and what becomes of their answers.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, StatusCode};
use s3s::{Body, HttpError, HttpResponse};
use tokio::time::Sleep;

use crate::refusal::refusal;

/// The time in which what was written is sent, before a body breaks off.
const FLUSH: Duration = Duration::from_millis(50);
/// The longest body that is spoilt.
const BODY_LIMIT: usize = 64 << 20;

/// What becomes of a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed before the request is carried out.
    Reset,
    /// The connection is closed after it was carried out.
    LostAnswer,
    /// 500 after it was carried out.
    Status500After,
    /// Half of the body, and then the connection is closed.
    ShortBody,
    /// One bit of the body is wrong.
    FlippedBit,
    /// A page of a portal, with status 200.
    Html,
    /// A length of 9e18 bytes.
    HugeLength,
    /// A list without the entity tags of its objects, as some servers send it.
    NoEtags,
    /// One byte of the body every so often.
    Drip(Duration),
}

/// Which requests meet a fault.
#[derive(Debug, Clone)]
pub struct FaultRule {
    /// The method of the request, such as `GET`.
    pub method: &'static str,
    /// What its path and query contain.
    pub contains: String,
    /// Only puts with a condition.
    pub conditional: bool,
    /// How many such requests are left alone first.
    pub skip: u32,
    /// How many meet the fault.
    pub times: u32,
    /// What becomes of them.
    pub fault: Fault,
}

impl FaultRule {
    /// The first request with this method whose path and query contain a text.
    pub fn first(method: &'static str, contains: &str, fault: Fault) -> Self {
        let contains = contains.to_owned();
        Self { method, contains, conditional: false, skip: 0, times: 1, fault }
    }

    /// Whether a request meets the fault; counts it.
    pub(crate) fn applies(&mut self, method: &Method, target: &str, is_conditional: bool) -> bool {
        let fits = method.as_str() == self.method
            && target.contains(&self.contains)
            && (is_conditional || !self.conditional);
        if !fits {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let is_left = self.times > 0;
        self.times = self.times.saturating_sub(1);
        is_left
    }
}

impl Fault {
    /// Whether the request is not carried out.
    pub(crate) fn is_before(self) -> bool {
        matches!(self, Self::Reset | Self::Html)
    }

    /// The answer to a request that was not carried out, or what becomes of `answer`; `number` is
    /// that of the fault among all, so that damage differs from one to the next.
    pub(crate) async fn answer(
        self,
        answer: Option<HttpResponse>,
        number: u64,
    ) -> Result<HttpResponse, HttpError> {
        match (self, answer) {
            (Self::Html, _) => {
                let page = "<html><body>Please log in.</body></html>";
                Ok(HttpResponse::new(Body::from(page.to_owned())))
            }
            (Self::Reset | Self::LostAnswer, _) | (_, None) => Err(closed()),
            (Self::Status500After, _) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Ok(refusal(status, "InternalError", "ordered by a test"))
            }
            (fault, Some(answer)) => fault.spoil(answer, number).await,
        }
    }

    async fn spoil(self, answer: HttpResponse, number: u64) -> Result<HttpResponse, HttpError> {
        let (mut head, mut body) = answer.into_parts();
        let whole = body.store_all_limited(BODY_LIMIT).await.map_err(HttpError::new)?;
        let mut length = whole.len() as u64;
        let (pieces, pause, breaks_off): (VecDeque<Bytes>, _, _) = match self {
            Self::ShortBody => ([whole.slice(..whole.len() / 2)].into(), None, true),
            Self::FlippedBit => {
                let mut bytes = whole.to_vec();
                if let Some(at) = (number * 7_919).checked_rem(bytes.len() as u64 * 8) {
                    bytes[(at / 8) as usize] ^= 1 << (at % 8);
                }
                ([bytes.into()].into(), None, false)
            }
            Self::HugeLength => {
                length = 9_000_000_000_000_000_000;
                ([whole].into(), None, true)
            }
            Self::NoEtags => {
                let list = String::from_utf8_lossy(&whole);
                let mut parts = list.split("<ETag>");
                let mut without = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    without += part.split_once("</ETag>").map_or(part, |(_, rest)| rest);
                }
                length = without.len() as u64;
                ([without.into()].into(), None, false)
            }
            Self::Drip(pause) => {
                let pieces = (0..whole.len()).map(|i| whole.slice(i..=i)).collect();
                (pieces, Some(pause), false)
            }
            _ => ([whole].into(), None, false),
        };
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let body = SpoiltBody { pieces, pause, breaks_off, sleep: None };
        Ok(HttpResponse::from_parts(head, Body::http_body(body)))
    }
}

/// A body in pieces, with pauses between them, that may break off at its end.
struct SpoiltBody {
    pieces: VecDeque<Bytes>,
    pause: Option<Duration>,
    breaks_off: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for SpoiltBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // What came before is sent first.
        let is_end = self.pieces.is_empty() && self.breaks_off;
        if let Some(pause) = self.pause.or(is_end.then_some(FLUSH)) {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        }
        Poll::Ready(match self.pieces.pop_front() {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None if self.breaks_off => Some(Err(io::Error::other("ordered by a test"))),
            None => None,
        })
    }
}

/// Ends a connection without an answer.
pub(crate) fn closed() -> HttpError {
    HttpError::new(Box::new(io::Error::other("ordered by a test")))
}
