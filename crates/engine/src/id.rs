//! Typed ids: a prefix that says the kind, then a UUIDv7 in hex.
//!
//! `conn_0198…`: 32 hex digits after the prefix, never a `.` (a key and a connection id may be joined by
//! one). Ids sort by the time they were made. An id is not a secret and opens nothing by itself; a clone of it is the same text.

use std::{fmt, sync::Arc};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id.
            #[expect(clippy::new_without_default, reason = "a fresh id is never a default")]
            pub fn new() -> Self {
                Self(fresh($prefix))
            }

            /// Reads an id that a caller gave; `None` unless it is one of this kind, spelled as we spell it.
            pub fn parse(text: &str) -> Option<Self> {
                well_formed($prefix, text).then(|| Self(text.into()))
            }

            /// Takes an id that our own database gave.
            pub fn from_row(text: String) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A workspace: the tenant boundary.
    WorkspaceId = "ws_";
    /// An integration: a provider configured in a workspace.
    IntegrationId = "int_";
    /// A connection between an owner and an integration.
    ConnectionId = "conn_";
    /// An authorization in progress.
    FlowId = "flow_";
    /// An API key (its id, not the key).
    ApiKeyId = "key_";
    /// A customer of a product, whom its tokens speak of.
    CustomerId = "cus_";
    /// A public key that a product's tokens are verified with.
    JwtKeyId = "jwk_";
    /// A key of ours towards a provider.
    ClientKeyId = "ckey_";
    /// One more way to authenticate at an integration.
    AuthOptionId = "opt_";
    /// An OAuth app of whoever runs the server.
    OauthAppId = "app_";
    /// A user who signs in at the Informer-style door.
    UserId = "usr_";
    /// A user's API token (its id, not the token).
    TokenId = "tok_";
    /// An operator who signs in at the dashboard.
    OperatorId = "op_";
    /// An event that webhooks tell of.
    EventId = "evt_";
    /// A webhook endpoint.
    EndpointId = "wh_";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv_";
    /// One attempt of a delivery.
    AttemptId = "att_";
    /// A running process.
    ProcessId = "proc_";
    /// One row of the request log.
    LogId = "log_";
    /// One row of the audit log.
    AuditId = "aud_";
    /// One revocation at a provider, with its outcome.
    RevocationId = "rev_";
    /// One sending of a refresh token, written down before it leaves.
    IntentId = "rfi_";
    /// A one-time link that renews a connection (its id, not what the link carries).
    LinkId = "rcl_";
    /// One HTTP request to Claviger, as its answer's `Claviger-Request-Id` says.
    RequestId = "req_";
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
fn fresh(prefix: &str) -> Arc<str> {
    let mut hex = [0; 32];
    [prefix, uuid::Uuid::now_v7().simple().encode_lower(&mut hex)].concat().into()
}

fn well_formed(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = ConnectionId::new();
        assert_eq!(ConnectionId::parse(id.as_str()), Some(id.clone()));
        let upper = id.as_str().to_uppercase();
        let long = format!("{id}0");
        for wrong in
            ["", "conn_", "conn_abc123", upper.as_str(), long.as_str(), IntegrationId::new().as_str()]
        {
            assert_eq!(ConnectionId::parse(wrong), None, "{wrong}");
        }
    }
}
