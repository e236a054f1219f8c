//! Auth options: a connection made by one lives by it, with its client, at its service, until its end.

use std::time::Duration;

use claviger_engine::{
    connect::tokens::client_secret_aad,
    domain::{connection::Status, integration::Config},
    secret::Secret,
    setup::{self, NewAuthOption, NewIntegration},
};
use http::Method;
use serde_json::json;

use super::{
    ask,
    front::{Front, connected, end, failed},
};
use crate::support::{
    Browser, Options, Reply, Stub, TestApp,
    app::{at, new_integration},
    on_each, on_each_with, sandbox,
};

const HOUR: Duration = Duration::from_secs(3601);

/// An integration whose own way leads nowhere, and its option `real`, which is the sandbox's.
async fn integrate(app: &TestApp) {
    let ws = &app.acme.workspace;
    let nowhere = NewIntegration {
        client_id: Some("nobody".into()),
        client_secret: Some(Secret::new("nothing")),
        ..new_integration("many", "oauth2", at("https://nowhere.test"))
    };
    let option = option(app, Secret::new(sandbox::SECRET));
    app.change(async |to| {
        let made = setup::integration(to, ws, nowhere).await?;
        setup::auth_option(to, &made, option).await
    })
    .await;
}

fn option(app: &TestApp, secret: Secret) -> NewAuthOption {
    NewAuthOption {
        key: "real".into(),
        title: None,
        description: None,
        provider: Some("sandbox".into()),
        client_id: Some(sandbox::CLIENT.into()),
        client_secret: Some(secret),
        scopes: vec!["read".into()],
        callback: None,
        config: at(&app.sandbox.origin),
        nth: 0,
    }
}

fn wish() -> serde_json::Value {
    json!({ "integrationKey": "many", "authOptionKey": "real" })
}

#[tokio::test]
async fn what_an_option_made_lives_by_it_until_its_end() {
    on_each(async |app| {
        integrate(app).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let leg = front.set_out(&browser, wish()).await;
        assert!(
            leg.redirect_uri().contains("/oauth2/callback/opt_"),
            "a path of its own: {}",
            leg.redirect_uri()
        );
        let back = browser.consent(&leg, "alice", "allow").await;
        let id = connected(&browser.get(&back).await);
        let made = app.connection(&app.acme, &id).await;
        assert_eq!((made.auth_option.as_deref(), made.status), (Some("real"), Status::Active));
        assert_eq!((made.scopes_asked, made.account.name.is_some()), (vec!["read".to_owned()], true));

        app.pass(HOUR);
        let path = format!("/connections/{id}/proxy/me");
        let called = ask(app, &front.token, Method::GET, &path, None).await;
        assert_eq!(called.status, 200, "at its base URL: {}", called.text());
        assert_eq!(app.sandbox.stats().await.token_requests.refresh_token, 1, "refreshed with its client");
        end(app, &id).await;
        let told =
            app.read().await.revocations(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
        assert_eq!(told[0].outcome, "revoked", "{}", told[0].detail);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_option_ends_its_flows_and_an_unknown_one_begins_none() {
    on_each(async |app| {
        integrate(app).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let leg = front.set_out(&browser, wish()).await;
        let ws = &app.acme.workspace;
        app.change(async |to| {
            let of = to.conn.integration_by_selector(ws, "many").await?.unwrap();
            let was = to.conn.auth_option(ws, &of.id, "real").await?.unwrap();
            setup::update_auth_option(to, &of, &was, option(app, Secret::new("other"))).await
        })
        .await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let (text, _) = failed(&browser.get(&back).await);
        assert!(text.contains("changed"), "{text}");
        assert_eq!(app.sandbox.exchanges().await, 0, "the code went nowhere");
        let none = json!({ "integrationKey": "many", "authOptionKey": "none" });
        failed(&front.submit(&browser, none).await);
        assert_eq!(front.connections().await.len(), 0);
        let found = app.read().await.integration_by_selector(ws, "many").await.unwrap().unwrap();
        let found = app.read().await.as_option(ws, found, Some("real")).await.unwrap().unwrap();
        let secret = app.broker.vault.open(&client_secret_aad(&found), &found.client_secret.clone().unwrap());
        assert_eq!(secret.unwrap().expose(), "other");
    })
    .await;
}

#[tokio::test]
async fn a_code_of_one_option_is_not_taken_at_anothers_callback() {
    on_each(async |app| {
        integrate(app).await;
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let leg = front.set_out(&browser, wish()).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let id = leg.redirect_uri().rsplit('/').next().unwrap().to_owned();
        let of =
            app.read().await.integration_by_selector(&app.acme.workspace, "many").await.unwrap().unwrap();
        let astray = back.replace(&id, of.id.as_str());
        assert_ne!(astray, back);
        browser.get(&astray).await.assert_page(400, "another integration");
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

/// A provider that is asked whether a token works before a connection is made of it.
fn careful(origin: &str) -> String {
    format!(
        "key = \"careful\"\nname = \"Careful\"\n[oauth2.endpoints]\nauthorize_url = \"{origin}/authorize\"\n\
         token_url = \"{origin}/token\"\nrevoke_url = \"{origin}/revoke\"\n[api]\nbase_url = \"{origin}/api\"\n\
         [verify]\nrefused = [403]\n[[verify.calls]]\nurl = \"/check\"\n"
    )
}

#[tokio::test]
async fn a_new_credential_that_does_not_work_makes_nothing_and_is_revoked() {
    let stub = Stub::start().await;
    let file = careful(&stub.origin);
    let options = || Options { providers: vec![("careful.toml", file.clone())], ..Options::default() };
    on_each_with(options, async |app| {
        let of = app.integrate_as(&app.acme, new_integration("careful", "careful", Config::default())).await;
        let front = Front::new(app, "user-1").await;
        let wish = || json!({ "integrationKey": "careful" });
        let revoked = || stub.seen().iter().filter(|seen| seen.path == "/revoke").count();
        let before = revoked();
        let refusal = r#"{"message":"no seat for canary_stub_access"}"#.to_owned();
        stub.reply("/api/check", Reply::Say(403, "application/json", refusal));
        let browser = Browser::new();
        let leg = front.set_out(&browser, wish()).await;
        let (text, _) = failed(&browser.get(&leg.back(&[("code", "c1")])).await);
        assert!(text.contains("does not accept the new credential: it answered 403 (no seat for"), "{text}");
        assert!(!text.contains("canary_stub_access"), "{text}");
        assert!(revoked() > before, "nobody else holds the tokens");

        stub.reply("/api/check", Reply::Say(503, "text/plain", "later".to_owned()));
        let leg = front.set_out(&browser, wish()).await;
        let seen = revoked();
        failed(&browser.get(&leg.back(&[("code", "c2")])).await);
        assert!(revoked() > seen);
        // At the other doors too.
        stub.reply("/api/check", Reply::Say(401, "text/plain", "no".to_owned()));
        let leg = browser.set_out(app, &app.acme, &[("integration_id", of.as_str())]).await;
        let back = browser.get(&leg.back(&[("code", "c3")])).await;
        assert!(back.location().contains("error=access_denied"), "{}", back.location());
        app.assert_nothing_connected(&app.acme).await;

        stub.reply("/api/check", Reply::json("{}"));
        let leg = front.set_out(&browser, wish()).await;
        connected(&browser.get(&leg.back(&[("code", "c4")])).await);
    })
    .await;
}
