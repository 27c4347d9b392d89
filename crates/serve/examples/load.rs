//! Measures the service under load: `load FOLDER [SECONDS]`. FOLDER is a bundle. The service and its clients
//! are in this process and share its cores; each request has one row of features and asks over a connection
//! that is kept.
//!
//! First a closed loop, in which each of a few clients asks as soon as it is answered: what the service can
//! answer. Then an open loop, in which requests are due at random moments (exponential gaps), half as many as
//! that: a time is from when a request was due to its answer, waiting included. During the open loop the
//! model is replaced ten times a second; an answer that fails, or is of neither model, ends the program.
//! Prints JSON; times are in microseconds.
#![expect(clippy::disallowed_methods, reason = "an example measures, connects and reads arguments")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use scorer::{LiveScorer, Parts, Scorer};
use serde_json::{Map, Value, json};
use serve::{Limits, ModelSource, SourceError};
use terms::FeatureKind;

/// Clients of the closed loop, and of the open one.
const CLOSED: usize = 4;
const OPEN: usize = 16;

const RELOAD: Duration = Duration::from_millis(100);

/// The same model under two names, one after the other.
struct Both {
    parts: Parts,
    swaps: AtomicUsize,
}

const NAMES: [&str; 2] = ["model_a", "model_b"];

impl ModelSource for Both {
    fn newer_than(&self, model_id: &str) -> Result<Option<Scorer>, SourceError> {
        self.swaps.fetch_add(1, Ordering::Relaxed);
        let other = NAMES.iter().find(|name| **name != model_id).unwrap();
        Ok(Some(Scorer::named(self.parts.clone(), *other)?))
    }
}

/// A client with its connection.
struct Client {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, body: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self { stream: BufReader::new(stream), request: (head + body).into_bytes() }
    }

    /// Asks, and checks the answer.
    fn ask(&mut self) {
        self.stream.get_mut().write_all(&self.request).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let answer = String::from_utf8(body).unwrap();
        let of_one = NAMES.iter().filter(|name| answer.contains(**name)).count();
        assert_eq!(of_one, 1, "an answer of one model: {answer}");
    }
}

/// A request with one row: numbers at random, categories by their first level.
fn body(scorer: &Scorer) -> String {
    let value = |(at, feature): (usize, &terms::Feature)| {
        let value = match &feature.kind {
            FeatureKind::Numeric => json!((at * 37 % 101) as f64 / 3.0),
            FeatureKind::Categorical { levels } => json!(levels.first()),
        };
        (feature.name.clone(), value)
    };
    let row: Map<String, Value> = scorer.features().0.iter().enumerate().map(value).collect();
    json!({ "rows": [row] }).to_string()
}

/// The times of all clients, ascending.
fn on_threads(n: usize, work: impl Fn(usize) -> Vec<Duration> + Sync) -> Vec<Duration> {
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|client| {
                let work = &work;
                scope.spawn(move || work(client))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    times.sort_unstable();
    times
}

fn figures(times: &[Duration]) -> Value {
    let at = |share: f64| {
        let position = ((times.len() - 1) as f64 * share) as usize;
        times[position].as_secs_f64() * 1e6
    };
    json!({ "n": times.len(), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999) })
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map(PathBuf::from).expect("the folder of a bundle");
    let seconds = arguments.next().map_or(5.0, |text| text.to_str().unwrap().parse().unwrap());
    let duration = Duration::from_secs_f64(seconds);
    let (parts, _) = Parts::load(&folder).unwrap();
    let scorer = Scorer::named(parts.clone(), NAMES[0]).unwrap();
    let body = body(&scorer);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let source = Arc::new(Both { parts, swaps: AtomicUsize::new(0) });
    let model = Arc::new(LiveScorer::new(scorer));
    let how = (Limits::default(), RELOAD);
    let swaps = Arc::clone(&source);
    runtime.spawn(serve::serve(listener, model, source, how, std::future::pending::<()>()));

    let closed = on_threads(CLOSED, |_| {
        let (mut client, started) = (Client::new(address, &body), Instant::now());
        let mut times = Vec::new();
        while started.elapsed() < duration {
            let sent = Instant::now();
            client.ask();
            times.push(sent.elapsed());
        }
        times
    });
    let capacity = closed.len() as f64 / seconds;
    let gap = 2.0 * OPEN as f64 / capacity;
    let before = swaps.swaps.load(Ordering::Relaxed);
    let open = on_threads(OPEN, |client| {
        let mut random = statistics::SplitMix64::new(client as u64);
        let (mut client, started) = (Client::new(address, &body), Instant::now());
        let (mut due, mut times) = (Duration::ZERO, Vec::new());
        loop {
            due += Duration::from_secs_f64(-gap * (1.0 - random.unit()).ln());
            if due > duration {
                return times;
            }
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            client.ask();
            times.push(started.elapsed() - due);
        }
    });
    let figures = json!({
        "features": body.matches(':').count() - 1,
        "answers_per_second": capacity,
        "closed_loop": figures(&closed),
        "open_loop": figures(&open),
        "requests_per_second": open.len() as f64 / seconds,
        "models_replaced": swaps.swaps.load(Ordering::Relaxed) - before,
    });
    println!("{figures}");
    runtime.shutdown_timeout(Duration::ZERO);
}
