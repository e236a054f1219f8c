//! Connections, as a key sees them: listed, shown, imported, ended.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    access,
    broker::Broker,
    connect::{
        self, Import, Imported,
        reconnect::{self, Issued, Wish},
    },
    domain::{
        api_key::ApiKey,
        audit::Actor,
        connection::{Connection, OwnerKind},
        health::Health,
    },
    error::{Error, Result},
    id::{ConnectionId, IntegrationId},
    store::{Conn, ConnectionFilter, Page},
};

/// A connection, its integration's key, and how it is doing.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The connection.
    pub connection: Connection,
    /// The key of its integration.
    pub integration: String,
    /// How it is doing.
    pub health: Health,
}

/// Which connections are wanted; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only of the integration with this id or key.
    pub integration: Option<String>,
    /// Only of the integration with this key.
    pub integration_key: Option<String>,
    /// Only of the owner with this key.
    pub owner_key: Option<String>,
}

/// The connections that a key sees of a door's owners, newest first.
///
/// # Errors
/// `Denied` for a key that may not read.
pub async fn list(
    broker: &Arc<Broker>,
    key: &ApiKey,
    owners: OwnerKind,
    wanted: &Wanted,
    page: &Page,
) -> Result<Vec<Seen>> {
    access::require_read(key)?;
    let mut conn = broker.store.read().await?;
    let mut filter = ConnectionFilter {
        integration_id: key.integration_id.clone(),
        owner_kind: Some(owners),
        owner_key: wanted.owner_key.clone(),
        ..ConnectionFilter::default()
    };
    for selector in [&wanted.integration, &wanted.integration_key].into_iter().flatten() {
        let by_key = wanted.integration_key.as_ref() == Some(selector);
        let found = conn.integration_by_selector(&key.workspace_id, selector).await?;
        let found = found.filter(|found| !by_key || found.key == *selector).map(|found| found.id);
        // No such integration, or not the one that is asked for besides: nothing is both.
        let Some(id) = found else { return Ok(Vec::new()) };
        if filter.integration_id.as_ref().is_some_and(|only| *only != id) {
            return Ok(Vec::new());
        }
        filter.integration_id = Some(id);
    }
    let connections = conn.connections(&key.workspace_id, &filter, page).await?;
    named(&mut conn, key, connections).await
}

/// One connection.
///
/// # Errors
/// `Denied` for a key that may not read, `NotFound` for whatever the key does not see.
pub async fn show(broker: &Arc<Broker>, key: &ApiKey, owners: OwnerKind, id: &str) -> Result<Seen> {
    access::require_read(key)?;
    find(broker, key, owners, id).await
}

/// Makes a connection of tokens that the product holds already.
///
/// # Errors
/// `Denied` for a key that may not write, and as [`connect::import`].
pub async fn import(broker: &Arc<Broker>, key: &ApiKey, input: Import<'_>) -> Result<Seen> {
    access::require_write(key)?;
    let input = Import { only: key.integration_id.clone(), ..input };
    let actor = Actor::ApiKey(key.id.to_string());
    let Imported { connection, integration } =
        connect::import(broker, &key.workspace_id, input, actor).await?;
    let health = broker.store.read().await?.health(&key.workspace_id, &connection.id).await?;
    Ok(Seen { connection, integration, health })
}

/// Makes a one-time link that renews a connection under its own id, whichever door its owner came through.
///
/// # Errors
/// `Denied` for a key that may not write, `NotFound` for whatever the key does not reach, `Invalid` naming
/// `redirect_uri` when it is not registered, or needed and not given, `Conflict` where nothing can be authorized anew.
pub async fn reconnect(broker: &Arc<Broker>, key: &ApiKey, id: &str, wish: Wish) -> Result<Issued> {
    access::require_write(key)?;
    let missing = || Error::NotFound { what: "connection" };
    let id = ConnectionId::parse(id).ok_or_else(missing)?;
    let found = broker.store.read().await?.connection(&key.workspace_id, &id).await?;
    let found = found.filter(|it| access::reaches(key, &it.integration_id)).ok_or_else(missing)?;
    reconnect::issue(broker, &found, wish, Actor::ApiKey(key.id.to_string())).await
}

/// Ends a connection: [`connect::end`].
///
/// # Errors
/// `Denied` for a key that may not write, `NotFound` for whatever the key does not see.
pub async fn end(broker: &Arc<Broker>, key: &ApiKey, owners: OwnerKind, id: &str) -> Result<()> {
    access::require_write(key)?;
    let seen = find(broker, key, owners, id).await?;
    let actor = Actor::ApiKey(key.id.to_string());
    connect::end(broker, &key.workspace_id, &seen.connection.id, actor).await
}

async fn find(broker: &Arc<Broker>, key: &ApiKey, owners: OwnerKind, id: &str) -> Result<Seen> {
    let missing = || Error::NotFound { what: "connection" };
    let id = ConnectionId::parse(id).ok_or_else(missing)?;
    let mut conn = broker.store.read().await?;
    let found = conn.connection(&key.workspace_id, &id).await?;
    let found = found.filter(|it| it.owner.kind == owners && access::reaches(key, &it.integration_id));
    let mut seen = named(&mut conn, key, found.into_iter().collect()).await?;
    seen.pop().ok_or_else(missing)
}

/// Connections with the keys of their integrations, and how they are doing.
async fn named(conn: &mut Conn, key: &ApiKey, connections: Vec<Connection>) -> Result<Vec<Seen>> {
    let ids: Vec<_> = connections.iter().map(|connection| &connection.id).collect();
    let mut healths = conn.healths(&key.workspace_id, &ids).await?;
    let mut keys: BTreeMap<IntegrationId, String> = BTreeMap::new();
    let mut seen = Vec::with_capacity(connections.len());
    for connection in connections {
        let id = &connection.integration_id;
        if !keys.contains_key(id) {
            let found = conn.integration(&key.workspace_id, id).await?;
            // A connection whose integration was removed meanwhile is gone as well.
            let Some(found) = found else { continue };
            keys.insert(id.clone(), found.key);
        }
        let integration = keys.get(id).cloned().unwrap_or_default();
        let health = healths.remove(&connection.id).unwrap_or_default();
        seen.push(Seen { connection, integration, health });
    }
    Ok(seen)
}
