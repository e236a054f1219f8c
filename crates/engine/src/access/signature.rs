//! Signatures of a product's tokens (RFC 7515): by the workspace's secret, or by a private key whose public half is
//! registered.
//!
//! Whoever verifies says with which key and which algorithm; what the token says of itself chooses nothing here. No key
//! serves two algorithms, so that no public key is ever taken for a secret.

use aws_lc_rs::{
    hmac,
    rsa::PublicEncryptingKey,
    signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    domain::{
        jwt_key::{Algorithm, JwtKey},
        workspace::Hmac,
    },
    error::{Error, Result},
    secret::Secret,
};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Bytes of the longest key in PEM; RSA with 8192 bits has about 1,400.
const LONGEST: usize = 8 * 1024;

/// Whether a secret made this signature of the text.
pub(super) fn by_secret(with: Hmac, secret: &Secret, text: &str, signature: &[u8]) -> bool {
    let algorithm = match with {
        Hmac::HS256 => hmac::HMAC_SHA256,
        Hmac::HS384 => hmac::HMAC_SHA384,
        Hmac::HS512 => hmac::HMAC_SHA512,
    };
    let key = hmac::Key::new(algorithm, secret.expose().as_bytes());
    hmac::verify(&key, text.as_bytes(), signature).is_ok()
}

/// Whether the private half of a key made this signature of the text.
pub(super) fn by_key(key: &JwtKey, text: &str, signature: &[u8]) -> bool {
    let Some(der) = der(&key.public_key) else { return false };
    let key = UnparsedPublicKey::new(verifying(key.algorithm), der);
    key.verify(text.as_bytes(), signature).is_ok()
}

/// A public key as it is kept, after a look whether it is one, and for this algorithm.
///
/// # Errors
/// `Invalid` at `public_key`. Nothing of the text is in the error: it may be the private half.
pub fn public_key(algorithm: Algorithm, text: &str) -> Result<String> {
    let wrong = |message: &str| Err(Error::invalid("public_key", message));
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return wrong("is a private key: give its public half, and use another pair from now on");
    }
    let Some(der) = der(text).filter(|_| text.len() <= LONGEST) else {
        return wrong("must be a public key in PEM: -----BEGIN PUBLIC KEY----- …");
    };
    if ParsedPublicKey::new(verifying(algorithm), &der).is_err() {
        return wrong(&format!("is not a key for {}", algorithm.as_str()));
    }
    let rsa = !matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA);
    if rsa && PublicEncryptingKey::from_der(&der).map_or(0, |key| key.key_size_bits()) < 2048 {
        return wrong("must have at least 2048 bits");
    }
    Ok(format!("{BEGIN}\n{}\n{END}\n", BASE64_STANDARD.encode(der)))
}

fn verifying(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDSA => &signature::ED25519,
    }
}

/// What stands between the lines of a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    let inner = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let letters: String = inner.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(letters).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
