//! Providers that are down, slow, broken or hostile: the flow ends with an error of ours, and leaves nothing.

use std::time::Duration;

use claviger_engine::{
    domain::{integration::Config, workspace::Completion},
    outbound,
};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, CB, Options, Reply, Stub, TestApp, app::new_integration, names, on_each, on_each_with,
    value,
};

/// A server that gives up on a provider soon.
fn impatient() -> Options {
    let options = Options::default();
    let soon = Duration::from_millis(300);
    let outbound = outbound::Config {
        connect_timeout: soon,
        header_timeout: soon,
        idle_timeout: soon,
        total_timeout: Duration::from_secs(2),
        ..options.outbound
    };
    Options { outbound, ..options }
}

/// Asserts that a flow came back to the product with an error and left nothing.
async fn assert_came_back(app: &TestApp, done: &Answer, what: &str) {
    assert_eq!(done.status, 302, "{what}: {}", done.text());
    let (target, pairs) = done.redirect();
    assert_eq!(target, CB, "{what}");
    assert_eq!(names(&pairs), ["error", "error_description", "state"], "{what}");
    assert_eq!(value(&pairs, "error"), "server_error", "{what}");
    assert!(!done.location().contains("canary"), "{what}: {}", done.location());
    app.assert_nothing_connected(&app.acme).await;
}

#[tokio::test]
async fn a_provider_that_misbehaves_at_its_token_endpoint_leaves_nothing() {
    on_each_with(impatient, async |app| {
        let stub = Stub::start().await;
        app.integrate(&app.acme, "stub", &stub.origin).await;
        let html = "<html><script>canary</script>".to_owned();
        let json = "application/json";
        for (what, reply) in [
            ("silent", Reply::Hang),
            ("broken", Reply::Break),
            ("huge", Reply::Huge(4 << 20)),
            ("HTML", Reply::Say(200, "text/html", html.clone())),
            ("HTML 500", Reply::Say(500, "text/html", html)),
            ("empty", Reply::Say(200, json, String::new())),
            ("204", Reply::Say(204, json, String::new())),
            ("a list", Reply::json("[]")),
            ("a number", Reply::json("1")),
            ("no token", Reply::json("{}")),
            ("null token", Reply::json(r#"{"access_token":null,"token_type":"Bearer"}"#)),
            ("a number for a token", Reply::json(r#"{"access_token":1,"token_type":"Bearer"}"#)),
            ("empty token", Reply::json(r#"{"access_token":"","token_type":"Bearer"}"#)),
            (
                "a token with a line end",
                Reply::json("{\"access_token\":\"a\\r\\nb\",\"token_type\":\"Bearer\"}"),
            ),
            ("error in 200", Reply::json(r#"{"error":"invalid_grant","error_description":"canary<b>"}"#)),
            ("401", Reply::oauth_error(401, "invalid_client")),
            ("400", Reply::oauth_error(400, "invalid_grant")),
            ("429", Reply::oauth_error(429, "slow_down")),
            ("503", Reply::Say(503, json, String::new())),
            ("a redirect", Reply::Redirect(302, format!("{}/steal", stub.origin))),
            ("a 307", Reply::Redirect(307, format!("{}/steal", stub.origin))),
        ] {
            stub.reply("/token", reply);
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub"), ("state", "s")]).await;
            let before = stub.token_requests();
            let done = browser.get(&leg.back(&[("code", "canary_code")])).await;
            assert_eq!(stub.token_requests(), before + 1, "{what}: one attempt");
            assert_came_back(app, &done, what).await;
        }
        assert!(stub.seen().iter().all(|seen| seen.path != "/steal"), "no redirect is followed");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_down_leaves_nothing() {
    on_each_with(impatient, async |app| {
        let gone = Stub::start().await.origin.clone();
        app.integrate(&app.acme, "gone", &gone).await;
        for completion in [Completion::Redirect, Completion::Server] {
            app.complete(&app.acme, completion).await;
            let browser = Browser::new();
            let wish = [("integration_id", "gone"), ("state", "s"), ("external_id", "u")];
            let leg = browser.set_out(app, &app.acme, &wish).await;
            let done = browser.get(&leg.back(&[("code", "c")])).await;
            if completion == Completion::Redirect {
                assert_came_back(app, &done, "down").await;
                continue;
            }
            let code = value(&done.redirect().1, "code").to_owned();
            let body = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
            app.exchange(&app.acme.key, &body).await.assert_problem(502, "upstream_unreachable");
            app.assert_nothing_connected(&app.acme).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_provider_is_a_timeout_at_the_exchange() {
    on_each_with(impatient, async |app| {
        let stub = Stub::start().await;
        stub.reply("/token", Reply::Hang);
        app.integrate(&app.acme, "stub", &stub.origin).await;
        app.complete(&app.acme, Completion::Server).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub"), ("external_id", "u")]).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        let body =
            json!({ "code": value(&done.redirect().1, "code"), "redirect_uri": CB, "external_id": "u" });
        app.exchange(&app.acme.key, &body).await.assert_problem(504, "upstream_timeout");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_at_a_forbidden_address_is_never_asked() {
    let closed = || {
        let options = Options::default();
        Options {
            outbound: outbound::Config { policy: outbound::Policy::default(), ..options.outbound },
            ..options
        }
    };
    on_each_with(closed, async |app| {
        let stub = Stub::start().await;
        app.integrate(&app.acme, "stub", &stub.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub"), ("state", "s")]).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        assert_came_back(app, &done, "forbidden").await;

        let config = Config { issuer: Some(stub.origin.clone()), ..Config::default() };
        app.integrate_as(&app.acme, new_integration("issuer", "oidc", config)).await;
        let began =
            browser.get(&app.authorize_url(&app.acme, &[("integration_id", "issuer"), ("state", "s")])).await;
        let (target, pairs) = began.redirect();
        assert_eq!(target, CB);
        assert!(["server_error", "temporarily_unavailable"].contains(&value(&pairs, "error")), "{pairs:?}");
        assert!(stub.seen().is_empty());
    })
    .await;
}

#[tokio::test]
async fn metadata_that_can_not_be_had_comes_back_as_an_error() {
    on_each_with(impatient, async |app| {
        let stub = Stub::start().await;
        let config = Config { issuer: Some(stub.origin.clone()), ..Config::default() };
        app.integrate_as(&app.acme, new_integration("issuer", "oidc", config)).await;
        for (what, reply) in [
            ("404", Reply::Say(404, "text/plain", String::new())),
            ("HTML", Reply::Say(200, "text/html", "<html>".to_owned())),
            ("empty", Reply::json("{}")),
            ("no endpoints", Reply::json(&json!({ "issuer": stub.origin }).to_string())),
            ("a list", Reply::json("[]")),
            ("huge", Reply::Huge(4 << 20)),
            ("broken", Reply::Break),
            ("silent", Reply::Hang),
            ("a redirect", Reply::Redirect(302, format!("{}/elsewhere", stub.origin))),
        ] {
            stub.reply("/.well-known/oauth-authorization-server", reply.clone());
            stub.reply("/.well-known/openid-configuration", reply);
            for completion in [Completion::Redirect, Completion::Confirm] {
                app.complete(&app.acme, completion).await;
                let browser = Browser::new();
                let wish = [("integration_id", "issuer"), ("state", "s")];
                let mut answer = browser.get(&app.authorize_url(&app.acme, &wish)).await;
                if completion == Completion::Confirm {
                    // On a page of ours the form stays, for another try.
                    let url = format!("{}{}", app.origin, answer.location());
                    answer = browser.submit(&url, &[("decision", "continue")]).await;
                    assert_eq!(answer.status, 503, "{what}");
                    assert!(answer.text().contains("value=\"continue\""), "{what}");
                    answer = browser.submit(&url, &[("decision", "cancel")]).await;
                    let (_, pairs) = answer.redirect();
                    assert_eq!(value(&pairs, "error"), "access_denied", "{what}");
                    continue;
                }
                let (target, pairs) = answer.redirect();
                assert_eq!(target, CB, "{what}");
                assert_eq!(value(&pairs, "error"), "temporarily_unavailable", "{what}");
                assert_eq!(value(&pairs, "state"), "s", "{what}");
            }
        }
        assert!(stub.seen().iter().all(|seen| seen.path != "/elsewhere" && seen.path != "/token"));
    })
    .await;
}

#[tokio::test]
async fn hostile_text_from_a_provider_is_kept_as_text() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let nasty = "\u{0}<script>\r\n'; drop table connection; --";
        stub.reply(
            "/userinfo",
            Reply::json(&json!({ "sub": nasty, "name": nasty, "email": nasty }).to_string()),
        );
        let tokens: Value = json!({
            "access_token": "canary_stub_access", "token_type": "Bearer", "scope": "a\u{0}b <script>",
        });
        stub.reply("/token", Reply::json(&tokens.to_string()));
        app.integrate(&app.acme, "stub", &stub.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub")]).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        let (_, pairs) = done.redirect();
        let connection = app.connection(&app.acme, value(&pairs, "connection_id")).await;
        let account = connection.account;
        assert_eq!(
            (account.id, account.name, account.email),
            (None, None, None),
            "a name is one line of text"
        );
    })
    .await;
}
