//! Deleting: users are disconnected at the provider first, and what customers connected stands in the way.

use claviger_engine::domain::event::EventKind;

use super::*;
use crate::support::Reply;

async fn shared_with(alice: &Seat, path: &str, desk: &Desk<'_>, name: &str) -> Seat {
    desk.user(name, &[]).await;
    let share = json!({ "accessLevel": 1 });
    assert_eq!(alice.put(&format!("{path}/shares/{name}"), &share).await.status, 200);
    desk.bearer(name).await
}

/// How often the provider was told of an end.
fn revoked(stub: &Stub) -> usize {
    stub.seen().iter().filter(|seen| seen.path == "/revoke").count()
}

#[tokio::test]
async fn its_users_are_disconnected_at_the_provider_and_it_is_gone() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let path = made(&alice.post(PATH, &at(&stub)).await);
        let bob = shared_with(&alice, &path, &desk, "bob").await;
        // Accounts of their own: what is shared with another connection is not revoked.
        for (seat, sub) in [(&alice, "alice"), (&bob, "bob")] {
            stub.reply("/userinfo", Reply::json(&json!({ "sub": sub }).to_string()));
            connect(seat, &path).await;
        }
        assert_eq!(revoked(&stub), 0);
        let gone = alice.delete(&path).await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
        assert!(revoked(&stub) >= 2, "both are told: {}", revoked(&stub));
        for seat in [&alice, &bob] {
            for place in [path.clone(), format!("{path}/connection"), format!("{path}/request/me")] {
                seat.get(&place).await.assert_hapi(404, "integration not found");
            }
            assert_eq!(seat.get("/api/integration-connections").await.json()["total"], 0);
        }
        let events = app.events(&app.acme).await;
        let ended = events.iter().filter(|event| event.kind == EventKind::ConnectionDeleted).count();
        assert_eq!(ended, 2);
        alice.delete(&path).await.assert_hapi(404, "integration not found");
        // Its slug is free again.
        assert_eq!(alice.post(PATH, &at(&stub)).await.json()["slug"], "stub");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_fails_keeps_nothing_alive() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let stub = Stub::start().await;
        let mut body = at(&stub);
        body["mode"] = json!("shared");
        let path = made(&alice.post(PATH, &body).await);
        connect(&alice, &path).await;
        stub.reply("/revoke", Reply::Say(500, "text/plain", "no".to_owned()));
        assert_eq!(alice.delete(&path).await.status, 204);
        assert!(revoked(&stub) >= 1);
        alice.get(&path).await.assert_hapi(404, "integration not found");
    })
    .await;
}

#[tokio::test]
async fn what_customers_connected_stands_in_the_way() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.superuser("root").await;
        let root = desk.bearer("root").await;
        let path = format!("{PATH}/{}", app.acme.integration);
        for owner in ["u1", "u2"] {
            crate::support::Browser::new()
                .connect(app, &app.acme, &[("external_id", owner)])
                .await
                .redirect();
        }
        root.delete(&path).await.assert_hapi(409, "2 connections of customers");
        assert_eq!(root.get(&path).await.json()["enabled"], true, "it is left as it was");
        let connections = app.connections(&app.acme).await;
        assert_eq!(connections.len(), 2);
        for connection in connections {
            let broker = &app.broker;
            let actor = claviger_engine::domain::audit::Actor::Cli;
            claviger_engine::connect::end(broker, &app.acme.workspace, &connection.id, actor)
                .await
                .expect("an end");
        }
        assert_eq!(root.delete(&path).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn it_takes_more_than_using_it() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        let bob = maker(&desk, "bob").await;
        for (level, status) in [(1, 403), (2, 403), (3, 204)] {
            let share = json!({ "accessLevel": level });
            assert_eq!(alice.put(&format!("{path}/shares/bob"), &share).await.status, 200);
            assert_eq!(bob.delete(&path).await.status, status, "level {level}");
        }
        desk.user("carol", &[Permission::Write]).await;
        let carol = desk.bearer("carol").await;
        let path = made(&carol.post(PATH, &example()).await);
        carol.delete(&path).await.assert_hapi(403, "integration:delete");
        let reading = desk.bearer_as("carol", &json!({ "readOnly": true })).await;
        reading.put(&path, &json!({ "name": "x" })).await.assert_hapi(403, "reads");
        desk.user("dave", &[]).await;
        desk.bearer("dave").await.post(PATH, &example()).await.assert_hapi(403, "integration:write");
    })
    .await;
}
