//! Several ways to authenticate: the page asks which, and goes on with that one.

use claviger_engine::{
    domain::integration::Config,
    secret::Secret,
    setup::{self, NewAuthOption, NewIntegration},
};

use super::{Frame, SHOP, framed_by, front, options};
use crate::{
    membrane::front::{KEY, provider},
    support::{
        Browser, TestApp, Upstream,
        app::{at, new_integration},
        on_each_with, sandbox,
    },
};

/// An integration whose own way is a key, and whose option `oauth` is the sandbox.
async fn several(app: &TestApp, upstream: &Upstream) {
    let config = Config { base_url: Some(format!("{}/api", upstream.origin)), ..Config::default() };
    let own =
        NewIntegration { client_id: None, client_secret: None, ..new_integration("many", "keyed", config) };
    let option = NewAuthOption {
        key: "oauth".into(),
        title: Some("Sign in".into()),
        description: Some("With <b>your</b> account".into()),
        provider: Some("sandbox".into()),
        client_id: Some(sandbox::CLIENT.into()),
        client_secret: Some(Secret::new(sandbox::SECRET)),
        scopes: vec!["read".into()],
        callback: None,
        config: Config { connector_parameters: vec!["scopes".into()], ..at(&app.sandbox.origin) },
        nth: 0,
    };
    app.change(async |to| {
        let made = setup::integration(to, &app.acme.workspace, own).await?;
        setup::auth_option(to, &made, option).await
    })
    .await;
}

#[tokio::test]
async fn the_page_asks_which_way_and_goes_on_with_it() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        several(app, &upstream).await;
        let asks = Frame::connect(&front, "many", &[("name", "Mine")]).await;
        asks.page.assert_page(200, "name=\"way\" value=\"oauth\"");
        assert_eq!(asks.shows(), ("ways".to_owned(), None));
        assert_eq!(framed_by(&asks.page), SHOP);
        assert!(asks.page.text().contains("&lt;b&gt;your"), "{}", asks.page.text());
        let browser = Browser::new();
        asks.window(&browser).await.assert_page(400, "begin again");
        for fields in
            [&[("decision", "continue")][..], &[("decision", "check")], &[("credential-api_key", KEY)]]
        {
            assert_eq!(asks.submit(fields).await.shows().0, "ways", "{fields:?}");
        }
        let none = asks.submit(&[("way", "nosuch")]).await;
        none.page.assert_page(404, "no such auth option");

        let own = asks.submit(&[("way", "")]).await;
        own.page.assert_page(200, "credential-api_key");
        let made = own.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await.shows();
        assert_eq!((made.0.as_str(), made.1.unwrap()["name"].as_str()), ("connected", Some("Mine")));

        let said =
            [("connectorParameters", r#"{"scopes":["read","write"]}"#), ("allowMultipleConnections", "1")];
        let asks = Frame::connect(&front, "many", &said).await;
        let oauth = asks.submit(&[("way", "oauth")]).await;
        assert_eq!(oauth.shows().0, "window");
        let began = oauth.window(&browser).await;
        let leg = crate::support::Leg::of(began.location());
        assert_eq!(crate::support::value(&leg.params, "scope"), "read write", "what the page said holds");
        let back = browser.consent(&leg, "alice", "allow").await;
        browser.get(&back).await;
        assert_eq!(oauth.state().await["state"], "connected");
        let mine = front.connections().await;
        assert_eq!((mine.len(), mine[0].auth_option.as_deref()), (2, Some("oauth")));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_asked_where_the_way_is_said() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        several(app, &upstream).await;
        let oauth = Frame::connect(&front, "many", &[("authOptionKey", "oauth")]).await;
        assert_eq!(oauth.shows().0, "window");
        let own = Frame::connect(&front, "many", &[("authOptionKey", "")]).await;
        assert_eq!(own.shows().0, "form");
        let none = Frame::connect(&front, "many", &[("authOptionKey", "nosuch")]).await;
        none.page.assert_page(404, "no such auth option");
        // Whoever brings the values has said it, and a connection is renewed as it was made.
        let values = [("connectionParameters", &*format!(r#"{{"api_key":"{KEY}"}}"#))];
        let made = Frame::connect(&front, "many", &values).await;
        assert_eq!(made.shows().0, "connected");
        assert!(made.page.headers.get("set-cookie").is_none());
        let id = made.shows().1.unwrap()["id"].as_str().unwrap().to_owned();
        let again = Frame::open(&front, &format!("/embed/connections/{id}/refresh"), &[]).await;
        assert_eq!(again.shows().0, "form");
    })
    .await;
}
