use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use http::HeaderValue;

use super::*;

fn fresh() -> Key {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    Key::read(&Key::text(pkcs8.as_ref())).unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn claims<'a>(method: &'a Method, uri: &'a Uri) -> Claims<'a> {
    Claims { method, uri, jti: "-BwC3ESc6acc2lTc", iat: 1_562_262_616, nonce: None, access_token: None }
}

/// The key of RFC 9449's examples and its `jkt` (§6.1), and the example of §7.1 for a token's hash.
#[test]
fn hashes_are_those_of_the_standard() {
    let thumb = thumbprint(
        "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    );
    assert_eq!(thumb, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(hashed(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

/// §4.2, the examples of §5 and §7: what is in a proof, and nothing else; and it is signed.
#[test]
fn a_proof_says_which_request_it_is_for() {
    let key = fresh();
    let (post, uri) = (Method::POST, "https://server.example.com/token?a=b".parse().unwrap());
    let made = proof(&key, &claims(&post, &uri)).unwrap();
    let [head, body, signature] = made.split('.').collect::<Vec<_>>()[..] else { panic!("{made}") };
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": key.x, "y": key.y});
    assert_eq!(decoded(head), json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}));
    let expected = json!({"jti": "-BwC3ESc6acc2lTc", "htm": "POST",
        "htu": "https://server.example.com/token", "iat": 1_562_262_616});
    assert_eq!(decoded(body), expected);
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.pair.public_key().as_ref());
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(format!("{head}.{body}").as_bytes(), &signature).unwrap();
    assert_eq!(signature.len(), 64);

    let (get, token) = (Method::GET, Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"));
    let with = Claims { nonce: Some("n-0S6_WzA2Mj"), access_token: Some(&token), ..claims(&get, &uri) };
    let made = proof(&key, &with).unwrap();
    let body = decoded(made.split('.').nth(1).unwrap());
    assert_eq!(body["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert_eq!((&body["nonce"], &body["htm"]), (&json!("n-0S6_WzA2Mj"), &json!("GET")));
    assert!(!made.contains("Kz~8"));
}

/// §4.3: servers compare what they were asked for, without query and fragment, in its normal spelling.
#[test]
fn the_target_is_spelled_as_servers_put_it_together() {
    for (url, want) in [
        ("https://API.Example.com", "https://api.example.com/"),
        ("https://api.example.com:443/A/b%2Fc?x=/y", "https://api.example.com/A/b%2Fc"),
        ("https://api.example.com:8443/a?", "https://api.example.com:8443/a"),
        ("http://127.0.0.1:80/a", "http://127.0.0.1/a"),
        ("http://[::1]:443/a", "http://[::1]:443/a"),
    ] {
        assert_eq!(target(&url.parse().unwrap()).unwrap(), want, "{url}");
    }
    for url in ["/only/a/path", "ftp://api.example.com/a"] {
        assert!(target(&url.parse().unwrap()).is_err(), "{url}");
    }
}

#[test]
fn keys_are_kept_as_text_and_nothing_else_is_one() {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let text = Key::text(pkcs8.as_ref());
    assert_eq!(Key::read(&text).unwrap().thumbprint(), Key::read(&text).unwrap().thumbprint());
    assert_ne!(Key::read(&text).unwrap().thumbprint(), fresh().thumbprint());
    for wrong in ["", "AAAA", "not base64!", &text.expose()[..40]] {
        let error = Key::read(&Secret::new(wrong)).err().unwrap().to_string();
        assert_eq!(error, "the key of the proofs could not be read");
    }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

/// §8.1: `nonce = 1*NQCHAR`; two of them are none.
#[test]
fn a_nonce_is_one_that_can_be_said_back() {
    assert_eq!(nonce(&headers(&[("DPoP-Nonce", "eyJ7S_zG.eyJH0-Z")])), Some("eyJ7S_zG.eyJH0-Z"));
    let long = "x".repeat(LONGEST_NONCE + 1);
    for wrong in ["", "a b", "a\"b", "a\\b", &long] {
        assert_eq!(nonce(&headers(&[("dpop-nonce", wrong)])), None, "{wrong}");
    }
    assert_eq!(nonce(&headers(&[("dpop-nonce", "a"), ("dpop-nonce", "b")])), None);
    assert_eq!(nonce(&headers(&[])), None);
}

#[test]
fn a_token_endpoint_asks_by_its_error_and_a_nonce() {
    let (given, none) = (headers(&[("dpop-nonce", "n")]), headers(&[]));
    let asks = |status: u16, headers: &HeaderMap, body: &str| {
        token_endpoint_asks(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
    };
    let body = r#"{"error":"use_dpop_nonce","error_description":"…"}"#;
    assert!(asks(400, &given, body) && asks(401, &given, body));
    assert!(!asks(200, &given, body) && !asks(500, &given, body) && !asks(400, &none, body));
    for other in [r#"{"error":"invalid_grant"}"#, "use_dpop_nonce", "", "[]", r#"{"error":{"a":1}}"#] {
        assert!(!asks(400, &given, other), "{other}");
    }
}

/// §9, and RFC 9110 §11.6.1: several challenges may stand in one header or in several.
#[test]
fn an_api_asks_by_its_challenge_and_a_nonce() {
    let asks = |challenges: &[&str]| {
        let mut map = headers(&[("dpop-nonce", "n")]);
        for one in challenges {
            map.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(one).unwrap());
        }
        api_asks(StatusCode::UNAUTHORIZED, &map)
    };
    for yes in [
        &[r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce""#][..],
        &[r#"dpop realm="a, b", Error=use_dpop_nonce"#],
        &[r#"Bearer realm="x, DPoP", DPoP algs="ES256", error="use_dpop_nonce""#],
        &["Bearer", r#"DPoP  error = "use_dpop_nonce""#],
        &[r#"DPoP realm="a \" b, Bearer x", error="use_dpop_nonce""#],
    ] {
        assert!(asks(yes), "{yes:?}");
    }
    for no in [
        &[][..],
        &[r#"DPoP error="invalid_token""#],
        &[r#"Bearer error="use_dpop_nonce""#],
        &[r#"DPoP algs="ES256", Bearer error="use_dpop_nonce""#],
        &["DPoP", r#"Bearer error="use_dpop_nonce""#],
        &[r#"DPoP error_description="error=use_dpop_nonce""#],
        &[r#"Bearer realm="DPoP error=use_dpop_nonce""#],
    ] {
        assert!(!asks(no), "{no:?}");
    }
    let map = headers(&[("www-authenticate", r#"DPoP error="use_dpop_nonce""#)]);
    assert!(!api_asks(StatusCode::UNAUTHORIZED, &map));
    let map = headers(&[("www-authenticate", r#"DPoP error="use_dpop_nonce""#), ("dpop-nonce", "n")]);
    assert!(api_asks(StatusCode::UNAUTHORIZED, &map) && !api_asks(StatusCode::BAD_REQUEST, &map));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in ".{0,200}") {
        let _ = challenge_asks(&text);
        let _ = Key::read(&Secret::new(text));
    }
}
