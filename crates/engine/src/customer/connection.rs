//! Connections, as the holder of a product's token sees them: shown, listed, named, archived.
//!
//! A customer sees what is its own; whatever else there is does not exist for it. An admin sees all of the workspace's
//! customers'. What users and `external_id`s connected is another door's.

use std::collections::BTreeMap;

use claviger_catalog::{KeyKind, Kind};

use crate::{
    broker::Broker,
    domain::{connection::Connection, integration::Integration},
    error::{Error, Result},
    id::{ConnectionId, CustomerId, IntegrationId, WorkspaceId},
    store::{Conn, CustomerConnection},
    time::Millis,
};

/// A connection, as its customer sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The connection, or what is left of it.
    pub connection: Connection,
    /// Its integration, by the auth option that the connection was made with.
    pub integration: Integration,
    /// Our id of its customer. `None` when the customer is not known any more.
    pub customer_id: Option<CustomerId>,
    /// When it was archived.
    pub archived_at: Option<Millis>,
    /// Whether its credential can be made anew without its customer, as far as its provider's file tells.
    pub can_refresh: bool,
    /// Whether its provider's file names a call that shows whether the credential works.
    pub can_test: bool,
}

/// The connection that a flow ended with, for whoever is told of it. That they may know is already found.
///
/// # Errors
/// `NotFound` when it is no customer's, or gone.
pub async fn told(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let found = conn.customer_connection(workspace, id).await?;
    one(broker, &mut conn, workspace, found).await
}

pub(super) fn missing() -> Error {
    Error::NotFound { what: "connection" }
}

async fn one(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    found: Option<CustomerConnection>,
) -> Result<Shown> {
    shown(broker, conn, workspace, found.into_iter().collect()).await?.pop().ok_or_else(missing)
}

/// Connections with their integrations.
pub(super) async fn shown(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    found: Vec<CustomerConnection>,
) -> Result<Vec<Shown>> {
    let mut known: BTreeMap<(IntegrationId, Option<String>), Integration> = BTreeMap::new();
    let mut all = Vec::with_capacity(found.len());
    for CustomerConnection { connection, customer_id, archived_at } in found {
        let by = (connection.integration_id.clone(), connection.auth_option.clone());
        if !known.contains_key(&by) {
            // Gone with its connections, meanwhile.
            let Some(integration) = conn.integration(workspace, &by.0).await? else { continue };
            known.insert(by.clone(), integration);
        }
        let Some(integration) = known.get(&by).cloned() else { continue };
        let provider = broker.catalog.get(&integration.provider);
        let can_refresh = archived_at.is_none() && provider.as_ref().is_some_and(|it| refreshes(it));
        let can_test = provider.is_some_and(|it| it.verify.is_some());
        all.push(Shown { connection, integration, customer_id, archived_at, can_refresh, can_test });
    }
    Ok(all)
}

/// Whether tokens of this provider can be got anew without anybody's consent.
fn refreshes(provider: &claviger_catalog::Provider) -> bool {
    match provider.kind() {
        Kind::OAuth2Code | Kind::ClientCredentials | Kind::WorkspaceToken => true,
        Kind::Typed => provider.keys().is_some_and(|keys| keys.kind == KeyKind::Client),
        Kind::OAuth1 => false,
    }
}
