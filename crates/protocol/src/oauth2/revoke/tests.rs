use claviger_catalog::{Catalog, ClientAuth};

use super::*;
use crate::oauth2::testing::{client, provider, shown, tokens};

fn made(oauth2: &OAuth2, url: Option<&str>, refresh: Option<&str>) -> Vec<String> {
    made_of(oauth2, url, &tokens("AT", refresh))
}

fn made_of(oauth2: &OAuth2, url: Option<&str>, tokens: &Tokens) -> Vec<String> {
    let secret = Secret::new("s3c");
    let client = client(&secret, ClientAuth::Body);
    let made = |call: &Call<'_>| shown(&request(oauth2, call, &client, tokens).expect("a request"));
    calls(oauth2, url, tokens).iter().map(made).collect()
}

/// RFC 7009 §2.1.
#[test]
fn the_refresh_token_goes_first() {
    let url = "https://acme.example/revoke";
    let tail = "client_id=cid&client_secret=s3c";
    let access = format!("POST {url}\n\ntoken=AT&token_type_hint=access_token&{tail}");
    let refresh = format!("POST {url}\n\ntoken=RT&token_type_hint=refresh_token&{tail}");
    assert_eq!(made(&provider(""), Some(url), Some("RT")), [refresh, access.clone()]);
    assert_eq!(made(&provider(""), Some(url), None), [access]);
    assert!(made(&provider(""), None, Some("RT")).is_empty());
}

/// Quirk 58: every provider has its own call.
#[test]
fn a_files_own_call() {
    let lines = "[revoke]\nurl = \"https://acme.example/tokens/{token}\"\nmethod = \"DELETE\"\n\
                 headers = { Authorization = \"Bearer {access_token}\" }";
    assert_eq!(
        made(&provider(lines), Some("https://unused.example/"), Some("R/T ?")),
        ["DELETE https://acme.example/tokens/R%2FT%20%3F\nauthorization: Bearer AT"]
    );
    let lines = "[revoke]\nurl = \"https://acme.example/revoke\"\nformat = \"json\"\nbody = \"null\"\n\
                 headers = { Authorization = \"Bearer {access_token}\" }";
    assert_eq!(
        made(&provider(lines), None, Some("RT")),
        ["POST https://acme.example/revoke\nauthorization: Bearer AT\n\nnull"]
    );
    let both = "[revoke]\nurl = \"https://acme.example/revoke\"\ntoken = \"both\"\n\
                headers = { Authorization = \"Bearer {token}\" }";
    let call = |token: &str| format!("POST https://acme.example/revoke\nauthorization: Bearer {token}");
    assert_eq!(made(&provider(both), None, Some("RT")), [call("RT"), call("AT")]);
    assert_eq!(made(&provider(both), None, None), [call("AT")]);
    let catalog = Catalog::builtin().expect("the catalog");
    let github = catalog.get("github").expect("github");
    let secret = Secret::new("s3c");
    let client = client(&secret, ClientAuth::Basic);
    let (oauth2, held) = (github.oauth2().expect("oauth2"), tokens("AT", None));
    let made = |call: &Call<'_>| shown(&request(oauth2, call, &client, &held).expect("a request"));
    assert_eq!(
        calls(oauth2, None, &held).iter().map(made).collect::<Vec<_>>(),
        [
            "DELETE https://api.github.com/applications/cid/token\nauthorization: Basic Y2lkOnMzYw==\nuser-agent: claviger\
          \n\n{\"access_token\":\"AT\"}"
        ]
    );
}

/// What an access token was exchanged for goes with it; what is not there is not sent.
#[test]
fn an_exchanged_token_and_the_first_grants_both_go() {
    let url = "https://acme.example/revoke";
    let sent = |oauth2: &OAuth2, tokens: &Tokens| -> Vec<String> {
        let made = made_of(oauth2, Some(url), tokens);
        let token = |text: &String| text.rsplit_once("token=").map(|(_, rest)| rest.to_owned());
        made.iter()
            .map(|text| text.split('&').next().and_then(|head| token(&head.to_owned())).unwrap())
            .collect()
    };
    let (access, refresh) = (Secret::new("exchanged"), Secret::new("RT"));
    let first = Tokens { refresh_token: Some(refresh), ..tokens("first", None) };
    let both = first.exchanged(Tokens::of(access, "Bearer"));
    assert_eq!(sent(&provider(""), &both), ["RT", "exchanged", "first"]);
    let lacking =
        Tokens { access_token: Secret::new(""), refresh_token: Some(Secret::new("")), ..both.clone() };
    assert_eq!(sent(&provider(""), &lacking), ["first"]);
    let file = |token: &str| {
        provider(&format!(
            "[revoke]\nurl = \"{url}\"\ntoken = \"{token}\"\nparams = {{ token = \"{{token}}\" }}"
        ))
    };
    assert_eq!(sent(&file("access_token"), &both), ["exchanged", "first"]);
    assert_eq!(sent(&file("refresh_token"), &both), ["RT"]);
    assert_eq!(sent(&file("refresh_token"), &lacking), ["first"]);
    assert_eq!(sent(&file("both"), &both), ["RT", "exchanged", "first"]);
}

#[test]
fn answers() {
    let oauth2 = provider("");
    let got = |status: u16, body: &str| {
        outcome(&oauth2, StatusCode::from_u16(status).expect("a status"), body.as_bytes())
    };
    assert_eq!(got(200, ""), Outcome::Revoked);
    assert_eq!(got(204, ""), Outcome::Revoked);
    assert_eq!(got(400, r#"{"error":"invalid_token"}"#), Outcome::Revoked);
    assert_eq!(got(400, r#"{"error":"unsupported_token_type"}"#), Outcome::Unsupported);
    assert_eq!(got(404, "<html>"), Outcome::Unsupported);
    assert_eq!(got(503, ""), Outcome::Failed("HTTP 503".to_owned()));
    assert_eq!(
        got(401, r#"{"error":"invalid_client"}"#),
        Outcome::Failed("HTTP 401: invalid_client".to_owned())
    );
}

/// Quirk 27: a revocation that did not happen, told with status 200.
#[test]
fn a_success_may_hold_an_error() {
    let oauth2 =
        provider("answer.error = { path = \"ok\", is = [\"false\"], invalid_grant = [\"token_revoked\"] }");
    let got = |body: &str| outcome(&oauth2, StatusCode::OK, body.as_bytes());
    assert_eq!(got(r#"{"ok":true,"revoked":true}"#), Outcome::Revoked);
    assert_eq!(got(r#"{"ok":false,"error":"token_revoked"}"#), Outcome::Revoked);
    let failed = Outcome::Failed("HTTP 200: ratelimited".to_owned());
    assert_eq!(got(r#"{"ok":false,"error":"ratelimited"}"#), failed);
}
