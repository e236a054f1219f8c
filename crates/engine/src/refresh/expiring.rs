//! Expiring: owners are told ahead that a refresh token dies at a known time, once for each such death.
//!
//! Nothing can be refreshed past it: only its owner can help, who needs time for that. The event and the note that it was
//! told are one transaction, so that of any number of processes one tells it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    domain::{audit::Actor, health::Expiring},
    error::Result,
    webhook,
};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(300);
/// How long after its start a process looks for the first time.
const FIRST: Duration = Duration::from_secs(30);
/// How many are told in one look.
const AT_ONCE: i64 = 500;

/// Tells owners now and then, until `stop`.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        if let Err(error) = tell(&broker).await {
            tracing::warn!(error = ?error, "it was not told which connections die soon");
        }
    }
}

/// Tells each owner once whose connection dies soon; gives how many were told.
///
/// # Errors
/// `Internal`
pub async fn tell(broker: &Broker) -> Result<usize> {
    let now = broker.clock.now();
    let dying = broker.store.read().await?.any_expiring(now, AT_ONCE).await?;
    let mut told = 0;
    for one in dying {
        told += usize::from(tell_one(broker, &one).await?);
    }
    Ok(told)
}

async fn tell_one(broker: &Broker, one: &Expiring) -> Result<bool> {
    let (ws, now) = (&one.workspace_id, broker.clock.now());
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !conn.note_expiring(ws, one).await? {
        return Ok(false);
    }
    let Some(connection) = conn.connection(ws, &one.connection_id).await? else { return Ok(false) };
    webhook::emit_expiring(&mut conn, &connection, one.dies_at, now).await?;
    conn.commit().await?;
    Ok(true)
}
