//! Lease: a connection's refresh in our hands, prolonged as long as we hold it.
//!
//! The database's row is what others see, and it is prolonged while an answer is waited for. The [`Guard`] is what we
//! ourselves believe: what is to leave leaves within one lease of the claim, counted from before the row was written, or
//! not at all. Nothing here holds a connection of the pool while it waits.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use super::Subject;
use crate::{
    broker::Broker,
    domain::audit::Actor,
    error::Result,
    outbound::{Guard, Moment},
    time::Millis,
};

/// A lease that is ours until it is dropped, or its time is over.
pub(super) struct Holding {
    /// Its fencing number.
    pub fence: i64,
    /// Until when requests may leave.
    pub guard: Guard,
    /// A moment before it was taken, and the database's time then or a little later.
    pub began: (Moment, Millis),
    renewing: JoinHandle<()>,
}

impl Holding {
    /// Holds what was just taken; `began` is a moment before that, and the database's time.
    pub fn new(broker: &Arc<Broker>, subject: &Subject, fence: i64, began: (Moment, Millis)) -> Self {
        let guard = Guard::new(began.0, broker.refresh.lease);
        let renewing = tokio::spawn(go_on(broker.clone(), subject.clone(), fence));
        Self { fence, guard, began, renewing }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Says each third of the lease that we are still at it, until somebody else is.
async fn go_on(broker: Arc<Broker>, subject: Subject, fence: i64) {
    let lease = broker.refresh.lease;
    loop {
        tokio::time::sleep(lease / 3).await;
        match prolong(&broker, &subject, fence, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(connection = %subject.connection.id, ?error, "a lease could not be prolonged");
            }
        }
    }
}

async fn prolong(broker: &Broker, subject: &Subject, fence: i64, lease: Duration) -> Result<bool> {
    // Few at once: all that began together come back together.
    let _turn = broker.flights.line.prolong(broker.store.connections()).await;
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let now = conn.time(&broker.clock).await?;
    let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
    let ours = conn.prolong_refresh(workspace, id, fence, now.plus(lease)).await?;
    conn.commit().await?;
    Ok(ours)
}
