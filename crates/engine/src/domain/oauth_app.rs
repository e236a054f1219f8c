//! The OAuth app: a client at a provider that belongs to whoever runs the server, lent to a workspace.
//!
//! Integrations and auth options name it (`proxy_key`); its client id and secret are in no answer of any door.

use crate::{
    id::{OauthAppId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// An OAuth app.
#[derive(Debug, Clone)]
pub struct OauthApp {
    /// Its id.
    pub id: OauthAppId,
    /// To whom it is lent.
    pub workspace_id: WorkspaceId,
    /// Its key, unique in the workspace, as an integration's key is written.
    pub key: String,
    /// The catalog provider's key: it is lent to connections of this one only.
    pub provider: String,
    /// The client id registered there.
    pub client_id: String,
    /// The sealed client secret.
    pub client_secret: Option<Sealed>,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}
