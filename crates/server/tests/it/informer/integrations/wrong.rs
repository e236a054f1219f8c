//! What can't be configured: each field is named, and nothing of a value is said back.

use http::Method;

use super::*;

/// The example with one thing otherwise.
fn but(edit: &Value) -> Value {
    let mut body = example();
    for (name, value) in edit.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let long = |length| "canary".repeat(length);
        for (edit, field) in [
            (json!({ "name": null }), "name"),
            (json!({ "name": "" }), "name"),
            (json!({ "name": "canary\nline" }), "name"),
            (json!({ "name": 7 }), "name"),
            (json!({ "slug": "Canary" }), "slug"),
            (json!({ "slug": "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f" }), "slug"),
            (json!({ "type": "canary" }), "type"),
            (json!({ "type": null }), "type"),
            (json!({ "type": ["google-drive"] }), "type"),
            (json!({ "authType": "canary" }), "authType"),
            (json!({ "authType": "apikey" }), "authType"),
            (json!({ "mode": "canary" }), "mode"),
            (json!({ "enabled": "canary" }), "enabled"),
            (json!({ "description": long(400) }), "description"),
            (json!({ "tags": "canary" }), "tags"),
            (json!({ "tags": ["canary", "canary"] }), "tags"),
            (json!({ "tags": [long(20)] }), "tags"),
            (json!({ "tags": [""] }), "tags"),
            (json!({ "clientId": "" }), "clientId"),
            (json!({ "clientId": "canary\u{7}" }), "clientId"),
            (json!({ "clientSecret": "" }), "clientSecret"),
            (json!({ "clientSecret": 1 }), "clientSecret"),
            (json!({ "scope": ["canary"] }), "scope"),
            (json!({ "authUri": "https://canary.test/" }), "authUri"),
            (json!({ "tokenUri": "https://canary.test/" }), "tokenUri"),
            (json!({ "revocationUri": "https://canary.test/" }), "revocationUri"),
            (json!({ "userinfoUri": "https://canary.test/" }), "userinfoUri"),
            (json!({ "issuer": "https://canary.test/" }), "issuer"),
            (json!({ "apiBaseUri": "http://canary.test/" }), "apiBaseUri"),
            (json!({ "apiBaseUri": "https://canary@host.test/" }), "apiBaseUri"),
            (json!({ "apiBaseUri": "https://host.test/?canary" }), "apiBaseUri"),
            (json!({ "apiBaseUri": "canary" }), "apiBaseUri"),
            (json!({ "allowedHosts": ["https://canary.test"] }), "allowedHosts"),
            (json!({ "allowedHosts": ["Canary.test"] }), "allowedHosts"),
            (json!({ "allowedHosts": "canary.test" }), "allowedHosts"),
            (json!({ "headers": { "Authorization": "canary" } }), "headers"),
            (json!({ "headers": { "X-A": "canary\r\nX-B: c" } }), "headers"),
            (json!({ "headers": { "X-A": "${user.canary}" } }), "headers"),
            (json!({ "headers": { "X-A": "${user.email} {token} canary" } }), "headers"),
            (json!({ "headers": { "X A": "canary" } }), "headers"),
            (json!({ "headers": { "X-A": 1 } }), "headers"),
            (json!({ "authorizeParams": { "state": "canary" } }), "authorizeParams"),
            (json!({ "authorizeParams": { "redirect_uri": "canary" } }), "authorizeParams"),
            (json!({ "inputs": { "nosuch": "canary" } }), "inputs"),
            (json!({ "clientAuth": "canary" }), "clientAuth"),
            (json!({ "apiKey": { "in": "header", "name": "X-Canary" } }), "apiKey"),
            (json!({ "returnUri": "https://canary.test/back" }), "returnUri"),
            (json!({ "returnUri": "canary" }), "returnUri"),
            (json!({ "client_id": "canary" }), "body"),
            (json!({ "colour": "canary" }), "body"),
        ] {
            let answer = alice.post(PATH, &but(&edit)).await;
            answer.assert_hapi(400, &format!("{field}: "));
            assert!(!answer.text().contains("canary"), "{edit}: {}", answer.text());
        }
        assert_eq!(alice.get(PATH).await.json()["total"], 0, "nothing was made");
    })
    .await;
}

#[tokio::test]
async fn what_is_typed_in_takes_no_consent_and_needs_its_place() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let (place, base) = (json!({ "in": "header", "name": "X-Key" }), "https://a.test/v1");
        let with = |auth: &str, edit: Value| {
            let mut body = json!({ "name": "K", "authType": auth, "apiBaseUri": base });
            for (name, value) in edit.as_object().expect("an object") {
                body[name] = value.clone();
            }
            body
        };
        for (body, field) in [
            (json!({ "name": "K", "authType": "basic" }), "apiBaseUri"),
            (json!({ "name": "K", "authType": "apikey", "apiKey": place }), "apiBaseUri"),
            (with("apikey", json!({})), "apiKey"),
            (with("apikey", json!({ "apiKey": null })), "apiKey"),
            (with("apikey", json!({ "apiKey": "X-Key" })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "name": "X-Key" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "body", "name": "k" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "header" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "header", "name": "" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "header", "name": "X Key" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "header", "name": "Host" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "header", "name": "Content-Length" } })), "apiKey"),
            (
                with("apikey", json!({ "apiKey": { "in": "header", "name": "X-K", "prefix": "a\r\nB: " } })),
                "apiKey",
            ),
            (with("apikey", json!({ "apiKey": { "in": "query", "name": "" } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "query", "name": "k", "prefix": "Key " } })), "apiKey"),
            (with("apikey", json!({ "apiKey": { "in": "query", "name": "k", "odd": 1 } })), "apiKey"),
            (with("basic", json!({ "apiKey": place })), "apiKey"),
            (with("bearer", json!({ "clientId": "c" })), "clientId"),
            (with("bearer", json!({ "clientSecret": "s" })), "clientSecret"),
            (with("bearer", json!({ "scope": "read" })), "scope"),
            (with("bearer", json!({ "authorizeParams": { "a": "b" } })), "authorizeParams"),
            (with("bearer", json!({ "clientAuth": "body" })), "clientAuth"),
            (with("bearer", json!({ "tokenUri": "https://a.test/t" })), "tokenUri"),
            (with("oauth2", json!({ "tokenUri": "https://a.test/t" })), "authUri"),
        ] {
            alice.post(PATH, &body).await.assert_hapi(400, &format!("{field}: "));
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_is_one_json_object() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        for body in [json!([]), json!("x"), json!(null), json!([example()])] {
            for (method, place) in [(Method::POST, PATH), (Method::PUT, path.as_str())] {
                alice.call(method, place, &[], Some(&body)).await.assert_hapi(400, "body: ");
            }
        }
        let huge = json!({ "name": "a".repeat(100_000) });
        assert_eq!(alice.post(PATH, &huge).await.status, 413);
    })
    .await;
}

#[tokio::test]
async fn a_browser_comes_back_to_registered_places_only() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let other = app.tenant("Other").await;
        app.register(&other, "https://theirs.test/back").await;
        app.register(&app.acme, "https://ours.test/back?tab=1").await;
        for (uri, taken) in [
            ("https://ours.test/back?tab=1", true),
            ("https://ours.test/back", false),
            ("https://ours.test/back?tab=1&x=2", false),
            ("https://theirs.test/back", false),
        ] {
            let answer = alice.post(PATH, &but(&json!({ "returnUri": uri }))).await;
            if taken {
                made(&answer);
                assert_eq!(answer.json()["returnUri"], uri);
            } else {
                answer.assert_hapi(400, "returnUri: ");
            }
        }
    })
    .await;
}
