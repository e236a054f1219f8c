//! Health: how a connection is doing, as data, for whoever has to tell whether its owner is needed.
//!
//! Nothing secret, and nothing of the credential but its times.

use crate::{
    domain::connection::Connection,
    id::{ConnectionId, WorkspaceId},
    time::Millis,
};

/// What is known of a connection's life besides the connection itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// When a call was last made with it, to the minute.
    pub last_used_at: Option<Millis>,
    /// When its credential was last obtained.
    pub obtained_at: Option<Millis>,
    /// When its access token expires; `None` when nobody knows.
    pub expires_at: Option<Millis>,
    /// When its refresh token dies, where the provider says.
    pub refresh_expires_at: Option<Millis>,
    /// How many refreshes in a row failed in passing.
    pub failures: i64,
    /// Until when none is tried after that.
    pub retry_at: Option<Millis>,
    /// What the last one failed with.
    pub failure: Option<String>,
    /// Since when a refresh has been sent of which no answer is known.
    pub unknown_since: Option<Millis>,
    /// When its provider was last asked whether it takes the credential.
    pub verified_at: Option<Millis>,
    /// What came of comparing the account that its owner last authorized with the one before; `None` when it was the same,
    /// or there was none before.
    pub account_note: Option<String>,
}

/// The scopes that were asked for and not granted.
pub fn missing_scopes(connection: &Connection) -> Vec<String> {
    let granted = &connection.scopes_granted;
    connection.scopes_asked.iter().filter(|scope| !granted.contains(scope)).cloned().collect()
}

/// A connection whose refresh token dies soon, and whose owner was not told of that yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// When its refresh token dies.
    pub dies_at: Millis,
}
