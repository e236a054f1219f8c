//! API keys of a workspace: listed, made, revoked. A key's text is given once, when it is made.

use std::time::Duration;

use crate::{
    access::Seat,
    broker::Broker,
    domain::{
        api_key::{ApiKey, Scope},
        right::Action,
    },
    error::{Error, Result},
    id::ApiKeyId,
    secret::Secret,
    setup::{self, Change, NewApiKey},
};

/// The workspace's keys, the newest first, those that were revoked behind.
///
/// # Errors
/// `Denied`
pub async fn list(broker: &Broker, seat: &Seat) -> Result<Vec<ApiKey>> {
    seat.require(broker, Action::See)?;
    let mut keys = broker.store.read().await?.api_keys(&seat.workspace.id).await?;
    keys.reverse();
    keys.sort_by_key(|key| key.revoked_at.is_some());
    Ok(keys)
}

/// A key to be.
pub struct Wanted {
    /// What operators call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For how long; `None` for ever.
    pub lasting: Option<Duration>,
    /// The one integration that it is limited to, by id or key, if any.
    pub integration: Option<String>,
}

/// Makes a key. Also gives its text, this once.
///
/// # Errors
/// `Denied`; `Invalid` for a bad name or no scope; `NotFound` for an integration that there is not.
pub async fn create(broker: &Broker, seat: &Seat, wanted: Wanted) -> Result<(ApiKey, Secret)> {
    let mut conn = seat.begin(broker, Action::ManageKeys).await?;
    let integration_id = match &wanted.integration {
        None => None,
        Some(selector) => {
            let found = conn.integration_by_selector(&seat.workspace.id, selector).await?;
            Some(found.ok_or(Error::NotFound { what: "integration" })?.id)
        }
    };
    let input = NewApiKey {
        name: wanted.name,
        scopes: wanted.scopes,
        integration_id,
        expires_at: wanted.lasting.map(|life| broker.clock.now().plus(life)),
    };
    let made = setup::api_key(&mut Change::of(broker, &mut conn), &seat.workspace.id, input).await?;
    conn.commit().await?;
    Ok(made)
}

/// Revokes a key: calls with it stop within two seconds, everywhere.
///
/// # Errors
/// `Denied`; `NotFound` for a key that is not there or was revoked before.
pub async fn revoke(broker: &Broker, seat: &Seat, id: &str) -> Result<()> {
    let missing = || Error::NotFound { what: "API key" };
    let id = ApiKeyId::parse(id).ok_or_else(missing)?;
    let mut conn = seat.begin(broker, Action::ManageKeys).await?;
    if !conn.revoke_api_key(&seat.workspace.id, &id, broker.clock.now()).await? {
        return Err(missing());
    }
    conn.commit().await
}
