//! The revocation: what a provider answered when it was asked to forget a token.

use crate::{
    id::{ConnectionId, IntegrationId, RevocationId, WorkspaceId},
    time::Millis,
};

/// A revocation as kept.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Of which connection; kept after the connection is gone.
    pub connection_id: ConnectionId,
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// How it ended: `revoked`, `unsupported`, `failed`, or `skipped` when nothing was asked of the provider,
    /// because there was no credential, another connection lives on the same grant, or the integration was pointed
    /// elsewhere since.
    pub outcome: String,
    /// The provider's words, without secrets.
    pub detail: String,
    /// When.
    pub at: Millis,
}
