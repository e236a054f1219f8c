//! Connections, as a signed-in user sees them: shown, listed, made of what it brings, ended.
//!
//! Per user an integration has one connection, a shared one has one for all. What hangs on an integration that the user
//! does not see any more does not exist for it, its own connection among it: that can be ended and
//! nothing else. A superuser sees all.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{AskedOf, Provider};

use crate::{
    access::{Member, rights},
    broker::Broker,
    connect::{self, Bring},
    domain::{
        connection::{Connection, Owner},
        integration::{Integration, Mode},
    },
    error::{Error, Result},
    proxy,
    refresh::Subject,
    store::{Conn, ListedConnection, Page, Viewer, fold},
    time::Millis,
};

/// A connection as its user sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The connection.
    pub connection: Connection,
    /// When its refresh token expires, as far as the provider tells.
    pub refresh_expires_at: Option<Millis>,
    /// Its values that are not secret: inputs, and what the provider told.
    pub data: BTreeMap<String, String>,
    /// Where requests with it go: the base URL, filled with the connection's values. `None` where there is none.
    pub base_url: Option<String>,
}

/// A stretch of a user's connections.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The connections, newest first.
    pub connections: Vec<ListedConnection>,
    /// How many there are in all.
    pub total: i64,
}

/// The connection that requests of the caller at an integration are made with, by the integration's mode: its own, or
/// the one for all. `owner` names another user, whose connection a superuser sees.
///
/// # Errors
/// `NotFound` for an integration that is not there or not visible, and when there is no connection yet; `Denied` for
/// another's without being a superuser.
pub async fn show(
    broker: &Arc<Broker>,
    member: &Member,
    selector: &str,
    owner: Option<&str>,
) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let (integration, connection) = find(&mut conn, member, selector, owner).await?;
    shown(broker, &mut conn, integration, connection).await
}

/// Makes a connection of what the caller brings: [`connect::bring`].
///
/// # Errors
/// As there.
pub async fn bring(
    broker: &Arc<Broker>,
    member: &Member,
    selector: &str,
    brought: Bring,
    inputs: &BTreeMap<String, String>,
) -> Result<Shown> {
    let made = connect::bring(broker, member, selector, brought, inputs).await?;
    let ws = &member.workspace_id;
    let mut conn = broker.store.read().await?;
    let (of, option) = (&made.connection.integration_id, made.connection.auth_option.as_deref());
    let integration = conn.integration_as(ws, of, option).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    shown(broker, &mut conn, integration, made.connection).await
}

/// Ends the same connection as [`show`] shows: [`connect::end`]. One for all is ended by who made it, or by a superuser.
///
/// # Errors
/// As [`show`], and `Denied` for a token that only reads and for one for all that another user made.
pub async fn end(broker: &Arc<Broker>, member: &Member, selector: &str, owner: Option<&str>) -> Result<()> {
    member.require_writing()?;
    let mut conn = broker.store.read().await?;
    let found = match find(&mut conn, member, selector, owner).await {
        // Whoever connected an account takes it back, also from what is not shared with it any more.
        Err(Error::NotFound { .. }) => own(&mut conn, member, selector).await?,
        found => found.map(|(_, connection)| Some(connection))?,
    };
    let connection = found.ok_or(Error::NotFound { what: "connection" })?;
    drop(conn);
    let own = connection.owner.key.as_deref() == Some(member.user.username.as_str());
    if !own && !member.user.superuser {
        let message = "Only the user who connected it, or a superuser, may disconnect it";
        return Err(Error::Denied { message: message.to_owned() });
    }
    connect::end(broker, &member.workspace_id, &connection.id, member.actor()).await
}

/// All connections that requests of the caller can be made with, over all integrations that it sees.
///
/// # Errors
/// Only our own.
pub async fn list(broker: &Arc<Broker>, member: &Member, page: &Page) -> Result<Listed> {
    let (ws, user) = (&member.workspace_id, &member.user);
    let viewer = Viewer { username: &user.username, sees_as: Some(&user.id).filter(|_| !user.superuser) };
    let mut conn = broker.store.read().await?;
    Ok(Listed {
        connections: conn.connections_for(ws, &viewer, page).await?,
        total: conn.count_connections_for(ws, &viewer).await?,
    })
}

/// What the caller itself connected at an integration, whether it sees that or not.
async fn own(conn: &mut Conn, member: &Member, selector: &str) -> Result<Option<Connection>> {
    let missing = Error::NotFound { what: "integration" };
    let integration = conn.integration_by_selector(&member.workspace_id, selector).await?.ok_or(missing)?;
    let wanted = Owner::member(integration.mode, &member.user.username);
    let found = conn.connection_of(&member.workspace_id, &integration.id, &wanted).await?;
    match found.filter(|found| found.owner == wanted) {
        Some(found) => Ok(Some(found)),
        // An integration that is not seen does not exist.
        None => rights::see(conn, member, selector).await.map(|_| None),
    }
}

/// The integration, and the connection that is meant at it.
async fn find(
    conn: &mut Conn,
    member: &Member,
    selector: &str,
    owner: Option<&str>,
) -> Result<(Integration, Connection)> {
    let ws = &member.workspace_id;
    let missing = || Error::NotFound { what: "connection" };
    let integration = rights::see(conn, member, selector).await?.integration;
    let name = named(conn, member, &integration, owner).await?.ok_or_else(missing)?;
    let wanted = Owner::member(integration.mode, &name);
    let found = conn.connection_of(ws, &integration.id, &wanted).await?;
    let other = |found: &Connection| owner.is_some() && found.owner != wanted;
    let connection = found.filter(|found| !other(found)).ok_or_else(missing)?;
    let integration = conn.as_option(ws, integration, connection.auth_option.as_deref()).await?;
    Ok((integration.ok_or_else(missing)?, connection))
}

/// Whose connection is meant, as it is kept; `None` when there is no such user.
async fn named(
    conn: &mut Conn,
    member: &Member,
    integration: &Integration,
    owner: Option<&str>,
) -> Result<Option<String>> {
    let own = &member.user.username;
    let Some(owner) = owner.map(|owner| owner.strip_prefix("user:").unwrap_or(owner)) else {
        return Ok(Some(own.clone()));
    };
    if fold(owner) == fold(own) {
        return Ok(Some(own.clone()));
    }
    // The one for all is everybody's to see, whoever made it.
    if integration.mode == Mode::PerUser && !member.user.superuser {
        let message = "Only a superuser may name another user's connection";
        return Err(Error::Denied { message: message.to_owned() });
    }
    let user = conn.user_by_name(&member.workspace_id, owner).await?;
    Ok(user.map(|user| user.username))
}

/// A connection's values that whoever uses it may know: what an operator set is for those who configure.
fn told(provider: &Provider, values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let operators = |name: &str| {
        provider.inputs.iter().any(|input| input.key == name && input.asked_of == AskedOf::Operator)
    };
    values.into_iter().filter(|(name, _)| !operators(name)).collect()
}

async fn shown(
    broker: &Broker,
    conn: &mut Conn,
    integration: Integration,
    connection: Connection,
) -> Result<Shown> {
    let credential = conn.credential(&connection.workspace_id, &connection.id).await?;
    let subject = Subject {
        workspace_id: connection.workspace_id.clone(),
        provider: broker.provider(&integration)?,
        connection: Arc::new(connection.clone()),
        integration: Arc::new(integration),
    };
    let refresh_expires_at = credential.and_then(|credential| credential.refresh_expires_at);
    let data = told(&subject.provider, connection.inputs.clone());
    Ok(Shown { base_url: proxy::base_url(&subject), connection, data, refresh_expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_set_is_not_told_to_users() {
        let catalog = claviger_catalog::Catalog::builtin().unwrap();
        let of = |asked_of| {
            let found = catalog.iter().find_map(|provider| {
                let input = provider.inputs.iter().find(|input| input.asked_of == asked_of)?;
                Some((provider.clone(), input.key.clone()))
            });
            found.expect("a provider that asks so")
        };
        for (asked_of, stays) in [(AskedOf::User, true), (AskedOf::Operator, false)] {
            let (provider, key) = of(asked_of);
            let values = [(key.clone(), "x".to_owned()), ("told".to_owned(), "y".to_owned())];
            let told = told(&provider, values.into());
            assert_eq!((told.contains_key(&key), told.contains_key("told")), (stays, true), "{key}");
        }
    }
}
