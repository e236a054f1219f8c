//! Where it ends: at a page of the integration's own, or of the workspace's.

use super::*;

/// An integration `back` at a stub that ends at its own page, and a user who has set out from it.
async fn returning(app: &TestApp, stub: &Stub) -> (IntegrationId, Browser, Leg) {
    app.register(&app.acme, RETURN).await;
    let config = Config { return_uri: Some(RETURN.to_owned()), ..at(&stub.origin) };
    let integration = app.integrate_as(&app.acme, new_integration("back", "oauth2", config)).await;
    let (user, browser) = alice(app).await;
    share(app, &integration, &user.user).await;
    let leg = set_out(app, &browser, "back").await;
    (integration, browser, leg)
}

#[tokio::test]
async fn an_integration_with_a_page_of_its_own_ends_there() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let (integration, browser, leg) = returning(app, &stub).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        assert_eq!(done.status, 302, "{}", done.text());
        let rest = done.location().strip_prefix(RETURN).expect("the address, byte for byte");
        let pairs = crate::support::decode(rest.strip_prefix('&').expect("its own query is kept"));
        assert_eq!(names(&pairs), ["integrationId", "connectionId"]);
        assert_eq!(value(&pairs, "integrationId"), integration.as_str());
        app.connection(&app.acme, value(&pairs, "connectionId")).await;

        let leg = set_out(app, &browser, "back").await;
        let denied = [("error", "access_denied"), ("error_description", "no & never")];
        let done = browser.get(&leg.back(&denied)).await;
        let rest = done.location().strip_prefix(RETURN).expect("the same address");
        let pairs = crate::support::decode(rest.strip_prefix('&').unwrap());
        assert_eq!(names(&pairs), ["error", "error_description", "integrationId"]);
        assert_eq!(
            (value(&pairs, "error"), value(&pairs, "error_description")),
            ("access_denied", "no & never")
        );
        assert_eq!(stub.token_requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_address_struck_off_is_not_returned_to() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let (_, browser, leg) = returning(app, &stub).await;
        app.change(async |to| to.conn.remove_redirect_uri(&app.acme.workspace, RETURN).await).await;
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        done.assert_page(400, "not registered any more");
        assert_eq!(stub.token_requests(), 0);
        assert_problem(&browser.get(&url(app, "back")).await, 409, "not registered");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_workspace_with_an_origin_of_its_own_is_returned_to_there() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let integration = app.integrate(&app.acme, "stub", &stub.origin).await;
        let origins = ["http://bi.acme.test".to_owned()];
        app.change(async |to| to.conn.set_workspace_hosts(&app.acme.workspace, &origins).await).await;
        let user = someone(app, &app.acme, "alice", &[]).await;
        share(app, &integration, &user.user).await;
        let here = app.origin.trim_start_matches("http://").parse().unwrap();
        let browser = Browser::knowing("bi.acme.test", here);
        sign_in_at(app, &browser, &user.user, "bi.acme.test").await;
        let link = "http://bi.acme.test/api/integrations/stub/connect";
        let leg = Leg::of(browser.get(link).await.location());
        assert_eq!(leg.redirect_uri(), format!("http://bi.acme.test/oauth2/callback/{integration}"));
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        let page = browser.get(&format!("http://bi.acme.test{}", done.location())).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let seen = stub.seen();
        let token = seen.iter().find(|seen| seen.path == "/token").expect("a token request");
        assert_eq!(value(&token.form(), "redirect_uri"), leg.redirect_uri(), "the same at both ends");

        // A form from a page of that origin is from our own page, also where only `Origin` says so.
        for (origin, status) in [("http://bi.acme.test", 303), (app.origin.as_str(), 403)] {
            let request = browser.request(Method::GET, link).header("sec-fetch-site", "cross-site");
            let began = browser.send(request, Bytes::new()).await;
            let page_url = format!("http://bi.acme.test{}", began.location());
            let request = browser.request(Method::POST, &page_url).header("origin", origin);
            let answer = browser.form(request, &[("decision", "continue")]).await;
            assert_eq!(answer.status, status, "{origin}: {}", answer.text());
        }
        // A host that nobody registered changes nothing.
        let stranger = Browser::knowing("evil.test", here);
        sign_in_at(app, &stranger, &user.user, "evil.test").await;
        let began = stranger.get("http://evil.test/api/integrations/stub/connect").await;
        let leg = Leg::of(began.location());
        assert_eq!(leg.redirect_uri(), format!("{}/oauth2/callback/{integration}", app.origin));
    })
    .await;
}
