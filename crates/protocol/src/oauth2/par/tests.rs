use http::StatusCode;

use super::*;
use crate::oauth2::{
    ClientAuth,
    testing::{client, map, provider, shown},
};

const URL: &str = "https://op.example/par";
const AT: &str = "https://op.example/authorize";

fn pushed(lines: &str, auth: ClientAuth, extra: &[(&str, &str)]) -> Result<String, ProtocolError> {
    let (secret, state) = (Secret::new("s3"), Secret::new("st"));
    let scopes = ["a".to_owned(), "b".to_owned()];
    let req = authorize::Request {
        authorize_url: AT,
        client_id: "cid",
        redirect_uri: "https://app.example/cb",
        state: &state,
        scopes: &scopes,
        challenge: Some("CH"),
        extra: &map(extra),
        grown: false,
    };
    request(&provider(lines), URL, &client(&secret, auth), &req).map(|made| shown(&made))
}

const SENT: &str = "response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=a%20b&state=st";

/// RFC 9126 §2.1: all that the URL would carry, with the client's authentication.
#[test]
fn everything_is_pushed() {
    let body = pushed("", ClientAuth::Body, &[("prompt", "login")]).expect("a request");
    assert_eq!(body, format!("POST {URL}\n\nclient_id=cid&client_secret=s3&{SENT}&prompt=login"));
    let basic = pushed("", ClientAuth::Basic, &[]).expect("a request");
    assert!(basic.contains("authorization: Basic Y2lkOnMz"), "{basic}");
    assert!(basic.contains("response_type=code&client_id=cid&redirect_uri="), "{basic}");
    let open = pushed("pkce = \"S256\"", ClientAuth::None, &[]).expect("a request");
    assert!(open.ends_with(&format!("client_id=cid&{SENT}&code_challenge=CH&code_challenge_method=S256")));
}

/// What the file says of the authorization request is true of the pushed one.
#[test]
fn quirks_apply_to_what_is_pushed() {
    let lines = "[authorize]\nomit = [\"response_type\"]\n[authorize.param_names]\nstate = \"custom\"";
    let body = pushed(lines, ClientAuth::Body, &[]).expect("a request");
    assert!(body.contains("&custom=st") && !body.contains("response_type") && !body.contains("&state="));
    for name in ["state", "client_id", "client_secret"] {
        let refused = pushed("", ClientAuth::Body, &[(name, "x")]);
        assert!(matches!(refused, Err(ProtocolError::Forbidden(_))), "{name}");
    }
}

#[test]
fn the_answer_is_read() {
    let read = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        read(&provider(""), status, &HeaderMap::new(), body.as_bytes(), 0)
    };
    let got = read(201, r#"{"request_uri":"urn:x:1","expires_in":60}"#).expect("a reference");
    assert_eq!(got, Pushed { request_uri: "urn:x:1".into(), expires_in: 60 });
    assert!(read(200, r#"{"request_uri":"urn:x:1","expires_in":1}"#).is_ok());
    for bad in [
        r#"{"expires_in":60}"#,
        r#"{"request_uri":"","expires_in":60}"#,
        r#"{"request_uri":"urn x","expires_in":60}"#,
        r#"{"request_uri":"urn:x:1"}"#,
        r#"{"request_uri":"urn:x:1","expires_in":0}"#,
        r#"{"request_uri":"urn:x:1","expires_in":-1}"#,
        r#"{"request_uri":"urn:x:1","expires_in":"soon"}"#,
        "no",
    ] {
        assert_eq!(read(201, bad).expect_err(bad).kind, TokenErrorKind::Unreadable, "{bad}");
    }
    let long = format!(r#"{{"request_uri":"{}","expires_in":60}}"#, "u".repeat(LONGEST + 1));
    assert!(read(201, &long).is_err());
    let refused = read(400, r#"{"error":"invalid_request"}"#).expect_err("a refusal");
    assert_eq!(refused.kind, TokenErrorKind::Oauth);
}

/// RFC 9126 §4: the browser carries a reference, and nothing of what was pushed.
#[test]
fn the_browser_carries_a_reference() {
    let one = Pushed { request_uri: "urn:x:1&a".into(), expires_in: 60 };
    let to = |lines: &str, at: &str| url(&provider(lines), at, "cid", &one);
    let want = "client_id=cid&request_uri=urn%3Ax%3A1%26a";
    assert_eq!(to("", AT), Ok(format!("{AT}?{want}")));
    assert_eq!(to("", "https://op.example/a?t=1"), Ok(format!("https://op.example/a?t=1&{want}")));
    let named = "[authorize.param_names]\nclient_id = \"key\"\n[authorize.params]\nprompt = \"login\"";
    assert_eq!(to(named, AT), Ok(format!("{AT}?key=cid&request_uri=urn%3Ax%3A1%26a")));
    assert!(to("", "https://op.example/{a}").is_err() && to("", "op.example").is_err());
}
