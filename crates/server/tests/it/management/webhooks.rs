//! Webhooks: made, shown, changed, rolled, removed; and what was sent to them.

use std::time::Duration;

use claviger_engine::{
    domain::webhook::Attempt,
    id::{AttemptId, DeliveryId, EndpointId},
    store::{After, Claim},
};
use http::Method;
use serde_json::{Value, json};

use super::{connect, delete, get, ids, send, webhook};
use crate::support::{TestApp, app::ALL, on_each};

const SECRET: &str = "a secret of the customer's own choosing";

/// The twins of a webhook's fields, taken off; they must be equal.
fn snake(mut object: Value) -> Value {
    for (name, twin) in [
        ("disabled_reason", "disabledReason"),
        ("has_secret", "hasSecret"),
        ("previous_secret_until", "previousSecretUntil"),
        ("created_at", "createdAt"),
        ("updated_at", "updatedAt"),
        ("last_triggered_at", "lastTriggeredAt"),
    ] {
        let other = object.as_object_mut().unwrap().remove(twin);
        assert_eq!(other.as_ref(), Some(&object[name]), "{twin}");
    }
    object
}

#[tokio::test]
async fn a_webhook_is_this_object_and_its_secret_is_shown_once() {
    on_each(async |app| {
        let body = json!({
            "name": " hook ",
            "url": "https://hooks.test/in?a=b",
            "events": { "connection.created": true, "connection.deleted": true, "connection.updated": false },
        });
        let made = send(app, Method::POST, "/v1/webhooks/", &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let mut object = snake(made.json());
        let secret = object.as_object_mut().unwrap().remove("secret").unwrap();
        let secret = secret.as_str().unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() == 46, "its form");
        let id = object["id"].as_str().unwrap().to_owned();
        let want = json!({
            "id": id,
            "name": "hook",
            "url": "https://hooks.test/in?a=b",
            "events": {
                "connection.created": true,
                "connection.deleted": true,
                "connection.expired": false,
                "connection.expiring": false,
                "connection.updated": false,
                "webhook.disabled": false,
            },
            "format": "bundleup",
            "status": "active",
            "disabled_reason": null,
            "has_secret": true,
            "previous_secret_until": null,
            "created_at": "2026-09-21T14:13:20.000Z",
            "updated_at": "2026-09-21T14:13:20.000Z",
            "last_triggered_at": null,
        });
        assert_eq!(object, want);
        let path = format!("/v1/webhooks/{id}");
        let shown = get(app, &path).await;
        assert_eq!(snake(shown.json()), want);
        let list = get(app, "/v1/webhooks").await;
        assert_eq!(list.json(), json!([shown.json()]));
        let changed = send(app, Method::PUT, &path, &json!({ "name": "other", "secret": SECRET })).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        for answer in [shown, list, changed] {
            assert!(!answer.text().contains(secret) && !answer.text().contains(SECRET), "no secret");
            assert!(!answer.text().contains("\"secret\""), "{}", answer.text());
        }
        assert_eq!(delete(app, &path).await.status, 204);
        get(app, &path).await.assert_problem(404, "not_found");
        delete(app, &path).await.assert_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_list_of_names_and_a_secret_of_ones_own_will_do() {
    on_each(async |app| {
        let body = json!({
            "name": "hook", "url": "https://hooks.test/", "events": ["connection.expired", "connection.expired"],
            "secret": SECRET, "status": "inactive"
        });
        let made = send(app, Method::POST, "/v1/webhooks", &body).await.json();
        assert_eq!(made["secret"], SECRET);
        assert_eq!((&made["status"], &made["disabled_reason"]), (&json!("inactive"), &json!("asked")));
        assert_eq!(made["events"]["connection.expired"], true);
        assert_eq!(made["events"]["connection.created"], false);
    })
    .await;
}

#[tokio::test]
async fn both_verbs_change_what_the_body_names_and_nothing_else() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}");
        for method in [Method::PUT, Method::PATCH] {
            app.pass(Duration::from_secs(1));
            let was = snake(get(app, &path).await.json());
            let now = app.broker.clock.now().rfc3339();
            for (change, field, want) in [
                (json!({ "name": format!("{method}") }), "name", json!(method.as_str())),
                (
                    json!({ "url": format!("https://{method}.test/") }),
                    "url",
                    json!(format!("https://{method}.test/")),
                ),
                (json!({ "status": "inactive" }), "status", json!("inactive")),
                (json!({ "status": "active" }), "status", json!("active")),
            ] {
                let answer = send(app, method.clone(), &path, &change).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let object = answer.json();
                assert_eq!(object[field], want, "{method}");
                assert_eq!(object["updated_at"], now, "{method} {field}");
                assert_eq!(get(app, &path).await.json(), object);
            }
            let mut want = was.clone();
            want["name"] = json!(method.as_str());
            want["url"] = json!(format!("https://{method}.test/"));
            want["updated_at"] = json!(now);
            assert_eq!(snake(get(app, &path).await.json()), want);
            // What a client read it may send back.
            let whole = get(app, &path).await.json();
            assert_eq!(send(app, method.clone(), &path, &whole).await.json(), whole);
            assert_eq!(send(app, method, &path, &json!({})).await.json(), whole);
        }
        let answer = send(app, Method::PUT, &path, &json!({ "events": ["connection.deleted"] })).await.json();
        let on: Vec<_> =
            answer["events"].as_object().unwrap().iter().filter(|(_, on)| **on == true).collect();
        assert_eq!(on, [(&"connection.deleted".to_owned(), &json!(true))], "what is not named is off");
    })
    .await;
}

#[tokio::test]
async fn a_new_secret_lets_the_old_one_sign_for_a_while() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}");
        let secrets = async || {
            let id = EndpointId::parse(&hook).unwrap();
            let end = app.read().await.endpoint(&app.acme.workspace, &id).await.unwrap().unwrap();
            (end.secret.as_str().to_owned(), end.previous_secret.is_some())
        };
        for (body, until) in [
            (json!({ "overlap": 60 }), json!("2026-09-21T14:14:20.000Z")),
            (json!({ "overlap": 0 }), json!(null)),
            (json!({}), json!("2026-09-22T14:13:20.000Z")),
            (json!({ "overlap": 604_800 }), json!("2026-09-28T14:13:20.000Z")),
        ] {
            let before = secrets().await.0;
            let rolled = send(app, Method::POST, &format!("{path}/secret"), &body).await;
            assert_eq!(rolled.status, 200, "{}", rolled.text());
            let object = rolled.json();
            assert!(object["secret"].as_str().unwrap().starts_with("whsec_"));
            assert_eq!(object["previous_secret_until"], until, "{body}");
            assert_ne!(secrets().await.0, before, "{body}");
            assert_eq!(secrets().await.1, !until.is_null(), "{body}");
        }
        let without = super::ask(app, &app.acme.key, Method::POST, &format!("{path}/secret/"), None).await;
        assert_eq!(without.status, 200, "{}", without.text());
        assert_eq!(without.json()["previousSecretUntil"], "2026-09-22T14:13:20.000Z");
        let body = json!({ "secret": SECRET, "overlap": 3600.5 });
        let changed = send(app, Method::PATCH, &path, &body).await.json();
        assert_eq!(changed["previous_secret_until"], "2026-09-21T15:13:20.000Z");
        app.pass(Duration::from_secs(3600));
        assert_eq!(get(app, &path).await.json()["previous_secret_until"], json!(null), "its time is over");
        for wrong in [json!({ "overlap": 604_801 }), json!({ "overlap": -1 }), json!({ "overlap": "60" })] {
            send(app, Method::POST, &format!("{path}/secret"), &wrong).await.assert_field("overlap");
        }
        send(app, Method::PUT, &path, &json!({ "overlap": 60 })).await.assert_field("overlap");
        let unknown = json!({ "secret": SECRET });
        send(app, Method::POST, &format!("{path}/secret"), &unknown).await.assert_field("body");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_field_of_a_webhook_is_named() {
    on_each(async |app| {
        let good = json!({ "name": "h", "url": "https://h.test/", "events": ["connection.created"] });
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}");
        let was = get(app, &path).await.json();
        for (name, wrong, required) in [
            ("name", json!(null), true),
            ("name", json!(""), false),
            ("name", json!("a\nb"), false),
            ("name", json!("a".repeat(5000)), false),
            ("name", json!(1), false),
            ("url", json!(null), true),
            ("url", json!("http://hooks.test/"), false),
            ("url", json!("https://user:canary@hooks.test/"), false),
            ("url", json!("ftp://hooks.test/"), false),
            ("url", json!("hooks"), false),
            ("url", json!(["https://h.test/"]), false),
            ("events", json!(null), true),
            ("events", json!([]), false),
            ("events", json!({}), false),
            ("events", json!({ "connection.created": false }), false),
            ("events", json!({ "connection.created": "true" }), false),
            ("events", json!({ "connection.created": 1 }), false),
            ("events", json!(["connection.nosuch"]), false),
            ("events", json!({ "<script>": true }), false),
            ("events", json!([1]), false),
            ("events", json!("connection.created"), false),
            ("secret", json!(""), false),
            ("secret", json!("short"), false),
            ("secret", json!("whsec_canary!"), false),
            ("secret", json!(5), false),
            ("status", json!("paused"), false),
            ("status", json!(true), false),
        ] {
            let mut body = good.clone();
            body[name] = wrong.clone();
            let answer = send(app, Method::POST, "/v1/webhooks", &body).await;
            answer.assert_field(name);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
            if !required {
                let change = json!({ name: wrong });
                for method in [Method::PUT, Method::PATCH] {
                    send(app, method, &path, &change).await.assert_field(name);
                }
            }
        }
        for strange in ["nosuch", "workspace_id", "disabledAt"] {
            let mut body = good.clone();
            body[strange] = json!("x");
            send(app, Method::POST, "/v1/webhooks", &body).await.assert_field("body");
            send(app, Method::PUT, &path, &body).await.assert_field("body");
        }
        assert_eq!(get(app, &path).await.json(), was);
        assert_eq!(ids(&get(app, "/v1/webhooks").await), [hook]);
    })
    .await;
}

#[tokio::test]
async fn each_change_is_signed_with_the_key_that_made_it() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}");
        connect(app, &app.acme, &[]).await;
        let delivery = ids(&get(app, &format!("{path}/deliveries")).await).remove(0);
        send(app, Method::PUT, &path, &json!({ "name": "x" })).await;
        send(app, Method::POST, &format!("{path}/secret"), &json!({})).await;
        send(app, Method::POST, &format!("{path}/deliveries/{delivery}/redeliver"), &json!({})).await;
        delete(app, &path).await;
        let mut conn = app.read().await;
        let key = conn.api_keys(&app.acme.workspace).await.unwrap().remove(0).id;
        let rows = conn.audits(&app.acme.workspace, &ALL).await.unwrap();
        let mut verbs: Vec<_> =
            rows.iter().filter(|row| row.target == hook || row.target == delivery).collect();
        verbs.sort_by_key(|row| row.id.clone());
        assert!(verbs.iter().all(|row| row.actor == format!("api_key:{key}")), "{verbs:?}");
        let verbs: Vec<_> = verbs.iter().map(|row| row.verb.as_str()).collect();
        assert_eq!(
            verbs,
            [
                "webhook_endpoint.create",
                "webhook_endpoint.update",
                "webhook_endpoint.update",
                "webhook_delivery.redeliver",
                "webhook_endpoint.delete",
            ]
        );
    })
    .await;
}

/// Tries whatever is due at an endpoint, which answers this.
async fn attempt(app: &TestApp, hook: &str, status: Option<i64>, after: After) -> usize {
    let endpoint = EndpointId::parse(hook).unwrap();
    let now = app.broker.clock.now();
    app.change(async |to| {
        let lease = AttemptId::new();
        let until = now.plus(Duration::from_secs(60));
        let claim = Claim { endpoint: &endpoint, limit: 10, lease: lease.as_str(), until };
        let claimed = to.conn.any_claim_deliveries(&claim).await?;
        for (ws, id) in &claimed {
            let attempt = Attempt {
                id: AttemptId::new(),
                delivery_id: id.clone(),
                number: 0,
                status,
                error: status.is_none().then(|| "timed out".to_owned()),
                answer: status.map(|_| "said".to_owned()),
                duration_ms: 12,
                at: now,
            };
            assert!(to.conn.add_attempt(ws, &attempt).await?);
            assert!(to.conn.settle_delivery(ws, id, lease.as_str(), after).await?);
        }
        Ok(claimed.len())
    })
    .await
}

#[tokio::test]
async fn deliveries_are_listed_by_standing_and_shown_with_their_attempts() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}/deliveries");
        assert_eq!(get(app, &path).await.json(), json!([]));
        let connection = connect(app, &app.acme, &[]).await;
        assert_eq!(attempt(app, &hook, None, After::Again(app.broker.clock.now())).await, 1);
        assert_eq!(attempt(app, &hook, Some(200), After::Delivered).await, 1);
        let arrived = ids(&get(app, &path).await).remove(0);
        app.pass(Duration::from_secs(1));
        connect(app, &app.acme, &[]).await;
        assert_eq!(attempt(app, &hook, Some(500), After::GivenUp).await, 1);
        let failed = ids(&get(app, &path).await).remove(0);
        app.pass(Duration::from_secs(1));
        connect(app, &app.acme, &[]).await;
        let pending = ids(&get(app, &path).await).remove(0);

        for (query, want) in [
            ("", vec![&pending, &failed, &arrived]),
            ("?limit=1&offset=1", vec![&failed]),
            ("?status=pending", vec![&pending]),
            ("?status=delivered", vec![&arrived]),
            ("?status=failed", vec![&failed]),
            ("?status=failed&offset=1", vec![]),
        ] {
            let got = ids(&get(app, &format!("{path}{query}")).await);
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{query}");
        }
        for wrong in ["Pending", "", "all", "pending&status=pending"] {
            get(app, &format!("{path}?status={wrong}")).await.assert_field("status");
        }

        let event = app.events(&app.acme).await.pop().unwrap();
        let object = get(app, &format!("{path}/{arrived}")).await.json();
        let attempts = object["attempts"].as_array().unwrap();
        let want = json!({
            "id": arrived,
            "event_id": event.id.as_str(),
            "event_type": "connection.created",
            "connection_id": connection,
            "status": "delivered",
            "attempt_count": 2,
            "next_attempt_at": null,
            "delivered_at": "2026-09-21T14:13:20.000Z",
            "created_at": "2026-09-21T14:13:20.000Z",
            "attempts": [
                { "id": attempts[0]["id"], "number": 1, "status": null, "error": "timed out", "answer": null,
                  "duration_ms": 12, "at": "2026-09-21T14:13:20.000Z" },
                { "id": attempts[1]["id"], "number": 2, "status": 200, "error": null, "answer": "said",
                  "duration_ms": 12, "at": "2026-09-21T14:13:20.000Z" },
            ],
            "eventId": event.id.as_str(),
            "eventType": "connection.created",
            "connectionId": connection,
            "attemptCount": 2,
            "nextAttemptAt": null,
            "deliveredAt": "2026-09-21T14:13:20.000Z",
            "createdAt": "2026-09-21T14:13:20.000Z",
        });
        assert_eq!(object, want);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_put_back_in_line_whatever_became_of_it() {
    on_each(async |app| {
        let hook = webhook(app).await;
        let path = format!("/v1/webhooks/{hook}/deliveries");
        connect(app, &app.acme, &[]).await;
        let id = ids(&get(app, &path).await).remove(0);
        for (after, standing) in [(After::Delivered, "delivered"), (After::GivenUp, "failed")] {
            assert_eq!(attempt(app, &hook, Some(200), after).await, 1);
            assert_eq!(get(app, &format!("{path}/{id}")).await.json()["status"], standing);
            let again = send(app, Method::POST, &format!("{path}/{id}/redeliver"), &json!({})).await;
            assert_eq!(again.status, 202, "{}", again.text());
            let object = again.json();
            assert_eq!((&object["status"], &object["attempt_count"]), (&json!("pending"), &json!(0)));
            assert_eq!(object["next_attempt_at"], app.broker.clock.now().rfc3339());
            assert_eq!(ids(&get(app, &path).await), std::slice::from_ref(&id), "it is the same delivery");
        }
        // Only below its own webhook.
        let other = webhook(app).await;
        let foreign = format!("/v1/webhooks/{other}/deliveries/{id}");
        get(app, &foreign).await.assert_problem(404, "not_found");
        send(app, Method::POST, &format!("{foreign}/redeliver"), &json!({}))
            .await
            .assert_problem(404, "not_found");
        let nobodys = format!("{path}/{}", DeliveryId::new());
        get(app, &nobodys).await.assert_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_workspace_has_at_most_a_hundred_webhooks() {
    on_each(async |app| {
        for _ in 0..100 {
            webhook(app).await;
        }
        let body = json!({ "name": "h", "url": "https://h.test/", "events": ["connection.created"] });
        send(app, Method::POST, "/v1/webhooks", &body).await.assert_problem(409, "conflict");
        assert_eq!(ids(&get(app, "/v1/webhooks?limit=100").await).len(), 100);
        assert_eq!(ids(&get(app, "/v1/webhooks").await).len(), 10);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_says_in_which_format_it_is_told() {
    on_each(async |app| {
        let body = |format: &str| {
            json!({ "name": "a", "url": "https://a.test/", "events": ["connection.created"], "format": format })
        };
        let made = send(app, Method::POST, "/v1/webhooks", &body("membrane")).await;
        assert_eq!((made.status.as_u16(), &made.json()["format"]), (201, &json!("membrane")), "{}", made.text());
        let path = format!("/v1/webhooks/{}", made.json()["id"].as_str().unwrap());
        let renamed = send(app, Method::PATCH, &path, &json!({ "name": "b" })).await;
        assert_eq!(renamed.json()["format"], "membrane", "what is left out stays");
        let back = send(app, Method::PUT, &path, &json!({ "format": "bundleup" })).await;
        assert_eq!(back.json()["format"], "bundleup");
        for wrong in ["", "Membrane", "json"] {
            let refused = send(app, Method::POST, "/v1/webhooks", &body(wrong)).await;
            refused.assert_field("format");
        }
    })
    .await;
}
