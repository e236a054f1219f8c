//! JWTs: looking into those that a provider gave us, for hints only, and making those by which a product's own API
//! knows for which customer it is called.
//!
//! Nothing that is read is verified: such a token came from the token endpoint over TLS, and what is read here never
//! decides who somebody is to us. Must never be used to let anybody in.

use std::convert::Infallible;

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{json, secret::Secret};

/// Longer tokens are not looked into.
const MAX: usize = 64 * 1024;

/// A JWT (RFC 7519) signed with HMAC and SHA-256 (RFC 7515 §A.1): who made it, for whom, what is known of them, and
/// from when until when it is good, in seconds since 1970.
pub fn mint_hs256(
    secret: &Secret,
    iss: &str,
    sub: &str,
    fields: &Map<String, Value>,
    iat: i64,
    exp: i64,
) -> Secret {
    let claims = json!({"iss": iss, "sub": sub, "fields": fields, "iat": iat, "exp": exp});
    hs256(secret.expose().as_bytes(), r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// A JWT signed with HMAC and SHA-256.
pub(crate) fn hs256(key: &[u8], head: &str, claims: &str) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let made: Result<Secret, Infallible> =
        compact(head, claims, |input| Ok(hmac::sign(&key, input).as_ref().to_vec()));
    match made {
        Ok(token) => token,
        Err(never) => match never {},
    }
}

/// A JWT in its compact form (RFC 7515 §3.1), signed by `sign`.
pub(crate) fn compact<E>(
    head: &str,
    claims: &str,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Secret, E> {
    let input = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(head), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(input.as_bytes())?;
    Ok(Secret::new(format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
}

/// When a JWT expires by its `exp` claim (RFC 7519 §4.1.4), in milliseconds since 1970; `None` when it is no
/// JWT or says nothing.
pub fn expiry_unverified(token: &Secret) -> Option<i64> {
    let claims = claims_unverified(token)?;
    let exp = json::at(&claims, "exp")?;
    let seconds = exp.as_i64().or_else(|| {
        let float = exp.as_f64().filter(|f| f.is_finite() && f.abs() < 1e12)?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
        Some(float as i64)
    })?;
    (seconds > 0).then(|| seconds.checked_mul(1000)).flatten()
}

/// The claims of a JWT, unverified.
pub(crate) fn claims_unverified(token: &Secret) -> Option<Value> {
    let text = token.expose();
    let mut parts = text.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if text.len() > MAX || parts.next().is_some() {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> Secret {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(claims), part("signature")))
    }

    #[test]
    fn exp_is_read_and_anything_else_is_nothing() {
        assert_eq!(expiry_unverified(&jwt(r#"{"exp":1700000000}"#)), Some(1_700_000_000_000));
        assert_eq!(expiry_unverified(&jwt(r#"{"exp":1700000000.9}"#)), Some(1_700_000_000_000));
        for claims in
            [r#"{"exp":"soon"}"#, r#"{"exp":-1}"#, r#"{"exp":9e300}"#, "{}", "[]", "no", r#"{"exp":null}"#]
        {
            assert_eq!(expiry_unverified(&jwt(claims)), None, "{claims}");
        }
        for text in ["", "a.b", "a.b.c", "a.b.c.d", "gho_plain"] {
            assert_eq!(expiry_unverified(&Secret::new(text)), None, "{text}");
        }
        assert_eq!(expiry_unverified(&jwt(&format!(r#"{{"exp":17,"x":"{}"}}"#, "y".repeat(MAX)))), None);
    }

    #[test]
    fn a_signature_is_the_known_one() {
        let made = hs256(
            b"your-256-bit-secret",
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#,
        );
        let known = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
                     eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.\
                     SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        assert_eq!(made.expose(), known);
    }

    /// RFC 7515 §A.1: its header and its claims have the line breaks that the example has.
    #[test]
    fn the_first_example_of_the_standard_is_made() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = BASE64_URL_SAFE_NO_PAD.decode(key).expect("a key");
        let head = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
        let claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let known = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                     cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(hs256(&key, head, claims).expose(), known);
    }

    #[test]
    fn a_token_of_our_own_says_for_whom_it_is() {
        let fields = json!({"plan": "pro", "seats": 3}).as_object().cloned().expect("an object");
        let made = mint_hs256(&Secret::new("s"), "workspace-key", "customer \"1\"", &fields, 1_000, 4_600);
        let claims = claims_unverified(&made).expect("claims");
        let expected = json!({"iss": "workspace-key", "sub": "customer \"1\"",
            "fields": {"plan": "pro", "seats": 3}, "iat": 1_000, "exp": 4_600});
        assert_eq!(claims, expected);
        assert_eq!(expiry_unverified(&made), Some(4_600_000));
        let other = mint_hs256(&Secret::new("t"), "workspace-key", "customer \"1\"", &fields, 1_000, 4_600);
        assert_ne!(made.expose(), other.expose());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}", claims in ".{0,80}") {
            let _ = expiry_unverified(&Secret::new(text));
            let _ = expiry_unverified(&jwt(&claims));
        }
    }
}
