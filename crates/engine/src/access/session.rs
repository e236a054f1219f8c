//! The session: what a signed-in browser shows with each request.
//!
//! It ends by itself when it was not used for a while, and after a time however much it was used; it ends at once when
//! its user signs out, gets another password or is disabled. It is good in its own workspace only.

use std::{sync::Arc, time::Duration};

use super::{By, Member, refused, used};
use crate::{
    broker::Broker,
    domain::{audit::Actor, session::Session},
    error::Result,
    id::WorkspaceId,
    secret::Secret,
    time::Millis,
    vault::hash,
};

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without being used.
    pub idle: Duration,
    /// However much they are used.
    pub life: Duration,
}

impl Lifetimes {
    /// Whether a session that was last used then, and ends then, is still one.
    pub(super) fn last(&self, seen_at: Millis, ends_at: Millis, now: Millis) -> bool {
        ends_at > now && seen_at.plus(self.idle) > now
    }
}

/// Finds who signed in with the session that a browser shows.
///
/// # Errors
/// `Unauthenticated`, the same for a session that is unknown, over, of another workspace, or of a user who is disabled.
pub async fn session(broker: &Arc<Broker>, workspace: &WorkspaceId, sid: &Secret) -> Result<Member> {
    let (member, session) = find(broker, workspace, &hash::token(sid.expose())).await?;
    used::session(broker, &session);
    Ok(member)
}

/// The same by the hash of what a browser showed once, for what goes on without it. The session lasts no longer for it.
///
/// # Errors
/// As [`session`].
pub(crate) async fn lasting(broker: &Broker, workspace: &WorkspaceId, hash: &str) -> Result<Member> {
    find(broker, workspace, hash).await.map(|(member, _)| member)
}

async fn find(broker: &Broker, workspace: &WorkspaceId, hash: &str) -> Result<(Member, Session)> {
    let now = broker.clock.now();
    let mut conn = broker.store.read().await?;
    let found = conn.session(workspace, hash).await?;
    let session = found.filter(|session| is_open(session, &broker.sessions, now)).ok_or_else(refused)?;
    let user = conn.user(workspace, &session.user_id).await?;
    let user = user.filter(|user| user.disabled_at.is_none()).ok_or_else(refused)?;
    let teams = conn.teams_of(workspace, &user.id).await?;
    let by = By::Session(session.hash.clone());
    Ok((Member { workspace_id: workspace.clone(), user, teams, by }, session))
}

fn is_open(session: &Session, lifetimes: &Lifetimes, now: Millis) -> bool {
    lifetimes.last(session.seen_at, session.ends_at, now)
}

/// Ends the session that a browser shows, if there is one.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn sign_out(broker: &Broker, workspace: &WorkspaceId, sid: &Secret) -> Result<()> {
    let hash = hash::token(sid.expose());
    let found = broker.store.read().await?.session(workspace, &hash).await?;
    let Some(session) = found else { return Ok(()) };
    let actor = Actor::User(session.user_id.to_string());
    let mut conn = broker.store.begin(actor, broker.clock.now()).await?;
    conn.end_session(workspace, &hash).await?;
    conn.commit().await
}
