//! Which connection is meant: by its id, or by its integration where there is exactly one; and never another's.

use http::Method;
use serde_json::json;

use super::{admin, ask, assert_refused, customer, planted::plant, token};
use crate::support::{TestApp, on_each, value};

const GET: Method = Method::GET;

async fn id_of(app: &TestApp, token: &str, selector: &str) -> Option<String> {
    let answer = ask(app, token, GET, &format!("/connections/{selector}"), None).await;
    match answer.status.as_u16() {
        200 => answer.json()["id"].as_str().map(str::to_owned),
        404 => {
            assert_refused(&answer, 404, Some("not_found"));
            None
        }
        other => panic!("{other}: {}", answer.text()),
    }
}

#[tokio::test]
async fn a_connection_is_named_by_its_id_or_by_its_integration() {
    on_each(async |app| {
        let alice = customer(app, &app.acme, "alice").await;
        assert_eq!(id_of(app, &alice, "sandbox").await, None, "there is none yet");
        let made = plant(app, &app.acme, "sandbox", "alice", "one").await;
        for selector in [made.as_str(), "sandbox", app.acme.integration.as_str()] {
            assert_eq!(id_of(app, &alice, selector).await.as_ref(), Some(&made), "{selector}");
        }
        for selector in ["other", "conn_00000000000000000000000000000000", "conn_", "%00", "%ff", "cus_1"] {
            assert_eq!(id_of(app, &alice, selector).await, None, "{selector}");
        }
        let second = plant(app, &app.acme, "sandbox", "alice", "two").await;
        let several = ask(app, &alice, GET, "/connections/sandbox", None).await;
        assert_refused(&several, 400, None);
        let told = several.json()["message"].as_str().map(str::to_owned).unwrap_or_default();
        assert!(told.contains(&made) && told.contains(&second), "{told}");
        assert_eq!(id_of(app, &alice, &second).await, Some(second));
    })
    .await;
}

#[tokio::test]
async fn another_customers_connection_does_not_exist() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let mine = plant(app, &app.acme, "sandbox", "alice", "one").await;
        let foreign = plant(app, &other, "sandbox", "alice", "two").await;
        let (alice, bob) = (customer(app, &app.acme, "alice").await, customer(app, &app.acme, "bob").await);
        let namesake = customer(app, &other, "alice").await;
        let none = token(app, &app.acme, json!({})).await;
        for (who, id) in [(&bob, &mine), (&namesake, &mine), (&alice, &foreign)] {
            for (method, path) in [
                (GET, ""),
                (Method::PATCH, ""),
                (Method::PUT, ""),
                (Method::DELETE, ""),
                (Method::POST, "/refresh-credentials"),
                (GET, "/proxy/me"),
            ] {
                let answer =
                    ask(app, who, method, &format!("/connections/{id}{path}"), Some(&json!({ "name": "x" })))
                        .await;
                assert_refused(&answer, 404, Some("not_found"));
                assert_eq!(answer.json()["message"], "connection not found", "as one that never was");
            }
        }
        assert_eq!(id_of(app, &bob, "sandbox").await, None);
        assert_refused(
            &ask(app, &none, GET, &format!("/connections/{mine}"), None).await,
            403,
            Some("access_denied"),
        );
        assert_refused(
            &ask(app, "", GET, &format!("/connections/{mine}"), None).await,
            401,
            Some("not_authenticated"),
        );
        assert_eq!(app.connections(&app.acme).await.len(), 1);
        assert_eq!(app.connections(&other).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_admin_names_connections_by_id_and_sees_customers_only() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let made = plant(app, &app.acme, "sandbox", "alice", "one").await;
        let foreign = plant(app, &other, "sandbox", "alice", "two").await;
        let admin = admin(app, &app.acme).await;
        assert_eq!(id_of(app, &admin, &made).await.as_ref(), Some(&made));
        assert_eq!(id_of(app, &admin, &foreign).await, None);
        assert_eq!(id_of(app, &admin, "sandbox").await, None, "whose would it be?");
        // What another door's owners connected is not there.
        let done = crate::support::Browser::new().connect(app, &app.acme, &[("external_id", "alice")]).await;
        let leg = value(&done.redirect().1, "connection_id").to_owned();
        assert_eq!(id_of(app, &admin, &leg).await, None);
        let alice = customer(app, &app.acme, "alice").await;
        assert_eq!(id_of(app, &alice, "sandbox").await, Some(made));
        assert_eq!(id_of(app, &alice, &leg).await, None);
    })
    .await;
}
