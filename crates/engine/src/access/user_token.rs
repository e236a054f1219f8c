//! The API token: what a user's programs show with each request.

use std::sync::Arc;

use super::{By, Member, PREFIX, refused};
use crate::{
    broker::Broker,
    domain::{audit::Actor, token::UserToken},
    error::Result,
    vault::hash,
};

/// Finds whose token a caller shows. The workspace is the token's.
///
/// # Errors
/// `Unauthenticated`, the same for a token that is malformed, unknown or expired, and for one of a user who is disabled.
pub async fn user_token(broker: &Arc<Broker>, shown: &str) -> Result<Member> {
    let prefix = shown.get(..PREFIX).ok_or_else(refused)?;
    if shown.len() > 128 || !shown.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(refused());
    }
    let now = broker.clock.now();
    let hash = hash::token(shown);
    let mut conn = broker.store.read().await?;
    let found = conn.any_user_tokens_by_prefix(prefix).await?;
    let token = found.into_iter().find(|token| hash::same(&token.hash, &hash));
    let token = token.filter(|token| token.expires_at.is_none_or(|at| at > now)).ok_or_else(refused)?;
    let user = conn.user(&token.workspace_id, &token.user_id).await?;
    let user = user.filter(|user| user.disabled_at.is_none()).ok_or_else(refused)?;
    let teams = conn.teams_of(&token.workspace_id, &user.id).await?;
    drop(conn);
    if token.last_used_at.is_none_or(|at| now.since(at).as_secs() >= 60) {
        note_use(broker, &token);
    }
    let by = By::Token { id: token.id, read_only: token.read_only };
    Ok(Member { workspace_id: token.workspace_id, user, teams, by })
}

/// Keeps the minute of last use, off the caller's path; a failure is not the caller's concern.
fn note_use(broker: &Arc<Broker>, token: &UserToken) {
    let (broker, workspace, id) = (broker.clone(), token.workspace_id.clone(), token.id.clone());
    tokio::spawn(async move {
        let now = broker.clock.now();
        let noted = async {
            let mut conn = broker.store.begin(Actor::System, now).await?;
            conn.touch_user_token(&workspace, &id, now).await?;
            conn.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(token = %id, error = ?error, "the last use of an API token was not kept");
        }
    });
}
