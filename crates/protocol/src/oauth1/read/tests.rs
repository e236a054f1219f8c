use super::*;
use crate::oauth2::testing::headers;

const NOW: i64 = 1_800_000_000_000;

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status")
}

fn first(code: u16, body: &str) -> Result<Tokens, TokenError> {
    temporary(status(code), &HeaderMap::new(), body.as_bytes(), NOW)
}

fn second(table: &str, body: &str) -> Result<Tokens, TokenError> {
    let oauth1: OAuth1 = toml::from_str(table).expect("a table");
    tokens(&oauth1, status(200), &HeaderMap::new(), body.as_bytes(), NOW)
}

fn refused(result: Result<Tokens, TokenError>) -> TokenError {
    result.err().expect("an error")
}

/// RFC 5849 §2.1, as its example shows it.
#[test]
fn temporary_credentials_are_read_when_the_callback_is_confirmed() {
    let body =
        "oauth_token=hh5s93j4hdidpola&oauth_token_secret=hdhd0244k9j7ao03&oauth_callback_confirmed=true";
    for body in [body.to_owned(), format!("{body}\n"), format!("{body}&x=1")] {
        let read = first(200, &body).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.access_token.expose(), "hh5s93j4hdidpola");
        assert_eq!(read.token_secret.as_ref().map(Secret::expose), Some("hdhd0244k9j7ao03"));
        assert_eq!(read.token_type, "OAuth");
    }
    for other in ["false", "", "truer", "1"] {
        let error = refused(first(200, &body.replace("=true", &format!("={other}"))));
        assert_eq!(error.kind, TokenErrorKind::Unreadable);
        assert!(error.words().contains("not confirmed"), "{error}");
    }
    assert!(first(200, &body.replace("confirmed=true", "confirmed=True")).is_ok(), "as Authlib has it");
    assert!(first(200, &body.replace("&oauth_callback_confirmed=true", "")).is_err());
}

/// RFC 5849 §2.3, with what a file saves.
#[test]
fn a_token_is_read_with_what_the_file_saves() {
    let table =
        "lifetime = 60\nsave = { user_id = { path = \"user_id\", pattern = \"^[0-9]+$\", required = true } }";
    let body = "oauth_token=n%2F1&oauth_token_secret=&user_id=38895958&screen_name=x";
    let read = second(table, body).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.access_token.expose(), "n/1");
    assert_eq!(read.token_secret.as_ref().map(Secret::expose), Some(""));
    assert_eq!(read.saved, BTreeMap::from([("user_id".to_owned(), "38895958".to_owned())]));
    assert_eq!(read.expires_at, Some(NOW + 60_000));
    assert!(read.refresh_token.is_none());
    let never = second("lifetime = \"never\"", body).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((never.expires_at, never.saved.len()), (None, 0));
    for body in ["oauth_token=t&oauth_token_secret=s", "oauth_token=t&oauth_token_secret=s&user_id=x"] {
        assert_eq!(refused(second(table, body)).kind, TokenErrorKind::Unreadable, "{body}");
    }
}

#[test]
fn what_is_no_token_is_not_taken() {
    for body in [
        "",
        "{}",
        "<html>",
        "oauth_token=t",
        "oauth_token_secret=s",
        "oauth_token=&oauth_token_secret=s",
        "oauth_token=a%20b&oauth_token_secret=s",
        "oauth_token=a%0ab&oauth_token_secret=s",
        "oauth_token=t&oauth_token_secret=%00",
        "oauth_token=t%C3%A9&oauth_token_secret=s",
    ] {
        let error = refused(second("", body));
        assert_eq!(error.kind, TokenErrorKind::Unreadable, "{body}");
    }
    let long = format!("oauth_token={}&oauth_token_secret=s", "t".repeat(MAX_TOKEN + 1));
    assert!(second("", &long).is_err());
}

/// The Problem Reporting extension, in the body and in a challenge; statuses without words.
#[test]
fn refusals_have_the_providers_word() {
    let told = |code: u16, pairs: &[(&'static str, &str)], body: &str| {
        let error = refused(temporary(status(code), &headers(pairs), body.as_bytes(), NOW));
        (error.kind, error.code, error.description, error.retry_after)
    };
    use TokenErrorKind::{Oauth, Transient, Unreadable};
    let some = |text: &str| Some(text.to_owned());
    let body = "oauth_problem=timestamp_refused&oauth_problem_advice=Set+your+clock";
    assert_eq!(told(401, &[], body), (Oauth, some("timestamp_refused"), some("Set your clock"), None));
    assert_eq!(told(200, &[], body).1, some("timestamp_refused"));
    let challenge = [("www-authenticate", "OAuth realm=\"x\", oauth_problem=\"signature_invalid\"")];
    assert_eq!(told(401, &challenge, "no"), (Oauth, some("signature_invalid"), None, None));
    assert_eq!(told(401, &[], "Invalid signature").0, Oauth);
    assert_eq!(told(400, &[], "no").0, Unreadable);
    assert_eq!(told(302, &[], "").0, Unreadable);
    assert_eq!(told(503, &[("retry-after", "7")], body), (Transient, None, some("HTTP 503"), Some(7)));
    assert_eq!(told(429, &[], "").0, Transient);
    let secret = "oauth_problem=%3Cb%3E&oauth_problem_advice=bad+kd94hf93k423kf44kd94hf93";
    assert_eq!(told(401, &[], secret).1, some("b"));
    assert!(told(401, &[], secret).2.is_some_and(|words| !words.contains("kd94")));
}

proptest::proptest! {
    #[test]
    fn no_answer_panics(code in 200_u16..600, body in ".{0,200}") {
        let _ = first(code, &body);
        let _ = second("", &body);
    }
}
