//! Connections: listed, shown, imported, ended.

use std::time::Duration;

use claviger_engine::{
    domain::connection::{Owner, OwnerKind, Status},
    id::ConnectionId,
    store::Conn,
};
use http::Method;
use serde_json::{Value, json};

use super::{ask, connect, delete, get, ids, send};
use crate::support::{Reply, Stub, TestApp, app::ALL, on_each, stub};

/// Ends a connection that was just made.
pub async fn ended(app: &TestApp) -> String {
    let id = connect(app, &app.acme, &[]).await;
    assert_eq!(delete(app, &format!("/v1/connections/{id}")).await.status, 204);
    id
}

/// An object with each field's other casing beside it.
fn both(snake: Value, twins: &[(&str, &str)]) -> Value {
    let mut whole = snake;
    for (name, twin) in twins {
        whole[*twin] = whole[*name].clone();
    }
    whole
}

const TWINS: [(&str, &str); 10] = [
    ("external_id", "externalId"),
    ("integration_id", "integrationId"),
    ("integration_identifier", "integrationIdentifier"),
    ("is_valid", "isValid"),
    ("status_reason", "statusReason"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("refreshed_at", "refreshedAt"),
    ("expires_at", "expiresAt"),
    ("refresh_at", "refreshAt"),
];

#[tokio::test]
async fn a_connection_is_this_object() {
    on_each(async |app| {
        let id = connect(app, &app.acme, &[("external_id", "alice@product")]).await;
        let want = both(
            json!({
                "id": id,
                "external_id": "alice@product",
                "integration_id": app.acme.integration.as_str(),
                "integration_identifier": "sandbox",
                "is_valid": true,
                "status": "active",
                "status_reason": null,
                "scopes": ["read"],
                "account": { "id": "acct_alice", "name": "Alice Example", "email": "alice@sandbox.example" },
                "created_at": "2026-09-21T14:13:20.000Z",
                "updated_at": "2026-09-21T14:13:20.000Z",
                "refreshed_at": null,
                "expires_at": "2026-09-21T15:13:20.000Z",
                "refresh_at": null,
            }),
            &TWINS,
        );
        let path = format!("/v1/connections/{id}");
        // How it is doing has stories of its own.
        let bare = |mut shown: Value| {
            let health = shown.as_object_mut().unwrap().remove("health").unwrap();
            assert_eq!((&health["status"], &health["account"]), (&shown["status"], &shown["account"]));
            shown
        };
        assert_eq!(bare(get(app, &path).await.json()), want);
        let listed = get(app, "/v1/connections").await.json();
        assert_eq!((listed.as_array().unwrap().len(), bare(listed[0].clone())), (1, want));

        let ws = &app.acme.workspace;
        let conn = ConnectionId::parse(&id).unwrap();
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.freeze_connection(ws, &conn, Some(now)).await).await;
        let frozen = get(app, &path).await.json();
        assert_eq!((&frozen["is_valid"], &frozen["status"]), (&json!(false), &json!("active")));
        app.change(async |to| {
            to.conn.freeze_connection(ws, &conn, None).await?;
            to.conn.set_connection_status(ws, &conn, Status::NeedsReauth, Some("revoked"), now).await
        })
        .await;
        let dead = get(app, &path).await.json();
        let told = (&dead["isValid"], &dead["status"], &dead["statusReason"]);
        assert_eq!(told, (&json!(false), &json!("needs_reauth"), &json!("revoked")));
    })
    .await;
}

#[tokio::test]
async fn every_connection_is_reached_by_paging_newest_first() {
    on_each(async |app| {
        let mut made = Vec::new();
        for n in 0..13 {
            made.push(connect(app, &app.acme, &[("external_id", &format!("u{n}"))]).await);
            app.pass(Duration::from_millis(n % 2));
        }
        made.reverse();
        let default = get(app, "/v1/connections").await;
        let given = ids(&default);
        assert_eq!(given.len(), 10);
        // Ids made in the same millisecond have an order too, but not one that a test knows.
        let mut reached = given;
        reached.extend(ids(&get(app, "/v1/connections?offset=10").await));
        assert_eq!(reached.len(), 13);
        let created = async |id: &str| app.connection(&app.acme, id).await.created_at;
        for pair in reached.windows(2) {
            assert!(created(&pair[0]).await >= created(&pair[1]).await);
        }
        let mut singly = Vec::new();
        for offset in 0..13 {
            singly.extend(ids(&get(app, &format!("/v1/connections?limit=1&offset={offset}")).await));
        }
        assert_eq!(singly, reached);
        reached.sort();
        made.sort();
        assert_eq!(reached, made);
    })
    .await;
}

#[tokio::test]
async fn filters_narrow_in_either_casing_and_an_empty_one_is_no_filter_at_all() {
    on_each(async |app| {
        let second = app.integrate(&app.acme, "second", &app.sandbox.origin).await;
        let first = &app.acme.integration;
        let a = connect(app, &app.acme, &[("external_id", "a b&c")]).await;
        app.pass(Duration::from_secs(1));
        let b = connect(app, &app.acme, &[("integration_id", "second"), ("external_id", "b")]).await;
        app.pass(Duration::from_secs(1));
        let c = connect(app, &app.acme, &[("integration_id", "second")]).await;
        for (query, want) in [
            (String::new(), vec![&c, &b, &a]),
            (format!("integration_id={first}"), vec![&a]),
            (format!("integrationId={second}"), vec![&c, &b]),
            ("integration_id=second".to_owned(), vec![&c, &b]),
            ("integration_identifier=second".to_owned(), vec![&c, &b]),
            ("integrationIdentifier=sandbox".to_owned(), vec![&a]),
            (format!("integration_identifier={second}"), vec![]),
            (format!("integration_id={second}&integration_identifier=second"), vec![&c, &b]),
            (format!("integration_id={second}&integration_identifier=sandbox"), vec![]),
            ("integration_id=nosuch".to_owned(), vec![]),
            ("external_id=a+b%26c".to_owned(), vec![&a]),
            ("externalId=b&integration_id=second".to_owned(), vec![&b]),
            ("externalId=b&integration_id=sandbox".to_owned(), vec![]),
            ("external_id=B".to_owned(), vec![]),
            ("status=inactive&active=False&category=git".to_owned(), vec![&c, &b, &a]),
        ] {
            let got = ids(&get(app, &format!("/v1/connections?{query}")).await);
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{query}");
        }
        for (snake, camel) in [
            ("integration_id", "integrationId"),
            ("integration_identifier", "integrationIdentifier"),
            ("external_id", "externalId"),
        ] {
            for query in [
                format!("{snake}="),
                format!("{camel}="),
                format!("{snake}=%ff"),
                format!("{snake}=a%00"),
                format!("{snake}=a&{snake}=a"),
                format!("{snake}=a&{camel}=a"),
                format!("{camel}={}", "a".repeat(4097)),
            ] {
                get(app, &format!("/v1/connections/?{query}")).await.assert_field(snake);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn another_doors_connections_are_not_there() {
    on_each(async |app| {
        let id = connect(app, &app.acme, &[("external_id", "alice")]).await;
        let ours = app.connection(&app.acme, &id).await;
        for kind in [OwnerKind::User, OwnerKind::Customer, OwnerKind::Shared] {
            let mut theirs = ours.clone();
            theirs.id = ConnectionId::new();
            theirs.owner = Owner { kind, key: Some("alice".to_owned()) };
            app.change(async |to| to.conn.create_connection(&app.acme.workspace, &theirs).await).await;
            let path = format!("/v1/connections/{}", theirs.id);
            get(app, &path).await.assert_problem(404, "not_found");
            delete(app, &path).await.assert_problem(404, "not_found");
            assert_eq!(ids(&get(app, "/v1/connections?external_id=alice").await), std::slice::from_ref(&id));
            app.connection(&app.acme, theirs.id.as_str()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn another_workspaces_things_are_in_no_list() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let ours = connect(app, &app.acme, &[("external_id", "u")]).await;
        let theirs = connect(app, &other, &[("external_id", "u")]).await;
        for (key, want, own, foreign) in [
            (&app.acme.key, &ours, &app.acme.integration, &other.integration),
            (&other.key, &theirs, &other.integration, &app.acme.integration),
        ] {
            let list = async |path: &str| ids(&ask(app, key, Method::GET, path, None).await);
            assert_eq!(list("/v1/integrations").await, [own.as_str()]);
            for query in ["", "?external_id=u", "?integration_id=sandbox", "?integrationIdentifier=sandbox"] {
                assert_eq!(
                    list(&format!("/v1/connections{query}")).await,
                    std::slice::from_ref(want),
                    "{query}"
                );
            }
            let narrowed = format!("/v1/connections?integration_id={foreign}");
            assert_eq!(list(&narrowed).await, Vec::<String>::new());
        }
        super::webhook(app).await;
        let theirs = ask(app, &other.key, Method::GET, "/v1/webhooks", None).await;
        assert_eq!(ids(&theirs), Vec::<String>::new());
    })
    .await;
}

/// The newest audit row: who did what.
async fn last_audit(conn: &mut Conn, app: &TestApp) -> (String, String) {
    let rows = conn.audits(&app.acme.workspace, &ALL).await.unwrap();
    let newest = rows.into_iter().max_by_key(|row| row.id.clone()).unwrap();
    (newest.actor, newest.verb)
}

#[tokio::test]
async fn deleting_ends_the_connection_here_and_at_the_provider() {
    on_each(async |app| {
        let id = connect(app, &app.acme, &[]).await;
        let path = format!("/v1/connections/{id}");
        assert_eq!(app.call(&app.acme.key, &id, "/me").await.status, 200);
        let done = delete(app, &path).await;
        assert_eq!((done.status.as_u16(), done.text()), (204, ""));
        assert!(app.sandbox.stats().await.revoke_requests > 0, "the provider was told");
        get(app, &path).await.assert_problem(404, "not_found");
        delete(app, &path).await.assert_problem(404, "not_found");
        app.call(&app.acme.key, &id, "/me").await.assert_problem(400, "connection_invalid");
        assert_eq!(app.events(&app.acme).await[0].kind.as_str(), "connection.deleted");
        let mut conn = app.read().await;
        let key = conn.api_keys(&app.acme.workspace).await.unwrap().remove(0).id;
        let want = (format!("api_key:{key}"), "connection.delete".to_owned());
        assert_eq!(last_audit(&mut conn, app).await, want);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_fails_keeps_no_connection_alive() {
    on_each(async |app| {
        for reply in [Reply::Say(500, "text/plain", "no".to_owned()), Reply::Break] {
            let stub = Stub::start().await;
            stub.reply("/revoke", reply);
            let key = format!("s{}", stub.origin.rsplit(':').next().unwrap());
            app.integrate(&app.acme, &key, &stub.origin).await;
            let body = json!({ "integration_id": key, "access_token": "canary_a" });
            let made = send(app, Method::POST, "/v1/connections/", &body).await;
            let id = made.json()["id"].as_str().unwrap().to_owned();
            let path = format!("/v1/connections/{id}");
            assert_eq!(delete(app, &path).await.status, 204);
            get(app, &path).await.assert_problem(404, "not_found");
            drop(stub);
        }
    })
    .await;
}

#[tokio::test]
async fn existing_tokens_become_a_connection_that_calls_go_through() {
    on_each(async |app| {
        let stub = Stub::start().await;
        stub.reply("/api/who", Reply::json("{}"));
        let integration = app.integrate(&app.acme, "stub", &stub.origin).await;
        let body = json!({
            "integrationId": "stub",
            "authToken": "canary_given_access",
            "refreshToken": "canary_given_refresh",
            "externalId": "u",
            "expiresIn": 7200,
            "scopes": ["a", "b:c"],
        });
        let made = send(app, Method::POST, "/v1/connections", &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert!(!made.text().contains("canary"), "{}", made.text());
        let object = made.json();
        let id = object["id"].as_str().unwrap();
        assert_eq!(object["integration_id"], integration.as_str());
        assert_eq!(object["integrationIdentifier"], "stub");
        assert_eq!(object["external_id"], "u");
        assert_eq!(object["scopes"], json!(["a", "b:c"]));
        assert_eq!(object["expiresAt"], "2026-09-21T16:13:20.000Z");
        assert_eq!(object["is_valid"], true);
        assert_eq!(get(app, &format!("/v1/connections/{id}")).await.json(), object);
        assert_eq!(stub.token_requests(), 0, "nothing was verified");
        assert_eq!(app.call(&app.acme.key, id, "/who").await.status, 200);
        let seen = stub.seen().pop().unwrap();
        assert_eq!(seen.headers["authorization"], "Bearer canary_given_access");
        assert_eq!(app.events(&app.acme).await[0].kind.as_str(), "connection.created");
        // In the other casing, with the other name of the token, and as little as there can be.
        let body = json!({ "integration_id": integration.as_str(), "access_token": "canary_b", "external_id": null });
        let made = send(app, Method::POST, "/v1/connections/", &body).await;
        assert_eq!((made.status.as_u16(), &made.json()["externalId"]), (201, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn verifying_spends_the_refresh_token_and_keeps_the_new_ones() {
    on_each(async |app| {
        let stub = Stub::start().await;
        app.integrate(&app.acme, "stub", &stub.origin).await;
        let body = json!({
            "integrationId": "stub", "authToken": "canary_old", "refreshToken": "canary_old_refresh", "verify": true
        });
        let made = send(app, Method::POST, "/v1/connections", &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(stub.token_requests(), 1);
        stub.reply("/api/who", Reply::json("{}"));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(app.call(&app.acme.key, &id, "/who").await.status, 200);
        assert!(stub::TOKENS.contains("canary_stub_access"));
        assert_eq!(stub.seen().pop().unwrap().headers["authorization"], "Bearer canary_stub_access");

        stub.reply("/token", Reply::oauth_error(400, "invalid_grant"));
        let refused = send(app, Method::POST, "/v1/connections", &body).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.json()["errors"].is_object(), "{}", refused.text());
        assert!(!refused.text().contains("canary"), "{}", refused.text());
        assert_eq!(app.connections(&app.acme).await.len(), 1, "nothing is kept of tokens that were refused");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_field_of_an_import_is_named_and_its_value_is_not_repeated() {
    on_each(async |app| {
        let good = json!({ "integrationId": "sandbox", "authToken": "canary_token" });
        for (name, wrong, field) in [
            ("integrationId", json!(null), "integration_id"),
            ("integrationId", json!(1), "integration_id"),
            ("integration_id", json!("sandbox"), "integration_id"),
            ("authToken", json!(null), "auth_token"),
            ("authToken", json!(""), "auth_token"),
            ("authToken", json!(["canary"]), "auth_token"),
            ("authToken", json!("canary\0"), "auth_token"),
            ("authToken", json!("canary\r\nX: y"), "auth_token"),
            ("authToken", json!("canary".repeat(6000)), "auth_token"),
            ("access_token", json!("canary"), "auth_token"),
            ("refreshToken", json!(""), "refresh_token"),
            ("refreshToken", json!({ "canary": 1 }), "refresh_token"),
            ("externalId", json!(5), "external_id"),
            ("externalId", json!(""), "external_id"),
            ("externalId", json!("a".repeat(513)), "external_id"),
            ("expiresIn", json!("3600"), "expires_in"),
            ("expiresIn", json!(-1), "expires_in"),
            ("expiresIn", json!(1e300), "expires_in"),
            ("scopes", json!("a b"), "scopes"),
            ("scopes", json!([1]), "scopes"),
            ("inputs", json!(["a"]), "inputs"),
            ("inputs", json!({ "subdomain": 1 }), "inputs"),
            ("inputs", json!({ "nosuch": "canary" }), "inputs"),
            ("verify", json!("true"), "verify"),
            ("metadata", json!({ "canary": 1 }), "body"),
            ("owner", json!("canary"), "body"),
        ] {
            let mut body = good.clone();
            body[name] = wrong;
            let answer = send(app, Method::POST, "/v1/connections", &body).await;
            answer.assert_field(field);
            assert!(!answer.text().contains("canary"), "{name}: {}", answer.text());
        }
        for selector in ["nosuch", "int_00000000000000000000000000000000"] {
            let body = json!({ "integrationId": selector, "authToken": "canary_token" });
            let answer = send(app, Method::POST, "/v1/connections", &body).await;
            answer.assert_problem(404, "not_found");
        }
        let huge = json!({ "integrationId": "a".repeat(100_000) });
        let answer = ask(app, &app.acme.key, Method::POST, "/v1/connections", Some(&huge)).await;
        answer.assert_problem(413, "payload_too_large");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_switched_off_integration_takes_no_import_but_ends_what_it_has() {
    on_each(async |app| {
        let id = connect(app, &app.acme, &[]).await;
        let mut off = app.integration(&app.acme, &app.acme.integration).await;
        off.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &off).await).await;
        let body = json!({ "integrationId": "sandbox", "authToken": "canary" });
        let refused = send(app, Method::POST, "/v1/connections", &body).await;
        refused.assert_problem(409, "conflict");
        assert_eq!(delete(app, &format!("/v1/connections/{id}")).await.status, 204);
    })
    .await;
}
