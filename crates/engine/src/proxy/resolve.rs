//! Phase 1: from the key and the connection's id to everything the call hangs on.

use std::sync::Arc;

use crate::{
    access,
    broker::Broker,
    domain::{
        api_key::{ApiKey, Scope},
        connection::{Connection, Status},
    },
    error::{Error, Result},
    id::ConnectionId,
    refresh::Subject,
};

/// Finds the connection in the key's workspace and checks that it may be used.
///
/// # Errors
/// `Denied` for a key without the scope and for a frozen connection, `NotFound` for a connection that is not
/// there, is another workspace's or is outside of the key's integration, `NeedsReauth`.
pub(super) async fn subject(broker: &Broker, key: &ApiKey, id: &ConnectionId) -> Result<Subject> {
    access::require(key, Scope::Proxy)?;
    let workspace = &key.workspace_id;
    let missing = Error::NotFound { what: "connection" };
    let mut conn = broker.store.read().await?;
    let Some(connection) = conn.connection(workspace, id).await? else { return Err(missing) };
    usable(key, &connection)?;
    let Some(integration) = conn.integration(workspace, &connection.integration_id).await? else {
        return Err(missing);
    };
    drop(conn);
    let provider = broker.provider(&integration)?;
    Ok(Subject {
        workspace_id: workspace.clone(),
        connection: Arc::new(connection),
        integration: Arc::new(integration),
        provider,
    })
}

fn usable(key: &ApiKey, connection: &Connection) -> Result<()> {
    if key.integration_id.as_ref().is_some_and(|only| *only != connection.integration_id) {
        return Err(Error::NotFound { what: "connection" });
    }
    if connection.frozen_at.is_some() {
        return Err(Error::Denied { message: "This connection is frozen".into() });
    }
    match connection.status {
        Status::Active => Ok(()),
        Status::NeedsReauth => Err(Error::NeedsReauth {
            message: connection
                .status_reason
                .clone()
                .unwrap_or_else(|| "The connection must be authorized again".into()),
        }),
    }
}
