//! What a page may say about a connection, and what not.

use claviger_catalog::Catalog;
use serde_json::json;

use super::*;
use crate::{
    connect::endpoints,
    domain::integration::{AsOf, CallbackKind, Config, Mode},
    id::{IntegrationId, WorkspaceId},
    time::Millis,
};

fn integration(provider: &str, listed: &[&str]) -> Integration {
    Integration {
        id: IntegrationId::new(),
        workspace_id: WorkspaceId::new(),
        key: "it".into(),
        provider: provider.into(),
        name: "It".into(),
        description: None,
        tags: Vec::new(),
        owner: None,
        mode: Mode::PerUser,
        client_id: None,
        client_secret: None,
        scopes: vec!["own".into()],
        callback: CallbackKind::OauthCallback,
        config: Config {
            connector_parameters: listed.iter().map(|name| (*name).to_owned()).collect(),
            ..Config::default()
        },
        version: 1,
        disabled_at: None,
        created_at: Millis(0),
        updated_at: Millis(0),
        as_of: AsOf::default(),
    }
}

fn said(listed: &[&str], given: &Value) -> Result<BTreeMap<String, String>> {
    let provider = Catalog::builtin().unwrap().get("zendesk").unwrap();
    let given = given.as_object().unwrap().clone();
    connector_parameters(&integration("zendesk", listed), &provider, &given)
}

#[test]
fn only_what_is_listed_and_looks_right_is_taken() {
    let all = ["subdomain", "scopes"];
    let taken = said(&all, &json!({ "subdomain": " acme ", "scopes": ["read", "write"] })).unwrap();
    assert_eq!(
        taken,
        [("scopes", "read write"), ("subdomain", "acme")].map(|(k, v)| (k.into(), v.into())).into()
    );
    let nothing = said(&all, &json!({ "subdomain": "", "scopes": null })).unwrap();
    assert!(nothing.is_empty());
    for (listed, given, named) in [
        (&all[1..], json!({ "subdomain": "acme" }), "subdomain"),
        (&all[..1], json!({ "scopes": "read" }), "scopes"),
        (&all[..], json!({ "client_id": "x" }), "client_id"),
        (&all[..], json!({ "token_url": "https://evil.example" }), "token_url"),
        (&all[..], json!({ "subdomain": "evil.example/" }), "subdomain"),
        (&all[..], json!({ "subdomain": ["acme"] }), "subdomain"),
        (&all[..], json!({ "subdomain": 1 }), "subdomain"),
        (&all[..], json!({ "scopes": ["a", 1] }), "scopes"),
        (&all[..], json!({ "scopes": "a\nb" }), "scopes"),
        (&all[..], json!({ "scopes": "a".repeat(SCOPES_MAX + 1) }), "scopes"),
    ] {
        match said(listed, &given) {
            Err(Error::Invalid { field: "connector_parameters", message }) => {
                assert!(message.starts_with(&format!("{named}: ")), "{message}");
            }
            other => panic!("{given}: {other:?}"),
        }
    }
}

#[test]
fn scopes_that_a_page_said_are_asked_for_where_the_integration_lets_them() {
    let provider = Catalog::builtin().unwrap().get("zendesk").unwrap();
    let values = BTreeMap::from([("scopes".to_owned(), "read  write".to_owned())]);
    let of = |listed: &[&str]| scopes(&integration("zendesk", listed), &provider, &values);
    assert_eq!(of(&["scopes"]), ["read", "write"]);
    assert_eq!(of(&["subdomain"]), ["own"], "not listed");
    let none = scopes(&integration("zendesk", &["scopes"]), &provider, &BTreeMap::new());
    assert_eq!(none, ["own"]);
}

#[test]
fn an_address_of_the_operators_own_stands_in_for_our_callback() {
    let mut it = integration("zendesk", &[]);
    assert_eq!(endpoints::redirect_uri("https://our.example", &it), "https://our.example/oauth-callback");
    it.config.callback_uri = Some("https://app.example/cb?x=1".into());
    assert_eq!(endpoints::redirect_uri("https://our.example", &it), "https://app.example/cb?x=1");
    it.callback = CallbackKind::Shared;
    assert_eq!(endpoints::redirect_uri("https://our.example", &it), "https://our.example/oauth2/callback");
}
