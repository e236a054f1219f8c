//! AES-256-GCM with a random 96-bit nonce in front of the ciphertext.
//!
//! A data key seals once, so its nonce can't repeat. A root key wraps one data key per seal: random nonces
//! are safe for 2^32 of them (NIST SP 800-38D §8.3). Must never be called with anything but a fresh nonce.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{
    error::{Error, Result},
    secret::random,
};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// A key made ready.
pub(super) fn key(bytes: &[u8; KEY_BYTES]) -> Result<LessSafeKey> {
    let unbound = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| Error::internal("a key was refused"))?;
    Ok(LessSafeKey::new(unbound))
}

/// Nonce, ciphertext and tag in one.
pub(super) fn seal(key: &LessSafeKey, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let nonce = random::<NONCE_LEN>()?;
    // Enough room from the start: a buffer that grows would leave a copy of the plaintext behind.
    let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let (_, body) = out.split_at_mut(NONCE_LEN);
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), body)
        .map_err(|_| Error::internal("sealing failed"))?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// The plaintext, decrypted in place; `None` when it does not open.
pub(super) fn open<'a>(key: &LessSafeKey, aad: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
    let (nonce, body) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    key.open_in_place(nonce, Aad::from(aad), body).ok().map(|plain| &*plain)
}
