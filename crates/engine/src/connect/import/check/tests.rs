use std::collections::BTreeMap;

use super::*;
use crate::{
    domain::{
        connection::{Owner, OwnerKind},
        integration::{AsOf, CallbackKind, Config, Mode},
    },
    id::{IntegrationId, WorkspaceId},
    time::Millis,
};

const FILE: &str = r#"
key = "desk"
name = "Desk"
category = "testing"

[oauth2.endpoints]
source = "file"
authorize_url = "https://{subdomain}.desk.example/authorize"
token_url = "https://{subdomain}.desk.example/token"

[oauth2.answer.save.site]
path = "site"
pattern = "^[a-z0-9]{1,20}$"

[api]
base_url = "https://{subdomain}.desk.example/{site}"

[[inputs]]
key = "subdomain"
title = "Subdomain"
placeholder = "acme"
pattern = "^[a-z0-9-]{1,63}$"

[[inputs]]
key = "app_key"
title = "Key of the app"
pattern = "^[a-z]{1,9}$"
asked_of = "operator"
required = false

[[inputs]]
key = "note"
title = "Note"
pattern = "^[a-z]{1,9}$"
required = false
"#;

fn provider() -> Provider {
    Provider::parse("desk.toml", FILE).expect("a provider file")
}

fn integration(inputs: &[(&str, &str)]) -> Integration {
    Integration {
        id: IntegrationId::new(),
        workspace_id: WorkspaceId::new(),
        key: "desk".into(),
        provider: "desk".into(),
        name: "Desk".into(),
        description: None,
        tags: Vec::new(),
        owner: None,
        mode: Mode::PerUser,
        client_id: None,
        client_secret: None,
        scopes: Vec::new(),
        callback: CallbackKind::Own,
        config: Config { inputs: map(inputs), ..Config::default() },
        version: 1,
        disabled_at: None,
        created_at: Millis(0),
        updated_at: Millis(0),
        as_of: AsOf::default(),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn brought() -> Import<'static> {
    Import {
        integration: "desk",
        only: None,
        owner: Owner { kind: OwnerKind::External, key: Some("u".into()) },
        access_token: Secret::new("at"),
        refresh_token: Some(Secret::new("rt")),
        expires_in: Some(3600),
        scopes: Some(vec!["read".into()]),
        inputs: BTreeMap::new(),
        verify: false,
    }
}

/// The field at fault.
fn field<T>(checked: Result<T>) -> Option<&'static str> {
    match checked {
        Ok(_) => None,
        Err(Error::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_can_be_no_token_is_refused_and_not_repeated() {
    assert_eq!(field(plain(&brought())), None);
    let long = "t".repeat(MAX_TOKEN + 1);
    for bad in [
        "",
        " ",
        "canary\nb",
        "canary\r\nX: y",
        "canary\0b",
        " canary",
        "canary ",
        "canary\tb",
        "canary\u{e9}",
        "canary\u{7f}",
        long.as_str(),
    ] {
        let access = plain(&Import { access_token: Secret::new(bad), ..brought() });
        let text = access.as_ref().map_or_else(ToString::to_string, |()| String::new());
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(field(access), Some("access_token"), "{bad:?}");
        let refresh = plain(&Import { refresh_token: Some(Secret::new(bad)), ..brought() });
        assert_eq!(field(refresh), Some("refresh_token"), "{bad:?}");
    }
    for good in ["a b", "ey.a-b_c~+/=", &long[1..]] {
        assert_eq!(field(plain(&Import { access_token: Secret::new(good), ..brought() })), None);
    }
    assert_eq!(field(plain(&Import { refresh_token: None, ..brought() })), None);
}

#[test]
fn owner_life_and_scopes_have_their_limits() {
    let owner = |key: Option<&str>| Owner { kind: OwnerKind::External, key: key.map(str::to_owned) };
    let (fits, long) = ("\u{e9}".repeat(256), "\u{e9}".repeat(256) + "x");
    for (key, want) in [
        (None, None),
        (Some(fits.as_str()), None),
        (Some(long.as_str()), Some("external_id")),
        (Some(""), Some("external_id")),
        (Some("a\0"), Some("external_id")),
    ] {
        assert_eq!(field(plain(&Import { owner: owner(key), ..brought() })), want, "{key:?}");
    }
    for (seconds, want) in [(0, None), (315_360_000, None), (315_360_001, Some("expires_in"))] {
        assert_eq!(field(plain(&Import { expires_in: Some(seconds), ..brought() })), want, "{seconds}");
    }
    assert_eq!(field(plain(&Import { expires_in: Some(u64::MAX), ..brought() })), Some("expires_in"));
    let (many, longest) = (vec!["s".to_owned(); 1001], vec!["s".repeat(513)]);
    for scopes in [vec![String::new()], vec!["a b".to_owned()], vec!["a\n".to_owned()], many, longest] {
        assert_eq!(field(plain(&Import { scopes: Some(scopes), ..brought() })), Some("scopes"));
    }
}

#[test]
fn inputs_are_checked_and_what_the_integration_fixes_wins() {
    let (provider, open, fixed) =
        (provider(), integration(&[]), integration(&[("subdomain", "house"), ("app_key", "k")]));
    let take = |of: &Integration, given: &[(&str, &str)]| inputs(&provider, of, &map(given));
    let got = take(&open, &[("subdomain", " acme "), ("site", "s1"), ("note", "")]);
    assert_eq!(got.unwrap_or_default(), map(&[("subdomain", "acme"), ("site", "s1")]));
    for given in [&[("subdomain", "acme")][..], &[("subdomain", "evil.test/")], &[("app_key", "x")], &[]] {
        let got = take(&fixed, given).unwrap_or_default();
        assert_eq!(got, map(&[("subdomain", "house"), ("app_key", "k")]), "{given:?}");
    }
    for bad in [
        ("subdomain", "evil.test/"),
        ("subdomain", "a.b"),
        ("site", "../x"),
        ("app_key", "k"),
        ("client_id", "another"),
        ("token_url", "https://evil.test"),
        ("elsewhere", "x"),
    ] {
        assert_eq!(field(take(&open, &[bad])), Some("inputs"), "{bad:?}");
    }
}

#[test]
fn what_the_address_is_made_of_must_be_known_or_come() {
    let (provider, open) = (provider(), integration(&[]));
    let complete = |given: &[(&str, &str)], later: &[&str]| complete(&provider, &open, &map(given), later);
    let told = |checked: Result<()>| checked.err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(told(complete(&[], &["site"])), "inputs: `subdomain` is needed: Subdomain, such as acme");
    let text = told(complete(&[("subdomain", "acme")], &[]));
    assert_eq!(text, "inputs: `site` is needed: the API's address is made of it");
    assert_eq!(told(complete(&[("subdomain", "acme")], &["site"])), "");
    assert_eq!(told(complete(&[("subdomain", "acme"), ("site", "s")], &[])), "");
}
