//! Claim: in one transaction it is looked whether a refresh is due and allowed, the lease is taken, and the intent to send
//! the refresh token is written. That it commits is the proof that the database takes what will be answered.

use super::{
    Decision, Subject, decide,
    lease::Holding,
    run::{Cause, Run},
    step::{Claim, Reuse, Unanswered},
    words,
    write::{Pauses, mark, withdraw},
};
use crate::{
    domain::{
        audit::Actor,
        connection::Status,
        credential::Credential,
        refresh::{Closed, Intent},
    },
    error::{Error, ProviderFault, Result},
    fail,
    id::IntentId,
    outbound::Moment,
    store::{Conn, Lease},
    time::Millis,
};

/// Why it is not known what became of a token, where its sender never said so.
const DIED: &str = "the process that sent it ended, or stood still for longer than its lease";

/// What a transaction found; only what is ours is to be committed.
enum Found {
    Not(Claim),
    Ours { conn: Box<Conn>, fence: i64, now: Millis, claim: Claim },
}

impl Run {
    /// Claims the refresh; `over` is the intent whose token may be sent again.
    ///
    /// # Errors
    /// `Internal` when the database fails: then nothing is sent, and what may have been written is taken back.
    pub(super) async fn claim(&mut self, over: Option<&IntentId>) -> Result<Claim> {
        fail::point("before_claim");
        let broker = self.broker.clone();
        let _turn = broker.flights.line.claim(broker.store.connections()).await;
        let began = Moment::now();
        let new = self.token_hash.as_ref().map(|_| IntentId::new());
        let (conn, fence, now, claim) = match self.try_claim(over, new.clone()).await? {
            Found::Not(claim) => {
                // The lease of an earlier claim, whose token was to be sent once more, is of no use any more.
                if self.holding.take().is_some() {
                    self.leave().await;
                }
                return Ok(claim);
            }
            Found::Ours { conn, fence, now, claim } => (conn, fence, now, claim),
        };
        // Before this nothing of it can have come to stay.
        if let Err(error) = conn.commit().await {
            self.take_back(new);
            return Err(error);
        }
        fail::point("after_claim");
        if claim == Claim::Over {
            return Ok(claim);
        }
        self.holding = Some(Holding::new(&self.broker, &self.subject, fence, (began, now)));
        if claim == Claim::Ours {
            self.intent = new;
        }
        Ok(claim)
    }

    async fn try_claim(&mut self, over: Option<&IntentId>, new: Option<IntentId>) -> Result<Found> {
        let (broker, subject) = (self.broker.clone(), self.subject.clone());
        let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let now = conn.time(&broker.clock).await?;
        let lease = Lease { owner: &self.owner, now, until: now.plus(broker.refresh.lease) };
        // First, for it locks the row: what is read after it is as the one before us left it.
        let fence = match conn.take_refresh(workspace, id, lease).await {
            Ok(Some(fence)) => fence,
            Ok(None) => {
                // Whoever waits for a newer credential has it, though that one is being refreshed as well.
                let there = conn.credential(workspace, id).await?;
                let moved = there.is_some_and(|there| there.version != self.seen);
                return Ok(Found::Not(if moved { Claim::Fresh } else { Claim::Held }));
            }
            Err(Error::Conflict { .. }) => return Ok(Found::Not(Claim::Over)),
            Err(error) => return Err(error),
        };
        let Some(connection) = conn.connection(workspace, id).await? else {
            return Ok(Found::Not(Claim::Over));
        };
        let Some(credential) = conn.credential(workspace, id).await? else {
            return Ok(Found::Not(Claim::Over));
        };
        if connection.status == Status::NeedsReauth || connection.frozen_at.is_some() {
            return Ok(Found::Not(Claim::Over));
        }
        if credential.version != self.seen || self.is_not_due(&credential, now) {
            return Ok(Found::Not(Claim::Fresh));
        }
        if over.is_none() && self.rests(&mut conn, now).await? {
            return Ok(Found::Not(Claim::Resting));
        }
        conn.give_up_intents(workspace, id, credential.version, now).await?;
        let claim = match (self.token_hash.clone(), new) {
            (Some(hash), Some(new)) => {
                let intent = Intent {
                    id: new,
                    workspace_id: workspace.clone(),
                    connection_id: id.clone(),
                    version: self.seen,
                    token_hash: hash,
                    fence,
                    tries: 1,
                    sent_at: now,
                    unknown_at: None,
                    unknown_why: None,
                    closed_at: None,
                    outcome: None,
                };
                self.intend(&mut conn, intent, over, &credential).await?
            }
            _ => Claim::Ours,
        };
        match claim {
            Claim::Held => return Ok(Found::Not(claim)),
            // It needs its owner from now on.
            Claim::Over if !conn.hold_credential(workspace, id, self.seen).await? => {
                return Ok(Found::Not(Claim::Fresh));
            }
            Claim::Over => {
                let by = self.spent_by.as_ref().filter(|by| by.workspace_id == *workspace);
                let reason = words::spent(by.map(|by| &by.connection_id));
                conn.end_refresh(workspace, id, fence).await?;
                mark(&mut conn, &subject, &reason, now).await?;
            }
            _ => {}
        }
        Ok(Found::Ours { conn: Box::new(conn), fence, now, claim })
    }

    /// Writes the intent to send the token, unless one is open.
    async fn intend(
        &mut self,
        conn: &mut Conn,
        mut intent: Intent,
        over: Option<&IntentId>,
        credential: &Credential,
    ) -> Result<Claim> {
        let now = intent.sent_at;
        match conn.any_open_intent(&intent.token_hash).await? {
            Some(open) if over == Some(&open.id) => {
                conn.any_close_intent(&open.id, Closed::Resent, now).await?;
                intent.tries = open.tries + 1;
                self.replaced_intent = Some(open.id);
            }
            Some(open) => {
                let elsewhere = open.connection_id != intent.connection_id;
                if elsewhere && conn.any_intent_is_under_way(&open, now).await? {
                    return Ok(Claim::Held);
                }
                conn.any_doubt_intent(&open.id, DIED, now).await?;
                self.doubtful = Some(open.clone());
                return Ok(Claim::Unanswered(self.unanswered(&open, credential, now)));
            }
            None if self.plan.reuse == Reuse::Always => {}
            None => {
                let (hash, id) = (&intent.token_hash, &intent.connection_id);
                self.spent_by = conn.any_spent_intent(hash, Some(id)).await?;
                if self.spent_by.is_some() {
                    return Ok(Claim::Over);
                }
            }
        }
        match conn.create_refresh_intent(&self.subject.workspace_id, &intent).await {
            // Another connection of the same token was first.
            Err(Error::Conflict { .. }) => Ok(Claim::Held),
            made => made.map(|()| Claim::Ours),
        }
    }

    /// A token that was sent without an answer, as of now.
    pub(super) fn unanswered(&self, open: &Intent, credential: &Credential, now: Millis) -> Unanswered {
        let alive = credential.expires_at.is_none_or(|until| now < until);
        let shown = !self.held.usable.tokens.access_token.is_empty();
        let good = alive && shown && self.cause != Cause::Refused;
        let (id, sent_at, tries) = (open.id.clone(), open.sent_at, open.tries);
        Unanswered { id, sent_at, unknown_at: open.unknown_at.unwrap_or(now), tries, now, good }
    }

    /// Whether the token is good by the database's time, where nobody wants it anew all the same.
    fn is_not_due(&self, credential: &Credential, now: Millis) -> bool {
        let Cause::Due(lead) = self.cause else { return false };
        let empty = self.held.usable.tokens.access_token.is_empty();
        !empty && decide(now, credential, lead, true) == Decision::Use
    }

    /// Whether it failed a moment ago; that is what whoever asks is told.
    pub(super) async fn rests(&mut self, conn: &mut Conn, now: Millis) -> Result<bool> {
        let Subject { workspace_id, connection, .. } = &self.subject;
        let state = conn.refresh_state(workspace_id, &connection.id).await?;
        let Some(state) = state.filter(|state| state.retry_at.is_some_and(|at| now < at)) else {
            return Ok(false);
        };
        let fault = state.fault.unwrap_or(ProviderFault::Unreachable);
        let message = state.failure.unwrap_or_else(|| "a refresh failed a moment ago".into());
        self.failed = Some(Error::Provider { fault, message });
        Ok(true)
    }

    /// Gives up a lease that is of no use any more; should that fail, its time ends it.
    async fn leave(&self) {
        let Subject { workspace_id, connection, .. } = &self.subject;
        let left = async {
            let (mut conn, _) = self.begin().await?;
            conn.leave_refresh(workspace_id, &connection.id, &self.owner).await?;
            conn.commit().await
        };
        if let Err(error) = left.await {
            tracing::warn!(connection = %connection.id, ?error, "a lease could not be given up");
        }
    }

    /// Takes back what a claim may have written whose commit failed: nothing was sent. Nobody waits for it.
    fn take_back(&self, intent: Option<IntentId>) {
        let (broker, subject, owner) = (self.broker.clone(), self.subject.clone(), self.owner.clone());
        let over = self.replaced_intent.clone();
        self.broker.tasks.spawn(async move {
            let mut pauses = Pauses::begin();
            let undo = || async {
                let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
                let now = conn.time(&broker.clock).await?;
                let (workspace, id) = (&subject.workspace_id, &subject.connection.id);
                if !conn.leave_refresh(workspace, id, &owner).await? {
                    conn.lock_refresh(workspace, id).await?;
                }
                if let Some(intent) = &intent {
                    withdraw(&mut conn, &subject, intent, over.as_ref(), Closed::Unsent, now).await?;
                }
                conn.commit().await
            };
            while let Err(error) = undo().await {
                tracing::warn!(connection = %subject.connection.id, ?error, "a claim is not taken back yet");
                pauses.pause(&broker.clock).await;
            }
        });
    }
}
