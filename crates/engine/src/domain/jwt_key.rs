//! The JWT key: a public key that a product's tokens are verified with, for one algorithm and no other (RFC 7518 §3.1).

use serde::{Deserialize, Serialize};

use crate::{
    id::{JwtKeyId, WorkspaceId},
    time::Millis,
};

/// A public key of one workspace.
#[derive(Debug, Clone)]
pub struct JwtKey {
    /// Its id.
    pub id: JwtKeyId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// What tokens call it in `kid`; unique in the workspace.
    pub name: String,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// The key: `SubjectPublicKeyInfo` in PEM (RFC 7468 §13).
    pub public_key: String,
    /// When it was registered.
    pub created_at: Millis,
}

/// What a public key verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256.
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
    /// Ed25519 (RFC 8037).
    EdDSA,
}

impl Algorithm {
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

    /// Reads what [`Algorithm::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}
