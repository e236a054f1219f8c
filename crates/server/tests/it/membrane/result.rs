//! The page at the end: what it posts, to whom, who may frame it, and that nothing in it is more than text.

use serde_json::{Value, json};

use super::{
    front::{Front, KEY, REQUEST, WRONG_KEY, keyed, posted, provider, providers},
    token,
};
use crate::support::{Browser, on_each, on_each_with};

#[tokio::test]
async fn a_frame_is_answered_at_once_and_its_page_told() {
    on_each_with(providers, async |app| {
        let (front, upstream) = (Front::new(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let framed = [("sec-fetch-dest", "iframe"), ("origin", "https://shop.test")];
        let wish = |key: &str, request: &str| {
            let parameters = json!({ "api_key": key });
            front.payload(json!({
                "integrationKey": "it", "connectionParameters": parameters, "requestId": request, "redirectUri": null
            }))
        };
        let page = front.submit_with(&Browser::new(), "/connection-popup", &wish(KEY, REQUEST), &framed).await;
        page.assert_page(200, "is connected");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors *;"), "{policy}");
        assert!(policy.contains("script-src 'nonce-") && policy.contains("default-src 'none'"), "{policy}");
        for absent in ["x-frame-options", "cross-origin-opener-policy", "set-cookie"] {
            assert!(page.headers.get(absent).is_none(), "{absent}");
        }
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let (message, target) = posted(&page);
        let made = &front.connections().await[0];
        assert_eq!(target.as_deref(), Some("*"));
        assert_eq!(message["source"], "integration.app");
        assert_eq!(message["requestId"], REQUEST);
        assert_eq!(message["type"], "newConnectionCreated");
        assert_eq!(message["connection"]["id"], made.id.as_str());
        assert_eq!(message["connection"]["integrationId"], made.integration_id.as_str());
        assert_eq!(message["connection"]["disconnected"], false);
        assert!(!page.text().contains("canary") && !page.text().contains(&front.token));

        let second = format!("{REQUEST}2");
        let page = front.submit_with(&Browser::new(), "/connect", &wish(WRONG_KEY, &second), &framed).await;
        page.assert_page(400, "not connected");
        let (message, _) = posted(&page);
        assert_eq!((&message["type"], &message["requestId"]), (&json!("newConnectionFailure"), &json!(second)));
        assert_eq!(message["errorData"]["type"], "bad_request");
        assert_eq!(message["error"], message["errorData"]["message"]);
        assert!(message["error"].as_str().unwrap().contains("does not accept it"), "{message}");
        assert!(!page.text().contains("canary"), "the provider repeated the key: {}", page.text());
    })
    .await;
}

#[tokio::test]
async fn only_allowed_origins_hear_and_frame() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let (shop, other) = ("https://shop.test", "https://other.test");
        app.settings(&app.acme, |settings| settings.allowed_origins = vec![shop.into(), other.into()]).await;
        for (from, hears) in [
            (Some(shop), Some(shop)),
            (Some(other), Some(other)),
            (Some("https://evil.test"), None),
            (Some("https://shop.test.evil.test"), None),
            (Some("null"), None),
            (None, None),
        ] {
            let headers: Vec<(&str, &str)> = from.map(|from| ("origin", from)).into_iter().collect();
            let payload = front.payload(json!({ "redirectUri": null }));
            // At once, by what is wrong.
            let wrong = front.payload(json!({ "redirectUri": null, "integrationKey": "nosuch" }));
            let page = front.submit_with(&Browser::new(), "/connection-popup", &wrong, &headers).await;
            assert_eq!(posted(&page).1.as_deref(), hears, "{from:?}");
            let policy = page.header("content-security-policy").unwrap();
            assert!(policy.contains(&format!("frame-ancestors {shop} {other};")), "{policy}");
            // And at the end of a flow, whose callback comes from the provider.
            let browser = Browser::new();
            let began = front.submit_with(&browser, "/connection-popup", &payload, &headers).await;
            let on = front.follow(&browser, &began).await;
            let back = browser.consent(&crate::support::Leg::of(on.location()), "alice", "allow").await;
            let page = front.follow(&browser, &browser.get(&back).await).await;
            let (message, target) = posted(&page);
            assert_eq!(target.as_deref(), hears, "{from:?}");
            assert_eq!(message["type"], "newConnectionCreated");
        }
        let page = front.open(&Browser::new(), &[("redirectUri", ""), ("integrationKey", "nosuch")]).await;
        assert_eq!(posted(&page).1, None, "a link says nothing of where it was");
    })
    .await;
}

#[tokio::test]
async fn nothing_in_the_page_is_more_than_text() {
    on_each(async |app| {
        let bad = "</script><script>alert(1)</script>\u{2028}\"'<!--";
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let done = front.connect(&browser, "alice", json!({ "redirectUri": null, "name": bad })).await;
        let page = front.follow(&browser, &done).await;
        assert_eq!(page.text().matches("<script").count(), 1, "{}", page.text());
        assert_eq!(page.text().matches("</script").count(), 1, "{}", page.text());
        assert!(!page.text().contains("alert(1)<"));
        assert_eq!(posted(&page).0["connection"]["name"], bad);
    })
    .await;
}

#[tokio::test]
async fn an_id_belongs_to_the_first_who_uses_it() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let wish = json!({ "requestId": REQUEST, "redirectUri": null });
        let leg = front.set_out(&browser, wish.clone()).await;
        let other = Front::new(app, "user-2").await;
        let foreign = app.tenant("Other").await;
        let theirs = super::customer(app, &foreign, "user-1").await;
        for front in [&front, &other, &front.with(&theirs)] {
            let page = front.submit(&Browser::new(), wish.clone()).await;
            page.assert_page(400, "used before");
            let (message, _) = posted(&page);
            assert_eq!(message["errorData"]["key"], "already_exists");
        }
        let back = browser.consent(&leg, "alice", "allow").await;
        let page = front.follow(&browser, &browser.get(&back).await).await;
        assert_eq!(posted(&page).0["requestId"], REQUEST);
        front.submit(&browser, wish).await.assert_page(400, "used before");
        assert_eq!((front.connections().await.len(), other.connections().await.len()), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_gone_by_then_is_told_as_a_failure() {
    on_each(async |app| {
        let front = Front::new(app, "user-1").await;
        let browser = Browser::new();
        let done = front.connect(&browser, "alice", json!({ "redirectUri": null })).await;
        super::front::end(app, front.connections().await[0].id.as_str()).await;
        let page = front.follow(&browser, &done).await;
        let message: Value = posted(&page).0;
        assert_eq!(
            (&message["type"], &message["errorData"]["key"]),
            (&json!("newConnectionFailure"), &json!("not_found"))
        );
        app.pass(std::time::Duration::from_secs(601));
        front.follow(&browser, &done).await.assert_page(404, "nothing to show");
    })
    .await;
}

#[tokio::test]
async fn a_customers_words_are_not_in_an_error_page() {
    on_each(async |app| {
        let odd = token(app, &app.acme, json!({ "id": "<b>canary</b>" })).await;
        let front = Front::new(app, "x").await.with(&odd);
        let page = front.open(&Browser::new(), &[("redirectUri", "https://evil.test/<b>canary</b>")]).await;
        page.assert_page(400, "redirectUri");
        assert!(!page.text().contains("canary"), "{}", page.text());
    })
    .await;
}
