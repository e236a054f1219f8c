use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::*;
use crate::{
    oauth2::testing::{map, shown, tokens},
    secret::Secret,
};

fn identity(text: &str) -> Identity {
    toml::from_str(text).expect("an identity")
}

#[test]
fn where_the_identity_is_asked() {
    let tokens = tokens("AT", None);
    let ask = |text: &str, userinfo: Option<&str>, base: Option<&str>| {
        let api = Api { base_url: base.map(str::to_owned), ..Api::default() };
        request(&identity(text), userinfo, &api, &tokens).map(|made| made.as_ref().map(shown))
    };
    let get = |url: &str| Ok(Some(format!("GET {url}\nauthorization: Bearer AT")));
    assert_eq!(ask("id = \"sub\"", Some("https://op.example/me"), None), get("https://op.example/me"));
    assert_eq!(ask("id = \"sub\"", None, Some("https://api.example")), Ok(None));
    let below = "source = \"call\"\nid = \"id\"\ncall = { url = \"/v1/me\" }";
    assert_eq!(ask(below, None, Some("https://api.example/x/")), get("https://api.example/x/v1/me"));
    assert!(ask(below, None, None).is_err());
    // Quirk 56: a POST with a body, with its own header.
    let post = "source = \"call\"\nid = \"id\"\n[call]\nmethod = \"POST\"\nurl = \"https://api.example/graphql\"\nformat = \
                \"json\"\nparams = { query = \"{ viewer { id } }\" }\nheaders = { Authorization = \"Key {token}\" }";
    let null = "source = \"call\"\nid = \"id\"\n[call]\nmethod = \"POST\"\nurl = \"https://api.example/me\"\nformat = \
                \"json\"\nbody = \"null\"";
    assert_eq!(
        ask(null, None, None),
        Ok(Some("POST https://api.example/me\nauthorization: Bearer AT\n\nnull".to_owned()))
    );
    assert_eq!(
        ask(post, None, None),
        Ok(Some(
            "POST https://api.example/graphql\nauthorization: Key AT\n\n{\"query\":\"{ viewer { id } }\"}"
                .to_owned()
        ))
    );
}

/// Quirk 57: what a call says, at any depth, with values that later URLs need.
#[test]
fn what_is_read() {
    let text = "id = \"0.id\"\nname = [\"0.nick\", \"0.name\"]\nemail = \"0.mail\"\n\
                [save.cloud]\npath = \"0.id\"\npattern = \"^[a-z0-9-]+$\"\n[save.url]\npath = \"0.url\"\npattern = \"^https://[a-z]+\\\\.example$\"";
    let got = read(
        &identity(text),
        br#"[{"id":"c-1","nick":"","name":"Acme\u202e ","mail":"a@b.c","url":"https://evil"}]"#,
    );
    assert_eq!(got.id.as_deref(), Some("c-1"));
    assert_eq!(got.name.as_deref(), Some("Acme"));
    assert_eq!(got.email.as_deref(), Some("a@b.c"));
    assert_eq!(got.saved, map(&[("cloud", "c-1")]));
    assert_eq!(read(&identity("id = \"id\""), br#"{"id":17}"#).id.as_deref(), Some("17"));
    for body in [&b""[..], b"<html>", b"{}", b"[]", b"{\"id\":{}}", b"{\"id\":\"a\\u0000\"}"] {
        assert_eq!(read(&identity("id = \"id\""), body), Account::default());
    }
}

#[test]
fn what_comes_with_the_tokens() {
    let mut with = tokens("AT", None);
    with.saved = map(&[("team", "T1")]);
    with.id_token = Some(Secret::new(format!(
        "e30.{}.c2ln",
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"s1","email":"e@x"}"#)
    )));
    let saved = from_tokens(&identity("source = \"saved\"\nid = \"team\""), &with).expect("an account");
    assert_eq!(saved.id.as_deref(), Some("T1"));
    let claims = from_tokens(&identity("source = \"id_token\"\nid = \"sub\"\nemail = \"email\""), &with);
    assert_eq!(claims.and_then(|account| account.email).as_deref(), Some("e@x"));
    assert!(from_tokens(&identity("id = \"sub\""), &with).is_none());
    assert!(from_tokens(&identity("source = \"id_token\"\nid = \"sub\""), &tokens("AT", None)).is_none());
}

/// A call shows the credential where the API's calls do; the userinfo endpoint takes `Bearer`.
#[test]
fn a_typed_in_credential_is_shown_where_the_api_takes_it() {
    let api = toml::from_str("base_url = \"https://api.example\"\nplace.query = \"key\"").expect("an api");
    let ask = |text: &str| {
        let made = request(&identity(text), Some("https://op.example/me"), &api, &tokens("K", None));
        made.expect("built").as_ref().map(shown)
    };
    let call = ask("source = \"call\"\nid = \"id\"\ncall = { url = \"/me?x=1\" }");
    assert_eq!(call.as_deref(), Some("GET https://api.example/me?x=1&key=K"));
    let userinfo = ask("id = \"sub\"");
    assert_eq!(userinfo.as_deref(), Some("GET https://op.example/me\nauthorization: Bearer K"));
}
