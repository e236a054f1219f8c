//! Gauges: how things stand, looked up now and then for monitoring.
//!
//! Never at a scrape: however often somebody asks, the database is asked four times a minute.

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
