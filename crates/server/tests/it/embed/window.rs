//! What needs the provider's page goes on in a window of its own, and the frame hears of its end.

use std::time::Duration;

use serde_json::json;

use super::{Frame, front};
use crate::{
    membrane::front::{Front, connected, posted},
    support::{Answer, Browser, Leg, on_each},
};

/// Through the provider, in the window's browser; gives the page at its end.
async fn decide(front: &Front<'_>, browser: &Browser, began: &Answer, decision: &str) -> Answer {
    assert_eq!(began.status, 303, "{}", began.text());
    assert_eq!(began.header("referrer-policy"), Some("no-referrer"));
    let back = browser.consent(&Leg::of(began.location()), "alice", decision).await;
    let done = browser.get(&back).await;
    front.follow(browser, &done).await
}

#[tokio::test]
async fn a_window_connects_and_the_frame_hears_of_it() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let frame = Frame::connect(&front, "sandbox", &[("name", "Mine")]).await;
        assert_eq!(frame.shows(), ("window".to_owned(), None));
        assert!(frame.page.text().contains("formtarget=\"_blank\""), "a window without a script, too");
        assert_eq!(frame.state().await, json!({ "state": "open" }));
        let browser = Browser::new();
        let page = decide(&front, &browser, &frame.window(&browser).await, "allow").await;
        let (message, target) = posted(&page);
        assert_eq!(target.as_deref(), Some(app.origin.as_str()), "only a page of ours may hear it");
        assert_eq!(message["type"], "newConnectionCreated");
        assert_eq!(frame.state().await, json!({ "state": "connected" }));
        let done = frame.submit(&[("decision", "check")]).await;
        let (shows, told) = done.shows();
        assert_eq!((shows.as_str(), told.as_ref()), ("connected", Some(&message["connection"])));
        let mine = front.connections().await;
        assert_eq!((mine.len(), mine[0].name.as_deref()), (1, Some("Mine")));
        assert_eq!(app.sandbox.exchanges().await, 1);

        let late = Browser::new();
        frame.window(&late).await.assert_page(400, "used already");
        assert_eq!(frame.submit(&[("decision", "continue")]).await.shows().0, "connected");
    })
    .await;
}

#[tokio::test]
async fn each_click_is_a_new_try() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let frame = Frame::connect(&front, "sandbox", &[]).await;
        // Opened and left alone; then declined; then closed on the way; then allowed.
        let browser = Browser::new();
        let left = frame.window(&browser).await;
        assert_eq!(frame.state().await["state"], "open");
        decide(&front, &browser, &frame.window(&browser).await, "deny").await;
        let state = frame.state().await;
        assert_eq!(
            (&state["state"], &state["errorData"]["data"]["error"]),
            (&json!("failed"), &json!("access_denied"))
        );
        let again = frame.submit(&[("decision", "check")]).await;
        assert_eq!(again.shows(), ("window".to_owned(), None));
        assert!(again.page.text().contains("id=\"failure\""), "{}", again.page.text());
        assert_eq!(frame.state().await["state"], "open", "told once");
        let quiet = frame.submit(&[("decision", "check")]).await;
        assert!(!quiet.page.text().contains("id=\"failure\""), "{}", quiet.page.text());
        let closed = frame.window(&browser).await;
        assert_ne!(left.location(), closed.location());
        // Another browser may be the one that goes on: each window's flow is its own.
        let other = Browser::new();
        decide(&front, &other, &frame.window(&other).await, "allow").await;
        assert_eq!(frame.state().await["state"], "connected");
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_window_is_bound_to_its_browser() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let frame = Frame::connect(&front, "sandbox", &[]).await;
        let (browser, other) = (Browser::new(), Browser::new());
        let began = frame.window(&browser).await;
        let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
        other.get(&back).await.assert_refused("another browser");
        assert_eq!(frame.state().await["state"], "failed");
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_window_gives_the_frame_time_and_a_frame_left_alone_is_over() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let frame = Frame::connect(&front, "sandbox", &[]).await;
        app.pass(Duration::from_secs(3500));
        let browser = Browser::new();
        let began = frame.window(&browser).await;
        app.pass(Duration::from_secs(500));
        assert_eq!(frame.state().await["state"], "open", "its window is as new");
        decide(&front, &browser, &began, "allow").await;
        assert_eq!(frame.state().await["state"], "connected");

        let later = Front::new(app, "user-1").await;
        let frame = Frame::connect(&later, "sandbox", &[]).await;
        app.pass(Duration::from_secs(3601));
        let state = frame.state().await;
        assert_eq!(state["state"], "failed", "{state}");
        frame.window(&browser).await.assert_page(400, "expired");
        let late = frame.submit(&[("decision", "check")]).await;
        assert_eq!(late.shows().0, "failed");
        assert!(late.page.text().contains("open for too long"), "{}", late.page.text());
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_authorized_anew_in_place() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let id = connected(&front.connect(&Browser::new(), "alice", json!({})).await);
        let frame = Frame::open(&front, "/embed/connections/sandbox/refresh", &[]).await;
        let browser = Browser::new();
        decide(&front, &browser, &frame.window(&browser).await, "allow").await;
        let done = frame.submit(&[("decision", "check")]).await;
        assert_eq!(done.shows().1.unwrap()["id"], id.as_str());
        assert_eq!(front.connections().await.len(), 1);
        // Gone by the time that somebody looks.
        crate::membrane::front::end(app, &id).await;
        let gone = frame.submit(&[("decision", "check")]).await;
        assert_eq!(gone.shows().0, "failed");
        let several = Frame::connect(&front, "sandbox", &[("allowMultipleConnections", "1")]).await;
        let browser = Browser::new();
        decide(&front, &browser, &several.window(&browser).await, "allow").await;
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}
