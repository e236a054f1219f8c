//! Looking: what changed since the last time, and which calls may not go on for it.
//!
//! Changes are read each second whatever else there is to do. Calls are looked at again beside that: those that a change
//! names first and by themselves, those of a whole workspace after one another.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{OVER, Open, Standing, Watch};
use crate::{
    broker::Broker,
    error::{Error, Result},
    id::WorkspaceId,
    memory::BLIND,
    proxy::{self, Caller},
    store::{Change, Topic},
};

/// How often it is looked for changes.
pub const EVERY: Duration = Duration::from_secs(1);
/// How many looks there are between two times that what was read long ago is forgotten.
const FORGETS: u32 = 60;
/// How many calls are looked at again at once.
const AT_ONCE: usize = 4;

/// What was found changed.
#[derive(Default)]
pub(super) struct Seen {
    /// By topic and id.
    targets: HashSet<(Topic, String)>,
    /// Workspaces of which something changed that may be about any of their calls.
    workspaces: HashSet<WorkspaceId>,
    /// Changes were missed: it may be anything.
    pub(super) all: bool,
}

impl Seen {
    pub(super) fn add(&mut self, change: Change) {
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

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.workspaces.is_empty() && !self.all
    }

    pub(super) fn concerns(&self, standing: &Standing) -> bool {
        self.all || self.workspaces.contains(&standing.workspace) || self.names(standing)
    }

    /// Whether it concerns a call only as one of many.
    pub(super) fn is_wide(&self, standing: &Standing) -> bool {
        self.concerns(standing) && !self.names(standing)
    }

    /// Whether something changed that this very call stands on.
    fn names(&self, standing: &Standing) -> bool {
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
    /// Calls that a change is about by name.
    named: Lane,
    /// Calls of a whole workspace, or all of them: they may be many, and nobody else waits for them.
    wide: Lane,
}

impl Look {
    /// Before the first look.
    pub fn new() -> Self {
        Self { seq: None, seen_at: Instant::now(), named: Lane::new(2), wide: Lane::new(1) }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::new()
    }
}

/// Looks every second, until `stop`. How long it takes to look at calls again holds no look at changes up.
pub async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let mut look = Look::new();
    for nth in 1_u32.. {
        if nth.is_multiple_of(FORGETS) {
            broker.forget_old();
        }
        if let Err(error) = find(&broker, &mut look).await {
            tracing::warn!(?error, "it could not be looked what changed");
        }
        if look.seen_at.elapsed() > BLIND {
            cut_all(&broker.watch);
        }
        look.named.go_on(&broker);
        look.wide.go_on(&broker);
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
pub async fn once(broker: &Arc<Broker>, look: &mut Look) -> Result<()> {
    find(broker, look).await?;
    look.named.finish(broker).await;
    look.wide.finish(broker).await;
    Ok(())
}

/// Finds the calls that are to be looked at again.
async fn find(broker: &Broker, look: &mut Look) -> Result<()> {
    let seen = changes(broker, look).await?;
    look.seen_at = Instant::now();
    if !seen.is_empty() {
        broker.watch.turn.fetch_add(1, Ordering::AcqRel);
    }
    for open in broker.watch.touched(&seen) {
        let lane = if seen.is_wide(&open.standing) { &mut look.wide } else { &mut look.named };
        lane.waiting.push(open);
    }
    Ok(())
}

/// Calls that are looked at again beside the looking.
struct Lane {
    waiting: Vec<Arc<Open>>,
    /// What each gives back could not be looked at, and waits for the next time.
    judging: JoinSet<Vec<Arc<Open>>>,
    /// How many of these there are at most.
    most: usize,
}

impl Lane {
    fn new(most: usize) -> Self {
        Self { waiting: Vec::new(), judging: JoinSet::new(), most }
    }

    /// Begins with those that wait.
    fn begin(&mut self, broker: &Arc<Broker>) {
        if self.waiting.is_empty() || self.judging.len() >= self.most {
            return;
        }
        let (broker, calls) = (broker.clone(), std::mem::take(&mut self.waiting));
        self.judging.spawn(async move { judge(&broker, calls).await });
    }

    /// Goes on without waiting for anything.
    fn go_on(&mut self, broker: &Arc<Broker>) {
        while let Some(left) = self.judging.try_join_next() {
            self.keep(broker, left);
        }
        self.begin(broker);
    }

    /// Looks at all that wait, to the end.
    async fn finish(&mut self, broker: &Arc<Broker>) {
        self.begin(broker);
        while let Some(left) = self.judging.join_next().await {
            self.keep(broker, left);
        }
    }

    fn keep(&mut self, broker: &Broker, left: std::result::Result<Vec<Arc<Open>>, JoinError>) {
        match left {
            Ok(mut left) => self.waiting.append(&mut left),
            // Which calls those were is lost with it: it may be any.
            Err(error) => {
                tracing::error!(%error, "whether calls may go on was not looked up to its end");
                self.waiting = broker.watch.all();
            }
        }
    }
}

/// What changed since the last look. The numbers have no gap: where there is one, the log was pruned meanwhile.
async fn changes(broker: &Broker, look: &mut Look) -> Result<Seen> {
    let mut seen = Seen::default();
    let board = broker.store.board();
    let mut conn = broker.store.read().await?;
    let head = conn.any_last_change().await?;
    let Some(mut seq) = look.seq else {
        (look.seq, seen.all) = (Some(head), true);
        board.put_all();
        board.looked();
        return Ok(seen);
    };
    while seq < head {
        let found = conn.any_changes_after(seq).await?;
        if found.first().is_none_or(|first| first.seq != seq + 1) {
            seen.all = true;
            board.put_all();
        }
        seq = found.last().map_or(head, |last| last.seq);
        board.put(found.iter().map(Change::note));
        found.into_iter().for_each(|change| seen.add(change));
    }
    look.seq = Some(seq);
    board.looked();
    Ok(seen)
}

/// Cuts the calls that would be refused now; gives back those of which that can't be told. Calls that stand on the same
/// are looked at together.
async fn judge(broker: &Broker, calls: Vec<Arc<Open>>) -> Vec<Arc<Open>> {
    let mut alike: HashMap<String, Vec<Arc<Open>>> = HashMap::new();
    for open in calls.into_iter().filter(|open| !open.is_cut()) {
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
    let all: Vec<_> = watch.all().into_iter().filter(|open| !open.is_cut()).collect();
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
