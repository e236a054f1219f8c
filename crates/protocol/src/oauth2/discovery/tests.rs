use serde_json::json;

use super::*;

const ISSUER: &str = "https://op.example";

fn body(change: &serde_json::Value) -> Vec<u8> {
    let mut all = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://op.example/authorize",
        "token_endpoint": "https://token.example/token",
        "revocation_endpoint": "https://op.example/revoke",
        "userinfo_endpoint": "https://op.example/me",
        "authorization_response_iss_parameter_supported": true,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "scopes_supported": ["openid"],
    });
    let map = all.as_object_mut().expect("an object");
    for (name, value) in change.as_object().expect("an object") {
        map.insert(name.clone(), value.clone());
    }
    all.to_string().into_bytes()
}

/// RFC 8414 §3.1 and OpenID Connect Discovery §4: the path goes behind the one, before the other.
#[test]
fn where_to_ask() {
    for (issuer, first, second) in [
        (
            ISSUER,
            "https://op.example/.well-known/oauth-authorization-server",
            "https://op.example/.well-known/openid-configuration",
        ),
        (
            "https://op.example:8443/t/1/",
            "https://op.example:8443/.well-known/oauth-authorization-server/t/1",
            "https://op.example:8443/t/1/.well-known/openid-configuration",
        ),
        (
            "http://127.0.0.1:8082",
            "http://127.0.0.1:8082/.well-known/oauth-authorization-server",
            "http://127.0.0.1:8082/.well-known/openid-configuration",
        ),
    ] {
        assert_eq!(urls(issuer).as_deref(), Ok(&[first.to_owned(), second.to_owned()][..]));
    }
    for issuer in [
        "",
        "op.example",
        "http://op.example",
        "https://u@op.example",
        "https://op.example?x",
        "https://op.example#x",
        "ftp://op.example",
        "https://op.example\\@evil",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil",
    ] {
        assert_eq!(urls(issuer), Err(DiscoveryError::Issuer), "{issuer}");
    }
}

#[test]
fn metadata_is_read_and_kept() {
    let metadata = read(ISSUER, &body(&json!({}))).expect("metadata");
    assert_eq!(metadata.token_endpoint, "https://token.example/token");
    assert!(metadata.iss_parameter_supported);
    assert_eq!(metadata.code_challenge_methods.as_deref(), Some(&["S256".to_owned()][..]));
    let kept = serde_json::to_vec(&metadata).expect("json");
    assert_eq!(read(ISSUER, &kept), Ok(metadata));
    let bare = json!({"issuer": ISSUER, "authorization_endpoint": "https://a.example/", "token_endpoint": "https://a.example/t"});
    let metadata = read(ISSUER, bare.to_string().as_bytes()).expect("metadata");
    assert!(!metadata.iss_parameter_supported && metadata.revocation_endpoint.is_none());
    assert!(!metadata.require_pushed_authorization_requests);
    // RFC 8414 §2: required unless no grant type uses it.
    let device = json!({"issuer": ISSUER, "token_endpoint": "https://a.example/t"}).to_string();
    assert_eq!(read(ISSUER, device.as_bytes()).expect("metadata").authorization_endpoint, None);
    let without = json!({"issuer": ISSUER, "authorization_endpoint": "https://a.example/"}).to_string();
    assert_eq!(read(ISSUER, without.as_bytes()), Err(DiscoveryError::Unreadable));
    let more = json!({
        "device_authorization_endpoint": "https://op.example/device",
        "introspection_endpoint": "https://op.example/introspect",
        "pushed_authorization_request_endpoint": "https://op.example/par",
        "require_pushed_authorization_requests": true,
    });
    let more = read(ISSUER, &body(&more)).expect("metadata");
    assert_eq!(more.introspection_endpoint.as_deref(), Some("https://op.example/introspect"));
    assert_eq!(more.device_authorization_endpoint.as_deref(), Some("https://op.example/device"));
    assert_eq!(more.pushed_authorization_request_endpoint.as_deref(), Some("https://op.example/par"));
    assert!(more.require_pushed_authorization_requests);
}

/// RFC 8414 §3.3: a hostile issuer can't speak for another.
#[test]
fn another_issuers_metadata_is_refused() {
    for issuer in ["https://op.example/", "https://OP.example", "https://evil.example", ""] {
        assert_eq!(
            read(ISSUER, &body(&json!({"issuer": issuer}))),
            Err(DiscoveryError::WrongIssuer),
            "{issuer}"
        );
    }
}

#[test]
fn endpoints_are_https_or_on_this_machine_with_their_issuer() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for url in [
            "http://op.example/x",
            "http://127.0.0.1/x",
            "https://u:p@op.example/",
            "javascript:x",
            "/x",
            "",
            "https://op.example/#x",
        ] {
            assert!(
                matches!(read(ISSUER, &body(&json!({name: url}))), Err(DiscoveryError::Endpoint(found)) if found == name),
                "{name} {url}"
            );
        }
    }
    let here = "http://127.0.0.1:8082";
    let local = |url: &str| {
        json!({"issuer": here, "authorization_endpoint": url, "token_endpoint": format!("{here}/token")})
            .to_string()
    };
    assert!(read(here, local("http://[::1]:9/authorize").as_bytes()).is_ok());
    assert!(read(here, local("http://op.example/authorize").as_bytes()).is_err());
}

#[test]
fn nonsense_is_unreadable() {
    for text in ["", "{}", "[]", "<html>", "null", r#"{"issuer":7}"#] {
        assert_eq!(read(ISSUER, text.as_bytes()), Err(DiscoveryError::Unreadable), "{text}");
    }
    let long = body(&json!({"x": "y".repeat(MAX_BODY)}));
    assert_eq!(read(ISSUER, &long), Err(DiscoveryError::Unreadable));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(issuer in ".{0,60}", body: Vec<u8>) {
        let _ = urls(&issuer);
        let _ = read(&issuer, &body);
    }
}
