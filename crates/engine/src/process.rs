//! Processes: each says now and then that it lives and which root keys it holds.
//!
//! A process is in the table `process` from before it serves anything until nothing of it can write any more, so
//! that a rotation of root keys (see [`crate::rotate`]) never misses one that would seal with an old key. One that
//! was killed counts as alive until [`ALIVE`] after it was last seen. It must never say more of a key than its id.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    domain::{audit::Actor, process::Process},
    error::Result,
    id::ProcessId,
};

/// How often a process says that it lives.
pub const BEAT: Duration = Duration::from_secs(10);
/// For how long after that it counts as alive: four beats may be lost.
pub const ALIVE: Duration = Duration::from_secs(45);
/// When a process that did not take its leave is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);
/// How many budgets are forgotten with each beat.
const BUDGETS: i64 = 1000;

/// The announcement of this process. Dropped without [`Presence::leave`] it goes out of date.
pub struct Presence {
    broker: Arc<Broker>,
    id: ProcessId,
    stop: CancellationToken,
    beating: JoinHandle<()>,
}

/// Announces this process, and goes on doing so. Call it before anything is served.
///
/// # Errors
/// `Internal` when the database takes no change: then nothing should be served either.
pub async fn announce(broker: &Arc<Broker>) -> Result<Presence> {
    let now = broker.clock.now();
    let mut process = Process {
        id: broker.refresh.process.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        key_ids: broker.vault.key_ids().into_iter().map(str::to_owned).collect(),
        started_at: now,
        seen_at: now,
    };
    for other in alive(broker).await? {
        warn_of_strangers(&process, &other);
    }
    beat(broker, &mut process).await?;
    tracing::info!(process = %process.id, keys = ?process.key_ids, "announced");
    let (id, stop) = (process.id.clone(), CancellationToken::new());
    let beating = tokio::spawn(go_on(broker.clone(), process, stop.clone()));
    Ok(Presence { broker: broker.clone(), id, stop, beating })
}

impl Presence {
    /// Takes its leave. Call it when nothing of this process writes any more; a row that can't be removed now
    /// goes out of date by itself.
    pub async fn leave(mut self) {
        self.stop.cancel();
        let _ended = (&mut self.beating).await;
        if let Err(error) = forget(&self.broker, &self.id).await {
            tracing::warn!(error = ?error, process = %self.id, "this process could not take its leave");
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// The processes that are alive, by the broker's clock, oldest first.
pub async fn alive(broker: &Broker) -> Result<Vec<Process>> {
    broker.store.read().await?.any_processes(broker.clock.now().minus(ALIVE)).await
}

async fn go_on(broker: Arc<Broker>, mut process: Process, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = broker.clock.pause(BEAT) => {}
        }
        if let Err(error) = beat(&broker, &mut process).await {
            tracing::warn!(error = ?error, process = %process.id, "this process could not say that it lives");
        }
    }
}

/// Says that the process lives, and forgets those that have long been silent, and what was lent of limits in windows that
/// ended long ago. When it is the database says: this process's clock is set by it each time.
async fn beat(broker: &Broker, process: &mut Process) -> Result<()> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    process.seen_at = conn.time(&broker.clock).await?;
    conn.any_announce_process(process).await?;
    conn.any_purge_processes(process.seen_at.minus(FORGOTTEN)).await?;
    conn.any_purge_budgets(process.seen_at.minus(FORGOTTEN), BUDGETS).await?;
    conn.commit().await
}

async fn forget(broker: &Broker, id: &ProcessId) -> Result<()> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    conn.any_forget_process(id).await?;
    conn.commit().await
}

/// Two processes over one database that can't open what the other seals are a broken installation.
fn warn_of_strangers(us: &Process, other: &Process) {
    for (sealer, reader) in [(us, other), (other, us)] {
        let Some(key) = sealer.key_ids.first().filter(|key| !reader.key_ids.contains(key)) else { continue };
        tracing::warn!(
            %key, seals = %sealer.id, lacks = %reader.id,
            "a process seals with a root key that another one does not hold: it can't open what is stored from now on",
        );
    }
}
