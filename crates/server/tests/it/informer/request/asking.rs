//! How a request is asked for: the seed's examples, methods, data, parameters, paths.

use claviger_engine::id::IntegrationId;

use super::*;
use crate::support::{app::ALL, on_each};

const FILES: &str = r#"{ "files": [ {"id":"1", "name":"Plan"} ] }"#;

/// The seed's two examples, at an API whose base has a path like its.
#[tokio::test]
async fn the_contracts_examples_work_as_written() {
    on_each(async |app| {
        let up = provider(|_, _| async { say(200, &[("content-type", "application/json")], FILES) }).await;
        let base = |config: &mut Config| config.base_url = Some(format!("{}/api/drive/v3", up.origin));
        let mut input = new_integration("my-integration", "oauth2", at(&up.origin));
        base(&mut input.config);
        let id = app.integrate_as(&app.acme, input).await;
        let alice = someone(app, &app.acme, "alice", &[]).await;
        share(app, &id, &alice).await;
        connect(app, "my-integration", &alice, "alice").await;

        let path = "/api/integrations/my-integration/request";
        let asked: Value = serde_json::from_str(
            r#"{
              "method": "GET",
              "url": "/files?pageSize=10",
              "headers": {
                "Accept": "application/json"
              }
            }"#,
        )
        .unwrap();
        let by_id = format!("/api/integrations/{id}/request");
        for path in [path, by_id.as_str()] {
            let answer = ask(app, &alice.token, Method::POST, path, Some(&asked)).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, FILES));
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let seen = up.calls().pop().unwrap();
            assert_eq!(
                (&seen.method, seen.target.as_str()),
                (&Method::GET, "/api/drive/v3/files?pageSize=10")
            );
            assert_eq!(seen.all("authorization"), ["Bearer canary_alice"]);
            assert_eq!(seen.all("accept"), ["application/json"]);
        }
        let path = format!("{path}/files?pageSize=10");
        let answer = ask(app, &alice.token, Method::GET, &path, None).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, FILES));
        let seen = up.calls().pop().unwrap();
        assert_eq!((&seen.method, seen.target.as_str()), (&Method::GET, "/api/drive/v3/files?pageSize=10"));
        assert_eq!(seen.all("authorization"), ["Bearer canary_alice"]);
    })
    .await;
}

#[tokio::test]
async fn every_method_is_made_and_get_when_none_is_named() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (method, want) in [
            (json!(null), "GET"),
            (json!("get"), "GET"),
            (json!("HEAD"), "HEAD"),
            (json!("Post"), "POST"),
            (json!("PUT"), "PUT"),
            (json!("patch"), "PATCH"),
            (json!("DELETE"), "DELETE"),
        ] {
            let answer = post(app, &alice, &json!({ "url": "x", "method": method })).await;
            assert_eq!(answer.status, 200, "{method}: {}", answer.text());
            assert_eq!(lines(&up).pop().unwrap(), format!("{want} /api/x"));
        }
        assert_eq!(up.calls().len(), 7, "each is sent once");
    })
    .await;
}

#[tokio::test]
async fn data_arrives_as_it_is_written() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let path = "/api/integrations/drive/request";
        let json = Some("application/json");
        for (fields, body, kind) in [
            (r#""data":{"b": 1.50,"a":[ 1e2 ]}"#, r#"{"b": 1.50,"a":[ 1e2 ]}"#, json),
            (r#""data":[1, 2]"#, "[1, 2]", json),
            (r#""data":7"#, "7", json),
            (r#""data":false"#, "false", json),
            (r#""data":"a=b&c=\u00e9""#, "a=b&c=\u{e9}", None),
            (r#""data":"a=b","headers":{"content-type":"x/y"}"#, "a=b", Some("x/y")),
            (r#""data":{"a":1},"headers":{"Content-Type":"x/y+json"}"#, r#"{"a":1}"#, Some("x/y+json")),
            (r#""data":null"#, "", None),
            (r#""headers":{}"#, "", None),
        ] {
            let whole = format!(r#"{{"method":"POST","url":"/x",{fields}}}"#);
            let answer =
                super::super::send(app, &alice.token, Method::POST, path, "text/plain", whole.into()).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, body), "{fields}");
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.all("content-type"), kind.into_iter().collect::<Vec<_>>(), "{fields}");
            let length = body.len().to_string();
            let declared = seen.all("content-length");
            assert!(declared == [length.as_str()] || body.is_empty() && declared.is_empty(), "{declared:?}");
            assert!(!seen.headers.contains_key("transfer-encoding"));
        }
        let large = "x".repeat(1 << 20);
        let answer = post(app, &alice, &json!({ "method": "PUT", "url": "/x", "data": large })).await;
        assert_eq!(answer.text(), large);
    })
    .await;
}

#[tokio::test]
async fn parameters_join_the_urls_own_query() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (url, params, want) in [
            ("/x", json!({ "a": 1, "b": "two words", "c": true, "d": null }), "/x?a=1&b=two%20words&c=true"),
            ("/x?q=%20+", json!({ "a": [1, "b", null] }), "/x?q=%20+&a[]=1&a[]=b"),
            ("x?", json!({ "a&b": "c=d#e?f/g\u{e9}" }), "/x?a%26b=c%3Dd%23e%3Ff%2Fg%C3%A9"),
            (
                "/x",
                json!({ "\r\nHost": "\r\nX-Admin: 1\r\n\r\n" }),
                "/x?%0D%0AHost=%0D%0AX-Admin:%201%0D%0A%0D%0A",
            ),
            ("/x", json!({}), "/x"),
        ] {
            let answer = post(app, &alice, &json!({ "url": url, "params": params })).await;
            assert_eq!(answer.status, 200, "{params}: {}", answer.text());
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.target, format!("/api{want}"), "{params}");
            assert!(!seen.headers.contains_key("x-admin"));
        }
    })
    .await;
}

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (rest, want) in [
            ("", "/"),
            ("/", "/"),
            ("?a=b", "/?a=b"),
            ("/?a=b", "/?a=b"),
            ("/a/", "/a/"),
            ("/a//b", "/a//b"),
            ("//a", "//a"),
            ("/a%2Fb%2fc", "/a%2Fb%2fc"),
            ("/%41%7e+b%20c", "/%41%7e+b%20c"),
            ("/%ff%FE", "/%ff%FE"),
            ("/~!$&'()*,;=:@-._", "/~!$&'()*,;=:@-._"),
            ("/.hidden/x..y", "/.hidden/x..y"),
            ("/request/x", "/request/x"),
            ("/a?q=%2F%2f+%20&x[]=1&&b", "/a?q=%2F%2f+%20&x[]=1&&b"),
            ("/a?url=https://other.test/../x?y=z", "/a?url=https://other.test/../x?y=z"),
            ("/a?%ff=%00", "/a?%ff=%00"),
        ] {
            let answer = get(app, &alice, rest).await;
            assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
            assert_eq!(up.calls().pop().unwrap().target, format!("/api{want}"));
        }
        let path = "/api/integrations/drive/request/x";
        assert_eq!(ask(app, &alice.token, Method::HEAD, path, None).await.status, 200);
        assert_eq!(lines(&up).pop().unwrap(), "HEAD /api/x");
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            assert_problem(&ask(app, &alice.token, method, path, None).await, 405, "");
        }
    })
    .await;
}

#[tokio::test]
async fn two_users_call_each_with_the_account_that_is_theirs() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let (alice, bob) = (connected(app, &id, "alice").await, connected(app, &id, "bob").await);
        let shown = |up: &Upstream| up.calls().pop().unwrap().all("authorization").concat();
        for (user, token) in
            [(&alice, "Bearer canary_alice"), (&bob, "Bearer canary_bob"), (&alice, "Bearer canary_alice")]
        {
            assert_eq!(post(app, user, &json!({ "url": "x" })).await.status, 200);
            assert_eq!(shown(&up), token);
            assert_eq!(get(app, user, "/x").await.status, 200);
            assert_eq!(shown(&up), token);
        }
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(rows.len(), 6);
        for row in rows {
            assert!(row.api_key_id.is_none());
            let user = if row.user_id.as_ref() == Some(&alice.user.id) { "alice" } else { "bob" };
            let connection = app.connection(&app.acme, row.connection_id.as_str()).await;
            assert_eq!(connection.owner.key.as_deref(), Some(user));
        }
    })
    .await;
}

#[tokio::test]
async fn a_shared_account_is_used_by_all_and_what_products_connected_by_none() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id: IntegrationId = integrate(app, &up, |input| input.mode = Mode::Shared).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        share(app, &id, &bob).await;
        // What a product's server connects for the same name is of another door.
        let browser = Browser::new();
        let wish = [("integration_id", "drive"), ("external_id", "bob")];
        let leg = browser.set_out(app, &app.acme, &wish).await;
        assert_eq!(browser.get(&leg.back(&[("code", "product")])).await.status, 302);
        assert_problem(&post(app, &bob, &json!({ "url": "x" })).await, 404, "connect first");

        let alice = connected(app, &id, "alice").await;
        for user in [&alice, &bob] {
            assert_eq!(post(app, user, &json!({ "url": "x" })).await.status, 200);
            assert_eq!(up.calls().pop().unwrap().all("authorization"), ["Bearer canary_alice"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_leaves_a_row_without_its_query() {
    on_each(async |app| {
        let up = provider(|_, _| async { say(207, &[], "12345678") }).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let asked = json!({ "method": "PUT", "url": "/a%2Fb?q=canary_query", "params": { "p": "canary_param" },
                            "data": "12345" });
        let answer = post(app, &alice, &asked).await;
        let whole = post(app, &alice, &json!({ "url": format!("{}/api/y?canary_query", up.origin) })).await;
        assert_eq!((answer.status.as_u16(), whole.status.as_u16()), (207, 207));
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        let row = rows.iter().find(|row| row.method == "PUT").unwrap();
        assert_eq!(Some(row.request_id.as_str()), answer.header("claviger-request-id"));
        assert_eq!((row.path.as_str(), row.status, row.attempts), ("/a%2Fb", 207, 1));
        assert_eq!((row.bytes_in, row.bytes_out, row.error.as_deref()), (5, 8, None));
        assert_eq!((row.user_id.as_ref(), row.integration_id == id), (Some(&alice.user.id), true));
        assert!(rows.iter().any(|row| row.path == format!("{}/api/y", up.origin)));
        assert!(!format!("{rows:?}").contains("canary"));
    })
    .await;
}
