//! The one place for secrets at rest: seals and opens, and hashes what need never be opened.
//!
//! Each seal has a data key of its own, wrapped by a root key; both layers are bound to the workspace, the
//! record and the field, so that a ciphertext moved to another row does not open. The wrapping alone is bound to
//! the root key too: to rotate it, data keys are wrapped anew and bodies stay as they are. Only this module yields
//! plaintext. It must never log, nor put a key or a plaintext into an error. The row-side type is
//! [`Sealed`]; which columns hold one is [`field`]; the root keys are read in [`ring`]; the cipher itself is in
//! `cipher`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    secret::{Secret, random},
};

mod cipher;
pub mod field;
pub mod hash;
pub mod ring;
pub mod sealed;
#[cfg(test)]
mod tests;

pub use field::Field;
pub use ring::KeyRing;
use sealed::Parts;
pub use sealed::{Aad, Sealed};

/// The format of the sealed text; another cipher or layout gets another word.
const FORMAT: &str = "v1";

type DataKey = Zeroizing<[u8; cipher::KEY_BYTES]>;

/// Seals with the first root key, opens with any of the ring.
pub struct Vault {
    ring: KeyRing,
}

impl Vault {
    /// A vault over these root keys.
    pub fn new(ring: KeyRing) -> Self {
        Self { ring }
    }

    /// The id of the root key that seals.
    pub fn sealing_key_id(&self) -> &str {
        &self.ring.first().id
    }

    /// The ids of all root keys, the one that seals first.
    pub fn key_ids(&self) -> Vec<&str> {
        self.ring.ids().collect()
    }

    /// Seals a secret for one field of one row. Sealing the same text twice gives two different texts.
    pub fn seal(&self, aad: &Aad<'_>, plain: &Secret) -> Result<Sealed> {
        let data_key = Zeroizing::new(random::<{ cipher::KEY_BYTES }>()?);
        let body = cipher::seal(&cipher::key(&data_key)?, &aad.of_body(), plain.expose().as_bytes())?;
        self.wrap(aad, &data_key, &BASE64_URL_SAFE_NO_PAD.encode(body))
    }

    /// Opens what was sealed for exactly this field of this row.
    ///
    /// Fails with [`Error::Internal`] on a text that is not ours, an unknown root key, or a text that was
    /// sealed for another place; the error says which, and nothing of the text.
    pub fn open(&self, aad: &Aad<'_>, sealed: &Sealed) -> Result<Secret> {
        let parts = sealed.parts().ok_or_else(|| bad(aad, "is not a sealed text"))?;
        let data_key = self.data_key(aad, &parts)?;
        let mut body = decode(aad, parts.body)?;
        let plain = open_body(aad, &data_key, &mut body)?;
        let text = std::str::from_utf8(plain).map_err(|_| bad(aad, "does not hold text"))?;
        Ok(Secret::new(text))
    }

    /// Wraps the data key of a sealed text anew, under the root key that seals; its body stays as it is, byte
    /// for byte. `None` when that root key wraps it already.
    ///
    /// Refuses what [`Vault::open`] refuses: the body is opened too, for a data key in its right place says
    /// nothing of the body beside it, and wrapping it anew would vouch for the pair.
    pub fn rewrap(&self, aad: &Aad<'_>, sealed: &Sealed) -> Result<Option<Sealed>> {
        let parts = sealed.parts().ok_or_else(|| bad(aad, "is not a sealed text"))?;
        if parts.root == self.sealing_key_id() {
            return Ok(None);
        }
        let data_key = self.data_key(aad, &parts)?;
        let mut body = decode(aad, parts.body)?;
        open_body(aad, &data_key, &mut body)?;
        self.wrap(aad, &data_key, parts.body).map(Some)
    }

    /// A sealed text of a data key, wrapped by the root key that seals, and an encoded body.
    fn wrap(&self, aad: &Aad<'_>, data_key: &DataKey, body: &str) -> Result<Sealed> {
        let root = self.ring.first();
        let wrapped = cipher::seal(&root.key, &aad.of_key(&root.id), data_key.as_slice())?;
        let wrapped = BASE64_URL_SAFE_NO_PAD.encode(wrapped);
        Ok(Sealed::from_row(format!("{FORMAT}.{}.{wrapped}.{body}", root.id)))
    }

    /// The data key of a sealed text.
    fn data_key(&self, aad: &Aad<'_>, parts: &Parts<'_>) -> Result<DataKey> {
        let root =
            self.ring.find(parts.root).ok_or_else(|| bad(aad, "needs a root key that is not given"))?;
        let mut wrapped = decode(aad, parts.wrapped)?;
        let mut data_key = DataKey::default();
        cipher::open(&root.key, &aad.of_key(&root.id), &mut wrapped)
            .filter(|bytes| bytes.len() == data_key.len())
            .map(|bytes| data_key.copy_from_slice(bytes))
            .ok_or_else(|| bad(aad, "does not open: another root key, or moved from another row"))?;
        Ok(data_key)
    }

    /// Whether the keys work at all: seals something and opens it again.
    pub fn check(&self) -> Result<()> {
        let aad = Aad { workspace: "-", record: "-", field: "check" };
        let probe = crate::secret::token()?;
        let opened = self.open(&aad, &self.seal(&aad, &probe)?)?;
        if hash::same(opened.expose(), probe.expose()) {
            Ok(())
        } else {
            Err(bad(&aad, "opened to another text"))
        }
    }
}

fn open_body<'a>(aad: &Aad<'_>, data_key: &DataKey, body: &'a mut [u8]) -> Result<&'a [u8]> {
    cipher::open(&cipher::key(data_key)?, &aad.of_body(), body)
        .ok_or_else(|| bad(aad, "does not open: damaged, or moved from another row"))
}

fn decode(aad: &Aad<'_>, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| bad(aad, "is not a sealed text"))
}

fn bad(aad: &Aad<'_>, what: &str) -> Error {
    Error::internal(format!("{} of {} {what}", aad.field, aad.record))
}
