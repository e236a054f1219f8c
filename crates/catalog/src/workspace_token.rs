//! The table `[workspace_token]`: a token that Claviger itself makes for each connection and signs with the
//! workspace's secret, so that an API of the product's own knows for which customer it is called.
//!
//! Nobody types or consents to anything. Where calls carry it is `[api.headers]`', `[api.query]`'s or `[api.place]`'s.
//! Must never hold a key; `claviger_protocol::jwt` makes the token.

use serde::Deserialize;

/// How such tokens are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkspaceToken {
    /// How many seconds a token lives. Default 3600.
    pub lifetime: u32,
}

impl Default for WorkspaceToken {
    fn default() -> Self {
        Self { lifetime: 3600 }
    }
}
