use super::*;
use crate::oauth2::testing::{map, provider};

const URL: &str = "https://acme.example/authorize";

fn made(
    lines: &str,
    url_template: &str,
    scopes: &[&str],
    extra: &[(&str, &str)],
) -> Result<String, ProtocolError> {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let state = Secret::new("st");
    url(
        &provider(lines),
        &Request {
            authorize_url: url_template,
            client_id: "cid",
            redirect_uri: "https://app.example/cb",
            state: &state,
            scopes: &scopes,
            challenge: Some("CHALLENGE"),
            extra: &map(extra),
            grown: false,
        },
    )
}

const HEAD: &str = "response_type=code&client_id=cid&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";

/// The request as the RFC has it: RFC 6749 §4.1.1 with RFC 7636 §4.3.
#[test]
fn the_plain_request() {
    let got = made("pkce = \"S256\"", URL, &["read", "write"], &[]).expect("a URL");
    let pkce = "code_challenge=CHALLENGE&code_challenge_method=S256";
    assert_eq!(got, format!("{URL}?{HEAD}&scope=read%20write&state=st&{pkce}"));
}

/// One row per quirk of the authorization request: number, provider lines, scopes, what stands in the query.
#[test]
fn quirks() {
    for (quirk, lines, scopes, expected) in [
        (1, "scopes.separator = \",\"", &["a", "b"][..], format!("{HEAD}&scope=a%2Cb&state=st")),
        (
            2,
            "scopes.separator = \"+\"\nauthorize.raw = [\"scope\"]",
            &["a:x", "b/y"],
            format!("{HEAD}&scope=a:x+b/y&state=st"),
        ),
        (
            3,
            "scopes.always = [\"offline_access\"]",
            &["a"],
            format!("{HEAD}&scope=a%20offline_access&state=st"),
        ),
        (
            3,
            "authorize.params = { access_type = \"offline\" }",
            &[],
            format!("{HEAD}&state=st&access_type=offline"),
        ),
        (
            4,
            "authorize.params = { resource = \"https://x/y\" }",
            &[],
            format!("{HEAD}&state=st&resource=https%3A%2F%2Fx%2Fy"),
        ),
        (
            5,
            "[authorize]\nomit = [\"response_type\"]\n[authorize.param_names]\nclient_id = \"appKey\"\nredirect_uri = \
             \"redirect_url\"\nstate = \"customField\"",
            &[],
            "appKey=cid&redirect_url=https%3A%2F%2Fapp.example%2Fcb&customField=st".to_owned(),
        ),
        (6, "authorize.params = { prompt = \"\" }", &[], format!("{HEAD}&state=st")),
        (
            6,
            "authorize.raw = [\"redirect_uri\"]",
            &[],
            "response_type=code&client_id=cid&redirect_uri=https://app.example/cb&state=st".to_owned(),
        ),
        (8, "pkce = \"unsupported\"", &[], format!("{HEAD}&state=st")),
        (
            9,
            "scopes.user_param = \"user_scope\"",
            &["chat:write", "user:search"],
            format!("{HEAD}&scope=chat%3Awrite&user_scope=search&state=st"),
        ),
    ] {
        assert_eq!(
            made(lines, URL, scopes, &[]).as_deref(),
            Ok(format!("{URL}?{expected}").as_str()),
            "quirk {quirk}"
        );
    }
}

/// Quirk 4: a value used once, the same for one state, another for another.
#[test]
fn a_nonce_comes_of_the_state() {
    let got = made("authorize.nonce_param = \"nonce\"", URL, &[], &[]).expect("a URL");
    let nonce = got.split("nonce=").nth(1).expect("a nonce");
    assert_eq!(nonce.len(), 43);
    assert!(!got.contains(&pkce::sha256("st")));
}

/// Quirk 7, and the endpoint's own query.
#[test]
fn the_endpoints_own_query_and_fragment_are_kept() {
    for (endpoint, expected) in [
        ("https://a.example/x?p=1&q=%20", "https://a.example/x?p=1&q=%20&response_type"),
        ("https://a.example/x?", "https://a.example/x?response_type"),
        ("https://a.example/#/oauth/authorize", "https://a.example/#/oauth/authorize?response_type"),
        ("https://a.example/?p#/o?t=1", "https://a.example/?p#/o?t=1&response_type"),
    ] {
        assert!(made("", endpoint, &[], &[]).is_ok_and(|url| url.starts_with(expected)), "{endpoint}");
    }
}

#[test]
fn a_raw_value_can_add_no_parameter() {
    let got =
        made("authorize.raw = [\"scope\"]", URL, &["a&state=evil#x", "b\u{e9}\r\n"], &[]).expect("a URL");
    assert_eq!(got.matches("state=").count(), 2, "{got}");
    assert!(got.contains("scope=a%26state=evil%23x%20b%C3%A9%0D%0A&state=st"), "{got}");
}

#[test]
fn extra_parameters_win_over_the_files_but_are_never_the_protocols() {
    let lines =
        "authorize.params = { prompt = \"consent\" }\nauthorize.param_names = { client_id = \"client_key\" }";
    let got = made(lines, URL, &[], &[("prompt", "login"), ("hint", "a b")]).expect("a URL");
    assert!(got.ends_with("&state=st&hint=a%20b&prompt=login"), "{got}");
    for name in OWN.iter().chain(&["client_key"]) {
        let refused = Err(ProtocolError::Forbidden((*name).to_owned()));
        assert_eq!(made(lines, URL, &[], &[(name, "x")]), refused, "{name}");
    }
}

#[test]
fn nothing_is_sent_without_its_challenge_or_to_no_url() {
    let scopes = [];
    let state = Secret::new("st");
    let extra = BTreeMap::new();
    let request = |authorize_url, challenge| Request {
        authorize_url,
        client_id: "cid",
        redirect_uri: "https://app.example/cb",
        state: &state,
        scopes: &scopes,
        challenge,
        extra: &extra,
        grown: false,
    };
    let oauth2 = provider("pkce = \"S256\"");
    for challenge in [None, Some("")] {
        assert!(matches!(url(&oauth2, &request(URL, challenge)), Err(ProtocolError::Missing(_))));
    }
    for bad in [
        "",
        "acme",
        "https://{sub}.x/a",
        "javascript:alert(1)",
        "https://u@a.example/",
        "https://a.example/\n",
    ] {
        assert!(matches!(url(&oauth2, &request(bad, Some("C"))), Err(ProtocolError::Url(_))), "{bad}");
    }
}

#[test]
fn scopes_are_the_integrations_or_the_files_and_each_once() {
    let oauth2 = provider("scopes.default = [\"d\"]\nscopes.always = [\"o\"]");
    let wanted = ["a".to_owned(), "o".to_owned(), String::new(), "a".to_owned()];
    assert_eq!(scopes(&oauth2, &wanted), ["a", "o"]);
    assert_eq!(scopes(&oauth2, &[]), ["d", "o"]);
}

proptest::proptest! {
    #[test]
    fn no_value_moves_the_host_or_adds_a_parameter(id in ".*", scope in ".*", state in ".+", uri in ".*") {
        let (scopes, state, extra) = ([scope], Secret::new(state), BTreeMap::new());
        let got = url(&provider("authorize.raw = [\"scope\"]"), &Request {
            authorize_url: URL, client_id: &id, redirect_uri: &uri, state: &state,
            scopes: &scopes, challenge: None, extra: &extra, grown: false }).expect("a URL");
        let parsed = url::Url::parse(&got).expect("a URL");
        assert_eq!(parsed.host_str(), Some("acme.example"));
        assert!(parsed.fragment().is_none());
        let found: Vec<_> = parsed.query_pairs().filter(|(name, _)| name == "state").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, state.expose());
    }
}

/// A connection that is there: what was granted stays asked for, as far as it was asked for before.
#[test]
fn scopes_grow() {
    let list = |all: &[&str]| all.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
    let (wanted, asked, granted) =
        (list(&["a", "new"]), list(&["a", "b", "c"]), list(&["b", "a", "https://full/c", "extra"]));
    let union = provider("");
    assert_eq!(grown(&union, &wanted, &asked, &granted), list(&["a", "new", "b"]));
    let none = provider("scopes.grown = \"none\"");
    assert_eq!(grown(&none, &wanted, &asked, &granted), wanted);
}

/// Further parameters only then, and never over what the integration says.
#[test]
fn a_grown_request_says_so() {
    let lines = "scopes.grown_params = { include_granted_scopes = \"true\" }";
    let state = Secret::new("st");
    let made = |grown, extra: &[(&str, &str)]| {
        let extra = map(extra);
        let req = Request {
            authorize_url: URL,
            client_id: "cid",
            redirect_uri: "https://app.example/cb",
            state: &state,
            scopes: &[],
            challenge: None,
            extra: &extra,
            grown,
        };
        url(&provider(lines), &req).expect("a URL")
    };
    assert_eq!(made(false, &[]), format!("{URL}?{HEAD}&state=st"));
    assert_eq!(made(true, &[]), format!("{URL}?{HEAD}&state=st&include_granted_scopes=true"));
    let own = made(true, &[("include_granted_scopes", "false")]);
    assert_eq!(own, format!("{URL}?{HEAD}&state=st&include_granted_scopes=false"));
}
