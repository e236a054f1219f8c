//! Metrics: counts of what the verbs did, for an operator's monitoring (OpenMetrics text).
//!
//! Labels are words of our own, never a caller's text, an id or a secret, so that their number is bounded.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::error::{Error, Result};

/// Upper bounds of the buckets of a proxied call's duration, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    flows: Family<Outcome, Counter>,
    refreshes: Family<Outcome, Counter>,
    calls: Family<Class, Counter>,
    call_seconds: Histogram,
    attempts: Family<Outcome, Counter>,
    attempt_seconds: Histogram,
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

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("claviger");
        let (flows, refreshes, calls) = (Family::default(), Family::default(), Family::default());
        let call_seconds = Histogram::new(BUCKETS);
        registry.register("flows", "Authorizations begun, and how they ended", flows.clone());
        registry.register("refreshes", "Refreshes, and how they ended", refreshes.clone());
        registry.register(
            "proxied_calls",
            "Proxied calls, by status and by whose answer it was",
            calls.clone(),
        );
        registry.register(
            "proxied_call_seconds",
            "From a proxied call's arrival until its answer's last byte",
            call_seconds.clone(),
        );
        let attempts = Family::default();
        let attempt_seconds = Histogram::new(BUCKETS);
        registry.register("webhook_attempts", "Attempts to deliver, and how they ended", attempts.clone());
        registry.register(
            "webhook_attempt_seconds",
            "From an attempt's start until its answer",
            attempt_seconds.clone(),
        );
        Self { registry, flows, refreshes, calls, call_seconds, attempts, attempt_seconds }
    }
}

impl Metrics {
    /// A flow began (`begun`) or came back from the provider: `connected`, `deferred` (left to the product's server
    /// to complete, which is not counted), `refused`, `failed`.
    pub fn flow(&self, outcome: &'static str) {
        self.flows.get_or_create(&Outcome { outcome }).inc();
    }

    /// A refresh ended: `renewed`, `refused` or `failed`.
    pub fn refresh(&self, outcome: &'static str) {
        self.refreshes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A proxied call ended. `ours` says whether the answer was made by us rather than by the provider.
    pub fn call(&self, status: u16, ours: bool, seconds: f64) {
        let status = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let from = if ours { "claviger" } else { "provider" };
        self.calls.get_or_create(&Class { status, from }).inc();
        self.call_seconds.observe(seconds);
    }

    /// An attempt to deliver ended: `delivered`, `refused` (an answer that is no success) or `failed` (none).
    pub fn attempt(&self, outcome: &'static str, seconds: f64) {
        self.attempts.get_or_create(&Outcome { outcome }).inc();
        self.attempt_seconds.observe(seconds);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.flow("connected");
        metrics.refresh("refused");
        metrics.call(204, false, 0.02);
        metrics.call(429, true, 0.001);
        let text = metrics.text().expect("text");
        for line in [
            "claviger_flows_total{outcome=\"connected\"} 1",
            "claviger_refreshes_total{outcome=\"refused\"} 1",
            "claviger_proxied_calls_total{status=\"2xx\",from=\"provider\"} 1",
            "claviger_proxied_calls_total{status=\"4xx\",from=\"claviger\"} 1",
            "claviger_proxied_call_seconds_count 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
