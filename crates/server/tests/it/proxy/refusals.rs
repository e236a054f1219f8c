//! Answers of the proxy's own: status, code and body, and nothing sent to the provider.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use claviger_engine::{
    connect,
    domain::{api_key::Scope, audit::Actor, connection::Status},
    id::{ConnectionId, IntegrationId},
    limit::Rate,
    outbound::{Resolver, Script},
    setup::{self, NewApiKey},
    time::Millis,
};
use http::{Method, Request};
use serde_json::json;
use tokio::net::TcpSocket;

use crate::support::{
    Answer, Browser, Options, TestApp, Upstream,
    app::{ALL, at, new_integration},
    on_each, on_each_with,
    upstream::say,
    value,
    wire::{call, send},
};

async fn with_headers(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(format!("{}/x?q=1", app.proxy));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

/// One more key; gives its text.
async fn key(
    app: &TestApp,
    scopes: &[Scope],
    only: Option<IntegrationId>,
    expires_at: Option<Millis>,
) -> String {
    let new = NewApiKey { name: "k".into(), scopes: scopes.to_vec(), integration_id: only, expires_at };
    app.change(async move |to| Ok(setup::api_key(to, &app.acme.workspace, new).await?.1.expose().to_owned()))
        .await
}

fn body(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.json(), json!({ "status": status, "code": code, "message": message }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("claviger-request-id").is_some_and(|id| id.starts_with("req_")));
}

#[tokio::test]
async fn a_caller_without_a_key_that_holds_is_unauthorized() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let good = app.acme.key.clone();
        let expiring =
            key(app, &[Scope::Proxy], None, Some(app.broker.clock.now().plus(Duration::from_secs(60)))).await;
        let revoked = key(app, &[Scope::Proxy], None, None).await;
        assert_eq!(app.call(&expiring, &id, "/x").await.status, 200, "it has not expired yet");
        assert_eq!(app.call(&revoked, &id, "/x").await.status, 200, "it is not revoked yet");
        app.pass(Duration::from_secs(60));
        let keys = app.read().await.api_keys(&app.acme.workspace).await.unwrap();
        let gone = keys.iter().find(|key| revoked.starts_with(&key.prefix)).unwrap();
        let now = app.broker.clock.now();
        assert!(
            app.change(async |to| to.conn.revoke_api_key(&app.acme.workspace, &gone.id, now).await).await
        );
        let before = up.calls().len();

        let bad = |key: &str| format!("Bearer {key}");
        let mut wrong = good.clone();
        wrong.pop();
        for authorization in [
            String::new(),
            good.clone(),
            format!("Basic {good}"),
            format!("Token {good}"),
            bad(""),
            bad(&wrong),
            bad(&format!("{good}x")),
            bad(&good.to_uppercase()),
            bad(&good[..11]),
            bad(&format!("ck_{}", "0".repeat(46))),
            bad(&format!("{good} {good}")),
            bad(&"x".repeat(4000)),
            bad(&expiring),
            bad(&revoked),
        ] {
            let answer =
                with_headers(app, &[("authorization", &authorization), ("bu-connection-id", &id)]).await;
            body(&answer, 401, "unauthorized", "Missing or invalid API key");
        }
        let twice =
            [("authorization", bad(&good)), ("authorization", bad(&good)), ("bu-connection-id", id.clone())];
        let twice: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
        body(&with_headers(app, &twice).await, 401, "unauthorized", "Missing or invalid API key");
        let none = with_headers(app, &[("bu-connection-id", &id)]).await;
        body(&none, 401, "unauthorized", "Missing or invalid API key");
        assert_eq!(up.calls().len(), before, "nothing is sent");
    })
    .await;
}

#[tokio::test]
async fn a_call_without_a_connection_of_ones_own_is_refused() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let other = app.tenant("Other").await;
        let (_, pairs) = Browser::new().connect(app, &other, &[]).await.redirect();
        let foreign = value(&pairs, "connection_id").to_owned();
        assert_eq!(app.call(&other.key, &foreign, "/me").await.status, 200, "it works for its own");
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let deleted = value(&pairs, "connection_id").to_owned();
        let ended = ConnectionId::parse(&deleted).unwrap();
        connect::end(&app.broker, &app.acme.workspace, &ended, Actor::Cli).await.unwrap();

        let bearer = format!("Bearer {}", app.acme.key);
        let missing = with_headers(app, &[("authorization", &bearer)]).await;
        body(&missing, 400, "connection_missing", "Missing BU-Connection-Id header");
        let unknown = ConnectionId::new();
        for id in [
            "",
            "x",
            "conn_",
            "Bearer ",
            "conn_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            "' or 1=1 --",
            app.acme.integration.as_str(),
            unknown.as_str(),
            foreign.as_str(),
            deleted.as_str(),
            &id.to_uppercase(),
            &format!("{id},{id}"),
            &format!("{id}0"),
            &"x".repeat(4000),
        ] {
            let answer = with_headers(app, &[("authorization", &bearer), ("bu-connection-id", id)]).await;
            body(&answer, 400, "connection_invalid", "Missing or invalid connection ID");
        }
        let twice =
            [("authorization", bearer.as_str()), ("bu-connection-id", &id), ("bu-connection-id", &id)];
        body(&with_headers(app, &twice).await, 400, "connection_invalid", "Missing or invalid connection ID");
        assert_eq!(up.calls().len(), 0, "nothing is sent");
    })
    .await;
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for_and_no_more() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let own = app.connection(&app.acme, &id).await.integration_id;
        let management = key(app, &[Scope::Management], None, None).await;
        let answer = app.call(&management, &id, "/x").await;
        body(&answer, 403, "forbidden", "This API key lacks the scope `proxy`");
        let elsewhere = key(app, &[Scope::Proxy], Some(app.acme.integration.clone()), None).await;
        let answer = app.call(&elsewhere, &id, "/x").await;
        body(&answer, 400, "connection_invalid", "Missing or invalid connection ID");
        assert_eq!(up.calls().len(), 0, "nothing is sent");
        let here = key(app, &[Scope::Proxy], Some(own), None).await;
        assert_eq!(app.call(&here, &id, "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_frozen_connection_rests_until_it_thaws() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let connection = ConnectionId::parse(&id).unwrap();
        let now = app.broker.clock.now();
        let ws = &app.acme.workspace;
        assert!(app.change(async |to| to.conn.freeze_connection(ws, &connection, Some(now)).await).await);
        body(&app.call(&app.acme.key, &id, "/x").await, 403, "forbidden", "This connection is frozen");
        assert_eq!(up.calls().len(), 0, "nothing is sent");
        assert!(app.change(async |to| to.conn.freeze_connection(ws, &connection, None).await).await);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_needs_its_owner_says_so() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let connection = ConnectionId::parse(&id).unwrap();
        let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
        let status = Status::NeedsReauth;
        app.change(async |to| to.conn.set_connection_status(ws, &connection, status, Some("why"), now).await)
            .await;
        let message = "The connection must be authorized again: why";
        body(&app.call(&app.acme.key, &id, "/x").await, 401, "connection_refresh_failed", message);
        assert_eq!(up.calls().len(), 0, "nothing is sent");
    })
    .await;
}

fn hundred() -> Options {
    Options { calls: Rate::Per { count: 100, window: Duration::from_secs(60) }, ..Options::default() }
}

#[tokio::test]
async fn a_connection_is_called_a_hundred_times_a_minute() {
    on_each_with(hundred, async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let beside = value(&pairs, "connection_id");
        for n in 0..100 {
            if n == 50 {
                app.pass(Duration::from_secs(30));
            }
            assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200, "call {n}");
        }
        let over = app.call(&app.acme.key, &id, "/x").await;
        body(&over, 429, "rate_limit", "too many requests with this connection (proxy_rate_limit)");
        assert_eq!(over.header("retry-after"), Some("30"), "from the first call on");
        assert_eq!(app.call(&app.acme.key, beside, "/me").await.status, 200, "each connection has its own");
        app.pass(Duration::from_millis(29_999));
        let over = app.call(&app.acme.key, &id, "/x").await;
        assert_eq!((over.status.as_u16(), over.header("retry-after")), (429, Some("1")));
        assert_eq!(up.calls().len(), 100, "nothing is sent for a call over the limit");
        app.pass(Duration::from_millis(1));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200, "free again");
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        let limited = rows.iter().filter(|row| row.error.as_deref() == Some("rate_limit"));
        assert!(limited.clone().all(|row| (row.status, row.attempts) == (429, 0)));
        assert_eq!(limited.count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_said_to_wait_is_left_in_peace() {
    on_each(async |app| {
        let up = Upstream::start(|_, _| async { say(429, &[("retry-after", "90")], "theirs") }).await;
        let id = up.connect(app).await;
        let post = async || send(call(app, Method::POST, &id, "/x?q=canary_query")).await;
        let theirs = post().await;
        assert_eq!((theirs.status.as_u16(), theirs.text()), (429, "theirs"));
        app.pass(Duration::from_millis(500));
        let ours = post().await;
        ours.assert_problem(429, "upstream_rate_limit");
        assert!(ours.text().contains("the provider's own limit") && !ours.text().contains("canary"));
        assert_eq!(ours.header("retry-after"), Some("90"), "in whole seconds, rounded up");
        assert_eq!(up.calls().len(), 1, "it is not asked again");
        app.pass(Duration::from_millis(89_500));
        assert_eq!(post().await.text(), "theirs", "and then it is");
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        let here = rows.iter().find(|row| row.error.as_deref() == Some("upstream_rate_limit")).unwrap();
        assert_eq!((here.status, here.attempts), (429, 0));
    })
    .await;
}

/// A connection whose API is somewhere else than the rest of its provider.
async fn elsewhere(app: &TestApp, up: &Upstream, base_url: &str) -> String {
    let mut config = at(&up.origin);
    config.base_url = Some(base_url.to_owned());
    app.integrate_as(&app.acme, new_integration("elsewhere", "oauth2", config)).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", "elsewhere")]).await;
    let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
    value(&pairs, "connection_id").to_owned()
}

#[tokio::test]
async fn a_provider_that_can_not_be_reached_is_a_bad_gateway() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        // Bound and not listening: nobody else gets the port, and nobody answers.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let id = elsewhere(app, &up, &format!("http://{}/v1", closed.local_addr().unwrap())).await;
        let request = call(app, Method::POST, &id, "/x?q=canary_query").header("bu-max-retries", "0");
        let answer = Browser::new().send(request, Bytes::from_static(b"{}")).await;
        answer.assert_problem(502, "upstream_unreachable");
        assert!(!answer.text().contains("canary"), "{}", answer.text());
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!((rows[0].status, rows[0].error.as_deref()), (502, Some("upstream_unreachable")));
    })
    .await;
}

#[tokio::test]
async fn a_name_that_nobody_knows_and_one_that_leads_inside_are_told_apart() {
    let inside: IpAddr = "10.1.2.3".parse().unwrap();
    let script = move || {
        let script = Script::default().answer("inside.test", &[inside]);
        let script = script.answer("mixed.test", &["93.184.216.34".parse().unwrap(), inside]);
        Options { resolver: Resolver::Scripted(Arc::new(script)), ..Options::default() }
    };
    for (name, status, code) in [
        ("nobody.test", 502, "upstream_unreachable"),
        ("inside.test", 400, "target_not_allowed"),
        ("mixed.test", 400, "target_not_allowed"),
    ] {
        on_each_with(script, async |app| {
            let up = Upstream::start(super::echo).await;
            let id = elsewhere(app, &up, &format!("https://{name}/v1")).await;
            let answer = send(call(app, Method::POST, &id, "/x").header("bu-max-retries", "0")).await;
            answer.assert_problem(status, code);
            assert!(!answer.text().contains("10.1.2.3"), "{}", answer.text());
        })
        .await;
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let hasty = || {
        let mut options = Options::default();
        options.outbound.header_timeout = Duration::from_millis(150);
        options
    };
    on_each_with(hasty, async |app| {
        let up = Upstream::start(|_, _| async {
            std::future::pending::<()>().await;
            say(200, &[], "")
        });
        let up = up.await;
        let id = up.connect(app).await;
        for method in [Method::GET, Method::POST] {
            let answer = send(call(app, method, &id, "/x")).await;
            answer.assert_problem(504, "upstream_timeout");
        }
        assert_eq!(up.calls().len(), 2, "what may have been acted on is not sent again");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_hangs_up_without_an_answer_is_a_bad_gateway() {
    on_each(async |app| {
        let up = Upstream::start(|_, _| async { panic!("the provider breaks, as it is meant to") }).await;
        let id = up.connect(app).await;
        let answer = send(call(app, Method::POST, &id, "/x")).await;
        answer.assert_problem(502, "upstream_unreachable");
        assert_eq!(up.calls().len(), 1, "what may have been acted on is not sent again");
    })
    .await;
}
