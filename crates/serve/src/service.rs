//! The answer to each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use scorer::LiveScorer;
use serde::Serialize;
use serde_json::json;

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::reply::{self, Prediction, Predictions};
use crate::rows::{self, BadRequest};

/// From so many rows on, other requests of the thread are given to another one.
const ROWS_AT_ONCE: usize = 64;

/// What answers.
pub(crate) struct Service {
    pub(crate) model: Arc<LiveScorer>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    /// Whether it has begun to stop.
    pub(crate) is_stopping: AtomicBool,
}

type Answer = Response<Full<Bytes>>;

impl Service {
    /// The answer to a request. There always is one.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (path, answer) = match request.uri().path() {
            "/v1/predict" if request.method() == Method::POST => {
                ("/v1/predict", self.predict(request).await)
            }
            "/v1/predict" => ("/v1/predict", not_allowed("POST")),
            path => {
                let known = ["/v1/model", "/healthz", "/readyz", "/metrics"];
                match known.into_iter().find(|known| *known == path) {
                    Some(known) if request.method() == Method::GET => (known, self.get(known)),
                    Some(known) => (known, not_allowed("GET")),
                    None => {
                        let what = "no such path; POST /v1/predict predicts";
                        ("other", error(StatusCode::NOT_FOUND, what))
                    }
                }
            }
        };
        self.metrics.answered(path, answer.status().as_u16());
        answer
    }

    fn get(&self, path: &str) -> Answer {
        match path {
            "/v1/model" => json_answer(StatusCode::OK, &reply::model(&self.model.current())),
            "/metrics" => text(StatusCode::OK, "text/plain; version=0.0.4", self.metrics.text()),
            "/readyz" if self.is_stopping.load(Ordering::Relaxed) => {
                text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n".to_owned())
            }
            _ => text(StatusCode::OK, "text/plain", "ok\n".to_owned()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "it measures how long it takes")]
    async fn predict<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let Limits { body_bytes, rows: rows_max, read, .. } = self.limits;
        let body = Limited::new(request.into_body(), body_bytes).collect();
        let body = match tokio::time::timeout(read, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(problem)) if problem.is::<LengthLimitError>() => {
                return too_large(&format!("a body of more than {body_bytes} bytes"));
            }
            Ok(Err(problem)) => {
                let what = format!("the body broke off: {problem}");
                return error(StatusCode::BAD_REQUEST, &what);
            }
            Err(_) => {
                let what = format!("the body took more than {} s", read.as_secs_f64());
                return error(StatusCode::REQUEST_TIMEOUT, &what);
            }
        };
        let started = Instant::now();
        // One model for all rows, whatever is loaded meanwhile.
        let scorer = self.model.current();
        let rows = match rows::parse(&body, scorer.features(), rows_max) {
            Ok(Some(rows)) => rows,
            Ok(None) => return too_large(&format!("more than {rows_max} rows")),
            Err(bad) => return bad_request(&bad),
        };
        let n_rows = rows.len();
        let predict = || {
            let predictions = rows.into_iter().map(|row| Prediction::of(&scorer, row)).collect();
            json_answer(StatusCode::OK, &Predictions { model_id: scorer.model_id(), predictions })
        };
        let answer = match n_rows {
            0..ROWS_AT_ONCE => predict(),
            _ => tokio::task::block_in_place(predict),
        };
        self.metrics.predicted(n_rows, started.elapsed());
        answer
    }
}

fn too_large(what: &str) -> Answer {
    error(StatusCode::PAYLOAD_TOO_LARGE, &format!("{what}: send several requests"))
}

fn not_allowed(method: &'static str) -> Answer {
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &format!("expected {method}"));
    answer.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(method));
    answer
}

fn error(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({ "error": { "message": message } }))
}

fn bad_request(bad: &BadRequest) -> Answer {
    json_answer(StatusCode::BAD_REQUEST, &json!({ "error": bad }))
}

fn json_answer(status: StatusCode, value: &impl Serialize) -> Answer {
    // Texts, numbers and lists of these always serialise.
    let mut body = serde_json::to_string(value).unwrap_or_default();
    body.push('\n');
    text(status, "application/json", body)
}

fn text(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
