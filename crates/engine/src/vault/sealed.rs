//! A sealed text as rows hold it, and what it is bound to. Neither opens anything: see [`super::Vault`].

use std::fmt;

/// A sealed secret as stored: `v1.<root key id>.<wrapped data key>.<nonce and ciphertext>`, base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// Takes a text that our own database gave.
    pub fn from_row(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the root key that it needs; `None` for a text that is not ours.
    pub fn root_key_id(&self) -> Option<&str> {
        self.parts().map(|parts| parts.root)
    }

    /// The part that a rotation of root keys leaves as it is; `None` for a text that is not ours.
    pub fn body(&self) -> Option<&str> {
        self.parts().map(|parts| parts.body)
    }

    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        let mut parts = self.0.split('.');
        let format = parts.next()?;
        let found = Parts { root: parts.next()?, wrapped: parts.next()?, body: parts.next()? };
        (format == super::FORMAT && parts.next().is_none()).then_some(found)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// The pieces of a sealed text, still in base64.
pub(super) struct Parts<'a> {
    pub(super) root: &'a str,
    pub(super) wrapped: &'a str,
    pub(super) body: &'a str,
}

/// What a sealed text is bound to (the AEAD's associated data).
#[derive(Debug, Clone, Copy)]
pub struct Aad<'a> {
    /// The workspace's id.
    pub workspace: &'a str,
    /// The id of the row.
    pub record: &'a str,
    /// What it is: the name of a [`super::Field`].
    pub field: &'static str,
}

impl Aad<'_> {
    /// What the wrapping of a data key is bound to: the place, and the root key that wraps it.
    pub(super) fn of_key(&self, root: &str) -> Vec<u8> {
        self.bytes("key", root)
    }

    /// What a body is bound to: the place alone, so that another root key can wrap its data key anew.
    pub(super) fn of_body(&self) -> Vec<u8> {
        self.bytes("data", "")
    }

    /// Each piece with its length in front, so that no two bindings give the same bytes.
    fn bytes(&self, layer: &str, root: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in [super::FORMAT, layer, root, self.workspace, self.record, self.field] {
            out.extend_from_slice(&(piece.len() as u64).to_be_bytes());
            out.extend_from_slice(piece.as_bytes());
        }
        out
    }
}
