//! `refresh-credentials`: a credential is made anew at once, or its provider says whether it still takes it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{
    ask, assert_refused, customer,
    front::{self, KEY, keyed},
    planted::{plant, provider, refreshes},
    send,
};
use crate::support::{Answer, TestApp, Upstream, on_each, on_each_with, upstream::say};

async fn refresh(app: &TestApp, token: &str, selector: &str) -> Answer {
    let path = format!("/connections/{selector}/refresh-credentials");
    // As the SDKs send it: a form without a field.
    send(app, token, Method::POST, &path, "application/x-www-form-urlencoded", Bytes::new()).await
}

/// An integration `up` at a provider, and a customer's connection there.
async fn connected(app: &TestApp, up: &Upstream, token: &str) -> String {
    app.integrate(&app.acme, "up", &up.origin).await;
    plant(app, &app.acme, "up", "alice", token).await
}

#[tokio::test]
async fn a_credential_is_made_anew_before_it_is_old() {
    on_each(async |app| {
        let up = provider(async |head, _| say(200, &[], head.all("authorization").join(","))).await;
        let id = connected(app, &up, "one").await;
        let alice = customer(app, &app.acme, "alice").await;
        let before = app.connection(&app.acme, &id).await;
        app.pass(Duration::from_secs(5));
        let answer = refresh(app, &alice, "up").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let shown = answer.json();
        assert_eq!((&shown["id"], &shown["connected"]), (&json!(id), &json!(true)));
        assert_eq!(shown["lastActiveAt"], shown["updatedAt"]);
        assert_eq!(refreshes(&up), 1);
        assert!(app.connection(&app.acme, &id).await.refreshed_at > before.refreshed_at);
        let called = ask(app, &alice, Method::GET, "/connections/up/proxy/x", None).await;
        assert_eq!(called.text(), "Bearer one_again");
        assert_eq!(refreshes(&up), 1, "the call needs no other");
    })
    .await;
}

#[tokio::test]
async fn many_at_once_are_one_refresh_each_time() {
    on_each(async |app| {
        let up = provider(async |_, _| say(200, &[], "")).await;
        connected(app, &up, "one").await;
        let alice = customer(app, &app.acme, "alice").await;
        let all = futures_util::future::join_all((0..8).map(|_| refresh(app, &alice, "up"))).await;
        assert!(all.iter().all(|answer| answer.status == 200));
        assert!(refreshes(&up) < 8, "those who waited took what came: {}", refreshes(&up));
        for _ in 0..12 {
            refresh(app, &alice, "up").await;
        }
        let refused = refresh(app, &alice, "up").await;
        assert_refused(&refused, 429, Some("rate_limit_exceeded"));
        assert!(refused.header("retry-after").is_some());
    })
    .await;
}

#[tokio::test]
async fn a_refused_refresh_says_that_the_customer_has_to_come_back() {
    on_each(async |app| {
        let up = provider(async |_, _| say(200, &[], "")).await;
        let id = connected(app, &up, "dead").await;
        let alice = customer(app, &app.acme, "alice").await;
        for _ in 0..2 {
            let refused = refresh(app, &alice, &id).await;
            assert_refused(&refused, 400, Some("connection_is_defunct"));
            assert_eq!(refused.json()["type"], "connection");
        }
        assert_eq!(refreshes(&up), 1, "a dead token is shown once");
        let shown = ask(app, &alice, Method::GET, &format!("/connections/{id}"), None).await.json();
        assert_eq!((&shown["disconnected"], &shown["isDefunct"]), (&json!(true), &json!(true)));
        assert_eq!((&shown["state"], &shown["connected"]), (&json!("CLIENT_ACTION_REQUIRED"), &json!(false)));
        assert_eq!(shown["error"]["key"], "connection_is_defunct");
        assert_eq!(shown["errors"][0], shown["error"]);
        assert_eq!(shown["canRefreshCredentials"], false);
    })
    .await;
}

#[tokio::test]
async fn what_is_frozen_or_archived_is_not_refreshed() {
    on_each(async |app| {
        let up = provider(async |_, _| say(200, &[], "")).await;
        let id = connected(app, &up, "one").await;
        let alice = customer(app, &app.acme, "alice").await;
        let connection = app.connection(&app.acme, &id).await;
        let now = app.broker.clock.now();
        let freeze = async |at| {
            app.change(async |to| to.conn.freeze_connection(&app.acme.workspace, &connection.id, at).await)
                .await
        };
        assert!(freeze(Some(now)).await);
        assert_refused(&refresh(app, &alice, &id).await, 403, Some("access_denied"));
        assert_refused(
            &ask(app, &alice, Method::GET, &format!("/connections/{id}/proxy/x"), None).await,
            403,
            Some("access_denied"),
        );
        let shown = ask(app, &alice, Method::GET, &format!("/connections/{id}"), None).await.json();
        assert_eq!((&shown["isDeactivated"], &shown["disconnected"]), (&json!(true), &json!(true)));
        assert_eq!(shown["state"], "CONFIGURATION_ERROR");
        assert!(freeze(None).await);
        ask(app, &alice, Method::DELETE, &format!("/connections/{id}"), None).await;
        assert_refused(&refresh(app, &alice, &id).await, 404, Some("not_found"));
        assert_eq!(refreshes(&up), 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_tried_at_its_provider() {
    on_each_with(front::providers, async |app| {
        let up = front::provider().await;
        keyed(app, "keyed", "keyed", &up).await;
        let alice = customer(app, &app.acme, "alice").await;
        let body = json!({ "integrationKey": "keyed", "credentials": { "apiKey": KEY } });
        let made = ask(app, &alice, Method::POST, "/connections", Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let asked = up.seen().len();
        let tried = refresh(app, &alice, "keyed").await;
        assert_eq!(tried.status, 200, "{}", tried.text());
        assert_eq!(up.seen().len(), asked + 1, "its provider was asked");
        assert_eq!(
            (&tried.json()["canTest"], &tried.json()["canRefreshCredentials"]),
            (&json!(true), &json!(false))
        );
    })
    .await;
}
