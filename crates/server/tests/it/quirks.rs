//! Providers that differ, told from end to end: what their files say is what happens on the wire.

use std::time::Duration;

use claviger_engine::{
    connect,
    domain::{audit::Actor, connection::Status, integration::Config},
    id::ConnectionId,
};
use serde_json::{Value, json};

use crate::support::{
    Browser, Options, Reply, Stub, TestApp,
    app::{ALL, new_integration},
    on_each_with, value,
};

/// A provider whose token endpoint is known only after the callback, which wants the state again, trades its
/// first token for a longer-lived one, and tells the identity at a path of its API.
fn regional(origin: &str) -> String {
    format!(
        r#"
        key = "regional"
        name = "Regional"
        [oauth2.endpoints]
        authorize_url = "{origin}/authorize"
        token_url = "{origin}/{{region}}/token"
        [oauth2.callback.save.region]
        param = "region"
        pattern = "^[a-z]{{2}}$"
        [oauth2.token]
        resend_state = true
        [oauth2.upgrade]
        url = "{origin}/long-lived"
        grant_type = "exchange"
        with = "access_token"
        [api]
        base_url = "{origin}/{{region}}/api"
        [identity]
        source = "call"
        id = "user.id"
        name = ["user.name"]
        call = {{ url = "/whoami" }}
        "#
    )
}

/// A provider whose refresh returns nothing but "good for another while".
fn prolonging(origin: &str) -> String {
    format!(
        r#"
        key = "prolonging"
        name = "Prolonging"
        [oauth2]
        lifetime = 600
        [oauth2.endpoints]
        authorize_url = "{origin}/authorize"
        token_url = "{origin}/token"
        [oauth2.refresh]
        extends_only = true
        [api]
        base_url = "{origin}/api"
        "#
    )
}

fn options(file: &'static str, text: String) -> impl Fn() -> Options {
    move || Options { providers: vec![(file, text.clone())], ..Options::default() }
}

/// Connects through the stub with these parameters in the callback; gives the connection's id.
async fn connected(app: &TestApp, provider: &str, pairs: &[(&str, &str)]) -> (String, String) {
    let id = app.integrate_as(&app.acme, new_integration(provider, provider, Config::default())).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
    let answer = browser.get(&leg.back(pairs)).await;
    assert_eq!(answer.status, 302, "{}", answer.text());
    let (_, back) = answer.redirect();
    (value(&back, "connection_id").to_owned(), leg.state().to_owned())
}

#[tokio::test]
async fn what_only_the_callback_tells_shapes_every_later_request() {
    let stub = Stub::start().await;
    stub.reply("/eu/token", Reply::json(r#"{"access_token":"canary_short","expires_in":60}"#));
    stub.reply("/long-lived", Reply::json(r#"{"access_token":"canary_long","expires_in":86400}"#));
    stub.reply("/eu/api/whoami", Reply::json(r#"{"user":{"id":7,"name":"Uma"}}"#));
    stub.reply("/eu/api/things", Reply::json("[]"));
    on_each_with(options("regional.toml", regional(&stub.origin)), async |app| {
        let before = stub.seen().len();
        let (id, state) = connected(app, "regional", &[("code", "c-1"), ("region", "eu")]).await;
        let called = app.call(&app.acme.key, &id, "/things").await;
        assert_eq!((called.status.as_u16(), called.text()), (200, "[]"));

        let seen = stub.seen().split_off(before);
        let paths: Vec<_> = seen.iter().map(|s| s.path.as_str()).collect();
        assert_eq!(paths, ["/eu/token", "/long-lived", "/eu/api/whoami", "/eu/api/things"]);
        assert_eq!(value(&seen[0].form(), "state"), state);
        assert_eq!(value(&seen[0].form(), "code"), "c-1");
        assert!(seen[0].form().iter().all(|(name, _)| name != "region"), "it is no parameter of the request");
        assert!(seen[1].form().iter().any(|(_, sent)| sent == "canary_short"));
        for call in &seen[2..] {
            assert_eq!(call.headers["authorization"], "Bearer canary_long");
        }
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!(connection.account.id.as_deref(), Some("7"));
        assert_eq!(connection.account.name.as_deref(), Some("Uma"));
    })
    .await;
}

#[tokio::test]
async fn a_callback_value_that_its_pattern_refuses_ends_the_flow() {
    let stub = Stub::start().await;
    on_each_with(options("regional.toml", regional(&stub.origin)), async |app| {
        let id =
            app.integrate_as(&app.acme, new_integration("regional", "regional", Config::default())).await;
        for region in ["", "eu/../x", "e", "EU", "eu.evil.test", "eu@evil.test", "eu\n"] {
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
            let before = stub.seen().len();
            let answer = browser.get(&leg.back(&[("code", "c-1"), ("region", region)])).await;
            assert_eq!(answer.status, 400, "{region:?}: {}", answer.text());
            assert_eq!(stub.seen().len(), before, "{region:?} reaches nobody");
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_only_prolongs_keeps_the_token() {
    let stub = Stub::start().await;
    stub.reply("/api/x", Reply::json("{}"));
    on_each_with(options("prolonging.toml", prolonging(&stub.origin)), async |app| {
        stub.reply("/token", Reply::json(r#"{"access_token":"canary_a","refresh_token":"canary_r"}"#));
        let (id, _) = connected(app, "prolonging", &[("code", "c-1")]).await;
        let first = app.connection(&app.acme, &id).await.expires_at.expect("the file's lifetime");
        stub.reply("/token", Reply::Say(200, "text/plain", String::new()));
        app.pass(Duration::from_secs(590));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        let then = app.connection(&app.acme, &id).await;
        assert_eq!(then.expires_at.expect("a lifetime").since(first), Duration::from_secs(590));
        let seen = stub.seen();
        let last = seen.last().expect("a call");
        assert_eq!(last.headers["authorization"], "Bearer canary_a");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_repeats_secrets_in_its_errors_is_not_repeated() {
    let stub = Stub::start().await;
    on_each_with(Options::default, async |app| {
        stub.reply("/token", Reply::json(crate::support::stub::TOKENS));
        let id = app.integrate(&app.acme, "stub", &stub.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
        let (_, back) = browser.get(&leg.back(&[("code", "c-1")])).await.redirect();
        let connection = value(&back, "connection_id").to_owned();
        let secret = crate::support::sandbox::SECRET;
        let words = format!("token canary_stub_refresh of {secret} was revoked");
        let echo = json!({ "error": "invalid_grant", "error_description": words });
        stub.reply("/token", Reply::Say(400, "application/json", echo.to_string()));
        app.pass(Duration::from_secs(3600));

        let refused = app.call(&app.acme.key, &connection, "/x").await;
        assert_eq!(refused.status, 401);
        let body: Value = refused.json();
        assert_eq!(body["code"], "connection_refresh_failed");
        assert!(refused.text().contains("was revoked") && !refused.text().contains("canary"), "{body}");
        let kept = app.connection(&app.acme, &connection).await;
        assert_eq!(kept.status, Status::NeedsReauth);
        assert!(kept.status_reason.is_some_and(|why| why.contains("was revoked") && !why.contains("canary")));
    })
    .await;
}

/// Ends a connection of the first tenant, and gives its revocation's outcome.
async fn ended(app: &TestApp, id: &str) -> String {
    let id = ConnectionId::parse(id).unwrap();
    connect::end(&app.broker, &app.acme.workspace, &id, Actor::Cli).await.expect("an end");
    let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
    rows.into_iter().find(|row| row.connection_id == id).expect("a row").outcome
}

/// Two products of one company: what a client is granted at one is the same grant as at the other.
#[tokio::test]
async fn a_grant_that_another_product_of_the_family_lives_on_is_not_revoked() {
    let files = "extends = \"sandbox\"\nkey = \"sandbox-files\"\nname = \"Sandbox Files\"";
    on_each_with(options("sandbox-files.toml", files.to_owned()), async |app| {
        let config = app.integration(&app.acme, &app.acme.integration).await.config;
        for (key, provider) in [("files", "sandbox-files"), ("stranger", "oauth2")] {
            app.integrate_as(&app.acme, new_integration(key, provider, config.clone())).await;
        }
        let product = async |integration: &str| {
            let at = [("integration_id", integration)];
            let (_, pairs) = Browser::new().connect(app, &app.acme, &at).await.redirect();
            value(&pairs, "connection_id").to_owned()
        };
        let mail = product(app.acme.integration.as_str()).await;
        let files = product("files").await;
        product("stranger").await;

        assert_eq!(ended(app, &mail).await, "skipped");
        assert_eq!(app.sandbox.stats().await.revoke_requests, 0, "the other product's connection is alive");
        assert_eq!(app.call(&app.acme.key, &files, "/me").await.status, 200);

        assert_eq!(ended(app, &files).await, "revoked", "who only has the same client is no relative");
        assert!(app.sandbox.stats().await.revocations >= 1);
    })
    .await;
}

/// A provider that answers everything with status 200, and names both tokens in calls of their own to be revoked.
#[tokio::test]
async fn a_revocation_that_failed_with_status_200_is_told() {
    let stub = Stub::start().await;
    let origin = &stub.origin;
    let text = format!(
        r#"
        key = "cheerful"
        name = "Cheerful"
        [oauth2.endpoints]
        authorize_url = "{origin}/authorize"
        token_url = "{origin}/token"
        [oauth2.answer.error]
        path = "ok"
        is = ["false"]
        invalid_grant = ["token_revoked"]
        [oauth2.revoke]
        url = "{origin}/revoke"
        headers = {{ "Authorization" = "Bearer {{token}}" }}
        token = "both"
        [api]
        base_url = "{origin}/api"
        "#
    );
    on_each_with(options("cheerful.toml", text), async |app| {
        let tokens = r#"{"ok":true,"access_token":"canary_a","refresh_token":"canary_r"}"#;
        let id =
            app.integrate_as(&app.acme, new_integration("cheerful", "cheerful", Config::default())).await;
        for (answer, outcome) in [
            (r#"{"ok":true,"revoked":true}"#, "revoked"),
            (r#"{"ok":false,"error":"token_revoked"}"#, "revoked"),
            (r#"{"ok":false,"error":"ratelimited"}"#, "failed"),
        ] {
            stub.reply("/token", Reply::json(tokens));
            stub.reply("/revoke", Reply::json(answer));
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
            let (_, back) = browser.get(&leg.back(&[("code", "c-1")])).await.redirect();
            let before = stub.seen().len();
            assert_eq!(ended(app, value(&back, "connection_id")).await, outcome, "{answer}");
            let told = &stub.seen()[before..];
            let shown: Vec<&str> =
                told.iter().map(|seen| seen.headers["authorization"].to_str().unwrap()).collect();
            assert_eq!(shown, ["Bearer canary_r", "Bearer canary_a"]);
        }
    })
    .await;
}
