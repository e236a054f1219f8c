//! Flows that began at the provider: only where the integration lets them, and only after a click.

use claviger_engine::{
    domain::integration::{CallbackKind, Config},
    id::IntegrationId,
    setup::NewIntegration,
};
use serde_json::json;

use super::{
    front::{Front, REQUEST, connected, failed},
    seconds, token,
};
use crate::support::{Browser, CB, Options, Stub, TestApp, app::new_integration, encode, on_each_with};

/// A catalog provider whose endpoints are a stub's.
fn shop(stub: &str) -> String {
    format!(
        "key = \"shop\"\nname = \"Shop\"\n[oauth2.endpoints]\nauthorize_url = \"{stub}/authorize\"\n\
         token_url = \"{stub}/token\"\n[api]\nbase_url = \"{stub}/api\"\n"
    )
}

async fn integrate(app: &TestApp, key: &str, outside_start: bool) -> IntegrationId {
    let config = Config { outside_start, ..Config::default() };
    let callback = Some(CallbackKind::OauthCallback);
    app.integrate_as(&app.acme, NewIntegration { callback, ..new_integration(key, "shop", config) }).await
}

fn url(front: &Front<'_>, extra: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("integration", "shop"),
        ("code", "canary_code"),
        ("token", front.token.as_str()),
        ("redirectUri", CB),
    ];
    for (name, value) in extra {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    format!("{}/oauth-callback?{}", front.app.origin, encode(&pairs))
}

#[tokio::test]
async fn a_code_from_outside_is_redeemed_on_a_click_and_once() {
    let stub = Stub::start().await;
    let options = || Options { providers: vec![("shop.toml", shop(&stub.origin))], ..Options::default() };
    on_each_with(options, async |app| {
        integrate(app, "shop", true).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let before = stub.token_requests();
        let began = browser.get(&url(&front, &[])).await;
        assert_eq!(began.status, 302, "{}", began.text());
        assert!(began.location().starts_with("/connect/flow_"), "{}", began.location());
        assert!(!began.location().contains("canary"), "neither code nor token is in the address any more");
        let page = front.follow(&browser, &began).await;
        page.assert_page(200, "user-1");
        assert_eq!(stub.token_requests(), before, "nothing is redeemed yet");
        let at = format!("{}{}", app.origin, began.location());
        Browser::new().submit(&at, &[("decision", "continue")]).await.assert_page(400, "another browser");
        let done = browser.submit(&at, &[("decision", "continue")]).await;
        assert!(done.location().contains("connectionId"), "{}", done.location());
        let id = connected(&done);
        assert_eq!(stub.token_requests(), before + 1);
        let sent = stub.seen().into_iter().rfind(|seen| seen.path == "/token").unwrap().form();
        let is = |name: &str| sent.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(is("code"), Some("canary_code"));
        assert_eq!(is("redirect_uri"), Some(format!("{}/oauth-callback", app.origin).as_str()));
        assert_eq!(is("code_verifier"), None);
        assert_eq!(browser.submit(&at, &[("decision", "continue")]).await.location(), done.location());
        assert_eq!(stub.token_requests(), before + 1, "a second click is the same click");
        assert_eq!(app.connection(&app.acme, &id).await.owner.key.as_deref(), Some("user-1"));

        // Who says no leaves nothing, and who says nothing of where to go begins nothing.
        let began = browser.get(&url(&front, &[])).await;
        let at = format!("{}{}", app.origin, began.location());
        let done = browser.submit(&at, &[("decision", "cancel")]).await;
        assert_eq!(failed(&done).1["data"]["error"], "access_denied");
        browser.submit(&at, &[("decision", "continue")]).await.assert_page(400, "used already");
        browser.get(&url(&front, &[("redirectUri", "")])).await.assert_page(400, "must be registered");
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_wanted_from_outside_begins_nothing() {
    let stub = Stub::start().await;
    let options = || Options { providers: vec![("shop.toml", shop(&stub.origin))], ..Options::default() };
    on_each_with(options, async |app| {
        integrate(app, "shut", false).await;
        integrate(app, "shop", true).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let before = stub.token_requests();
        let (_, data) = failed(&browser.get(&url(&front, &[("integration", "shut")])).await);
        assert_eq!(data["key"], "access_denied", "it is off unless it is on");
        for (extra, kind) in [
            (&[("integration", "nosuch")][..], "bad_request"),
            (&[("integration", "sandbox")], "bad_request"),
            (&[("code", "")], "bad_request"),
            (&[("code", ""), ("error", "access_denied")], "connection"),
        ] {
            let (_, data) = failed(&browser.get(&url(&front, extra)).await);
            assert_eq!(data["type"], kind, "{extra:?} {data}");
        }
        let old = token(app, &app.acme, json!({ "id": "user-1", "exp": seconds(app) - 61 })).await;
        let (_, data) = failed(&browser.get(&url(&front.with(&old), &[])).await);
        assert_eq!(data["key"], "not_authenticated");
        for (extra, status) in [
            (&[("token", "")][..], 401),
            (&[("token", "nonsense")], 401),
            (&[("redirectUri", "https://evil.test/")], 400),
            (&[("redirectUri", "https://evil.test/"), ("integration", "nosuch")], 400),
        ] {
            browser.get(&url(&front, extra)).await.assert_page(status, "Nothing was connected");
        }
        // With a state it is a callback like any other, and without an integration too.
        browser.get(&url(&front, &[("state", REQUEST)])).await.assert_refused("an unknown state");
        browser.get(&url(&front, &[("integration", "")])).await.assert_refused("no state");
        assert_eq!(stub.token_requests(), before);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_callback_of_the_products_own_leads_back_here() {
    let stub = Stub::start().await;
    let options = || Options { providers: vec![("shop.toml", shop(&stub.origin))], ..Options::default() };
    on_each_with(options, async |app| {
        let own = "https://app.acme.test/oauth/back";
        let config = Config { callback_uri: Some(own.to_owned()), ..Config::default() };
        let callback = Some(CallbackKind::OauthCallback);
        let wish = NewIntegration { callback, ..new_integration("shop", "shop", config) };
        app.integrate_as(&app.acme, wish).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let leg = front.set_out(&browser, json!({ "integrationKey": "shop" })).await;
        assert_eq!(leg.redirect_uri(), own);
        // Whoever serves it sends the browser on, with what the provider said.
        let said = encode(&[("code", "canary_code"), ("state", leg.state())]);
        connected(&browser.get(&format!("{}/oauth-callback?{said}", app.origin)).await);
        let sent = stub.seen().into_iter().rfind(|seen| seen.path == "/token").expect("a request").form();
        assert!(sent.contains(&("redirect_uri".to_owned(), own.to_owned())), "the token request repeats it");
    })
    .await;
}
