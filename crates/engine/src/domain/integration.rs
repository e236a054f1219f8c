//! The integration: a provider configured in a workspace.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    domain::share::Principal,
    id::{AuthOptionId, IntegrationId, OauthAppId, WorkspaceId},
    time::{Millis, parse_duration},
    vault::Sealed,
};

/// An integration.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Its slug, unique in the workspace: `[a-z0-9][a-z0-9_-]{0,63}`.
    pub key: String,
    /// The catalog provider's key.
    pub provider: String,
    /// What people call it.
    pub name: String,
    /// What it is for, in a sentence or two.
    pub description: Option<String>,
    /// Words that its makers sort it by.
    pub tags: Vec<String>,
    /// Which user or team it belongs to; made by an operator it belongs to none.
    pub owner: Option<Principal>,
    /// One connection per user, or one for all.
    pub mode: Mode,
    /// The OAuth client id registered at the provider.
    pub client_id: Option<String>,
    /// The sealed OAuth client secret.
    pub client_secret: Option<Sealed>,
    /// Scopes to ask for; empty means the provider file's defaults.
    pub scopes: Vec<String>,
    /// Which callback path the provider sends browsers back to.
    pub callback: CallbackKind,
    /// What the operator set beyond the catalog's entry.
    pub config: Config,
    /// Goes up with every change of configuration; a flow begun under another version is ended.
    pub version: i64,
    /// Since when no new connections can be made.
    pub disabled_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Whose words it carries where those are not its own.
    pub as_of: AsOf,
}

impl Integration {
    /// The path that the provider sends the browser to. Each auth option has an own one of its own, for two options may
    /// be of two providers (RFC 9700 §4.4.2.2).
    pub fn callback_path(&self) -> String {
        match (self.callback, &self.as_of.option) {
            (CallbackKind::Own, Some(option)) => format!("/oauth2/callback/{option}"),
            (kind, _) => kind.path(&self.id),
        }
    }
}

/// Whose words an integration carries: provider, client, scopes, callback and configuration are those of one of its
/// auth options, the client an operator's app. Nothing where they are its own. Such a one is read, never written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AsOf {
    /// The auth option.
    pub option: Option<AuthOptionId>,
    /// The OAuth app whose client id and secret these are.
    pub app: Option<OauthAppId>,
}

/// The part of an integration's configuration that overrides or completes its provider's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The issuer, for providers found by issuer (`oidc`).
    pub issuer: Option<String>,
    /// The authorization endpoint, for providers whose endpoints are hand-entered (`oauth2`).
    pub authorize_url: Option<String>,
    /// The token endpoint, likewise; of OAuth 1, where the token is requested (RFC 5849 §2.3).
    pub token_url: Option<String>,
    /// Where temporary credentials are requested (RFC 5849 §2.1), for OAuth 1 with hand-entered endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_token_url: Option<String>,
    /// How requests are signed (RFC 5849 §3.4), likewise, in place of the provider file's: `HMAC-SHA1`, `HMAC-SHA256`,
    /// `RSA-SHA1`, `PLAINTEXT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The revocation endpoint (RFC 7009), likewise.
    pub revoke_url: Option<String>,
    /// Where it is asked whether a token still works (RFC 7662), likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspect_url: Option<String>,
    /// The userinfo endpoint, likewise.
    pub userinfo_url: Option<String>,
    /// The device authorization endpoint (RFC 8628 §3.1), likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_url: Option<String>,
    /// The pushed authorization request endpoint (RFC 9126 §2), likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub par_url: Option<String>,
    /// Whether authorization requests are pushed (RFC 9126), in place of what the provider file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub par: Option<bool>,
    /// Whether tokens are bound to a key of ours (RFC 9449), in place of what the provider file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop: Option<bool>,
    /// Where proxied calls go, in place of the provider file's base URL.
    pub base_url: Option<String>,
    /// Further hosts that the credential may be sent to.
    pub allowed_hosts: Vec<String>,
    /// Headers added to each proxied call.
    pub headers: BTreeMap<String, String>,
    /// Extra parameters of the authorization request.
    pub authorize_params: BTreeMap<String, String>,
    /// Fixed values for the provider's inputs (subdomain, region); what is missing is asked on the connect page.
    pub inputs: BTreeMap<String, String>,
    /// How the client authenticates at the token endpoint, in place of the provider file's: `basic`, `body`, `none`,
    /// `private_key_jwt`, `client_secret_jwt`, `tls_client_auth`.
    pub client_auth: Option<String>,
    /// What signs the client's assertions, with `private_key_jwt`: `RS256` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth_alg: Option<String>,
    /// What stands behind the id in the address of our key set. Absent until the integration was pointed elsewhere: since
    /// then its keys are others, and nobody is to trust them who trusted the ones before. Set by ourselves only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Where calls carry the API key, for providers that leave it to the integration (`apikey`).
    pub api_key: Option<KeyPlace>,
    /// Where a user's browser goes when connecting has ended: a registered redirect URI, in place of our own page.
    pub return_uri: Option<String>,
    /// Which OAuth app of whoever runs the server it connects with, by key, in place of a client of its own. Set by
    /// `apply` only.
    pub proxy_key: Option<String>,
    /// Where the provider sends browsers back to in place of our own callback path: whoever serves that sends them on
    /// to `/oauth-callback` with the same query.
    pub callback_uri: Option<String>,
    /// What a customer's browser may say about one connection besides the parameters that are asked for: keys of the
    /// provider's inputs, and `scopes`.
    pub connector_parameters: Vec<String>,
    /// Whether a flow may begin at the provider (an installation from its shop) instead of with us.
    pub outside_start: bool,
    /// What happens when a connection is authorized anew with another account than before; `warn` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_check: Option<AccountCheck>,
    /// How often the provider is asked whether it still takes a connection's key: `24h`. Never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_every: Option<String>,
}

impl Config {
    /// How often the provider is asked whether it still takes a key.
    pub fn verify_interval(&self) -> Option<Duration> {
        self.verify_every.as_deref().and_then(parse_duration)
    }
}

/// What happens when a connection is authorized anew with another account than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountCheck {
    /// It is refused, and the connection stays as it was; so it is where the provider does not say whose account it is.
    Require,
    /// It is taken, and told: in the connection's health and its event.
    #[default]
    Warn,
    /// Nothing is compared.
    Off,
}

/// Where a call carries an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPlace {
    /// In a header, or in the query.
    #[serde(rename = "in")]
    pub location: KeyLocation,
    /// The header's or the parameter's name.
    pub name: String,
    /// What stands before the key in a header: `Token `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// The part of a request that carries an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyLocation {
    /// A header.
    Header,
    /// A query parameter.
    Query,
}

/// Who shares a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each owner connects an account of its own.
    PerUser,
    /// One connection serves all.
    Shared,
}

impl Mode {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PerUser => "per-user",
            Self::Shared => "shared",
        }
    }

    /// Reads what [`Mode::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::PerUser, Self::Shared].into_iter().find(|m| m.as_str() == text)
    }
}

/// Which of the callback paths an integration uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackKind {
    /// `/oauth2/callback/{integration_id}`, the only kind for hand-entered endpoints.
    Own,
    /// `/oauth2/callback`.
    Shared,
    /// `/oauth-callback`.
    OauthCallback,
}

impl CallbackKind {
    /// As it is kept and configured.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::OauthCallback => "oauth-callback",
        }
    }

    /// Reads what [`CallbackKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Own, Self::Shared, Self::OauthCallback].into_iter().find(|c| c.as_str() == text)
    }

    /// The path that the provider sends the browser to.
    pub fn path(self, integration: &IntegrationId) -> String {
        match self {
            Self::Own => format!("/oauth2/callback/{integration}"),
            Self::Shared => "/oauth2/callback".to_owned(),
            Self::OauthCallback => "/oauth-callback".to_owned(),
        }
    }
}
