//! RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017 §8.2), for providers that take no other signature.
//!
//! The cryptographic library verifies such signatures and makes none, and the usual crate for it has an advisory
//! against it, so the one step that is missing, `m^d mod n`, is a constant-time exponentiation; the library then has
//! to take the signature before it is given out. Must never be used for anything but OAuth 1, nor show a key.

use aws_lc_rs::{
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY},
    signature::{RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use zeroize::Zeroizing;

use crate::{
    ProtocolError,
    der::{INTEGER, OCTETS, OID, RSA_ENCRYPTION, SEQUENCE, tlv},
    secret::Secret,
};

/// How long a modulus may be, in bytes: 1024 to 4096 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 128..=512;

/// `DigestInfo` of a SHA-1 hash, up to the hash (RFC 8017 §9.2, note 1).
const DIGEST_INFO: &[u8] =
    &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// The signature of a message by a private key in PEM, PKCS #1 or PKCS #8.
///
/// # Errors
/// When the key can't be read, or is none that signs; never says more about it.
pub(super) fn sign(pem: &Secret, message: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    let unusable = || ProtocolError::Unreadable("the client's private key");
    let der = decode(pem.expose()).ok_or_else(unusable)?;
    let key = Key::read(&der).ok_or_else(unusable)?;
    let signature = key.power(&padded(message, key.modulus.len())).ok_or_else(unusable)?;
    let public = RsaPublicKeyComponents { n: key.modulus, e: key.public_exponent };
    // A fault in the computation could give the key away; and a key whose parts don't belong together is none.
    match public.verify(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, message, &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(unusable()),
    }
}

/// The parts of a private key that are needed, as big-endian numbers without leading zeros.
struct Key<'a> {
    modulus: &'a [u8],
    public_exponent: &'a [u8],
    private_exponent: &'a [u8],
}

impl<'a> Key<'a> {
    /// `RSAPrivateKey` (RFC 8017 §A.1.2), bare or in a `PrivateKeyInfo` (RFC 5208 §5).
    fn read(der: &'a [u8]) -> Option<Self> {
        let (inside, []) = tlv(der, SEQUENCE)? else { return None };
        let (_version, rest) = tlv(inside, INTEGER)?;
        if let Some((algorithm, rest)) = tlv(rest, SEQUENCE) {
            let (oid, _) = tlv(algorithm, OID)?;
            let (key, _) = tlv(rest, OCTETS)?;
            return (oid == RSA_ENCRYPTION).then(|| Self::read(key)).flatten();
        }
        let (modulus, rest) = tlv(rest, INTEGER)?;
        let (public_exponent, rest) = tlv(rest, INTEGER)?;
        let (private_exponent, _) = tlv(rest, INTEGER)?;
        let number = |bytes: &'a [u8]| bytes.strip_prefix(&[0]).unwrap_or(bytes);
        let key = Self {
            modulus: number(modulus),
            public_exponent: number(public_exponent),
            private_exponent: number(private_exponent),
        };
        let sound = MODULUS.contains(&key.modulus.len())
            && !key.private_exponent.is_empty()
            && key.private_exponent.len() <= key.modulus.len();
        sound.then_some(key)
    }

    /// `message^d mod n`, in time that does not hang on `d`.
    fn power(&self, message: &[u8]) -> Option<Vec<u8>> {
        let bits = u32::try_from(self.modulus.len()).ok()? * 8;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).ok();
        let modulus: Option<Odd<BoxedUint>> = Odd::new(number(self.modulus)?).into_option();
        let exponent = Zeroizing::new(number(self.private_exponent)?);
        let params = BoxedMontyParams::new(modulus?);
        let power = BoxedMontyForm::new(number(message)?, &params).pow(&exponent).retrieve();
        Some(power.to_be_bytes().into_vec())
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2) to this many bytes.
fn padded(message: &[u8], length: usize) -> Vec<u8> {
    let hash = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, message);
    let tail = [&[0][..], DIGEST_INFO, hash.as_ref()].concat();
    let mut out = vec![0xff; length.saturating_sub(tail.len())];
    if let [first, second, ..] = out.as_mut_slice() {
        (*first, *second) = (0, 1);
    }
    out.extend(tail);
    out
}

/// What stands between the lines of a PEM (RFC 7468). A key that is itself encrypted is not read.
fn decode(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, after) = pem.split_once("-----BEGIN ")?;
    let (label, after) = after.split_once("-----")?;
    if !matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY") {
        return None;
    }
    let (text, _) = after.split_once("-----END ")?;
    let packed: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    BASE64_STANDARD.decode(packed.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
