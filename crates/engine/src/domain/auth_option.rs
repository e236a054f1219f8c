//! The auth option: one more way to authenticate at an integration, besides the one that needs no naming.

use crate::{
    domain::integration::{AsOf, CallbackKind, Config, Integration},
    id::{AuthOptionId, IntegrationId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// An auth option.
#[derive(Debug, Clone)]
pub struct AuthOption {
    /// Its id.
    pub id: AuthOptionId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// At which integration.
    pub integration_id: IntegrationId,
    /// Its key, unique there: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
    pub key: String,
    /// What people call it; the provider's name where it has none.
    pub title: Option<String>,
    /// What it is for, in a sentence or two.
    pub description: Option<String>,
    /// The catalog provider's key: it may be another than the integration's.
    pub provider: String,
    /// The OAuth client id registered at the provider.
    pub client_id: Option<String>,
    /// The sealed OAuth client secret.
    pub client_secret: Option<Sealed>,
    /// Scopes to ask for; empty means the provider file's defaults.
    pub scopes: Vec<String>,
    /// Which callback path the provider sends browsers back to.
    pub callback: CallbackKind,
    /// What the operator set beyond the catalog's entry. Nothing of the integration's own configuration is added to it:
    /// its endpoints, hosts and headers may be another service's.
    pub config: Config,
    /// Its place among the integration's, from 0.
    pub nth: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

impl AuthOption {
    /// The integration as it is for whoever authenticates in this way.
    pub fn over(self, integration: Integration) -> Integration {
        let Config { return_uri, outside_start, .. } = integration.config;
        Integration {
            provider: self.provider,
            client_id: self.client_id,
            client_secret: self.client_secret,
            scopes: self.scopes,
            callback: self.callback,
            config: Config { return_uri, outside_start, ..self.config },
            as_of: AsOf { option: Some(self.id), app: None },
            ..integration
        }
    }
}
