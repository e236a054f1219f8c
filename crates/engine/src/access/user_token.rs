//! The API token: what a user's programs show with each request.

use std::sync::Arc;

use super::{By, Member, PREFIX, refused, used};
use crate::{broker::Broker, error::Result, vault::hash};

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
    used::token(broker, &token);
    let by = By::Token { id: token.id, read_only: token.read_only };
    Ok(Member { workspace_id: token.workspace_id, user, teams, by })
}
