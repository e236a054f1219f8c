use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_catalog::Catalog;

use super::*;
use crate::oauth2::testing::{headers, map, provider, tokens as some_tokens};

const NOW: i64 = 1_700_000_000_000;

fn got(lines: &str, status: u16, body: &str) -> Result<Tokens, TokenError> {
    let status = StatusCode::from_u16(status).expect("a status");
    tokens(&provider(lines), status, &HeaderMap::new(), body.as_bytes(), NOW)
}

fn fine(lines: &str, body: &str) -> Tokens {
    got(lines, 200, body).unwrap_or_else(|error| panic!("{lines}: {error}"))
}

fn refused(lines: &str, status: u16, body: &str) -> TokenError {
    got(lines, status, body).err().unwrap_or_else(|| panic!("{body} was taken"))
}

fn jwt(exp: i64) -> String {
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")))
}

/// RFC 6749 §5.1, its example.
#[test]
fn the_plain_answer() {
    let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600,
        "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"example_value","scope":"a b"}"#;
    let tokens = fine("", body);
    assert_eq!(tokens.access_token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(tokens.refresh_token.as_ref().map(Secret::expose), Some("tGzv3JOkF0XG5Qx2TlKWIA"));
    assert_eq!((tokens.token_type.as_str(), tokens.expires_at), ("example", Some(NOW + 3_600_000)));
    assert_eq!(tokens.scopes, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((tokens.refresh_expires_at, tokens.saved.len()), (None, 0));
}

/// Quirks 26, 28, 29: where the tokens are in an answer, and what the answer is.
#[test]
fn tokens_are_found_where_the_file_says() {
    for (quirk, lines, body, access, refresh) in [
        (
            26,
            "answer.access_token = \"authed_user.access_token\"",
            r#"{"ok":true,"authed_user":{"access_token":"AT"}}"#,
            "AT",
            None,
        ),
        (
            26,
            "answer.access_token = \"data.accessToken\"\nanswer.refresh_token = \"data.refreshToken\"",
            r#"{"data":{"accessToken":"AT","refreshToken":"RT"}}"#,
            "AT",
            Some("RT"),
        ),
        (26, "answer.access_token = \"tokens.0.token\"", r#"{"tokens":[{"token":"AT"}]}"#, "AT", None),
        (28, "", "access_token=A%2BT&refresh_token=RT&token_type=bearer", "A+T", Some("RT")),
        (28, "answer.format = \"form\"", "access_token=AT", "AT", None),
        (29, "answer.format = \"text\"", "AT.x.y\n", "AT.x.y", None),
        (29, "answer.format = \"text\"", "\"AT\"", "AT", None),
        (0, "", "\u{feff} {\"access_token\":\" AT \",\"refresh_token\":\"\"}", "AT", None),
        (0, "", r#"{"access_token":"AT","refresh_token":null,"error":null}"#, "AT", None),
    ] {
        let tokens = fine(lines, body);
        assert_eq!(tokens.access_token.expose(), access, "quirk {quirk}");
        assert_eq!(tokens.refresh_token.as_ref().map(Secret::expose), refresh, "quirk {quirk}");
    }
    assert!(got("", 201, r#"{"access_token":"AT"}"#).is_ok(), "quirk 27: 201 is a success");
    let long = "j".repeat(16 * 1024);
    assert_eq!(fine("", &format!(r#"{{"access_token":"{long}"}}"#)).access_token.expose(), long, "quirk 32");
}

/// Quirks 33 to 36: the access token's expiry in every dialect.
#[test]
fn expiry_in_every_dialect() {
    let at = |seconds: i64| Some(NOW + seconds * 1000);
    let own = |unit: &str| format!("[answer.expires]\npath = \"exp.at\"\nunit = \"{unit}\"");
    let with_jwt = format!(r#"{{"access_token":"{}"}}"#, jwt(1_700_000_600));
    let told = |value: &str| format!(r#"{{"access_token":"AT","exp":{{"at":{value}}}}}"#);
    for (lines, body, expected) in [
        (String::new(), r#"{"access_token":"AT","expires_in":"60"}"#.to_owned(), at(60)),
        (String::new(), r#"{"access_token":"AT","expires_in":60.5}"#.to_owned(), at(60)),
        (String::new(), r#"{"access_token":"AT"}"#.to_owned(), None),
        (String::new(), r#"{"access_token":"AT","expires_in":0}"#.to_owned(), None),
        (String::new(), r#"{"access_token":"AT","expires_in":null}"#.to_owned(), None),
        (String::new(), r#"{"access_token":"AT","expires_in":"soon"}"#.to_owned(), None),
        (String::new(), "access_token=AT&expires_in=60".to_owned(), at(60)),
        (String::new(), with_jwt.clone(), at(600)),
        ("lifetime = 3600".to_owned(), with_jwt.clone(), at(600)),
        ("lifetime = 3600".to_owned(), r#"{"access_token":"AT"}"#.to_owned(), at(3600)),
        ("lifetime = 3600".to_owned(), r#"{"access_token":"AT","expires_in":60}"#.to_owned(), at(60)),
        ("lifetime = \"never\"".to_owned(), with_jwt, None),
        ("lifetime = \"never\"".to_owned(), r#"{"access_token":"AT","expires_in":60}"#.to_owned(), at(60)),
        (own("seconds"), told("90"), at(90)),
        (own("milliseconds"), told("90000"), at(90)),
        (own("epoch"), told("1700000090"), at(90)),
        (own("epoch_ms"), told("\"1700000090000\""), at(90)),
        (own("iso8601"), told("\"2023-11-14T22:14:50Z\""), at(90)),
        (own("iso8601"), told("\"2023-11-15T00:14:50.000+02:00\""), at(90)),
        (own("iso8601"), told("\"2023-11-14T22:14:50\""), at(90)),
        (own("clock"), told("\"1:02:03\""), at(86_400 + 2 * 3600 + 180)),
        (own("words"), told("\"1h\""), at(3600)),
        (own("auto"), told("3600"), at(3600)),
        (own("auto"), told("1700000090"), at(90)),
        (own("auto"), told("1700000090000"), at(90)),
        (own("auto"), told("\"2023-11-14T22:14:50Z\""), at(90)),
        (own("auto"), told("\"90m\""), at(5400)),
        (own("auto"), told("\"0:01:00\""), at(3600)),
        (own("auto"), told("{}"), None),
    ] {
        assert_eq!(fine(&lines, &body).expires_at, expected, "{lines} {body}");
    }
}

/// Quirks 47 and 48: when a refresh token ends.
#[test]
fn the_refresh_tokens_own_expiry() {
    let with =
        |token: &str, rest: &str| format!(r#"{{"access_token":"AT","refresh_token":"{token}"{rest}}}"#);
    for (lines, body, expected) in [
        ("", with("RT", r#","refresh_expires_in":60"#), Some(NOW + 60_000)),
        ("", with("RT", r#","refresh_token_expires_in":"60""#), Some(NOW + 60_000)),
        ("", with(&jwt(1_700_000_030), ""), Some(NOW + 30_000)),
        ("refresh.idle_lifetime = 604800", with("RT", ""), Some(NOW + 604_800_000)),
        ("refresh.idle_lifetime = 604800", r#"{"access_token":"AT"}"#.to_owned(), None),
        ("", with("RT", ""), None),
    ] {
        assert_eq!(fine(lines, &body).refresh_expires_at, expected, "{lines} {body}");
    }
}

/// Quirk 1, the other way round: granted scopes.
#[test]
fn granted_scopes() {
    for (lines, scope, expected) in [
        ("", "\"a b  c\"", &["a", "b", "c"][..]),
        ("", "\"a,b\"", &["a", "b"]),
        ("scopes.separator = \",\"", "\"a x,b\"", &["a x", "b"]),
        ("scopes.separator = \",\"", "\"a b\"", &["a", "b"]),
        ("answer.scope_separator = \"+\"", "\"a+b\"", &["a", "b"]),
        ("", "[\"a\", \"b c\"]", &["a", "b c"]),
        ("", "\"\"", &[]),
    ] {
        let tokens = fine(lines, &format!(r#"{{"access_token":"AT","scope":{scope}}}"#));
        assert_eq!(
            tokens.scopes.as_deref(),
            Some(&expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
            "{scope}"
        );
    }
    assert_eq!(fine("", r#"{"access_token":"AT","scope":{}}"#).scopes, None);
    assert_eq!(fine("", r#"{"access_token":"AT"}"#).scopes, None);
}

/// Quirk 31: values that decide where calls go are taken only as their pattern admits them.
#[test]
fn saved_values() {
    let lines = "[answer.save.instance]\npath = \"instance_url\"\npattern = \"^https://[a-z0-9-]+\\\\.acme\\\\.example$\"\n\
                 [answer.save.team]\npath = \"team.id\"";
    let body = |url: &str| format!(r#"{{"access_token":"AT","instance_url":"{url}","team":{{"id":7}}}}"#);
    let saved = fine(lines, &body("https://eu7.acme.example")).saved;
    assert_eq!(saved, map(&[("instance", "https://eu7.acme.example"), ("team", "7")]));
    for url in [
        "https://evil.example",
        "https://a.acme.example@evil",
        "http://a.acme.example",
        "https://a.acme.example/\\n",
    ] {
        let error = refused(lines, 200, &body(url));
        assert_eq!(error.kind, TokenErrorKind::Unreadable, "{url}");
        assert!(!error.words().contains("evil"));
    }
    assert_eq!(fine(lines, r#"{"access_token":"AT"}"#).saved.len(), 0);
    let required = "answer.save.team = { path = \"team\", required = true }";
    assert_eq!(refused(required, 200, r#"{"access_token":"AT"}"#).kind, TokenErrorKind::Unreadable);
    let default = "answer.save.team = { path = \"team\", default = \"x\" }";
    assert_eq!(fine(default, r#"{"access_token":"AT"}"#).saved, map(&[("team", "x")]));
}

/// RFC 6749 §5.2, and quirk 27: errors of all kinds.
#[test]
fn errors_of_all_kinds() {
    use TokenErrorKind::{Oauth, Transient, Unreadable};
    let ok = "answer.error = { path = \"ok\", is = [\"false\"] }";
    let result = "answer.error = { path = \"result\", is_not = [\"0000\"], code = \"result\", description = \"message\" }";
    for (lines, status, body, kind, code) in [
        ("", 400, r#"{"error":"invalid_grant","error_description":"expired"}"#, Oauth, Some("invalid_grant")),
        ("", 401, r#"{"error":"invalid_client"}"#, Oauth, Some("invalid_client")),
        ("", 200, r#"{"error":"bad_verification_code"}"#, Oauth, Some("bad_verification_code")),
        ("", 200, "error=bad_verification_code&error_description=x", Oauth, Some("bad_verification_code")),
        ("", 400, r#"{"error":{"code":190,"message":"Invalid token"}}"#, Oauth, Some("190")),
        ("", 400, r#"{"error":{"deep":{}}}"#, Oauth, Some("error")),
        (
            "",
            400,
            r#"{"object":"error","code":"invalid_grant","message":"no"}"#,
            Oauth,
            Some("invalid_grant"),
        ),
        ("", 400, r#"{"code":"validation_error","message":"no"}"#, Unreadable, None),
        ("", 200, r#"{"code":"invalid_grant"}"#, Unreadable, None),
        (ok, 200, r#"{"ok":false,"error":"invalid_code"}"#, Oauth, Some("invalid_code")),
        (ok, 200, r#"{"ok":false}"#, Oauth, None),
        (ok, 200, r#"{"ok":false,"access_token":"AT"}"#, Oauth, None),
        (result, 200, r#"{"result":"5001","message":"no"}"#, Oauth, Some("5001")),
        (
            "answer.error.invalid_grant = [\"bad_refresh_token\"]",
            200,
            r#"{"error":"bad_refresh_token"}"#,
            Oauth,
            Some("invalid_grant"),
        ),
        ("answer.format = \"text\"", 200, r#"{"error":"no"}"#, Oauth, Some("no")),
        ("", 503, r#"{"error":"invalid_grant"}"#, Transient, Some("invalid_grant")),
        ("", 400, r#"{"error":"temporarily_unavailable"}"#, Transient, Some("temporarily_unavailable")),
        ("", 500, "<html>oops</html>", Transient, None),
        ("", 429, "", Transient, None),
        ("", 502, "", Transient, None),
        ("", 200, "", Unreadable, None),
        ("", 200, "   ", Unreadable, None),
        ("", 200, "<!doctype html><p>Sign in", Unreadable, None),
        ("", 200, "{", Unreadable, None),
        ("", 200, "[]", Unreadable, None),
        ("", 200, "null", Unreadable, None),
        ("", 200, "{}", Unreadable, None),
        ("", 200, r#"{"access_token":7}"#, Unreadable, None),
        ("", 200, r#"{"access_token":""}"#, Unreadable, None),
        ("", 200, r#"{"access_token":"a\u0000b"}"#, Unreadable, None),
        ("", 200, r#"{"access_token":"a\r\nX: y"}"#, Unreadable, None),
        ("", 200, r#"{"access_token":"AT","token_type":"PoP"}"#, Unreadable, None),
        ("", 404, "<html>", Unreadable, None),
        ("", 302, "", Unreadable, None),
        ("", 403, "forbidden", Unreadable, None),
    ] {
        let error = refused(lines, status, body);
        assert_eq!((error.kind, error.code.as_deref()), (kind, code), "{status} {body}");
        assert_eq!(error.is_invalid_grant(), kind == Oauth && code == Some("invalid_grant"), "{body}");
    }
    assert!(got(result, 200, r#"{"result":"0000","access_token":"AT"}"#).is_ok());
    assert!(got(ok, 200, r#"{"ok":true,"access_token":"AT"}"#).is_ok());
    let huge = format!(r#"{{"access_token":"AT","x":"{}"}}"#, "y".repeat(MAX_BODY));
    assert_eq!(refused("", 200, &huge).kind, Unreadable);
    let long = format!(r#"{{"access_token":"{}"}}"#, "y".repeat(MAX_TOKEN + 1));
    assert_eq!(refused("", 200, &long).kind, Unreadable);
}

#[test]
fn an_error_tells_how_long_to_wait() {
    let busy = |value: &str| {
        let headers = headers(&[("retry-after", value)]);
        let error = tokens(&provider(""), StatusCode::TOO_MANY_REQUESTS, &headers, b"", NOW);
        error.err().and_then(|error| error.retry_after)
    };
    assert_eq!(busy("7"), Some(7));
    assert_eq!(busy("Tue, 14 Nov 2023 22:13:30 GMT"), Some(10));
    assert_eq!(busy("later"), None);
}

/// What a provider repeats of our request does not come out again.
#[test]
fn errors_hold_none_of_our_secrets() {
    let (secret, code) = (Secret::new("s3c!"), Secret::new("4/0AX4XfWhqqqqqqqqqqqqqq"));
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"bad secret {}\u0000 or code {}\n\u202eabc"}}"#,
        secret.expose(),
        code.expose()
    );
    let error = refused("", 400, &body).hiding(&[&secret, &code]);
    let words = format!("{error} {error:?}");
    assert!(!words.contains(secret.expose()) && !words.contains(code.expose()), "{words}");
    assert_eq!(error.description.as_deref(), Some("bad secret [hidden] or code [hidden] abc"));
    let masked = refused("", 400, &body);
    assert!(
        masked.description.is_some_and(|words| !words.contains(code.expose())),
        "long ones go by their looks"
    );
}

/// Quirks 39 and 43.
#[test]
fn a_refresh_keeps_what_is_not_returned() {
    let refreshed = |lines: &str, status: u16, body: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        refreshed(
            &provider(lines),
            some_tokens("AT", Some("RT")),
            status,
            &HeaderMap::new(),
            body.as_bytes(),
            NOW,
        )
    };
    let kept = refreshed("", 200, r#"{"access_token":"AT2"}"#).expect("tokens");
    assert_eq!(kept.access_token.expose(), "AT2");
    assert_eq!(kept.refresh_token.as_ref().map(Secret::expose), Some("RT"));

    let lines =
        "lifetime = 60\nrefresh.extends_only = true\nanswer.error = { path = \"result\", is_not = [\"OK\"] }";
    for body in ["", r#"{"result":"OK"}"#] {
        let kept = refreshed(lines, 200, body).expect("tokens");
        assert_eq!((kept.access_token.expose(), kept.expires_at), ("AT", Some(NOW + 60_000)));
    }
    assert!(refreshed(lines, 200, r#"{"result":"NO"}"#).is_err());
    assert!(refreshed(lines, 400, "").is_err());
}

/// Quirk 47: what dies of idleness lives on from its use, also where the answer does not return it.
#[test]
fn a_refresh_token_that_was_used_lives_on_from_there() {
    let week = "refresh.idle_lifetime = 604800";
    let lasting = jwt(1_700_000_030);
    for (lines, token, body, expected) in [
        (week, "RT", r#"{"access_token":"AT2"}"#, Some(NOW + 604_800_000)),
        (week, "RT", r#"{"access_token":"AT2","refresh_token":"RT2"}"#, Some(NOW + 604_800_000)),
        (week, lasting.as_str(), r#"{"access_token":"AT2"}"#, Some(NOW + 30_000)),
        ("", "RT", r#"{"access_token":"AT2"}"#, Some(NOW + 1_000)),
        ("", "RT", r#"{"access_token":"AT2","refresh_token":"RT2"}"#, None),
        ("refresh.extends_only = true\nrefresh.idle_lifetime = 604800", "RT", "", Some(NOW + 604_800_000)),
    ] {
        let mut before = some_tokens("AT", Some(token));
        before.refresh_expires_at = Some(NOW + 1_000);
        let (oauth2, none) = (provider(lines), HeaderMap::new());
        let newer = refreshed(&oauth2, before, StatusCode::OK, &none, body.as_bytes(), NOW).expect("tokens");
        assert_eq!(newer.refresh_expires_at, expected, "{lines} {token} {body}");
    }
}

/// A refresh whose answer has another shape than the exchange's: the user's token of a pair (quirks 10, 26).
#[test]
fn a_refreshs_answer_may_have_another_shape() {
    let oauth2 = provider(
        "answer.access_token = \"user.access_token\"\n\
         refresh.answer = { access_token = \"access_token\", error = { path = \"ok\", is = [\"false\"] } }",
    );
    let refreshed = |body: &str| {
        let before = some_tokens("AT", Some("RT"));
        refreshed(&oauth2, before, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), NOW)
    };
    let newer = refreshed(r#"{"ok":true,"access_token":"AT2","refresh_token":"RT2"}"#).expect("tokens");
    assert_eq!(newer.access_token.expose(), "AT2");
    assert_eq!(newer.refresh_token.as_ref().map(Secret::expose), Some("RT2"));
    assert!(refreshed(r#"{"ok":false,"access_token":"AT2"}"#).is_err());
    assert!(refreshed(r#"{"user":{"access_token":"AT2"}}"#).is_err(), "the exchange's path is not looked at");
}

/// The compiled-in entries against answers as the providers' pages show them.
#[test]
fn answers_of_the_catalogs_providers() {
    let catalog = Catalog::builtin().expect("the catalog");
    let read = |key: &str, body: &str| {
        let provider = catalog.get(key).expect("a provider");
        let oauth2 = provider.oauth2().expect("oauth2");
        tokens(oauth2, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), NOW)
    };
    for body in [
        r#"{"access_token":"gho_x","scope":"repo,gist","token_type":"bearer"}"#,
        "access_token=gho_x&scope=repo%2Cgist&token_type=bearer",
    ] {
        let tokens = read("github", body).expect("tokens");
        assert_eq!(tokens.scopes, Some(vec!["repo".to_owned(), "gist".to_owned()]));
        assert_eq!(tokens.expires_at, None);
    }
    let error =
        read("github", r#"{"error":"bad_refresh_token","error_description":"x"}"#).err().expect("an error");
    assert!(error.is_invalid_grant());
    let google = r#"{"access_token":"ya29.x","expires_in":3599,"refresh_token":"1//x","scope":"openid","token_type":"Bearer"}"#;
    assert_eq!(read("google", google).ok().and_then(|tokens| tokens.expires_at), Some(NOW + 3_599_000));
}

proptest::proptest! {
    #[test]
    fn no_answer_panics(status in 100_u16..600, body: Vec<u8>, kind in "(application/json|text/html|)", format in "(auto|json|form|text)") {
        let oauth2 = provider(&format!("answer.format = \"{format}\"\nanswer.save.x = {{ path = \"a.b\" }}"));
        let status = StatusCode::from_u16(status).expect("a status");
        if let Err(error) = tokens(&oauth2, status, &headers(&[("content-type", &kind)]), &body, NOW) {
            assert!(error.words().chars().count() < 600);
        }
    }

    #[test]
    fn no_json_panics(value in "[\\[\\]{}\":,a-z0-9.\\-]{0,80}", unit in "(seconds|milliseconds|epoch|epoch_ms|iso8601|clock|words|auto)") {
        let oauth2 = provider(&format!("answer.expires.unit = \"{unit}\""));
        let body = format!(r#"{{"access_token":"AT","expires_in":"{}","x":{value}}}"#, value.replace('"', ""));
        let _ = tokens(&oauth2, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), NOW);
        let body = format!(r#"{{"access_token":"AT","expires_in":"{}"}}"#, value.replace('"', ""));
        let _ = tokens(&oauth2, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), i64::MAX);
    }
}
