//! Emit: an event and one delivery per endpoint that wants it, in the caller's transaction.

use serde_json::json;

use crate::{
    domain::{
        connection::{Connection, OwnerKind, Status},
        event::{About, Event, EventKind},
        revocation::Told,
        webhook::{Delivery, Endpoint, Format},
    },
    error::Result,
    id::{ConnectionId, DeliveryId, EndpointId, EventId},
    store::Conn,
    time::Millis,
};

/// Writes an event about a connection.
pub async fn emit(conn: &mut Conn, kind: EventKind, connection: &Connection, now: Millis) -> Result<()> {
    let about = about(conn, connection, false).await?;
    write(conn, told(kind, connection, now, about)).await
}

/// Writes the event of a connection that was authorized anew. `was` says whether that was needed; `other_account`, whether
/// it is not, or not surely, the account of before any more.
pub async fn emit_authorized(
    conn: &mut Conn,
    was: &Connection,
    connection: &Connection,
    other_account: bool,
    now: Millis,
) -> Result<()> {
    let about = about(conn, connection, was.status == Status::NeedsReauth).await?;
    let mut event = told(EventKind::ConnectionUpdated, connection, now, about);
    if other_account {
        event.data["account_changed"] = json!(true);
    }
    write(conn, event).await
}

/// Writes the event of a connection's end, with what became of its grant at the provider, and why where that is not
/// plain.
pub async fn emit_deleted(
    conn: &mut Conn,
    connection: &Connection,
    revocation: &Told,
    now: Millis,
) -> Result<()> {
    let about = about(conn, connection, false).await?;
    let mut event = told(EventKind::ConnectionDeleted, connection, now, about);
    event.data["revocation"] = json!(revocation.outcome.as_str());
    if !revocation.detail.is_empty() {
        event.data["revocation_detail"] = json!(revocation.detail);
    }
    write(conn, event).await
}

/// Writes the event of a connection whose refresh token dies at `dies_at`, a known time ahead.
pub async fn emit_expiring(
    conn: &mut Conn,
    connection: &Connection,
    dies_at: Millis,
    now: Millis,
) -> Result<()> {
    let about = about(conn, connection, false).await?;
    let mut event = told(EventKind::ConnectionExpiring, connection, now, about);
    event.data["refresh_expires_at"] = json!(dies_at.rfc3339());
    write(conn, event).await
}

/// Writes the event of an endpoint that was disabled because it took nothing since `failing_since`. It is told to the
/// workspace's other endpoints: this one must be disabled already.
pub async fn emit_disabled(
    conn: &mut Conn,
    endpoint: &Endpoint,
    failing_since: Millis,
    now: Millis,
) -> Result<()> {
    let event = Event {
        id: EventId::new(),
        workspace_id: endpoint.workspace_id.clone(),
        kind: EventKind::WebhookDisabled,
        connection_id: ConnectionId::from_row(endpoint.id.to_string()),
        data: json!({
            "id": endpoint.id.as_str(),
            "name": endpoint.name,
            "failing_since": failing_since.rfc3339(),
            "disabled_at": now.rfc3339(),
        }),
        about: None,
        created_at: now,
    };
    write(conn, event).await
}

fn told(kind: EventKind, connection: &Connection, now: Millis, about: Option<About>) -> Event {
    Event {
        id: EventId::new(),
        workspace_id: connection.workspace_id.clone(),
        kind,
        connection_id: connection.id.clone(),
        data: data(connection),
        about,
        created_at: now,
    }
}

async fn write(conn: &mut Conn, event: Event) -> Result<()> {
    let workspace = &event.workspace_id;
    conn.create_event(workspace, &event).await?;
    for endpoint in conn.endpoints_for(workspace, event.kind).await? {
        if !is_told(&event, endpoint.format) {
            continue;
        }
        let delivery = delivery(&event, &endpoint.id, event.created_at);
        conn.create_delivery(workspace, &delivery).await?;
    }
    Ok(())
}

/// An event on its way to an endpoint, due at once.
pub(super) fn delivery(event: &Event, endpoint: &EndpointId, now: Millis) -> Delivery {
    Delivery {
        id: DeliveryId::new(),
        workspace_id: event.workspace_id.clone(),
        event_id: event.id.clone(),
        endpoint_id: endpoint.clone(),
        connection_id: event.connection_id.clone(),
        nth: 0,
        attempts: 0,
        next_at: Some(now),
        delivered_at: None,
        created_at: now,
    }
}

/// Whether a format has a word for it: the Membrane-style door's knows of a change only that a connection works again.
pub(super) fn is_told(event: &Event, format: Format) -> bool {
    match format {
        Format::Bundleup => true,
        Format::Membrane => {
            event.kind != EventKind::ConnectionUpdated
                || event.about.as_ref().is_some_and(|it| it.reconnected)
        }
    }
}

/// What the Membrane-style door's format tells besides; `None` when the integration is gone.
async fn about(conn: &mut Conn, connection: &Connection, reconnected: bool) -> Result<Option<About>> {
    let found = conn.integration(&connection.workspace_id, &connection.integration_id).await?;
    let owner = &connection.owner;
    Ok(found.map(|integration| About {
        name: connection.name.clone().unwrap_or(integration.name),
        integration_key: integration.key,
        customer_id: owner.key.clone().filter(|_| owner.kind == OwnerKind::Customer),
        reconnected,
    }))
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
