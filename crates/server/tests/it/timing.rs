//! What happens meanwhile: a connection ends while another lives, an integration changes during an exchange, a
//! provider stalls during a refresh.

use std::time::Duration;

use claviger_engine::{
    connect,
    domain::{audit::Actor, connection::Status},
    id::ConnectionId,
};
use serde_json::json;

use crate::support::{Browser, Reply, Stub, TestApp, app::ALL, on_each, value};

async fn connect(app: &TestApp) -> ConnectionId {
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
    ConnectionId::parse(value(&pairs, "connection_id")).unwrap()
}

async fn connect_at(app: &TestApp, stub: &Stub) -> String {
    let id = app.integrate(&app.acme, "stub", &stub.origin).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
    let (_, back) = browser.get(&leg.back(&[("code", "c-1")])).await.redirect();
    value(&back, "connection_id").to_owned()
}

#[tokio::test]
async fn a_dead_connections_end_leaves_the_grant_to_a_living_one() {
    on_each(async |app| {
        let (dead, living) = (connect(app).await, connect(app).await);
        let now = app.broker.clock.now();
        app.change(async |to| {
            let ws = &app.acme.workspace;
            to.conn.set_connection_status(ws, &dead, Status::NeedsReauth, Some("test"), now).await
        })
        .await;
        connect::end(&app.broker, &app.acme.workspace, &dead, Actor::Cli).await.unwrap();
        assert_eq!(app.sandbox.stats().await.revocations, 0);
        assert_eq!(app.call(&app.acme.key, living.as_str(), "/me").await.status, 200);
        connect::end(&app.broker, &app.acme.workspace, &living, Actor::Cli).await.unwrap();
        assert!(app.sandbox.stats().await.revocations > 0, "the last one takes the grant along");
    })
    .await;
}

#[tokio::test]
async fn each_token_is_revoked_whatever_became_of_the_one_before() {
    let stub = Stub::start().await;
    on_each(async |app| {
        stub.reply("/revoke", Reply::oauth_error(400, "unsupported_token_type"));
        let before = stub.seen().len();
        let id = ConnectionId::parse(&connect_at(app, &stub).await).unwrap();
        connect::end(&app.broker, &app.acme.workspace, &id, Actor::Cli).await.unwrap();
        let seen = stub.seen().split_off(before);
        let told: Vec<String> = seen
            .iter()
            .filter(|seen| seen.path == "/revoke")
            .map(|seen| value(&seen.form(), "token").to_owned())
            .collect();
        assert_eq!(told, ["canary_stub_refresh", "canary_stub_access"]);
        let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(rows[0].outcome, "unsupported");
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_changes_during_the_exchange_connects_nothing() {
    on_each(async |app| {
        app.sandbox.faults(json!({ "token_answer_delay_ms": 400 })).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[]).await;
        let callback = browser.consent(&leg, "alice", "allow").await;
        let change = async {
            while app.sandbox.exchanges().await == 0 {
                tokio::task::yield_now().await;
            }
            app.reconfigure(&app.acme, &app.acme.integration, |config| {
                config.base_url = Some(format!("{}/elsewhere", app.sandbox.origin));
            })
            .await;
        };
        let (answer, ()) = tokio::join!(browser.get(&callback), change);
        let (_, pairs) = answer.redirect();
        assert_eq!(value(&pairs, "error"), "server_error");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_refresh_refused_for_our_sake_asks_for_no_owner() {
    let stub = Stub::start().await;
    on_each(async |app| {
        stub.reply("/token", Reply::json(crate::support::stub::TOKENS));
        let id = connect_at(app, &stub).await;
        stub.reply("/token", Reply::oauth_error(401, "invalid_client"));
        app.pass(Duration::from_secs(3600));
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(
            app.connection(&app.acme, &id).await.status,
            Status::Active,
            "it is our client that is wrong"
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_still_good_does_not_wait_for_a_stalled_refresh() {
    let stub = Stub::start().await;
    on_each(async |app| {
        stub.reply("/token", Reply::json(crate::support::stub::TOKENS));
        stub.reply("/api/x", Reply::json("[]"));
        let id = connect_at(app, &stub).await;
        let before = stub.token_requests();
        stub.reply("/token", Reply::Hang);
        app.pass(Duration::from_secs(3500));
        let calls = (0..4).map(|_| app.call(&app.acme.key, &id, "/x"));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(stub.token_requests() - before, 1, "and asks once for all");
    })
    .await;
}
