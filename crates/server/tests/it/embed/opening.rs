//! What opens the page, and what it does by itself.

use http::{Method, Request};

use super::{Frame, SHOP, framed_by, front, options};
use crate::{
    membrane::{
        self,
        front::{Front, KEY, connected, keyed, provider},
        token,
    },
    support::{Browser, CB, Leg, encode, on_each, on_each_with},
};

#[tokio::test]
async fn each_way_in_shows_the_page_of_what_is_meant() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let id =
            app.read().await.integration_by_selector(&app.acme.workspace, "it").await.unwrap().unwrap().id;
        for selector in ["it", id.as_str()] {
            for slash in ["", "/"] {
                let path = format!("/embed/integrations/{selector}/connect{slash}");
                Frame::open(&front, &path, &[]).await.page.assert_page(200, "credential-api_key");
                let path = format!("/screens/integrations/{selector}/connect{slash}");
                Frame::screen(&front, &path, &[]).await.page.assert_page(200, "credential-api_key");
            }
        }
        let said = [("integrationKey", "it"), ("allowMultipleConnections", ""), ("theme", "dark")];
        let frame = Frame::screen(&front, "/screens/connect", &said).await;
        frame.page.assert_page(200, "credential-api_key");
        assert_eq!(frame.shows(), ("form".to_owned(), None));
        assert_eq!(framed_by(&frame.page), SHOP);
        assert!(!frame.page.text().contains(&front.token), "the token is nowhere on the page");
        let made = frame.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await;
        let made = made.shows().1.unwrap()["id"].as_str().unwrap().to_owned();
        for selector in [made.as_str(), "it", id.as_str()] {
            let path = format!("/embed/connections/{selector}/refresh");
            Frame::open(&front, &path, &[]).await.page.assert_page(200, "credential-api_key");
        }
        let again = Frame::screen(&front, "/screens/connect", &[("connectionId", &made)]).await;
        again.page.assert_page(200, "credential-api_key");
    })
    .await;
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there_is_told_on_a_page() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let other = app.tenant("Other").await;
        let theirs = connected(
            &Front::new(app, "user-2").await.connect(&Browser::new(), "bob", serde_json::json!({})).await,
        );
        let foreign = membrane::customer(app, &other, "user-1").await;
        let admin = membrane::admin(app, &app.acme).await;
        let over = token(
            app,
            &app.acme,
            serde_json::json!({ "id": "user-1", "exp": membrane::seconds(app) - 3600 }),
        )
        .await;
        for (by, path, status, words) in [
            (front.with("nonsense"), "/embed/integrations/sandbox/connect", 401, "token"),
            (front.with(""), "/embed/integrations/sandbox/connect", 401, "token"),
            (front.with(&over), "/embed/integrations/sandbox/connect", 401, "expired"),
            (front.with(&admin), "/embed/integrations/sandbox/connect", 403, "customer"),
            (front.with(&front.token), "/embed/integrations/nosuch/connect", 404, "no such integration"),
            (front.with(&front.token), "/embed/connections/nosuch/refresh", 404, "no such"),
            (front.with(&front.token), "/embed/connections/sandbox/refresh", 404, "no such connection"),
            (
                front.with(&front.token),
                &format!("/embed/connections/{theirs}/refresh"),
                404,
                "no such connection",
            ),
            (
                front.with(&foreign),
                &format!("/embed/integrations/{}/connect", app.acme.integration),
                404,
                "no such integration",
            ),
            (
                front.with(&foreign),
                &format!("/embed/connections/{theirs}/refresh"),
                404,
                "no such connection",
            ),
        ] {
            let frame = Frame::open(&by, path, &[]).await;
            frame.page.assert_page(status, words);
            let mine =
                matches!(by.token.as_str(), token if token == front.token || token == over || token == admin);
            let want = if mine { SHOP } else { "'none'" };
            assert_eq!(framed_by(&frame.page), want, "{path} {status}");
            assert!(by.token.is_empty() || !frame.page.text().contains(&by.token), "{path}");
        }
        Frame::screen(&front, "/screens/connect", &[]).await.page.assert_page(400, "integrationId");
        assert_eq!(front.connections().await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn by_itself_it_is_a_popup_by_another_name() {
    on_each(async |app| {
        let front = front(app, "user-1").await;
        let url = |path: &str, extra: &[(&str, &str)]| {
            let pairs = [&[("token", front.token.as_str())], extra].concat();
            format!("{}{path}?{}", app.origin, encode(&pairs))
        };
        let path = "/embed/integrations/sandbox/connect";
        // By its navigation, and where a browser does not say, by what it is asked for.
        for (dest, extra) in [(Some("document"), &[("redirectUri", CB)][..]), (None, &[("redirectUri", CB)])]
        {
            let browser = Browser::new();
            let request = browser.request(Method::GET, &url(path, extra));
            let request = dest.iter().fold(request, |request, dest| request.header("sec-fetch-dest", *dest));
            let began = browser.send(request, bytes::Bytes::new()).await;
            assert_eq!(began.status, 302, "{}", began.text());
            let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
            let id = connected(&browser.get(&back).await);
            let refresh = url(&format!("/embed/connections/{id}/refresh"), extra);
            let again = browser.get(&refresh).await;
            assert_eq!(again.status, 302, "{}", again.text());
            let back = browser.consent(&Leg::of(again.location()), "alice", "allow").await;
            assert_eq!(connected(&browser.get(&back).await), id);
        }
        let unregistered = [("redirectUri", "https://evil.test/cb")];
        Browser::new().get(&url(path, &unregistered)).await.assert_page(400, "redirectUri");

        // A form of the product's page, without a frame: it comes without our cookie.
        let request = Request::builder().method(Method::POST).uri(format!("{}/screens/connect", app.origin));
        let request = request.header("sec-fetch-dest", "document").header("sec-fetch-site", "cross-site");
        let fields = [("token", front.token.as_str()), ("integrationKey", "sandbox"), ("redirectUri", CB)];
        let browser = Browser::new();
        let began = browser.form(request, &fields).await;
        assert_eq!(began.status, 303, "{}", began.text());
        let on = front.follow(&browser, &began).await;
        assert!(on.location().starts_with(&app.sandbox.origin), "{}", on.location());
    })
    .await;
}
