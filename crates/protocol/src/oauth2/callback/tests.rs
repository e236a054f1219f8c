use super::*;
use crate::oauth2::testing::{map, provider};

/// A code, the issuer, saved values.
type Read = (String, Option<String>, BTreeMap<String, String>);

fn code(lines: &str, query: &str) -> Result<Read, CallbackError> {
    match read(&provider(lines), query)? {
        Answer::Code { code, iss, saved } => Ok((code.expose().to_owned(), iss, saved)),
        Answer::Error { error, .. } => panic!("an error: {error}"),
    }
}

#[test]
fn a_code_is_read() {
    let got = code("", "?code=a%2Bb+c&state=st&iss=https%3A%2F%2Fop.example&extra=1");
    assert_eq!(got, Ok(("a+b c".to_owned(), Some("https://op.example".to_owned()), BTreeMap::new())));
}

/// Quirks 11 to 13: other names, and values that arrive only here.
#[test]
fn quirks() {
    let got = code("callback.code_param = \"spapi_oauth_code\"", "spapi_oauth_code=C&state=st");
    assert_eq!(got.map(|got| got.0), Ok("C".to_owned()), "quirk 11");
    assert_eq!(
        state("payload", "payload=st&state=other").ok().map(|s| s.expose().to_owned()).as_deref(),
        Some("st"),
        "quirk 12"
    );
    let lines = "[callback.save.realm]\nparam = \"realmId\"\npattern = \"^[0-9]+$\"\n\
                 [callback.save.accounts]\nparam = \"accounts-server\"\npattern = \"^https://accounts\\\\.acme\\\\.(com|eu)$\"\n\
                 default = \"https://accounts.acme.com\"";
    let got = code(lines, "code=C&realmId=42&accounts-server=https%3A%2F%2Faccounts.acme.eu");
    let saved = map(&[("accounts", "https://accounts.acme.eu"), ("realm", "42")]);
    assert_eq!(got.map(|got| got.2), Ok(saved), "quirk 13");
    let got = code(lines, "code=C&realmId=42").map(|got| got.2);
    assert_eq!(got, Ok(map(&[("accounts", "https://accounts.acme.com"), ("realm", "42")])), "quirk 14");
    assert_eq!(code(lines, "code=C"), Err(CallbackError::Missing("realmId".to_owned())));
    assert_eq!(
        code(lines, "code=C&realmId=1&realmId=2"),
        Err(CallbackError::Duplicate("realmId".to_owned()))
    );
    for server in [
        "https://evil.example",
        "https://accounts.acme.com@evil",
        "https://accounts.acme.com%0A",
        "http://accounts.acme.eu",
    ] {
        let query = format!("code=C&realmId=1&accounts-server={server}");
        assert_eq!(
            code(lines, &query),
            Err(CallbackError::Malformed("accounts-server".to_owned())),
            "{server}"
        );
    }
}

#[test]
fn duplicates_and_halves_are_refused() {
    for name in ["code", "state", "iss", "error", "error_description"] {
        for second in ["x", "y"] {
            let query = format!("code=C&state=st&{name}=x&{name}={second}");
            assert!(matches!(read(&provider(""), &query), Err(CallbackError::Duplicate(_))), "{query}");
        }
    }
    for query in ["", "state=st", "code=", "code=C&error=e", "c%6fde=C&error=e", "CODE=C"] {
        assert_eq!(read(&provider(""), query).err(), Some(CallbackError::NoCode), "{query}");
    }
    for query in ["code=a%00b", "code=a%0ab", "code=%ff"] {
        assert!(matches!(read(&provider(""), query), Err(CallbackError::Malformed(_))), "{query}");
    }
    assert_eq!(
        read(&provider(""), &format!("code={}", "a".repeat(MAX_QUERY))).err(),
        Some(CallbackError::TooLong)
    );
    assert!(read(&provider(""), &format!("code={}", "a".repeat(MAX_CODE + 1))).is_err());
}

#[test]
fn an_error_is_read_and_made_harmless() {
    let query =
        "error=access_denied&error_description=%3Cb%3Eno%00%0d%0a4%2F0AX4XfWhqqqqqqqqqqqqqq&state=st&iss=i";
    let Ok(Answer::Error { error, description, iss }) = read(&provider(""), query) else {
        panic!("no error")
    };
    assert_eq!((error.as_str(), iss.as_deref()), ("access_denied", Some("i")));
    assert_eq!(description.as_deref(), Some("<b>no [hidden]"));
}

#[test]
fn a_state_is_there_once_and_sound() {
    assert_eq!(state("state", "a=1&state=s%2Bt").ok().map(|s| s.expose().to_owned()).as_deref(), Some("s+t"));
    for (query, error) in [
        ("", CallbackError::NoState),
        ("state=", CallbackError::NoState),
        ("State=x", CallbackError::NoState),
        ("state=a&state=a", CallbackError::Duplicate("state".to_owned())),
        ("state=a&st%61te=b", CallbackError::Duplicate("state".to_owned())),
        ("state=a%00", CallbackError::Malformed("state".to_owned())),
    ] {
        assert_eq!(state("state", query).err(), Some(error), "{query}");
    }
    assert!(state("state", &format!("state={}", "a".repeat(MAX_STATE))).is_ok());
    assert!(state("state", &format!("state={}", "a".repeat(MAX_STATE + 1))).is_err());
}

/// RFC 9207 §2.4.
#[test]
fn the_issuer_is_compared_as_text() {
    let ours = Some("https://op.example");
    for (expected, required, got, outcome) in [
        (ours, true, ours, Ok(())),
        (ours, false, None, Ok(())),
        (None, false, None, Ok(())),
        (None, false, ours, Ok(())),
        (ours, true, None, Err(CallbackError::NoIssuer)),
        (None, true, None, Err(CallbackError::NoIssuer)),
        (ours, false, Some("https://op.example/"), Err(CallbackError::WrongIssuer)),
        (ours, false, Some("https://evil.example"), Err(CallbackError::WrongIssuer)),
        (ours, true, Some(""), Err(CallbackError::WrongIssuer)),
    ] {
        assert_eq!(check_iss(expected, required, got), outcome, "{expected:?} {required} {got:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_query_panics(query in ".{0,200}", more in "((code|state|iss|error)=[a-z%0-9+&]{0,6}&?){0,5}") {
        for query in [query, more] {
            let _ = read(&provider(""), &query);
            if let Ok(state) = state("state", &query) {
                assert!(!state.is_empty() && state.expose().len() <= MAX_STATE);
            }
        }
    }
}
