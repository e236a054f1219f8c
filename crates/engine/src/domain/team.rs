//! The team: users with whom integrations are shared together.

use crate::{id::WorkspaceId, time::Millis};

/// A team of a workspace.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its slug, unique in the workspace, as an integration's key is written.
    pub id: String,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}
