//! Record: what became of an attempt, in one transaction.

use std::time::Duration;

use super::{
    super::{emit_disabled, schedule},
    attempt::arrived,
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        webhook::{Attempt, DisabledReason, Endpoint, Errand},
    },
    error::Result,
    secret::random,
    store::{After, Conn, Tried},
    time::Millis,
};

/// The answer of an endpoint that wants nothing any more.
const GONE: i64 = 410;
/// How long an endpoint may take nothing, however often it is tried, before nothing is sent to it any more.
const FAILING: Duration = Duration::from_secs(5 * 24 * 3600);

/// Keeps the attempt, and says when the delivery is due again – unless the lease on it was lost: then whoever holds it
/// now decides, and only the attempt is kept. What was removed meanwhile leaves nothing.
pub(super) async fn record(broker: &Broker, errand: &Errand, lease: &str, attempt: &Attempt) -> Result<()> {
    let Errand { delivery, endpoint, .. } = errand;
    let workspace = &delivery.workspace_id;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    // The endpoint's row before the delivery's, as when an endpoint is removed: neither waits for the other.
    let tried = Tried { url: &endpoint.url, at: attempt.at, arrived: arrived(attempt) };
    let Some(failing) = conn.note_attempt(workspace, &endpoint.id, &tried).await? else { return Ok(()) };
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
    if attempt.status == Some(GONE) {
        let reason = DisabledReason::Gone;
        if conn.disable_endpoint(workspace, &endpoint.id, &endpoint.url, reason).await? {
            tracing::warn!(endpoint = %endpoint.id, "a webhook endpoint answered 410 and is disabled");
        }
    } else if let Some(since) = failing.filter(|since| attempt.at.since(*since) >= FAILING) {
        give_up(&mut conn, endpoint, since, now).await?;
    }
    conn.commit().await
}

/// Disables an endpoint that took nothing for too long, and tells the workspace's others.
async fn give_up(conn: &mut Conn, endpoint: &Endpoint, since: Millis, now: Millis) -> Result<()> {
    let workspace = &endpoint.workspace_id;
    if conn.disable_endpoint(workspace, &endpoint.id, &endpoint.url, DisabledReason::Failing).await? {
        emit_disabled(conn, endpoint, since, now).await?;
        let since = since.rfc3339();
        tracing::warn!(endpoint = %endpoint.id, %since, "a webhook endpoint took nothing for days and is disabled");
    }
    Ok(())
}
