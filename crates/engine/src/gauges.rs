//! Gauges: how things stand, looked up for monitoring.
//!
//! What the database knows is never looked up at a scrape: however often somebody asks, it is asked four times a minute. What
//! this process itself holds is counted at each.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{broker::Broker, error::Result};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(15);

/// Looks now and then, until `stop`.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    broker.metrics.started(broker.clock.now());
    loop {
        if let Err(error) = look(&broker).await {
            tracing::warn!(error = ?error, "how things stand could not be looked up");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Looks once.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn look(broker: &Broker) -> Result<()> {
    let mut conn = broker.store.read().await?;
    broker.metrics.backlog(&conn.any_backlog().await?, broker.clock.now());
    broker.metrics.refreshes_unknown(conn.any_count_unknown_refreshes().await?);
    broker.metrics.connections(&conn.any_connections_by_status().await?);
    Ok(())
}

/// Counts what this process holds at this moment, but for what the server knows: connections and tasks.
pub fn held(broker: &Broker) {
    let held = &broker.metrics.held;
    held.places(broker.bounds.connection.taken(), broker.bounds.provider.taken());
    held.work(broker.tasks.len());
}
