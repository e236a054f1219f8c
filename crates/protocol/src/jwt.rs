//! Looking into a JWT that a provider gave us, for hints only.
//!
//! Nothing is verified: such a token came from the token endpoint over TLS, and what is read here never
//! decides who somebody is to us. Must never be used to let anybody in.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{json, secret::Secret};

/// Longer tokens are not looked into.
const MAX: usize = 64 * 1024;

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

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}", claims in ".{0,80}") {
            let _ = expiry_unverified(&Secret::new(text));
            let _ = expiry_unverified(&jwt(&claims));
        }
    }
}
