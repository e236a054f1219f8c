//! The OAuth app: a client at a provider that belongs to whoever runs the server, lent to a workspace.
//!
//! Integrations and auth options name it (`proxy_key`); its client id and secret are in no answer of any door.

use crate::{
    domain::integration::{AsOf, Integration},
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

impl OauthApp {
    /// The integration as it is with the app that it names: `app` is that one, where there is one. Its own client is none,
    /// and neither is an app of another provider. An integration that names none stays as it is.
    pub fn lend(app: Option<Self>, integration: Integration) -> Integration {
        if integration.config.proxy_key.is_none() {
            return integration;
        }
        let (id, client_id, client_secret) = match app.filter(|app| app.provider == integration.provider) {
            Some(app) => (Some(app.id), Some(app.client_id), app.client_secret),
            None => (None, None, None),
        };
        let as_of = AsOf { app: id, ..integration.as_of };
        Integration { client_id, client_secret, as_of, ..integration }
    }
}
