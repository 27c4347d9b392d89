//! The server: its port, its thread, and the variables that a client needs to reach it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{RwLock, oneshot};

use crate::faults::FaultRule;
use crate::request_filter::RequestFilter;

/// What is served, where and to whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder whose sub-folders are the buckets.
    pub folder: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The one access key that is known.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// Compares the ETag of `If-Match` with its quotes and so refuses a quoted one, as Ceph does.
    pub unquoted_etags_only: bool,
}

impl Options {
    /// A folder on a free port, with the access key `testkey` and the secret `testsecret`.
    pub fn for_tests(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            port: 0,
            access_key: "testkey".to_owned(),
            secret_key: "testsecret".to_owned(),
            unquoted_etags_only: false,
        }
    }
}

/// A running server. It stops when it is dropped.
pub struct S3Server {
    options: Options,
    address: SocketAddr,
    filter: Arc<RequestFilter>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removed with the server, if it was started in a folder of its own.
    _own_folder: Option<TempDir>,
}

impl S3Server {
    /// Serves `folder` on a free port.
    ///
    /// # Errors
    /// If the folder cannot be created or the port cannot be bound.
    pub fn start(folder: &Path, access_key: &str, secret_key: &str) -> io::Result<Self> {
        Self::start_with(Options {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            ..Options::for_tests(folder)
        })
    }

    /// Serves a temporary folder on a free port, with the keys of [`Options::for_tests`].
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn temporary() -> io::Result<Self> {
        let folder = TempDir::new()?;
        let mut server = Self::start_with(Options::for_tests(folder.path()))?;
        server._own_folder = Some(folder);
        Ok(server)
    }

    /// Starts a server with `options`.
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn start_with(options: Options) -> io::Result<Self> {
        std::fs::create_dir_all(&options.folder)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;

        let files =
            FileSystem::new(&options.folder).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        let keys = (options.access_key.clone(), options.secret_key.as_str());
        builder.set_auth(SimpleAuth::from_single(keys.0, keys.1));
        let filter = Arc::new(RequestFilter {
            service: builder.build(),
            folder: options.folder.clone(),
            unquoted_etags_only: options.unquoted_etags_only,
            write_lock: RwLock::new(()),
            n_refusals: AtomicU32::new(0),
            n_requests: AtomicU64::new(0),
            down_until: Mutex::default(),
            rules: Mutex::default(),
            n_faults: AtomicU64::new(0),
        });

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread_filter = Arc::clone(&filter);
        let thread = std::thread::Builder::new()
            .name("s3_server".to_owned())
            .spawn(move || serve(runtime, listener, thread_filter, stopped))?;
        Ok(Self {
            options,
            address,
            filter,
            stop: Some(stop),
            thread: Some(thread),
            _own_folder: None,
        })
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates a bucket; one that exists stays as it is.
    ///
    /// # Errors
    /// If its folder cannot be created.
    pub fn create_bucket(&self, name: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.options.folder.join(name))
    }

    /// The environment variables that a client needs.
    pub fn variables(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ACCESS_KEY_ID", self.options.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.options.secret_key.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Refuses the next `n_requests` requests with 503 (SlowDown), whatever they are.
    pub fn refuse_next(&self, n_requests: u32) {
        self.filter.n_refusals.store(n_requests, Ordering::SeqCst);
    }

    /// Requests meet faults by these rules from now on, instead of those of before.
    pub fn inject(&self, rules: Vec<FaultRule>) {
        *self.filter.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// How many requests met the fault of a rule so far.
    pub fn n_faults(&self) -> u64 {
        self.filter.n_faults.load(Ordering::SeqCst)
    }

    /// Closes each connection without an answer, for a while.
    pub fn go_down_for(&self, time: Duration) {
        let until = Instant::now() + time;
        *self.filter.down_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// How many requests were received so far.
    pub fn n_requests(&self) -> u64 {
        self.filter.n_requests.load(Ordering::SeqCst)
    }

    /// Serves until the process is killed.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the serving thread has already been reported by it.
            let _ = thread.join();
        }
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    runtime: Runtime,
    listener: TcpListener,
    filter: Arc<RequestFilter>,
    mut stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "no listener"),
        };
        loop {
            let socket = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    Err(error) => {
                        tracing::warn!(%error, "connection lost before it was accepted");
                        continue;
                    }
                },
                _ = &mut stopped => return,
            };
            let filter = Arc::clone(&filter);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let filter = Arc::clone(&filter);
                    async move { filter.respond(request).await }
                });
                // Idle connections stay open, so that a test that is slow under load is not reset.
                let connection = http1::Builder::new()
                    .header_read_timeout(None)
                    .serve_connection(TokioIo::new(socket), service);
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended early");
                }
            });
        }
    });
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn answer(server: &S3Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn an_unsigned_request_is_refused() {
        let server = S3Server::temporary().unwrap();
        server.create_bucket("demo").unwrap();
        let answer = answer(&server, "GET /demo?list-type=2");
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }

    #[test]
    fn a_missing_bucket_is_named() {
        let server = S3Server::temporary().unwrap();
        let answer = answer(&server, "GET /nowhere/key");
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(answer.contains("<Code>NoSuchBucket</Code>"), "{answer}");
        assert!(answer.contains("nowhere"), "{answer}");
    }

    #[test]
    fn refusals_end_after_the_given_number() {
        let server = S3Server::temporary().unwrap();
        server.refuse_next(1);
        assert!(answer(&server, "GET /").starts_with("HTTP/1.1 503"));
        assert!(answer(&server, "GET /").starts_with("HTTP/1.1 403"));
        assert_eq!(server.n_requests(), 2);
    }

    #[test]
    fn the_port_is_free_again_once_the_server_is_dropped() {
        let server = S3Server::temporary().unwrap();
        let address = server.address;
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
