//! Listen: whoever knows a request's id waits for how it ends.
//!
//! Ends are rows, written in the transaction that makes them true, so any process tells what another wrote. One look for
//! all who wait here, four times a second and only while somebody does. Who waits costs a place, and places are bounded:
//! nobody shows a credential here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::handoff::{Ended, Failure};
use crate::{
    broker::Broker,
    error::{Error, Limit, Result},
    id::WorkspaceId,
    vault::hash,
};

/// How often it is looked for ends.
const EVERY: Duration = Duration::from_millis(250);
/// How far back: a commit may come this long after the time that its transaction was begun at.
const BACK: Duration = Duration::from_secs(60);
/// The pause after the database failed.
const AGAIN: Duration = Duration::from_secs(2);

/// How many may wait, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From one address.
    pub per_address: usize,
    /// In this process.
    pub all: usize,
    /// Until they are sent away.
    pub life: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { per_address: 32, all: 2000, life: Duration::from_secs(15 * 60) }
    }
}

/// How a request ended, for whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whose it was.
    pub workspace_id: WorkspaceId,
    /// How.
    pub ended: Ended,
}

/// Who waits in this process.
#[derive(Debug, Default)]
pub struct Listeners {
    /// How many may.
    pub bounds: Bounds,
    waiting: Mutex<Waiting>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the hash of their request's id.
    by_request: HashMap<String, Vec<(u64, oneshot::Sender<Heard>)>>,
    by_address: HashMap<String, usize>,
    all: usize,
    next: u64,
    looking: bool,
}

/// One who waits. Dropped, its place is free.
#[derive(Debug)]
pub struct Listener {
    heard: oneshot::Receiver<Heard>,
    of: Arc<Listeners>,
    nth: u64,
    request: String,
    address: String,
}

impl Listeners {
    /// With other bounds than the usual ones.
    pub fn bounded(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Sends everybody away, and lets nobody in any more.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().all
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    fn enter(self: &Arc<Self>, request: String, address: &str) -> Result<Listener> {
        let (sender, heard) = oneshot::channel();
        let mut waiting = self.lock();
        let here = waiting.by_address.get(address).copied().unwrap_or_default();
        if here >= self.bounds.per_address || waiting.all >= self.bounds.all || self.closed.is_cancelled() {
            return Err(Error::Limited { limit: Limit::Listeners, retry_after: Duration::from_secs(10) });
        }
        let nth = waiting.next;
        waiting.next += 1;
        waiting.all += 1;
        waiting.by_address.insert(address.to_owned(), here + 1);
        waiting.by_request.entry(request.clone()).or_default().push((nth, sender));
        drop(waiting);
        Ok(Listener { heard, of: self.clone(), nth, request, address: address.to_owned() })
    }

    /// Tells everybody who waits for this request.
    fn tell(&self, request: &str, heard: &Heard) {
        let found = self.lock().by_request.remove(request).unwrap_or_default();
        for (_, listener) in found {
            let _gone = listener.send(heard.clone());
        }
    }

    /// Whether there is somebody to look for; if not, looking has ended when this returns.
    fn is_wanted(&self) -> bool {
        let mut waiting = self.lock();
        waiting.looking = !waiting.by_request.is_empty() && !self.closed.is_cancelled();
        waiting.looking
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.of.lock();
        waiting.all = waiting.all.saturating_sub(1);
        if let Some(here) = waiting.by_address.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                waiting.by_address.remove(&self.address);
            }
        }
        if let Some(all) = waiting.by_request.get_mut(&self.request) {
            all.retain(|(nth, _)| *nth != self.nth);
            if all.is_empty() {
                waiting.by_request.remove(&self.request);
            }
        }
    }
}

impl Listener {
    /// Waits for the end; `None` when the time is over, or everybody is sent away. Dropped and called again, it goes on.
    pub async fn heard(&mut self) -> Option<Heard> {
        tokio::select! {
            heard = &mut self.heard => heard.ok(),
            () = self.of.closed.cancelled() => None,
        }
    }
}

/// Waits for the end of a request, by the id that its caller made up. One that nobody has used is waited for as well.
///
/// # Errors
/// `Invalid` for what can't be such an id; `Limited` when too many wait, from this address or altogether.
pub async fn listen(
    broker: &Arc<Broker>,
    listeners: &Arc<Listeners>,
    request: &str,
    address: &str,
) -> Result<Listener> {
    let request = request_hash(request)?;
    let listener = listeners.enter(request.clone(), address)?;
    if let Some(heard) = ended(broker, &request).await? {
        listeners.tell(&request, &heard);
        return Ok(listener);
    }
    // Checked and set under one lock: of those who come at once, one looks for all.
    let first = !std::mem::replace(&mut listeners.lock().looking, true);
    if first {
        tokio::spawn(look(broker.clone(), listeners.clone()));
    }
    Ok(listener)
}

/// The hash that a request's id is kept by.
///
/// # Errors
/// `Invalid` unless it is 16 to 128 letters, digits, `_` and `-`: a shorter one could be guessed by whoever listens.
pub(crate) fn request_hash(id: &str) -> Result<String> {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !plain || !(16..=128).contains(&id.len()) {
        let text = "must be 16 to 128 letters, digits, underscores and hyphens";
        return Err(Error::invalid("requestId", text));
    }
    Ok(hash::token(id))
}

async fn look(broker: Arc<Broker>, listeners: Arc<Listeners>) {
    while listeners.is_wanted() {
        let pause = match once(&broker, &listeners).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(?error, "it could not be looked for ended connect requests");
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn once(broker: &Broker, listeners: &Listeners) -> Result<()> {
    let since = broker.clock.now().minus(BACK);
    let all = broker.store.read().await?.any_ended_requests(since).await?;
    for request in all {
        if listeners.lock().by_request.contains_key(&request)
            && let Some(heard) = ended(broker, &request).await?
        {
            listeners.tell(&request, &heard);
        }
    }
    Ok(())
}

/// How the request with this hash ended; `None` while it has not.
pub(crate) async fn ended(broker: &Broker, request: &str) -> Result<Option<Heard>> {
    let Some(row) = broker.store.read().await?.any_ended_request(request).await? else { return Ok(None) };
    let ended = match (row.connection_id, row.error) {
        (Some(connection), _) => Ended::Connected(connection.to_string()),
        (None, Some(error)) => Ended::Failed(Failure::from_text(&error)?),
        (None, None) => return Err(Error::internal("a connect request ended without an end")),
    };
    Ok(Some(Heard { workspace_id: row.workspace_id, ended }))
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
