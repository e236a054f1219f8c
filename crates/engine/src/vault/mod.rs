//! The one place for secrets at rest: seals and opens, and hashes what need never be opened.
//!
//! Each seal has a data key of its own, wrapped by a root key; both layers are bound to the workspace, the
//! record and the field, so that a ciphertext moved to another row does not open. The wrapping alone is bound to
//! the root key too: to rotate it, data keys are wrapped anew and bodies stay as they are. Only this module yields
//! plaintext. It must never log, nor put a key or a plaintext into an error. The row-side type is
//! [`Sealed`]; the root keys are read in [`ring`]; the cipher itself is in `cipher`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    error::{Error, Result},
    secret::{Secret, random},
};

mod cipher;
pub mod hash;
pub mod ring;
pub mod sealed;
#[cfg(test)]
mod tests;

pub use ring::KeyRing;
pub use sealed::{Aad, Sealed};

/// The format of the sealed text; another cipher or layout gets another word.
const FORMAT: &str = "v1";

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

    /// Seals a secret for one field of one row. Sealing the same text twice gives two different texts.
    pub fn seal(&self, aad: &Aad<'_>, plain: &Secret) -> Result<Sealed> {
        let root = self.ring.first();
        let data_key = Zeroizing::new(random::<{ cipher::KEY_BYTES }>()?);
        let wrapped = cipher::seal(&root.key, &aad.of_key(&root.id), data_key.as_slice())?;
        let body = cipher::seal(&cipher::key(&data_key)?, &aad.of_body(), plain.expose().as_bytes())?;
        Ok(Sealed::from_row(format!(
            "{FORMAT}.{}.{}.{}",
            root.id,
            BASE64_URL_SAFE_NO_PAD.encode(wrapped),
            BASE64_URL_SAFE_NO_PAD.encode(body)
        )))
    }

    /// Opens what was sealed for exactly this field of this row.
    ///
    /// Fails with [`Error::Internal`] on a text that is not ours, an unknown root key, or a text that was
    /// sealed for another place; the error says which, and nothing of the text.
    pub fn open(&self, aad: &Aad<'_>, sealed: &Sealed) -> Result<Secret> {
        let parts = sealed.parts().ok_or_else(|| bad(aad, "is not a sealed text"))?;
        let root =
            self.ring.find(parts.root).ok_or_else(|| bad(aad, "needs a root key that is not given"))?;
        let mut wrapped = decode(aad, parts.wrapped)?;
        let mut data_key = cipher::open(&root.key, &aad.of_key(&root.id), &mut wrapped)
            .and_then(|bytes| <[u8; cipher::KEY_BYTES]>::try_from(bytes).ok())
            .ok_or_else(|| bad(aad, "does not open: another root key, or moved from another row"))?;
        let key = cipher::key(&data_key);
        data_key.zeroize();
        let mut body = decode(aad, parts.body)?;
        let plain = cipher::open(&key?, &aad.of_body(), &mut body)
            .ok_or_else(|| bad(aad, "does not open: damaged, or moved from another row"))?;
        let text = std::str::from_utf8(plain).map_err(|_| bad(aad, "does not hold text"))?;
        Ok(Secret::new(text))
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

fn decode(aad: &Aad<'_>, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| bad(aad, "is not a sealed text"))
}

fn bad(aad: &Aad<'_>, what: &str) -> Error {
    Error::internal(format!("{} of {} {what}", aad.field, aad.record))
}
