//! How an authorization completes: `redirect`, `confirm` with its page, `server` with its deferred exchange.

use std::time::Duration;

use claviger_engine::{domain::workspace::Completion, vault::hash};
use http::Method;
use serde_json::json;

use crate::support::{Browser, CB, Leg, TestApp, names, on_each, value};

/// Opens the confirm page of a new flow; gives its URL.
async fn open(app: &TestApp, browser: &Browser, extra: &[(&str, &str)]) -> String {
    app.complete(&app.acme, Completion::Confirm).await;
    let began = browser.get(&app.authorize_url(&app.acme, extra)).await;
    assert_eq!(began.status, 302, "{}", began.text());
    let path = began.location();
    assert!(path.starts_with("/connect/flow_"), "the provider is not asked before the click: {path}");
    format!("{}{path}", app.origin)
}

#[tokio::test]
async fn the_confirm_page_names_product_integration_and_owner() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[("external_id", "mallory@example.com"), ("state", "s")]).await;
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200);
        for words in ["Acme", "Sandbox", "mallory@example.com", "Go on only if you began this yourself"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        assert!(page.text().contains(r#"name="decision" value="continue""#));
        assert!(page.text().contains(r#"name="decision" value="cancel""#));
        assert_eq!(browser.get(&url).await.status, 200, "looking at it changes nothing");
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);

        let answer = browser.submit(&url, &[("decision", "continue")]).await;
        assert_eq!(answer.status, 303);
        let back = browser.consent(&Leg::of(answer.location()), "alice", "allow").await;
        let (target, pairs) = browser.get(&back).await.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["connection_id", "integration_id", "external_id", "code", "state"]);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_confirm_page_without_an_owner_names_none() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("Acme") && !page.text().contains("id=\"owner\""), "{}", page.text());
    })
    .await;
}

#[tokio::test]
async fn a_cancel_ends_the_flow_and_tells_the_product() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[("state", "s%2F"), ("external_id", "u")]).await;
        let answer = browser.submit(&url, &[("decision", "cancel")]).await;
        assert_eq!(answer.status, 303);
        let (target, pairs) = answer.redirect();
        assert_eq!(target, CB);
        assert_eq!(names(&pairs), ["error", "error_description", "state"]);
        assert_eq!(value(&pairs, "error"), "access_denied");
        assert_eq!(value(&pairs, "state"), "s%2F");
        browser.get(&url).await.assert_page(400, "used already");
        browser.submit(&url, &[("decision", "continue")]).await.assert_page(400, "used already");
        browser.submit(&url, &[("decision", "cancel")]).await.assert_page(400, "used already");
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn the_click_must_come_from_our_own_page() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let origin = app.origin.as_str();
        let evil = "https://evil.test";
        for decision in ["continue", "cancel"] {
            for (site, from) in [
                (Some("cross-site"), Some(origin)),
                (Some("cross-site"), Some(evil)),
                (Some("same-site"), Some(origin)),
                (Some("none"), None),
                (Some(""), Some(origin)),
                (None, Some("null")),
                (None, Some(evil)),
                (None, Some("http://127.0.0.1")),
                (None, None),
            ] {
                let mut request = browser.request(Method::POST, &url);
                if let Some(site) = site {
                    request = request.header("sec-fetch-site", site);
                }
                if let Some(from) = from {
                    request = request.header("origin", from);
                }
                let answer = browser.form(request, &[("decision", decision)]).await;
                answer.assert_page(403, "not sent from our page");
            }
        }
        let request = browser.request(Method::POST, &url).header("origin", origin);
        let answer = browser.form(request, &[("decision", "continue")]).await;
        assert_eq!(answer.status, 303, "the refused ones took nothing: {}", answer.text());

        let url = open(app, &browser, &[]).await;
        let request = browser.request(Method::POST, &url);
        let request = request.header("sec-fetch-site", "same-origin").header("origin", "null");
        assert_eq!(browser.form(request, &[("decision", "continue")]).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_confirm_link_is_one_browsers_and_works_once() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        for other in [Browser::new(), {
            let b = Browser::new();
            b.get(&app.authorize_url(&app.acme, &[])).await;
            b
        }] {
            other.get(&url).await.assert_page(400, "belongs to another browser");
            other
                .submit(&url, &[("decision", "continue")])
                .await
                .assert_page(400, "belongs to another browser");
            other
                .submit(&url, &[("decision", "cancel")])
                .await
                .assert_page(400, "belongs to another browser");
        }
        assert_eq!(browser.submit(&url, &[("decision", "continue")]).await.status, 303);
        browser.submit(&url, &[("decision", "continue")]).await.assert_page(400, "used already");
        browser.get(&url).await.assert_page(400, "used already");
    })
    .await;
}

#[tokio::test]
async fn two_clicks_at_once_leave_for_the_provider_once() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let pairs = [("decision", "continue")];
        let (one, two) = tokio::join!(browser.submit(&url, &pairs), browser.submit(&url, &pairs));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 400]);
    })
    .await;
}

#[tokio::test]
async fn a_confirm_link_is_good_for_an_hour() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        app.pass(Duration::from_millis(3_599_999));
        assert_eq!(browser.get(&url).await.status, 200);
        app.pass(Duration::from_millis(1));
        browser.get(&url).await.assert_page(400, "has expired");
        browser.submit(&url, &[("decision", "continue")]).await.assert_page(400, "has expired");
    })
    .await;
}

#[tokio::test]
async fn a_confirm_link_ends_when_the_integration_changes() {
    on_each(async |app| {
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        app.reconfigure(&app.acme, &app.acme.integration, |config| {
            config.token_url = Some("https://elsewhere.test/token".to_owned());
        })
        .await;
        browser.get(&url).await.assert_page(409, "integration was changed");
        browser.submit(&url, &[("decision", "continue")]).await.assert_page(409, "integration was changed");
    })
    .await;
}

/// Goes through a flow with completion `server` for `u`; gives the state and the code of the redirect.
async fn deferred(app: &TestApp) -> (String, String) {
    app.complete(&app.acme, Completion::Server).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("external_id", "u"), ("state", "s")]).await;
    let back = browser.consent(&leg, "alice", "allow").await;
    let (target, pairs) = browser.get(&back).await.redirect();
    assert_eq!(target, CB);
    assert_eq!(names(&pairs), ["code", "state"], "only code and state");
    assert_eq!(value(&pairs, "state"), "s");
    (leg.state().to_owned(), value(&pairs, "code").to_owned())
}

#[tokio::test]
async fn with_server_completion_the_provider_is_asked_at_the_exchange() {
    on_each(async |app| {
        let (state, code) = deferred(app).await;
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
        let stored = app.read().await.any_flow_by_state(&hash::token(&state)).await.unwrap().expect("a flow");
        assert!(stored.provider_code.is_some() && stored.verifier.is_some(), "kept, sealed");

        let body = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
        let answer = app.exchange(&app.acme.key, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(app.sandbox.exchanges().await, 1);
        let answer = answer.json();
        let id = answer["connection_id"].as_str().unwrap();
        assert_eq!(app.connection(&app.acme, id).await.owner.key.as_deref(), Some("u"));
        assert_eq!(app.events(&app.acme).await.len(), 1);
        assert_eq!(app.call(&app.acme.key, id, "/me").await.status, 200);
        let stored = app.read().await.any_flow_by_state(&hash::token(&state)).await.unwrap().expect("a flow");
        assert!(stored.provider_code.is_none() && stored.verifier.is_none(), "erased");

        app.exchange(&app.acme.key, &body).await.assert_field("code");
        assert_eq!(app.sandbox.exchanges().await, 1);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn with_server_completion_a_wrong_owner_destroys_the_code() {
    on_each(async |app| {
        let wrong = [json!("mallory"), json!(""), json!("U"), json!("u "), json!(null)];
        for external_id in wrong.into_iter().map(Some).chain([None]) {
            let (state, code) = deferred(app).await;
            let mut body = json!({ "code": code, "redirect_uri": CB });
            if let Some(external_id) = &external_id {
                body["external_id"] = external_id.clone();
            }
            app.exchange(&app.acme.key, &body).await.assert_field("external_id");
            let right = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
            app.exchange(&app.acme.key, &right).await.assert_field("code");
            let stored =
                app.read().await.any_flow_by_state(&hash::token(&state)).await.unwrap().expect("a flow");
            assert!(stored.provider_code.is_none(), "the provider's code is gone, not only spent");
        }
        assert_eq!(app.sandbox.exchanges().await, 0, "not one of them was redeemed");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn with_server_completion_an_owner_must_be_named() {
    on_each(async |app| {
        app.complete(&app.acme, Completion::Server).await;
        let without = app.authorize_url(&app.acme, &[("external_id", ""), ("state", "s")]);
        for url in [without.clone(), format!("{without}&external_id=")] {
            let began = Browser::new().get(&url).await;
            assert_eq!(began.status, 302, "{}", began.text());
            let (target, pairs) = began.redirect();
            assert_eq!((target.as_str(), names(&pairs)), (CB, vec!["error", "error_description", "state"]));
            assert_eq!(value(&pairs, "error"), "invalid_request");
        }
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn with_server_completion_a_code_lives_five_minutes() {
    on_each(async |app| {
        let (_, code) = deferred(app).await;
        app.pass(Duration::from_secs(300));
        let body = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
        app.exchange(&app.acme.key, &body).await.assert_field("code");
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn with_server_completion_a_refusing_provider_leaves_nothing() {
    on_each(async |app| {
        for (fault, status, code) in [
            (
                json!({ "token_status": 400, "token_body": "{\"error\":\"invalid_grant\"}" }),
                502,
                "upstream_refused",
            ),
            (json!({ "token_status": 503, "token_body": null }), 502, "upstream_unreachable"),
            (
                json!({ "token_status": null, "token_body": "{\"error\":\"invalid_client\"}" }),
                502,
                "upstream_refused",
            ),
        ] {
            let (_, ours) = deferred(app).await;
            app.sandbox.faults(fault).await;
            let body = json!({ "code": ours, "redirect_uri": CB, "external_id": "u" });
            let answer = app.exchange(&app.acme.key, &body).await;
            answer.assert_problem(status, code);
            assert!(!answer.text().contains("sbx_"), "no secret is told: {}", answer.text());
            app.exchange(&app.acme.key, &body).await.assert_field("code");
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn two_exchanges_at_once_redeem_once() {
    on_each(async |app| {
        let (_, code) = deferred(app).await;
        let body = json!({ "code": code, "redirect_uri": CB, "external_id": "u" });
        let key = &app.acme.key;
        let all = tokio::join!(app.exchange(key, &body), app.exchange(key, &body), app.exchange(key, &body));
        let mut statuses = [all.0.status.as_u16(), all.1.status.as_u16(), all.2.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400]);
        assert_eq!(app.sandbox.exchanges().await, 1);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_flow_completes_as_it_was_begun() {
    on_each(async |app| {
        app.complete(&app.acme, Completion::Server).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
        app.complete(&app.acme, Completion::Redirect).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        let (_, pairs) = browser.get(&back).await.redirect();
        assert_eq!(names(&pairs), ["code"], "a weaker setting does not loosen a flow under way");
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}
