//! Emit: an event and one delivery per endpoint that wants it, in the caller's transaction.

use serde_json::json;

use crate::{
    domain::{
        connection::{Connection, OwnerKind, Status},
        event::{Event, EventKind},
        webhook::Delivery,
    },
    error::Result,
    id::{DeliveryId, EventId},
    store::Conn,
    time::Millis,
};

/// Writes an event about a connection.
pub async fn emit(conn: &mut Conn, kind: EventKind, connection: &Connection, now: Millis) -> Result<()> {
    write(conn, kind, connection, data(connection), now).await
}

/// Writes the event of a connection's end, with what became of its grant at the provider: an outcome of
/// [`Revocation`](crate::domain::revocation::Revocation).
pub async fn emit_deleted(
    conn: &mut Conn,
    connection: &Connection,
    revocation: &str,
    now: Millis,
) -> Result<()> {
    let mut data = data(connection);
    data["revocation"] = json!(revocation);
    write(conn, EventKind::ConnectionDeleted, connection, data, now).await
}

async fn write(
    conn: &mut Conn,
    kind: EventKind,
    connection: &Connection,
    data: serde_json::Value,
    now: Millis,
) -> Result<()> {
    let workspace = &connection.workspace_id;
    let event = Event {
        id: EventId::new(),
        workspace_id: workspace.clone(),
        kind,
        connection_id: connection.id.clone(),
        data,
        created_at: now,
    };
    conn.create_event(workspace, &event).await?;
    for endpoint in conn.endpoints_for(workspace, kind).await? {
        let delivery = Delivery {
            id: DeliveryId::new(),
            workspace_id: workspace.clone(),
            event_id: event.id.clone(),
            endpoint_id: endpoint.id,
            connection_id: connection.id.clone(),
            nth: 0,
            attempts: 0,
            next_at: Some(now),
            delivered_at: None,
            created_at: now,
        };
        conn.create_delivery(workspace, &delivery).await?;
    }
    Ok(())
}

/// The connection as an event tells of it: no token, no input, no account detail, and no owner of another kind under
/// the name `external_id`.
fn data(connection: &Connection) -> serde_json::Value {
    let external = connection.owner.key.as_deref().filter(|_| connection.owner.kind == OwnerKind::External);
    json!({
        "id": connection.id.as_str(),
        "external_id": external,
        "integration_id": connection.integration_id.as_str(),
        "is_valid": connection.status == Status::Active,
        "created_at": connection.created_at.rfc3339(),
    })
}
