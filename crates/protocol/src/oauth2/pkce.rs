//! Proof Key for Code Exchange (RFC 7636), method S256 and no other.

use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::secret::Secret;

/// A code verifier of 43 characters from 32 random bytes (RFC 7636 §4.1).
pub fn verifier(random: [u8; 32]) -> Secret {
    Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// The code challenge: BASE64URL(SHA256(verifier)) (RFC 7636 §4.2).
pub fn challenge(verifier: &Secret) -> String {
    sha256(verifier.expose())
}

/// Base64url of a text's SHA-256.
pub(crate) fn sha256(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 Appendix B.
    #[test]
    fn the_rfc_vector() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = verifier(octets);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    proptest::proptest! {
        #[test]
        fn a_verifier_is_43_unreserved_characters(random: [u8; 32]) {
            let made = verifier(random);
            assert_eq!(made.expose().len(), 43);
            assert!(made.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
            assert_eq!(challenge(&made).len(), 43);
        }
    }
}
