//! The credential: what a connection is used with. Always sealed at rest, one data key each.

use crate::{
    id::{ConnectionId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// A credential as kept.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Which connection it opens.
    pub connection_id: ConnectionId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The sealed token set, JSON inside (see `connect::tokens`).
    pub sealed: Sealed,
    /// Goes up with every refresh; a refresh writes only over the version it read.
    pub version: i64,
    /// When the access token expires; `None` when the provider did not say and nothing tells.
    pub expires_at: Option<Millis>,
    /// When the refresh token expires, where the provider says.
    pub refresh_expires_at: Option<Millis>,
    /// When this access token was obtained.
    pub obtained_at: Millis,
    /// The fencing number of the refresh that wrote it; 0 for what somebody authorized.
    pub fence: i64,
    /// The hash of the refresh token that was spent for it, where one was.
    pub parent_hash: Option<String>,
    /// The sealed token set before it, until this one has worked.
    pub previous: Option<Sealed>,
    /// Until when that is kept at most.
    pub previous_until: Option<Millis>,
    /// When it was first known to work. Only noted where there is one before it.
    pub worked_at: Option<Millis>,
    /// For how many seconds such a token was good the last time that was known.
    pub lifetime: Option<i64>,
}
