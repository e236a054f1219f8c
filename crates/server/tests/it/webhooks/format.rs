//! The other format: its words, what it has none for, and that a redelivery speaks the one that is set now.

use claviger_engine::domain::{
    revocation::{Outcome, Told},
    webhook::Format,
};
use serde_json::json;

use super::*;
use crate::support::{Browser, on_each, value};

async fn speaks(app: &TestApp, was: &Endpoint, format: Format) -> Endpoint {
    edit(app, was, WebhookEdit { format: Some(format), ..WebhookEdit::default() }).await
}

#[tokio::test]
async fn a_connections_life_is_told_in_the_other_doors_words() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, secret) = endpoint(app, &hook.url).await;
        speaks(app, &to, Format::Membrane).await;
        let made = Connection {
            owner: Owner { kind: OwnerKind::Customer, key: Some("user-1".to_owned()) },
            name: Some("Mine".to_owned()),
            ..connection(app)
        };
        let stale = Connection { status: Status::NeedsReauth, ..made.clone() };
        tell(app, &made, EventKind::ConnectionCreated).await;
        tell(app, &made, EventKind::ConnectionUpdated).await;
        tell(app, &stale, EventKind::ConnectionExpired).await;
        let at = app.broker.clock.now();
        app.change(async |to| {
            claviger_engine::webhook::emit_authorized(to.conn, &made, &made, false, at).await
        })
        .await;
        app.change(async |to| {
            claviger_engine::webhook::emit_authorized(to.conn, &stale, &made, false, at).await
        })
        .await;
        let revoked = Told::new(Outcome::Revoked, "");
        app.change(async |to| claviger_engine::webhook::emit_deleted(to.conn, &made, &revoked, at).await)
            .await;
        assert_eq!(rounds(app).await, 4, "it has no word for a change");
        let seen = hook.seen();
        let told: Vec<_> = seen
            .iter()
            .map(|told| {
                (told.body["eventType"].as_str().unwrap(), &told.body["data"]["connection"]["disconnected"])
            })
            .collect();
        assert_eq!(
            told,
            [
                ("connection.created", &json!(false)),
                ("connection.disconnected", &json!(true)),
                ("connection.reconnected", &json!(false)),
                ("connection.deleted", &json!(true)),
            ]
        );
        for told in &seen {
            assert_eq!(told.body["event"], told.body["eventType"]);
            let connection = &told.body["data"]["connection"];
            assert_eq!(connection["id"], made.id.as_str());
            assert_eq!(connection["integrationId"], app.acme.integration.as_str());
            assert_eq!(connection["integrationKey"], "sandbox");
            assert_eq!((&connection["name"], &connection["customerId"]), (&json!("Mine"), &json!("user-1")));
            assert_eq!(told.body["data"].as_object().unwrap().len(), 1);
            assert!(told.signed("bundleup-signature", secret.expose()));
            assert!(told.signed_standard(secret.expose()));
        }
    })
    .await;
}

#[tokio::test]
async fn owners_of_other_doors_are_not_told_as_customers_and_a_redelivery_speaks_the_format_of_now() {
    on_each(async |app| {
        let hook = Hook::start().await;
        let (to, _) = endpoint(app, &hook.url).await;
        let done = Browser::new().connect(app, &app.acme, &[("external_id", "theirs")]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        assert_eq!(rounds(app).await, 1);
        speaks(app, &to, Format::Membrane).await;
        let sent = delivery(app, &to).await;
        let ws = &app.acme.workspace;
        app.change(async |change| change.conn.requeue_delivery(ws, &to.id, &sent.id).await).await;
        assert_eq!(rounds(app).await, 1);
        let seen = hook.seen();
        assert_eq!((seen[0].kind(), seen[0].id()), ("connection.created", seen[1].id()));
        let connection = json!({
            "id": id, "integrationId": app.acme.integration.as_str(), "integrationKey": "sandbox",
            "name": "Sandbox", "disconnected": false,
        });
        let body = json!({
            "eventType": "connection.created", "event": "connection.created", "data": { "connection": connection },
        });
        assert_eq!(seen[1].body, body);
    })
    .await;
}
