//! Record: what became of an attempt, in one transaction.

use super::{super::schedule, attempt::arrived};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        webhook::{Attempt, Errand},
    },
    error::Result,
    secret::random,
    store::After,
};

/// The answer of an endpoint that wants nothing any more.
const GONE: i64 = 410;

/// Keeps the attempt, and says when the delivery is due again – unless the lease on it was lost: then whoever holds it
/// now decides, and only the attempt is kept. What was removed meanwhile leaves nothing.
pub(super) async fn record(broker: &Broker, errand: &Errand, lease: &str, attempt: &Attempt) -> Result<()> {
    let Errand { delivery, endpoint, .. } = errand;
    let workspace = &delivery.workspace_id;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    // The endpoint's row before the delivery's, as when an endpoint is removed: neither waits for the other.
    if !conn.touch_endpoint(workspace, &endpoint.id, attempt.at).await? {
        return Ok(());
    }
    if let Some(made) = conn.attempts_made(workspace, &delivery.id, lease).await? {
        let after = if arrived(attempt) {
            After::Delivered
        } else {
            let spread = u16::from_be_bytes(random()?);
            schedule::wait(made + 1, spread).map_or(After::GivenUp, |wait| After::Again(now.plus(wait)))
        };
        conn.settle_delivery(workspace, &delivery.id, lease, after).await?;
        if after == After::GivenUp {
            tracing::warn!(delivery = %delivery.id, endpoint = %endpoint.id, "a delivery is given up");
        }
    }
    conn.add_attempt(workspace, attempt).await?;
    if attempt.status == Some(GONE)
        && conn.disable_gone_endpoint(workspace, &endpoint.id, &endpoint.url).await?
    {
        tracing::warn!(endpoint = %endpoint.id, "a webhook endpoint answered 410 and is disabled");
    }
    conn.commit().await
}
