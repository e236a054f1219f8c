//! The session: a signed-in browser. A row in the store, so that every node knows it.

use crate::{
    id::{UserId, WorkspaceId},
    time::Millis,
};

/// A session as kept. The cookie's text is not here, only its hash.
#[derive(Debug, Clone)]
pub struct Session {
    /// Hex SHA-256 of the cookie's text.
    pub hash: String,
    /// In which workspace.
    pub workspace_id: WorkspaceId,
    /// Who signed in.
    pub user_id: UserId,
    /// When it was last used (kept to the minute): idle for too long, it ends.
    pub seen_at: Millis,
    /// When it ends, however much it is used.
    pub ends_at: Millis,
    /// When it began.
    pub created_at: Millis,
}
