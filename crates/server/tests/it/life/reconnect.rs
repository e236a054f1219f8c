//! The reconnect link: made by a product's server, opened by its customer, good once, and the connection keeps its id.

use std::time::Duration;

use bytes::Bytes;
use claviger_engine::{
    domain::{
        api_key::Scope,
        connection::Status,
        event::EventKind,
        integration::{Config, KeyLocation, KeyPlace},
        workspace::Completion,
    },
    setup::{self, NewApiKey, NewIntegration},
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    management::ask,
    support::{
        Answer, Browser, CB, COMPLETIONS, Leg, Stub, TestApp, Upstream,
        app::{OWNER, new_integration},
        names, on_each,
        upstream::say,
        value,
    },
};

/// One more connection of acme's, through the sandbox as alice.
async fn connect(app: &TestApp) -> String {
    let done = Browser::new().connect(app, &app.acme, &[("external_id", OWNER)]).await;
    value(&done.redirect().1, "connection_id").to_owned()
}

async fn link(app: &TestApp, key: &str, id: &str, body: Option<&Value>) -> Answer {
    ask(app, key, Method::POST, &format!("/v1/connections/{id}/reconnect"), body).await
}

/// A link to a connection of acme's.
pub async fn url(app: &TestApp, id: &str, body: Value) -> String {
    let made = link(app, &app.acme.key, id, Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["url"].as_str().expect("a url").to_owned()
}

/// Presses the button of the page behind a link, and stands before the provider.
pub async fn follow(browser: &Browser, url: &str) -> Leg {
    let page = browser.get(url).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let pressed = browser.submit(url, &[("decision", "continue")]).await;
    assert_eq!(pressed.status, 303, "{}", pressed.text());
    Leg::of(pressed.location())
}

#[tokio::test]
async fn a_link_renews_the_same_connection_once() {
    on_each(async |app| {
        let id = connect(app).await;
        for stale in [false, true] {
            let before = app.connection(&app.acme, &id).await;
            if stale {
                let reason = Some("revoked at the provider");
                app.change(async |to| {
                    let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
                    to.conn.set_connection_status(ws, &before.id, Status::NeedsReauth, reason, now).await
                })
                .await;
            }
            app.pass(Duration::from_secs(5));
            let (url, browser) = (url(app, &id, json!({})).await, Browser::new());
            assert!(url.starts_with(&format!("{}/reconnect/", app.origin)), "{url}");
            for _preview in 0..3 {
                let page = Browser::new().get(&url).await;
                page.assert_page(200, "Acme");
                assert!(page.text().contains("Sandbox") && page.text().contains(OWNER), "{}", page.text());
                assert_eq!(page.header("referrer-policy"), Some("same-origin"));
                assert_eq!(page.header("cache-control"), Some("no-store"));
            }
            let leg = follow(&browser, &url).await;
            let done = browser.get(&browser.consent(&leg, "alice", "allow").await).await;
            assert!(done.location().ends_with("/done"), "{}", done.location());
            let landed = browser.get(&format!("{}{}", app.origin, done.location())).await;
            landed.assert_page(200, "is connected");
            let now = app.connection(&app.acme, &id).await;
            assert_eq!((now.status, now.status_reason.as_deref()), (Status::Active, None));
            assert_eq!((&now.owner, now.created_at), (&before.owner, before.created_at));
            assert!(now.authorized_at > before.authorized_at);
            assert_eq!(app.connections(&app.acme).await.len(), 1, "no other came to be");
            Browser::new().get(&url).await.assert_page(400, "used already");
            Browser::new().submit(&url, &[]).await.assert_page(400, "used already");
            app.pass(Duration::from_secs(61));
            browser.submit(&url, &[]).await.assert_page(400, "used already");
        }
        let told = app.events(&app.acme).await;
        let updated = told.iter().filter(|event| event.kind == EventKind::ConnectionUpdated);
        assert_eq!(updated.count(), 2);
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn it_ends_at_a_registered_target_and_at_no_other() {
    on_each(async |app| {
        let id = connect(app).await;
        let (url, browser) =
            (url(app, &id, json!({ "redirectUri": CB, "expires_in": 60 })).await, Browser::new());
        let leg = follow(&browser, &url).await;
        let done = browser.get(&browser.consent(&leg, "alice", "allow").await).await;
        let (target, pairs) = done.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["connection_id", "integration_id", "external_id", "code"]);
        assert_eq!((value(&pairs, "connection_id"), value(&pairs, "external_id")), (id.as_str(), OWNER));
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": OWNER });
        let exchanged = app.exchange(&app.acme.key, &body).await;
        assert_eq!(exchanged.json()["connection_id"], id.as_str(), "{}", exchanged.text());

        for (body, field) in [
            (json!({ "redirect_uri": "https://evil.test/" }), "redirect_uri"),
            (json!({ "redirect_uri": format!("{CB}/") }), "redirect_uri"),
            (json!({ "redirect_uri": 7 }), "redirect_uri"),
            (json!({ "expires_in": 59 }), "expires_in"),
            (json!({ "expires_in": 86_401 }), "expires_in"),
            (json!({ "expires_in": "soon" }), "expires_in"),
            (json!({ "state": "x" }), "body"),
        ] {
            link(app, &app.acme.key, &id, Some(&body)).await.assert_field(field);
        }
        let made = link(app, &app.acme.key, &id, None).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let until = app.broker.clock.now().plus(Duration::from_secs(3600)).rfc3339();
        assert_eq!((&made.json()["expires_at"], &made.json()["expiresAt"]), (&json!(until), &json!(until)));
    })
    .await;
}

#[tokio::test]
async fn a_link_is_only_for_keys_that_may_and_only_while_it_is_good() {
    on_each(async |app| {
        let id = connect(app).await;
        let other = app.tenant("Other").await;
        link(app, &other.key, &id, None).await.assert_problem(404, "not_found");
        link(app, &app.acme.key, "conn_unknown", None).await.assert_problem(404, "not_found");
        let key = async |scopes: Vec<Scope>, only| {
            let new = NewApiKey { name: "key".to_owned(), scopes, integration_id: only, expires_at: None };
            let made = app.change(async |to| setup::api_key(to, &app.acme.workspace, new).await).await;
            made.1.expose().to_owned()
        };
        for scope in [Scope::ReadOnly, Scope::Proxy] {
            let weak = key(vec![scope], None).await;
            assert_eq!(link(app, &weak, &id, None).await.status, 403, "{scope:?}");
        }
        let elsewhere = app.integrate(&app.acme, "else", &app.sandbox.origin).await;
        let limited = key(vec![Scope::Management], Some(elsewhere)).await;
        link(app, &limited, &id, None).await.assert_problem(404, "not_found");

        let (late, gone) = (url(app, &id, json!({})).await, url(app, &id, json!({})).await);
        let forged = format!("{}/reconnect/{}", app.origin, "A".repeat(43));
        for wrong in
            [&forged, &format!("{}/reconnect/x", app.origin), &format!("{forged}{}", "A".repeat(200))]
        {
            Browser::new().get(wrong).await.assert_page(400, "used already");
            Browser::new().submit(wrong, &[]).await.assert_page(400, "used already");
        }
        // From a page of another site, a click is nobody's.
        let browser = Browser::new();
        for site in ["cross-site", "none", "same-site"] {
            let request = browser.request(Method::POST, &late).header("sec-fetch-site", site);
            browser.form(request, &[]).await.assert_page(403, "not sent from our page");
        }
        browser.send(browser.request(Method::POST, &late), Bytes::new()).await.assert_page(403, "not sent");
        app.pass(Duration::from_secs(3600));
        browser.get(&late).await.assert_page(400, "used already");
        browser.submit(&late, &[]).await.assert_page(400, "used already");

        let lasting = url(app, &id, json!({})).await;
        let ended = ask(app, &app.acme.key, Method::DELETE, &format!("/v1/connections/{id}"), None).await;
        assert_eq!(ended.status, 204);
        for dead in [&gone, &lasting] {
            assert_eq!(browser.get(dead).await.status, 400, "it went with its connection");
            assert_eq!(browser.submit(dead, &[]).await.status, 400);
        }
        assert_eq!(app.sandbox.exchanges().await, 1);
    })
    .await;
}

#[tokio::test]
async fn each_completion_holds_for_a_link_too() {
    on_each(async |app| {
        let id = connect(app).await;
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let before = (app.connection(&app.acme, &id).await.authorized_at, app.sandbox.exchanges().await);
            app.pass(Duration::from_secs(61));
            if completion == Completion::Server {
                link(app, &app.acme.key, &id, None).await.assert_field("redirect_uri");
            }
            // Right, then by a server that has somebody else signed in.
            for external_id in [OWNER, "mallory"] {
                let (url, browser) = (url(app, &id, json!({ "redirect_uri": CB })).await, Browser::new());
                let leg = follow(&browser, &url).await;
                let done = browser.get(&browser.consent(&leg, "alice", "allow").await).await;
                let pairs = done.redirect().1;
                let carried = names(&pairs).contains(&"connection_id");
                assert_eq!(carried, completion != Completion::Server, "{completion:?}");
                let body =
                    json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": external_id });
                let told = app.exchange(&app.acme.key, &body).await;
                assert_eq!(told.status == 200, external_id == OWNER, "{completion:?} {}", told.text());
            }
            let now = (app.connection(&app.acme, &id).await.authorized_at, app.sandbox.exchanges().await);
            assert!(now.0 > before.0, "{completion:?}");
            let asked = if completion == Completion::Server { 1 } else { 2 };
            assert_eq!(now.1 - before.1, asked, "{completion:?}: a code for another is never redeemed");
            assert_eq!(app.connections(&app.acme).await.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_typed_in_again_and_a_provider_that_is_away_costs_no_link() {
    on_each(async |app| {
        let upstream = Upstream::whole(|_, _| async { say(200, &[], "{}") }).await;
        let place =
            KeyPlace { location: KeyLocation::Header, name: "X-Api-Key".into(), prefix: String::new() };
        let config = Config {
            base_url: Some(format!("{}/api", upstream.origin)),
            api_key: Some(place),
            ..Config::default()
        };
        let keyed = NewIntegration {
            client_id: None,
            client_secret: None,
            ..new_integration("keyed", "apikey", config)
        };
        app.integrate_as(&app.acme, keyed).await;
        let browser = Browser::new();
        let began = browser.get(&app.authorize_url(&app.acme, &[("integration_id", "keyed")])).await;
        let form = format!("{}{}", app.origin, began.location());
        let done = browser.submit(&form, &[("credential-api_key", "canary-key-1")]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();

        let url = url(app, &id, json!({})).await;
        let pressed = browser.submit(&url, &[]).await;
        assert_eq!(pressed.status, 303, "{}", pressed.text());
        assert!(pressed.location().starts_with("/connect/flow_"), "{}", pressed.location());
        let form = format!("{}{}", app.origin, pressed.location());
        let done = browser.submit(&form, &[("credential-api_key", "canary-key-2")]).await;
        assert!(done.location().ends_with("/done"), "{}", done.text());
        assert_eq!(app.connections(&app.acme).await.len(), 1);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        let shown = upstream.seen().into_iter().rev().find(|head| head.target == "/api/x").unwrap();
        assert_eq!(shown.all("x-api-key"), ["canary-key-2"]);

        // Found by its issuer, which is away for a while.
        let issuer = Stub::start().await;
        let origin = &issuer.origin;
        let metadata = json!({
            "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"), "userinfo_endpoint": format!("{origin}/userinfo"),
        });
        let place = "/.well-known/oauth-authorization-server";
        issuer.reply(place, crate::support::Reply::json(&metadata.to_string()));
        let config = Config { issuer: Some(origin.clone()), ..Config::default() };
        app.integrate_as(&app.acme, new_integration("id", "oidc", config)).await;
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "id")]).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let url = self::url(app, &id, json!({})).await;
        app.pass(Duration::from_secs(601));
        issuer.reply(place, crate::support::Reply::oauth_error(503, "away"));
        browser.submit(&url, &[]).await.assert_page(502, "could not be reached");
        issuer.reply(place, crate::support::Reply::json(&metadata.to_string()));
        let leg = follow(&browser, &url).await;
        assert!(leg.url.starts_with(&format!("{origin}/authorize")), "{}", leg.url);

        // Pressed twice, and away at the second time: the first one's flow is under way, so the link is used.
        let url = self::url(app, &id, json!({})).await;
        app.pass(Duration::from_secs(570));
        follow(&browser, &url).await;
        app.pass(Duration::from_secs(40));
        issuer.reply(place, crate::support::Reply::oauth_error(503, "away"));
        browser.submit(&url, &[]).await.assert_page(502, "could not be reached");
        issuer.reply(place, crate::support::Reply::json(&metadata.to_string()));
        Browser::new().submit(&url, &[]).await.assert_page(400, "used already");
    })
    .await;
}
