//! The handle is all that a framed page has: nothing goes without it, and it is good for that page alone.

use http::{Method, Request};

use super::{Frame, front, options};
use crate::{
    membrane::front::{KEY, keyed, provider},
    support::{Browser, on_each_with},
};

#[tokio::test]
async fn nothing_goes_without_the_handle_of_that_very_flow() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let (mine, other) =
            (Frame::connect(&front, "it", &[]).await, Frame::connect(&front, "it", &[]).await);
        let ((action, handle), (theirs, their_handle)) = (mine.form(), other.form());
        assert_ne!(handle, their_handle);
        let unknown = format!("/embed/{}", claviger_engine::id::FlowId::new());
        for (to, with) in [
            (&action, their_handle.as_str()),
            (&theirs, handle.as_str()),
            (&action, ""),
            (&action, &handle[1..]),
            (&unknown, handle.as_str()),
            (&"/embed/flow_x".to_owned(), handle.as_str()),
        ] {
            for decision in ["continue", "check", "cancel"] {
                let fields = [("decision", decision), ("credential-api_key", KEY)];
                let refused = mine.post(to, with, &fields).await;
                refused.assert_page(400, "begin again");
                assert_eq!(super::framed_by(&refused), "'none'");
            }
            mine.post(&format!("{to}/popup"), with, &[]).await.assert_page(400, "begin again");
            let state = mine.post(&format!("{to}/state"), with, &[]).await;
            assert_eq!((state.status.as_u16(), state.json()["key"].as_str()), (404, Some("not_found")));
        }
        app.assert_nothing_connected(&app.acme).await;
        assert_eq!(
            (mine.state().await["state"].clone(), other.state().await["state"].clone()),
            ("open".into(), "open".into())
        );
    })
    .await;
}

#[tokio::test]
async fn the_handle_opens_no_other_page() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let frame = Frame::connect(&front, "it", &[]).await;
        let (action, handle) = frame.form();
        let flow = action.trim_start_matches("/embed/");
        let browser = Browser::new();
        let adopt = format!("{}/connection-popup/{flow}?handle={handle}", app.origin);
        browser.get(&adopt).await.assert_page(400, "belongs to another browser");
        browser.set_cookies("127.0.0.1", [("claviger-browser".to_owned(), handle.clone())].into());
        let page = format!("{}/connect/{flow}", app.origin);
        browser.get(&page).await.assert_page(400, "belongs to another browser");
        browser.submit(&page, &[("decision", "cancel")]).await.assert_page(400, "belongs to another browser");
        browser.get(&format!("{}{action}", app.origin)).await.assert_page(404, "nothing to show");
        assert_eq!(frame.state().await["state"], "open");
    })
    .await;
}

#[tokio::test]
async fn only_a_page_of_ours_sends_its_forms() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let frame = Frame::connect(&front, "it", &[]).await;
        let (action, handle) = frame.form();
        for path in [action.clone(), format!("{action}/popup"), format!("{action}/state")] {
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "null"),
                ("origin", super::SHOP),
                ("x-nothing", "said"),
            ] {
                let request = Request::builder().method(Method::POST).uri(format!("{}{path}", app.origin));
                let request = request.header(name, value);
                let fields = [("handle", handle.as_str()), ("credential-api_key", KEY)];
                let answer = Browser::new().form(request, &fields).await;
                assert_eq!(answer.status, 403, "{path} {name}: {value}: {}", answer.text());
            }
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
