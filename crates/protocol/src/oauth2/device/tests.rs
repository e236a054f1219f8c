use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::oauth2::{
    ClientAuth,
    read::tokens,
    testing::{client, map, provider, shown},
};

const URL: &str = "https://op.example/device";
const TOKEN: &str = "https://op.example/token";

fn scopes(all: &[&str]) -> Vec<String> {
    all.iter().map(|scope| (*scope).to_owned()).collect()
}

fn answer(change: &Value) -> Value {
    let mut all = json!({
        "device_code": "dc-1",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://op.example/enter",
        "verification_uri_complete": "https://op.example/enter?user_code=WDJB-MJHT",
        "expires_in": 900,
        "interval": 7,
    });
    let map = all.as_object_mut().expect("an object");
    for (name, value) in change.as_object().expect("an object") {
        map.insert(name.clone(), value.clone());
    }
    all
}

fn take(from: &str, change: &Value) -> Result<Device, TokenError> {
    let body = answer(change).to_string();
    read(&provider(""), from, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), 0)
}

/// RFC 8628 §3.1: the client's id is named however it authenticates.
#[test]
fn the_device_authorization_request() {
    let secret = Secret::new("s3");
    let made = |lines: &str, auth, extra: &[(&str, &str)]| {
        let asked = scopes(&["read", "write"]);
        let made = request(&provider(lines), URL, &client(&secret, auth), &asked, &map(extra));
        shown(&made.expect("a request"))
    };
    let plain = made("", ClientAuth::Body, &[]);
    assert_eq!(plain, format!("POST {URL}\n\nclient_id=cid&scope=read%20write&client_secret=s3"));
    let open = made("", ClientAuth::None, &[]);
    assert_eq!(open, format!("POST {URL}\n\nclient_id=cid&scope=read%20write"));
    let basic = made("", ClientAuth::Basic, &[]);
    assert!(
        basic.contains("authorization: Basic Y2lkOnMz")
            && basic.ends_with("client_id=cid&scope=read%20write")
    );
    let more =
        "[authorize.params]\naudience = \"https://api.example\"\n[token.param_names]\nclient_id = \"key\"";
    let more = made(more, ClientAuth::None, &[("tenant", "t")]);
    assert!(
        more.ends_with("\n\nkey=cid&scope=read%20write&audience=https%3A%2F%2Fapi.example&tenant=t"),
        "{more}"
    );
    let forbidden =
        request(&provider(""), URL, &client(&secret, ClientAuth::Body), &[], &map(&[("scope", "all")]));
    assert!(forbidden.is_err());
}

/// RFC 8628 §3.4.
#[test]
fn the_poll() {
    let (secret, code) = (Secret::new("s3"), Secret::new("dc-1"));
    let lines = "[token.params]\nkind = \"tv\"";
    let made = poll(&provider(lines), TOKEN, &client(&secret, ClientAuth::None), &code).expect("a request");
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    let want = format!("POST {TOKEN}\n\ngrant_type={grant}&device_code=dc-1&client_id=cid&kind=tv");
    assert_eq!(shown(&made), want);
}

#[test]
fn the_answer_is_read() {
    let got = take(URL, &json!({})).expect("codes");
    assert_eq!((got.device_code.expose(), got.user_code.as_str()), ("dc-1", "WDJB-MJHT"));
    assert_eq!(got.verification_uri, "https://op.example/enter");
    let whole = got.verification_uri_complete.as_deref();
    assert_eq!(whole, Some("https://op.example/enter?user_code=WDJB-MJHT"));
    assert_eq!((got.expires_in, got.interval), (900, 7));
    // As a draft had it, and as numbers are written by some.
    let old = json!({ "verification_uri": null, "verification_url": "https://op.example/old", "expires_in": "1800" });
    let old = take(URL, &old).expect("codes");
    assert_eq!((old.verification_uri.as_str(), old.expires_in), ("https://op.example/old", 1800));
}

#[test]
fn times_are_bounded() {
    for (given, interval, life) in [
        (json!({ "interval": null }), 5, 900),
        (json!({ "interval": 0 }), 5, 900),
        (json!({ "interval": -1 }), 5, 900),
        (json!({ "interval": "x" }), 5, 900),
        (json!({ "interval": 1 }), 1, 900),
        (json!({ "interval": 86_400 }), 60, 900),
        (json!({ "expires_in": 1_000_000 }), 7, 1800),
        (json!({ "expires_in": 60.5 }), 7, 60),
    ] {
        let got = take(URL, &given).unwrap_or_else(|e| panic!("{given}: {e}"));
        assert_eq!((got.interval, got.expires_in), (interval, life), "{given}");
    }
}

#[test]
fn what_nobody_could_enter_is_refused() {
    for bad in [
        json!({ "device_code": null }),
        json!({ "device_code": "" }),
        json!({ "device_code": "a\nb" }),
        json!({ "device_code": ["x"] }),
        json!({ "user_code": null }),
        json!({ "user_code": " \u{202e} " }),
        json!({ "user_code": "x".repeat(65) }),
        json!({ "verification_uri": null }),
        json!({ "verification_uri": "http://op.example/enter" }),
        json!({ "verification_uri": "javascript:alert(1)" }),
        json!({ "verification_uri": "https://u:p@op.example/" }),
        json!({ "verification_uri": "https://op.example\\@evil.example/" }),
        json!({ "verification_uri": "https://op.example/{code}" }),
        json!({ "verification_uri": "https://op.example/?a=\"><script>" }),
        json!({ "verification_uri": format!("https://op.example/{}", "x".repeat(2048)) }),
        // A server elsewhere names no page on this machine.
        json!({ "verification_uri": "http://127.0.0.1:1/enter" }),
        json!({ "expires_in": null }),
        json!({ "expires_in": 0 }),
        json!({ "expires_in": -5 }),
    ] {
        let error = take(URL, &bad).err().unwrap_or_else(|| panic!("{bad}"));
        assert_eq!(error.kind, TokenErrorKind::Unreadable, "{bad}");
    }
    let here = "http://127.0.0.1:9/device";
    let local = json!({ "verification_uri": "http://127.0.0.1:9/enter" });
    assert!(take(here, &local).is_ok());
    assert!(take(here, &json!({ "verification_uri": "http://op.example/" })).is_err());
    // A link that can't be opened is only left out: the code can be typed in.
    let whole = json!({ "verification_uri_complete": "http://op.example/?c" });
    assert_eq!(take(URL, &whole).expect("codes").verification_uri_complete, None);
    // What can't be seen is no part of a code.
    let marked = take(URL, &json!({ "user_code": "AB\u{202e}CD\n" })).expect("codes");
    assert_eq!(marked.user_code, "ABCD");
}

/// RFC 8628 §3.5, with the statuses that providers give.
#[test]
fn what_the_token_endpoint_says() {
    for (status, body, want) in [
        (400, r#"{"error":"authorization_pending"}"#, Said::Pending),
        (428, r#"{"error":"authorization_pending"}"#, Said::Pending),
        (200, r#"{"error":"authorization_pending"}"#, Said::Pending),
        (400, r#"{"error":"slow_down"}"#, Said::SlowDown),
        (429, r#"{"error":"slow_down"}"#, Said::SlowDown),
        (403, r#"{"error":"access_denied","error_description":"no"}"#, Said::Denied),
        (400, r#"{"error":"authorization_declined"}"#, Said::Denied),
        (400, r#"{"error":"expired_token"}"#, Said::Expired),
        (400, r#"{"error":"invalid_grant"}"#, Said::Refused),
        (401, r#"{"error":"invalid_client"}"#, Said::Refused),
        (503, "", Said::Busy),
        (429, "", Said::Busy),
        (400, "<html>", Said::Busy),
        (500, r#"{"error":"server_error"}"#, Said::Busy),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        let error = tokens(&provider(""), status, &HeaderMap::new(), body.as_bytes(), 0).err();
        assert_eq!(said(&error.expect("an error")), want, "{status} {body}");
    }
}

#[test]
fn a_refusal_is_one() {
    let body = br#"{"error":"unauthorized_client","error_description":"not for devices"}"#;
    let error = read(&provider(""), URL, StatusCode::BAD_REQUEST, &HeaderMap::new(), body, 0).err();
    let error = error.expect("an error");
    assert_eq!((error.kind, error.code.as_deref()), (TokenErrorKind::Oauth, Some("unauthorized_client")));
}
