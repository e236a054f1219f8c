//! The event: what became true, written in the transaction that made it so.

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
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::ConnectionCreated, Self::ConnectionUpdated, Self::ConnectionDeleted, Self::ConnectionExpired];

    /// As webhooks name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionCreated => "connection.created",
            Self::ConnectionUpdated => "connection.updated",
            Self::ConnectionDeleted => "connection.deleted",
            Self::ConnectionExpired => "connection.expired",
        }
    }

    /// Reads what [`EventKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
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
    /// To which connection; kept after the connection is gone.
    pub connection_id: ConnectionId,
    /// The connection as it was then, JSON, without secrets.
    pub data: serde_json::Value,
    /// When.
    pub created_at: Millis,
}
