//! Access: who calls.
//!
//! A product's server shows an API key; what is kept of a key is a prefix to find it and a hash to compare. A user
//! shows a session, a token or a password and becomes a [`Member`]; what it may do is in [`rights`]. A customer of a
//! product shows a token that the product signed and becomes a [`Holder`]. An operator shows a session of its own kind
//! and takes a [`Seat`] in a workspace.

pub mod chosen;
mod holder;
mod keys;
mod member;
mod operator;
mod password;
pub mod rights;
mod seat;
mod session;
mod sign_in;
pub(crate) mod signature;
mod used;
mod user_token;
mod workspace_token;

pub use holder::{Holder, Signer, Who};
pub use keys::Keys;
pub use member::{By, Member};
pub(crate) use operator::open as open_operator_session;
pub use operator::{
    Entered, Proof, SignedOperator, Visitor, operator, prove, set_operator_password, sign_in_operator,
    sign_out_operator, sign_out_operator_everywhere,
};
pub use password::password;
pub use seat::Seat;
pub(crate) use session::lasting;
pub use session::{Lifetimes, session, sign_out};
pub use sign_in::{Attempt, SignIns, SignedIn, sign_in};
pub use user_token::user_token;
pub(crate) use workspace_token::still_signed;
pub use workspace_token::{Shown, refused as token_refused, workspace_token};

use std::sync::Arc;

use self::keys::Known;
use crate::{
    broker::Broker,
    domain::api_key::{ApiKey, Scope},
    error::{Error, Result},
    id::IntegrationId,
    memory::Moment,
    vault::hash,
};

/// How many characters of a key or token are its prefix.
pub(crate) const PREFIX: usize = 11;

/// What every user reads whose session, token or password does not hold, whichever it was and for whatever reason.
pub const REFUSED: &str = "Missing or invalid authentication: sign in, or send a token";

fn refused() -> Error {
    Error::Unauthenticated { message: REFUSED.to_owned() }
}

/// Finds the API key that a caller shows.
///
/// # Errors
/// `Unauthenticated`, the same for a key that is malformed, unknown, revoked or expired.
pub async fn api_key(broker: &Arc<Broker>, shown: &str) -> Result<Arc<ApiKey>> {
    let refused = || Error::Unauthenticated { message: "Missing or invalid API key".into() };
    let prefix = shown.get(..PREFIX).ok_or_else(refused)?;
    if shown.len() > 128 || !shown.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(refused());
    }
    let now = broker.clock.now();
    let hash = hash::token(shown);
    let known = match broker.keys.get(broker.store.board(), &hash) {
        Some(known) => known,
        None => Box::pin(find(broker, prefix, &hash)).await?.ok_or_else(refused)?,
    };
    if known.key.expires_at.is_some_and(|at| at <= now) {
        return Err(refused());
    }
    used::api_key(broker, &known);
    Ok(known.key.clone())
}

/// Finds a key that is not remembered, and remembers it; none that was revoked.
async fn find(broker: &Broker, prefix: &str, hash: &str) -> Result<Option<Arc<Known>>> {
    let board = broker.store.board();
    let read = Moment::of(board);
    let found = broker.store.read().await?.any_api_key_by_prefix(prefix).await?;
    let key = found.into_iter().find(|key| hash::same(&key.hash, hash) && key.revoked_at.is_none());
    let known = key.map(|key| Arc::new(Known::new(key)));
    if let Some(known) = &known {
        broker.keys.keep(board, read, known.clone());
    }
    Ok(known)
}

/// Fails unless the key may do `scope`.
pub fn require(key: &ApiKey, scope: Scope) -> Result<()> {
    if key.scopes.contains(&scope) {
        return Ok(());
    }
    let message = format!("This API key lacks the scope `{}`", scope.as_str());
    Err(Error::Denied { message })
}

/// Fails unless the key may read connections, integrations and webhooks.
pub fn require_read(key: &ApiKey) -> Result<()> {
    if key.scopes.iter().any(|scope| matches!(scope, Scope::Management | Scope::ReadOnly)) {
        return Ok(());
    }
    let message = "This API key lacks the scope `read-only` or `management`".to_owned();
    Err(Error::Denied { message })
}

/// Fails unless the key may change connections, integrations and webhooks.
pub fn require_write(key: &ApiKey) -> Result<()> {
    require(key, Scope::Management)
}

/// Fails for a key that is limited to one integration: what belongs to the whole workspace is not its to see.
pub fn require_whole(key: &ApiKey) -> Result<()> {
    match key.integration_id {
        None => Ok(()),
        Some(_) => Err(Error::Denied { message: "This API key is limited to one integration".to_owned() }),
    }
}

/// Whether the key reaches as far as this integration; where it does not, the integration and its connections
/// do not exist for it.
pub fn reaches(key: &ApiKey, integration: &IntegrationId) -> bool {
    key.integration_id.as_ref().is_none_or(|only| only == integration)
}
