//! The reconnect link: opened once, it renews one connection under its own id.

use crate::{
    id::{ConnectionId, LinkId, WorkspaceId},
    time::Millis,
};

/// A link as kept. Of its token only the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconnectLink {
    /// Its id.
    pub id: LinkId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Which connection it renews.
    pub connection_id: ConnectionId,
    /// Hex SHA-256 of the token in its URL.
    pub token_hash: String,
    /// Where the browser goes at the end, in place of our own page.
    pub redirect_uri: Option<String>,
    /// When it stops being good.
    pub expires_at: Millis,
    /// When its button was pressed.
    pub used_at: Option<Millis>,
    /// Hex SHA-256 of the id of the browser in which that was.
    pub browser_hash: Option<String>,
    /// When it was made.
    pub created_at: Millis,
}
