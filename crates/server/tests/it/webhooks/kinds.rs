//! What is told: each kind of event, its body and its headers, from the doors that make it true.

use claviger_engine::{connect, domain::audit::Actor, id::ConnectionId};

use super::*;
use crate::support::{Browser, on_each, value};

#[tokio::test]
async fn a_connection_s_life_is_told_in_order_and_signed_both_ways() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, secret) = endpoint(app, &hook.url).await;
        let done = Browser::new().connect(app, &app.acme, &[("external_id", "Zoë")]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let there = app.connection(&app.acme, &id).await;
        tell(app, &there, EventKind::ConnectionUpdated).await;
        let stale = Connection { status: Status::NeedsReauth, ..there.clone() };
        tell(app, &stale, EventKind::ConnectionExpired).await;
        let ws = &app.acme.workspace;
        let parsed = ConnectionId::parse(&id).unwrap();
        connect::end(&app.broker, ws, &parsed, Actor::System).await.unwrap();
        app.pass(std::time::Duration::from_millis(1500));
        assert_eq!(rounds(app).await, 4);

        let seen = hook.seen();
        assert_eq!(
            seen.iter().map(Told::kind).collect::<Vec<_>>(),
            ["connection.created", "connection.updated", "connection.expired", "connection.deleted"]
        );
        let at = app.broker.clock.now();
        let events: Vec<_> = app.events(&app.acme).await.into_iter().rev().collect();
        for (told, event) in seen.iter().zip(&events) {
            assert_eq!((told.id(), &told.body["id"]), (event.id.as_str(), &event.id.as_str().into()));
            assert_eq!(told.header("webhook-timestamp"), (at.0 / 1000).to_string());
            assert_eq!(told.body["webhookTimestamp"], at.0);
            assert_eq!(told.body["created_at"], event.created_at.rfc3339());
            assert_eq!(told.body["data"]["id"], id.as_str());
            assert_eq!(told.body["data"]["external_id"], "Zoë");
            assert_eq!(told.body["data"]["integration_id"], app.acme.integration.as_str());
            assert_eq!(told.body["data"]["is_valid"], told.kind() != "connection.expired");
            assert_eq!(told.header("content-type"), "application/json");
            assert!(told.header("user-agent").starts_with("claviger"));
            assert!(
                told.signed("bundleup-signature", secret.expose()) && told.signed_standard(secret.expose())
            );
            assert!(!told.headers.contains_key("bundleup-signature-next"));
            let again = serde_json::to_string(&told.body).unwrap();
            assert_eq!(told.bytes, again, "parsed and written again it is the same, as some receivers need");
        }
        assert_eq!(now(app, &to).await.last_triggered_at, Some(at));
        for one in deliveries(app, &to).await {
            assert_eq!((one.attempts, one.next_at, one.delivered_at), (1, None, Some(at)));
            let kept = attempts(app, &one.id).await;
            assert_eq!(kept.len(), 1);
            assert_eq!((kept[0].status, kept[0].error.as_deref(), kept[0].at), (Some(204), None, at));
        }
    })
    .await;
}

#[tokio::test]
async fn who_owns_a_connection_of_another_door_is_not_told_as_an_external_id() {
    on_each(async |app| {
        let hook = Hook::start().await;
        endpoint(app, &hook.url).await;
        let owner = Owner { kind: OwnerKind::User, key: Some("alice".to_owned()) };
        tell(app, &Connection { owner, ..connection(app) }, EventKind::ConnectionCreated).await;
        assert_eq!(rounds(app).await, 1);
        let told = hook.seen().remove(0);
        assert!(told.body["data"]["external_id"].is_null());
        assert!(!String::from_utf8_lossy(&told.bytes).contains("alice"));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_gets_the_kinds_that_it_wants_and_each_endpoint_its_own() {
    on_each(async |app| {
        let (all, some) = (Hook::start().await, Hook::start().await);
        endpoint(app, &all.url).await;
        let (few, _) = endpoint(app, &some.url).await;
        let wanted =
            WebhookEdit { events: Some(vec![EventKind::ConnectionDeleted]), ..WebhookEdit::default() };
        edit(app, &few, wanted).await;
        let of = connection(app);
        tell(app, &of, EventKind::ConnectionCreated).await;
        tell(app, &of, EventKind::ConnectionDeleted).await;
        assert_eq!(rounds(app).await, 3);
        assert_eq!(kinds_of(&all.seen(), &of), ["connection.created", "connection.deleted"]);
        assert_eq!(kinds_of(&some.seen(), &of), ["connection.deleted"]);
        assert_eq!(all.seen()[1].id(), some.seen()[0].id(), "the id is the event's");
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_sent_again_when_asked_for_under_the_same_id() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, secret) = endpoint(app, &hook.url).await;
        let id = tell(app, &connection(app), EventKind::ConnectionCreated).await;
        assert_eq!(rounds(app).await, 1);
        let done = delivery(app, &to).await;
        app.pass(std::time::Duration::from_secs(10));
        app.change(async |change| change.conn.requeue_delivery(&app.acme.workspace, &to.id, &done.id).await)
            .await;
        assert_eq!(rounds(app).await, 1);
        let seen = hook.seen();
        assert_eq!((seen[0].id(), seen[1].id()), (id.as_str(), id.as_str()));
        assert_ne!(seen[0].header("webhook-timestamp"), seen[1].header("webhook-timestamp"));
        assert_ne!(seen[0].body["webhookTimestamp"], seen[1].body["webhookTimestamp"]);
        assert!(seen.iter().all(|told| told.signed_standard(secret.expose())));
        assert_eq!(attempts(app, &done.id).await.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2]);
    })
    .await;
}
