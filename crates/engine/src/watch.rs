//! Watch: calls under way are cut when what they stand on ends, in whichever process that was said.
//!
//! Each proxied call has a [`Ticket`] while it lasts. Every second a job reads what changed since it last looked (see
//! [`crate::store::change`]) and looks again at whatever calls stand on it: a connection that was frozen or ended, an
//! API key that was revoked, a user who was disabled or signed out, an integration that the user no longer sees. It must
//! never decide anything that the proxy would decide otherwise: who may call is said in [`crate::proxy`] alone.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt as _, task::AtomicWaker};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    error::{Error, Result},
    id::{ConnectionId, IntegrationId, WorkspaceId},
    proxy::{self, Caller},
    store::{Change, Topic},
};

mod cut;

pub(crate) use cut::{Ended, until_cut};

/// How often it is looked for changes.
pub const EVERY: Duration = Duration::from_secs(1);
/// For how long changes may be out of sight before every call is cut: one of them may stand on nothing any more.
pub const BLIND: Duration = Duration::from_secs(60);
/// Calls are kept in so many parts, each with a lock of its own.
const PARTS: u64 = 16;
/// How many calls are looked at again at once.
const AT_ONCE: usize = 4;

/// The calls under way in this process.
#[derive(Default)]
pub struct Watch {
    parts: [Mutex<HashMap<u64, Arc<Open>>>; PARTS as usize],
    next: AtomicU64,
    /// How often something was found changed. Who enters with an older number may have read what was before it.
    turn: AtomicU64,
    /// Calls that entered so.
    late: Mutex<Vec<Arc<Open>>>,
}

/// What a call stands on.
pub(crate) struct Standing {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The connection that it is made with.
    pub connection: ConnectionId,
    /// The connection's integration.
    pub integration: IntegrationId,
    /// Who calls.
    pub caller: Caller,
}

/// A call under way.
struct Open {
    standing: Standing,
    cut: AtomicBool,
    why: Mutex<Option<Error>>,
    waker: AtomicWaker,
}

/// A call's place among those that are watched. Dropped, the place is given up.
pub(crate) struct Ticket {
    of: Arc<Watch>,
    nth: u64,
    open: Arc<Open>,
}

impl Watch {
    /// Which turn it is. Read it before what a call stands on is read.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }

    /// Takes a place for a call whose standing was read in or after this turn.
    pub(crate) fn enter(self: &Arc<Self>, turn: u64, standing: Standing) -> Ticket {
        let open =
            Open { standing, cut: AtomicBool::new(false), why: Mutex::default(), waker: AtomicWaker::new() };
        let (open, nth) = (Arc::new(open), self.next.fetch_add(1, Ordering::Relaxed));
        self.part(nth).insert(nth, open.clone());
        // After the insertion: whoever moves the turn on from here finds the call in its place.
        if self.turn() != turn {
            lock(&self.late).push(open.clone());
        }
        Ticket { of: self.clone(), nth, open }
    }

    /// How many calls are under way.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn part(&self, nth: u64) -> MutexGuard<'_, HashMap<u64, Arc<Open>>> {
        // A remainder of the number of parts is a place among them.
        lock(&self.parts[(nth % PARTS) as usize])
    }

    /// The calls that any of these changes may be about.
    fn touched(&self, seen: &Seen) -> Vec<Arc<Open>> {
        let mut found: Vec<_> = lock(&self.late).drain(..).collect();
        if seen.is_empty() {
            return found;
        }
        for part in &self.parts {
            let part = lock(part);
            found.extend(part.values().filter(|open| seen.concerns(&open.standing)).cloned());
        }
        found
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("calls", &self.len()).finish_non_exhaustive()
    }
}

impl Open {
    fn cut(&self, why: Error) {
        lock(&self.why).get_or_insert(why);
        self.cut.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Ticket {
    /// Ready once the call is cut. One task at a time may ask.
    pub(crate) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cut() {
            return Poll::Ready(());
        }
        self.open.waker.register(cx.waker());
        // Once more: it may have been cut before the waker was there.
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the call is cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.open.cut.load(Ordering::Acquire)
    }

    /// Waits until the call is cut, and says why.
    pub(crate) async fn cut(&self) -> Error {
        std::future::poll_fn(|cx| self.poll_cut(cx)).await;
        lock(&self.open.why).take().unwrap_or_else(|| Error::Denied { message: OVER.to_owned() })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.of.part(self.nth).remove(&self.nth);
    }
}

/// What a caller reads whose call was cut for no better reason.
const OVER: &str = "Whether this call may go on can't be told at present";

/// What was found changed.
#[derive(Default)]
struct Seen {
    /// By topic and id.
    targets: HashSet<(Topic, String)>,
    /// Workspaces of which something changed that may be about any of their calls.
    workspaces: HashSet<WorkspaceId>,
    /// Changes were missed: it may be anything.
    all: bool,
}

impl Seen {
    fn add(&mut self, change: Change) {
        match (change.topic, change.workspace_id) {
            // Another token of the same connection, or where webhooks go, ends no call.
            (Topic::Credential | Topic::Endpoint | Topic::Operator, _) => {}
            (Topic::Workspace | Topic::Other, Some(workspace)) => {
                self.workspaces.insert(workspace);
            }
            (Topic::Other, None) => self.all = true,
            (topic, _) => {
                self.targets.insert((topic, change.target));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.workspaces.is_empty() && !self.all
    }

    fn concerns(&self, standing: &Standing) -> bool {
        if self.all || self.workspaces.contains(&standing.workspace) {
            return true;
        }
        let named = |topic, id: &str| self.targets.contains(&(topic, id.to_owned()));
        let by = match &standing.caller {
            Caller::Key { key, .. } => named(Topic::ApiKey, key.id.as_str()),
            Caller::Member { member, .. } => {
                named(Topic::User, member.user.id.as_str())
                    || member.teams.iter().any(|team| named(Topic::Team, team))
            }
            Caller::Customer { .. } => false,
        };
        by || named(Topic::Connection, standing.connection.as_str())
            || named(Topic::Integration, standing.integration.as_str())
    }
}

/// Where the looking stands.
pub struct Look {
    /// The last change that was read; none yet.
    seq: Option<i64>,
    seen_at: Instant,
    /// Calls whose standing could not be looked at, for the next time.
    left: Vec<Arc<Open>>,
}

impl Look {
    /// Before the first look.
    pub fn new() -> Self {
        Self { seq: None, seen_at: Instant::now(), left: Vec::new() }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::new()
    }
}

/// Looks every second, until `stop`.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let mut look = Look::new();
    loop {
        if let Err(error) = once(&broker, &mut look).await {
            tracing::warn!(?error, "it could not be looked what changed");
        }
        if look.seen_at.elapsed() > BLIND {
            cut_all(&broker.watch);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = broker.clock.pause(EVERY) => {}
        }
    }
}

/// Looks once what changed, and cuts what stands on nothing any more.
///
/// # Errors
/// `Internal` when the database fails; nothing is forgotten by it, the next look begins where this one did.
pub async fn once(broker: &Broker, look: &mut Look) -> Result<()> {
    let seen = changes(broker, look).await?;
    look.seen_at = Instant::now();
    if !seen.is_empty() {
        broker.watch.turn.fetch_add(1, Ordering::AcqRel);
    }
    let mut calls = broker.watch.touched(&seen);
    // Again what could not be judged the last time.
    calls.append(&mut look.left);
    look.left = judge(broker, calls).await;
    Ok(())
}

/// What changed since the last look. The numbers have no gap: where there is one, the log was pruned meanwhile.
async fn changes(broker: &Broker, look: &mut Look) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut conn = broker.store.read().await?;
    let head = conn.any_last_change().await?;
    let Some(mut seq) = look.seq else {
        (look.seq, seen.all) = (Some(head), true);
        return Ok(seen);
    };
    while seq < head {
        let found = conn.any_changes_after(seq).await?;
        seen.all |= found.first().is_none_or(|first| first.seq != seq + 1);
        seq = found.last().map_or(head, |last| last.seq);
        found.into_iter().for_each(|change| seen.add(change));
    }
    look.seq = Some(seq);
    Ok(seen)
}

/// Cuts the calls that would be refused now; gives back those of which that can't be told. Calls that stand on the same
/// are looked at together.
async fn judge(broker: &Broker, calls: Vec<Arc<Open>>) -> Vec<Arc<Open>> {
    let mut alike: HashMap<String, Vec<Arc<Open>>> = HashMap::new();
    for open in calls.into_iter().filter(|open| !open.cut.load(Ordering::Acquire)) {
        let same = format!("{} {}", open.standing.caller.who(), open.standing.connection);
        alike.entry(same).or_default().push(open);
    }
    let judged = futures_util::stream::iter(alike.into_values()).map(|calls| judge_alike(broker, calls));
    judged.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().flatten().collect()
}

async fn judge_alike(broker: &Broker, calls: Vec<Arc<Open>>) -> Vec<Arc<Open>> {
    let Some(first) = calls.first() else { return calls };
    match proxy::still(broker, &first.standing.caller, &first.standing.connection).await {
        Ok(()) => Vec::new(),
        Err(Error::Internal(error)) => {
            tracing::warn!(?error, "whether calls may go on could not be looked up");
            calls
        }
        Err(why) => {
            cut(&calls, &why);
            Vec::new()
        }
    }
}

fn cut(calls: &[Arc<Open>], why: &Error) {
    let connection = calls.first().map(|open| open.standing.connection.to_string());
    tracing::info!(calls = calls.len(), connection, %why, "calls under way were cut");
    for open in calls {
        open.cut(said(why));
    }
}

/// The same once more, for each of those who are told.
fn said(why: &Error) -> Error {
    match why {
        Error::NotFound { what } => Error::NotFound { what },
        Error::Unauthenticated { message } => Error::Unauthenticated { message: message.clone() },
        other => Error::Denied { message: other.to_string() },
    }
}

fn cut_all(watch: &Watch) {
    let all: Vec<_> =
        watch.parts.iter().flat_map(|part| lock(part).values().cloned().collect::<Vec<_>>()).collect();
    let all: Vec<_> = all.into_iter().filter(|open| !open.cut.load(Ordering::Acquire)).collect();
    if !all.is_empty() {
        tracing::error!(
            calls = all.len(),
            "the database was out of sight for too long: calls under way were cut"
        );
    }
    for open in all {
        open.cut(Error::Denied { message: OVER.to_owned() });
    }
}

#[cfg(test)]
mod tests;
