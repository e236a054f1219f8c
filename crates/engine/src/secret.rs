//! Secrets in memory, and fresh random ones.
//!
//! The type itself is `protocol`'s, which handles tokens before the engine does. Randomness comes from the
//! operating system through aws-lc and is asked for here only.

pub use claviger_protocol::secret::Secret;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::error::{Error, Result};

/// `bytes` of fresh randomness.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system gave no randomness"))?;
    Ok(bytes)
}

/// A fresh 256-bit secret as 43 characters of unpadded base64url: a state, a code, a browser id.
pub fn token() -> Result<Secret> {
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?)))
}
