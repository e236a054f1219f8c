//! The table `[oauth1]`: endpoints, signatures, and where the protocol's parameters go.
//!
//! Every field but the endpoints has a default that means "as the RFC says"; a file lists only what differs. Must
//! never hold a key. What the fields do on the wire is `claviger_protocol::oauth1`'s.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    oauth2::EndpointSource,
    token::{Lifetime, Method, SavedField},
};

/// OAuth 1.0a (RFC 5849). The integration's client id is the consumer key; its client secret is the consumer
/// secret, with [`Signature::RsaSha1`] the private key as PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth1 {
    /// Where the endpoints are.
    pub endpoints: OAuth1Endpoints,
    /// How requests are signed. Default `HMAC-SHA1`.
    pub signature: Signature,
    /// The realm in the `Authorization` header (RFC 5849 §3.5.1); a template. It is not signed.
    pub realm: Option<String>,
    /// The method of the two token requests. Default `POST`.
    pub method: Method,
    /// Where the protocol's parameters go. Default `header`.
    pub place: SignaturePlace,
    /// Further parameters of the request for temporary credentials (`scope`); values may be templates.
    pub params: BTreeMap<String, String>,
    /// Further parameters of the authorization URL; values may be templates.
    pub authorize_params: BTreeMap<String, String>,
    /// Values kept from the answer with the token, for templates: name → path.
    pub save: BTreeMap<String, SavedField>,
    /// How long a token lives: seconds or `"never"`. Nothing refreshes it.
    pub lifetime: Option<Lifetime>,
}

/// The endpoints of RFC 5849 §2. URLs are templates; their own query is kept and signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuth1Endpoints {
    /// Where they come from: `file` (the default) or `integration`.
    pub source: EndpointSource,
    /// Where temporary credentials are requested (RFC 5849 §2.1).
    pub request_token_url: Option<String>,
    /// Where the browser goes (RFC 5849 §2.2).
    pub authorize_url: Option<String>,
    /// Where the token is requested (RFC 5849 §2.3).
    pub access_token_url: Option<String>,
}

/// How requests are signed (RFC 5849 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Signature {
    /// HMAC with SHA-1.
    #[default]
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    /// HMAC with SHA-256, as providers have added it.
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-1, by the client's private key.
    #[serde(rename = "RSA-SHA1")]
    RsaSha1,
    /// No signature: the secrets themselves, over TLS.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

impl Signature {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::HmacSha1, Self::HmacSha256, Self::RsaSha1, Self::Plaintext];

    /// Reads what [`Signature::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// As `oauth_signature_method` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::RsaSha1 => "RSA-SHA1",
            Self::Plaintext => "PLAINTEXT",
        }
    }
}

/// Where the protocol's parameters go (RFC 5849 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignaturePlace {
    /// Into the `Authorization` header.
    #[default]
    Header,
    /// Into the URL's query.
    Query,
    /// Into the form in the body, where a request has one; into the query of others.
    Body,
}
