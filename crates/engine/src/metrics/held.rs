//! Metrics of what is held: what this process has in its hands at this moment, and lets go of later.
//!
//! When everything that was under way has ended, each is what it was before. One that is not, and grows with the load, is a leak.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// Where tasks run: on the program's own runtime, or on those of the threads that serve proxied calls.
pub const RUNTIMES: [&str; 2] = ["main", "proxy"];

/// The limits whose places are counted, by the names of their settings.
const LIMITS: [&str; 2] = ["proxy_connection_calls", "proxy_provider_calls"];

/// What is held. Looked up when somebody asks.
#[derive(Default)]
pub struct Held {
    clients: Gauge,
    places: Family<Limit, Gauge>,
    tasks: Family<Runtime, Gauge>,
    work: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Runtime {
    runtime: &'static str,
}

impl Held {
    pub(super) fn register(&self, to: &mut Registry) {
        for limit in LIMITS {
            let _made = self.places.get_or_create(&Limit { limit });
        }
        for runtime in RUNTIMES {
            let _made = self.tasks.get_or_create(&Runtime { runtime });
        }
        to.register("client_connections", "Connections that the listeners have open", self.clients.clone());
        let help = "Places that calls under way hold, by the setting that limits them";
        to.register("places_taken", help, self.places.clone());
        to.register("tasks", "Tasks there are, by where they run", self.tasks.clone());
        let help = "Work that goes on when its caller has gone: refreshes, WebSockets, ends of connections";
        to.register("work_under_way", help, self.work.clone());
    }

    /// How many connections the listeners have open.
    pub fn clients(&self, count: usize) {
        self.clients.set(wide(count));
    }

    /// How many places are taken: with all connections, and at all providers.
    pub fn places(&self, connection: usize, provider: usize) {
        for (limit, count) in LIMITS.into_iter().zip([connection, provider]) {
            self.places.get_or_create(&Limit { limit }).set(wide(count));
        }
    }

    /// How many tasks there are. `runtime` is one of [`RUNTIMES`].
    pub fn tasks(&self, runtime: &'static str, count: usize) {
        self.tasks.get_or_create(&Runtime { runtime }).set(wide(count));
    }

    /// How much work goes on whether or not its caller is still there.
    pub fn work(&self, count: usize) {
        self.work.set(wide(count));
    }
}

fn wide(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
