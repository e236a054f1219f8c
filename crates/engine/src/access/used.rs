//! Used: when a key, a session or a token was last called with, or for a customer, kept to the minute.
//!
//! Off the caller's path, and a failure is not the caller's concern: the next call a minute later notes it again.

use std::{fmt, sync::Arc, time::Duration};

use super::keys::Known;
use crate::{
    broker::Broker,
    domain::{
        audit::Actor, customer::Customer, operator_session::OperatorSession, session::Session,
        token::UserToken,
    },
    error::{Error, Result},
    id::{ApiKeyId, CustomerId, TokenId, WorkspaceId},
    time::Millis,
};

/// How exactly it is kept: finer would write a row per call.
const TOUCH: Duration = Duration::from_secs(60);

/// What was called with.
enum What {
    ApiKey(ApiKeyId),
    Customer(CustomerId),
    Session(String),
    Token(TokenId),
    OperatorSession(String),
}

/// Notes that an API key was used now.
pub(super) fn api_key(broker: &Arc<Broker>, known: &Known) {
    let (noted, now) = (known.noted(), broker.clock.now());
    if now.since(noted) >= TOUCH && known.note(noted, now) {
        note(broker, Some(&known.key.workspace_id), None, || What::ApiKey(known.key.id.clone()));
    }
}

/// Notes that a session was used now.
pub(super) fn session(broker: &Arc<Broker>, session: &Session) {
    let hash = || What::Session(session.hash.clone());
    note(broker, Some(&session.workspace_id), Some(session.seen_at), hash);
}

/// Notes that a user's token was used now.
pub(super) fn token(broker: &Arc<Broker>, token: &UserToken) {
    note(broker, Some(&token.workspace_id), token.last_used_at, || What::Token(token.id.clone()));
}

/// Notes that an operator's session was used now.
pub(super) fn operator_session(broker: &Arc<Broker>, session: &OperatorSession) {
    note(broker, None, Some(session.seen_at), || What::OperatorSession(session.hash.clone()));
}

/// Notes that a product's token spoke of a customer now.
pub(super) fn customer(broker: &Arc<Broker>, customer: &Customer) {
    let id = || What::Customer(customer.id.clone());
    note(broker, Some(&customer.workspace_id), Some(customer.seen_at), id);
}

fn note(
    broker: &Arc<Broker>,
    workspace: Option<&WorkspaceId>,
    last: Option<Millis>,
    what: impl FnOnce() -> What,
) {
    let now = broker.clock.now();
    if last.is_some_and(|at| now.since(at) < TOUCH) {
        return;
    }
    let (broker, workspace, what) = (broker.clone(), workspace.cloned(), what());
    tokio::spawn(async move {
        if let Err(error) = write(&broker, workspace.as_ref(), &what, now).await {
            tracing::warn!(%what, ?error, "its last use was not kept");
        }
    });
}

async fn write(broker: &Broker, workspace: Option<&WorkspaceId>, what: &What, now: Millis) -> Result<()> {
    let mut conn = broker.store.begin(Actor::System, now).await?;
    match (what, workspace) {
        (What::OperatorSession(hash), _) => conn.any_touch_operator_session(hash, now).await?,
        (What::ApiKey(id), Some(workspace)) => conn.touch_api_key(workspace, id, now).await?,
        (What::Customer(id), Some(workspace)) => conn.touch_customer(workspace, id, now).await?,
        (What::Session(hash), Some(workspace)) => conn.touch_session(workspace, hash, now).await?,
        (What::Token(id), Some(workspace)) => conn.touch_user_token(workspace, id, now).await?,
        (_, None) => return Err(Error::internal("all but operators belong to a workspace")),
    }
    conn.commit().await
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => id.fmt(f),
            Self::Customer(id) => id.fmt(f),
            // Even its hash opens nothing, but it belongs in no log.
            Self::Session(_) | Self::OperatorSession(_) => f.write_str("a session"),
            Self::Token(id) => id.fmt(f),
        }
    }
}
