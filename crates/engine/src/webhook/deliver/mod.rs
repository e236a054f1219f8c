//! Deliver: what was emitted is sent, signed, until it arrived.
//!
//! Any number of processes do this over one database. A delivery is *claimed* by one conditional update that gives it
//! a lease, *attempted* with neither transaction nor connection held, and *recorded* if the lease is still held. A
//! process that dies in between leaves a lease that ends, and then the delivery is due again with the same
//! `webhook-id`: it may arrive twice, and never not at all. Of one endpoint and connection only the earliest open
//! delivery can be claimed, so nothing overtakes it. Read `board` for why a dead endpoint slows no other, and
//! `webhook::schedule` for when a failed one is tried again.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use self::{board::Board, claim::Claimed};
use crate::{broker::Broker, error::Result};

mod attempt;
mod board;
mod claim;
mod record;

/// How often it is looked for what other processes put in line and for what has become due.
const POLL: Duration = Duration::from_secs(1);
/// How long it is waited for more attempts to end before new ones are claimed, so that one transaction claims several.
const LINGER: Duration = Duration::from_millis(5);

/// Sends what is due until `stop`. Attempts under way are the broker's tasks and come to their end.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let mut board = Board::default();
    let mut flying = FuturesUnordered::new();
    while !stop.is_cancelled() {
        match claim::claim(&broker, &board).await {
            Ok(claimed) if !claimed.is_empty() => {
                for one in claimed {
                    let (workspace, endpoint) = (one.workspace_id.clone(), one.endpoint_id.clone());
                    board.took_off(&workspace, &endpoint);
                    let ended = broker.tasks.spawn(fly(broker.clone(), one));
                    // However it ended, its place is free again.
                    flying.push(ended.map(move |_| (workspace, endpoint)));
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = ?error, "deliveries could not be claimed"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = broker.store.deliverable() => {}
            () = tokio::time::sleep(POLL) => {}
            Some((workspace, endpoint)) = flying.next(), if !flying.is_empty() => {
                board.landed(&workspace, &endpoint);
                tokio::time::sleep(LINGER).await;
                while let Some(Some((workspace, endpoint))) = flying.next().now_or_never() {
                    board.landed(&workspace, &endpoint);
                }
            }
        }
    }
}

/// One pass: claims what is due and free to go, attempts each, and waits until all is recorded. Says how many it was.
/// What waits behind one of them is for the next pass.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn round(broker: &Arc<Broker>) -> Result<usize> {
    let claimed = claim::claim(broker, &Board::default()).await?;
    let flying: Vec<_> =
        claimed.into_iter().map(|one| broker.tasks.spawn(fly(broker.clone(), one))).collect();
    let count = flying.len();
    for ended in flying {
        let _panicked = ended.await;
    }
    Ok(count)
}

async fn fly(broker: Arc<Broker>, claimed: Claimed) {
    if let Err(error) = perform(&broker, &claimed).await {
        tracing::error!(
            delivery = %claimed.delivery_id,
            error = ?error,
            "a delivery was not attempted or not recorded; it is due again when its lease ends"
        );
    }
}

async fn perform(broker: &Broker, claimed: &Claimed) -> Result<()> {
    let Claimed { workspace_id, delivery_id, lease, .. } = claimed;
    let errand = broker.store.read().await?.errand(workspace_id, delivery_id, lease).await?;
    // Removed, or its endpoint disabled, since it was claimed.
    let Some(errand) = errand else { return Ok(()) };
    let attempt = attempt::make(broker, &errand).await?;
    record::record(broker, &errand, lease, &attempt).await
}
