//! The table `oauth2.assertion`: what a JWT says that is shown to a token endpoint to get a token (RFC 7523 §2.1), and
//! by whose key it is signed.
//!
//! Must never hold a key. `claviger_protocol::assertion` makes the JWT, [`crate::lint`] checks this table.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

/// What an assertion says. Its texts are templates over what was typed in, and `{client_id}`; one whose value nobody
/// gave is left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assertion {
    /// Which of the typed values is the private key, in PEM. None: the integration's own signing key.
    pub key: Option<String>,
    /// How the key is called in the header (RFC 7515 §4.1.4). None: nothing for a typed key; the integration's own keys
    /// have names of their own.
    pub kid: Option<String>,
    /// Who made it. Default `{client_id}`.
    pub issuer: String,
    /// For whom a token is asked. Default `{client_id}`; empty leaves it out.
    pub subject: String,
    /// For whom the assertion is. Default `issuer`.
    pub audience: Audience,
    /// How it is signed. Default `RS256`; with a typed key of a curve, what suits that.
    pub alg: Option<Alg>,
    /// How many seconds it is good for. Default 300.
    pub lifetime: u32,
    /// Whether the scopes are a claim in it instead of a parameter beside it. Default false.
    pub scope: bool,
    /// Further claims, all of them texts.
    pub claims: BTreeMap<String, String>,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            key: None,
            kid: None,
            issuer: "{client_id}".to_owned(),
            subject: "{client_id}".to_owned(),
            audience: Audience::default(),
            alg: None,
            lifetime: 300,
            scope: false,
            claims: BTreeMap::new(),
        }
    }
}

impl Assertion {
    /// Its templates.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        [&mut self.issuer, &mut self.subject].into_iter().chain(&mut self.kid).chain(self.claims.values_mut())
    }
}

/// For whom an assertion is (RFC 7523 §3, point 3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// The issuer, or the token endpoint where no issuer is known. Whatever a file says: where the endpoints come from
    /// an issuer's metadata, it is the issuer.
    #[default]
    Issuer,
    /// The exact token endpoint.
    TokenEndpoint,
    /// This very text.
    Text(String),
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match text.as_str() {
            "issuer" => Ok(Self::Issuer),
            "token_endpoint" => Ok(Self::TokenEndpoint),
            url if url.starts_with("https://") => Ok(Self::Text(text)),
            _ => {
                let words = "`issuer`, `token_endpoint` or an https URL";
                Err(de::Error::invalid_value(de::Unexpected::Str(&text), &words))
            }
        }
    }
}

/// How a JWT is signed with a private key (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
pub enum Alg {
    /// RSA (PKCS #1 v1.5) with SHA-256.
    #[default]
    RS256,
    /// RSA (PKCS #1 v1.5) with SHA-384.
    RS384,
    /// RSA (PKCS #1 v1.5) with SHA-512.
    RS512,
    /// RSA (PSS) with SHA-256.
    PS256,
    /// RSA (PSS) with SHA-384.
    PS384,
    /// RSA (PSS) with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519.
    EdDSA,
}

impl Alg {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// As tokens name it in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Reads what [`Alg::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == text)
    }
}
