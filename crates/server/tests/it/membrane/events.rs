//! The stream: whoever knows a request's id hears how it ended, once; and nobody can hold the server by listening.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use super::front::{Front, KEY, REQUEST, connected, failed, keyed, provider, providers};
use crate::support::{
    Browser, CB, Options, TestApp, on_each, on_each_with,
    wire::{self, Open},
};

async fn listen(app: &TestApp, request: &str, from: &str) -> Open {
    let request = Request::builder().uri(format!("{}/sse/connection-events/{request}", app.origin));
    let request = if from.is_empty() { request } else { request.header("x-forwarded-for", from) };
    let mut open = wire::open(request.body(wire::nothing()).expect("a request")).await;
    if open.answer.status() == 200 {
        assert_eq!(open.answer.headers()["content-type"], "text/event-stream");
        assert_eq!(open.answer.headers()["access-control-allow-origin"], "*");
        assert_eq!(open.answer.headers()["cache-control"], "no-store");
        assert_eq!(open.next().await.expect("a comment"), ": ping\n\n");
    }
    open
}

/// The one message; the stream is closed behind it.
async fn heard(mut open: Open) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(10), open.next()).await.expect("in time");
    let told = told.expect("a message");
    let text = std::str::from_utf8(&told).expect("text");
    let line = text.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).expect("one data line");
    assert!(!line.contains('\n'), "{line}");
    assert!(open.next().await.is_none(), "and nothing behind it");
    serde_json::from_str(line).expect("JSON")
}

#[tokio::test]
async fn who_listens_hears_how_it_ended_and_who_comes_late_too() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        // Before anybody has used the id, as the SDKs do; several may.
        let (one, two) = (listen(app, REQUEST, "").await, listen(app, REQUEST, "").await);
        let other = listen(app, &format!("{REQUEST}2"), "").await;
        let id = connected(&front.connect(&Browser::new(), "alice", json!({ "requestId": REQUEST })).await);
        for open in [one, two, listen(app, REQUEST, "").await] {
            let message = heard(open).await;
            assert_eq!(message["source"], "integration.app");
            assert_eq!((&message["requestId"], &message["type"]), (&json!(REQUEST), &json!("newConnectionCreated")));
            assert_eq!(message["connection"]["id"], id.as_str());
            assert!(!message.to_string().contains("canary"));
        }
        // At once, and with a way back for the browser.
        let wish = json!({
            "integrationKey": "it", "connectionParameters": { "api_key": KEY }, "requestId": format!("{REQUEST}2")
        });
        let id = connected(&front.submit(&Browser::new(), wish).await);
        assert_eq!(heard(other).await["connection"]["id"], id.as_str());
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_end_is_told() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let id = |nth: u32| format!("{REQUEST}-{nth}");
        let failure = async |nth: u32, kind: &str, words: &str| {
            let message = heard(listen(app, &id(nth), "").await).await;
            assert_eq!(
                (&message["type"], &message["requestId"]),
                (&json!("newConnectionFailure"), &json!(id(nth)))
            );
            assert_eq!(message["errorData"]["type"], kind, "{message}");
            assert!(message["error"].as_str().unwrap().contains(words), "{message}");
        };
        let browser = Browser::new();
        // What is wrong with the request.
        failed(&front.submit(&browser, json!({ "requestId": id(1), "integrationKey": "nosuch" })).await);
        failure(1, "bad_request", "integration").await;
        // Declined at the provider.
        let leg = front.set_out(&browser, json!({ "requestId": id(2) })).await;
        let back = browser.consent(&leg, "alice", "deny").await;
        failed(&browser.get(&back).await);
        failure(2, "connection", "").await;
        // Declined on our page.
        let began = front.open(&browser, &[("integrationKey", "it"), ("requestId", &id(3))]).await;
        let url = format!("{}{}", app.origin, began.location());
        failed(&browser.submit(&url, &[("decision", "cancel")]).await);
        failure(3, "connection", "declined").await;
        // The provider can't be asked.
        app.sandbox.faults(json!({ "token_status": 500 })).await;
        failed(&front.connect(&browser, "alice", json!({ "requestId": id(4) })).await);
        failure(4, "connection", "try again").await;
        app.sandbox.faults(json!({ "token_status": null })).await;
        // Another browser came back.
        let leg = front.set_out(&browser, json!({ "requestId": id(5) })).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        Browser::new().get(&back).await.assert_refused("another browser");
        failure(5, "bad_request", "another browser").await;
        // Typed too often.
        let began = front.open(&browser, &[("integrationKey", "it"), ("requestId", &id(6))]).await;
        let url = format!("{}{}", app.origin, began.location());
        let wrong = [("decision", "continue"), ("credential-api_key", "canary-key-0000")];
        for _ in 0..20 {
            browser.submit(&url, &wrong).await.assert_page(422, "does not accept it");
        }
        failed(&browser.submit(&url, &wrong).await);
        failure(6, "connection", "too often").await;
        // Typed, at last.
        let began = front.open(&browser, &[("integrationKey", "it"), ("requestId", &id(7))]).await;
        let url = format!("{}{}", app.origin, began.location());
        let made =
            connected(&browser.submit(&url, &[("decision", "continue"), ("credential-api_key", KEY)]).await);
        assert_eq!(heard(listen(app, &id(7), "").await).await["connection"]["id"], made.as_str());
        assert_eq!(CB, "https://app.test/cb");
    })
    .await;
}

#[tokio::test]
async fn listeners_are_bounded_and_a_place_is_free_again() {
    let behind = || Options { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Options::default() };
    on_each_with(behind, async |app| {
        let (mut all, mut refused) = (Vec::new(), 0);
        for nth in 0..1000 {
            let open = listen(app, &format!("{REQUEST}{nth}"), "203.0.113.1").await;
            match open.answer.status().as_u16() {
                200 => all.push(open),
                429 => {
                    assert!(open.answer.headers().contains_key("retry-after"));
                    refused += 1;
                }
                status => panic!("{nth}: {status}"),
            }
        }
        assert_eq!((all.len(), refused), (32, 968), "by the thousand, for ids that nobody knows");
        assert_eq!(
            listen(app, REQUEST, "203.0.113.2").await.answer.status(),
            200,
            "another address has its own"
        );
        drop(all.pop());
        let mut looks = 0;
        while listen(app, REQUEST, "203.0.113.1").await.answer.status() != 200 {
            looks += 1;
            assert!(looks < 200, "who hangs up leaves a place");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_be_no_id_is_refused_and_a_token_is_not_looked_at() {
    on_each(async |app| {
        for bad in ["short", "a%20b%20c%20d%20e%20f%20g%20h", &"a".repeat(129)] {
            let answer = Browser::new().get(&format!("{}/sse/connection-events/{bad}", app.origin)).await;
            super::assert_refused(&answer, 400, None);
        }
        let open = listen(app, &format!("{REQUEST}?token=nonsense"), "").await;
        assert_eq!(open.answer.status(), 200);
    })
    .await;
}
