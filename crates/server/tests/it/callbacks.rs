//! What a callback may bring, how often it may come, and what it never gets away with.

use std::time::Duration;

use claviger_engine::domain::workspace::Completion;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Browser, CB, COMPLETIONS, Leg, names, on_each, raw, value};

#[tokio::test]
async fn a_callback_needs_one_state_of_ours() {
    on_each(async |app| {
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
        let path = leg.redirect_uri();
        let (state, long) = (leg.state(), "A".repeat(5000));
        let foreign = "B".repeat(43);
        for query in [
            String::new(),
            "code=c".to_owned(),
            "code=c&state=".to_owned(),
            "code=c&state".to_owned(),
            format!("code=c&state={foreign}"),
            format!("code=c&state={state}&state={state}"),
            format!("code=c&state={state}&state={foreign}"),
            format!("code=c&state={foreign}&state={state}"),
            format!("code=c&state={state}&st%61te={foreign}"),
            format!("code=c&state={}", &state[..42]),
            format!("code=c&state={state}A"),
            format!("code=c&state={}", state.to_lowercase()),
            format!("code=c&state=%20{state}"),
            format!("code=c&state={state}%00"),
            "code=c&state=%00".to_owned(),
            "code=c&state=%ff".to_owned(),
            format!("code=c&state={long}"),
            format!("code=c&State={state}"),
            format!("code=c&state[]={state}"),
            format!("code=c;state={state}"),
            format!("code=c#state={state}").replace('#', "%23"),
            format!("error=access_denied&state={foreign}"),
            "error=access_denied".to_owned(),
        ] {
            browser.get(&format!("{path}?{query}")).await.assert_refused(&query);
        }
        browser.get(path).await.assert_refused("no query");
        assert_eq!(app.sandbox.exchanges().await, 0);
        let back = browser.consent(&leg, "alice", "allow").await;
        assert_eq!(browser.get(&back).await.status, 302, "none of them took the flow");
    })
    .await;
}

#[tokio::test]
async fn a_callback_needs_one_code_or_one_error() {
    on_each(async |app| {
        for pairs in [
            vec![],
            vec![("code", "")],
            vec![("code", "a"), ("code", "a")],
            vec![("code", "a"), ("code", "b")],
            vec![("error", "access_denied"), ("error", "access_denied")],
            vec![("code", "a"), ("error", "access_denied")],
            vec![("code", "a\0b")],
        ] {
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let answer = browser.get(&leg.back(&pairs)).await;
            if answer.status == 302 {
                let (target, said) = answer.redirect();
                assert_eq!(
                    (target.as_str(), names(&said)),
                    (CB, vec!["error", "error_description"]),
                    "{pairs:?}"
                );
            } else {
                answer.assert_refused(&format!("{pairs:?}"));
            }
            let back = browser.consent(&leg, "alice", "allow").await;
            browser.get(&back).await.assert_refused("the flow is over");
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_flow_not_yet_confirmed_has_no_callback() {
    on_each(async |app| {
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let began = browser.get(&app.authorize_url(&app.acme, &[("external_id", "u")])).await;
        let flow = began.location().strip_prefix("/connect/").unwrap();
        let path = format!("{}/oauth2/callback/{}", app.origin, app.acme.integration);
        for state in [flow, "null", "None"] {
            browser.get(&format!("{path}?code=c&state={state}")).await.assert_refused(state);
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn callbacks_at_once_make_one_token_request_and_one_outcome() {
    on_each(async |app| {
        for (n, completion) in COMPLETIONS.into_iter().enumerate() {
            app.complete(&app.acme, completion).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u"), ("state", "s")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            let answers = join_all((0..5).map(|_| browser.get(&back))).await;
            let first = answers[0].location();
            for answer in &answers {
                assert_eq!((answer.status.as_u16(), answer.location()), (302, first));
            }
            assert_eq!(app.sandbox.exchanges().await, (n as u64 + 1).min(2), "{completion:?}");
            assert_eq!(app.connections(&app.acme).await.len(), (n + 1).min(2), "{completion:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_callback_gets_the_same_outcome_for_a_minute() {
    on_each(async |app| {
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let before = app.sandbox.exchanges().await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            let first = browser.get(&back).await;
            let redeemed = app.sandbox.exchanges().await - before;
            assert_eq!(redeemed, u64::from(completion != Completion::Server));

            assert_eq!(browser.get(&back).await.location(), first.location(), "at once");
            app.pass(Duration::from_secs(60));
            assert_eq!(browser.get(&back).await.location(), first.location(), "after a minute");

            Browser::new().get(&back).await.assert_refused("without the cookie");
            let other = Browser::new();
            other.get(&app.authorize_url(&app.acme, &[("external_id", "u")])).await;
            other.get(&back).await.assert_refused("another browser");
            let another = leg.back(&[("code", "other"), ("iss", &app.sandbox.origin)]);
            browser.get(&another).await.assert_refused("another code");
            let denied = leg.back(&[("error", "access_denied")]);
            browser.get(&denied).await.assert_refused("an error instead of the code");
            let shared =
                back.replace(&format!("/oauth2/callback/{}", app.acme.integration), "/oauth2/callback");
            browser.get(&shared).await.assert_refused("another path");

            app.pass(Duration::from_millis(1));
            browser.get(&back).await.assert_refused("after more than a minute");
            assert_eq!(app.sandbox.exchanges().await, before + redeemed, "no second token request");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_refusal_stays_a_refusal() {
    on_each(async |app| {
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("external_id", "u"), ("state", "s")]).await;
        let back = browser.consent(&leg, "alice", "deny").await;
        let first = browser.get(&back).await;
        assert_eq!(value(&first.redirect().1, "error"), "access_denied");
        assert_eq!(browser.get(&back).await.location(), first.location());
        let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
        app.sandbox.faults(json!({ "token_status": 500, "token_times": 1 })).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let first = browser.get(&back).await;
        assert_eq!(value(&first.redirect().1, "error"), "server_error");
        assert_eq!(
            browser.get(&back).await.location(),
            first.location(),
            "the fault is over, the flow is too"
        );
        assert_eq!(app.sandbox.exchanges().await, 1);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn the_public_url_and_not_the_host_header_makes_the_redirect_uri() {
    on_each(async |app| {
        let path = app
            .authorize_url(&app.acme, &[("external_id", "u")])
            .strip_prefix(&app.origin)
            .unwrap()
            .to_owned();
        for headers in [
            "Host: evil.test",
            "Host: evil.test:443\r\nX-Forwarded-Host: evil.test",
            "Host: a.test\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1",
            "Host: a.test\r\nForwarded: host=evil.test;proto=https",
            "Host: a.test\r\nX-Original-URL: /x\r\nX-Rewrite-URL: /y\r\nX-Forwarded-Prefix: //evil.test",
            "Host: a.test\r\nOrigin: https://evil.test\r\nReferer: https://evil.test/",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
            let answer = raw(&app.origin, request.as_bytes()).await;
            let leg = Leg::of(answer.location());
            let want = format!("{}/oauth2/callback/{}", app.origin, app.acme.integration);
            assert_eq!(leg.redirect_uri(), want, "{headers}");
        }
        let request =
            format!("GET http://evil.test{path} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
        let leg = Leg::of(raw(&app.origin, request.as_bytes()).await.location());
        assert!(leg.redirect_uri().starts_with(&format!("{}/oauth2/callback/", app.origin)), "absolute form");
    })
    .await;
}
