//! Still: whether a call under way would be let in now: the other end of `resolve`.
//!
//! [`crate::watch`] asks it when something changed that the call stands on. It must never be stricter than `resolve`.

use std::sync::Arc;

use super::{Caller, resolve};
use crate::{
    access::{self, By, Member},
    broker::Broker,
    domain::api_key::ApiKey,
    error::{Error, Result},
    id::ConnectionId,
};

/// Whether the caller may still call with this connection.
///
/// # Errors
/// As `resolve`, where it may not: `Unauthenticated`, `Denied` or `NotFound`. A connection that must be authorized
/// again is no reason: the provider says itself what the token is good for.
pub(crate) async fn still(broker: &Broker, caller: &Caller, connection: &ConnectionId) -> Result<()> {
    let now = match caller {
        Caller::Key { key, .. } => {
            Caller::Key { key: Arc::new(key_now(broker, key).await?), connection: connection.clone() }
        }
        Caller::Member { member, integration } => {
            let member = Arc::new(member_now(broker, member).await?);
            Caller::Member { member, integration: integration.clone() }
        }
        Caller::Customer { holder, .. } => {
            access::still_signed(broker, holder).await?;
            Caller::Customer { holder: holder.clone(), selector: connection.to_string() }
        }
    };
    match resolve::subject(broker, &now).await {
        // Another one took its place.
        Ok(subject) if subject.connection.id != *connection => Err(Error::NotFound { what: "connection" }),
        Ok(_) | Err(Error::NeedsReauth { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn key_now(broker: &Broker, key: &ApiKey) -> Result<ApiKey> {
    let found = broker.store.read().await?.any_api_key_by_prefix(&key.prefix).await?;
    let found = found.into_iter().find(|found| found.id == key.id && found.revoked_at.is_none());
    found.ok_or_else(|| Error::Unauthenticated { message: "This API key was revoked".to_owned() })
}

/// The member as it is now, where what it showed still holds. It need not last longer for it.
async fn member_now(broker: &Broker, member: &Member) -> Result<Member> {
    let refused = || Error::Unauthenticated { message: access::REFUSED.to_owned() };
    let workspace = &member.workspace_id;
    if let By::Session(hash) = &member.by {
        return access::lasting(broker, workspace, hash).await;
    }
    let mut conn = broker.store.read().await?;
    let user = conn.user(workspace, &member.user.id).await?;
    let user = user.filter(|user| user.disabled_at.is_none()).ok_or_else(refused)?;
    let holds = match &member.by {
        By::Session(_) => false,
        By::Token { id, .. } => conn.user_token(workspace, &user.id, id).await?.is_some(),
        By::Password => user.password_hash == member.user.password_hash,
    };
    if !holds {
        return Err(refused());
    }
    let teams = conn.teams_of(workspace, &user.id).await?;
    Ok(Member { workspace_id: workspace.clone(), user, teams, by: member.by.clone() })
}
