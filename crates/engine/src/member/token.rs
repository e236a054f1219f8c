//! API tokens: made, listed and stopped by the user they belong to, and by nobody else.
//!
//! A token can't make another: whoever finds one must not be able to outlive its being stopped.

use std::sync::Arc;

use crate::{
    access::{By, Member},
    broker::Broker,
    domain::token::UserToken,
    error::{Error, Result},
    id::TokenId,
    secret::Secret,
    setup::check,
    store::Page,
    time::Millis,
    vault::hash,
};

/// The most tokens of one user.
pub const MOST: i64 = 100;

/// A token that does what its user may do.
const PERSONAL: &str = "personal";
/// A token that only reads.
const APP_VIEW: &str = "app-view";

/// A token to be.
#[derive(Debug, Default)]
pub struct NewToken {
    /// What it is for: `personal` unless given, or `app-view`, which only reads.
    pub kind: Option<String>,
    /// What its user calls it.
    pub name: Option<String>,
    /// Whether it only reads.
    pub read_only: Option<bool>,
    /// When it stops working, as RFC 3339 writes it.
    pub expires_at: Option<String>,
}

/// Makes a token. Also returns its text, this once.
///
/// # Errors
/// `Denied` when asked with a token, `Invalid` for a bad kind, name or end, `Conflict` when there are [`MOST`] already.
pub async fn create(broker: &Arc<Broker>, member: &Member, input: NewToken) -> Result<(UserToken, Secret)> {
    if matches!(member.by, By::Token { .. }) {
        let message = "An API token can't make another: sign in, or call with name and password";
        return Err(Error::Denied { message: message.to_owned() });
    }
    let now = broker.clock.now();
    let (text, prefix, hash) = hash::new_user_token()?;
    let (kind, read_only) = kind(input.kind, input.read_only)?;
    let token = UserToken {
        id: TokenId::new(),
        workspace_id: member.workspace_id.clone(),
        user_id: member.user.id.clone(),
        kind,
        name: input.name.as_deref().map(|name| check::name("name", name)).transpose()?,
        prefix,
        hash,
        read_only,
        expires_at: input.expires_at.as_deref().map(|text| end(text, now)).transpose()?,
        last_used_at: None,
        created_at: now,
    };
    let (ws, user) = (&member.workspace_id, &member.user.id);
    let mut conn = broker.store.begin(member.actor(), now).await?;
    // Held, so that no two make the last one there may be.
    conn.hold_user(ws, user).await?.ok_or(Error::NotFound { what: "user" })?;
    if conn.count_user_tokens(ws, user).await? >= MOST {
        let message = format!("There are {MOST} tokens already: delete one");
        return Err(Error::Conflict { message });
    }
    conn.create_user_token(ws, &token).await?;
    conn.commit().await?;
    Ok((token, text))
}

fn kind(kind: Option<String>, read_only: Option<bool>) -> Result<(String, bool)> {
    let kind = kind.unwrap_or_else(|| PERSONAL.to_owned());
    match (kind.as_str(), read_only) {
        (PERSONAL, reads) => Ok((kind, reads.unwrap_or(false))),
        (APP_VIEW, None | Some(true)) => Ok((kind, true)),
        (APP_VIEW, Some(false)) => {
            Err(Error::invalid("readOnly", format!("A token of the type {APP_VIEW} only reads")))
        }
        _ => Err(Error::invalid("type", format!("Must be {PERSONAL} or {APP_VIEW}"))),
    }
}

fn end(text: &str, now: Millis) -> Result<Millis> {
    let at = Millis::parse_rfc3339(text).filter(|at| *at > now);
    at.ok_or_else(|| {
        Error::invalid("expiresAt", "Must be a time to come, such as 2031-01-02T03:04:05Z, or null")
    })
}

/// A stretch of the member's tokens, oldest first, and how many it has in all.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn list(broker: &Arc<Broker>, member: &Member, page: &Page) -> Result<(Vec<UserToken>, i64)> {
    let (ws, user) = (&member.workspace_id, &member.user.id);
    let mut conn = broker.store.read().await?;
    Ok((conn.user_tokens(ws, user, page).await?, conn.count_user_tokens(ws, user).await?))
}

/// One of the member's tokens.
///
/// # Errors
/// `NotFound`
pub async fn show(broker: &Arc<Broker>, member: &Member, id: &str) -> Result<UserToken> {
    let missing = || Error::NotFound { what: "token" };
    let id = TokenId::parse(id).ok_or_else(missing)?;
    let mut conn = broker.store.read().await?;
    conn.user_token(&member.workspace_id, &member.user.id, &id).await?.ok_or_else(missing)
}

/// Stops one of the member's tokens, at once and for good.
///
/// # Errors
/// `NotFound`; `Denied` when asked with a token that only reads.
pub async fn delete(broker: &Arc<Broker>, member: &Member, id: &str) -> Result<()> {
    member.require_writing()?;
    let missing = || Error::NotFound { what: "token" };
    let id = TokenId::parse(id).ok_or_else(missing)?;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    if !conn.delete_user_token(&member.workspace_id, &member.user.id, &id).await? {
        return Err(missing());
    }
    conn.commit().await
}
