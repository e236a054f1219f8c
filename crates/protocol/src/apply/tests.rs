use http::{HeaderValue, Request};

use super::*;
use crate::oauth2::testing::tokens;

fn applied(api: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Parts, ProtocolError> {
    carrying("A/T", api, uri, headers)
}

fn carrying(token: &str, api: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Parts, ProtocolError> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    let api: Api = toml::from_str(api).expect("an api");
    credential(&api, &tokens(token, None), &mut parts).map(|()| parts)
}

/// Quirks 49 and 50: the header in every dialect, and what else a call must carry.
#[test]
fn headers_in_every_dialect() {
    for (api, name, value) in [
        ("", "authorization", "Bearer A/T"),
        ("place.format = \"Token token={token}\"", "authorization", "Token token=A/T"),
        ("place.format = \"SSWS {token}\"", "authorization", "SSWS A/T"),
        ("place = { header = \"X-Api-Key\", format = \"{token}\" }", "x-api-key", "A/T"),
        ("place = { format = \"Basic {token}\", base64 = \"{token}:\" }", "authorization", "Basic QS9UOg=="),
        ("place = { header = \"Cookie\", format = \"B1SESSION={token}\" }", "cookie", "B1SESSION=A/T"),
        ("headers = { \"Notion-Version\" = \"2022-06-28\" }", "notion-version", "2022-06-28"),
        ("headers = { \"User-Agent\" = \"claviger\" }", "user-agent", "claviger"),
        ("headers = { \"X-Too\" = \"t {token}\" }", "x-too", "t A/T"),
    ] {
        let parts = applied(api, "https://a.example/x", &[(name, "the caller's")]).expect("applied");
        let found: Vec<_> = parts.headers.get_all(name).iter().collect();
        assert_eq!(found, [value], "{api}");
        assert!(found[0].is_sensitive(), "{api}");
        assert_eq!(parts.uri, "https://a.example/x");
    }
}

/// Quirk 49: in the query, where the rest stays byte for byte and the caller's own goes.
#[test]
fn a_query_parameter() {
    for (uri, expected) in [
        ("https://a.example/x", "https://a.example/x?api_key=A%2FT"),
        ("https://a.example/x?a=%20+b&&c", "https://a.example/x?a=%20+b&c&api_key=A%2FT"),
        ("https://a.example/x?api_key=mine&a=1&api%5Fkey=mine", "https://a.example/x?a=1&api_key=A%2FT"),
        ("https://a.example", "https://a.example/?api_key=A%2FT"),
    ] {
        let parts = applied("place.query = \"api_key\"", uri, &[]).expect("applied");
        assert_eq!(parts.uri.to_string(), expected);
        assert!(!parts.headers.contains_key("authorization"));
    }
}

#[test]
fn what_can_not_be_sent_is_refused() {
    for api in
        ["headers = { \"X\" = \"{client_id}\" }", "headers = { \"X\" = \"a\\nb\" }", "place.header = \"a b\""]
    {
        assert!(applied(api, "https://a.example/", &[]).is_err(), "{api}");
    }
}

/// Keys are as people type them: whatever is in them goes where the place says, as it is.
#[test]
fn a_typed_in_key_is_text() {
    for (key, api, name, value) in [
        ("{token}", "place = { header = \"x-api-key\", format = \"{token}\" }", "X-API-Key", "{token}"),
        ("{a}{access_token}", "place.format = \"Token {token}\"", "authorization", "Token {a}{access_token}"),
        // RFC 7617 §2.1: UTF-8 inside the Base64.
        (
            "test:123\u{a3}",
            "place = { format = \"Basic {token}\", base64 = \"{token}\" }",
            "authorization",
            "Basic dGVzdDoxMjPCow==",
        ),
        (
            "k{x}",
            "place = { format = \"Basic {token}\", base64 = \"{token}:X\" }",
            "authorization",
            "Basic a3t4fTpY",
        ),
    ] {
        let sent = [("x-api-key", "the caller's"), ("Authorization", "the caller's")];
        let parts = carrying(key, api, "https://a.example/x", &sent).expect("applied");
        assert_eq!(parts.headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{api}");
    }
    let uri = "https://a.example/x?key=mine&Key=other&a=%7Bkey%7D";
    for (key, sent) in
        [("a&b=c#d", "a%26b%3Dc%23d"), ("{token}+/ ", "%7Btoken%7D%2B%2F%20"), ("%2F", "%252F")]
    {
        let parts = carrying(key, "place.query = \"key\"", uri, &[]).expect("applied");
        let expected = format!("https://a.example/x?Key=other&a=%7Bkey%7D&key={sent}");
        assert_eq!(parts.uri.to_string(), expected);
    }
    assert!(carrying("a\nb", "place.format = \"Token {token}\"", "https://a.example/", &[]).is_err());
}

/// Several fields: each where the file says, the caller's own of those names replaced, and gone where a field that may be
/// empty is.
#[test]
fn fields_go_into_headers_and_query() {
    let api = "headers = { X-Key = \"{key}\", X-App = \"v1 {app}\", X-Both = \"{token}/{app}\" }\n\
               query = { k = \"{key}\", a = \"{app}\" }\nplace.format = \"\"";
    let carried = |typed: &[(&str, &str)]| {
        let typed = typed.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        let held = Tokens { typed, ..tokens("first", None) };
        let sent =
            Request::builder().uri("https://a.example/x?k=mine&b=%20&a=mine").header("x-app", "the caller's");
        let (mut parts, ()) = sent.body(()).expect("a request").into_parts();
        credential(&toml::from_str(api).expect("an api"), &held, &mut parts).expect("applied");
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        assert!(parts.headers.values().all(HeaderValue::is_sensitive));
        assert!(!headers.iter().any(|header| header.contains("first")), "shown in Debug");
        let value =
            |name: &str| parts.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        (parts.uri.to_string(), [value("x-key"), value("x-app"), value("x-both"), value("authorization")])
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        carried(&[("key", "k&{app}"), ("app", "a")]),
        (
            "https://a.example/x?b=%20&a=a&k=k%26%7Bapp%7D".to_owned(),
            [some("k&{app}"), some("v1 a"), some("first/a"), None]
        )
    );
    assert_eq!(
        carried(&[("key", "k")]),
        ("https://a.example/x?b=%20&k=k".to_owned(), [some("k"), None, None, None])
    );
}

/// A Basic header of two fields.
#[test]
fn fields_go_into_the_place() {
    let api = "place = { format = \"Basic {token}\", base64 = \"{user}:{key}\" }";
    let typed = [("user", "u"), ("key", "k")].map(|(name, value)| (name.to_owned(), Secret::new(value)));
    let held = Tokens { typed: typed.into(), ..tokens("first", None) };
    let (mut parts, ()) = Request::new(()).into_parts();
    credential(&toml::from_str(api).expect("an api"), &held, &mut parts).expect("applied");
    assert_eq!(parts.headers["authorization"], "Basic dTpr");
}

/// A client's secret is for the token endpoint; no call of the API carries it, whatever a template says.
#[test]
fn a_clients_secret_is_never_applied() {
    let typed = [("client_id", "id"), ("client_secret", "s")].map(|(n, v)| (n.to_owned(), Secret::new(v)));
    let held = Tokens { typed: typed.into(), ..tokens("t", None) };
    let (mut parts, ()) = Request::new(()).into_parts();
    let api: Api = toml::from_str("headers = { Client = \"{client_id}\" }").expect("an api");
    credential(&api, &held, &mut parts).expect("applied");
    assert_eq!(parts.headers["client"], "id");
    let api: Api = toml::from_str("headers = { Client = \"{client_secret}\" }").expect("an api");
    assert!(credential(&api, &held, &mut parts).is_err());
}
