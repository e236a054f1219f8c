//! Connecting again: in place of what is there, beside it, or over one connection and no other.

use serde_json::json;

use super::front::{Front, KEY, WRONG_KEY, connected, end, failed, keyed, posted, provider, providers};
use crate::support::{Browser, on_each, on_each_with};

#[tokio::test]
async fn one_connection_unless_more_are_wanted() {
    on_each(async |app| {
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let first = connected(&front.connect(&browser, "alice", json!({ "name": "First" })).await);
        let again = connected(&front.connect(&browser, "bob", json!({})).await);
        assert_eq!(again, first, "the id stays");
        let made = app.connection(&app.acme, &first).await;
        assert_eq!((made.name.as_deref(), front.connections().await.len()), (Some("First"), 1));
        for yes in [json!(true), json!("true"), json!("1"), json!(1)] {
            let more = connected(
                &front.connect(&browser, "alice", json!({ "allowMultipleConnections": yes })).await,
            );
            assert_ne!(more, first);
        }
        for no in [json!(false), json!("false"), json!("0"), json!("")] {
            connected(&front.connect(&browser, "alice", json!({ "allowMultipleConnections": no })).await);
        }
        assert_eq!(front.connections().await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_authorized_anew_by_its_own_customer_only() {
    on_each(async |app| {
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let many = json!({ "allowMultipleConnections": true });
        let first = connected(&front.connect(&browser, "alice", many.clone()).await);
        let second = connected(&front.connect(&browser, "bob", many).await);
        let this = json!({ "connectionId": first, "integrationKey": null });
        assert_eq!(connected(&front.connect(&browser, "bob", this.clone()).await), first);
        let (one, two) = (app.connection(&app.acme, &first).await, app.connection(&app.acme, &second).await);
        assert_eq!(one.account.id, two.account.id, "bob's now");

        let other = Front::new(app, "user-2").await;
        let (_, data) = failed(&other.submit(&browser, this.clone()).await);
        assert_eq!(data["key"], "not_found", "another customer's does not exist");
        let by_another_door = browser.connect(app, &app.acme, &[("external_id", "user-1")]).await;
        let (_, pairs) = by_another_door.redirect();
        let theirs = crate::support::value(&pairs, "connection_id");
        let (_, data) = failed(&front.submit(&browser, json!({ "connectionId": theirs })).await);
        assert_eq!(data["key"], "not_found", "and neither does another door's");
        app.integrate(&app.acme, "else", &app.sandbox.origin).await;
        let (_, data) =
            failed(&front.submit(&browser, json!({ "connectionId": first, "integrationKey": "else" })).await);
        assert_eq!(data["key"], "not_found", "nor as another integration's");

        // It ends while the browser is at the provider: nothing takes its place, and no code is redeemed.
        let exchanged = app.sandbox.exchanges().await;
        let leg = front.set_out(&browser, this.clone()).await;
        end(app, &first).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let (text, _) = failed(&browser.get(&back).await);
        assert!(text.contains("gone"), "{text}");
        assert_eq!(app.sandbox.exchanges().await, exchanged);
        let (_, data) = failed(&front.submit(&browser, this).await);
        assert_eq!(data["key"], "not_found");
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_fails_leaves_the_old_credential_as_it_was() {
    on_each_with(providers, async |app| {
        let (front, upstream, browser) = (Front::new(app, "user-1").await, provider().await, Browser::new());
        keyed(app, "it", "keyed", &upstream).await;
        let wish = |key: &str| json!({ "integrationKey": "it", "connectionParameters": { "api_key": key } });
        let typed = connected(&front.submit(&browser, wish(KEY)).await);
        let granted = connected(&front.connect(&browser, "alice", json!({})).await);
        let held = async |id: &str| {
            let id = claviger_engine::id::ConnectionId::parse(id).unwrap();
            let found = app.read().await.credential(&app.acme.workspace, &id).await.unwrap().unwrap();
            (found.version, found.sealed.body().unwrap_or_default().to_owned())
        };
        let before = (held(&typed).await, held(&granted).await);
        let revoked = app.sandbox.stats().await.revocations;
        failed(&front.submit(&browser, wish(WRONG_KEY)).await);
        let leg = front.set_out(&browser, json!({ "connectionId": granted })).await;
        let denied = browser.consent(&leg, "alice", "deny").await;
        failed(&browser.get(&denied).await);
        app.sandbox
            .faults(json!({ "token_status": 400, "token_body": "{\"error\":\"invalid_grant\"}" }))
            .await;
        failed(&front.connect(&browser, "alice", json!({})).await);
        app.sandbox.faults(json!({ "token_status": null, "token_body": null })).await;
        assert_eq!((held(&typed).await, held(&granted).await), before);
        assert_eq!(app.sandbox.stats().await.revocations, revoked);

        assert_eq!(connected(&front.submit(&browser, wish(KEY)).await), typed);
        assert_eq!(connected(&front.connect(&browser, "alice", json!({})).await), granted);
        assert!(held(&typed).await.0 > before.0.0 && held(&granted).await.0 > before.1.0);
    })
    .await;
}

#[tokio::test]
async fn a_customer_who_is_gone_connects_nothing() {
    on_each(async |app| {
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let leg = front.set_out(&browser, json!({ "redirectUri": null })).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        app.change(async |to| {
            let gone = to.conn.customer_by_key(&app.acme.workspace, "user-1").await?.unwrap();
            to.conn.delete_customer(&app.acme.workspace, &gone).await
        })
        .await;
        browser.get(&back).await.assert_refused("its flows go with it");
        assert_eq!(app.sandbox.exchanges().await, 0);
        // Whoever still holds a token is a customer again.
        let done = front.connect(&browser, "alice", json!({ "redirectUri": null })).await;
        assert_eq!(posted(&front.follow(&browser, &done).await).0["type"], "newConnectionCreated");
    })
    .await;
}
