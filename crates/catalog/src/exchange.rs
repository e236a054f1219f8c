//! The table `[oauth2.exchange]`: a token that somebody has is exchanged for one that calls carry (RFC 8693).
//!
//! Only with `grant = "token_exchange"`. Where the token that is exchanged came of a code before, `[oauth2.upgrade]` says
//! it instead. Must never hold a token.

use serde::Deserialize;

/// The type of a token of which nothing else is said (RFC 8693 §3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What is exchanged, and for what (RFC 8693 §2.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The name of the typed value that is the token of the party on whose behalf calls are.
    pub subject_token: String,
    /// Its type. Default `urn:ietf:params:oauth:token-type:access_token`.
    #[serde(default = "access_token")]
    pub subject_token_type: String,
    /// The name of the typed value that is the token of the party that acts.
    pub actor_token: Option<String>,
    /// Its type; needed with it, and only with it.
    pub actor_token_type: Option<String>,
    /// The type of the token that is wanted.
    pub requested_token_type: Option<String>,
    /// The services that it is for, by the names that the server has for them; templates.
    #[serde(default)]
    pub audience: Vec<String>,
    /// The services that it is for, by their URLs; templates.
    #[serde(default)]
    pub resource: Vec<String>,
}

fn access_token() -> String {
    ACCESS_TOKEN.to_owned()
}
