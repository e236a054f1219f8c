//! Finding endpoints by issuer (RFC 8414, OpenID Connect Discovery 1.0).
//!
//! What the metadata says is believed only about the issuer that was asked. Must never take a plain-http
//! endpoint from an issuer that is not on this machine.

use claviger_catalog::template;
use serde::{Deserialize, Serialize};
use url::Url;

/// Longer metadata is not read.
pub const MAX_BODY: usize = 256 * 1024;

/// The part of an authorization server's metadata that is used (RFC 8414 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer, equal to the one asked.
    pub issuer: String,
    /// The authorization endpoint; `None` where no grant type goes there.
    pub authorization_endpoint: Option<String>,
    /// The token endpoint.
    pub token_endpoint: String,
    /// The revocation endpoint (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// The introspection endpoint (RFC 7662).
    pub introspection_endpoint: Option<String>,
    /// The userinfo endpoint.
    pub userinfo_endpoint: Option<String>,
    /// Where the keys are that ID tokens are signed with (OpenID Connect Discovery §3).
    pub jwks_uri: Option<String>,
    /// The algorithms that they are signed with; `None` when nothing is said.
    #[serde(rename = "id_token_signing_alg_values_supported")]
    pub id_token_algorithms: Option<Vec<String>>,
    /// The device authorization endpoint (RFC 8628 §4).
    pub device_authorization_endpoint: Option<String>,
    /// The pushed authorization request endpoint (RFC 9126 §5).
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Whether authorization requests have to be pushed there (RFC 9126 §5).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Whether callbacks always name the issuer (RFC 9207 §3).
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub iss_parameter_supported: bool,
    /// PKCE methods; `None` when nothing is said.
    #[serde(rename = "code_challenge_methods_supported")]
    pub code_challenge_methods: Option<Vec<String>>,
    /// Client authentication methods at the token endpoint; `None` when nothing is said.
    #[serde(rename = "token_endpoint_auth_methods_supported")]
    pub token_auth_methods: Option<Vec<String>>,
}

/// Metadata that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer is not an https URL without query and fragment (RFC 8414 §2).
    #[error("the issuer is not an https URL")]
    Issuer,
    /// The answer is not metadata.
    #[error("the provider's metadata could not be read")]
    Unreadable,
    /// The metadata is of another issuer (RFC 8414 §3.3).
    #[error("the metadata is of another issuer")]
    WrongIssuer,
    /// The named endpoint is not one that may be used.
    #[error("`{0}` in the provider's metadata is not an https URL")]
    Endpoint(&'static str),
}

/// Where an issuer's metadata may be, in the order to ask: RFC 8414 §3.1, then OpenID Connect Discovery §4.
///
/// # Errors
/// When the issuer is not one.
pub fn urls(issuer: &str) -> Result<Vec<String>, DiscoveryError> {
    let url = parsed(issuer).filter(|_| !issuer.contains(['?', '#'])).ok_or(DiscoveryError::Issuer)?;
    if url.scheme() != "https" && !template::is_loopback(&url) {
        return Err(DiscoveryError::Issuer);
    }
    let path = url.path().trim_end_matches('/');
    let origin = url.origin().ascii_serialization();
    Ok(vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ])
}

/// Reads the metadata of the issuer that was asked.
///
/// # Errors
/// When it is not metadata, of another issuer, or names endpoints that may not be used.
pub fn read(issuer: &str, body: &[u8]) -> Result<Metadata, DiscoveryError> {
    if body.len() > MAX_BODY {
        return Err(DiscoveryError::Unreadable);
    }
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| DiscoveryError::Unreadable)?;
    if metadata.issuer != issuer {
        return Err(DiscoveryError::WrongIssuer);
    }
    let here = parsed(issuer).is_some_and(|url| template::is_loopback(&url));
    for (name, endpoint) in [
        ("authorization_endpoint", metadata.authorization_endpoint.as_ref()),
        ("token_endpoint", Some(&metadata.token_endpoint)),
        ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
        ("introspection_endpoint", metadata.introspection_endpoint.as_ref()),
        ("userinfo_endpoint", metadata.userinfo_endpoint.as_ref()),
        ("jwks_uri", metadata.jwks_uri.as_ref()),
        ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_ref()),
        ("pushed_authorization_request_endpoint", metadata.pushed_authorization_request_endpoint.as_ref()),
    ] {
        let Some(endpoint) = endpoint else { continue };
        let sound = parsed(endpoint).is_some_and(|url| {
            url.fragment().is_none() && (url.scheme() == "https" || (here && template::is_loopback(&url)))
        });
        if !sound || endpoint.contains(['{', '}']) {
            return Err(DiscoveryError::Endpoint(name));
        }
    }
    Ok(metadata)
}

fn parsed(text: &str) -> Option<Url> {
    if template::is_plain_url(text) { Url::parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests;
