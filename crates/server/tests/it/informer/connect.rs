//! A user connects an account in a browser: from the link to the page that says how it ended, and what may not happen
//! in between.

mod between;
mod returns;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use claviger_engine::{
    domain::{
        audit::Actor,
        connection::OwnerKind,
        integration::{Config, Mode},
        session::Session,
        share::{Level, Principal},
        user::User,
        workspace::Completion,
    },
    id::{FlowId, IntegrationId},
    limit::Rate,
    secret::token,
    setup::{self, NewIntegration, UserEdit},
    vault::hash,
};
use http::{Method, Request};

use super::{Someone, assert_problem, someone};
use crate::support::{
    Answer, Browser, COMPLETIONS, Leg, Options, Stub, TestApp, Upstream,
    app::{at, new_integration},
    names, on_each, on_each_with, value,
};

const HOST: &str = "127.0.0.1";
const RETURN: &str = "https://bi.test/back?tab=7";

/// Signs a user in with this browser, as if it had come from the sign-in; gives the cookie's hash.
async fn sign_in(app: &TestApp, browser: &Browser, user: &User) -> String {
    sign_in_at(app, browser, user, HOST).await
}

async fn sign_in_at(app: &TestApp, browser: &Browser, user: &User, host: &str) -> String {
    let (sid, now) = (token().unwrap(), app.broker.clock.now());
    let session = Session {
        hash: hash::token(sid.expose()),
        workspace_id: user.workspace_id.clone(),
        user_id: user.id.clone(),
        seen_at: now,
        ends_at: now.plus(Duration::from_secs(24 * 3600)),
        created_at: now,
    };
    app.change(async |to| to.conn.create_session(&user.workspace_id, &session).await).await;
    let mut jar = browser.cookies(host);
    jar.insert("sid".to_owned(), sid.expose().to_owned());
    browser.set_cookies(host, jar);
    session.hash
}

async fn share(app: &TestApp, integration: &IntegrationId, with: &User) {
    let principal = Principal::User(with.id.clone());
    app.change(async |to| to.conn.set_share(&app.acme.workspace, integration, &principal, Level::Use).await)
        .await;
}

/// A user with whom the sandbox integration is shared, and its browser, signed in.
async fn alice(app: &TestApp) -> (Someone, Browser) {
    enter(app, "alice").await
}

async fn enter(app: &TestApp, name: &str) -> (Someone, Browser) {
    let user = someone(app, &app.acme, name, &[]).await;
    share(app, &app.acme.integration, &user.user).await;
    let browser = Browser::new();
    sign_in(app, &browser, &user.user).await;
    (user, browser)
}

fn url(app: &TestApp, integration: &str) -> String {
    format!("{}/api/integrations/{integration}/connect", app.origin)
}

/// Sets out, and stands before the provider.
async fn set_out(app: &TestApp, browser: &Browser, integration: &str) -> Leg {
    let began = browser.get(&url(app, integration)).await;
    assert_eq!(began.status, 302, "{}", began.text());
    Leg::of(began.location())
}

/// Goes through the sandbox's consent; gives the callback's URL, not yet visited.
async fn consented(app: &TestApp, browser: &Browser) -> String {
    let leg = set_out(app, browser, "sandbox").await;
    browser.consent(&leg, "alice", "allow").await
}

/// The page at the end, whose redirect this must be.
async fn land(app: &TestApp, browser: &Browser, done: &Answer) -> Answer {
    assert_eq!(done.status, 302, "{}", done.text());
    let to = done.location();
    assert!(to.starts_with("/connect/flow_") && to.ends_with("/done"), "nothing but the flow: {to}");
    browser.get(&format!("{}{to}", app.origin)).await
}

#[tokio::test]
async fn a_user_connects_an_account_and_reads_so_on_our_page() {
    on_each(async |app| {
        let (user, browser) = alice(app).await;
        for integration in ["sandbox", app.acme.integration.as_str()] {
            let began = browser.get(&url(app, integration)).await;
            assert_eq!(began.status, 302, "{}", began.text());
            assert_eq!(began.header("cache-control"), Some("no-store"));
            assert!(began.header("set-cookie").is_some_and(|line| line.starts_with("claviger-browser=")));
            let leg = Leg::of(began.location());
            assert!(leg.url.starts_with(&format!("{}/authorize?", app.sandbox.origin)), "{}", leg.url);
            assert_eq!(leg.state().len(), 43, "a state of ours");
            let back = browser.consent(&leg, "alice", "allow").await;
            let done = browser.get(&back).await;
            assert_eq!(done.header("referrer-policy"), Some("no-referrer"));
            let page = land(app, &browser, &done).await;
            assert_eq!(page.status, 200);
            for words in ["Sandbox is connected", "You can close this window."] {
                assert!(page.text().contains(words), "{words}: {}", page.text());
            }
            assert_eq!(page.header("cache-control"), Some("no-store"));
            assert_eq!(browser.get(&back).await.location(), done.location(), "a repeated callback");
        }
        assert_eq!(app.sandbox.exchanges().await, 2);
        let connections = app.connections(&app.acme).await;
        let [connection] = connections.as_slice() else { panic!("one connection, authorized anew") };
        assert_eq!(
            (connection.owner.kind, connection.owner.key.as_deref()),
            (OwnerKind::User, Some(user.user.username.as_str()))
        );
    })
    .await;
}

#[tokio::test]
async fn the_page_at_the_end_is_one_browsers_and_not_for_long() {
    on_each(async |app| {
        let (_, browser) = alice(app).await;
        let back = consented(app, &browser).await;
        let to = format!("{}{}", app.origin, browser.get(&back).await.location());
        let flow = FlowId::parse(to.split('/').rev().nth(1).unwrap()).unwrap();
        let kept = app.read().await.any_flow(&flow).await.unwrap().expect("a flow");
        assert_eq!((kept.code_hash, kept.provider_code.is_none()), (None, true), "no code for a product");
        assert!(kept.outcome.is_some_and(|sealed| !sealed.as_str().contains("Sandbox")), "sealed");
        assert_eq!(browser.get(&to).await.status, 200);
        assert_eq!(browser.get(&to).await.status, 200, "again");
        let (_, other) = enter(app, "bob").await;
        consented(app, &other).await;
        for stranger in [&Browser::new(), &other] {
            stranger.get(&to).await.assert_page(404, "nothing to show here any more");
        }
        for unknown in [FlowId::new().to_string(), "x".to_owned()] {
            let page = browser.get(&format!("{}/connect/{unknown}/done", app.origin)).await;
            assert_eq!(page.status, 404, "{}", page.text());
        }
        // Begun, but not ended.
        let request =
            browser.request(Method::GET, &url(app, "sandbox")).header("sec-fetch-site", "cross-site");
        let open = browser.send(request, Bytes::new()).await.location().to_owned();
        browser.get(&format!("{}{open}/done", app.origin)).await.assert_page(404, "nothing to show here");
        app.pass(Duration::from_millis(600_001));
        browser.get(&to).await.assert_page(404, "nothing to show here any more");
    })
    .await;
}

#[tokio::test]
async fn what_went_wrong_is_said_in_our_words_and_in_theirs() {
    on_each(async |app| {
        let (_, browser) = alice(app).await;
        let leg = set_out(app, &browser, "sandbox").await;
        let said = "the <b>admin</b> says no & <script>alert(1)</script>";
        let done = browser.get(&leg.back(&[("error", "access_denied"), ("error_description", said)])).await;
        let page = land(app, &browser, &done).await;
        page.assert_page(400, "Sandbox is not connected");
        assert!(page.text().contains("You did not allow it."), "{}", page.text());
        assert!(page.text().contains("&lt;b&gt;admin"), "their words, as text: {}", page.text());
        assert!(!page.text().contains("<script") && !page.text().contains("<b>"), "{}", page.text());

        app.sandbox
            .faults(serde_json::json!({ "token_status": 400, "token_body": "{\"error\":\"invalid_grant\"}" }))
            .await;
        let back = consented(app, &browser).await;
        let page = land(app, &browser, &browser.get(&back).await).await;
        page.assert_page(400, "The service did not complete the authorization; try again.");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn what_does_not_begin_is_said_to_the_caller() {
    on_each(async |app| {
        let (user, browser) = alice(app).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let stranger = Browser::new();
        sign_in(app, &stranger, &bob.user).await;
        assert_problem(&Browser::new().get(&url(app, "sandbox")).await, 401, "");
        for unknown in ["nosuch", "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f", "%00", "%ff"] {
            assert_problem(&browser.get(&url(app, unknown)).await, 404, "integration");
        }
        assert_problem(&stranger.get(&url(app, "sandbox")).await, 404, "integration");
        let reads = super::token(app, &app.acme, &user.user.id, true).await;
        assert_problem(&with_token(app, &reads, "sandbox").await, 403, "only reads");

        let mut integration = app.integration(&app.acme, &app.acme.integration).await;
        integration.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &integration).await).await;
        let refused = browser.get(&url(app, "sandbox")).await;
        assert_problem(&refused, 409, "switched off");
        assert!(refused.header("set-cookie").is_none());
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

async fn with_token(app: &TestApp, token: &str, integration: &str) -> Answer {
    let request = Request::builder().method(Method::GET).uri(url(app, integration));
    Browser::new().send(request.header("authorization", format!("Bearer {token}")), Bytes::new()).await
}

#[tokio::test]
async fn a_program_begins_for_its_user_and_no_session_is_asked_for() {
    on_each(async |app| {
        let user = someone(app, &app.acme, "alice", &[]).await;
        share(app, &app.acme.integration, &user.user).await;
        let browser = Browser::new();
        let request = browser.request(Method::GET, &url(app, "sandbox"));
        let request = request.header("authorization", format!("Bearer {}", user.token));
        let began = browser.send(request, Bytes::new()).await;
        let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
        let page = land(app, &browser, &browser.get(&back).await).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert_eq!(app.connections(&app.acme).await[0].owner.key.as_deref(), Some("alice"));

        // But the user must still be there, and may still connect.
        let request = browser.request(Method::GET, &url(app, "sandbox"));
        let request = request.header("authorization", format!("Bearer {}", user.token));
        let began = browser.send(request, Bytes::new()).await;
        let back = browser.consent(&Leg::of(began.location()), "alice", "allow").await;
        disable(app, &user.user).await;
        land(app, &browser, &browser.get(&back).await).await.assert_page(400, "is not connected");
        assert_eq!(app.sandbox.exchanges().await, 1);
    })
    .await;
}

async fn disable(app: &TestApp, user: &User) {
    app.change(async |to| {
        let edit = UserEdit { disabled: Some(true), ..UserEdit::default() };
        setup::update_user(to, user, edit).await
    })
    .await;
}

#[tokio::test]
async fn flows_begun_here_are_counted_with_all_others() {
    let two =
        || Options { flows: Rate::Per { count: 2, window: Duration::from_secs(60) }, ..Options::default() };
    on_each_with(two, async |app| {
        let (_, browser) = alice(app).await;
        set_out(app, &browser, "sandbox").await;
        set_out(app, &browser, "sandbox").await;
        let refused = browser.get(&url(app, "sandbox")).await;
        assert_problem(&refused, 429, "");
        assert_eq!(refused.header("retry-after"), Some("60"));
    })
    .await;
}

#[tokio::test]
async fn the_workspaces_completion_is_no_matter_here() {
    on_each(async |app| {
        let (_, browser) = alice(app).await;
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let back = consented(app, &browser).await;
            let page = land(app, &browser, &browser.get(&back).await).await;
            assert_eq!(page.status, 200, "{completion:?}: {}", page.text());
        }
    })
    .await;
}

#[tokio::test]
async fn led_here_by_another_site_the_user_is_asked_first() {
    on_each(async |app| {
        let (_, browser) = alice(app).await;
        let led = async |site: &str| {
            let request = browser.request(Method::GET, &url(app, "sandbox")).header("sec-fetch-site", site);
            browser.send(request, Bytes::new()).await
        };
        for site in ["same-origin", "none"] {
            assert!(led(site).await.location().starts_with(&app.sandbox.origin), "{site}");
        }
        for site in ["cross-site", "same-site", ""] {
            let began = led(site).await;
            let page_url = format!("{}{}", app.origin, began.location());
            assert!(began.location().starts_with("/connect/flow_"), "{site}: {}", began.location());
            let page = browser.get(&page_url).await;
            assert_eq!(page.status, 200, "{}", page.text());
            for words in ["Another site sent you here", "id=\"owner\">alice<", "Acme", "Sandbox"] {
                assert!(page.text().contains(words), "{words}: {}", page.text());
            }
            let policy = page.header("content-security-policy").expect("a policy");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            let answer = browser.submit(&page_url, &[("decision", "continue")]).await;
            let back = browser.consent(&Leg::of(answer.location()), "alice", "allow").await;
            let done = land(app, &browser, &browser.get(&back).await).await;
            assert_eq!(done.status, 200, "{}", done.text());
        }
        let began = led("cross-site").await;
        let page_url = format!("{}{}", app.origin, began.location());
        let answer = browser.submit(&page_url, &[("decision", "cancel")]).await;
        assert_eq!(answer.status, 303);
        let page = browser.get(&format!("{}{}", app.origin, answer.location())).await;
        page.assert_page(400, "The connection was declined.");
    })
    .await;
}

#[tokio::test]
async fn a_shared_account_is_replaced_by_who_connected_it_or_a_superuser() {
    on_each(async |app| {
        let input = NewIntegration {
            mode: Mode::Shared,
            ..new_integration("desk", "sandbox", at(&app.sandbox.origin))
        };
        let desk = app.integrate_as(&app.acme, input).await;
        let (alice, hers) = enter(app, "alice").await;
        let (bob, his) = enter(app, "bob").await;
        let (_, roots) = enter(app, "root").await;
        share(app, &desk, &alice.user).await;
        share(app, &desk, &bob.user).await;

        // Both set out; alice is first to come back.
        let (hers_leg, his_leg) = (set_out(app, &hers, "desk").await, set_out(app, &his, "desk").await);
        let back = hers.consent(&hers_leg, "alice", "allow").await;
        assert_eq!(land(app, &hers, &hers.get(&back).await).await.status, 200);
        let back = his.consent(&his_leg, "bob", "allow").await;
        let page = land(app, &his, &his.get(&back).await).await;
        page.assert_page(400, "It is connected already, for everybody");
        assert_eq!(app.sandbox.exchanges().await, 1, "his code was not redeemed");
        assert_problem(&his.get(&url(app, "desk")).await, 403, "connected already");
        for browser in [&hers, &roots] {
            let back = browser.consent(&set_out(app, browser, "desk").await, "alice", "allow").await;
            assert_eq!(land(app, browser, &browser.get(&back).await).await.status, 200);
        }
        let connections = app.connections(&app.acme).await;
        assert_eq!(connections.len(), 1);
        assert_eq!(connections[0].owner.kind, OwnerKind::Shared);
        assert_eq!(connections[0].owner.key.as_deref(), Some("alice"), "it stays hers");
    })
    .await;
}

#[tokio::test]
async fn a_key_is_typed_in_by_who_is_signed_in() {
    on_each(async |app| {
        let upstream = Upstream::whole(async |_, _| axum::response::Response::default()).await;
        let config = Config { base_url: Some(format!("{}/api", upstream.origin)), ..Config::default() };
        let input = NewIntegration {
            client_id: None,
            client_secret: None,
            ..new_integration("keyed", "bearer", config)
        };
        let keyed = app.integrate_as(&app.acme, input).await;
        let (user, browser) = alice(app).await;
        share(app, &keyed, &user.user).await;
        app.complete(&app.acme, Completion::Confirm).await;
        let pairs = [("decision", "continue"), ("credential-token", "canary-typed-1")];
        for signed_out in [true, false] {
            let sid = sign_in(app, &browser, &user.user).await;
            let began = browser.get(&url(app, "keyed")).await;
            let page_url = format!("{}{}", app.origin, began.location());
            let page = browser.get(&page_url).await;
            assert!(page.text().contains("credential-token"), "{}", page.text());
            assert!(!page.text().contains("Another site"), "{}", page.text());
            if signed_out {
                app.change(async |to| to.conn.end_session(&app.acme.workspace, &sid).await).await;
                for answer in [
                    browser.get(&page_url).await,
                    browser.submit(&page_url, &pairs).await,
                    browser.submit(&page_url, &[("decision", "cancel")]).await,
                ] {
                    answer.assert_page(400, "sign in and begin again");
                }
                app.assert_nothing_connected(&app.acme).await;
                continue;
            }
            let done = browser.submit(&page_url, &pairs).await;
            assert_eq!(done.status, 303, "{}", done.text());
            let page = browser.get(&format!("{}{}", app.origin, done.location())).await;
            assert_eq!(page.status, 200, "{}", page.text());
            let owner = &app.connections(&app.acme).await[0].owner;
            assert_eq!((owner.kind, owner.key.as_deref()), (OwnerKind::User, Some("alice")));
            // Sent once more after signing out, it tells nothing.
            app.change(async |to| to.conn.end_session(&app.acme.workspace, &sid).await).await;
            browser.submit(&page_url, &pairs).await.assert_page(400, "sign in and begin again");
        }
    })
    .await;
}

#[tokio::test]
async fn who_connected_is_in_the_audit() {
    on_each(async |app| {
        let (user, browser) = alice(app).await;
        let back = consented(app, &browser).await;
        assert_eq!(land(app, &browser, &browser.get(&back).await).await.status, 200);
        let rows = app.read().await.audits(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
        let made = rows.iter().find(|row| row.verb == "connection.create").expect("a row");
        assert_eq!(made.actor, Actor::User(user.user.id.to_string()).to_text());
    })
    .await;
}
