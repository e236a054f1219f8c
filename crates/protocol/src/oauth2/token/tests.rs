use claviger_catalog::ClientAuth;

use super::*;
use crate::oauth2::testing::{client, map, provider, shown, tokens};

const URL: &str = "https://acme.example/token";
const CB: &str = "https://app.example/cb";
const EXCHANGE: &str = "grant_type=authorization_code&code=CODE&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";

fn exchanged(
    lines: &str,
    auth: ClientAuth,
    url: &str,
    extra: &[(&str, &str)],
) -> Result<Request<Bytes>, ProtocolError> {
    let (secret, code, verifier) = (Secret::new("s3c"), Secret::new("CODE"), Secret::new("VERIFIER"));
    exchange(&provider(lines), url, &client(&secret, auth), &code, CB, Some(&verifier), &map(extra))
}

fn refreshing(lines: &str, auth: ClientAuth) -> String {
    let secret = Secret::new("s3c");
    let made = refresh(&provider(lines), URL, &client(&secret, auth), &tokens("AT", Some("RT")));
    shown(&made.expect("a request"))
}

/// RFC 6749 §4.1.3 with RFC 7636 §4.5.
#[test]
fn the_plain_exchange() {
    let made = exchanged("pkce = \"S256\"", ClientAuth::Body, URL, &[]).expect("a request");
    let body = format!("{EXCHANGE}&code_verifier=VERIFIER&client_id=cid&client_secret=s3c");
    assert_eq!(shown(&made), format!("POST {URL}\n\n{body}"));
    assert_eq!(made.headers()["accept"], "application/json");
    assert_eq!(made.headers()["content-type"], "application/x-www-form-urlencoded");
}

/// RFC 6749 §2.3.1: the example header, and what its form encoding makes of other characters.
#[test]
fn basic_as_the_rfc_shows_it() {
    let header = |lines: &str, id: &str, secret: &str| {
        let secret = Secret::new(secret);
        let client = Client { id, secret: Some(&secret), auth: ClientAuth::Basic, assertion: None };
        let made = refresh(&provider(lines), URL, &client, &tokens("AT", Some("RT"))).expect("a request");
        assert!(made.headers()["authorization"].is_sensitive());
        made.headers()["authorization"].to_str().expect("text").to_owned()
    };
    assert_eq!(
        header("", "s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
        "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    );
    // `a%3Ab:c+d%2F` encoded, and `a:b:c d/` as it is.
    assert_eq!(header("", "a:b", "c d/"), "Basic YSUzQWI6YytkJTJG");
    assert_eq!(header("basic_encode = false", "a:b", "c d/"), "Basic YTpiOmMgZC8=");
}

/// One row per quirk of client authentication and the token request.
#[test]
fn quirks_of_the_exchange() {
    use ClientAuth::{Basic, Body, None};
    let tail = "client_id=cid&client_secret=s3c";
    for (quirk, lines, auth, url, extra, expected) in [
        (
            15,
            "token.resend_state = true",
            Body,
            URL,
            &[("state", "st")][..],
            format!("POST {URL}\n\n{EXCHANGE}&state=st&{tail}"),
        ),
        (16, "", Basic, URL, &[], format!("POST {URL}\nauthorization: Basic Y2lkOnMzYw==\n\n{EXCHANGE}")),
        (19, "", None, URL, &[], format!("POST {URL}\n\n{EXCHANGE}&client_id=cid")),
        (
            19,
            "basic_format = \"{client_secret}:\"",
            Basic,
            URL,
            &[],
            format!("POST {URL}\nauthorization: Basic czNjOg==\n\n{EXCHANGE}"),
        ),
        (
            19,
            "token.param_names = { client_id = \"username\", client_secret = \"password\" }",
            Body,
            URL,
            &[],
            format!("POST {URL}\n\n{EXCHANGE}&username=cid&password=s3c"),
        ),
        (
            20,
            "token.format = \"json\"",
            Body,
            URL,
            &[],
            format!(
                "POST {URL}\n\n{{\"grant_type\":\"authorization_code\",\"code\":\"CODE\",\"redirect_uri\":\"{CB}\",\
                 \"client_id\":\"cid\",\"client_secret\":\"s3c\"}}"
            ),
        ),
        (20, "token.format = \"query\"", Body, URL, &[], format!("POST {URL}?{EXCHANGE}&{tail}")),
        (20, "token.method = \"GET\"", Body, URL, &[], format!("GET {URL}?{EXCHANGE}&{tail}")),
        (
            21,
            "",
            Body,
            "https://acme.example/token?refresh",
            &[],
            format!("POST {URL}?refresh\n\n{EXCHANGE}&{tail}"),
        ),
        (
            21,
            "token.in_query = [\"grant_type\"]",
            Body,
            "https://acme.example/token?v=2",
            &[],
            format!(
                "POST {URL}?v=2&grant_type=authorization_code\n\ncode=CODE&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&{tail}"
            ),
        ),
        (
            22,
            "token.param_names = { code = \"auth_code\", client_secret = \"secret\" }\ntoken.omit = [\"redirect_uri\"]\n\
             token.params = { CompanyDB = \"db\" }",
            Body,
            URL,
            &[],
            format!(
                "POST {URL}\n\ngrant_type=authorization_code&auth_code=CODE&client_id=cid&secret=s3c&CompanyDB=db"
            ),
        ),
        (
            24,
            "token.headers = { \"User-Agent\" = \"claviger\", \"X-App\" = \"{client_id}\" }",
            None,
            URL,
            &[],
            format!("POST {URL}\nuser-agent: claviger\nx-app: cid\n\n{EXCHANGE}&client_id=cid"),
        ),
        (
            25,
            "token.params = { expiring = \"1\" }",
            None,
            URL,
            &[],
            format!("POST {URL}\n\n{EXCHANGE}&client_id=cid&expiring=1"),
        ),
    ] {
        let made = exchanged(lines, auth, url, extra).expect("a request");
        assert_eq!(shown(&made), expected, "quirk {quirk}");
    }
}

/// One row per quirk of refreshing.
#[test]
fn quirks_of_the_refresh() {
    use ClientAuth::{Basic, Body, None};
    let tail = "client_id=cid&client_secret=s3c";
    for (quirk, lines, auth, expected) in [
        (0, "", Body, format!("POST {URL}\n\ngrant_type=refresh_token&{tail}&refresh_token=RT")),
        (
            22,
            "token.param_names = { client_secret = \"secret\" }\nrefresh.param_names = { refresh_token = \"refreshtoken\" }",
            Body,
            format!("POST {URL}\n\ngrant_type=refresh_token&client_id=cid&secret=s3c&refreshtoken=RT"),
        ),
        (
            41,
            "[refresh]\nmethod = \"GET\"\nwith = \"access_token\"\ngrant_type = \"fb_exchange_token\"\n\
             param_names = { refresh_token = \"fb_exchange_token\" }",
            Body,
            format!("GET {URL}?grant_type=fb_exchange_token&{tail}&fb_exchange_token=AT"),
        ),
        (
            42,
            "refresh.with = \"client\"",
            Body,
            format!("POST {URL}\n\ngrant_type=client_credentials&{tail}"),
        ),
        (
            44,
            "refresh.place = \"bearer\"",
            None,
            format!("POST {URL}\nauthorization: Bearer RT\n\ngrant_type=refresh_token&client_id=cid"),
        ),
        (
            25,
            "token.params = { only = \"exchange\" }\nrefresh.params = { expires_in = \"3600\", old = \"{access_token}\" }",
            None,
            format!(
                "POST {URL}\n\ngrant_type=refresh_token&client_id=cid&refresh_token=RT&expires_in=3600&old=AT"
            ),
        ),
        (
            20,
            "token.format = \"json\"\nrefresh.format = \"form\"\nrefresh.omit = [\"grant_type\"]",
            Basic,
            format!("POST {URL}\nauthorization: Basic Y2lkOnMzYw==\n\nrefresh_token=RT"),
        ),
    ] {
        assert_eq!(refreshing(lines, auth), expected, "quirk {quirk}");
    }
}

/// Quirk 30.
#[test]
fn the_upgrade_to_a_long_lived_token() {
    let secret = Secret::new("s3c");
    let client = client(&secret, ClientAuth::Body);
    let lines = "[upgrade]\nurl = \"https://graph.example/access_token\"\nmethod = \"GET\"\nwith = \"access_token\"\n\
                 grant_type = \"ig_exchange_token\"\nparam_names = { refresh_token = \"access_token\" }\nomit = [\"client_id\"]";
    let made = upgrade(&provider(lines), &client, &tokens("AT", None)).expect("built").expect("a request");
    assert_eq!(
        shown(&made),
        "GET https://graph.example/access_token?grant_type=ig_exchange_token&client_secret=s3c&access_token=AT"
    );
    assert!(upgrade(&provider(""), &client, &tokens("AT", None)).expect("built").is_none());
}

#[test]
fn what_is_missing_or_unusable_is_told_without_secrets() {
    let secret = Secret::new("s3c");
    let client = client(&secret, ClientAuth::Body);
    let code = Secret::new("CODE");
    let no_verifier = exchange(&provider("pkce = \"S256\""), URL, &client, &code, CB, None, &BTreeMap::new());
    assert!(matches!(no_verifier, Err(ProtocolError::Missing(_))));
    let no_refresh_token = refresh(&provider(""), URL, &client, &tokens("AT", None));
    assert!(matches!(no_refresh_token, Err(ProtocolError::Missing(_))));
    assert!(matches!(
        exchanged("token.resend_state = true", ClientAuth::Body, URL, &[]),
        Err(ProtocolError::Missing(_))
    ));
    assert!(matches!(
        exchanged("", ClientAuth::Body, URL, &[("code", "x")]),
        Err(ProtocolError::Forbidden(_))
    ));
    assert!(matches!(
        exchanged("token.params = { a = \"{sub}\" }", ClientAuth::Body, URL, &[]),
        Err(ProtocolError::Missing(_))
    ));
    assert!(matches!(
        exchanged("token.headers = { \"X\" = \"a\\nb\" }", ClientAuth::Body, URL, &[]),
        Err(ProtocolError::Header(_))
    ));
    for url in [
        "",
        "https://{sub}.acme.example/token",
        "ftp://a/",
        "https://u:p@acme.example/",
        "https://a.example/#x",
    ] {
        assert!(matches!(exchanged("", ClientAuth::Body, url, &[]), Err(ProtocolError::Url(_))), "{url}");
    }
}

/// Numbers go as numbers into a JSON body, in the exchange and in the refresh; nothing else does.
#[test]
fn numbers_in_a_json_body() {
    let lines = "token.format = \"json\"\ntoken.params = { expires_in = \"60\", note = \"7\" }\n\
                 refresh.params = { expires_in = \"61\" }\ntoken.numbers = [\"expires_in\"]";
    let body = |made: Request<Bytes>| String::from_utf8(made.into_body().to_vec()).expect("text");
    let made = body(exchanged(lines, ClientAuth::Basic, URL, &[]).expect("a request"));
    assert!(made.contains(r#""expires_in":60,"#) && made.contains(r#""note":"7""#), "{made}");
    assert!(refreshing(lines, ClientAuth::Body).contains(r#""expires_in":61}"#));
}

/// A client without a secret is public, whatever is configured.
#[test]
fn no_secret_no_basic() {
    let client = Client { id: "cid", secret: None, auth: ClientAuth::Basic, assertion: None };
    let made = refresh(&provider(""), URL, &client, &tokens("AT", Some("RT"))).expect("a request");
    assert_eq!(
        shown(&made),
        format!("POST {URL}\n\ngrant_type=refresh_token&client_id=cid&refresh_token=RT")
    );
}

proptest::proptest! {
    #[test]
    fn a_form_says_what_was_meant(code in ".+", secret in ".+", uri in ".+") {
        let (secret, code) = (Secret::new(secret), Secret::new(code));
        let made = exchange(&provider(""), URL, &client(&secret, ClientAuth::Body), &code, &uri, None, &BTreeMap::new());
        let body = made.expect("a request").into_body();
        let said: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        assert_eq!(said["code"], code.expose());
        assert_eq!(said["client_secret"], secret.expose());
        assert_eq!(said["redirect_uri"], uri);
        assert_eq!(said.len(), 5);
    }
}

/// RFC 6749 §4.4.2: the client's own credentials, as the file wants them shown; the file's parameters, and the scopes.
#[test]
fn a_client_gets_a_token_for_itself() {
    let secret = Secret::new("s3 cr");
    let asked = |lines: &str, auth: ClientAuth, scopes: &[&str]| {
        let oauth2 = provider(&format!("grant = \"client_credentials\"\n{lines}"));
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let made =
            client_credentials(&oauth2, "https://a.example/token?x=1", &client(&secret, auth), &scopes);
        shown(&made.expect("a request"))
    };
    let plain = "POST https://a.example/token?x=1";
    assert_eq!(
        asked("", ClientAuth::Body, &[]),
        format!("{plain}\n\ngrant_type=client_credentials&client_id=cid&client_secret=s3%20cr")
    );
    assert_eq!(
        asked("scopes = { default = [\"d\"], always = [\"z\"] }", ClientAuth::Basic, &[]),
        format!("{plain}\nauthorization: Basic Y2lkOnMzK2Ny\n\ngrant_type=client_credentials&scope=d%20z")
    );
    let lines = "scopes = { separator = \",\" }\n\
                 token = { format = \"json\", param_names = { client_id = \"id\" }, params = { audience = \"https://api\" } }";
    assert_eq!(
        asked(lines, ClientAuth::Body, &["a", "b"]),
        format!(
            "{plain}\n\n{}",
            r#"{"grant_type":"client_credentials","scope":"a,b","id":"cid","client_secret":"s3 cr","audience":"https://api"}"#
        )
    );
}

/// Such a token is not refreshed: it is fetched again. A client without a secret shows nothing.
#[test]
fn a_clients_own_token_is_not_refreshed() {
    let secret = Secret::new("s");
    let oauth2 = provider("grant = \"client_credentials\"\nrefresh.with = \"client\"");
    let url = "https://a.example/token";
    assert!(refresh(&oauth2, url, &client(&secret, ClientAuth::Body), &tokens("t", Some("r"))).is_err());
    for secret in [None, Some(&Secret::new(""))] {
        let client = Client { id: "cid", secret, auth: ClientAuth::Body, assertion: None };
        assert!(client_credentials(&oauth2, url, &client, &[]).is_err());
    }
}

/// RFC 7523 §2.1: the assertion in place of everything else; who asks stands in it.
#[test]
fn an_assertion_is_shown_alone_or_beside_a_client() {
    let oauth2 = provider("grant = \"jwt_bearer\"\nassertion = {}\nscopes.default = [\"a\", \"b\"]");
    let nobody = Client { id: "", secret: None, auth: ClientAuth::Body, assertion: None };
    let assertion = Secret::new("h.c.s");
    let made = jwt_bearer(&oauth2, URL, &nobody, &assertion, &[]).expect("a request");
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=h.c.s";
    assert_eq!(shown(&made), format!("POST {URL}\n\n{grant}&scope=a%20b"));
    let secret = Secret::new("sec");
    let client = client(&secret, ClientAuth::Body);
    let made = jwt_bearer(&oauth2, URL, &client, &assertion, &["c".to_owned()]).expect("a request");
    assert_eq!(shown(&made), format!("POST {URL}\n\n{grant}&scope=c&client_id=cid&client_secret=sec"));
    let inside = provider("grant = \"jwt_bearer\"\nassertion.scope = true\nscopes.default = [\"a\"]");
    let made = jwt_bearer(&inside, URL, &nobody, &assertion, &[]).expect("a request");
    assert_eq!(shown(&made), format!("POST {URL}\n\n{grant}"), "the assertion itself says the scopes");
    assert!(refresh(&oauth2, URL, &client, &tokens("AT", Some("RT"))).is_err(), "nothing is refreshed");
}

/// RFC 7523 §2.2: a signed word in place of the secret, at each request; never the secret itself.
#[test]
fn a_client_assertion_takes_the_secrets_place() {
    let (secret, assertion) = (Secret::new("sec"), Secret::new("h.c.s"));
    let end = "client_id=cid&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
               &client_assertion=h.c.s";
    for auth in [ClientAuth::PrivateKeyJwt, ClientAuth::ClientSecretJwt] {
        let client = Client { assertion: Some(&assertion), ..client(&secret, auth) };
        let made = refresh(&provider(""), URL, &client, &tokens("AT", Some("RT"))).expect("a request");
        assert_eq!(shown(&made), format!("POST {URL}\n\ngrant_type=refresh_token&{end}&refresh_token=RT"));
        let unsigned = Client { assertion: None, ..client };
        assert!(refresh(&provider(""), URL, &unsigned, &tokens("AT", Some("RT"))).is_err());
    }
    let own = provider("grant = \"client_credentials\"");
    let client =
        Client { id: "cid", secret: None, auth: ClientAuth::PrivateKeyJwt, assertion: Some(&assertion) };
    let made = client_credentials(&own, URL, &client, &[]).expect("a request");
    assert_eq!(
        shown(&made),
        format!("POST {URL}\n\ngrant_type=client_credentials&{end}"),
        "no secret is needed"
    );
}
