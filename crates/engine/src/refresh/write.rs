//! Write: what a refresh found out goes into the database, until it is there.
//!
//! Each is one transaction that locks the lease's row first, then the credential's, then the connection's. A refresh token
//! may be spent by now: so nothing here gives up while the process lives. Whoever waits is told after a while that it takes
//! too long; the work goes on.

use std::time::{Duration, Instant};

use super::{
    Subject,
    run::{Run, is_exchanged},
    step::{Answer, Left, Unanswered, Why, Written},
    words,
};
use crate::{
    domain::{
        audit::Actor,
        connection::{Connection, Status},
        event::EventKind,
        refresh::{Closed, Intent, Rest},
    },
    error::{Error, ProviderFault, Result},
    fail,
    id::IntentId,
    secret,
    store::Conn,
    time::{Clock, Millis},
    webhook,
};

/// The first pause before a write is tried again; doubled each time.
const FIRST: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST: Duration = Duration::from_secs(15);
/// How long a grant is left alone at least whose token could not be exchanged: each try may cost its refresh token.
const UNEXCHANGED: Duration = Duration::from_secs(30);
/// How long a connection is left alone that could not be refreshed by our own fault, or its operator's.
const OURS: Duration = Duration::from_secs(2);

impl Run {
    /// Writes the new tokens over the version that was seen.
    pub(super) async fn keep(&mut self) -> Written {
        fail::point("before_keep");
        let mut pauses = Pauses::begin();
        let written = loop {
            match self.try_keep().await {
                Ok(written) => break written,
                Err(error) => self.not_yet(&mut pauses, "the refreshed tokens", error).await,
            }
        };
        fail::point("after_keep");
        if written == Written::Gone {
            self.revoke_unkept().await;
        }
        written
    }

    /// Marks the connection as needing its owner, with its event.
    pub(super) async fn end(&mut self, why: Why) -> Written {
        fail::point("before_end");
        let reason = match (why, &self.earlier) {
            (Why::Unknown, Some(earlier)) => words::unknown(self.plan, earlier, self.told),
            _ => self.failed.as_ref().map_or_else(|| "the provider refused".to_owned(), ToString::to_string),
        };
        let mut pauses = Pauses::begin();
        let written = loop {
            match self.try_end(why, &reason).await {
                Ok(written) => break written,
                Err(error) => self.not_yet(&mut pauses, "that it needs its owner", error).await,
            }
        };
        fail::point("after_end");
        written
    }

    /// Has the connection left alone for a while.
    pub(super) async fn rest(&mut self, left: Left) -> Written {
        fail::point("before_rest");
        let mut pauses = Pauses::begin();
        let written = loop {
            match self.try_rest(left).await {
                Ok(written) => break written,
                Err(error) => self.not_yet(&mut pauses, "that a refresh failed", error).await,
            }
        };
        fail::point("after_rest");
        written
    }

    /// Marks our own intent as unknown.
    pub(super) async fn doubt(&mut self) -> Unanswered {
        fail::point("before_doubt");
        let mut pauses = Pauses::begin();
        let earlier = loop {
            match self.try_doubt().await {
                Ok(earlier) => break earlier,
                Err(error) => self.not_yet(&mut pauses, "that an answer is missing", error).await,
            }
        };
        fail::point("after_doubt");
        earlier
    }

    async fn try_doubt(&mut self) -> Result<Unanswered> {
        let (mut conn, now) = self.begin().await?;
        let intent = self.intent.clone().ok_or_else(|| Error::internal("a lost answer without an intent"))?;
        let why = self.failed.as_ref().map_or_else(|| "there was no answer".to_owned(), ToString::to_string);
        conn.any_doubt_intent(&intent, &why, now).await?;
        let found = conn.refresh_intent(&self.subject.workspace_id, &intent).await?;
        conn.commit().await?;
        // Gone with its connection, it is looked at as it was.
        let missing =
            || Unanswered { id: intent.clone(), sent_at: now, unknown_at: now, tries: 1, now, good: false };
        let earlier =
            found.as_ref().map_or_else(missing, |open| self.unanswered(open, &self.held.credential, now));
        self.doubtful = found;
        Ok(earlier)
    }

    async fn try_end(&mut self, why: Why, reason: &str) -> Result<Written> {
        let (mut conn, now) = self.begin().await?;
        let subject = self.subject.clone();
        let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
        if !conn.end_refresh(workspace, id, self.fence()).await? {
            return self.replaced(&mut conn).await;
        }
        let ours = self.doubtful.as_ref().is_none_or(|open| open.connection_id == *id);
        let closed = match why {
            Why::Refused => self.intent.as_ref().map(|intent| (intent, Closed::Refused)),
            // What another connection sent is that one's to give up.
            Why::Unknown => self.earlier.as_ref().filter(|_| ours).map(|open| (&open.id, Closed::GivenUp)),
        };
        if let Some((intent, closed)) = closed {
            conn.any_close_intent(intent, closed, now).await?;
        }
        if !conn.hold_credential(workspace, id, self.seen).await? {
            let written = self.replaced(&mut conn).await?;
            conn.commit().await?;
            return Ok(written);
        }
        let outlived = match why {
            Why::Refused => self.outlived(&mut conn, now).await?,
            Why::Unknown => None,
        };
        if !mark(&mut conn, &subject, outlived.as_deref().unwrap_or(reason), now).await? {
            return Ok(Written::Gone);
        }
        conn.commit().await?;
        Ok(Written::Done)
    }

    /// Why a token is refused that came of a late answer: its parent was sent once more by then, that answer was never
    /// stored, and it may have ended what the first one brought.
    async fn outlived(&self, conn: &mut Conn, now: Millis) -> Result<Option<String>> {
        let held = &self.held.credential;
        let Some(parent) = &held.parent_hash else { return Ok(None) };
        let Subject { workspace_id, connection, .. } = &self.subject;
        let later = conn.unknown_after(workspace_id, &connection.id, parent, held.fence).await?;
        Ok(later.map(|later| words::unknown(self.plan, &self.unanswered(&later, held, now), None)))
    }

    async fn try_rest(&mut self, left: Left) -> Result<Written> {
        let (mut conn, now) = self.begin().await?;
        let subject = self.subject.clone();
        let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
        let failures = conn.refresh_state(workspace, id).await?.map_or(0, |state| state.failures);
        let ours_to_mend;
        let rest = match &self.failed {
            Some(Error::Provider { fault, message }) => {
                Rest { until: self.rests_until(failures, now), fault: *fault, failure: message }
            }
            // Each try leaves rows, whoever is at fault.
            other => {
                ours_to_mend = match other {
                    Some(Error::Internal(_)) | None => {
                        "the database or this program failed: see the log".to_owned()
                    }
                    Some(told) => told.to_string(),
                };
                let (until, fault) = (now.plus(OURS), ProviderFault::Unreachable);
                Rest { until, fault, failure: &ours_to_mend }
            }
        };
        let ours = conn.rest_refresh(workspace, id, self.fence(), rest).await?;
        if !ours {
            conn.lock_refresh(workspace, id).await?;
        }
        if let (Left::Nothing, Some(intent)) = (left, &self.intent) {
            let closed = if self.answer == Some(Answer::Unsent) { Closed::Unsent } else { Closed::Failed };
            withdraw(&mut conn, &subject, intent, self.replaced_intent.as_ref(), closed, now).await?;
        }
        conn.commit().await?;
        Ok(if ours { Written::Done } else { Written::Fenced })
    }

    /// Until when it is left alone after one more failure.
    fn rests_until(&self, failures: i64, now: Millis) -> Millis {
        let jitter = secret::random::<1>().map_or(127, |[byte]| byte);
        let mut pause = words::pause(failures, jitter, self.retry_after);
        let empty = self.held.usable.tokens.access_token.is_empty();
        if empty && is_exchanged(&self.subject.provider) {
            pause = pause.max(UNEXCHANGED);
        }
        let until = now.plus(pause);
        // Once the old token is over there is no more to wait for.
        let good = self.earlier.as_ref().is_some_and(|earlier| earlier.good);
        match self.held.credential.expires_at.filter(|end| good && *end > now) {
            Some(end) => until.min(end),
            None => until,
        }
    }

    /// A transaction, and the database's time in it.
    pub(super) async fn begin(&self) -> Result<(Conn, Millis)> {
        let broker = &self.broker;
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let now = conn.time(&broker.clock).await?;
        Ok((conn, now))
    }

    /// What to say where the lease or the version is not ours any more.
    pub(super) async fn replaced(&self, conn: &mut Conn) -> Result<Written> {
        let found = conn.credential(&self.subject.workspace_id, &self.subject.connection.id).await?;
        Ok(match found {
            None => Written::Gone,
            Some(found) if found.version != self.seen => Written::Moved,
            Some(_) => Written::Fenced,
        })
    }

    pub(super) fn fence(&self) -> i64 {
        self.holding.as_ref().map_or(0, |holding| holding.fence)
    }

    /// Pauses before the next try, and tells whoever waits when that takes too long.
    async fn not_yet(&mut self, pauses: &mut Pauses, what: &str, error: Error) {
        let connection = &self.subject.connection.id;
        tracing::error!(%connection, %what, ?error, "could not be written yet");
        if pauses.began.elapsed() >= self.broker.outbound.total_timeout()
            && let Some(tell) = self.tell.take()
        {
            let _gone = tell.send(Err(Error::internal(format!("{what} of {connection} can't be written"))));
        }
        pauses.pause(&self.broker.clock).await;
    }
}

/// How long a write has been tried, and the pause before it is tried again.
pub(super) struct Pauses {
    began: Instant,
    next: Duration,
}

impl Pauses {
    pub fn begin() -> Self {
        Self { began: Instant::now(), next: FIRST }
    }

    pub async fn pause(&mut self, clock: &Clock) {
        clock.pause(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
    }
}

/// Takes an intent back that spent nothing, whoever has the lease by now. One that it took the place of is open and unknown
/// again, unless it is of an older credential. A connection that was ended because nobody knew of this is healed.
pub(super) async fn withdraw(
    conn: &mut Conn,
    subject: &Subject,
    intent: &IntentId,
    over: Option<&IntentId>,
    closed: Closed,
    now: Millis,
) -> Result<()> {
    let workspace = &subject.workspace_id;
    if conn.any_close_intent(intent, closed, now).await? {
        if let Some(over) = over {
            conn.reopen_intent(workspace, over).await?;
        }
        return Ok(());
    }
    let found = conn.refresh_intent(workspace, intent).await?;
    let given_up = |found: &Intent| found.outcome.as_deref() == Some(Closed::GivenUp.as_str());
    let Some(found) = found.filter(given_up) else { return Ok(()) };
    conn.correct_intent(workspace, intent, closed).await?;
    // Of an earlier sending nobody knows all the same.
    if over.is_some() {
        return Ok(());
    }
    let Some(was) = conn.connection(workspace, &subject.connection.id).await? else { return Ok(()) };
    let ours = was.status == Status::NeedsReauth && words::is_unknown(was.status_reason.as_deref());
    if !ours || !conn.hold_credential(workspace, &was.id, found.version).await? {
        return Ok(());
    }
    conn.set_connection_status(workspace, &was.id, Status::Active, None, now).await?;
    let is = Connection { status: Status::Active, status_reason: None, updated_at: now, ..was };
    webhook::emit(conn, EventKind::ConnectionUpdated, &is, now).await
}

/// Marks a connection as needing its owner, once, with its event; `false` when it is gone.
pub(super) async fn mark(conn: &mut Conn, subject: &Subject, reason: &str, now: Millis) -> Result<bool> {
    let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
    let Some(current) = conn.connection(workspace, id).await? else { return Ok(false) };
    if current.status == Status::NeedsReauth {
        return Ok(true);
    }
    conn.set_connection_status(workspace, id, Status::NeedsReauth, Some(reason), now).await?;
    let status_reason = Some(reason.to_owned());
    let expired = Connection { status: Status::NeedsReauth, status_reason, ..current };
    webhook::emit(conn, EventKind::ConnectionExpired, &expired, now).await?;
    Ok(true)
}

/// A grant whose token could not be exchanged is left alone for a while.
pub(super) fn unexchanged_rest(now: Millis, failure: &str) -> Rest<'_> {
    Rest { until: now.plus(UNEXCHANGED), fault: ProviderFault::Unreadable, failure }
}
