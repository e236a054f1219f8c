//! Credentials: renewed when they are old, and carried where each kind is looked for.

use std::time::Duration;

use axum::response::IntoResponse as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_engine::domain::{
    connection::Status,
    integration::{KeyLocation, KeyPlace},
};
use http::StatusCode;

use super::*;
use crate::support::on_each;

const KEY: &str = "canary-key+4711";
const USER: &str = "\u{e4}rmel@example.com";
const PASSWORD: &str = "canary: p4ss+word";
const TOKEN: &str = "canary.token/4711=";

#[tokio::test]
async fn an_old_token_is_renewed_before_the_request() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        app.pass(Duration::from_secs(3600));
        for _ in 0..2 {
            assert_eq!(post(app, &alice, &json!({ "url": "x" })).await.status, 200);
            assert_eq!(up.calls().pop().unwrap().all("authorization"), ["Bearer canary_alice_again"]);
        }
        let renewals = up.seen().iter().filter(|head| head.target == "/token").count();
        assert_eq!(renewals, 2, "the code, then one refresh");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_the_provider_refuses_is_renewed_once_and_the_data_sent_again() {
    on_each(async |app| {
        let up = provider(|head: Head, body| async move {
            let known = head.all("authorization") == ["Bearer canary_alice_again"];
            if known { echo(head, body).await } else { say(401, &[], "old") }
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let asked = json!({ "url": "x", "method": "POST", "data": { "a": 1 } });
        assert_eq!(post(app, &alice, &asked).await.status, 401, "a fresh one is the provider's own opinion");
        app.pass(Duration::from_secs(61));
        let answer = post(app, &alice, &asked).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, r#"{"a":1}"#));
        assert_eq!(up.calls().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_refused_refresh_says_connect_again() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let user = connected(app, &id, "refused").await;
        app.pass(Duration::from_secs(3600));
        for _ in 0..2 {
            let answer = post(app, &user, &json!({ "url": "x" })).await;
            assert_problem(&answer, 409, "must be authorized again");
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        assert_problem(&get(app, &user, "/x").await, 409, "must be authorized again");
        assert_eq!(up.calls().len(), 0);
        assert!(app.connections(&app.acme).await.iter().all(|c| c.status == Status::NeedsReauth));
        connect(app, "drive", &user, "fresh").await;
        assert_eq!(post(app, &user, &json!({ "url": "x" })).await.status, 200, "the same connection, anew");
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

/// A provider that takes each kind of credential in its place alone, and repeats in a header what it got.
async fn strict() -> Upstream {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    Upstream::whole(move |head: Head, _| {
        let basic = basic.clone();
        async move {
            let is = |name: &str, value: &str| head.all(name) == [value];
            let query = head.target == "/api/x?q=1&api_key=canary-key%2B4711";
            let plain = head.target == "/api/x?q=1";
            let shown = [
                plain && is("x-key", &format!("Key {KEY}")),
                plain && is("authorization", &basic),
                plain && is("authorization", &format!("Bearer {TOKEN}")),
                query && !head.headers.contains_key("authorization"),
            ];
            if shown.iter().filter(|it| **it).count() != 1 {
                return (StatusCode::UNAUTHORIZED, head.target).into_response();
            }
            let mut answer =
                say(200, &[("x-target", head.target.as_str()), ("x-password", "is canary: p4ss+word")], "in");
            for name in ["x-key", "authorization"] {
                if let Some(value) = head.headers.get(name) {
                    answer.headers_mut().append("x-echo", value.clone());
                }
            }
            answer
        }
    })
    .await
}

#[tokio::test]
async fn each_kind_is_carried_where_the_provider_looks_and_not_repeated() {
    on_each(async |app| {
        let up = strict().await;
        let (header, query) = (
            KeyPlace { location: KeyLocation::Header, name: "X-Key".into(), prefix: "Key ".into() },
            KeyPlace { location: KeyLocation::Query, name: "api_key".into(), prefix: String::new() },
        );
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let user = [("credential-username", USER), ("credential-password", PASSWORD)];
        for (n, (provider, place, fields)) in [
            ("apikey", Some(header), vec![("credential-api_key", KEY)]),
            ("apikey", Some(query), vec![("credential-api_key", KEY)]),
            ("basic", None, user.to_vec()),
            ("bearer", None, vec![("credential-token", TOKEN)]),
        ]
        .into_iter()
        .enumerate()
        {
            let config =
                Config { base_url: Some(format!("{}/api", up.origin)), api_key: place, ..Config::default() };
            let key = format!("typed-{n}");
            let input = NewIntegration {
                client_id: None,
                client_secret: None,
                ..new_integration(&key, provider, config)
            };
            let id = app.integrate_as(&app.acme, input).await;
            share(app, &id, &alice).await;
            type_in(app, &key, &alice, &fields).await;
            // Whatever the caller sends in its place is replaced.
            let asked = json!({
                "url": "/x?q=1&api_key=theirs",
                "headers": { "Authorization": "Bearer theirs", "X-Key": "theirs" },
            });
            let asked = if n == 1 { asked } else { json!({ "url": "/x?q=1", "headers": asked["headers"] }) };
            let path = format!("/api/integrations/{key}/request");
            let answer = ask(app, &alice.token, Method::POST, &path, Some(&asked)).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "in"), "{provider} {n}");
            let names: Vec<_> =
                answer.headers.keys().filter(|name| name.as_str().starts_with("x-")).collect();
            let (echoed, password, target) = (
                answer.headers.get_all("x-echo").iter().filter(|value| *value != "theirs").count(),
                answer.headers.contains_key("x-password"),
                answer.headers.contains_key("x-target"),
            );
            assert_eq!((echoed, password, target), (0, n != 2, n != 1), "{provider} {n}: {names:?}");
            let answer = ask(app, &alice.token, Method::GET, &format!("{path}/x?q=1"), None).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "in"), "{provider} {n}");
        }
    })
    .await;
}

/// Types a credential in on the connect page.
async fn type_in(app: &TestApp, integration: &str, user: &Someone, fields: &[(&'static str, &'static str)]) {
    let browser = Browser::new();
    let url = format!("{}/api/integrations/{integration}/connect", app.origin);
    let began = browser.request(Method::GET, &url).header("authorization", format!("Bearer {}", user.token));
    let began = browser.send(began, Bytes::new()).await;
    assert_eq!(began.status, 302, "{}", began.text());
    let url = format!("{}{}", app.origin, began.location());
    let fields = [&[("decision", "continue")][..], fields].concat();
    let done = browser.submit(&url, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(!done.location().contains("error"), "{}", done.location());
}
