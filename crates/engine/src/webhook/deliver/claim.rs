//! Claim: which deliveries this process sends next.

use std::{sync::Arc, time::Duration};

use super::board::Board;
use crate::{
    broker::Broker,
    domain::audit::Actor,
    error::Result,
    id::{DeliveryId, EndpointId, WorkspaceId},
    secret::random,
    store::Claim,
};

/// How long a claimed delivery is ours: several times what an attempt and its record take.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// A delivery that is ours until its lease ends.
pub(super) struct Claimed {
    pub workspace_id: WorkspaceId,
    pub endpoint_id: EndpointId,
    pub delivery_id: DeliveryId,
    pub lease: Arc<str>,
}

/// Claims what is due, as much as the board has room for: a look that changes nothing, and then one transaction.
pub(super) async fn claim(broker: &Broker, board: &Board) -> Result<Vec<Claimed>> {
    if board.is_full() {
        return Ok(Vec::new());
    }
    let now = broker.clock.now();
    let waiting = broker.store.read().await?.any_waiting_endpoints(now).await?;
    let shares = board.share(&waiting);
    if shares.is_empty() {
        return Ok(Vec::new());
    }
    let lease: Arc<str> = hex::encode(random::<16>()?).into();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let mut claimed = Vec::new();
    // In the order of ids, so that two processes never wait for each other.
    for (endpoint, limit) in shares {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let claim = Claim { endpoint: &endpoint, limit, lease: &lease, until: now.plus(LEASE) };
        for (workspace_id, delivery_id) in conn.any_claim_deliveries(&claim).await? {
            let (endpoint_id, lease) = (endpoint.clone(), Arc::clone(&lease));
            claimed.push(Claimed { workspace_id, endpoint_id, delivery_id, lease });
        }
    }
    if !claimed.is_empty() {
        conn.commit().await?;
    }
    Ok(claimed)
}
