//! Lease: a connection's refresh in our hands, prolonged as long as we hold it.
//!
//! The database's row is what others see, and it is prolonged while an answer is waited for. The [`Guard`] is what we
//! ourselves believe: what is to leave leaves within one lease of the claim, counted from before the row was written, or
//! not at all. Nothing here holds a connection of the pool while it waits.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

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
    let mut thirds = thirds(lease);
    loop {
        thirds.tick().await;
        match prolong(&broker, &subject, fence, lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(connection = %subject.connection.id, ?error, "a lease could not be prolonged");
            }
        }
    }
}

/// Each third of a lease from now on. What takes long at one of them puts the next off no further: a slow database, or
/// somebody who holds the row, must not cost a second third.
fn thirds(lease: Duration) -> Interval {
    let mut thirds = interval_at(Instant::now() + lease / 3, lease / 3);
    thirds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    thirds
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_that_was_prolonged_slowly_is_prolonged_again_at_once() {
        let third = Duration::from_secs(1);
        let mut thirds = thirds(third * 3);
        let began = Instant::now();
        thirds.tick().await;
        assert!(began.elapsed() >= third * 9 / 10, "not before the first third is over");
        tokio::time::sleep(third * 11 / 10).await;
        let ended = Instant::now();
        thirds.tick().await;
        assert!(ended.elapsed() < third / 2, "the time that it took counts: {:?}", ended.elapsed());
    }
}
