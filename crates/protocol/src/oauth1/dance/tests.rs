use super::*;
use crate::oauth2::testing::{map, shown};

const STAMP: Stamp<'static> = Stamp { nonce: "n-1", timestamp: 1_800_000_000 };
const CALLBACK: &str = "https://connect.example/oauth-callback?flow=f";
const URL: &str = "https://a.example/request?own=1";

fn oauth1(lines: &str) -> OAuth1 {
    toml::from_str(&format!("signature = \"PLAINTEXT\"\n{lines}")).expect("a table")
}

fn held() -> Tokens {
    Tokens { token_secret: Some(Secret::new("ts")), ..Tokens::of(Secret::new("tmp/1"), "OAuth") }
}

fn asked(lines: &str) -> String {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    shown(&temporary(&oauth1(lines), URL, &client, CALLBACK, STAMP).expect("a request"))
}

const OWN: &str = "oauth_consumer_key=ck&oauth_signature_method=PLAINTEXT&oauth_timestamp=1800000000&oauth_nonce=n-1&\
    oauth_version=1.0&oauth_callback=https%3A%2F%2Fconnect.example%2Foauth-callback%3Fflow%3Df&oauth_signature=cs%26";

/// RFC 5849 §2.1, and the three places of §3.5.
#[test]
fn temporary_credentials_are_asked_for_with_the_callback() {
    let header = format!("OAuth {}", OWN.replace('=', "=\"").replace('&', "\", ") + "\"");
    assert_eq!(asked(""), format!("POST {URL}\nauthorization: {header}"));
    assert_eq!(
        asked("params.scope = \"a b\""),
        format!("POST {URL}\nauthorization: {header}\n\nscope=a%20b")
    );
    assert_eq!(asked("place = \"query\""), format!("POST {URL}&{OWN}"));
    assert_eq!(asked("place = \"body\""), format!("POST {URL}\n\n{OWN}"));
    let both = "place = \"body\"\nparams.scope = \"{client_id}\"";
    assert_eq!(asked(both), format!("POST {URL}\n\nscope=ck&{OWN}"));
    let get = "place = \"body\"\nmethod = \"GET\"\nparams.scope = \"s\"";
    assert_eq!(asked(get), format!("GET {URL}&scope=s&{OWN}"));
}

#[test]
fn a_browser_is_sent_with_the_temporary_token() {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let oauth1 = oauth1("authorize_params = { name = \"Acme {client_id}\", expiration = \"never\" }");
    let url = |extra: &[(&str, &str)]| {
        authorize_url(&oauth1, "https://a.example/auth?x=1", &client, &held(), &map(extra))
    };
    let base = "https://a.example/auth?x=1&oauth_token=tmp%2F1";
    assert_eq!(url(&[]).as_deref(), Ok(&*format!("{base}&expiration=never&name=Acme%20ck")));
    let own = [("expiration", "1day"), ("scope", "read")];
    assert_eq!(url(&own).as_deref(), Ok(&*format!("{base}&name=Acme%20ck&expiration=1day&scope=read")));
    assert_eq!(url(&[("oauth_token", "mine")]), Err(ProtocolError::Forbidden("oauth_token".to_owned())));
    for bad in ["http:/a", "https://{host}/", "https://a.example/#x", "https://u@a.example/"] {
        assert!(authorize_url(&oauth1, bad, &client, &held(), &map(&[])).is_err(), "{bad}");
    }
}

/// RFC 5849 §2.3: with the temporary credentials, and the verifier.
#[test]
fn the_token_is_asked_for_with_the_verifier() {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let asked = |verifier: &str| {
        let oauth1 = oauth1("place = \"query\"\nparams.scope = \"not here\"");
        token(&oauth1, "https://a.example/token", &client, &held(), &Secret::new(verifier), STAMP)
    };
    let expected = "POST https://a.example/token?oauth_consumer_key=ck&oauth_signature_method=PLAINTEXT&\
        oauth_timestamp=1800000000&oauth_nonce=n-1&oauth_version=1.0&oauth_token=tmp%2F1&oauth_verifier=v%20%2B&\
        oauth_signature=cs%26ts";
    assert_eq!(shown(&asked("v +").expect("a request")), expected);
    assert!(asked("").is_err());
}

/// What is signed is what is sent: the endpoint's own query and the form too.
#[test]
fn the_signature_covers_query_and_form() {
    let secret = Secret::new("cs");
    let client = Client { key: "ck", secret: &secret };
    let made = |url: &str, params: &str| {
        let oauth1: OAuth1 = toml::from_str(params).expect("a table");
        let request = temporary(&oauth1, url, &client, CALLBACK, STAMP).expect("a request");
        request.headers()["authorization"].clone()
    };
    let plain = made("https://a.example/r", "");
    assert_ne!(plain, made("https://a.example/r?x=1", ""));
    assert_ne!(plain, made("https://a.example/r", "params.scope = \"s\""));
    // The same parameters, in a form and in a query (RFC 5849 §3.4.1.3.1).
    assert_eq!(
        made("https://a.example/r?scope=s", "method = \"POST\""),
        made("https://a.example/r", "method = \"POST\"\nparams.scope = \"s\"")
    );
}

fn read(query: &str) -> String {
    match returned(query) {
        Ok(Returned::Verified { token, verifier }) => format!("{} {}", token.expose(), verifier.expose()),
        Ok(Returned::Refused { token, problem }) => {
            format!("{} no: {problem}", token.as_ref().map_or("-", Secret::expose))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_callback_brings_a_verifier_or_a_refusal() {
    for (query, expected) in [
        ("oauth_token=t%2F1&oauth_verifier=v+1", "t/1 v 1"),
        ("x=1&oauth_verifier=v&oauth_token=t&x=2", "t v"),
        ("denied=t", "t no: user_refused"),
        ("oauth_token=t&denied=t", "t no: user_refused"),
        ("oauth_problem=user_refused&oauth_token=t&oauth_verifier=v", "t no: user_refused"),
        ("error=access_denied&error_description=no", "- no: access_denied"),
        ("oauth_problem=%3Cscript%3E", "- no: script"),
        ("oauth_problem=%3C%3E", "- no: refused"),
        ("oauth_token=t", "the callback could not be read"),
        ("oauth_verifier=v", "the callback could not be read"),
        ("oauth_token=&oauth_verifier=v", "the callback could not be read"),
        ("oauth_token=t&oauth_token=t&oauth_verifier=v", "the callback could not be read"),
        ("", "the callback could not be read"),
    ] {
        assert_eq!(read(query), expected, "{query}");
    }
}

proptest::proptest! {
    #[test]
    fn no_callback_panics(query in ".{0,120}") {
        let _ = returned(&query);
    }
}
