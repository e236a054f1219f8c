//! Work: something is done to many connections, as fast as harms nobody.
//!
//! Before many are ended they are all frozen and marked as ending: whoever holds a leaked key can't use one that waits for
//! its turn, and connections of one grant that end together don't keep it alive for each other. A provider is asked by a
//! few at a time, so that none is flooded and a slow one holds up no other.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::{
    StreamExt as _,
    future::ready,
    stream::{self, BoxStream},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    super::{end, persist::insist, revoke::Patience},
    Chosen, End, Line, Verb, remembered,
};
use crate::{
    broker::Broker,
    domain::audit::Actor,
    error::{Error, Result},
    id::WorkspaceId,
    time::Millis,
};

/// How many are changed in one transaction: few enough that nobody waits for it.
const AT_ONCE: usize = 100;
/// How many of one provider's end at once.
const PER_PROVIDER: usize = 4;
/// How many end at once in all.
const IN_ALL: usize = 32;

/// Begins to do it to each of the chosen.
pub fn run(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    verb: Verb,
    chosen: Vec<Chosen>,
    actor: Actor,
) -> Running {
    let stop = CancellationToken::new();
    let (broker, workspace) = (broker.clone(), workspace.clone());
    let work = Arc::new(Work { broker, workspace, verb, actor, stop: stop.clone() });
    let lines = match verb {
        Verb::Freeze | Verb::Thaw => work.set(&chosen),
        Verb::End => stream::once(work.end(chosen)).flatten().boxed(),
    };
    Running { lines, stop }
}

/// Something that is being done to many connections. It goes on only while it is asked for its lines.
pub struct Running {
    lines: BoxStream<'static, Line>,
    stop: CancellationToken,
}

impl Running {
    /// What came of the next one; `None` when all are through. What is frozen or thawed comes in the order in which it was
    /// chosen, what ends as soon as it is known.
    pub async fn next(&mut self) -> Option<Line> {
        self.lines.next().await
    }

    /// Begins nothing new; what is under way comes to its end, and is told.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// What is done, and for whom.
struct Work {
    broker: Arc<Broker>,
    workspace: WorkspaceId,
    verb: Verb,
    actor: Actor,
    stop: CancellationToken,
}

impl Work {
    /// Freezes or thaws them, some in each transaction, and tells of them in the order in which they were chosen.
    fn set(self: Arc<Self>, chosen: &[Chosen]) -> BoxStream<'static, Line> {
        let chunks: Vec<Vec<Chosen>> = chosen.chunks(AT_ONCE).map(<[Chosen]>::to_vec).collect();
        let going = self.clone();
        stream::iter(chunks)
            .take_while(move |_| ready(!going.stop.is_cancelled()))
            .then(move |chunk| {
                let work = self.clone();
                async move { stream::iter(work.set_some(chunk).await) }
            })
            .flatten()
            .boxed()
    }

    async fn set_some(&self, chunk: Vec<Chosen>) -> Vec<Line> {
        let what = format!("{:?} of {} connections", self.verb, chunk.len());
        let set = insist(&self.broker.clock, &what, || self.try_set(&chunk)).await;
        set.unwrap_or_else(|error| {
            let now = self.broker.clock.now();
            chunk.into_iter().map(|was| not_done(was, &error, now)).collect()
        })
    }

    async fn try_set(&self, chunk: &[Chosen]) -> Result<Vec<Line>> {
        let now = self.broker.clock.now();
        let to = (self.verb != Verb::Thaw).then_some(now);
        let mut conn = self.broker.store.begin(self.actor.clone(), now).await?;
        let mut lines = HashMap::with_capacity(chunk.len());
        // All lock them in one order, so that nobody waits for each other.
        let mut in_order: Vec<_> = chunk.iter().collect();
        in_order.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        for was in in_order {
            let there = conn.connection(&self.workspace, &was.id).await?;
            let (end, detail) = match there {
                None => (End::Missing, "it ended meanwhile".to_owned()),
                Some(there) if there.frozen_at.is_some() == to.is_some() => {
                    let since = there.frozen_at.map(|at| format!("frozen since {}", at.rfc3339()));
                    (End::Unchanged, since.unwrap_or_default())
                }
                Some(_) => {
                    conn.freeze_connection(&self.workspace, &was.id, to).await?;
                    (if to.is_some() { End::Frozen } else { End::Thawed }, String::new())
                }
            };
            if self.verb == Verb::End {
                conn.mark_ending(&self.workspace, &was.id).await?;
            }
            let line = Line { id: was.id.clone(), was: Some(was.clone()), end, detail, at: now };
            lines.insert(&was.id, line);
        }
        conn.commit().await?;
        Ok(chunk.iter().filter_map(|was| lines.remove(&was.id)).collect())
    }

    /// Stops all of them, and then ends each. What could not be stopped is ended all the same.
    async fn end(self: Arc<Self>, chosen: Vec<Chosen>) -> BoxStream<'static, Line> {
        for chunk in chosen.chunks(AT_ONCE) {
            if self.stop.is_cancelled() {
                break;
            }
            self.set_some(chunk.to_vec()).await;
        }
        let mut lanes: BTreeMap<String, Vec<Chosen>> = BTreeMap::new();
        for one in chosen {
            lanes.entry(one.provider.clone()).or_default().push(one);
        }
        let places = Arc::new(Semaphore::new(IN_ALL));
        let lanes = lanes.into_values().map(|lane| {
            let (work, going) = (self.clone(), self.clone());
            let (places, patience) = (places.clone(), Arc::new(Patience::some()));
            stream::iter(lane)
                .take_while(move |_| ready(!going.stop.is_cancelled()))
                .map(move |was| work.clone().end_one(was, places.clone(), patience.clone()))
                .buffer_unordered(PER_PROVIDER)
                .boxed()
        });
        stream::select_all(lanes).boxed()
    }

    async fn end_one(self: Arc<Self>, was: Chosen, places: Arc<Semaphore>, patience: Arc<Patience>) -> Line {
        let _place = places.acquire_owned().await;
        let ended = end::end_one(&self.broker, &self.workspace, &was.id, self.actor.clone(), patience).await;
        let now = self.broker.clock.now();
        let line = |end, detail| Line { id: was.id.clone(), was: Some(was.clone()), end, detail, at: now };
        match ended {
            Ok(told) => line(End::Ended(told.outcome), told.detail),
            Err(Error::NotFound { .. }) => {
                let known = async {
                    let mut conn = self.broker.store.read().await?;
                    remembered(&mut conn, &self.workspace, &was.id, now).await
                };
                match known.await {
                    Ok(known) => Line { was: Some(was), ..known },
                    Err(error) => not_done(was, &error, now),
                }
            }
            Err(error) => not_done(was, &error, now),
        }
    }
}

fn not_done(was: Chosen, error: &Error, at: Millis) -> Line {
    if let Error::Internal(cause) = error {
        tracing::error!(connection = %was.id, ?cause, "a connection could not be changed");
    }
    let detail = match error {
        Error::Internal(_) => "the database or this program failed: see the log".to_owned(),
        told => told.to_string(),
    };
    Line { id: was.id.clone(), was: Some(was), end: End::NotDone, detail, at }
}
