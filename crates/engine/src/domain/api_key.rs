//! The API key: how a product's server proves its workspace.

use crate::{
    id::{ApiKeyId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// An API key as kept: its text is not here, only a prefix to find it and a hash to compare.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose key it is.
    pub workspace_id: WorkspaceId,
    /// What the operator calls it.
    pub name: String,
    /// The first characters of the key, shown in lists.
    pub prefix: String,
    /// Hex SHA-256 of the whole key.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The one integration it is limited to, if any.
    pub integration_id: Option<IntegrationId>,
    /// When it stops working, if ever.
    pub expires_at: Option<Millis>,
    /// When it was last used (kept to the minute).
    pub last_used_at: Option<Millis>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
}

/// One thing that an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read and change connections, integrations and webhooks.
    Management,
    /// Make calls through the proxy, and exchange codes.
    Proxy,
    /// Read only.
    ReadOnly,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Management, Self::Proxy, Self::ReadOnly];

    /// As it is kept and spelled on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Management => "management",
            Self::Proxy => "proxy",
            Self::ReadOnly => "read-only",
        }
    }

    /// Reads what [`Scope::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}
