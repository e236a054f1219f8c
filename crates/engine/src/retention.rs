//! Retention: what nobody needs any more is forgotten.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{broker::Broker, domain::audit::Actor, error::Result};

/// How long things are kept after their end.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Flows with their one-time codes.
    pub flows: Duration,
    /// Events with their deliveries and attempts.
    pub events: Duration,
    /// The request log.
    pub request_logs: Duration,
}

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3600);

/// Forgets what is past its time, now and then, until `stop`.
pub async fn run(broker: Arc<Broker>, keep: Keep, stop: CancellationToken) {
    loop {
        if let Err(error) = prune(&broker, &keep).await {
            tracing::warn!(error = ?error, "old rows were not forgotten");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Forgets once what is past its time.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn prune(broker: &Broker, keep: &Keep) -> Result<()> {
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    conn.any_purge_flows(now.minus(keep.flows)).await?;
    conn.commit().await
}
