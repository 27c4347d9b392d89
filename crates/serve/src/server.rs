//! Connections: accepted up to a limit, bounded in time, and let go of when the service stops.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use scorer::LiveScorer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::model_source::{self, ModelSource};
use crate::service::Service;

/// How long to wait after a connection could not be accepted, as without file handles.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Answers requests until `stop` is ready, and then those that are under way. `source` is asked for
/// another model each `reload_every`.
///
/// # Errors
/// If the listener has no address any more.
pub async fn serve(
    listener: TcpListener,
    model: Arc<LiveScorer>,
    source: Arc<dyn ModelSource>,
    (limits, reload_every): (Limits, Duration),
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let metrics = Metrics::new(model.current().model_id());
    let is_stopping = AtomicBool::new(false);
    let service = Arc::new(Service { model, limits, metrics, is_stopping });
    let (stopping, is_stopping) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let reloading = tokio::spawn(reload(Arc::clone(&service), source, reload_every));
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            // Held until the connection ends, so that no more are accepted than there may be.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, Arc::clone(&service), is_stopping.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    service.is_stopping.store(true, Ordering::Relaxed);
    reloading.abort();
    drop(listener);
    // Those who hold the receiver end after the answer that they are at.
    let _ = stopping.send(true);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.stop, slots.acquire_many(all)).await.is_err() {
        tracing::warn!("requests were cut off after {} s", limits.stop.as_secs_f64());
    }
    Ok(())
}

async fn connection(stream: TcpStream, service: Arc<Service>, mut stopping: watch::Receiver<bool>) {
    // Small answers should not wait for more.
    let _ = stream.set_nodelay(true);
    let read = service.limits.read;
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection broke off: {error}");
    }
}

/// Asks for another model time and again, on a thread on which reading it may take its time.
async fn reload(service: Arc<Service>, source: Arc<dyn ModelSource>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let (service, source) = (Arc::clone(&service), Arc::clone(&source));
        let reloaded = tokio::task::spawn_blocking(move || {
            model_source::reload(&service.model, source.as_ref(), &service.metrics);
        });
        if let Err(error) = reloaded.await {
            tracing::error!("loading a model failed: {error}");
        }
    }
}
