//! Metrics: counts of what the verbs did, for an operator's monitoring (OpenMetrics text).
//!
//! Labels are words of our own, never a caller's text, an id or a secret, so that their number is bounded. Each
//! is there from the start, at zero, so that a rate knows where it began. docs/operations.md lists them all, and
//! a test compares. How things stand, rather than what happened, is looked up by [`crate::gauges`].

mod calls;
mod held;
mod log;

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use self::calls::Calls;
pub use self::{
    held::{Held, RUNTIMES},
    log::Log,
};
use crate::{
    domain::{call_rollup::FinishedCall, connection::Status},
    error::{Error, Result},
    name::Name,
    retention::Pruned,
    store::Backlog,
    time::Millis,
};

/// Upper bounds of the buckets of a webhook attempt's duration, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The parts of the app origin that requests are counted by.
pub const RESOURCES: [&str; 12] = [
    "authorize",
    "connection",
    "popup",
    "events",
    "callback",
    "hosted",
    "connections",
    "integrations",
    "webhooks",
    "dashboard",
    "health",
    "other",
];

const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    flows: Family<Outcome, Counter>,
    refreshes: Family<Outcome, Counter>,
    calls: Arc<Calls>,
    cache_hits: Counter,
    cache_misses: Counter,
    attempts: Family<Outcome, Counter>,
    attempt_seconds: Histogram,
    pruned: Family<Table, Counter>,
    connections: Family<Standing, Gauge>,
    refreshes_unknown: Gauge,
    pending: Gauge,
    oldest_pending: Gauge,
    started: Gauge,
    /// What is held at this moment.
    pub held: Held,
    /// Of the request log.
    pub log: Log,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    status: &'static str,
    from: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    resource: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Table {
    table: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    status: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("claviger"),
            requests: Family::default(),
            flows: Family::default(),
            refreshes: Family::default(),
            calls: Arc::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            attempts: Family::default(),
            attempt_seconds: Histogram::new(BUCKETS),
            pruned: Family::default(),
            connections: Family::default(),
            refreshes_unknown: Gauge::default(),
            pending: Gauge::default(),
            oldest_pending: Gauge::default(),
            started: Gauge::default(),
            held: Held::default(),
            log: Log::default(),
        };
        metrics.begin_at_zero();
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let to = &mut self.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "Which version runs", version);
        to.register("process_start_time_seconds", "When this process began", self.started.clone());
        let help = "Requests at the app listener, by what they asked for and the class of the answer";
        to.register("api_requests", help, self.requests.clone());
        to.register("flows", "Authorizations begun, and how they ended", self.flows.clone());
        to.register("refreshes", "Refreshes, and how they ended", self.refreshes.clone());
        self.calls.register(to);
        let help = "Proxied calls with an API key whose connection was remembered";
        to.register("proxy_cache_hits", help, self.cache_hits.clone());
        let help = "Proxied calls with an API key whose connection was read from the database";
        to.register("proxy_cache_misses", help, self.cache_misses.clone());
        to.register("webhook_attempts", "Attempts to deliver, and how they ended", self.attempts.clone());
        let help = "From an attempt's start until its answer";
        to.register("webhook_attempt_seconds", help, self.attempt_seconds.clone());
        let help = "Deliveries still to be made to enabled endpoints";
        to.register("webhook_pending", help, self.pending.clone());
        let help = "Age of the oldest delivery still to be made to an enabled endpoint";
        to.register("webhook_oldest_pending_seconds", help, self.oldest_pending.clone());
        to.register("connections", "Connections there are, by status", self.connections.clone());
        let help = "Refresh tokens that were sent, and nobody knows what their providers did with them";
        to.register("refreshes_unknown", help, self.refreshes_unknown.clone());
        let help = "Rows forgotten because their time was over, by table";
        to.register("retention_rows", help, self.pruned.clone());
        self.held.register(to);
        self.log.register(to);
        self
    }

    /// Makes every series that there can be.
    fn begin_at_zero(&self) {
        for (family, outcomes) in [
            (&self.flows, &["begun", "connected", "deferred", "refused", "failed"][..]),
            (&self.refreshes, &["renewed", "refused", "failed", "unknown"]),
            (&self.attempts, &["delivered", "refused", "failed"]),
        ] {
            for outcome in outcomes {
                let _made = family.get_or_create(&Outcome { outcome });
            }
        }
        for status in STATUSES {
            for resource in RESOURCES {
                let _made = self.requests.get_or_create(&Asked { resource, status });
            }
        }
        for table in Pruned::TABLES {
            let _made = self.pruned.get_or_create(&Table { table });
        }
        for status in Status::ALL {
            let _made = self.connections.get_or_create(&Standing { status: status.as_str() });
        }
    }

    /// A request at the app origin was answered. `resource` is one of [`RESOURCES`].
    pub fn request(&self, resource: &'static str, status: u16) {
        self.requests.get_or_create(&Asked { resource, status: class(status) }).inc();
    }

    /// A flow began (`begun`) or came back from the provider: `connected`, `deferred` (left to the product's server
    /// to complete, which is not counted), `refused`, `failed`.
    pub fn flow(&self, outcome: &'static str) {
        self.flows.get_or_create(&Outcome { outcome }).inc();
    }

    /// A provider was asked for a refresh: `renewed`, `refused`, `failed`, or `unknown` where its answer is missing.
    pub fn refresh(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A proxied call began. `name` is any that its end has too, and that calls differ by.
    pub fn call_begins(&self, name: Name) {
        self.calls.begins(name);
    }

    /// It ended.
    pub fn call(&self, name: Name, call: &FinishedCall) {
        self.calls.ended(name, call);
    }

    /// A connection was looked for: remembered, or read.
    pub fn looked_up(&self, remembered: bool) {
        if remembered { &self.cache_hits } else { &self.cache_misses }.inc();
    }

    /// An attempt to deliver ended: `delivered`, `refused` (an answer that is no success) or `failed` (none).
    pub fn attempt(&self, outcome: &'static str, seconds: f64) {
        self.attempts.get_or_create(&Outcome { outcome }).inc();
        self.attempt_seconds.observe(seconds);
    }

    /// Rows were forgotten. `table` is one of [`Pruned::TABLES`].
    pub fn pruned(&self, table: &'static str, rows: i64) {
        self.pruned.get_or_create(&Table { table }).inc_by(u64::try_from(rows).unwrap_or(0));
    }

    /// How many deliveries wait, and for how long.
    pub fn backlog(&self, backlog: &Backlog, now: Millis) {
        self.pending.set(backlog.pending);
        let age = backlog.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
        self.oldest_pending.set(i64::try_from(age).unwrap_or(i64::MAX));
    }

    /// How many connections there are, by status as it is kept; what is not named is none.
    pub fn connections(&self, counts: &[(String, i64)]) {
        for status in Status::ALL {
            let found = counts.iter().find(|(name, _)| name == status.as_str());
            let count = found.map_or(0, |(_, count)| *count);
            self.connections.get_or_create(&Standing { status: status.as_str() }).set(count);
        }
    }

    /// How many refresh tokens were sent of which nobody knows what became.
    pub fn refreshes_unknown(&self, count: i64) {
        self.refreshes_unknown.set(count);
    }

    /// When this process began.
    pub fn started(&self, at: Millis) {
        self.started.set(at.0 / 1000);
    }

    /// Everything, as OpenMetrics text.
    ///
    /// # Errors
    /// `Internal` when it can't be written.
    pub fn text(&self) -> Result<String> {
        let mut out = String::new();
        encode(&mut out, &self.registry).map_err(|e| Error::Internal(e.into()))?;
        Ok(out)
    }
}

fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.flow("connected");
        metrics.refresh("refused");
        metrics.request("authorize", 302);
        metrics.pruned("event", 7);
        metrics.backlog(&Backlog { pending: 3, oldest: Some(Millis(1_000)) }, Millis(61_500));
        metrics.connections(&[("active".to_owned(), 5)]);
        metrics.refreshes_unknown(2);
        metrics.started(Millis(1_767_323_045_678));
        let text = metrics.text().expect("text");
        for line in [
            "claviger_flows_total{outcome=\"connected\"} 1",
            "claviger_refreshes_total{outcome=\"refused\"} 1",
            "claviger_api_requests_total{resource=\"authorize\",status=\"3xx\"} 1",
            "claviger_retention_rows_total{table=\"event\"} 7",
            "claviger_retention_rows_total{table=\"flow\"} 0",
            "claviger_webhook_pending 3",
            "claviger_webhook_oldest_pending_seconds 60",
            "claviger_connections{status=\"active\"} 5",
            "claviger_connections{status=\"needs_reauth\"} 0",
            "claviger_refreshes_unknown 2",
            "claviger_process_start_time_seconds 1767323045",
            concat!("claviger_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
