use std::collections::BTreeMap;

use claviger_catalog::Place;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;
use crate::secret::Secret;

fn tokens() -> Tokens {
    Tokens::of(Secret::new("tok+canary/1"), "bearer")
}

fn prepared(api: &Api, headers: &[(&str, &str)], uri: &str, hint: SizeHint) -> Prepared {
    prepared_with(api, headers, uri, hint, &[], &tokens())
}

fn prepared_with(
    api: &Api,
    headers: &[(&str, &str)],
    uri: &str,
    hint: SizeHint,
    filled: &[Filled],
    tokens: &Tokens,
) -> Prepared {
    let mut request = Request::builder().method(Method::PATCH).uri("/caller");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (caller, ()) = request.body(()).unwrap().into_parts();
    let shown = Shown::of(api, tokens).unwrap();
    head(&caller, &uri.parse().unwrap(), api, filled, (tokens, &shown), hint).unwrap()
}

fn sent(api: &Api, headers: &[(&str, &str)]) -> HeaderMap {
    prepared(api, headers, "https://api.test/x", SizeHint::with_exact(0)).parts.headers
}

#[test]
fn what_is_meant_for_us_or_for_one_hop_does_not_pass() {
    for name in [
        "authorization",
        "cookie",
        "bu-connection-id",
        "bu-max-retries",
        "bu-anything",
        "proxy-authorization",
        "proxy-connection",
        "proxy-x",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-x",
        "host",
        "connection",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
        "expect",
        "http2-settings",
    ] {
        let headers = sent(&Api::default(), &[(name, "theirs")]);
        let left = headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(left, (name == "authorization").then_some("Bearer tok+canary/1"), "{name}");
    }
}

#[test]
fn all_else_passes_in_order_and_untouched() {
    let asked = [
        ("accept", "a"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("x-odd", "\u{e9}\t~"),
        ("user-agent", "theirs"),
        ("trailer", "x-sum"),
        ("x-forwarded", "not the prefix"),
        ("buu", "1"),
        ("via", "1.1 edge"),
    ];
    let mut headers = sent(&Api::default(), &asked);
    headers.remove("authorization");
    let got: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let want: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    assert_eq!(got, want);
}

#[test]
fn headers_named_in_connection_stop_here() {
    let asked = [
        ("connection", "close, X-Private ,te"),
        ("connection", "x-other"),
        ("x-private", "1"),
        ("x-other", "2"),
    ];
    let headers = sent(&Api::default(), &asked);
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["authorization"]);
    let headers =
        sent(&Api::default(), &[("connection", "authorization, content-length"), ("content-length", "0")]);
    assert!(headers.contains_key("authorization") && headers.contains_key("content-length"));
}

#[test]
fn trailers_are_asked_for_anew() {
    for (te, want) in [("trailers", true), ("gzip, Trailers", true), ("gzip", false), ("x-trailers", false)] {
        let headers = sent(&Api::default(), &[("te", te), ("connection", "te")]);
        assert_eq!(headers.get("te").is_some_and(|value| value == "trailers"), want, "{te}");
    }
}

#[test]
fn a_body_has_one_length() {
    let length = |headers: &[(&str, &str)], hint: SizeHint| {
        let parts = prepared(&Api::default(), headers, "https://api.test/x", hint).parts;
        parts.headers.get("content-length").map(|value| value.to_str().unwrap().to_owned())
    };
    let exact = SizeHint::with_exact;
    assert_eq!(length(&[("content-length", "5")], exact(5)).as_deref(), Some("5"));
    assert_eq!(length(&[("content-length", "0")], exact(0)).as_deref(), Some("0"));
    assert_eq!(length(&[("content-length", "5")], exact(6)), None);
    assert_eq!(length(&[("content-length", "5")], SizeHint::default()), None);
    assert_eq!(length(&[("content-length", "5"), ("transfer-encoding", "chunked")], exact(5)), None);
    assert_eq!(length(&[("content-length", "5, 5")], exact(5)), None);
}

#[test]
fn the_credential_goes_where_the_provider_wants_it_and_replaces_the_callers() {
    let mut api = Api {
        place: Place { header: "X-Api-Key".into(), format: "{token}".into(), ..Place::default() },
        ..Api::default()
    };
    let headers = sent(&api, &[("x-api-key", "theirs"), ("authorization", "Basic theirs")]);
    assert_eq!(headers.get_all("x-api-key").iter().collect::<Vec<_>>(), ["tok+canary/1"]);
    assert!(!headers.contains_key("authorization"));

    api.place = Place { query: Some("key".into()), ..Place::default() };
    let prepared = prepared(&api, &[], "https://api.test/a%2Fb?x=%20", SizeHint::with_exact(0));
    assert_eq!(prepared.parts.uri.path(), "/a%2Fb");
    assert_eq!(prepared.parts.uri.host(), Some("api.test"));
    assert!(prepared.parts.uri.query().unwrap().starts_with("x=%20&key="), "{}", prepared.parts.uri);
    assert!(!prepared.parts.headers.contains_key("authorization"));
}

#[test]
fn an_integration_adds_headers_but_no_framing_host_or_credential() {
    let mut api = Api { headers: BTreeMap::from([("X-Version".into(), "1".into())]), ..Api::default() };
    let added = [
        ("x-version", "2"),
        ("X-Team", "blue"),
        ("Host", "evil.test"),
        ("Authorization", "Bearer other"),
        ("Content-Length", "9"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Cookie", "a=b"),
        ("bad name", "x"),
        ("X-Bad", "a\r\nb: c"),
        ("Trailer", "x"),
        ("Forwarded", "for=1"),
        ("X-Forwarded-For", "1"),
        ("BU-Connection-Id", "x"),
        ("X-Unfilled", "{tenant}"),
        ("X-Later", "${user.email}"),
    ];
    add_headers(&mut api, &added.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
    assert_eq!(
        api.headers,
        BTreeMap::from([("X-Team".into(), "blue".into()), ("x-version".into(), "2".into())])
    );
    let headers = sent(&api, &[("x-team", "theirs")]);
    assert_eq!(
        (&headers["x-team"], &headers["authorization"]),
        (&"blue".parse().unwrap(), &"Bearer tok+canary/1".parse().unwrap())
    );
}

#[test]
fn the_secret_is_known_again_in_each_spelling() {
    let basic = Place { base64: Some("{token}:".into()), format: "Basic {token}".into(), ..Place::default() };
    let api = Api {
        place: basic,
        headers: BTreeMap::from([("X-Version".into(), "2022-11-28".into())]),
        ..Api::default()
    };
    let echoes = prepared(&api, &[], "https://api.test/", SizeHint::with_exact(0)).echoes;
    for (value, found) in [
        ("tok+canary/1", true),
        ("prefix tok+canary/1 suffix", true),
        ("https://x.test/?access_token=tok%2Bcanary%2F1", true),
        ("dG9rK2NhbmFyeS8xOg==", true),
        ("tok+canary/", false),
        ("2022-11-28", false),
        ("Basic", false),
        ("", false),
    ] {
        assert_eq!(echoes.found_in(&HeaderValue::from_static(value)), found, "{value}");
    }
}

fn filled(name: &'static str, value: Option<&'static str>) -> Filled {
    Filled { name: HeaderName::from_static(name), value: value.map(HeaderValue::from_static) }
}

#[test]
fn a_filled_header_is_text_and_never_the_callers_to_say() {
    let place = Place { header: "X-Api-Key".into(), format: "{token}".into(), ..Place::default() };
    let api = Api { place, headers: BTreeMap::from([("X-File".into(), "file".into())]), ..Api::default() };
    let filled = [
        filled("x-name", Some("{token} ${tenant.id}")),
        filled("x-nobody", None),
        filled("x-file", None),
        filled("x-api-key", Some("alice")),
    ];
    let asked = [("x-name", "theirs"), ("x-name", "twice"), ("x-nobody", "theirs"), ("x-api-key", "theirs")];
    let none = SizeHint::with_exact(0);
    let headers = prepared_with(&api, &asked, "https://api.test/", none, &filled, &tokens()).parts.headers;
    assert_eq!(headers.get_all("x-name").iter().collect::<Vec<_>>(), ["{token} ${tenant.id}"]);
    assert!(!headers.contains_key("x-nobody"));
    assert_eq!(headers.get_all("x-file").iter().collect::<Vec<_>>(), ["file"]);
    assert_eq!(
        headers.get_all("x-api-key").iter().collect::<Vec<_>>(),
        ["tok+canary/1"],
        "the credential wins"
    );
}

#[test]
fn a_password_is_known_again_by_itself_and_in_base64() {
    let basic = Place { base64: Some("{token}".into()), format: "Basic {token}".into(), ..Place::default() };
    let api = Api { place: basic, ..Api::default() };
    let tokens = Tokens {
        access_token: Secret::new("alice:pass-w\u{f6}rd+1"),
        token_type: "Basic".into(),
        ..tokens()
    };
    let none = SizeHint::with_exact(0);
    let prepared = prepared_with(&api, &[], "https://api.test/", none, &[], &tokens);
    let sent = "YWxpY2U6cGFzcy13w7ZyZCsx";
    assert_eq!(prepared.parts.headers["authorization"], format!("Basic {sent}"));
    for (value, found) in [
        (sent, true),
        ("alice:pass-w\u{f6}rd+1", true),
        ("your password is pass-w\u{f6}rd+1!", true),
        ("?p=pass-w%C3%B6rd%2B1", true),
        ("?p=pass%2Dw%C3%B6rd%2B1", true),
        ("alice", false),
        ("pass-w\u{f6}rd", false),
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        assert_eq!(prepared.echoes.found_in(&value), found, "{value:?}");
    }
}

#[test]
fn a_key_in_the_query_is_known_again_as_the_query_carries_it() {
    let api = Api { place: Place { query: Some("key".into()), ..Place::default() }, ..Api::default() };
    let tokens = Tokens { access_token: Secret::new("a-b+c/d.e"), ..tokens() };
    let none = SizeHint::with_exact(0);
    let prepared = prepared_with(&api, &[], "https://api.test/x?key=theirs", none, &[], &tokens);
    assert_eq!(prepared.parts.uri, "https://api.test/x?key=a-b%2Bc%2Fd.e");
    for (value, found) in [
        ("https://api.test/x?key=a-b%2Bc%2Fd.e&page=2", true),
        ("a%2Db%2Bc%2Fd%2Ee", true),
        ("a-b+c/d.e", true),
        ("a-b", false),
    ] {
        assert_eq!(prepared.echoes.found_in(&HeaderValue::from_static(value)), found, "{value}");
    }
}
