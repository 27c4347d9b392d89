//! Bringing a text to where others read it: a file, or a URL that takes JSON.
#![expect(
    clippy::disallowed_methods,
    reason = "files and URLs of others, which are no data of a store"
)]

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses after attempts that failed; one more attempt than pauses is made.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Why a text was not delivered. A URL is named by its host only: what follows may be a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The file cannot be written.
    #[error("{path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The text cannot be sent.
    #[error("{host}: expected a URL that takes JSON, found {found}")]
    Url {
        /// The host of the URL.
        host: String,
        /// What was answered or met instead.
        found: String,
    },
}

/// Adds a line to a file, which is created if it does not exist.
///
/// # Errors
/// If it cannot be written.
pub fn append(path: &Path, line: &str) -> Result<(), DeliveryError> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // As one write, so that lines of several runs do not mix.
        file.write_all(format!("{line}\n").as_bytes())
    };
    written().map_err(|source| DeliveryError::File { path: path.display().to_string(), source })
}

/// Replaces a file: a reader sees the old text or the new one, whole.
///
/// # Errors
/// If it cannot be written; then the old one is still there.
pub fn replace(path: &Path, text: &str) -> Result<(), DeliveryError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    // Not with the ending of those that a collector reads.
    let name = format!(".{}.{}", name.unwrap_or_default(), std::process::id());
    let temporary = path.with_file_name(name);
    let written = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&temporary, path)
    };
    written().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        DeliveryError::File { path: path.display().to_string(), source }
    })
}

/// Sends a JSON document to a URL by POST, in at most three attempts.
///
/// It blocks, and must not be called from inside an async runtime.
///
/// # Errors
/// If no attempt was answered with a status of 200 to 299. An answer of 400 to 499 but 408 and 429 is
/// final.
pub fn post(url: &str, body: &Value) -> Result<(), DeliveryError> {
    let host = host_of(url);
    let failed = |found: String| DeliveryError::Url { host: host.clone(), found };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| failed(error.without_url().to_string()))?;
        let mut pauses = PAUSES.iter();
        loop {
            let request = client.post(url).header(CONTENT_TYPE, "application/json");
            let (found, is_final) = match request.body(body.to_string()).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let status = answer.status();
                    let may_pass = matches!(status.as_u16(), 408 | 429);
                    (format!("status {status}"), status.is_client_error() && !may_pass)
                }
                Err(error) => {
                    let is_final = error.is_builder();
                    (innermost(&error.without_url()), is_final)
                }
            };
            match pauses.next() {
                Some(pause) if !is_final => tokio::time::sleep(*pause).await,
                _ => return Err(failed(found)),
            }
        }
    })
}

/// The cause of all causes, which says what was met.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The host of a URL, without user, password, path and query.
fn host_of(url: &str) -> String {
    reqwest::Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "a URL without a host".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A server that answers each request with the next status, and returns the bodies.
    fn server(statuses: &'static [u16]) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook/secret", listener.local_addr().expect("an address"));
        let serve = move || {
            let answer = |status: &u16| {
                let (mut stream, _) = listener.accept().expect("a request");
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("a header");
                    if line.trim().is_empty() {
                        break;
                    }
                    let line = line.to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).expect("an answer");
                String::from_utf8(body).expect("text")
            };
            statuses.iter().map(answer).collect()
        };
        (url, std::thread::spawn(serve))
    }

    #[test]
    fn a_fault_of_the_server_is_met_again_and_a_refusal_is_not() {
        let body = serde_json::json!({ "text": "late" });
        let (url, bodies) = server(&[503, 204]);
        post(&url, &body).expect("the second attempt");
        assert_eq!(bodies.join().expect("bodies"), [body.to_string(), body.to_string()]);
        let (url, bodies) = server(&[403]);
        let error = post(&url, &body).expect_err("refused").to_string();
        assert!(error.contains("127.0.0.1") && error.contains("403"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(bodies.join().expect("bodies").len(), 1);
    }

    #[test]
    fn what_is_no_url_is_refused_at_once() {
        let error = post("not a url", &Value::Null).expect_err("no URL").to_string();
        assert!(error.starts_with("a URL without a host: expected"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_lines_are_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("longhaul.prom");
        replace(&path, "one\n").expect("written");
        replace(&path, "two\n").expect("replaced");
        assert_eq!(fs::read_to_string(&path).expect("text"), "two\n");
        append(&path, "three").expect("added");
        assert_eq!(fs::read_to_string(&path).expect("text"), "two\nthree\n");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let error = replace(&folder.path().join("none/at/all"), "").expect_err("no folder");
        assert!(error.to_string().ends_with("none/at/all"), "{error}");
    }
}
