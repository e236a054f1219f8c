//! The table `[certificate]`: a client certificate that TLS connections to the provider are made with (RFC 8705 §2).
//!
//! It says whose certificate it is and which requests show it; how the client authenticates at the token endpoint is
//! [`crate::ClientAuth`]'s. Must never hold a certificate or a key.

use serde::Deserialize;

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Whose it is. Default `integration`.
    #[serde(default)]
    pub of: CertificateOf,
    /// The name of the typed value that is the certificate, in PEM, with those between it and a root behind it. With
    /// `of = "connection"`.
    pub certificate: Option<String>,
    /// The name of the typed value that is its private key, in PEM, likewise.
    pub key: Option<String>,
    /// Which requests show it. Default all.
    #[serde(default = "everywhere")]
    pub at: Vec<CertificateAt>,
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateOf {
    /// The integration's: whoever configures it gives certificate and key.
    #[default]
    Integration,
    /// The connection's: whoever connects an account types them in.
    Connection,
}

/// Requests that may show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateAt {
    /// Those to the authorization server: token, revocation and the like.
    Token,
    /// Calls of the API.
    Api,
}

fn everywhere() -> Vec<CertificateAt> {
    vec![CertificateAt::Token, CertificateAt::Api]
}
