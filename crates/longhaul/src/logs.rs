//! The logs, on stderr: as text for people, or as one JSON object a line that names the run.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, format::JsonFields};
use tracing_subscriber::registry::LookupSpan;

use crate::flags::LogFormat;

/// The id of the run under way; empty before it began. Lines of every thread have it.
static RUN_ID: RwLock<String> = RwLock::new(String::new());

/// Names the run in all lines from now on.
pub(crate) fn name_run(run_id: &str) {
    run_id.clone_into(&mut RUN_ID.write().unwrap_or_else(PoisonError::into_inner));
}

/// Starts the logs; `RUST_LOG` selects the level. As text only warnings are shown, since the reporter
/// writes its own lines.
#[expect(clippy::disallowed_methods, reason = "logs go to stderr")]
pub(crate) fn start(format: LogFormat) {
    let default = if format == LogFormat::Json { "longhaul=info,warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.without_time().init(),
        LogFormat::Json => {
            let lines = OfRun(tracing_subscriber::fmt::format().json().flatten_event(true));
            logs.fmt_fields(JsonFields::new()).event_format(lines).init();
        }
    }
}

/// Lines of JSON that begin with the id of the run.
struct OfRun(Format<Json>);

impl<S, N> FormatEvent<S, N> for OfRun
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let run_id = RUN_ID.read().unwrap_or_else(PoisonError::into_inner);
        match line.strip_prefix('{') {
            Some(rest) if !run_id.is_empty() => write!(writer, "{{\"run_id\":\"{run_id}\",{rest}"),
            _ => writer.write_str(&line),
        }
    }
}
