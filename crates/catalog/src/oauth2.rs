//! The table `[oauth2]`: endpoints, the authorization request, the callback, client authentication and
//! revocation. The token endpoint's part is in [`crate::token`].
//!
//! Every field has a default that means "as the RFC says"; a file lists only what differs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::{
    assertion::Assertion,
    exchange::Exchange,
    keys::{FieldsTable, Keys, Label},
    provider::yes,
    token::{BodyFormat, Lifetime, Method, Refresh, TokenAnswer, TokenRequest},
};

/// OAuth 2.0 (RFC 6749).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth2 {
    /// What the token endpoint is shown. Default `authorization_code`.
    pub grant: Grant,
    /// Whose client it is. Default `integration`.
    pub client: ClientSource,
    /// How the client's id and secret are asked for, with `client = "connection"`.
    pub labels: ClientLabels,
    /// What whoever connects types in for a grant that needs it, by key: `[oauth2.fields.service_account]`.
    pub fields: Option<FieldsTable>,
    /// What is shown to the token endpoint, with `grant = "jwt_bearer"`.
    pub assertion: Option<Assertion>,
    /// What is typed in: `client_id` and `client_secret` with `client = "connection"`, else the `fields`.
    #[serde(skip)]
    pub typed: Option<Keys>,
    /// What is exchanged for a token, and for what (RFC 8693), with `grant = "token_exchange"`.
    pub exchange: Option<Exchange>,
    /// Where the endpoints are.
    pub endpoints: Endpoints,
    /// Whether the provider takes PKCE (RFC 7636). Default `S256`; never `plain`.
    pub pkce: Pkce,
    /// By which algorithm tokens are bound to a key of the connection's own (RFC 9449). Default none: they are not.
    pub dpop: Option<ProofAlgorithm>,
    /// How the client authenticates at the token endpoint (RFC 6749 §2.3.1). Default `body`.
    pub client_auth: ClientAuth,
    /// What the Basic header encodes. Default `{client_id}:{client_secret}`.
    pub basic_format: String,
    /// Whether id and secret are form-encoded inside Basic, as RFC 6749 §2.3.1 asks. Default true.
    pub basic_encode: bool,
    /// Scopes and how they are written.
    pub scopes: Scopes,
    /// Whether the authorization request is sent there by us first, and the browser carries a reference to it
    /// (RFC 9126). Default false: only where the provider's metadata requires it.
    pub par: bool,
    /// What differs in the authorization request.
    pub authorize: Authorize,
    /// What differs in the callback.
    pub callback: Callback,
    /// What differs in the token request.
    pub token: TokenRequest,
    /// What differs in the token answer.
    pub answer: TokenAnswer,
    /// What differs when refreshing.
    pub refresh: Refresh,
    /// A second request right after the first answer that trades the token for a long-lived one.
    pub upgrade: Option<Refresh>,
    /// How long an access token lives when neither the answer nor the token says so: seconds or `"never"`.
    pub lifetime: Option<Lifetime>,
    /// What revoking a token ends. Default `unknown`.
    pub revocation_scope: RevocationScope,
    /// How to revoke, where it is not RFC 7009 at `endpoints.revoke_url`.
    pub revoke: Option<RevokeCall>,
}

impl Default for OAuth2 {
    fn default() -> Self {
        Self {
            grant: Grant::default(),
            client: ClientSource::default(),
            labels: ClientLabels::default(),
            fields: None,
            assertion: None,
            exchange: None,
            typed: None,
            endpoints: Endpoints::default(),
            pkce: Pkce::default(),
            dpop: None,
            client_auth: ClientAuth::default(),
            basic_format: "{client_id}:{client_secret}".to_owned(),
            basic_encode: true,
            scopes: Scopes::default(),
            par: false,
            authorize: Authorize::default(),
            callback: Callback::default(),
            token: TokenRequest::default(),
            answer: TokenAnswer::default(),
            refresh: Refresh::default(),
            upgrade: None,
            lifetime: None,
            revocation_scope: RevocationScope::default(),
            revoke: None,
        }
    }
}

/// What the token endpoint is shown to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A code that a browser brings back (RFC 6749 §4.1).
    #[default]
    AuthorizationCode,
    /// Nothing but the client's own credentials (RFC 6749 §4.4). A token is fetched again instead of refreshed.
    ClientCredentials,
    /// A code that a person enters elsewhere, on whatever device (RFC 8628).
    DeviceCode,
    /// An assertion that is signed here (RFC 7523 §2.1). A token is fetched again instead of refreshed.
    JwtBearer,
    /// Another token (RFC 8693). It is exchanged again instead of refreshed.
    TokenExchange,
}

/// Whose the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientSource {
    /// The integration's: an operator or a workspace registered it once.
    #[default]
    Integration,
    /// Whoever connects types its id and secret in. Only with [`Grant::ClientCredentials`].
    Connection,
}

/// How a client's id and secret are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientLabels {
    /// The id. Default title `Client ID`.
    pub client_id: Label,
    /// The secret. Default title `Client secret`.
    pub client_secret: Label,
}

/// The endpoints. URLs are templates: `https://{subdomain}.example.com/oauth/token`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Where they come from. Default `file`.
    pub source: EndpointSource,
    /// The issuer, with which `iss` in a callback is compared (RFC 9207).
    pub issuer: Option<String>,
    /// The authorization endpoint. Its own query is kept; after a fragment (`#/authorize`) parameters go
    /// into the fragment.
    pub authorize_url: Option<String>,
    /// The token endpoint. Its own query is kept. It may use values saved from the callback.
    pub token_url: Option<String>,
    /// Where tokens are refreshed, when not at the token endpoint.
    pub refresh_url: Option<String>,
    /// The revocation endpoint (RFC 7009).
    pub revoke_url: Option<String>,
    /// Where it is asked whether a token still works (RFC 7662): a refresh token above all, after one whose answer got lost.
    pub introspect_url: Option<String>,
    /// The userinfo endpoint.
    pub userinfo_url: Option<String>,
    /// The device authorization endpoint (RFC 8628 §3.1).
    pub device_url: Option<String>,
    /// The pushed authorization request endpoint (RFC 9126 §2).
    pub par_url: Option<String>,
}

/// Where endpoints come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointSource {
    /// From this file.
    #[default]
    File,
    /// Discovered from the integration's issuer at run time (RFC 8414, OpenID Connect Discovery).
    Issuer,
    /// Entered by hand in the integration.
    Integration,
}

/// Whether a provider takes PKCE (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Pkce {
    /// It does; `S256` is sent.
    #[default]
    S256,
    /// It refuses requests that carry it.
    #[serde(rename = "unsupported")]
    Unsupported,
}

/// How proofs of possession are signed (RFC 9449 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ProofAlgorithm {
    /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4), which every such server takes.
    #[serde(rename = "ES256")]
    Es256,
}

/// How the client authenticates at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In the `Authorization: Basic` header.
    Basic,
    /// As `client_id` and `client_secret` parameters.
    #[default]
    Body,
    /// A public client: `client_id` only.
    None,
    /// With an assertion that a private key of ours signs (RFC 7523 §2.2, OpenID Connect Core §9).
    PrivateKeyJwt,
    /// With an assertion that the client's secret signs (likewise).
    ClientSecretJwt,
    /// With a client certificate (RFC 8705 §2): `client_id`, and TLS says the rest.
    #[serde(rename = "tls_client_auth")]
    Tls,
}

impl ClientAuth {
    /// Reads what a file says, as an integration's configuration says it too.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "basic" => Some(Self::Basic),
            "body" => Some(Self::Body),
            "none" => Some(Self::None),
            "private_key_jwt" => Some(Self::PrivateKeyJwt),
            "client_secret_jwt" => Some(Self::ClientSecretJwt),
            "tls_client_auth" => Some(Self::Tls),
            _ => None,
        }
    }
}

/// Scopes and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scopes {
    /// What stands between two scopes. Default a space (RFC 6749 §3.3).
    pub separator: String,
    /// Asked for when the integration names none.
    pub default: Vec<String>,
    /// Always asked for, whatever the integration names (`offline_access`).
    pub always: Vec<String>,
    /// The parameter for scopes of the user, where the provider keeps them apart (`user_scope`).
    pub user_param: Option<String>,
    /// How such a scope is marked among the integration's scopes. Default `user:`. Only with `user_param`.
    pub user_prefix: String,
    /// What is asked for when a connection that is there is authorized anew. Default `union`.
    pub grown: Grown,
    /// Further parameters of the authorization request then: `{ include_granted_scopes = "true" }`.
    pub grown_params: BTreeMap<String, String>,
}

impl Default for Scopes {
    fn default() -> Self {
        Self {
            separator: " ".to_owned(),
            default: Vec::new(),
            always: Vec::new(),
            user_param: None,
            user_prefix: "user:".to_owned(),
            grown: Grown::default(),
            grown_params: BTreeMap::new(),
        }
    }
}

/// What is asked for when a connection that is there is authorized anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grown {
    /// What a new one would ask for, and what was granted already besides.
    #[default]
    Union,
    /// What a new one would ask for: the provider keeps what it granted, or refuses to be asked for it again.
    None,
}

/// What differs in the authorization request (RFC 6749 §4.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorize {
    /// Further parameters; values may be templates. One whose input is not given is left out.
    pub params: BTreeMap<String, String>,
    /// Parameters under other names: `{ client_id = "client_key" }`.
    pub param_names: BTreeMap<String, String>,
    /// Standard parameters that must be absent: `["response_type"]`.
    pub omit: Vec<String>,
    /// Parameters, by the names that are sent, whose values are not percent-encoded beyond what keeps the
    /// URL whole.
    pub raw: Vec<String>,
    /// A parameter that wants a value used once; it is derived from the state.
    pub nonce_param: Option<String>,
}

/// What differs in the callback (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callback {
    /// The parameter that carries the code. Default `code`.
    pub code_param: String,
    /// The parameter that carries the state. Default `state`.
    pub state_param: String,
    /// Whether a callback without `iss` is refused (RFC 9207). Default false.
    pub iss_required: bool,
    /// Values that arrive only here: template name → parameter.
    pub save: BTreeMap<String, SavedParam>,
}

impl Default for Callback {
    fn default() -> Self {
        Self {
            code_param: "code".to_owned(),
            state_param: "state".to_owned(),
            iss_required: false,
            save: BTreeMap::new(),
        }
    }
}

/// A value kept from the callback's query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedParam {
    /// The query parameter.
    pub param: String,
    /// What it may look like: an anchored pattern. A callback with another value is refused.
    pub pattern: String,
    /// Whether a callback without it is refused. Default true, unless there is a default.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it is when absent.
    pub default: Option<String>,
}

/// What revoking one token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevocationScope {
    /// That token (and its pair) only.
    Token,
    /// The whole grant: every token of this client and account.
    Grant,
    /// Not known; treated like `grant`.
    #[default]
    Unknown,
}

/// A revocation call that is not RFC 7009.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeCall {
    /// The URL. `{token}` in its path or query is replaced by the token.
    pub url: String,
    /// Default `POST`.
    #[serde(default)]
    pub method: Method,
    /// How `params` are sent. Default `form`.
    #[serde(default)]
    pub format: BodyFormat,
    /// Parameters; values may name `{token}`, `{client_id}`, `{client_secret}`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// The JSON body, word for word, where it is not an object of `params`: `null`.
    pub body: Option<String>,
    /// Headers; values may name `{token}` (`Bearer {token}`).
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether the client authenticates, and how: `false` (the default), `true` for as at the token endpoint,
    /// or `"basic"` or `"body"` where it is always that.
    #[serde(default)]
    pub client_auth: RevokeAuth,
    /// Which token is revoked. Default `refresh_token`, or the access token when there is none.
    #[serde(default)]
    pub token: RevokedToken,
}

/// How the client authenticates in a revocation call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevokeAuth {
    /// Not at all.
    #[default]
    No,
    /// As at the token endpoint.
    Same,
    /// In this way, whatever is done at the token endpoint.
    Always(ClientAuth),
}

impl<'de> Deserialize<'de> for RevokeAuth {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = RevokeAuth;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, \"basic\" or \"body\"")
            }
            fn visit_bool<E: de::Error>(self, same: bool) -> Result<RevokeAuth, E> {
                Ok(if same { RevokeAuth::Same } else { RevokeAuth::No })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RevokeAuth, E> {
                match ClientAuth::parse(text) {
                    Some(auth @ (ClientAuth::Basic | ClientAuth::Body)) => Ok(RevokeAuth::Always(auth)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Which token a revocation call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedToken {
    /// The refresh token; the access token when there is none.
    #[default]
    RefreshToken,
    /// The access token.
    AccessToken,
    /// Each of them, in a call of its own.
    Both,
}
