//! DPoP (RFC 9449): the proof that whoever shows a token also holds the key that it was given for.
//!
//! A proof is for one request and says so: its method, its URL, a time, an id of its own, the token's hash. ES256 is
//! the one algorithm: every server that takes proofs takes it. Keys, ids and times come from the caller; the number that
//! each signature draws is the cryptographic library's. Must never give out a key, nor a proof without an id of its own.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{ProtocolError, secret::Secret};

/// The header that carries a proof (RFC 9449 §4.1).
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header in which a server gives the nonce that it wants in the next proof (RFC 9449 §8.2).
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The type of a token that needs a proof, and the scheme that it is shown by (RFC 9449 §5, §7.1).
pub const TOKEN_TYPE: &str = "DPoP";

/// The error by which a server asks for a nonce (RFC 9449 §8).
const USE_NONCE: &str = "use_dpop_nonce";
/// The longest nonce that is taken, in bytes.
const LONGEST_NONCE: usize = 1024;

/// Whether tokens of this type need a proof.
pub fn is_type(token_type: &str) -> bool {
    token_type.eq_ignore_ascii_case(TOKEN_TYPE)
}

/// A key that proofs are signed with. Holds a secret: no `Debug`.
pub struct Key {
    pair: EcdsaKeyPair,
    x: String,
    y: String,
}

impl Key {
    /// Reads a P-256 key: PKCS #8 (RFC 5208) in Base64, as [`Key::text`] writes it.
    ///
    /// # Errors
    /// When it is none; the text is not repeated.
    pub fn read(text: &Secret) -> Result<Self, ProtocolError> {
        let unreadable = || ProtocolError::Unreadable("the key of the proofs");
        let der = BASE64_STANDARD.decode(text.expose()).map(Zeroizing::new).map_err(|_| unreadable())?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
        let pair = pair.map_err(|_| unreadable())?;
        // SEC 1 §2.3.3: an uncompressed point is 4, x, y.
        let point = pair.public_key().as_ref().strip_prefix(&[4]).ok_or_else(unreadable)?;
        let (x, y) = point.split_at_checked(32).ok_or_else(unreadable)?;
        let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
        Ok(Self { pair, x, y })
    }

    /// How a fresh PKCS #8 document is kept.
    pub fn text(pkcs8: &[u8]) -> Secret {
        Secret::new(BASE64_STANDARD.encode(pkcs8))
    }

    /// By what a token that is bound to this key names it: `jkt` (RFC 9449 §6.1, RFC 7638 §3).
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.x, &self.y)
    }
}

/// The members in the order of their names, and nothing else (RFC 7638 §3.2).
fn thumbprint(x: &str, y: &str) -> String {
    hashed(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

fn hashed(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// What a proof says of its request.
pub struct Claims<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Where it goes; query and fragment are left out of the proof.
    pub uri: &'a Uri,
    /// An id that no other proof has.
    pub jti: &'a str,
    /// When it is made, in seconds since 1970.
    pub iat: i64,
    /// The server's last nonce, if it gave any.
    pub nonce: Option<&'a str>,
    /// The token that is shown along with it; none at a token endpoint.
    pub access_token: Option<&'a Secret>,
}

/// A proof (RFC 9449 §4.2), as the [`PROOF`] header carries it.
///
/// # Errors
/// When the request has no whole URL, or the library does not sign.
pub fn proof(key: &Key, claims: &Claims<'_>) -> Result<String, ProtocolError> {
    let head = json!({"typ": "dpop+jwt", "alg": "ES256",
        "jwk": {"kty": "EC", "crv": "P-256", "x": key.x, "y": key.y}});
    let mut said = Map::new();
    said.insert("jti".to_owned(), claims.jti.into());
    said.insert("htm".to_owned(), claims.method.as_str().into());
    said.insert("htu".to_owned(), target(claims.uri)?.into());
    said.insert("iat".to_owned(), claims.iat.into());
    if let Some(token) = claims.access_token {
        said.insert("ath".to_owned(), hashed(token.expose()).into());
    }
    if let Some(nonce) = claims.nonce {
        said.insert("nonce".to_owned(), nonce.into());
    }
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&head), part(&Value::Object(said)));
    let signature = key.pair.sign(&SystemRandom::new(), input.as_bytes());
    let signature = signature.map_err(|_| ProtocolError::Unreadable("the key of the proofs"))?;
    Ok(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// Where a request goes as a proof says it: without query and fragment, and as a server puts it together again
/// (RFC 9449 §4.3, RFC 3986 §6.2): the host in lower case, no port that is the scheme's own.
fn target(uri: &Uri) -> Result<String, ProtocolError> {
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    Ok(format!("{}{path}", origin(uri).ok_or(ProtocolError::Url("request"))?))
}

/// Scheme, host and port of a URL, likewise: whose nonces are whose.
pub fn origin(uri: &Uri) -> Option<String> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let own = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let host = authority.host().to_ascii_lowercase();
    Some(match authority.port_u16().filter(|port| *port != own) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// The nonce that an answer gives (RFC 9449 §8.1), if it is one that can be said back.
pub fn nonce(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(NONCE).iter();
    let (Some(nonce), None) = (given.next(), given.next()) else { return None };
    let plain = |b: &u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    nonce
        .to_str()
        .ok()
        .filter(|text| !text.is_empty() && text.len() <= LONGEST_NONCE && text.as_bytes().iter().all(plain))
}

/// Whether a token endpoint wants the request again with the nonce that it gives (RFC 9449 §8). It did nothing with
/// this one.
pub fn token_endpoint_asks(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
        && nonce(headers).is_some()
        && serde_json::from_slice::<Value>(body).is_ok_and(|body| body["error"] == USE_NONCE)
}

/// Whether an API wants the call again with the nonce that it gives (RFC 9449 §9).
pub fn api_asks(status: StatusCode, headers: &HeaderMap) -> bool {
    let challenges = || headers.get_all(header::WWW_AUTHENTICATE).iter();
    status == StatusCode::UNAUTHORIZED
        && nonce(headers).is_some()
        && challenges().filter_map(|value| value.to_str().ok()).any(challenge_asks)
}

/// Whether one of these challenges (RFC 9110 §11.6.1) is of DPoP and says that error.
fn challenge_asks(challenges: &str) -> bool {
    let mut of_dpop = false;
    for part in parts(challenges) {
        // `Scheme name=value` begins a challenge, `name=value` goes on with it.
        let (before, value) = part.split_once('=').unwrap_or((part, ""));
        let mut words = before.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        if second.is_some() || !part.contains('=') {
            of_dpop = is_type(first);
        }
        let name = second.unwrap_or(first);
        if of_dpop && name.eq_ignore_ascii_case("error") && value.trim().trim_matches('"') == USE_NONCE {
            return true;
        }
    }
    false
}

/// What stands between the commas outside of quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let ends = c == ',' && !quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && quoted && !escaped;
        ends
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
