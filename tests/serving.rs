//! `serve` over the champion of a store: its answers, the next champion under load, a damaged one, and
//! its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Folder, command, flip, longhaul};

const FEW: [&str; 4] =
    ["--set", "train.families=[\"baseline\"]", "--set", "evaluate.gates.coverage_80_max=1"];

/// A service that is ended when the test ends.
struct Service {
    child: Child,
    address: String,
    model_id: String,
}

impl Service {
    fn start(store: &Folder, more: &[&str]) -> Self {
        let mut child = command(&["serve", "--listen", "127.0.0.1:0", "--store", store.url()])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        // model ID answers on http://ADDRESS/v1/predict
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = words.last().and_then(|url| url.split('/').nth(2));
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { child, address, model_id: words[1].to_owned() }
    }

    /// Status and body of an answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {length}\r\n\r\n{body}").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        (head.split(' ').nth(1).expect("a status").parse().expect("a status"), body.to_owned())
    }

    fn predict(&self, rows: &str) -> Value {
        let (status, answer) = self.ask("POST", "/v1/predict", &format!("{{\"rows\": [{rows}]}}"));
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Asks it to end; gives its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A row of the model's features, all missing but one.
fn row(service: &Service) -> String {
    let (_, model) = service.ask("GET", "/v1/model", "");
    let model: Value = serde_json::from_str(&model).expect("JSON");
    let features = model["features"].as_array().expect("features").iter();
    let nulls = features.map(|feature| (feature["name"].as_str().expect("a name"), Value::Null));
    let mut row: serde_json::Map<String, Value> =
        nulls.map(|(name, value)| (name.to_owned(), value)).collect();
    row.insert("distance_km".to_owned(), 120.5.into());
    row.insert("shipment_id".to_owned(), "s1".into());
    Value::from(row).to_string()
}

#[test]
fn the_champion_answers_as_predict_does_and_the_next_one_takes_its_place_under_load() {
    let store = Folder::with_simulated_tables();
    let night = |as_of: &str| {
        let arguments = ["publish", "tests/small.toml", "--store", store.url(), "--as-of", as_of];
        longhaul(&[&arguments[..], &FEW].concat()).ok();
    };
    night("2025-10-28");
    let first = store.model_id();
    let service = Service::start(&store, &["--model", "current:small", "--reload-seconds", "1"]);
    assert_eq!(service.model_id, first);
    let row = row(&service);
    let answer = service.predict(&row);

    // The same numbers as by the command.
    let rows = store.path().join("rows.jsonl");
    std::fs::write(&rows, &row).expect("a file");
    let rows = rows.display().to_string();
    let line = longhaul(&["predict", "--store", store.url(), "--rows", &rows]).ok().stdout;
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let prediction = &answer["predictions"][0];
    for name in ["hours_p05", "hours_p50", "hours_p95", "probability_over_2d"] {
        let number = |value: &Value| value[name].as_f64().expect("a number") as f32;
        assert_eq!(number(prediction), number(&line), "{name}");
    }
    assert_eq!(
        (&prediction["shipment_id"], &line["model_id"]),
        (&"s1".into(), &first.clone().into())
    );

    // Another champion, while others ask.
    let is_enough = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_enough.load(Ordering::Relaxed) {
                let id = service.predict(&row)["model_id"].as_str().expect("an id").to_owned();
                if seen.last() != Some(&id) {
                    seen.push(id);
                }
            }
            seen
        });
        night("2025-10-29");
        let started = Instant::now();
        while service.predict(&row)["model_id"] == first.as_str() {
            assert!(started.elapsed() < Duration::from_secs(30), "the next champion never answers");
            std::thread::sleep(Duration::from_millis(100));
        }
        is_enough.store(true, Ordering::Relaxed);
        asking.join().expect("no answer failed")
    });
    let second = store.model_id();
    assert_eq!(seen, [first.clone(), second.clone()]);

    // A champion that is not as it was published does not answer; the one before goes on.
    longhaul(&[
        "models",
        "rollback",
        "tests/small.toml",
        "--reason",
        "a test",
        "--store",
        store.url(),
    ])
    .ok();
    let damaged = store.path().join("models").join(&first).join("regressor_0.bin");
    let whole = std::fs::read(&damaged).expect("a file");
    flip(&damaged);
    let metric = |name: &str| {
        let (_, metrics) = service.ask("GET", "/metrics", "");
        let line = metrics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()))
    };
    let before = metric("longhaul_serve_reload_failures_total").expect("a counter");
    let started = Instant::now();
    while metric("longhaul_serve_reload_failures_total").expect("a counter") < before + 1.0 {
        // It may have read the first one before it was damaged.
        if service.predict(&row)["model_id"] == first.as_str() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the damage is never noticed");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::fs::write(&damaged, whole).expect("a file");
    while service.predict(&row)["model_id"] != first.as_str() {
        assert!(started.elapsed() < Duration::from_secs(60), "the champion before never answers");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(service.end(), Some(143));
}

#[test]
fn a_service_without_a_model_or_an_address_does_not_begin() {
    let store = Folder::empty();
    let serve = |more: &[&str]| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", store.url()];
        longhaul(&[&arguments[..], more].concat())
    };
    serve(&[]).refuses(11, &["expected a champion", "longhaul run"]);
    serve(&["--model", "nothing"]).refuses(11, &["nothing"]);
    serve(&["--listen", "nowhere"]).refuses(2, &["--listen"]);
    serve(&["--reload-seconds", "0"]).refuses(2, &["--reload-seconds"]);
}
