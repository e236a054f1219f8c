use http::StatusCode;
use http_body_util::BodyExt as _;

use super::*;
use crate::outbound::full;

fn relayed(headers: &[(&str, &str)]) -> Response<Body> {
    let mut from = Response::builder().status(418);
    for (name, value) in headers {
        from = from.header(*name, *value);
    }
    answer(from.body(full("body")).unwrap(), &Echoes::new(&["tok_canary_1"]), &RequestId::new())
}

#[tokio::test]
async fn status_headers_and_body_pass_untouched() {
    let id = RequestId::new();
    let asked = [
        ("content-type", "x/y; z"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("content-length", "4"),
        ("location", "http://x"),
    ];
    let mut from = Response::builder().status(StatusCode::from_u16(599).unwrap());
    for (name, value) in asked {
        from = from.header(name, value);
    }
    let answer = answer(from.body(full("body")).unwrap(), &Echoes::new(&["tok_canary_1"]), &id);
    assert_eq!(answer.status().as_u16(), 599);
    let got: Vec<_> =
        answer.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(got[..asked.len()], asked);
    assert_eq!(got[asked.len()..], [("claviger-request-id", id.as_str())]);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "body");
}

#[test]
fn what_must_not_reach_the_caller_stops_here() {
    for (name, value) in [
        ("set-cookie", "sid=1"),
        ("set-cookie2", "sid=1"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "trailers"),
        ("proxy-authenticate", "Basic"),
        ("proxy-connection", "close"),
        ("x-echo", "Bearer tok_canary_1"),
        ("location", "https://x.test/?t=tok_canary_1&u"),
        ("www-authenticate", "Bearer error=\"tok_canary_1 expired\""),
    ] {
        let answer = relayed(&[(name, value)]);
        assert_eq!(
            answer.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["claviger-request-id"],
            "{name}"
        );
    }
    let answer = relayed(&[("connection", "x-hop, X-Hop2"), ("x-hop", "1"), ("x-hop2", "1"), ("x-end", "1")]);
    assert_eq!(
        answer.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(),
        ["x-end", "claviger-request-id"]
    );
}

#[test]
fn the_request_id_is_ours_whatever_the_provider_says() {
    let answer = relayed(&[("claviger-request-id", "req_theirs"), ("claviger-request-id", "again")]);
    let ids: Vec<_> = answer.headers().get_all(REQUEST_ID).iter().collect();
    assert!(ids.len() == 1 && ids[0] != "req_theirs", "{ids:?}");
}

#[test]
fn a_reason_phrase_that_repeats_the_secret_is_dropped() {
    let reason = |text: &'static [u8]| {
        let mut from = Response::new(full("body"));
        from.extensions_mut().insert(ReasonPhrase::from_static(text));
        let answer = answer(from, &Echoes::new(&["tok_canary_1"]), &RequestId::new());
        answer.extensions().get::<ReasonPhrase>().map(|reason| reason.as_bytes().to_owned())
    };
    assert_eq!(reason(b"Not Today"), Some(b"Not Today".to_vec()));
    assert_eq!(reason(b"Bad token tok_canary_1"), None);
}
