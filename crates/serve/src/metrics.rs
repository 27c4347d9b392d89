//! What the service counts, in Prometheus' text format.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Labels = Vec<(&'static str, String)>;

/// From 10 µs to 2.6 s, each four times the one before.
const BUCKETS: [f64; 10] =
    [1e-5, 4e-5, 1.6e-4, 6.4e-4, 2.56e-3, 1.024e-2, 4.096e-2, 0.16384, 0.65536, 2.62144];

/// The counters of a service.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    rows: Counter,
    models: Family<Labels, Gauge<f64, AtomicU64>>,
    reload_failures: Counter,
}

impl Metrics {
    /// Nothing counted yet, while this model answers.
    pub(crate) fn new(model_id: &str) -> Self {
        let mut registry = Registry::with_prefix("longhaul_serve");
        let requests = Family::<Labels, Counter>::default();
        registry.register("requests", "Requests by path and status", requests.clone());
        let seconds = Histogram::new(BUCKETS);
        let help = "How long predictions took, from the last byte of the request";
        registry.register_with_unit("predict", help, Unit::Seconds, seconds.clone());
        let rows = Counter::default();
        registry.register("rows", "Rows that were predicted", rows.clone());
        let models = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        registry.register("model", "1 for the model that answers", models.clone());
        let reload_failures = Counter::default();
        let help = "Times that another model could not be loaded";
        registry.register("reload_failures", help, reload_failures.clone());
        models.get_or_create(&of_model(model_id)).set(1.0);
        Self { registry, requests, seconds, rows, models, reload_failures }
    }

    pub(crate) fn answered(&self, path: &'static str, status: u16) {
        let labels = vec![("path", path.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn predicted(&self, rows: usize, took: Duration) {
        self.rows.inc_by(rows as u64);
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn model_replaced(&self, before: &str, now: &str) {
        self.models.remove(&of_model(before));
        self.models.get_or_create(&of_model(now)).set(1.0);
    }

    pub(crate) fn reload_failed(&self) {
        self.reload_failures.inc();
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes all that is written.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn of_model(model_id: &str) -> Labels {
    vec![("model_id", model_id.to_owned())]
}
