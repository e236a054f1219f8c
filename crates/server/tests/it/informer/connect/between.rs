//! What may not happen between the start and the callback.

use super::*;

/// What becomes of the session, or of the user's rights, between the start and the callback.
async fn spoil(app: &TestApp, how: &str, user: &User, browser: &Browser, sid: &str) {
    let ws = &app.acme.workspace;
    match how {
        "signed out" => {
            app.change(async |to| to.conn.end_session(ws, sid).await).await;
        }
        "its cookie gone" => {
            let mut jar = browser.cookies(HOST);
            jar.remove("sid");
            browser.set_cookies(HOST, jar);
        }
        "another's session" => {
            let mallory = someone(app, &app.acme, "mallory", &[]).await;
            share(app, &app.acme.integration, &mallory.user).await;
            sign_in(app, browser, &mallory.user).await;
        }
        "another session of the same user" => {
            sign_in(app, browser, user).await;
        }
        "disabled" => disable(app, user).await,
        _ => unreachable!("{how}"),
    }
}

#[tokio::test]
async fn without_the_session_that_began_it_nothing_is_redeemed() {
    for how in
        ["signed out", "its cookie gone", "another's session", "another session of the same user", "disabled"]
    {
        on_each(async |app| {
            let (user, browser) = alice(app).await;
            let sid = sign_in(app, &browser, &user.user).await;
            let back = consented(app, &browser).await;
            let jar = browser.cookies(HOST);
            spoil(app, how, &user.user, &browser, &sid).await;
            browser.get(&back).await.assert_page(400, "sign in and begin again");
            // The flow is over, also for the session that it was begun with.
            browser.set_cookies(HOST, jar);
            let again = browser.get(&back).await;
            again.assert_refused(how);
            assert_eq!(app.sandbox.exchanges().await, 0, "{how}");
            app.assert_nothing_connected(&app.acme).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_gone_idle_ends_what_it_began() {
    let short = || Options {
        sessions: claviger_engine::access::Lifetimes {
            idle: Duration::from_secs(300),
            life: Duration::from_secs(24 * 3600),
        },
        ..Options::default()
    };
    on_each_with(short, async |app| {
        let (_, browser) = alice(app).await;
        let back = consented(app, &browser).await;
        app.pass(Duration::from_secs(301));
        browser.get(&back).await.assert_page(400, "sign in and begin again");
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_users_flow_does_not_finish_in_another_browser() {
    on_each(async |app| {
        let (user, browser) = alice(app).await;
        let sid = browser.cookies(HOST)["sid"].clone();
        let leg = set_out(app, &browser, "sandbox").await;
        let victim = Browser::new();
        victim.set_cookies(HOST, BTreeMap::from([("sid".to_owned(), sid)]));
        let back = victim.consent(&leg, "alice", "allow").await;
        victim.get(&back).await.assert_page(400, "begun in another browser");
        browser.get(&back).await.assert_refused("the flow is over");
        assert_eq!(app.sandbox.exchanges().await, 0);
        assert_eq!(user.user.username, "alice");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_share_taken_away_meanwhile_connects_nothing() {
    on_each(async |app| {
        let (user, browser) = alice(app).await;
        let ws = &app.acme.workspace;
        let take_away = async || {
            let principal = Principal::User(user.user.id.clone());
            app.change(async |to| to.conn.delete_share(ws, &app.acme.integration, &principal).await).await;
        };
        let back = consented(app, &browser).await;
        take_away().await;
        let page = land(app, &browser, &browser.get(&back).await).await;
        page.assert_page(400, "It is not shared with you any more.");

        // Neither on the page before the provider.
        share(app, &app.acme.integration, &user.user).await;
        let request =
            browser.request(Method::GET, &url(app, "sandbox")).header("sec-fetch-site", "cross-site");
        let page_url = format!("{}{}", app.origin, browser.send(request, Bytes::new()).await.location());
        take_away().await;
        browser.get(&page_url).await.assert_page(403, "It is not shared with you any more.");
        browser.submit(&page_url, &[("decision", "continue")]).await.assert_page(403, "not shared with you");
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
