//! A connection ends: what is erased, what its provider is told, and who hears of it.

use std::time::Duration;

use claviger_engine::{
    connect,
    domain::{audit::Actor, event::EventKind},
    error::Error,
    id::ConnectionId,
};
use serde_json::json;

use super::code;
use crate::support::{Browser, CB, Reply, Stub, TestApp, app::ALL, on_each, value};

async fn end(app: &TestApp, id: &str) -> claviger_engine::error::Result<()> {
    let id = ConnectionId::parse(id).unwrap();
    connect::end(&app.broker, &app.acme.workspace, &id, Actor::Cli).await
}

/// Asserts that a connection is gone with its credential, and what its revocation row says.
async fn assert_ended(app: &TestApp, id: &str, outcome: &str) {
    let ended = ConnectionId::parse(id).unwrap();
    let mut conn = app.read().await;
    assert!(conn.connection(&app.acme.workspace, &ended).await.unwrap().is_none());
    assert!(conn.credential(&app.acme.workspace, &ended).await.unwrap().is_none());
    let rows = conn.revocations(&app.acme.workspace, &ALL).await.unwrap();
    let row = rows.iter().find(|row| row.connection_id == ended).expect("a revocation row");
    assert_eq!(row.outcome, outcome, "{}", row.detail);
    assert_eq!(row.integration_id, app.acme.integration);
    drop(conn);
    let newest = &app.events(&app.acme).await[0];
    assert_eq!((newest.kind, newest.connection_id.as_str()), (EventKind::ConnectionDeleted, id));
    assert_eq!(newest.data["revocation"], outcome, "the event keeps it too");
    app.call(&app.acme.key, id, "/me").await.assert_problem(400, "connection_invalid");
}

#[tokio::test]
async fn a_disconnect_revokes_erases_and_tells() {
    on_each(async |app| {
        let (code, id) = code(app, "u").await;
        app.pass(Duration::from_secs(1));
        end(app, &id).await.unwrap();
        let stats = app.sandbox.stats().await;
        assert!(stats.revoke_requests >= 1 && stats.revocations >= 1, "{stats:?}");
        assert_ended(app, &id, "revoked").await;
        let body = json!({ "code": code, "redirect_uri": CB });
        let late = app.exchange(&app.acme.key, &body).await;
        assert!(late.status.is_client_error(), "a code does not outlive its connection: {}", late.text());
        assert!(matches!(end(app, &id).await, Err(Error::NotFound { .. })), "it ends once");
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_others_live_on_is_not_revoked() {
    on_each(async |app| {
        let (_, first) = code(app, "first").await;
        let (_, second) = code(app, "second").await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[]).await;
        let bobs = browser.consent(&leg, "bob", "allow").await;
        assert_eq!(browser.get(&bobs).await.status, 302);

        app.pass(Duration::from_secs(1));
        end(app, &first).await.unwrap();
        assert_eq!(app.sandbox.stats().await.revoke_requests, 0, "alice is still connected");
        assert_ended(app, &first, "skipped").await;
        assert_eq!(app.call(&app.acme.key, &second, "/me").await.status, 200);

        app.pass(Duration::from_secs(1));
        end(app, &second).await.unwrap();
        assert!(app.sandbox.stats().await.revocations >= 1, "bob's account is another one");
        assert_ended(app, &second, "revoked").await;
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_another_workspace_lives_on_is_not_revoked() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let (_, theirs) = Browser::new().connect(app, &other, &[]).await.redirect();
        let (_, id) = code(app, "u").await;
        app.pass(Duration::from_secs(1));
        end(app, &id).await.unwrap();
        assert_eq!(app.sandbox.stats().await.revoke_requests, 0, "same client, same account");
        assert_ended(app, &id, "skipped").await;
        assert_eq!(app.call(&other.key, value(&theirs, "connection_id"), "/me").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_can_not_be_told_does_not_keep_a_connection() {
    on_each(async |app| {
        let (_, id) = code(app, "u").await;
        app.sandbox.faults(json!({ "revoke_status": 503 })).await;
        app.pass(Duration::from_secs(1));
        end(app, &id).await.unwrap();
        assert_ended(app, &id, "failed").await;

        let stub = Stub::start().await;
        let integration = app.integrate(&app.acme, "stub", &stub.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub")]).await;
        let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
        stub.reply("/revoke", Reply::oauth_error(400, "unsupported_token_type"));
        let id = ConnectionId::parse(value(&pairs, "connection_id")).unwrap();
        connect::end(&app.broker, &app.acme.workspace, &id, Actor::Cli).await.unwrap();
        let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
        let row = rows.iter().find(|row| row.integration_id == integration).expect("a row");
        assert_eq!(row.outcome, "unsupported");
        let told: Vec<_> = stub.seen().into_iter().filter(|seen| seen.path == "/revoke").collect();
        assert!(!told.is_empty());
        assert_eq!(value(&told[0].form(), "token"), "canary_stub_refresh", "the refresh token first");
    })
    .await;
}
