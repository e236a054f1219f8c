//! AWS Signature Version 4: each call is signed with a secret key that never leaves, over method, path, query, chosen
//! headers and the body's hash.
//!
//! [`call`] signs what is sent as it is sent: path, query and body stay byte for byte. The form that is signed is
//! [`canonical`]'s. Must never let a caller's own signature, date or session token through beside ours, nor put the
//! secret key anywhere. Described at "Create a signed AWS API request" in the IAM user guide.

pub mod canonical;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use claviger_catalog::SigV4;
use http::{HeaderName, HeaderValue, header, request::Parts};
use jiff::Timestamp;

use self::canonical::Headers;
pub use self::canonical::Paths;
use crate::{ProtocolError, build, oauth2::Tokens, secret::Secret};

/// What stands for the hash of a body that is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");
const HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// What a signature is made with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The key's id, which is no secret.
    pub access_key_id: &'a str,
    /// The secret key.
    pub secret: &'a Secret,
    /// The token of temporary credentials.
    pub session_token: Option<&'a Secret>,
}

/// What a signature is good for, besides its day.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

/// What of the body is signed.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// Nothing: TLS alone vouches for it.
    Unsigned,
}

impl Payload<'_> {
    fn hash(self) -> String {
        match self {
            Self::Whole(body) => hex(digest(&SHA256, body).as_ref()),
            Self::Unsigned => UNSIGNED.to_owned(),
        }
    }
}

/// The credentials that somebody typed in; `None` where they are no such.
pub fn credentials(tokens: &Tokens) -> Option<Credentials<'_>> {
    Some(Credentials {
        access_key_id: tokens.typed.get("access_key_id")?.expose(),
        secret: tokens.typed.get("secret_access_key")?,
        session_token: tokens.typed.get("session_token").filter(|token| !token.is_empty()),
    })
}

/// Signs a call of which everything else is said. `sigv4` is the filled provider's (`Provider::filled`); `now_ms` is the
/// broker's time.
///
/// # Errors
/// When there are no credentials to sign with, region or service are not known, the URL names no host, or a header
/// can't be signed as it is.
pub fn call(
    sigv4: &SigV4,
    tokens: &Tokens,
    parts: &mut Parts,
    payload: Payload<'_>,
    now_ms: i64,
) -> Result<(), ProtocolError> {
    let keys = credentials(tokens).ok_or_else(|| ProtocolError::Missing("the secret key".to_owned()))?;
    let service = sigv4.service_at(parts.uri.host().unwrap_or_default());
    let scope =
        Scope { region: named(&sigv4.region, "the region")?, service: named(service, "the service")? };
    let storage = sigv4.raw_paths.iter().any(|raw| raw == service);
    let (time, hash) = (stamp(now_ms)?, payload.hash());
    for own in [header::AUTHORIZATION, DATE, SESSION, HASH] {
        parts.headers.remove(own);
    }
    parts.headers.insert(DATE, value(&DATE, &time)?);
    if let Some(token) = keys.session_token {
        parts.headers.insert(SESSION, value(&SESSION, token.expose())?);
    }
    if storage || matches!(payload, Payload::Unsigned) {
        parts.headers.insert(HASH, value(&HASH, &hash)?);
    }
    let headers = Headers::of(&parts.headers, &parts.uri, is_signed)?;
    let paths = Paths { twice: !storage, normalized: !storage };
    let canonical = canonical::request(&parts.method, &parts.uri, &headers, &hash, paths);
    let signed = authorization(&keys, &scope, &time, &headers, &to_sign(&scope, &time, &canonical));
    parts.headers.insert(header::AUTHORIZATION, value(&header::AUTHORIZATION, &signed)?);
    Ok(())
}

/// The headers that are signed: those that say what is asked. Others, a proxy on the way may change.
fn is_signed(name: &HeaderName) -> bool {
    *name == header::CONTENT_TYPE || name.as_str() == "content-md5" || name.as_str().starts_with("x-amz-")
}

/// The string to sign. `time` is as in `X-Amz-Date`.
pub fn to_sign(scope: &Scope<'_>, time: &str, canonical: &Secret) -> String {
    let hashed = hex(digest(&SHA256, canonical.expose().as_bytes()).as_ref());
    format!("{ALGORITHM}\n{time}\n{}\n{hashed}", scoped(scope, time))
}

/// The `Authorization` header's value.
pub fn authorization(
    keys: &Credentials<'_>,
    scope: &Scope<'_>,
    time: &str,
    headers: &Headers,
    to_sign: &str,
) -> String {
    let first = Secret::new(format!("AWS4{}", keys.secret.expose()));
    let mut key = hmac::sign(&hmac_key(first.expose().as_bytes()), day(time).as_bytes());
    for text in [scope.region, scope.service, "aws4_request", to_sign] {
        key = hmac::sign(&hmac_key(key.as_ref()), text.as_bytes());
    }
    let (id, scoped, signature) = (keys.access_key_id, scoped(scope, time), hex(key.as_ref()));
    format!("{ALGORITHM} Credential={id}/{scoped}, SignedHeaders={}, Signature={signature}", headers.names())
}

fn hmac_key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

fn scoped(scope: &Scope<'_>, time: &str) -> String {
    format!("{}/{}/{}/aws4_request", day(time), scope.region, scope.service)
}

fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or_default()
}

/// The time as `X-Amz-Date` writes it.
fn stamp(now_ms: i64) -> Result<String, ProtocolError> {
    let now = Timestamp::from_millisecond(now_ms).map_err(|_| ProtocolError::Unreadable("the time"))?;
    Ok(now.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// A region or a service: one word, so that it is one piece of the scope.
fn named<'a>(text: &'a str, what: &str) -> Result<&'a str, ProtocolError> {
    let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if sound { Ok(text) } else { Err(ProtocolError::Missing(what.to_owned())) }
}

fn value(name: &HeaderName, text: &str) -> Result<HeaderValue, ProtocolError> {
    build::header(name.as_str(), text).map(|(_, value)| value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| char::from_digit(n.into(), 16)).collect()
}

#[cfg(test)]
mod tests;
