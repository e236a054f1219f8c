//! A private key that signs JWTs, and its public half as a JWK (RFC 7517).
//!
//! Reads what people paste and tells them what is wrong with it; must never repeat anything of it.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaSignatureEncoding,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_catalog::Alg;
use serde_json::{Map, Value};

use super::pem::{self, Shape};
use crate::{
    ProtocolError,
    der::{INTEGER, OID, RSA_ENCRYPTION, SEQUENCE, tlv},
    secret::Secret,
};

/// What is wrong with a private key, in words for whoever typed it in. Holds nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No PEM at all.
    #[error("Is not a private key in PEM: that begins with -----BEGIN PRIVATE KEY-----")]
    NoPem,
    /// Longer than any key.
    #[error("Is longer than a private key: more than 16,384 bytes")]
    TooLong,
    /// Encrypted with a passphrase.
    #[error("Is encrypted: give the key without a passphrase")]
    Encrypted,
    /// The other half.
    #[error("Is a public key: the private key is needed")]
    Public,
    /// A certificate.
    #[error("Is a certificate: its private key is needed")]
    Certificate,
    /// Cut off, or damaged.
    #[error("Can't be read as a private key: it may be cut off or damaged")]
    Unreadable,
    /// RSA, and too short to be safe (RFC 7518 §3.3).
    #[error("Has fewer than 2048 bits, which is too few for RSA")]
    TooSmall,
    /// A key of a kind that is not used here.
    #[error("Is not a key of RSA, of the curves P-256, P-384 and P-521, or of Ed25519")]
    Unsupported,
    /// A key that can't sign in the way that is wanted.
    #[error("Is not a key for {}: that takes {}", .0.as_str(), taken(*.0))]
    NotFor(Alg),
}

/// What kind of key an algorithm takes, for people.
fn taken(alg: Alg) -> &'static str {
    match alg {
        Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => "RSA",
        Alg::ES256 => "the curve P-256",
        Alg::ES384 => "the curve P-384",
        Alg::ES512 => "the curve P-521",
        Alg::EdDSA => "Ed25519",
    }
}

/// A private key.
pub struct SigningKey {
    pair: Pair,
    public: Map<String, Value>,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair, Alg),
    Ed25519(Ed25519KeyPair),
}

/// The curves, each with its one algorithm and its name in a JWK (RFC 7518 §6.2.1.1).
fn curves() -> [(&'static EcdsaSigningAlgorithm, Alg, &'static str); 3] {
    [
        (&ECDSA_P256_SHA256_FIXED_SIGNING, Alg::ES256, "P-256"),
        (&ECDSA_P384_SHA384_FIXED_SIGNING, Alg::ES384, "P-384"),
        (&ECDSA_P521_SHA512_FIXED_SIGNING, Alg::ES512, "P-521"),
    ]
}

impl SigningKey {
    /// Reads a private key in PEM: PKCS #8, RSA as in PKCS #1, or a curve's as in SEC 1.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn read(pem: &Secret) -> Result<Self, KeyFault> {
        let (shape, der) = pem::read(pem.expose())?;
        let rsa = match shape {
            Shape::Pkcs8 if of_rsa(&der) => Some(rsa::KeyPair::from_pkcs8(&der)),
            Shape::Pkcs1 => Some(rsa::KeyPair::from_der(&der)),
            Shape::Pkcs8 | Shape::Sec1 => None,
        };
        if let Some(read) = rsa {
            let pair = read.map_err(|rejected| match rejected.description_() {
                "TooSmall" => KeyFault::TooSmall,
                _ => KeyFault::Unreadable,
            })?;
            let public = rsa_public(pair.public_key().as_ref()).ok_or(KeyFault::Unreadable)?;
            return Ok(Self { pair: Pair::Rsa(pair), public });
        }
        for (curve, alg, name) in curves() {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, &der) {
                let public = ec_public(name, pair.public_key().as_ref()).ok_or(KeyFault::Unreadable)?;
                return Ok(Self { pair: Pair::Ec(pair, alg), public });
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(&der) {
            let public = of([("kty", "OKP"), ("crv", "Ed25519"), ("x", &base64(pair.public_key().as_ref()))]);
            return Ok(Self { pair: Pair::Ed25519(pair), public });
        }
        // What has an algorithm in the place for it is a sound key of a kind that we don't take.
        let known = shape == Shape::Pkcs8 && algorithm(&der).is_some();
        Err(if known { KeyFault::Unsupported } else { KeyFault::Unreadable })
    }

    /// Looks whether a text is a private key that signs in this way.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn check(pem: &Secret, alg: Alg) -> Result<(), KeyFault> {
        if Self::read(pem)?.fits(alg) { Ok(()) } else { Err(KeyFault::NotFor(alg)) }
    }

    /// Whether it signs in this way.
    pub fn fits(&self, alg: Alg) -> bool {
        match &self.pair {
            Pair::Rsa(_) => taken(alg) == "RSA",
            Pair::Ec(_, own) => alg == *own,
            Pair::Ed25519(_) => alg == Alg::EdDSA,
        }
    }

    /// How it signs where nobody says: RSA as every server takes it, a curve in its one way.
    pub fn usual(&self) -> Alg {
        match &self.pair {
            Pair::Rsa(_) => Alg::RS256,
            Pair::Ec(_, own) => *own,
            Pair::Ed25519(_) => Alg::EdDSA,
        }
    }

    /// The signature of a text (RFC 7515 §5.1).
    ///
    /// # Errors
    /// When the key is of another kind than the algorithm asks for.
    pub fn sign(&self, alg: Alg, input: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let unusable = || ProtocolError::Unreadable("the signing key");
        if !self.fits(alg) {
            return Err(unusable());
        }
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding = rsa_encoding(alg).ok_or_else(unusable)?;
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), input, &mut out).map_err(|_| unusable())?;
                Ok(out)
            }
            Pair::Ec(pair, _) => {
                let signature = pair.sign(&SystemRandom::new(), input).map_err(|_| unusable())?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.try_sign(input).map_err(|_| unusable())?.as_ref().to_vec()),
        }
    }

    /// Its public half with the members that make it one and no others (RFC 7518 §6), in the order of RFC 7638 §3.2.
    pub fn public(&self) -> &Map<String, Value> {
        &self.public
    }

    /// The SHA-256 of its public half (RFC 7638 §3), in base64url: a name for it that nobody has to give.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.public)
    }

    /// Its public half as a key set publishes it: with its thumbprint as `kid`, and what it is for (RFC 7517 §4).
    pub fn jwk(&self, alg: Alg) -> Map<String, Value> {
        let mut out = self.public.clone();
        for (name, value) in [("use", "sig"), ("alg", alg.as_str()), ("kid", &self.thumbprint())] {
            out.insert(name.to_owned(), value.into());
        }
        out
    }
}

/// The thumbprint of a public key that has the members of RFC 7638 §3.2 and no others, in their order.
fn thumbprint(public: &Map<String, Value>) -> String {
    base64(digest(&SHA256, Value::Object(public.clone()).to_string().as_bytes()).as_ref())
}

fn rsa_encoding(alg: Alg) -> Option<&'static RsaSignatureEncoding> {
    match alg {
        Alg::RS256 => Some(&RSA_PKCS1_SHA256),
        Alg::RS384 => Some(&RSA_PKCS1_SHA384),
        Alg::RS512 => Some(&RSA_PKCS1_SHA512),
        Alg::PS256 => Some(&RSA_PSS_SHA256),
        Alg::PS384 => Some(&RSA_PSS_SHA384),
        Alg::PS512 => Some(&RSA_PSS_SHA512),
        Alg::ES256 | Alg::ES384 | Alg::ES512 | Alg::EdDSA => None,
    }
}

/// The object identifier of a `PrivateKeyInfo`'s algorithm.
fn algorithm(der: &[u8]) -> Option<&[u8]> {
    let (inside, _) = tlv(der, SEQUENCE)?;
    let (_version, rest) = tlv(inside, INTEGER)?;
    let (algorithm, _) = tlv(rest, SEQUENCE)?;
    tlv(algorithm, OID).map(|(oid, _)| oid)
}

fn of_rsa(der: &[u8]) -> bool {
    algorithm(der) == Some(RSA_ENCRYPTION)
}

/// `RSAPublicKey` (RFC 8017 §A.1.1) as a JWK.
fn rsa_public(der: &[u8]) -> Option<Map<String, Value>> {
    let (inside, _) = tlv(der, SEQUENCE)?;
    let (modulus, rest) = tlv(inside, INTEGER)?;
    let (exponent, _) = tlv(rest, INTEGER)?;
    let number = |bytes: &[u8]| base64(bytes.strip_prefix(&[0]).unwrap_or(bytes));
    Some(of([("kty", "RSA"), ("n", &number(modulus)), ("e", &number(exponent))]))
}

/// An uncompressed point (SEC 1 §2.3.3) as a JWK.
fn ec_public(curve: &str, point: &[u8]) -> Option<Map<String, Value>> {
    let both = point.strip_prefix(&[4])?;
    let (x, y) = both.split_at_checked(both.len() / 2)?;
    Some(of([("kty", "EC"), ("crv", curve), ("x", &base64(x)), ("y", &base64(y))]))
}

/// Members of a JWK, sorted, as its thumbprint wants them.
fn of<const N: usize>(mut members: [(&str, &str); N]) -> Map<String, Value> {
    members.sort_unstable();
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn base64(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
