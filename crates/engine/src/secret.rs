//! Secrets in memory, and fresh random ones.
//!
//! The type itself is `protocol`'s, which handles tokens before the engine does. Randomness comes from the
//! operating system through aws-lc and is asked for here only.

pub use claviger_protocol::secret::Secret;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// `bytes` of fresh randomness.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system gave no randomness"))?;
    Ok(bytes)
}

/// A fresh P-256 key: PKCS #8 (RFC 5208), DER.
pub fn p256() -> Result<Zeroizing<Vec<u8>>> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let made = made.map_err(|_| Error::internal("no key could be made"))?;
    Ok(Zeroizing::new(made.as_ref().to_vec()))
}

/// A fresh 256-bit secret as 43 characters of unpadded base64url: a state, a code, a browser id.
pub fn token() -> Result<Secret> {
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?)))
}
