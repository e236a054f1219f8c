//! `/self` and `/customers`: what a product's admin tokens see and change, and what stays sealed.

use claviger_engine::{
    connect,
    domain::{
        audit::Actor,
        connection::{Owner, OwnerKind},
    },
    store::trial,
};
use http::Method;
use serde_json::{Value, json};

use super::{admin, ask, assert_refused, customer, send, token};
use crate::support::{Answer, Browser, Tenant, TestApp, on_each, value};

/// Asserts that a request was wrong at this field.
#[track_caller]
fn assert_field(answer: &Answer, field: &str) {
    assert_refused(answer, 400, None);
    assert_eq!(answer.json()["data"]["field"], field, "{}", answer.text());
}

fn keys(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["internalId"].as_str().unwrap()).collect()
}

/// A connection that belongs to a customer, as one that it made itself would.
async fn connected(app: &TestApp, tenant: &Tenant, key: &str) -> String {
    let (_, pairs) = Browser::new().connect(app, tenant, &[("external_id", "x")]).await.redirect();
    let was = app.connection(tenant, value(&pairs, "connection_id")).await;
    // The tenant's own connections are another door's: this one is put in their place.
    let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.unwrap();
    let credential = conn.credential(&tenant.workspace, &was.id).await.unwrap().unwrap();
    conn.delete_connection(&tenant.workspace, &was.id).await.unwrap();
    let owner = Owner { kind: OwnerKind::Customer, key: Some(key.to_owned()) };
    let is = claviger_engine::domain::connection::Connection { owner, ..was };
    conn.create_connection(&tenant.workspace, &is).await.unwrap();
    conn.create_credential(&tenant.workspace, &credential).await.unwrap();
    conn.commit().await.unwrap();
    is.id.to_string()
}

#[tokio::test]
async fn an_admin_makes_lists_changes_and_removes_customers() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        let wish =
            json!({ "internalId": "user 1/ä", "name": "Ada", "fields": { "plan": "pro" }, "isTest": true });
        let made = ask(app, &admin, Method::POST, "/customers", Some(&wish)).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let (id, coded) = (made.json()["id"].as_str().unwrap().to_owned(), "user%201%2F%C3%A4");
        let again = ask(app, &admin, Method::POST, "/customers", Some(&wish)).await;
        assert_refused(&again, 400, None);
        for path in [
            format!("/customers/{id}"),
            format!("/customers/{coded}"),
            format!("/customer?id={id}"),
            format!("/customer?id={coded}"),
        ] {
            let shown = ask(app, &admin, Method::GET, &path, None).await;
            assert_eq!((shown.status.as_u16(), shown.json()), (200, made.json()), "{path}");
        }
        let own = customer(app, &app.acme, "user 1/ä").await;
        assert_eq!(ask(app, &own, Method::GET, "/self", None).await.json()["id"], id, "a token finds it");

        for (method, path, body, want) in [
            (
                Method::PATCH,
                format!("/customers/{id}"),
                json!({ "name": "Bob" }),
                ("Bob", json!({ "plan": "pro" })),
            ),
            (
                Method::PUT,
                format!("/customers/{coded}"),
                json!({ "fields": { "a": 1 } }),
                ("Bob", json!({ "a": 1 })),
            ),
            (
                Method::PATCH,
                format!("/customer?id={id}"),
                json!({ "name": null }),
                ("user 1/ä", json!({ "a": 1 })),
            ),
            (
                Method::PUT,
                format!("/customer?id={coded}"),
                json!({ "fields": null, "internalId": "user 1/ä" }),
                ("user 1/ä", json!({})),
            ),
        ] {
            let changed = ask(app, &admin, method, &path, Some(&body)).await;
            assert_eq!(changed.status, 200, "{}", changed.text());
            assert_eq!((changed.json()["name"].as_str(), &changed.json()["fields"]), (Some(want.0), &want.1));
        }
        let gone = ask(app, &admin, Method::DELETE, &format!("/customer?id={coded}"), None).await;
        assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
        for method in [Method::GET, Method::DELETE, Method::PATCH] {
            let answer = ask(app, &admin, method, &format!("/customers/{id}"), None).await;
            assert_refused(&answer, 404, Some("not_found"));
        }
        let nameless = ask(app, &admin, Method::POST, "/customers", None).await.json();
        assert_eq!(nameless["id"], nameless["internalId"]);
        assert_field(&ask(app, &admin, Method::GET, "/customer", None).await, "id");
    })
    .await;
}

#[tokio::test]
async fn lists_go_on_where_the_page_before_ended() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        for n in 0..5 {
            app.pass(std::time::Duration::from_millis(10));
            let answer =
                ask(app, &admin, Method::POST, "/customers", Some(&json!({ "internalId": format!("u{n}") })))
                    .await;
            assert_eq!(answer.status, 200);
        }
        let list =
            async |query: &str| ask(app, &admin, Method::GET, &format!("/customers?{query}"), None).await;
        let first = list("limit=2&cursor=0&hash=-5&includeArchived=true").await.json();
        assert_eq!((keys(&first), first["cursor"].as_str()), (vec!["u4", "u3"], Some("2")));
        let last = list("limit=2&cursor=4").await.json();
        assert_eq!((keys(&last), last.get("cursor")), (vec!["u0"], None));
        let full = list("limit=5").await.json();
        assert_eq!(full["cursor"], "5", "a full page always says so");
        let behind = list("limit=5&cursor=5").await.json();
        assert_eq!((keys(&behind), behind.get("cursor")), (vec![], None));
        assert_eq!(keys(&list("").await.json()).len(), 5);
        assert_eq!(keys(&list("search=U3").await.json()), ["u3"]);
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("cursor=x", "cursor"),
            ("limit=1&limit=2", "limit"),
        ] {
            assert_field(&list(query).await, field);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        let own = customer(app, &app.acme, "user-1").await;
        assert_eq!(ask(app, &own, Method::GET, "/self", None).await.status, 200, "it is known");
        let long = "x".repeat(513);
        let wide = "x".repeat(17 * 1024);
        for (body, field) in [
            (json!({ "internalId": 7 }), "internalId"),
            (json!({ "internalId": "" }), "internalId"),
            (json!({ "internalId": "a\u{7}" }), "internalId"),
            (json!({ "internalId": long }), "internalId"),
            (json!({ "name": ["a"] }), "name"),
            (json!({ "name": long }), "name"),
            (json!({ "name": "a\nb" }), "name"),
            (json!({ "fields": "a" }), "fields"),
            (json!({ "fields": [] }), "fields"),
            (json!({ "fields": { "a": wide } }), "fields"),
            (json!({ "credentials": wide }), "credentials"),
        ] {
            assert_field(&ask(app, &admin, Method::POST, "/customers", Some(&body)).await, field);
            assert_field(&ask(app, &admin, Method::PATCH, "/customers/user-1", Some(&body)).await, field);
        }
        let changed = json!({ "internalId": "user-2" });
        assert_field(
            &ask(app, &admin, Method::PATCH, "/customers/user-1", Some(&changed)).await,
            "internalId",
        );
        for wrong in ["[]", "{", "\"a\"", r#"{"name":"a","name":"b"}"#, "null"] {
            for (token, method, path) in [
                (&admin, Method::POST, "/customers"),
                (&admin, Method::PUT, "/customers/user-1"),
                (&own, Method::PATCH, "/self"),
            ] {
                assert_field(&send(app, token, method, path, "application/json", wrong.into()).await, "body");
            }
        }
        let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(70_000));
        assert_refused(
            &send(app, &admin, Method::POST, "/customers", "application/json", huge.into()).await,
            413,
            None,
        );
    })
    .await;
}

#[tokio::test]
async fn customers_are_an_admins_to_see() {
    on_each(async |app| {
        let own = customer(app, &app.acme, "user-1").await;
        let nobody = token(app, &app.acme, json!({})).await;
        for token in [&own, &nobody] {
            for (method, path) in [
                (Method::GET, "/customers"),
                (Method::POST, "/customers"),
                (Method::GET, "/customers/user-1"),
                (Method::PATCH, "/customers/user-1"),
                (Method::PUT, "/customers/user-1"),
                (Method::DELETE, "/customers/user-1"),
                (Method::GET, "/customer?id=user-1"),
                (Method::DELETE, "/customer?id=user-1"),
                (Method::GET, "/customers/nobody"),
            ] {
                let answer = ask(app, token, method, path, Some(&json!({}))).await;
                assert_refused(&answer, 403, Some("access_denied"));
            }
        }
        assert_eq!(ask(app, &own, Method::GET, "/self", None).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_a_product_leaves_with_us_is_sealed_and_never_given_out() {
    on_each(async |app| {
        let (admin, own) = (admin(app, &app.acme).await, customer(app, &app.acme, "user-1").await);
        let secret = "canary-left-with-us";
        let left =
            json!({ "credentials": { "apiKey": secret }, "name": "Mallory", "fields": { "plan": "gold" } });
        let answer = ask(app, &own, Method::PATCH, "/self", Some(&left)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["hasCredentials"], true);
        assert_eq!(
            (&answer.json()["name"], &answer.json()["fields"]),
            (&json!("user-1"), &json!({})),
            "the product's to tell"
        );
        for (token, path) in [(&own, "/self"), (&admin, "/customers"), (&admin, "/customers/user-1")] {
            let shown = ask(app, token, Method::GET, path, None).await;
            assert!(!shown.text().contains(secret) && !shown.text().contains("\"credentials\""), "{path}");
        }
        for (place, text) in trial::contents(&app.broker.store).await {
            assert!(!text.contains(secret), "{place}");
        }
        let kept = app.read().await.customer_by_key(&app.acme.workspace, "user-1").await.unwrap().unwrap();
        let aad =
            claviger_engine::vault::Field::CustomerCredentials.of(&app.acme.workspace, kept.id.as_str());
        let opened = app.broker.vault.open(&aad, &kept.credentials.unwrap()).unwrap();
        assert_eq!(opened.expose(), json!({ "apiKey": secret }).to_string());

        let again = customer(app, &app.acme, "user-1").await;
        let stays = ask(app, &again, Method::PATCH, "/self", Some(&json!({}))).await;
        assert_eq!(stays.json()["hasCredentials"], true);
        let cleared =
            ask(app, &admin, Method::PATCH, "/customers/user-1", Some(&json!({ "credentials": null }))).await;
        assert_eq!(cleared.json()["hasCredentials"], false);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_removed_has_nothing_connected_any_more() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        let own = customer(app, &app.acme, "user-1").await;
        let id = ask(app, &own, Method::GET, "/self", None).await.json()["id"].as_str().unwrap().to_owned();
        let (_, pairs) =
            Browser::new().connect(app, &app.acme, &[("external_id", "user-1")]).await.redirect();
        let namesake = value(&pairs, "connection_id").to_owned();
        let ended = connected(app, &app.acme, "user-1").await;
        let bystander = connected(app, &app.acme, "user-2").await;
        let gone = ask(app, &admin, Method::DELETE, "/customers/user-1", None).await;
        assert_eq!(gone.status, 204, "{}", gone.text());
        let left: Vec<_> = app.connections(&app.acme).await.into_iter().map(|it| it.id.to_string()).collect();
        assert!(!left.contains(&ended) && left.contains(&namesake) && left.contains(&bystander), "{left:?}");
        let events = app.events(&app.acme).await;
        assert!(events.iter().any(
            |event| event.connection_id.as_str() == ended && event.kind.as_str() == "connection.deleted"
        ));
        let revoked =
            app.read().await.revocations(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
        assert!(!revoked.is_empty(), "its provider is asked to forget it");
        let anew = ask(app, &own, Method::GET, "/self", None).await.json();
        assert_ne!(anew["id"], id.as_str(), "a token makes it anew");
        connect::end(
            &app.broker,
            &app.acme.workspace,
            &claviger_engine::id::ConnectionId::parse(&bystander).unwrap(),
            Actor::Cli,
        )
        .await
        .unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_workspaces_customers_do_not_exist() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let (ours, theirs) = (admin(app, &app.acme).await, admin(app, &other).await);
        let own = customer(app, &other, "user-1").await;
        let foreign = ask(app, &own, Method::GET, "/self", None).await.json();
        let id = foreign["id"].as_str().unwrap();
        let unknown = claviger_engine::id::CustomerId::new();
        assert_eq!(keys(&ask(app, &ours, Method::GET, "/customers", None).await.json()), [""; 0]);
        assert_eq!(keys(&ask(app, &theirs, Method::GET, "/customers", None).await.json()), ["user-1"]);
        for name in [id, "user-1", unknown.as_str()] {
            for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
                let body = json!({ "name": "Mallory" });
                for path in [format!("/customers/{name}"), format!("/customer?id={name}")] {
                    let answer = ask(app, &ours, method.clone(), &path, Some(&body)).await;
                    assert_refused(&answer, 404, Some("not_found"));
                    assert_eq!(answer.json()["message"], "customer not found");
                }
            }
        }
        let same = customer(app, &app.acme, "user-1").await;
        let mine = ask(app, &same, Method::GET, "/self", None).await.json();
        assert_ne!(mine["id"], id, "one id in two workspaces is two customers");
        let kept = ask(app, &theirs, Method::GET, "/customers/user-1", None).await.json();
        assert_eq!((&kept["id"], &kept["name"]), (&foreign["id"], &foreign["name"]));
    })
    .await;
}
