//! Run: one refresh, performed.
//!
//! [`Step`] decides, and each of its actions is done here or in a file of its own: `claim`, `ask`, `write`. It runs as a
//! task of its own, so that a caller who hangs up, or has waited long enough, can't leave a spent refresh token without
//! its answer being written. No transaction and no connection of the pool is held while the provider or another process
//! is waited for.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_catalog::Provider;
use tokio::sync::oneshot;

use super::{
    Held, Subject, Usable, ask,
    flight::{Alone, Turn},
    lease::Holding,
    line, load,
    step::{Action, Answer, Event, Outcome, Plan, Step, Unanswered},
    words,
    write::mark,
};
use crate::{
    broker::Broker,
    connect::{
        introspect::{self, Told},
        persist::persist,
    },
    domain::{audit::Actor, connection::Status, refresh::Intent},
    error::{Error, ProviderFault, Result},
    id::{IntentId, ProcessId},
    secret,
};

/// Between two looks at a refresh that somebody else is at: from, and how much more at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

/// What is said of a grant whose token could not be exchanged for the one that calls carry.
pub(super) const UNEXCHANGED: &str =
    "the refreshed token could not be exchanged; it is tried again in a while";

/// Why a refresh is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The token is about to expire, by this process's clock: at the latest so long before it does, where its provider has
    /// a margin of its own.
    Due(Option<Duration>),
    /// Somebody asks for it.
    Asked,
    /// The provider did not take the token.
    Refused,
}

/// One refresh under way.
pub(super) struct Run {
    pub broker: Arc<Broker>,
    pub subject: Subject,
    /// The version of the credential that is to be replaced.
    pub seen: i64,
    pub cause: Cause,
    /// What names this run among all others, in the lease.
    pub owner: String,
    /// The credential of that version.
    pub held: Held,
    /// The hash of the refresh token that is spent, where one is.
    pub token_hash: Option<String>,
    pub plan: Plan,
    /// The lease, once it is ours.
    pub holding: Option<Holding>,
    /// Our intent, once it is written.
    pub intent: Option<IntentId>,
    /// The one that it took the place of.
    pub replaced_intent: Option<IntentId>,
    /// The intent without an answer that was found.
    pub doubtful: Option<Intent>,
    /// The sending of the same token by another connection that spent it, or may have.
    pub spent_by: Option<Intent>,
    /// What is doubtful, as it was looked at last.
    pub earlier: Option<Unanswered>,
    /// What its provider said of that token, where it was asked.
    pub told: Option<bool>,
    pub answer: Option<Answer>,
    /// The new tokens.
    pub got: Option<claviger_protocol::oauth2::Tokens>,
    /// The same, written.
    pub kept: Option<Usable>,
    pub failed: Option<Error>,
    /// For how long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Who is to be told, until that is done.
    pub tell: Option<oneshot::Sender<Result<Usable>>>,
}

/// Refreshes the version of the credential that the caller saw, whatever is left of its life, unless somebody else already
/// has.
pub(super) async fn renew(broker: &Arc<Broker>, subject: &Subject, seen: i64) -> Result<Usable> {
    renew_for(broker, subject, seen, Cause::Asked).await
}

/// The same, for a reason.
pub(super) async fn renew_for(
    broker: &Arc<Broker>,
    subject: &Subject,
    seen: i64,
    cause: Cause,
) -> Result<Usable> {
    let (tell, told) = oneshot::channel();
    broker.tasks.spawn(perform(broker.clone(), subject.clone(), seen, cause, tell));
    told.await.map_err(|_| Error::internal("a refresh did not come to its end"))?
}

async fn perform(
    broker: Arc<Broker>,
    subject: Subject,
    seen: i64,
    cause: Cause,
    mut tell: oneshot::Sender<Result<Usable>>,
) {
    let mut late = pin!(tokio::time::sleep(patience(&broker)));
    let mut turn = tokio::select! {
        biased;
        turn = broker.flights.board(&subject.connection.id) => turn,
        // Whoever has the turn goes on without us.
        () = tell.closed() => return,
        () = &mut late => {
            let _gone = tell.send(Err(tired()));
            return;
        }
    };
    if let Some(left) = turn.left(seen) {
        let _gone = tell.send(left);
        return;
    }
    let mut tell = Some(tell);
    let mut in_line = pin!(stand_in_line(&broker, &subject));
    let _ours = tokio::select! {
        biased;
        ours = &mut in_line => ours,
        () = &mut late => {
            if let Some(tell) = tell.take() {
                let _gone = tell.send(Err(tired()));
            }
            in_line.await
        }
    };
    // What nobody waits for is not begun any more when the process ends.
    if broker.tasks.is_closed() && tell.as_ref().is_none_or(oneshot::Sender::is_closed) {
        return;
    }
    // Boxed: those in line are many, and need not have room for all of it.
    let done = Box::pin(run(&broker, &subject, seen, cause, &mut turn, &mut tell)).await;
    turn.leave(seen, &done);
    if let Some(tell) = tell {
        let _gone = tell.send(done);
    }
}

/// Waits for one of the provider's places, and then until nobody else in this process is at the connection.
async fn stand_in_line(broker: &Broker, subject: &Subject) -> (line::Place, Alone) {
    let Subject { connection, integration, provider, .. } = subject;
    let at = line::place(provider, &integration.id);
    let place = broker.flights.line.place(&at, broker.store.connections()).await;
    (place, broker.flights.alone(&connection.id).await)
}

async fn run(
    broker: &Arc<Broker>,
    subject: &Subject,
    seen: i64,
    cause: Cause,
    turn: &mut Turn,
    tell: &mut Option<oneshot::Sender<Result<Usable>>>,
) -> Result<Usable> {
    let _ours_until_the_end = turn;
    let held = load(broker, subject).await?;
    if held.usable.version != seen {
        return settled(subject, held.usable);
    }
    let plan = ask::plan(broker, subject);
    let mut run = Run {
        broker: broker.clone(),
        subject: subject.clone(),
        seen,
        cause,
        owner: format!("{}/{}", broker.refresh.process, ProcessId::new()),
        token_hash: ask::token_hash(&subject.provider, &held.usable.tokens),
        held,
        plan,
        holding: None,
        intent: None,
        replaced_intent: None,
        doubtful: None,
        spent_by: None,
        earlier: None,
        told: None,
        answer: None,
        got: None,
        kept: None,
        failed: None,
        retry_after: None,
        tell: tell.take(),
    };
    let done = match run.still_rests().await {
        Ok(true) => Err(run.failed.take().unwrap_or_else(tired)),
        Ok(false) => run.drive().await,
        Err(error) => Err(error),
    };
    *tell = run.tell.take();
    done
}

impl Run {
    /// Whether it is left alone, by one look that writes nothing: a claim is as much as a write to the database.
    async fn still_rests(&mut self) -> Result<bool> {
        let broker = self.broker.clone();
        let mut conn = broker.store.read().await?;
        self.rests(&mut conn, broker.clock.now()).await
    }

    /// Does what the step function says, one action after the other.
    async fn drive(&mut self) -> Result<Usable> {
        let until = Instant::now() + patience(&self.broker);
        let (mut step, mut action) = Step::begin(self.plan);
        loop {
            let event = match action {
                Action::Give(outcome) => return self.give(outcome).await,
                Action::Claim { over } => {
                    let claim = self.claim(over.as_ref()).await?;
                    if let super::step::Claim::Unanswered(earlier) = &claim {
                        self.remember(earlier);
                    }
                    Event::Claimed(claim)
                }
                Action::Wait => self.wait(until).await,
                Action::Send { before } => Event::Answered(self.send(before).await),
                Action::Introspect => {
                    self.told = self.introspect().await;
                    Event::Told(self.told)
                }
                Action::Keep => Event::Written(self.keep().await),
                Action::End(why) => Event::Written(self.end(why).await),
                Action::Rest(left) => Event::Written(self.rest(left).await),
                Action::Doubt => {
                    let earlier = self.doubt().await;
                    self.remember(&earlier);
                    Event::Doubted(earlier)
                }
            };
            (step, action) = step.next(event);
        }
    }

    /// What is said to whoever waits, should it not be found out now.
    fn remember(&mut self, earlier: &Unanswered) {
        self.earlier = Some(earlier.clone());
        let open = || Error::Provider { fault: ProviderFault::TimedOut, message: words::open(earlier) };
        self.failed.get_or_insert_with(open);
    }

    /// Waits until the credential or the lease moved, or for long enough.
    async fn wait(&mut self, until: Instant) -> Event {
        let (workspace, id) = (&self.subject.workspace_id, &self.subject.connection.id);
        loop {
            if Instant::now() >= until {
                self.failed = Some(tired());
                return Event::Tired;
            }
            let jitter = secret::random::<1>().map_or(0, |[byte]| byte);
            tokio::time::sleep(LOOK.0 + LOOK.1 * u32::from(jitter) / 255).await;
            let glance = match self.broker.store.read().await {
                Ok(mut conn) => conn.glance_at_refresh(workspace, id).await,
                Err(error) => Err(error),
            };
            let now = self.broker.clock.now();
            match glance {
                Ok(Some(glance)) if glance.version == self.seen => {
                    if glance.held_until.is_none_or(|until| until <= now) {
                        return Event::Woke;
                    }
                }
                Ok(_) => return Event::Woke,
                Err(error) => tracing::warn!(connection = %id, ?error, "a refresh could not be looked at"),
            }
        }
    }

    /// Asks the provider whether the refresh token is still good.
    async fn introspect(&mut self) -> Option<bool> {
        let Subject { connection, integration, provider, .. } = &self.subject;
        let tokens = &self.held.usable.tokens;
        match introspect::alive(&self.broker, integration, provider, &connection.inputs, tokens).await {
            Ok(Told::Works(works)) => Some(works),
            Ok(Told::Silent) => None,
            // Which shows only now, where it is found by its issuer.
            Ok(Told::Never) => {
                self.plan.introspects = false;
                Some(false)
            }
            Err(error) => {
                tracing::warn!(connection = %connection.id, %error, "its provider can't be asked whether a token works");
                None
            }
        }
    }

    async fn give(&mut self, outcome: Outcome) -> Result<Usable> {
        match outcome {
            Outcome::Fresh => match self.kept.take() {
                Some(kept) => settled(&self.subject, kept),
                None => settled(&self.subject, load(&self.broker, &self.subject).await?.usable),
            },
            Outcome::Over => self.over().await,
            Outcome::Failed => Err(self.failed.take().unwrap_or_else(tired)),
        }
    }

    /// Why a connection can't be refreshed any more; or its token, where it was authorized anew or healed meanwhile.
    async fn over(&mut self) -> Result<Usable> {
        let Subject { workspace_id, connection, .. } = &self.subject;
        let mut conn = self.broker.store.read().await?;
        let found = conn.connection(workspace_id, &connection.id).await?;
        drop(conn);
        let Some(found) = found else { return Err(Error::NotFound { what: "connection" }) };
        if found.status == Status::NeedsReauth {
            let message = found.status_reason.unwrap_or_else(|| "the provider refused to refresh".into());
            return Err(Error::NeedsReauth { message });
        }
        if found.frozen_at.is_some() {
            return Err(Error::Denied { message: "This connection is frozen".into() });
        }
        let usable = load(&self.broker, &self.subject).await?.usable;
        if usable.version == self.seen {
            return Err(self.failed.take().unwrap_or_else(tired));
        }
        settled(&self.subject, usable)
    }
}

/// How long a refresh that can't begin, or is somebody else's, is waited for: as long as one takes, and a lease should its
/// holder have died. One in line keeps its place after that: it is wanted all the same.
fn patience(broker: &Broker) -> Duration {
    broker.outbound.total_timeout() + broker.refresh.lease
}

fn tired() -> Error {
    let message = "a refresh is under way and did not come to its end in time".to_owned();
    Error::Provider { fault: ProviderFault::TimedOut, message }
}

/// Whether calls carry what a first grant's token is exchanged for.
pub(super) fn is_exchanged(provider: &Provider) -> bool {
    let upgrade = provider.oauth2().and_then(|oauth2| oauth2.upgrade.as_ref());
    upgrade.is_some_and(|upgrade| upgrade.each)
}

/// Tokens that calls can carry, or why there are none: the grant was refreshed, and its token could not be exchanged.
fn settled(subject: &Subject, usable: Usable) -> Result<Usable> {
    if usable.tokens.access_token.is_empty() && is_exchanged(&subject.provider) {
        return Err(unexchanged());
    }
    Ok(usable)
}

/// The grant was refreshed, and its token could not be exchanged for the one that calls carry.
fn unexchanged() -> Error {
    Error::Provider { fault: ProviderFault::Unreadable, message: UNEXCHANGED.to_owned() }
}

/// Marks the connection as needing its owner, where there is nothing to refresh with or its key is refused; believed only
/// if the version has not moved. Tried again while the database fails.
pub(super) async fn expire(broker: &Broker, subject: &Subject, seen: i64, reason: &str) -> Result<()> {
    let what = format!("that {} needs its owner", subject.connection.id);
    let write = || async {
        let now = broker.clock.now();
        let mut conn = broker.store.begin(Actor::System, now).await?;
        if !conn.hold_credential(&subject.workspace_id, &subject.connection.id, seen).await? {
            return Ok(());
        }
        mark(&mut conn, subject, reason, now).await?;
        conn.commit().await
    };
    persist(&broker.clock, &what, write).await
}
