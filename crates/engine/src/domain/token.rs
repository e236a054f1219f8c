//! The API token: what a user's programs call with, as that user.

use crate::{
    id::{TokenId, UserId, WorkspaceId},
    time::Millis,
};

/// A token as kept: its text is not here, only a prefix to find it and a hash to compare.
#[derive(Debug, Clone)]
pub struct UserToken {
    /// Its id.
    pub id: TokenId,
    /// In which workspace.
    pub workspace_id: WorkspaceId,
    /// As whom it calls.
    pub user_id: UserId,
    /// What it is for, in the user's words: `personal`, `app-view`.
    pub kind: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// Its first characters, shown in lists.
    pub prefix: String,
    /// Hex SHA-256 of the whole token.
    pub hash: String,
    /// Whether it only reads.
    pub read_only: bool,
    /// When it stops working, if ever.
    pub expires_at: Option<Millis>,
    /// When it was last used (kept to the minute).
    pub last_used_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}
