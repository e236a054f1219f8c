use serde_json::{Value, json};

use super::*;
use crate::{jwt::claims_unverified, oauth2::testing::provider};

const URL: &str = "https://acme.example/token";

fn asked<'a>(typed: &'a BTreeMap<String, Secret>, scopes: &'a [String]) -> Asked<'a> {
    Asked { client_id: None, issuer: None, token_url: URL, typed, scopes, id: "i", now: 1_800_000_000_000 }
}

fn typed_in(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

fn said(lines: &str, asked: &Asked<'_>) -> Value {
    let oauth2 = provider(&format!("grant = \"jwt_bearer\"\n{lines}"));
    let signer = typed(&oauth2, asked).expect("a sound key").expect("a key");
    claims_unverified(&make(&oauth2, asked, &signer).expect("an assertion")).expect("claims")
}

const FILE: &str = "endpoints.source = \"integration\"\nassertion.key = \"pem\"\n\
                    assertion.issuer = \"{who}\"\nassertion.subject = \"{user}\"\n";

#[test]
fn texts_are_filled_with_what_was_typed_and_left_out_otherwise() {
    let given = typed_in(&[("pem", super::super::tests::KEY), ("who", "sa@acme")]);
    let scopes = ["a".to_owned(), "b".to_owned()];
    let whole = asked(&given, &scopes);
    let claims = said(FILE, &whole);
    let expected =
        json!({"iss": "sa@acme", "aud": URL, "iat": 1_799_999_990, "exp": 1_800_000_290, "jti": "i"});
    assert_eq!(claims, expected);
    let more = format!(
        "{FILE}assertion.scope = true\nassertion.claims.tenant = \"{{who}}-x\"\nassertion.claims.none = \"{{user}}\""
    );
    let claims = said(&more, &whole);
    assert_eq!(
        (&claims["scope"], &claims["tenant"], claims.get("none")),
        (&json!("a b"), &json!("sa@acme-x"), None)
    );
    let user = typed_in(&[("pem", super::super::tests::KEY), ("who", "sa@acme"), ("user", "ada")]);
    assert_eq!(said(FILE, &asked(&user, &scopes))["sub"], "ada");
    let own = provider("grant = \"jwt_bearer\"\nassertion = {}");
    assert!(typed(&own, &whole).expect("no fault").is_none());
    let signer = typed(&provider(FILE), &whole).expect("a sound key").expect("a key");
    assert_eq!(make(&own, &whole, &signer).err(), Some(Unmade::Nobody), "nobody is its issuer");
    let named = Asked { client_id: Some("cid"), ..whole };
    let claims = claims_unverified(&make(&own, &named, &signer).expect("an assertion")).expect("claims");
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("cid"), &json!("cid")));
}

/// Metadata says where to send an assertion, and never for whom it is.
#[test]
fn the_audience_is_the_server_that_was_asked() {
    let given = typed_in(&[("pem", super::super::tests::KEY), ("who", "sa@acme")]);
    let issuer = Some("https://issuer.example");
    let known = Asked { issuer, ..asked(&given, &[]) };
    let aud = |lines: &str, asked: &Asked<'_>| said(&format!("{FILE}{lines}"), asked)["aud"].clone();
    assert_eq!(aud("", &known), URL, "nobody has looked whose endpoints were entered beside that issuer");
    assert_eq!(aud("", &asked(&given, &[])), URL);
    let file = FILE.replace("integration", "file");
    assert_eq!(said(&file, &known)["aud"], "https://issuer.example");
    assert_eq!(said(&file, &asked(&given, &[]))["aud"], URL);
    assert_eq!(aud("assertion.audience = \"token_endpoint\"", &known), URL);
    assert_eq!(aud("assertion.audience = \"https://else.example\"", &known), "https://else.example");
    let found = FILE.replace("integration", "issuer");
    for audience in ["token_endpoint", "https://else.example"] {
        let lines = format!("{found}assertion.audience = \"{audience}\"");
        assert_eq!(said(&lines, &known)["aud"], "https://issuer.example", "{audience}");
    }
}

#[test]
fn a_key_that_does_not_fit_makes_no_assertion() {
    for (pem, alg, fault) in [
        ("canary", "", KeyFault::NoPem),
        (super::super::tests::KEY, "assertion.alg = \"RS256\"", KeyFault::NotFor(Alg::RS256)),
    ] {
        let given = typed_in(&[("pem", pem), ("who", "x")]);
        let oauth2 = provider(&format!("{FILE}{alg}"));
        assert_eq!(typed(&oauth2, &asked(&given, &[])).err(), Some(Unmade::Key(fault)));
    }
    let given = typed_in(&[]);
    assert_eq!(typed(&provider(FILE), &asked(&given, &[])).err(), Some(Unmade::Key(KeyFault::NoPem)));
}
