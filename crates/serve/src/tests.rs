//! The service over real connections.
#![expect(clippy::disallowed_methods, reason = "tests wait, but not for ever")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use boost::{Model, OutputOrder};
use scorer::{Calibration, LiveScorer, Parts, Recalibration, Regressor, Scorer, TimeScale};
use serde_json::{Value, json};
use terms::{DayGrid, Feature, FeatureKind, FeatureList, Grain};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Limits, ModelSource, SourceError, serve};

/// A model whose median is `median` hours for every row.
fn scorer(median: f32) -> Scorer {
    let levels = vec!["north".to_owned(), "south".to_owned()];
    let quantiles = [0.2, 0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0].map(|share| share * median);
    let parts = Parts {
        features: FeatureList(vec![
            Feature { name: "distance_km".into(), kind: FeatureKind::Numeric },
            Feature { name: "region".into(), kind: FeatureKind::Categorical { levels } },
        ]),
        days: DayGrid::DAILY,
        gate: Model::new(vec![0.0], Vec::new(), 2, OutputOrder::AsAdded).unwrap(),
        regressors: vec![Regressor {
            trees: Model::new(quantiles.to_vec(), Vec::new(), 2, OutputOrder::Rising).unwrap(),
            time_scale: TimeScale::hours(),
            weight: 1.0,
        }],
        tail_ratio: 0.4,
        calibration: Calibration::identity(),
        recalibration: Recalibration::identity(),
        grain: Grain::Instant,
    };
    Scorer::named(parts, format!("model-{median}")).unwrap()
}

/// Gives the models that are put into it, one after the other; an error is one that cannot be loaded.
#[derive(Default)]
struct Queue(Mutex<Vec<Result<Scorer, &'static str>>>);

impl ModelSource for Queue {
    fn newer_than(&self, _: &str) -> Result<Option<Scorer>, SourceError> {
        self.0.lock().unwrap().pop().transpose().map_err(Into::into)
    }
}

struct Running {
    address: SocketAddr,
    source: Arc<Queue>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn with(limits: Limits, reload_every: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let source = Arc::new(Queue::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let model = Arc::new(LiveScorer::new(scorer(96.0)));
        let from: Arc<dyn ModelSource> = source.clone();
        let stopped = async move { drop(stopped.await) };
        let how = (limits, reload_every);
        let ended = tokio::spawn(serve(listener, model, from, how, stopped));
        Self { address, source, stop, ended }
    }

    async fn new() -> Self {
        Self::with(Limits::default(), Duration::from_secs(3600)).await
    }

    /// The status and the body of the answer to a request, on a connection of its own.
    async fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut stream).await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    async fn predict(&self, body: &str) -> (u16, Value) {
        let (status, body) = self.ask(&post(body)).await;
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}")))
    }
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Reads until the other side closes.
async fn read_answer(stream: &mut TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}

const ROW: &str = r#"{"distance_km": 5, "region": "south", "order_id": "o1"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn predictions_are_those_of_the_scorer_with_the_names_of_predict() {
    let service = Running::new().await;
    let many = [ROW; 100].join(",");
    for rows in [ROW, &many] {
        let (status, answer) = service.predict(&format!("{{\"rows\": [{rows}]}}")).await;
        assert_eq!((status, &answer["model_id"]), (200, &json!("model-96")));
        let expected = scorer(96.0).score_row(&[5.0, 1.0]);
        for prediction in answer["predictions"].as_array().unwrap() {
            assert_eq!(prediction["order_id"], "o1");
            let of = |value: &Value| value.as_f64().unwrap() as f32;
            assert_eq!(of(&prediction["hours_p50"]), expected.hours[4]);
            assert_eq!(of(&prediction["probability_over_2d"]), expected.probability_over_2d);
            assert_eq!(of(&prediction["probability_by_day"][3]), expected.by_day[3]);
        }
    }
    let (status, model) = service.get("/v1/model").await;
    let model: Value = serde_json::from_str(&model).unwrap();
    assert_eq!((status, &model["features"][1]["levels"][0]), (200, &json!("north")));
    assert_eq!(model["days"].as_array().unwrap().len(), 60);
    assert_eq!(service.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(service.get("/readyz").await, (200, "ok\n".to_owned()));
    let (_, metrics) = service.get("/metrics").await;
    for line in [
        "longhaul_serve_rows_total 101",
        "longhaul_serve_requests_total{path=\"/v1/predict\",status=\"200\"} 2",
        "longhaul_serve_predict_seconds_count 2",
        "longhaul_serve_model{model_id=\"model-96\"} 1.0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_is_said() {
    let limits = Limits { rows: 3, body_bytes: 1_000, ..Limits::default() };
    let service = Running::with(limits, Duration::from_secs(3600)).await;
    let (status, answer) = service.predict(r#"{"rows": [{"region": "south"}]}"#).await;
    assert_eq!((status, &answer["error"]["features"]), (400, &json!(["distance_km"])));
    assert_eq!(answer["error"]["row"], 0);
    let (status, answer) = service.predict("{").await;
    assert_eq!(status, 400);
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("expected {\"rows\""));
    let four = [ROW; 4].join(",");
    let (status, answer) = service.predict(&format!("{{\"rows\": [{four}]}}")).await;
    assert_eq!(
        (status, &answer["error"]["message"]),
        (413, &json!("more than 3 rows: send several requests"))
    );
    let (status, _) = service.predict(&" ".repeat(1_001)).await;
    assert_eq!(status, 413);
    assert_eq!(service.get("/v1/predict").await.0, 405);
    assert_eq!(service.get("/nowhere").await.0, 404);
    let (status, _) = service
        .ask("POST /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_slowly_does_not_hold_a_connection() {
    let read = Duration::from_millis(200);
    let limits = Limits { read, connections: 1, ..Limits::default() };
    let service = Running::with(limits, Duration::from_secs(3600)).await;
    let started = Instant::now();
    // Headers that never end, and a body that does not come.
    let (status, _) = service.ask("POST /v1/predict HTTP/1.1\r\nhost: x\r\n").await;
    assert!(status == 0 || status == 408, "{status}");
    let (status, _) = service.ask("POST /v1/predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{").await;
    assert_eq!(status, 408);
    assert!(started.elapsed() < 20 * read, "{:?}", started.elapsed());
    // The one connection is free again.
    assert_eq!(service.get("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_replaced_under_load_and_one_that_cannot_be_loaded_changes_nothing() {
    let service = Running::with(Limits::default(), Duration::from_millis(20)).await;
    // Taken from the end.
    let models = [Ok(scorer(120.0)), Err("no such bucket"), Ok(scorer(48.0)), Err("a flipped bit")];
    *service.source.0.lock().unwrap() = models.into();
    let body = format!("{{\"rows\": [{}]}}", [ROW; 7].join(","));
    let expected = |median: f32| (scorer(median).score_row(&[5.0, 1.0]).hours[4], median);
    let medians = [96.0, 48.0, 120.0].map(expected);
    let mut seen: Vec<String> = Vec::new();
    let started = Instant::now();
    while seen.last().map(String::as_str) != Some("model-120") {
        assert!(started.elapsed() < Duration::from_secs(30), "{seen:?}");
        let (status, answer) = service.predict(&body).await;
        assert_eq!(status, 200);
        let model_id = answer["model_id"].as_str().unwrap();
        // All rows of a request are of the model that is named.
        for prediction in answer["predictions"].as_array().unwrap() {
            let hours = prediction["hours_p50"].as_f64().unwrap() as f32;
            let (_, median) = medians.iter().find(|(of_model, _)| *of_model == hours).unwrap();
            assert_eq!(model_id, format!("model-{median}"));
        }
        if seen.last().is_none_or(|last| last != model_id) {
            seen.push(model_id.to_owned());
        }
    }
    assert_eq!(seen, ["model-96", "model-48", "model-120"]);
    let (_, metrics) = service.get("/metrics").await;
    assert!(metrics.contains("longhaul_serve_reload_failures_total 2"), "{metrics}");
    assert!(metrics.contains("longhaul_serve_model{model_id=\"model-120\"} 1.0"), "{metrics}");
    assert!(!metrics.contains("model-48"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_when_the_service_stops() {
    let service = Running::new().await;
    let body = format!("{{\"rows\": [{ROW}]}}");
    let request = post(&body);
    let (head, rest) = request.split_at(request.len() - 10);
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Accepted, and waiting for the rest.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let Running { address, stop, ended, .. } = service;
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(address).await.is_err(), "no connection is accepted any more");
    stream.write_all(rest.as_bytes()).await.unwrap();
    let (status, answer) = read_answer(&mut stream).await;
    assert_eq!(status, 200, "{answer}");
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap().unwrap();
}
