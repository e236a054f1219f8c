//! What is typed in ends in the frame itself.

use claviger_engine::{
    domain::{integration::Config, workspace::Completion},
    setup::NewIntegration,
};

use super::{Frame, framed_by, front, options};
use crate::{
    membrane::front::{KEY, WRONG_KEY, keyed, provider},
    support::{app::new_integration, on_each_with},
};

#[tokio::test]
async fn a_key_is_taken_without_a_cookie_and_a_wrong_one_is_told_at_its_field() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "asking", &upstream).await;
        let frame = Frame::connect(&front, "it", &[("name", "Mine")]).await;
        assert_eq!(frame.state().await["state"], "open");
        let fields = |key| [("decision", "continue"), ("sub_domain", "here"), ("credential-api_key", key)];
        let wrong = frame.submit(&fields(WRONG_KEY)).await;
        wrong.page.assert_page(422, "value=\"here\"");
        assert_eq!(wrong.shows().0, "form");
        assert!(!wrong.page.text().contains(WRONG_KEY), "no secret comes back into a page");
        assert_eq!(front.connections().await.len(), 0);

        let made = wrong.submit(&fields(KEY)).await;
        made.page.assert_page(200, "is connected");
        let (shows, told) = made.shows();
        let told = told.unwrap();
        assert_eq!((shows.as_str(), told["name"].as_str()), ("connected", Some("Mine")));
        assert!(!made.page.text().contains("canary"), "{}", made.page.text());
        let mine = &front.connections().await[0];
        assert_eq!(told["id"], mine.id.as_str());
        assert_eq!(frame.state().await["state"], "connected");

        // The same form again, and the page looked at again: the same end, and no second connection.
        for fields in [&fields(KEY)[..], &[("decision", "check")], &[("decision", "cancel")]] {
            let again = frame.submit(fields).await;
            assert_eq!(again.shows(), ("connected".to_owned(), Some(told.clone())), "{fields:?}");
        }
        assert_eq!(front.connections().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_says_no_ends_it() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let frame = Frame::connect(&front, "it", &[]).await;
        let closed = frame.submit(&[("decision", "cancel")]).await;
        closed.page.assert_page(200, "Nothing was connected");
        assert_eq!(closed.shows(), ("closed".to_owned(), None));
        let state = frame.state().await;
        assert_eq!(
            (&state["state"], &state["errorData"]["data"]["error"]),
            (&"failed".into(), &"access_denied".into())
        );
        let late = frame.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await;
        assert_eq!(late.shows().0, "failed");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_workspace_that_wants_a_click_gets_it_in_a_window() {
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let before = Frame::connect(&front, "it", &[]).await;
        assert_eq!(before.shows().0, "form");
        for completion in [Completion::Confirm, Completion::Server] {
            app.complete(&app.acme, completion).await;
            // A page that was open before, too.
            let late = before.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await;
            assert_eq!(late.shows().0, "window");
            let frame = Frame::connect(&front, "it", &[]).await;
            assert_eq!(frame.shows().0, "window");
            let typed = frame.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await;
            assert_eq!(typed.shows().0, "window", "not in a frame");
            let browser = crate::support::Browser::new();
            let to = frame.window(&browser).await;
            assert!(to.location().starts_with("/connect/"), "{}", to.location());
            let page = front.follow(&browser, &to).await;
            page.assert_page(200, "user-1");
            assert_eq!(framed_by(&page), "'none'", "nobody steals that click");
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_away_is_an_alert_over_the_form() {
    on_each_with(options, async |app| {
        let front = front(app, "user-1").await;
        let config = Config { base_url: Some("http://127.0.0.1:1".to_owned()), ..Config::default() };
        let wish = new_integration("it", "asking", config);
        app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish }).await;
        let frame = Frame::connect(&front, "it", &[]).await;
        assert!(frame.page.text().contains("<body class=\"framed\">"), "{}", frame.page.text());
        let away = frame
            .submit(&[("decision", "continue"), ("sub_domain", "here"), ("credential-api_key", KEY)])
            .await;
        away.page.assert_page(503, "could not be reached");
        assert_eq!(away.shows().0, "form");
        let text = away.page.text();
        assert!(text.contains("value=\"here\"") && !text.contains(KEY), "{text}");
        assert!(
            text.contains("id=\"problems\"") && !text.contains("autofocus"),
            "the script gives it the keyboard"
        );
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
