//! Record: the one transaction in which a connection becomes true.
//!
//! The integration must still be what it was when its tokens were asked for. Connection, credential, event and
//! deliveries, and the flow's end are written together or not at all; the browser is sent on only after. Tokens
//! that can't be kept do not stay behind at the provider.

use claviger_protocol::oauth2::Tokens;

use super::{end, exchange::Exchanged, finish::CHANGED, persist::persist, tokens};
use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, Status},
        event::EventKind,
        flow::Flow,
        integration::Integration,
    },
    error::{Error, Result},
    id::ConnectionId,
    store::Conn,
    time::Millis,
    webhook,
};

/// A connection that is about to be.
pub(super) struct Draft {
    /// The connection.
    pub connection: Connection,
    /// What it is used with.
    pub tokens: Tokens,
    /// The integration's version that all this was made with.
    pub version: i64,
}

impl Draft {
    /// What came of a flow.
    pub(super) fn of(flow: &Flow, exchanged: Exchanged, now: Millis) -> Self {
        let Exchanged { tokens, account, inputs } = exchanged;
        let asked = flow.endpoints.as_ref().map(|e| e.scopes.clone()).unwrap_or_default();
        let connection = Connection {
            id: ConnectionId::new(),
            workspace_id: flow.workspace_id.clone(),
            integration_id: flow.integration_id.clone(),
            owner: flow.owner.clone(),
            status: Status::Active,
            status_reason: None,
            scopes_granted: tokens.scopes.clone().unwrap_or_else(|| asked.clone()),
            scopes_asked: asked,
            account,
            inputs,
            frozen_at: None,
            refreshed_at: None,
            expires_at: tokens.expires_at.map(Millis),
            authorized_at: now,
            created_at: now,
            updated_at: now,
        };
        Self { connection, tokens, version: flow.integration_version }
    }
}

/// Writes a connection in the caller's transaction; `false` when it is there already, because a commit that
/// looked like a failure was none.
pub(super) async fn write(broker: &Broker, conn: &mut Conn, draft: &Draft) -> Result<bool> {
    let Draft { connection, tokens: held, version } = draft;
    let workspace = &connection.workspace_id;
    if conn.connection(workspace, &connection.id).await?.is_some() {
        return Ok(false);
    }
    if !conn.hold_integration(workspace, &connection.integration_id, *version).await? {
        return Err(Error::Conflict { message: CHANGED.into() });
    }
    let credential = tokens::seal(broker, workspace, &connection.id, held, connection.created_at)?;
    conn.create_connection(workspace, connection).await?;
    conn.create_credential(workspace, &credential).await?;
    webhook::emit(conn, EventKind::ConnectionCreated, connection, connection.created_at).await?;
    Ok(true)
}

/// Runs the transaction that has [`write()`] in it, again while the database fails. When it fails for good, the
/// tokens are revoked, for nobody else holds them: without a connection they would be a grant that nobody knows of.
pub(super) async fn keep<F>(
    broker: &Broker,
    integration: &Integration,
    draft: &Draft,
    transaction: impl Fn() -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let connection = &draft.connection;
    let what = format!("the first tokens of {}", connection.id);
    let Err(error) = persist(&broker.clock, &what, transaction).await else { return Ok(()) };
    let mut conn = broker.store.read().await?;
    if conn.connection(&connection.workspace_id, &connection.id).await?.is_some() {
        return Ok(());
    }
    drop(conn);
    end::revoke_unless_shared(broker, integration, connection, &draft.tokens).await;
    Err(error)
}
