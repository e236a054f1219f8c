//! Apps that operators lend: their clients connect, their secrets are rotated by the operator, and nobody reads them.

use std::time::Duration;

use claviger_engine::{
    domain::integration::{CallbackKind, Config},
    secret::Secret,
    setup::{self, NewIntegration, NewOauthApp},
};
use http::Method;
use serde_json::json;

use super::{
    admin, ask,
    front::{Front, connected, failed},
};
use crate::support::{Browser, Options, Stub, TestApp, app::new_integration, on_each_with};

const SECRET: &str = "canary-secret-of-the-operators-app";

fn file(stub: &str) -> String {
    format!(
        "key = \"shop\"\nname = \"Shop\"\n[oauth2]\nclient_auth = \"body\"\n[oauth2.endpoints]\n\
         authorize_url = \"{stub}/authorize\"\ntoken_url = \"{stub}/token\"\nrevoke_url = \"{stub}/revoke\"\n\
         [api]\nbase_url = \"{stub}/api\"\n"
    )
}

fn lent(secret: &str) -> NewOauthApp {
    NewOauthApp {
        key: "ours".into(),
        provider: "shop".into(),
        client_id: "operators-app".into(),
        client_secret: Some(Secret::new(secret)),
    }
}

async fn integrate(app: &TestApp) {
    let ws = &app.acme.workspace;
    let config = Config { proxy_key: Some("ours".into()), ..Config::default() };
    let input = NewIntegration {
        client_id: None,
        client_secret: None,
        callback: Some(CallbackKind::OauthCallback),
        ..new_integration("shop", "shop", config)
    };
    app.change(async |to| {
        setup::oauth_app(to, ws, lent(SECRET)).await?;
        setup::integration(to, ws, input).await
    })
    .await;
}

/// What the token endpoint was last sent.
fn sent(stub: &Stub, name: &str) -> Option<String> {
    let seen = stub.seen().into_iter().rfind(|seen| seen.path == "/token")?;
    seen.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

#[tokio::test]
async fn a_lent_app_connects_refreshes_and_is_rotated_and_never_shown() {
    let stub = Stub::start().await;
    let text = file(&stub.origin);
    let options = || Options { providers: vec![("shop.toml", text.clone())], ..Options::default() };
    on_each_with(options, async |app| {
        integrate(app).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let wish = || json!({ "integrationKey": "shop" });
        let leg = front.set_out(&browser, wish()).await;
        assert!(leg.url.contains("client_id=operators-app"), "{}", leg.url);
        let id = connected(&browser.get(&leg.back(&[("code", "c1")])).await);
        assert_eq!(sent(&stub, "client_secret").as_deref(), Some(SECRET));

        let ws = &app.acme.workspace;
        let under_way = front.set_out(&browser, wish()).await;
        app.change(async |to| {
            let was = to.conn.oauth_app(ws, "ours").await?.unwrap();
            setup::update_oauth_app(to, &was, lent("canary-rotated")).await
        })
        .await;
        let (text, _) = failed(&browser.get(&under_way.back(&[("code", "c2")])).await);
        assert!(text.contains("changed"), "{text}");
        app.pass(Duration::from_secs(3601));
        let path = format!("/connections/{id}/proxy/me");
        let called = ask(app, &front.token, Method::GET, &path, None).await;
        assert_ne!(called.status, 401, "{}", called.text());
        assert_eq!(sent(&stub, "grant_type").as_deref(), Some("refresh_token"));
        assert_eq!(sent(&stub, "client_secret").as_deref(), Some("canary-rotated"));

        let admin = admin(app, &app.acme).await;
        for path in
            ["/integrations", "/integrations/shop", "/integrations/shop/connector-spec", "/connections"]
        {
            for token in [&admin, &front.token] {
                let told = ask(app, token, Method::GET, path, None).await;
                let told = told.text();
                for hidden in ["operators-app", "canary-rotated", "ours\""] {
                    assert!(!told.contains(hidden), "{path}: {told}");
                }
            }
        }
    })
    .await;
}
