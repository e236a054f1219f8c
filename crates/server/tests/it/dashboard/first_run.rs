//! The one-time link that makes the first operator.

use std::time::Duration;

use claviger_engine::{domain::user::Role, setup::first};

use super::desk::{PASSWORD, operator};
use crate::support::{Answer, Browser, TestApp, on_each};

async fn link(app: &TestApp) -> String {
    let link = first::link(&app.broker).await.unwrap().expect("a link");
    format!("{}/dashboard/setup/{}", app.origin, link.expose())
}

const RIGHT: [(&str, &str); 3] = [("username", "root"), ("password", PASSWORD), ("again", PASSWORD)];

async fn send(browser: &Browser, url: &str, change: &[(&str, &str)]) -> Answer {
    let mut pairs = RIGHT.to_vec();
    pairs.retain(|(name, _)| !change.iter().any(|(other, _)| other == name));
    pairs.extend(change);
    browser.submit(url, &pairs).await
}

#[tokio::test]
async fn a_link_makes_one_operator_and_no_second() {
    on_each(async |app| {
        let (url, also) = (link(app).await, link(app).await);
        let browser = Browser::new();
        browser.get(&url).await.assert_page(200, "the owner of every workspace that there is");
        send(&browser, &url, &[("again", "another")]).await.assert_page(400, "again-error");
        send(&browser, &url, &[("password", "short"), ("again", "short")])
            .await
            .assert_page(400, "password-error");
        let wrong = send(&browser, &url, &[("username", "a b")]).await;
        wrong.assert_page(400, "username-error");
        assert!(!wrong.text().contains(PASSWORD), "a password is never given back");
        let foreign = browser.request(http::Method::POST, &url).header("sec-fetch-site", "cross-site");
        assert_eq!(browser.form(foreign, &RIGHT).await.status, 403);
        assert!(!app.read().await.any_has_operators().await.unwrap());

        let done = send(&browser, &url, &[]).await;
        assert_eq!((done.status.as_u16(), done.location()), (303, "/dashboard/"));
        let home = browser.get(&format!("{}/dashboard/", app.origin)).await;
        assert_eq!(home.location(), format!("/dashboard/w/{}/", app.acme.client_id));
        for gone in [&url, &also] {
            browser.get(gone).await.assert_page(404, "not good any more");
            send(&Browser::new(), gone, &[("username", "other")]).await.assert_page(404, "not good any more");
        }
        assert!(first::link(&app.broker).await.unwrap().is_none(), "there is one already");
        let all = app.read().await.any_operators(&crate::support::app::ALL).await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].roles, [(app.acme.workspace.clone(), Role::Owner)]);
    })
    .await;
}

#[tokio::test]
async fn two_who_use_links_at_once_make_one_operator() {
    on_each(async |app| {
        let (one, other) = (link(app).await, link(app).await);
        let (a, b) = (Browser::new(), Browser::new());
        let (first, second) =
            tokio::join!(send(&a, &one, &[("username", "one")]), send(&b, &other, &[("username", "other")]));
        let mut all = [first.status.as_u16(), second.status.as_u16()];
        all.sort_unstable();
        assert_eq!(all[0], 303, "one gets in: {all:?}");
        assert_ne!(all[1], 303, "and the other does not: {all:?}");
        assert_eq!(app.read().await.any_operators(&crate::support::app::ALL).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_link_is_good_for_a_day_and_while_there_is_nobody() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = link(app).await;
        app.pass(first::LINK_LIFE - Duration::from_secs(1));
        assert_eq!(browser.get(&url).await.status, 200);
        app.pass(Duration::from_secs(1));
        browser.get(&url).await.assert_page(404, "not good any more");
        assert_eq!(send(&browser, &url, &[]).await.status, 404);
        let url = link(app).await;
        operator(app, "root", &[]).await;
        browser.get(&url).await.assert_page(404, "not good any more");
        assert_eq!(send(&browser, &url, &[("username", "other")]).await.status, 404);
        let made_up = format!("{}/dashboard/setup/x", app.origin);
        browser.get(&made_up).await.assert_page(404, "not good any more");
    })
    .await;
}
