//! Phase 1: from who calls to everything the call hangs on.

use std::sync::Arc;

use super::{Caller, ready::Ready};
use crate::{
    access::{self, Holder, Member, chosen, rights},
    broker::Broker,
    domain::{
        api_key::{ApiKey, Scope},
        connection::{Connection, Owner, OwnerKind, Status},
        integration::Integration,
    },
    error::{Error, Result},
    id::{ConnectionId, WorkspaceId},
    memory::Moment,
    refresh::Subject,
};

/// Finds the connection that the caller means and checks that it may be used.
///
/// # Errors
/// `Denied` for a key without the scope and for a frozen connection; `NotFound` for a connection that is not there, is
/// another workspace's or is outside of the key's integration, and for an integration that the user does not see;
/// `NeedsReauth`.
pub(super) async fn subject(broker: &Broker, caller: &Caller) -> Result<Arc<Ready>> {
    match caller {
        Caller::Key { key, connection } => of_key(broker, key, connection).await,
        Caller::Member { member, integration } => Box::pin(of_member(broker, member, integration)).await,
        Caller::Customer { holder, selector } => Box::pin(of_holder(broker, holder, selector)).await,
    }
}

async fn of_key(broker: &Broker, key: &ApiKey, id: &ConnectionId) -> Result<Arc<Ready>> {
    access::require(key, Scope::Proxy)?;
    let known = broker.subjects.get(broker.store.board(), id);
    let known = known.filter(|known| known.workspace_id == key.workspace_id && is_enough(broker, known));
    broker.metrics.looked_up(known.is_some());
    let subject = match known {
        Some(subject) => subject,
        None => Box::pin(read(broker, &key.workspace_id, id)).await?,
    };
    let connection = &subject.connection;
    let reached = key.integration_id.as_ref().is_none_or(|only| *only == connection.integration_id);
    // What users connect is theirs: a product's key calls for the product's customers.
    if !reached || connection.owner.kind != OwnerKind::External {
        return Err(missing());
    }
    usable(connection)?;
    Ok(subject)
}

/// Whether a call can be made with what is remembered. It refuses nobody: what it would refuse may have been mended in
/// another process a moment ago. And where a token has to be read, its connection is read with it: it may be of another
/// authorization, for another host.
fn is_enough(broker: &Broker, known: &Ready) -> bool {
    let token = || broker.kept.get(broker.store.board(), &known.connection, broker.clock.now());
    usable(&known.connection).is_ok() && token().is_some()
}

/// Reads a connection that is not remembered, and remembers it.
async fn read(broker: &Broker, workspace: &WorkspaceId, id: &ConnectionId) -> Result<Arc<Ready>> {
    let board = broker.store.board();
    let moment = Moment::of(board);
    let mut conn = broker.store.read().await?;
    let connection = conn.connection(workspace, id).await?.ok_or_else(missing)?;
    let integration = broker.subjects.integration(board, &mut conn, workspace, &connection).await?;
    drop(conn);
    let subject = together(broker, workspace, connection, integration.ok_or_else(missing)?)?;
    broker.subjects.keep(board, moment, subject.clone());
    Ok(subject)
}

/// Whoever sees an integration may use it, with the connection that is the user's by the integration's mode. What is
/// switched off takes no new connections; those that are there go on, here as with a key.
async fn of_member(broker: &Broker, member: &Member, selector: &str) -> Result<Arc<Ready>> {
    let workspace = &member.workspace_id;
    let mut conn = broker.store.read().await?;
    let integration = rights::see(&mut conn, member, selector).await?.integration;
    let owner = Owner::member(integration.mode, &member.user.username);
    let found = conn.connection_of(workspace, &integration.id, &owner).await?;
    let connection = found.ok_or_else(missing)?;
    let option = connection.auth_option.as_deref();
    let integration = conn.as_option(workspace, integration, option).await?.ok_or_else(missing)?;
    drop(conn);
    usable(&connection)?;
    together(broker, workspace, connection, Arc::new(integration))
}

/// Whatever the holder of a product's token may see, it may call with; not what was archived.
async fn of_holder(broker: &Broker, holder: &Holder, selector: &str) -> Result<Arc<Ready>> {
    let workspace = &holder.workspace.id;
    let mut conn = broker.store.read().await?;
    let found = chosen::connection(&mut conn, holder, selector).await?;
    if found.archived_at.is_some() {
        return Err(missing());
    }
    let connection = found.connection;
    usable(&connection)?;
    let integration =
        broker.subjects.integration(broker.store.board(), &mut conn, workspace, &connection).await?;
    drop(conn);
    together(broker, workspace, connection, integration.ok_or_else(missing)?)
}

fn missing() -> Error {
    Error::NotFound { what: "connection" }
}

fn together(
    broker: &Broker,
    workspace: &WorkspaceId,
    connection: Connection,
    integration: Arc<Integration>,
) -> Result<Arc<Ready>> {
    let provider = broker.provider(&integration)?;
    let connection = Arc::new(connection);
    Ok(Ready::new(Subject { workspace_id: workspace.clone(), connection, integration, provider }))
}

fn usable(connection: &Connection) -> Result<()> {
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
