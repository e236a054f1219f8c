//! Metrics of proxied calls, counted in a few shards: calls on several cores would wait for each other where all count in
//! one place. Whoever asks adds the shards up.

use std::{
    array, fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};

use super::{Class, Direction, STATUSES};
use crate::{
    domain::{
        call_rollup::FinishedCall,
        spread::{self, BOUNDS_MS, BUCKETS},
    },
    name::Name,
};

const SHARDS: usize = 16;
/// Whose answer it was.
const FROM: [&str; 2] = ["provider", "claviger"];
const DIRECTIONS: [&str; 2] = ["in", "out"];

/// Every count of proxied calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    shards: [Shard; SHARDS],
}

/// Aligned so that no two lie in one line of a core's cache.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    begun: AtomicU64,
    /// By class of status and by whose answer it was.
    ended: [[AtomicU64; FROM.len()]; STATUSES.len()],
    bytes: [AtomicU64; DIRECTIONS.len()],
    waited: Times,
    first_byte: Times,
    took: Times,
}

/// A histogram.
#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

impl Times {
    fn observe(&self, time: Duration) {
        if let Some(bucket) = self.buckets.get(spread::bucket(time)) {
            add(bucket, 1);
        }
        add(&self.micros, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

fn add(to: &AtomicU64, count: u64) {
    to.fetch_add(count, Ordering::Relaxed);
}

impl Calls {
    fn shard(&self, name: Name) -> Option<&Shard> {
        self.shards.get(name.part(SHARDS))
    }

    /// A call begins. `name` spreads calls over the shards; at its end it is the same.
    pub fn begins(&self, name: Name) {
        if let Some(shard) = self.shard(name) {
            add(&shard.begun, 1);
        }
    }

    /// A call ended.
    pub fn ended(&self, name: Name, call: &FinishedCall) {
        let Some(shard) = self.shard(name) else { return };
        let of_class = shard.ended.get(usize::from(call.class()).saturating_sub(1));
        if let Some(count) = of_class.and_then(|class| class.get(usize::from(call.ours))) {
            add(count, 1);
        }
        for (count, bytes) in shard.bytes.iter().zip([call.bytes_in, call.bytes_out]) {
            if bytes > 0 {
                add(count, bytes);
            }
        }
        if call.attempts > 0 {
            shard.waited.observe(call.waited);
        }
        if let Some(time) = call.first_byte {
            shard.first_byte.observe(time);
        }
        shard.took.observe(call.took);
    }

    fn sum<'a>(&'a self, of: impl Fn(&'a Shard) -> &'a AtomicU64) -> u64 {
        self.shards.iter().map(|shard| of(shard).load(Ordering::Relaxed)).sum()
    }

    /// Makes all of them known.
    pub fn register(self: &Arc<Self>, to: &mut Registry) {
        let told = |what| Told { calls: Arc::clone(self), what };
        let help = "Proxied calls, by status and by whose answer it was";
        to.register("proxied_calls", help, told(What::Ended));
        to.register(
            "proxied_calls_in_flight",
            "Proxied calls whose answer is not through yet",
            told(What::InFlight),
        );
        to.register(
            "proxied_bytes",
            "Bytes of proxied bodies, in from callers and out to them",
            told(What::Bytes),
        );
        let help = "From a proxied call's arrival until its answer's last byte";
        to.register("proxied_call_seconds", help, told(What::Seconds(|shard| &shard.took)));
        let help = "From a proxied call's arrival until its provider was first asked";
        to.register("proxied_call_wait_seconds", help, told(What::Seconds(|shard| &shard.waited)));
        let help = "From asking the provider, the last time, until the head of its answer";
        to.register("proxied_call_first_byte_seconds", help, told(What::Seconds(|shard| &shard.first_byte)));
    }
}

/// One metric of them.
#[derive(Debug)]
struct Told {
    calls: Arc<Calls>,
    what: What,
}

#[derive(Debug)]
enum What {
    Ended,
    InFlight,
    Bytes,
    Seconds(fn(&Shard) -> &Times),
}

impl EncodeMetric for Told {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self.what {
            What::Ended => self.ended(encoder),
            What::InFlight => encoder.encode_gauge(&self.in_flight()),
            What::Bytes => self.bytes(encoder),
            What::Seconds(of) => self.seconds(encoder, of),
        }
    }

    fn metric_type(&self) -> MetricType {
        match self.what {
            What::Ended | What::Bytes => MetricType::Counter,
            What::InFlight => MetricType::Gauge,
            What::Seconds(_) => MetricType::Histogram,
        }
    }
}

impl Told {
    fn ended(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (class, status) in STATUSES.into_iter().enumerate() {
            for (whose, from) in FROM.into_iter().enumerate() {
                let count = self.calls.sum(|shard| &shard.ended[class][whose]);
                let labels = Class { status, from };
                encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }

    /// What ended is read first, so that no call has ended that was not seen to begin.
    fn in_flight(&self) -> i64 {
        let all = |shard: &Shard| -> u64 {
            shard.ended.iter().flatten().map(|count| count.load(Ordering::Relaxed)).sum()
        };
        let ended: u64 = self.calls.shards.iter().map(all).sum();
        i64::try_from(self.calls.sum(|shard| &shard.begun).saturating_sub(ended)).unwrap_or(i64::MAX)
    }

    fn bytes(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (way, direction) in DIRECTIONS.into_iter().enumerate() {
            let count = self.calls.sum(|shard| &shard.bytes[way]);
            let labels = Direction { direction };
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn seconds(&self, mut encoder: MetricEncoder<'_>, of: fn(&Shard) -> &Times) -> fmt::Result {
        let counts: [u64; BUCKETS] = array::from_fn(|at| self.calls.sum(|shard| &of(shard).buckets[at]));
        let bounds =
            BOUNDS_MS.iter().map(|ms| Duration::from_millis(*ms).as_secs_f64()).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let all = Duration::from_micros(self.calls.sum(|shard| &of(shard).micros));
        encoder.encode_histogram::<NoLabelSet>(all.as_secs_f64(), counts.iter().sum(), &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn calls_of_all_shards_are_added_up() {
        let metrics = Metrics::default();
        let call = FinishedCall {
            status: 200,
            attempts: 1,
            bytes_in: 3,
            bytes_out: 5,
            waited: Duration::from_millis(1),
            first_byte: Some(Duration::from_millis(30)),
            took: Duration::from_millis(40),
            ..FinishedCall::default()
        };
        let ours = FinishedCall { status: 429, ours: true, attempts: 0, first_byte: None, ..call };
        for n in 0..40 {
            let name = Name::of(&n.to_string());
            metrics.call_begins(name);
            if n < 30 {
                metrics.call(name, if n < 10 { &ours } else { &call });
            }
        }
        let text = metrics.text().expect("text");
        for line in [
            "claviger_proxied_calls_total{status=\"2xx\",from=\"provider\"} 20",
            "claviger_proxied_calls_total{status=\"4xx\",from=\"claviger\"} 10",
            "claviger_proxied_calls_total{status=\"5xx\",from=\"provider\"} 0",
            "claviger_proxied_calls_in_flight 10",
            "claviger_proxied_bytes_total{direction=\"in\"} 90",
            "claviger_proxied_bytes_total{direction=\"out\"} 150",
            "claviger_proxied_call_seconds_count 30",
            "claviger_proxied_call_seconds_sum 1.2",
            "claviger_proxied_call_seconds_bucket{le=\"0.025\"} 0",
            "claviger_proxied_call_seconds_bucket{le=\"0.05\"} 30",
            "claviger_proxied_call_seconds_bucket{le=\"+Inf\"} 30",
            "claviger_proxied_call_wait_seconds_count 20",
            "claviger_proxied_call_first_byte_seconds_count 20",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
