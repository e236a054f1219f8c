//! Record: the one transaction in which a connection becomes true.
//!
//! The integration must still be what it was when the flow began. Connection, credential, event and deliveries, and the flow's end are written together or not at all; the
//! browser is sent on only after.

use super::{exchange::Exchanged, finish::CHANGED, tokens};
use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, Status},
        event::EventKind,
        flow::Flow,
    },
    error::{Error, Result},
    id::ConnectionId,
    store::Conn,
    webhook,
};

/// Writes the connection that came of a flow, in the caller's transaction.
pub(super) async fn connection(
    broker: &Broker,
    conn: &mut Conn,
    flow: &Flow,
    exchanged: Exchanged,
) -> Result<ConnectionId> {
    let now = broker.clock.now();
    if !conn.hold_integration(&flow.workspace_id, &flow.integration_id, flow.integration_version).await? {
        return Err(Error::Conflict { message: CHANGED.into() });
    }
    let asked = flow.endpoints.as_ref().map(|e| e.scopes.clone()).unwrap_or_default();
    let Exchanged { tokens: got, account, inputs } = exchanged;
    let connection = Connection {
        id: ConnectionId::new(),
        workspace_id: flow.workspace_id.clone(),
        integration_id: flow.integration_id.clone(),
        owner: flow.owner.clone(),
        status: Status::Active,
        status_reason: None,
        scopes_granted: got.scopes.clone().unwrap_or_else(|| asked.clone()),
        scopes_asked: asked,
        account,
        inputs,
        frozen_at: None,
        refreshed_at: None,
        expires_at: got.expires_at.map(crate::time::Millis),
        created_at: now,
        updated_at: now,
    };
    let credential = tokens::seal(broker, &flow.workspace_id, &connection.id, &got, now)?;
    conn.create_connection(&flow.workspace_id, &connection).await?;
    conn.create_credential(&flow.workspace_id, &credential).await?;
    webhook::emit(conn, EventKind::ConnectionCreated, &connection, now).await?;
    Ok(connection.id)
}
