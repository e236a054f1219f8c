use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::jwt::claims_unverified;

const NOW: i64 = 1_800_000_000_999;

/// Made for tests, and used nowhere.
pub(super) const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgi70e+M24QFhq4ZA4\n\
L338Zmx14Tk6aV3suLfvwxp0dx+hRANCAAQ/S7hVg9N87aZ5jST00/pXunkXR1wX\n\
Rm9OfnvoENuX0Ss18h2Ifk82e79tuEndYw/ip9uU0hOfUEbyxrp3U+IK\n\
-----END PRIVATE KEY-----";

fn head(token: &Secret) -> Value {
    let head = token.expose().split('.').next().expect("a head");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(head).expect("base64url")).expect("JSON")
}

#[test]
fn a_clients_assertion_says_who_it_is_to_one_server_for_a_minute() {
    let claims = of_client("client-1", "https://issuer.example", "id-1", NOW);
    let made = by_secret(&Secret::new("secret"), &claims);
    assert_eq!(head(&made), json!({"alg": "HS256", "typ": "JWT"}));
    let expected = json!({
        "iss": "client-1", "sub": "client-1", "aud": "https://issuer.example",
        "iat": 1_799_999_990, "exp": 1_800_000_050, "jti": "id-1",
    });
    assert_eq!(claims_unverified(&made), Some(expected));
}

#[test]
fn a_key_signs_under_its_name() {
    let key = SigningKey::read(&Secret::new(KEY)).unwrap_or_else(|fault| panic!("{fault}"));
    let more = BTreeMap::from([
        ("tenant".to_owned(), "t".to_owned()),
        ("empty".to_owned(), String::new()),
        ("aud".to_owned(), "https://evil.example".to_owned()),
    ]);
    let claims = Claims {
        subject: "",
        lifetime: 300,
        scope: Some("a b"),
        more: &more,
        ..of_client("c", "a", "i", NOW)
    };
    let made = by_key(&key, Alg::ES256, Some("k1"), &claims).expect("an assertion");
    assert_eq!(head(&made), json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
    let expected = json!({
        "iss": "c", "aud": "a", "iat": 1_799_999_990, "exp": 1_800_000_290, "jti": "i", "scope": "a b", "tenant": "t",
    });
    assert_eq!(claims_unverified(&made), Some(expected), "nothing empty, and nothing takes another's place");
    assert_eq!(head(&by_key(&key, Alg::ES256, None, &claims).expect("an assertion")).get("kid"), None);
    assert!(by_key(&key, Alg::RS256, None, &claims).is_err(), "the key is of another kind");
}
