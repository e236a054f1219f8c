//! Assertions: short-lived JWTs that say who a client is (RFC 7523 §2.2), or in whose name a token is asked for (§2.1).
//!
//! The key that signs is [`key`]'s. Each assertion is for one audience and carries an id of its own, so that whoever
//! got it can use it nowhere else, and once. Must never take an audience from anything but the server that was asked.

use std::collections::BTreeMap;

use claviger_catalog::Alg;
use serde_json::{Map, Value};

use crate::{ProtocolError, jwt, secret::Secret};

pub mod grant;
pub mod key;
mod pem;

pub use key::{KeyFault, SigningKey};

/// How long a client's own assertion is good for, in seconds.
pub const CLIENT_LIFETIME: u32 = 60;
/// How many seconds before now an assertion says that it was made: the clocks of two servers differ.
const SKEW: i64 = 10;
/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
pub const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// `grant_type` of a JWT (RFC 7523 §2.1).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What an assertion says (RFC 7523 §3).
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// Who made it.
    pub issuer: &'a str,
    /// Who it is about; left out when empty.
    pub subject: &'a str,
    /// The one server that it is for.
    pub audience: &'a str,
    /// An id that no other assertion has.
    pub id: &'a str,
    /// Now, in milliseconds since 1970.
    pub now: i64,
    /// How many seconds it is good for.
    pub lifetime: u32,
    /// Scopes as a claim, where the provider wants them there.
    pub scope: Option<&'a str>,
    /// Further claims. None of them takes the place of one above.
    pub more: &'a BTreeMap<String, String>,
}

impl Claims<'_> {
    fn json(&self) -> String {
        let issued = self.now.div_euclid(1000) - SKEW;
        let mut out = Map::new();
        out.insert("iss".to_owned(), self.issuer.into());
        if !self.subject.is_empty() {
            out.insert("sub".to_owned(), self.subject.into());
        }
        out.insert("aud".to_owned(), self.audience.into());
        out.insert("iat".to_owned(), issued.into());
        out.insert("exp".to_owned(), (issued + i64::from(self.lifetime)).into());
        out.insert("jti".to_owned(), self.id.into());
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            out.insert("scope".to_owned(), scope.into());
        }
        for (name, value) in self.more.iter().filter(|(_, value)| !value.is_empty()) {
            out.entry(name.clone()).or_insert_with(|| value.as_str().into());
        }
        Value::Object(out).to_string()
    }
}

/// What a client says of itself: `iss` and `sub` are its id (RFC 7523 §3, point 2.B).
pub fn of_client<'a>(client: &'a str, audience: &'a str, id: &'a str, now: i64) -> Claims<'a> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Claims {
        issuer: client,
        subject: client,
        audience,
        id,
        now,
        lifetime: CLIENT_LIFETIME,
        scope: None,
        more: &NONE,
    }
}

/// An assertion signed by a private key. `kid` tells the server which of the keys it knows that is.
///
/// # Errors
/// When the key is of another kind than the algorithm asks for.
pub fn by_key(
    key: &SigningKey,
    alg: Alg,
    kid: Option<&str>,
    claims: &Claims<'_>,
) -> Result<Secret, ProtocolError> {
    let mut head = Map::new();
    head.insert("alg".to_owned(), alg.as_str().into());
    head.insert("typ".to_owned(), "JWT".into());
    if let Some(kid) = kid.filter(|kid| !kid.is_empty()) {
        head.insert("kid".to_owned(), kid.into());
    }
    jwt::compact(&Value::Object(head).to_string(), &claims.json(), |input| key.sign(alg, input))
}

/// An assertion signed by the client's secret: HMAC with SHA-256, as OpenID Connect Core §9 has it.
pub fn by_secret(secret: &Secret, claims: &Claims<'_>) -> Secret {
    jwt::hs256(secret.expose().as_bytes(), r#"{"alg":"HS256","typ":"JWT"}"#, &claims.json())
}

#[cfg(test)]
mod tests;
