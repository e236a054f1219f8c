//! The broker: everything the verbs need, built once and shared.
//!
//! It holds no state of its own beyond caches and limits of this process; what must last is in the store.

use claviger_catalog::{Catalog, Provider};

use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use crate::{
    access::{Keys, Lifetimes, SignIns},
    connect::{Discovery, Nonces, Tries},
    domain::integration::Integration,
    error::{Error, Result},
    limit::Limiter,
    metrics::Metrics,
    outbound::Outbound,
    proxy::{Bounds, Quota, Recorder, Refused, Subjects, Waits},
    refresh::{self, Flights, Kept},
    store::Store,
    time::Clock,
    vault::Vault,
    watch::Watch,
};

/// Everything the verbs need.
pub struct Broker {
    /// Where state is kept.
    pub store: Store,
    /// What seals and opens secrets.
    pub vault: Vault,
    /// The one way out.
    pub outbound: Outbound,
    /// What providers are.
    pub catalog: Catalog,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where browsers and products reach us.
    pub urls: Urls,
    /// Whether this is `claviger dev`: loopback redirect URIs are accepted on any port.
    pub dev: bool,
    /// Proxied calls per connection.
    pub proxy_limit: Limiter,
    /// What callers are told of how much is left of that.
    pub quota: Quota,
    /// What one call may take of this process.
    pub bounds: Bounds,
    /// What providers said of when they take calls again.
    pub waits: Waits,
    /// Flows begun per client address.
    pub flow_limit: Limiter,
    /// How often users may try to sign in, and whose passwords were right a moment ago.
    pub sign_ins: SignIns,
    /// How long sessions last.
    pub sessions: Lifetimes,
    /// How often credentials were tried on the connect page.
    pub tries: Tries,
    /// API keys that were shown before.
    pub keys: Keys,
    /// Connections that were called with before.
    pub subjects: Subjects,
    /// Their tokens.
    pub kept: Kept,
    /// Calls under way, to be cut when what they stand on ends.
    pub watch: Arc<Watch>,
    /// Refreshes under way in this process.
    pub flights: Flights,
    /// How refreshes are done.
    pub refresh: refresh::Settings,
    /// Fresh tokens that a provider refused all the same.
    pub refused: Refused,
    /// Server metadata found by issuer.
    pub discovery: Discovery,
    /// What servers want in the next proof of possession.
    pub nonces: Nonces,
    /// Where proxied calls are recorded.
    pub logs: Recorder,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Work that must come to its end, whoever asked for it.
    pub tasks: TaskTracker,
}

/// Our own public origins, from configuration and never from a request's `Host`.
#[derive(Debug, Clone)]
pub struct Urls {
    /// The app origin, without a slash at its end: `https://connect.example.com`.
    pub app: String,
    /// The proxy origin, likewise.
    pub proxy: String,
}

impl Broker {
    /// Runs work to its end even when whoever asked for it goes away: between a provider's answer and its being
    /// written nothing may be dropped.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let ended = self.tasks.spawn(work).await;
        ended.map_err(|e| Error::internal(format!("work did not come to its end: {e}")))?
    }

    /// Waits, before the process ends, until such work is done; gives up after `limit`.
    pub async fn settle(&self, limit: Duration) {
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::error!(left = self.tasks.len(), "work was cut off at the limit");
        }
    }

    /// Forgets what was read long ago.
    pub(crate) fn forget_old(&self) {
        self.keys.forget_old();
        self.subjects.forget_old();
        self.kept.forget_old();
    }

    /// The catalog entry of an integration. An integration whose provider left the catalog is our fault, not
    /// the caller's.
    pub fn provider(&self, integration: &Integration) -> Result<Arc<Provider>> {
        self.catalog.get(&integration.provider).ok_or_else(|| {
            Error::internal(format!("provider `{}` is not in the catalog", integration.provider))
        })
    }
}
