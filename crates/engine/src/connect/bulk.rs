//! Bulk: many connections frozen, thawed or ended at once, with a line on each of what came of it.
//!
//! First they are chosen, then something is done to them: what is shown before is what is done after. Broken off
//! anywhere it can be run again, and what was done already is told as it was then. Before many are ended they are all
//! frozen and marked as ending: whoever holds a leaked key can't use one that waits for its turn, and connections of one
//! grant that end together don't keep it alive for each other. A provider is asked by a few at a time, so that none is
//! flooded and a slow one holds up no other. How one connection ends is `end`'s.

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

use super::{end, persist::insist, revoke::Patience};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Owner, Status},
        revocation::Outcome,
    },
    error::{Error, Result},
    id::{ConnectionId, WorkspaceId},
    store::{Choice, Conn},
    time::Millis,
};

/// How many are read at once.
const PAGE: i64 = 500;
/// How many are changed in one transaction: few enough that nobody waits for it.
const AT_ONCE: usize = 100;
/// How many of one provider's end at once.
const PER_PROVIDER: usize = 4;
/// How many end at once in all.
const IN_ALL: usize = 32;

/// What is done to many connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// No call is made with them any more, and nothing is lost.
    Freeze,
    /// They can be used again.
    Thaw,
    /// They end, as by [`end()`](super::end()).
    End,
}

/// Which connections.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// All that this fits.
    Like(Choice),
    /// These.
    These(Vec<ConnectionId>),
}

/// A connection that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its id.
    pub id: ConnectionId,
    /// Its integration's key.
    pub integration: String,
    /// The key of the provider that it is at.
    pub provider: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it could be used.
    pub status: Status,
    /// Since when it was frozen.
    pub frozen_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// What came of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: ConnectionId,
    /// What it was; `None` for one that is not there.
    pub was: Option<Chosen>,
    /// What came of it.
    pub end: End,
    /// Why, in the provider's words where it has any.
    pub detail: String,
    /// When.
    pub at: Millis,
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing yet: it was only chosen.
    Chosen,
    /// It is frozen.
    Frozen,
    /// It is not frozen any more.
    Thawed,
    /// It is as it was, for that was right already.
    Unchanged,
    /// It is gone, and this became of its grant.
    Ended(Outcome),
    /// There is none in this workspace, and no trace of one that ended.
    Missing,
    /// Our own fault: it is as it was, and can be tried again.
    NotDone,
}

impl End {
    /// As reports name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Frozen => "frozen",
            Self::Thawed => "unfrozen",
            Self::Unchanged => "unchanged",
            Self::Ended(outcome) => outcome.as_str(),
            Self::Missing => "missing",
            Self::NotDone => "not_done",
        }
    }

    /// Whether somebody has to look after it.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Ended(Outcome::Failed) | Self::Missing | Self::NotDone)
    }
}

/// Chooses connections, in the order in which they were made. Of ids that are named and not there it says what became of
/// them.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn choose(
    broker: &Broker,
    workspace: &WorkspaceId,
    wanted: &Wanted,
) -> Result<(Vec<Chosen>, Vec<Line>)> {
    let mut conn = broker.store.read().await?;
    let mut names = Names::default();
    let (mut chosen, mut gone) = (Vec::new(), Vec::new());
    match wanted {
        Wanted::Like(choice) => {
            let mut after = None;
            loop {
                let page = conn.chosen_connections(workspace, choice, after.as_ref(), PAGE).await?;
                after = page.last().map(|last| last.id.clone()).or(after);
                let full = i64::try_from(page.len()).is_ok_and(|read| read == PAGE);
                for connection in page {
                    chosen.extend(names.chosen(&mut conn, connection).await?);
                }
                if !full {
                    break;
                }
            }
        }
        Wanted::These(ids) => {
            let mut seen = std::collections::HashSet::new();
            for id in ids.iter().filter(|id| seen.insert(*id)) {
                match conn.connection(workspace, id).await? {
                    Some(connection) => chosen.extend(names.chosen(&mut conn, connection).await?),
                    None => gone.push(remembered(&mut conn, workspace, id, broker.clock.now()).await?),
                }
            }
        }
    }
    Ok((chosen, gone))
}

/// The integrations' keys and providers, each looked up once.
#[derive(Default)]
struct Names(HashMap<(String, Option<String>), (String, String)>);

impl Names {
    /// `None` for a connection whose integration was removed meanwhile: it is gone as well.
    async fn chosen(&mut self, conn: &mut Conn, it: Connection) -> Result<Option<Chosen>> {
        let at = (it.integration_id.to_string(), it.auth_option.clone());
        if !self.0.contains_key(&at) {
            let (of, option) = (&it.integration_id, it.auth_option.as_deref());
            let Some(found) = conn.integration_as(&it.workspace_id, of, option).await? else {
                return Ok(None);
            };
            self.0.insert(at.clone(), (found.key, found.provider));
        }
        let named = self.0.get(&at).cloned();
        Ok(named.map(|(integration, provider)| Chosen {
            id: it.id,
            integration,
            provider,
            owner: it.owner,
            status: it.status,
            frozen_at: it.frozen_at,
            created_at: it.created_at,
        }))
    }
}

/// What is known of a connection that is not there.
async fn remembered(
    conn: &mut Conn,
    workspace: &WorkspaceId,
    id: &ConnectionId,
    now: Millis,
) -> Result<Line> {
    let line = |end, detail, at| Line { id: id.clone(), was: None, end, detail, at };
    let told = conn.revocation_of(workspace, id).await?;
    Ok(match told.as_ref().and_then(|told| Some((told, Outcome::parse(&told.outcome)?))) {
        Some((told, outcome)) => {
            let why = if told.detail.is_empty() { String::new() } else { format!(": {}", told.detail) };
            line(End::Ended(outcome), format!("it had ended before{why}"), told.at)
        }
        None => line(End::Missing, "there is no such connection in this workspace".to_owned(), now),
    })
}

/// The line on one that is only to be shown.
pub fn only_chosen(was: Chosen, now: Millis) -> Line {
    let detail = was.frozen_at.map(|at| format!("frozen since {}", at.rfc3339())).unwrap_or_default();
    Line { id: was.id.clone(), was: Some(was), end: End::Chosen, detail, at: now }
}

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
        Verb::Freeze | Verb::Thaw => work.set(chosen),
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
    /// What came of the next one, as soon as it is known; `None` when all are through.
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
    /// Freezes or thaws them, some in each transaction.
    fn set(self: Arc<Self>, chosen: Vec<Chosen>) -> BoxStream<'static, Line> {
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
        let mut lines = Vec::with_capacity(chunk.len());
        for was in chunk {
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
            lines.push(Line { id: was.id.clone(), was: Some(was.clone()), end, detail, at: now });
        }
        conn.commit().await?;
        Ok(lines)
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
