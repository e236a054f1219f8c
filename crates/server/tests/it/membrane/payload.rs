//! Every way in which parameters come; and who is never redirected to, whatever else is wrong.

use claviger_engine::domain::workspace::Jwt;
use serde_json::{Value, json};

use super::{
    complete, customer,
    front::{Front, KEY, REQUEST, connected, failed, keyed, provider, providers},
    hs, seconds, secret, token,
};
use crate::{
    redirects::LOOK_ALIKES,
    support::{Browser, CB, Options, encode, on_each, on_each_with},
};

#[tokio::test]
async fn each_transport_makes_a_connection() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let parameters = json!({ "api_key": KEY });
        let whole = front.payload(json!({ "integrationKey": "it", "connectionParameters": parameters }));
        let text = whole.to_string();
        let quoted = parameters.to_string();
        let pairs = [
            ("token", front.token.as_str()),
            ("integrationKey", "it"),
            ("redirectUri", CB),
            ("connectionParameters", quoted.as_str()),
        ];
        let query = encode(&pairs);
        let form = "application/x-www-form-urlencoded";
        connected(&front.open(&Browser::new(), &[("integrationKey", "it"), ("connectionParameters", &quoted)]).await);
        for (path, kind, body) in [
            (format!("/connection-popup?{query}"), form, String::new()),
            (format!("/connection-popup?{query}"), "", String::new()),
            (format!("/connection-popup?{query}"), "application/json", String::new()),
            ("/connection-popup".to_owned(), form, query.clone()),
            ("/connection-popup".to_owned(), form, encode(&[("payload", &text)])),
            (format!("/connect?{}", encode(&[("payload", &text)])), form, String::new()),
            ("/connection-popup".to_owned(), "application/json", text.clone()),
            ("/connect".to_owned(), "application/json; charset=utf-8", json!({ "payload": text }).to_string()),
            ("/connection-popup".to_owned(), "application/json", json!({ "payload": whole }).to_string()),
            // What is in both counts as the payload has it.
            ("/connection-popup?integrationKey=nosuch&integrationKe=x&integrationKe=y&token=old".to_owned(), form, encode(&[("payload", &text)])),
        ] {
            connected(&front.send(&path, kind, &body).await);
        }
        let m = json!({ "token": front.token, "integrationKey": "it", "input": parameters, "connectionRequestId": REQUEST, "redirectUri": CB });
        connected(&front.submit_with(&Browser::new(), "/connect", &m, &[]).await);
        assert_eq!(front.connections().await.len(), 1, "each in place of the one before");
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_read_is_a_page() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let form = "application/x-www-form-urlencoded";
        let twice =
            format!("{}&redirectUri={}", front.url(&[]).split_once('?').unwrap().1, "https://evil.test");
        for (kind, body) in [
            (form, "payload={".to_owned()),
            (form, "payload=%7B%22token%22%3A1%2C%22token%22%3A2%7D".to_owned()),
            (form, "payload=[]".to_owned()),
            (form, twice),
            (form, format!("token={}&redirectUri=%ff", front.token)),
            ("application/json", "{".to_owned()),
            ("application/json", "[1]".to_owned()),
            ("application/json", r#"{"payload":"nonsense"}"#.to_owned()),
            ("application/json", json!({ "token": 7, "redirectUri": CB }).to_string()),
            ("application/json", json!({ "token": front.token, "redirectUri": [CB] }).to_string()),
        ] {
            front.send("/connection-popup", kind, &body).await.assert_page(400, "connected");
        }
        let large = encode(&[("payload", &front.payload(json!({ "name": "a".repeat(70_000) })).to_string())]);
        front.send("/connection-popup", form, &large).await.assert_page(413, "connected");
        app.assert_nothing_connected(&app.acme).await;
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

/// Tokens with which nobody is known, each with what is wrong.
async fn no_tokens(front: &Front<'_>) -> Vec<(&'static str, String)> {
    let app = front.app;
    let other = app.tenant("Elsewhere").await;
    let forged = hs(
        aws_lc_rs::hmac::HMAC_SHA256,
        "HS256",
        &secret(app, &other).await,
        &complete(app, &app.acme, json!({ "id": "user-1" })),
    );
    let none = format!("{}.", front.token.rsplit_once('.').unwrap().0);
    vec![
        ("none", String::new()),
        ("nonsense", "nonsense".to_owned()),
        ("unsigned", none),
        ("forged", forged),
        ("without an end", token(app, &app.acme, json!({ "id": "user-1", "exp": null })).await),
    ]
}

#[tokio::test]
async fn without_a_token_that_holds_nobody_is_redirected() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        for (what, token) in no_tokens(&front).await {
            let payload = front.payload(json!({ "token": token, "requestId": REQUEST }));
            let answer = front.submit_with(&Browser::new(), "/connection-popup", &payload, &[]).await;
            answer.assert_page(401, "Nothing was connected");
            assert!(token.is_empty() || !answer.text().contains(&token), "{what}");
            front.with(&token).open(&Browser::new(), &[]).await.assert_page(401, "Nothing was connected");
        }
        let foreign = customer(app, &app.tenant("Third").await, "user-1").await;
        front.with(&foreign).open(&Browser::new(), &[("redirectUri", "https://app.test/cb?x")]).await;
        assert_eq!(front.connections().await.len(), 0);
        app.settings(&app.acme, |settings| settings.jwt = Jwt { secret: false, ..Jwt::default() }).await;
        front.open(&Browser::new(), &[]).await.assert_page(401, "Nothing was connected");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_over_may_be_told_to_a_registered_address() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let old = token(app, &app.acme, json!({ "id": "user-1", "exp": seconds(app) - 61 })).await;
        let front = front.with(&old);
        let (text, data) = failed(&front.open(&Browser::new(), &[("requestId", REQUEST)]).await);
        assert!(text.contains("expired"), "{text}");
        assert_eq!((&data["type"], &data["key"]), (&json!("bad_request"), &json!("not_authenticated")));
        failed(&front.submit(&Browser::new(), json!({ "integrationKey": "nosuch" })).await);
        front.open(&Browser::new(), &[("redirectUri", "")]).await.assert_page(401, "Nothing was connected");
        front
            .open(&Browser::new(), &[("redirectUri", "https://evil.test/")])
            .await
            .assert_page(400, "redirectUri");
        // It opens nothing: the id is still free, and nobody is known by it.
        connected(
            &Front::new(app, "user-1")
                .await
                .connect(&Browser::new(), "alice", json!({ "requestId": REQUEST }))
                .await,
        );
    })
    .await;
}

/// Everything that can be wrong besides, or nothing.
fn wrongs() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "integrationKey": "nosuch" }),
        json!({ "integrationKey": null }),
        json!({ "connectionId": "conn_x" }),
        json!({ "connectionParameters": "{" }),
        json!({ "authOptionKey": "nosuch" }),
        json!({ "requestId": "short" }),
        json!({ "requestId": REQUEST }),
        json!({ "name": 7 }),
    ]
}

#[tokio::test]
async fn an_address_that_is_not_registered_is_never_redirected_to() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let old = token(app, &app.acme, json!({ "id": "user-1", "exp": seconds(app) - 61 })).await;
        let nobody = token(app, &app.acme, json!({})).await;
        for uri in ["https://evil.test/", "https://app.test/other", "javascript:alert(1)"] {
            for front in [&front, &front.with(&old), &front.with(&nobody)] {
                for mut extra in wrongs() {
                    extra["redirectUri"] = uri.into();
                    let answer = front.submit(&Browser::new(), extra).await;
                    answer.assert_page(400, "redirectUri");
                    assert!(answer.headers.get("refresh").is_none());
                }
            }
        }
        app.assert_nothing_connected(&app.acme).await;
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

#[tokio::test]
async fn a_look_alike_is_never_redirected_to() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        // Query and fragment are the caller's.
        let theirs =
            |uri: &str| uri == CB || uri.starts_with(&format!("{CB}?")) || uri.starts_with(&format!("{CB}#"));
        let mut met = 0;
        for uri in LOOK_ALIKES {
            let browser = Browser::new();
            let answer = front.open(&browser, &[("redirectUri", uri)]).await;
            if theirs(uri) && uri.bytes().all(|b| b.is_ascii_graphic()) {
                assert_eq!(answer.status, 302, "{uri}: {}", answer.text());
                met += 1;
            } else {
                answer.assert_page(400, "redirectUri");
            }
        }
        assert_eq!(met, 6, "those that differ behind the path");
    })
    .await;
}

#[tokio::test]
async fn dev_takes_loopback_with_any_query() {
    let dev = || Options { dev: true, ..Options::default() };
    on_each_with(dev, async |app| {
        let front = Front::new(app, "user-1").await;
        for (uri, taken) in [
            ("http://127.0.0.1:9/cb?x=1#y", true),
            ("http://localhost/?x@y", true),
            ("http://127.0.0.1.evil.test/?x", false),
            ("http://evil.test?http://127.0.0.1/", false),
            ("http://evil.test#@127.0.0.1/", false),
            ("http://127.0.0.1@evil.test/", false),
            ("http://127.0.0.1/\\x", false),
        ] {
            let answer = front.open(&Browser::new(), &[("redirectUri", uri)]).await;
            assert_eq!(answer.status == 302, taken, "{uri} {}", answer.status);
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_struck_off_meanwhile_is_not_redirected_to() {
    on_each(async |app| {
        let (front, gone) = (Front::new(app, "user-1").await, "https://app.test/gone");
        let strike = async || {
            app.change(async |to| to.conn.remove_redirect_uri(&app.acme.workspace, gone).await).await
        };
        for decision in ["allow", "deny"] {
            app.register(&app.acme, gone).await;
            let browser = Browser::new();
            let leg = front.set_out(&browser, json!({ "redirectUri": format!("{gone}?a=b") })).await;
            let back = browser.consent(&leg, "alice", decision).await;
            assert!(strike().await);
            browser.get(&back).await.assert_page(400, "not registered any more");
        }
        app.register(&app.acme, gone).await;
        let browser = Browser::new();
        let began = front.submit(&browser, json!({ "redirectUri": gone })).await;
        assert!(strike().await);
        front.follow(&browser, &began).await.assert_page(400, "not registered any more");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
