//! The ID token: who signed in at the provider, as its issuer signed it (OpenID Connect Core §2, §3.1.3.7).
//!
//! Checked is what would make it another's: the signature by a key of this very issuer, with an asymmetric algorithm that
//! it advertises, and `iss`, `aud`, `azp`, `exp`, `nbf`, `nonce`, `sub`. Must never take an algorithm from the
//! token alone, nor a key from anywhere but the issuer's set. It says whose account was connected; it signs nobody in.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
        RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::secret::Secret;

/// Longer tokens are not looked into.
const MAX: usize = 64 * 1024;
/// Longer key sets are not read.
pub const MAX_KEYS_BODY: usize = 256 * 1024;
/// The most keys of a set that are kept.
const MOST_KEYS: usize = 64;
/// How far the issuer's clock may be off, in seconds.
const SKEW: i64 = 120;
/// The longest `sub`; the standard says 255 (§2), some issuers do not keep to it.
const LONGEST_SUB: usize = 512;
/// What is signed with where an issuer says nothing (OpenID Connect Discovery §3).
const DEFAULT: &str = "RS256";

/// Why an ID token is not believed. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// It is no signed JWT.
    #[error("the ID token can't be read")]
    Unreadable,
    /// It is not signed in a way that the issuer advertises and that proves anything.
    #[error("the ID token is signed with an algorithm that is not taken")]
    Algorithm,
    /// It is protected in a way that is not checked here, though it may well hold: with a secret that is shared with the
    /// issuer (`HS256` and its like, which it advertises), or encrypted (RFC 7516).
    #[error("the ID token is protected in a way that is not checked here")]
    Unchecked,
    /// The issuer's set has no such key. It may be a new one: the set is worth another look.
    #[error("the ID token is signed with a key that its issuer does not have")]
    UnknownKey,
    /// The signature is not this key's.
    #[error("the ID token's signature does not hold")]
    Signature,
    /// It is of another issuer.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// It is for another client.
    #[error("the ID token is for another client")]
    Audience,
    /// It is past its time, or says no time.
    #[error("the ID token has expired")]
    Expired,
    /// It is of a time to come.
    #[error("the ID token is not valid yet")]
    NotYet,
    /// It answers another request than ours.
    #[error("the ID token answers another request")]
    Nonce,
    /// It names nobody.
    #[error("the ID token names nobody")]
    Subject,
}

/// What an ID token has to say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer that was asked.
    pub issuer: &'a str,
    /// Our client there.
    pub client_id: &'a str,
    /// Hex SHA-256 of the nonce that was sent; `None` where none was.
    pub nonce_hash: Option<&'a str>,
    /// The algorithms that the issuer advertises; `None` when it says nothing.
    pub algorithms: Option<&'a [String]>,
    /// The time, in milliseconds since 1970.
    pub now: i64,
}

/// An issuer's public keys (RFC 7517 §5), as far as they can verify a signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<Jwk>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set. Keys that are for something else, or of no kind that is known, are left out; `None` when it is no set.
    pub fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if body.len() > MAX_KEYS_BODY {
            return None;
        }
        let set: Set = serde_json::from_slice(body).ok()?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys = keys.filter(|key| matches!(key.kty.as_str(), "RSA" | "EC" | "OKP"));
        Some(Self(keys.filter(|key| key.purpose.as_deref() != Some("enc")).take(MOST_KEYS).collect()))
    }
}

/// How a signature is made, and with which kind of key.
enum Way {
    Rsa(&'static RsaParameters),
    Curve(&'static str, &'static dyn VerificationAlgorithm),
}

fn way(alg: &str) -> Option<Way> {
    Some(match alg {
        "RS256" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Way::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Way::Rsa(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Way::Rsa(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Way::Rsa(&RSA_PSS_2048_8192_SHA512),
        "ES256" => Way::Curve("P-256", &ECDSA_P256_SHA256_FIXED),
        "ES384" => Way::Curve("P-384", &ECDSA_P384_SHA384_FIXED),
        "ES512" => Way::Curve("P-521", &ECDSA_P521_SHA512_FIXED),
        "EdDSA" | "Ed25519" => Way::Curve("Ed25519", &ED25519),
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// The algorithms whose key the issuer and the client share (RFC 7518 §3.2).
const SHARED: [&str; 3] = ["HS256", "HS384", "HS512"];

/// Whether this is encrypted: five parts, of which the first says with what (RFC 7516 §3.1, §4.1.2).
fn is_encrypted(text: &str) -> bool {
    let head = || BASE64_URL_SAFE_NO_PAD.decode(text.split('.').next()?).ok();
    let says = |head: Vec<u8>| serde_json::from_slice::<Value>(&head).ok()?.get("enc")?.as_str().map(drop);
    text.len() <= MAX && text.split('.').count() == 5 && head().and_then(says).is_some()
}

/// The claims of an ID token that holds, with its `sub` among them.
///
/// # Errors
/// What is wrong with it.
pub fn verify(token: &Secret, keys: &Keys, expected: &Expected<'_>) -> Result<Value, IdTokenError> {
    let text = token.expose();
    if is_encrypted(text) {
        return Err(IdTokenError::Unchecked);
    }
    let mut parts = text.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(IdTokenError::Unreadable);
    };
    if text.len() > MAX {
        return Err(IdTokenError::Unreadable);
    }
    let signed = text.get(..head.len() + 1 + claims.len()).ok_or(IdTokenError::Unreadable)?;
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| IdTokenError::Unreadable);
    let head: Head = serde_json::from_slice(&decoded(head)?).map_err(|_| IdTokenError::Unreadable)?;
    if head.crit.is_some() {
        return Err(IdTokenError::Algorithm);
    }
    check_signature(keys, expected, &head, signed.as_bytes(), &decoded(signature)?)?;
    let claims: Value = serde_json::from_slice(&decoded(claims)?).map_err(|_| IdTokenError::Unreadable)?;
    check_claims(&claims, expected)?;
    Ok(claims)
}

fn check_signature(
    keys: &Keys,
    expected: &Expected<'_>,
    head: &Head,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), IdTokenError> {
    let advertised = match expected.algorithms {
        Some(algorithms) => algorithms.contains(&head.alg),
        None => head.alg == DEFAULT,
    };
    if advertised && SHARED.contains(&head.alg.as_str()) {
        return Err(IdTokenError::Unchecked);
    }
    let way = way(&head.alg).filter(|_| advertised).ok_or(IdTokenError::Algorithm)?;
    let fits = |key: &&Jwk| {
        let named = head.kid.is_none() || key.kid == head.kid;
        let meant = key.alg.as_ref().is_none_or(|alg| *alg == head.alg);
        let kind = match way {
            Way::Rsa(_) => key.kty == "RSA",
            Way::Curve(curve, _) => {
                matches!(key.kty.as_str(), "EC" | "OKP") && key.crv.as_deref() == Some(curve)
            }
        };
        named && meant && kind
    };
    let mut fitting = keys.0.iter().filter(fits).peekable();
    if fitting.peek().is_none() {
        return Err(IdTokenError::UnknownKey);
    }
    let holds = |key: &Jwk| holds(key, &way, signed, signature).unwrap_or(false);
    if fitting.any(holds) { Ok(()) } else { Err(IdTokenError::Signature) }
}

fn holds(key: &Jwk, way: &Way, signed: &[u8], signature: &[u8]) -> Option<bool> {
    let part = |text: &Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    Some(match way {
        Way::Rsa(parameters) => {
            let (n, e) = (part(&key.n)?, part(&key.e)?);
            RsaPublicKeyComponents { n: &n, e: &e }.verify(parameters, signed, signature).is_ok()
        }
        Way::Curve("Ed25519", algorithm) => {
            UnparsedPublicKey::new(*algorithm, part(&key.x)?).verify(signed, signature).is_ok()
        }
        Way::Curve(_, algorithm) => {
            // SEC 1 §2.3.3: an uncompressed point is 4, x, y.
            let point = [vec![4], part(&key.x)?, part(&key.y)?].concat();
            UnparsedPublicKey::new(*algorithm, point).verify(signed, signature).is_ok()
        }
    })
}

fn check_claims(claims: &Value, expected: &Expected<'_>) -> Result<(), IdTokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuer = text("iss").ok_or(IdTokenError::Issuer)?;
    // One issuer of many accounts leaves the scheme out at times; the key is its own either way.
    if issuer != expected.issuer && Some(issuer) != expected.issuer.strip_prefix("https://") {
        return Err(IdTokenError::Issuer);
    }
    let several = match claims.get("aud") {
        Some(Value::String(one)) if one == expected.client_id => false,
        Some(Value::Array(all)) if all.iter().any(|one| one == expected.client_id) => all.len() > 1,
        _ => return Err(IdTokenError::Audience),
    };
    match claims.get("azp") {
        None | Some(Value::Null) if !several => {}
        Some(Value::String(party)) if party == expected.client_id => {}
        _ => return Err(IdTokenError::Audience),
    }
    let now = expected.now / 1000;
    let at = |name: &str| seconds(claims.get(name)?);
    if at("exp").is_none_or(|exp| exp.saturating_add(SKEW) <= now) {
        return Err(IdTokenError::Expired);
    }
    // Not `iat`: a provider whose clock is ahead is no attacker, and the nonce tells that the token is of this very request.
    if at("nbf").is_some_and(|from| from > now.saturating_add(SKEW)) {
        return Err(IdTokenError::NotYet);
    }
    if let Some(hash) = expected.nonce_hash {
        let same = |nonce: &str| hex(digest(&SHA256, nonce.as_bytes()).as_ref()) == hash;
        if !text("nonce").is_some_and(same) {
            return Err(IdTokenError::Nonce);
        }
    }
    let named = text("sub")
        .is_some_and(|sub| !sub.is_empty() && sub.len() <= LONGEST_SUB && !sub.chars().any(char::is_control));
    if named { Ok(()) } else { Err(IdTokenError::Subject) }
}

/// A time in seconds, which some write with a fraction.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64().filter(|f| f.is_finite() && f.abs() < 1e12)?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
        Some(float as i64)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
