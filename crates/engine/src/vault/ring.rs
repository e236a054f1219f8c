//! The root keys, by id: the first seals, all open, so that a new key can be put in front of the old one.

use aws_lc_rs::aead::LessSafeKey;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::cipher::{self, KEY_BYTES};
use crate::{
    error::{Error, Result},
    secret::{Secret, random},
};

/// What is said of a ring that can't be read. Never with any of its text: that may be a key.
const SHAPE: &str = "expected id:base64[,id:base64…], each key 32 bytes, the first one seals";

/// One or more root keys.
pub struct KeyRing(Vec<RootKey>);

pub(super) struct RootKey {
    pub(super) id: String,
    pub(super) key: LessSafeKey,
}

impl KeyRing {
    /// Reads `id:base64,id:base64`; spaces and line ends around an entry are allowed, an entry may be empty
    /// only at the end.
    ///
    /// An id is 1 to 32 of `[A-Za-z0-9_-]`; a key is 32 bytes in standard base64. Errors are
    /// [`Error::Invalid`] and name the entry by its place, not by its text.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().trim_end_matches(',');
        if text.is_empty() {
            return Err(Error::invalid("master_key", format!("is empty; {SHAPE}")));
        }
        let mut keys: Vec<RootKey> = Vec::new();
        for (at, entry) in text.split(',').enumerate() {
            let wrong =
                |what: &str| Error::invalid("master_key", format!("entry {} {what}; {SHAPE}", at + 1));
            let (id, encoded) = entry.trim().split_once(':').ok_or_else(|| wrong("has no id"))?;
            if !well_formed(id) {
                return Err(wrong("has an id that is not 1 to 32 of A-Z a-z 0-9 _ -"));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(wrong("repeats an id"));
            }
            let bytes = BASE64_STANDARD.decode(encoded.trim()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| wrong("is not base64"))?;
            let bytes: &[u8; KEY_BYTES] =
                bytes.as_slice().try_into().map_err(|_| wrong("is not 32 bytes long"))?;
            keys.push(RootKey { id: id.to_owned(), key: cipher::key(bytes)? });
        }
        Ok(Self(keys))
    }

    /// A fresh ring of one key, as [`KeyRing::parse`] reads it: `k1:<base64>`.
    pub fn generate() -> Result<Secret> {
        Self::generate_as("k1")
    }

    /// The same with another id. [`Error::Invalid`] unless it is one that a ring takes.
    pub fn generate_as(id: &str) -> Result<Secret> {
        if !well_formed(id) {
            return Err(Error::invalid("id", "must be 1 to 32 of A-Z a-z 0-9 _ -"));
        }
        let bytes = Zeroizing::new(random::<KEY_BYTES>()?);
        // Enough room from the start: a text that grows would leave a copy of the key behind.
        let mut text = Zeroizing::new(String::with_capacity(id.len() + 1 + KEY_BYTES * 2));
        text.push_str(id);
        text.push(':');
        BASE64_STANDARD.encode_string(bytes.as_slice(), &mut text);
        Ok(Secret::new(text.as_str()))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    pub(super) fn find(&self, id: &str) -> Option<&RootKey> {
        self.0.iter().find(|key| key.id == id)
    }

    pub(super) fn first(&self) -> &RootKey {
        // `parse` is the only way to a ring and never makes an empty one.
        &self.0[0]
    }
}

fn well_formed(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
