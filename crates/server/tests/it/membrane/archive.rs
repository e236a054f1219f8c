//! Archiving: a connection ends everywhere, its credential is erased, and this door remembers that it was there.

use std::slice;

use claviger_engine::domain::event::EventKind;
use http::Method;
use serde_json::{Value, json};

use super::{
    admin, ask, assert_refused, customer,
    planted::{plant, provider},
};
use crate::support::{TestApp, on_each, upstream::say};

const GET: Method = Method::GET;

async fn ids(app: &TestApp, token: &str, query: &str) -> Vec<String> {
    let listed = ask(app, token, GET, &format!("/connections?{query}"), None).await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    let all = listed.json()["items"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| it["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn an_archived_connection_is_shown_by_its_id_and_nothing_else_works() {
    on_each(async |app| {
        let up = provider(async |_, _| say(200, &[], "")).await;
        app.integrate(&app.acme, "up", &up.origin).await;
        let id = plant(app, &app.acme, "up", "alice", "canary_archived").await;
        let (alice, bob) = (customer(app, &app.acme, "alice").await, customer(app, &app.acme, "bob").await);
        let name = json!({ "name": "Work" });
        ask(app, &alice, Method::PATCH, "/connections/up", Some(&name)).await;
        let path = format!("/connections/{id}");
        let before = ask(app, &alice, GET, &path, None).await.json();
        let gone = ask(app, &alice, Method::DELETE, "/connections/up", None).await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
        // The same again ends nothing a second time.
        assert_eq!(ask(app, &alice, Method::DELETE, &path, None).await.status, 204);

        let shown = ask(app, &alice, GET, &path, None).await;
        assert_eq!(shown.status, 200);
        let shown = shown.json();
        for kept in ["id", "name", "userId", "integrationId", "createdAt", "integration"] {
            assert_eq!(shown[kept], before[kept], "{kept}");
        }
        assert!(shown["archivedAt"].is_string() && before["archivedAt"].is_null());
        assert_eq!((&shown["disconnected"], &shown["connected"]), (&json!(true), &json!(false)));
        assert_eq!(shown["error"]["type"], "connection");
        assert_refused(&ask(app, &bob, GET, &path, None).await, 404, Some("not_found"));

        for (method, below) in
            [(Method::PATCH, ""), (Method::POST, "/refresh-credentials"), (GET, "/proxy/x")]
        {
            let answer = ask(app, &alice, method, &format!("{path}{below}"), Some(&name)).await;
            assert_refused(&answer, 404, Some("not_found"));
        }
        assert_refused(&ask(app, &alice, GET, "/connections/up", None).await, 404, Some("not_found"));
        assert!(up.calls().is_empty());

        // Revoked, told of once, and gone from where the other doors look.
        assert_eq!(
            up.seen().iter().filter(|head| head.target == "/revoke").count(),
            2,
            "both its tokens, once"
        );
        let told = app.events(&app.acme).await;
        let ends: Vec<_> = told.iter().filter(|it| it.kind == EventKind::ConnectionDeleted).collect();
        assert_eq!(ends.len(), 1);
        assert_eq!(app.connections(&app.acme).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn lists_show_archived_ones_to_who_asks_for_them() {
    on_each(async |app| {
        let (alice, bob) = (customer(app, &app.acme, "alice").await, customer(app, &app.acme, "bob").await);
        let first = plant(app, &app.acme, "sandbox", "alice", "one").await;
        app.pass(std::time::Duration::from_secs(1));
        let second = plant(app, &app.acme, "sandbox", "alice", "two").await;
        ask(app, &alice, Method::DELETE, &format!("/connections/{first}"), None).await;
        assert_eq!(ids(app, &alice, "").await, slice::from_ref(&second));
        assert_eq!(ids(app, &alice, "includeArchived=false").await, slice::from_ref(&second));
        assert_eq!(ids(app, &alice, "includeArchived=true").await, [second.clone(), first.clone()]);
        assert_eq!(ids(app, &alice, "includeArchived=true&disconnected=true").await, slice::from_ref(&first));
        assert_eq!(ids(app, &alice, "includeArchived=true&connected=true").await, slice::from_ref(&second));
        assert_eq!(ids(app, &bob, "includeArchived=true").await, [""; 0]);
        let admin = admin(app, &app.acme).await;
        assert_eq!(ids(app, &admin, "includeArchived=true&userId=alice").await, [second, first.clone()]);
        let other = app.tenant("Other").await;
        let stranger = super::admin(app, &other).await;
        assert_eq!(ids(app, &stranger, "includeArchived=true").await, [""; 0]);
        assert_refused(
            &ask(app, &stranger, GET, &format!("/connections/{first}"), None).await,
            404,
            Some("not_found"),
        );
    })
    .await;
}

#[tokio::test]
async fn connecting_again_is_another_connection() {
    on_each(async |app| {
        let alice = customer(app, &app.acme, "alice").await;
        let first = plant(app, &app.acme, "sandbox", "alice", "one").await;
        ask(app, &alice, Method::DELETE, &format!("/connections/{first}"), None).await;
        let second = plant(app, &app.acme, "sandbox", "alice", "two").await;
        let shown: Value = ask(app, &alice, GET, "/connections/sandbox", None).await.json();
        assert_eq!(shown["id"], json!(second), "the archived one does not count");
        assert!(shown["archivedAt"].is_null());
    })
    .await;
}
