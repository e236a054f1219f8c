//! The log: text or JSON lines on stderr, filtered by the `log` setting.
//!
//! What must never be logged is kept out by type: a secret has no `Debug` and no `Display`. Metrics and traces
//! have no place yet; they would be set up here.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// Starts the log. A second call changes nothing.
pub fn init(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Text => {
            let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
            base.with(lines).try_init()
        }
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(io::stderr);
            base.with(lines).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}
