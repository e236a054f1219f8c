//! Health as data: what a product's server reads of a connection's life, and what it is told ahead.

use std::{collections::BTreeSet, time::Duration};

use claviger_engine::{
    domain::{connection::Status, event::EventKind},
    refresh::expiring,
    setup::NewIntegration,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    management::ask,
    support::{
        Browser, Reply, Stub, TestApp,
        app::{OWNER, at, new_integration},
        on_each, value,
    },
};

async fn shown(app: &TestApp, id: &str) -> Value {
    let answer = ask(app, &app.acme.key, Method::GET, &format!("/v1/connections/{id}"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn health(app: &TestApp, id: &str) -> Value {
    shown(app, id).await["health"].clone()
}

/// A connection through a stub that says of its tokens what is given.
async fn stubbed(app: &TestApp, stub: &Stub, tokens: Value) -> String {
    stub.reply("/token", Reply::json(&tokens.to_string()));
    app.integrate(&app.acme, "stub", &stub.origin).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", "stub"), ("external_id", OWNER)]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    value(&done.redirect().1, "connection_id").to_owned()
}

#[tokio::test]
async fn a_connection_says_how_it_is_doing() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let tokens = json!({
            "access_token": "canary_a", "refresh_token": "canary_r", "token_type": "Bearer", "expires_in": 3600,
            "refresh_expires_in": 90 * 86_400, "scope": "read",
        });
        let id = stubbed(app, &stub, tokens).await;
        let (made, now) = (health(app, &id).await, app.broker.clock.now());
        let at = |seconds: u64| json!(now.plus(Duration::from_secs(seconds)).rfc3339());
        assert_eq!((&made["status"], &made["reason"]), (&json!("active"), &Value::Null));
        assert_eq!((&made["expires_at"], &made["expiresAt"]), (&at(3600), &at(3600)));
        assert_eq!(made["refresh_expires_at"], at(90 * 86_400));
        assert_eq!((&made["last_used_at"], &made["refreshed_at"]), (&Value::Null, &Value::Null));
        assert_eq!(made["account"]["id"], "stub-user");
        assert_eq!(made["scopes_granted"], json!(["read"]));
        assert_eq!((&made["refresh_failures"], &made["refresh_unknown_since"]), (&json!(0), &Value::Null));
        let list = ask(app, &app.acme.key, Method::GET, "/v1/connections", None).await.json();
        assert_eq!(list[0]["health"], made);

        // Noted to the minute, off the way of the calls.
        app.call(&app.acme.key, &id, "/x").await;
        app.broker.logs.flush().await;
        assert_eq!(health(app, &id).await["last_used_at"], at(0));
        app.pass(Duration::from_secs(59));
        app.call(&app.acme.key, &id, "/x").await;
        app.broker.logs.flush().await;
        assert_eq!(health(app, &id).await["last_used_at"], at(0));
        app.pass(Duration::from_secs(1));
        app.call(&app.acme.key, &id, "/x").await;
        app.broker.logs.flush().await;
        assert_eq!(health(app, &id).await["last_used_at"], at(60));

        let of = app.connection(&app.acme, &id).await;
        app.change(async |to| {
            let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
            to.conn.set_connection_status(ws, &of.id, Status::NeedsReauth, Some("revoked"), now).await
        })
        .await;
        let stale = health(app, &id).await;
        assert_eq!((&stale["status"], &stale["reason"]), (&json!("needs_reauth"), &json!("revoked")));
    })
    .await;
}

#[tokio::test]
async fn a_list_says_of_each_connection_what_is_said_of_it_alone() {
    on_each(async |app| {
        let mut ids = Vec::new();
        for owner in ["one", "two", "three"] {
            let done = Browser::new().connect(app, &app.acme, &[("external_id", owner)]).await;
            ids.push(value(&done.redirect().1, "connection_id").to_owned());
        }
        let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
        let [one, two] = [app.connection(&app.acme, &ids[0]).await, app.connection(&app.acme, &ids[1]).await];
        app.change(async |to| {
            to.conn.note_used(ws, &one.id, now.plus(Duration::from_secs(60))).await?;
            to.conn.note_used(ws, &two.id, now.plus(Duration::from_secs(120))).await?;
            to.conn.note_grant(ws, &two.id, None, Some("another account")).await
        })
        .await;
        let list = ask(app, &app.acme.key, Method::GET, "/v1/connections", None).await.json();
        let list = list.as_array().expect("a list").clone();
        assert_eq!(list.len(), ids.len());
        let mut used = BTreeSet::new();
        for listed in list {
            assert_eq!(listed, shown(app, listed["id"].as_str().unwrap_or_default()).await);
            used.insert(listed["health"]["last_used_at"].to_string());
        }
        assert_eq!(used.len(), 3, "{used:?}");
    })
    .await;
}

#[tokio::test]
async fn scopes_that_were_cut_are_named() {
    on_each(async |app| {
        app.sandbox.faults(json!({ "granted_scopes": ["read"] })).await;
        let scopes = vec!["read".to_owned(), "write".to_owned()];
        let wide = NewIntegration { scopes, ..new_integration("wide", "sandbox", at(&app.sandbox.origin)) };
        app.integrate_as(&app.acme, wide).await;
        let done = Browser::new().connect(app, &app.acme, &[("integration_id", "wide")]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let health = health(app, &id).await;
        assert_eq!(health["scopes_asked"], json!(["read", "write"]));
        assert_eq!(
            (&health["scopes_granted"], &health["scopes_missing"]),
            (&json!(["read"]), &json!(["write"]))
        );
    })
    .await;
}

#[tokio::test]
async fn its_owner_is_told_a_week_before_the_refresh_token_dies_and_once() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let tokens = json!({
            "access_token": "canary_a", "refresh_token": "canary_r", "token_type": "Bearer",
            "refresh_expires_in": 90 * 86_400,
        });
        let id = stubbed(app, &stub, tokens).await;
        let dies_at = app.broker.clock.now().plus(Duration::from_secs(90 * 86_400)).rfc3339();
        assert_eq!(expiring::tell(&app.broker).await.unwrap(), 0);
        app.pass(Duration::from_secs(83 * 86_400 - 1));
        assert_eq!(expiring::tell(&app.broker).await.unwrap(), 0);
        app.pass(Duration::from_secs(1));
        // Of any number of processes that look, one tells.
        let (one, two) = tokio::join!(expiring::tell(&app.broker), expiring::tell(&app.broker));
        assert_eq!(one.unwrap() + two.unwrap(), 1);
        app.pass(Duration::from_secs(86_400));
        assert_eq!(expiring::tell(&app.broker).await.unwrap(), 0);
        let events = app.events(&app.acme).await;
        let told: Vec<_> = events.iter().filter(|it| it.kind == EventKind::ConnectionExpiring).collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].connection_id.as_str(), id);
        assert_eq!(
            (&told[0].data["refresh_expires_at"], &told[0].data["is_valid"]),
            (&json!(dies_at), &json!(true))
        );
    })
    .await;
}
