//! The job that empties SQLite's log now and then, so that what was erased stays nowhere in its files. See
//! `store::scrub`.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// How often.
const EVERY: Duration = Duration::from_secs(30);

/// Empties the log until `stop`. One that is in use the whole time is emptied at the next try.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = broker.store.scrub().await {
            tracing::warn!(?error, "the write-ahead log could not be emptied");
        }
    }
}
