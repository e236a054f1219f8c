//! Which key may do what: scopes, the one integration that a key is limited to, expiry, revocation.

use std::time::Duration;

use claviger_engine::domain::api_key::Scope;
use http::Method;
use serde_json::json;

use super::{Place, ask, connect, everywhere, get, ids, key, until, webhook};
use crate::support::{Answer, TestApp, on_each};

/// Every endpoint, about things that are there.
async fn places(app: &TestApp) -> Vec<Place> {
    let hook = webhook(app).await;
    let connection = connect(app, &app.acme, &[]).await;
    let delivery = ids(&get(app, &format!("/v1/webhooks/{hook}/deliveries")).await).remove(0);
    everywhere(&connection, app.acme.integration.as_str(), &hook, &delivery)
}

async fn try_with(app: &TestApp, key: &str, place: &Place) -> Answer {
    ask(app, key, place.method.clone(), &place.path, place.body.as_ref()).await
}

#[tokio::test]
async fn reading_takes_management_or_read_only_and_writing_takes_management() {
    on_each(async |app| {
        use Scope::{Management, Proxy, ReadOnly};
        let places = places(app).await;
        for scopes in [vec![Proxy], vec![ReadOnly], vec![Proxy, ReadOnly]] {
            let key = key(app, &app.acme, &scopes, None).await;
            for place in &places {
                let answer = try_with(app, &key, place).await;
                if place.writes || !scopes.contains(&ReadOnly) {
                    answer.assert_problem(403, "forbidden");
                } else {
                    assert_eq!(answer.status, 200, "{scopes:?} {}: {}", place.path, answer.text());
                }
            }
        }
        // Nothing was changed by trying, and the right key may do it all.
        let whole = key(app, &app.acme, &[Management], None).await;
        for place in &places {
            let answer = try_with(app, &whole, place).await;
            assert!(answer.status.is_success(), "{} {}: {}", place.method, place.path, answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_key_may_not_do_does_not_depend_on_what_there_is() {
    on_each(async |app| {
        let reader = key(app, &app.acme, &[Scope::ReadOnly], None).await;
        for place in everywhere("x", "x", "x", "x") {
            if place.writes {
                try_with(app, &reader, &place).await.assert_problem(403, "forbidden");
            }
        }
        for method in [Method::POST, Method::PUT] {
            let path = if method == Method::POST { "/v1/connections" } else { "/v1/webhooks/x" };
            let answer = ask(app, &reader, method, path, Some(&json!([]))).await;
            answer.assert_problem(403, "forbidden");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_hold_is_401_everywhere() {
    on_each(async |app| {
        let places = places(app).await;
        let ws = &app.acme.workspace;
        let soon = app.broker.clock.now().plus(Duration::from_secs(60));
        let short = until(app, &app.acme, &[Scope::Management], None, Some(soon)).await;
        let revoked = key(app, &app.acme, &[Scope::Management], None).await;
        assert_eq!(ask(app, &short, Method::GET, "/v1/connections", None).await.status, 200);
        assert_eq!(ask(app, &revoked, Method::GET, "/v1/connections", None).await.status, 200);
        app.pass(Duration::from_secs(60));
        let id = app.read().await.api_keys(ws).await.unwrap();
        let id = id.into_iter().find(|key| revoked.starts_with(&key.prefix)).unwrap().id;
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.revoke_api_key(ws, &id, now).await).await;
        for key in [short.as_str(), &revoked, "", "ck_nosuch"] {
            for place in &places {
                let refused = try_with(app, key, place).await;
                refused.assert_problem(401, "unauthorized");
                assert_eq!(refused.headers["www-authenticate"], "Bearer");
            }
        }
        assert_eq!(app.connections(&app.acme).await.len(), 1, "nothing was changed by trying");
    })
    .await;
}

#[tokio::test]
async fn a_key_for_one_integration_sees_that_one_and_its_connections_and_no_webhooks() {
    on_each(async |app| {
        let second = app.integrate(&app.acme, "second", &app.sandbox.origin).await;
        let first = connect(app, &app.acme, &[("external_id", "u")]).await;
        let own = connect(app, &app.acme, &[("integration_id", "second"), ("external_id", "u")]).await;
        let hook = webhook(app).await;
        connect(app, &app.acme, &[]).await;
        let delivery = ids(&get(app, &format!("/v1/webhooks/{hook}/deliveries")).await).remove(0);
        let limited = key(app, &app.acme, &[Scope::Management, Scope::ReadOnly], Some(&second)).await;
        let read = async |path: &str| ask(app, &limited, Method::GET, path, None).await;

        assert_eq!(ids(&read("/v1/integrations").await), [second.as_str()]);
        assert_eq!(ids(&read("/v1/integrations?limit=1&offset=1").await), Vec::<String>::new());
        assert_eq!(read("/v1/integrations/second").await.status, 200);
        for query in ["", "?integration_id=second", "?integrationIdentifier=second", "?external_id=u"] {
            assert_eq!(
                ids(&read(&format!("/v1/connections{query}")).await),
                std::slice::from_ref(&own),
                "{query}"
            );
        }
        for query in ["?integration_id=sandbox", "?integration_identifier=sandbox", "?integration_id=nosuch"]
        {
            assert_eq!(ids(&read(&format!("/v1/connections{query}")).await), Vec::<String>::new(), "{query}");
        }
        assert_eq!(read(&format!("/v1/connections/{own}")).await.status, 200);

        let places = everywhere(&first, "sandbox", &hook, &delivery);
        for place in places.into_iter().filter(|p| p.whole() || p.path.matches('/').count() > 2 || p.writes) {
            let answer = try_with(app, &limited, &place).await;
            match place.whole() {
                true => answer.assert_problem(403, "forbidden"),
                false => answer.assert_problem(404, "not_found"),
            }
        }
        assert_eq!(app.connection(&app.acme, &first).await.id.as_str(), first, "it was not ended");
        for place in everywhere(&own, "second", "x", "x").into_iter().filter(|p| !p.whole()) {
            let answer = try_with(app, &limited, &place).await;
            assert!(answer.status.is_success(), "{} {}: {}", place.method, place.path, answer.text());
        }
    })
    .await;
}
