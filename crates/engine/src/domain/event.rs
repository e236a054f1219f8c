//! The event: what became true, written in the transaction that made it so.

use serde::{Deserialize, Serialize};

use crate::{
    id::{ConnectionId, EventId, WorkspaceId},
    time::Millis,
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A connection came to be.
    ConnectionCreated,
    /// A connection changed.
    ConnectionUpdated,
    /// A connection was removed.
    ConnectionDeleted,
    /// A connection needs its owner to authorize again.
    ConnectionExpired,
    /// A connection will need its owner soon: its refresh token dies at a known time.
    ConnectionExpiring,
    /// An endpoint that took nothing for days gets nothing more. About no connection.
    WebhookDisabled,
}

impl EventKind {
    /// Every kind. An endpoint is told of those that it names, and of no other.
    pub const ALL: [Self; 6] = [
        Self::ConnectionCreated,
        Self::ConnectionUpdated,
        Self::ConnectionDeleted,
        Self::ConnectionExpired,
        Self::ConnectionExpiring,
        Self::WebhookDisabled,
    ];

    /// As webhooks name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionCreated => "connection.created",
            Self::ConnectionUpdated => "connection.updated",
            Self::ConnectionDeleted => "connection.deleted",
            Self::ConnectionExpired => "connection.expired",
            Self::ConnectionExpiring => "connection.expiring",
            Self::WebhookDisabled => "webhook.disabled",
        }
    }

    /// Reads what [`EventKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// What the Membrane-style door's format tells of a connection besides [`Event::data`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its integration's key.
    pub integration_key: String,
    /// What the connection is called.
    pub name: String,
    /// The product's own id of the customer whose it is; `None` when it is of another door's owner.
    pub customer_id: Option<String>,
    /// Whether it needed its owner's consent until now.
    pub reconnected: bool,
}

/// An event as kept.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// What happened.
    pub kind: EventKind,
    /// To which connection; kept after the connection is gone. With [`EventKind::WebhookDisabled`] the endpoint's id
    /// stands in its place: events about one thing are told in order.
    pub connection_id: ConnectionId,
    /// The connection, or the endpoint, as it was then, JSON, without secrets.
    pub data: serde_json::Value,
    /// What else is told of it in the format of the Membrane-style door.
    pub about: Option<About>,
    /// When.
    pub created_at: Millis,
}
