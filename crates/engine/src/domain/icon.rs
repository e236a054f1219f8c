//! The icon: a picture that somebody uploaded for an integration, already known to be harmless.

use crate::time::Millis;

/// An icon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icon {
    /// `image/png`, `image/jpeg`, `image/webp` or `image/svg+xml`.
    pub media_type: String,
    /// The picture.
    pub body: Vec<u8>,
    /// Hex SHA-256 of it.
    pub hash: String,
    /// When it was uploaded.
    pub updated_at: Millis,
}
