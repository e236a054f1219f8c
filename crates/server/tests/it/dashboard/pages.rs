//! What pages show and do.

use claviger_engine::{
    desk::overview::Span,
    domain::{
        call_rollup::{CallRollup, RollupKey, Sums},
        user::Role,
    },
};
use http::{Method, header};

use super::desk::Seated;
use crate::support::{Answer, Browser, on_each};

/// Asserts the headers of a page of the dashboard.
#[track_caller]
fn assert_private(page: &Answer) {
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    let policy = page.header("content-security-policy").expect("a policy");
    for rule in [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "connect-src 'self'",
        "script-src 'nonce-",
        "style-src 'nonce-",
    ] {
        assert!(policy.contains(rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let text = page.text().to_lowercase();
    for bad in ["javascript:", "<iframe", " style=", " onclick", "<style", "http-equiv"] {
        assert!(!text.contains(bad), "{bad} in {text}");
    }
    assert_eq!(text.matches("<script").count(), text.matches("<script nonce=\"").count());
}

#[tokio::test]
async fn every_page_keeps_to_itself() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Owner).await;
        for path in ["", "?span=hour", "settings", "keys", "audit", "audit?about=api_key&by=cli"] {
            let page = seat.get(path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            assert_private(&page);
        }
        let base = format!("{}/dashboard", app.origin);
        for (path, status) in [("/account", 200), ("/nosuch", 404), ("/w/nosuch/", 404), ("/setup/x", 404)] {
            let page = seat.browser.get(&format!("{base}{path}")).await;
            assert_eq!(page.status, status, "{path}");
            assert_private(&page);
        }
        assert_private(&Browser::new().get(&format!("{base}/sign-in")).await);
        for asset in claviger::dashboard::assets::ALL {
            let answer = Browser::new().get(&format!("{}{}", app.origin, asset.path)).await;
            assert_eq!(answer.status, 200, "{}", asset.path);
        }
    })
    .await;
}

#[tokio::test]
async fn the_root_is_health_for_programs_and_the_dashboard_for_people() {
    on_each(async |app| {
        for (accept, page) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), true),
            (Some("TEXT/HTML;q=0.5"), true),
            (Some("text/htmlx"), false),
        ] {
            let request = Browser::new().request(Method::GET, &format!("{}/", app.origin));
            let request = accept.iter().fold(request, |r, it| r.header(header::ACCEPT, *it));
            let answer = Browser::new().send(request, Default::default()).await;
            assert_eq!(answer.header("vary"), Some("accept"));
            if page {
                assert_eq!((answer.status.as_u16(), answer.location()), (302, "/dashboard/"), "{accept:?}");
            } else {
                assert_eq!((answer.status.as_u16(), answer.json()["status"].as_str()), (200, Some("ok")));
            }
        }
        let slashless = Browser::new().get(&format!("{}/dashboard", app.origin)).await;
        assert_eq!(slashless.location(), "/dashboard/");
    })
    .await;
}

#[tokio::test]
async fn settings_are_changed_and_signed() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Admin).await;
        let settings =
            async || app.read().await.workspace(&app.acme.workspace).await.unwrap().unwrap().settings;
        let told = seat.post("settings/auth-responses", &[("include_external_id", "on")]).await;
        assert_eq!(told.location(), format!("/dashboard/w/{}/settings", app.acme.client_id));
        assert_eq!(
            (settings().await.include_connection_id, settings().await.include_external_id),
            (false, true)
        );
        seat.get("settings").await.assert_page(200, "It holds for authorizations that end from now on.");
        assert_eq!(seat.post("settings/completion", &[("completion", "confirm")]).await.status, 303);
        assert_eq!(settings().await.completion.as_str(), "confirm");
        assert!(!settings().await.include_connection_id, "the rest stays");
        for wrong in ["", "nosuch"] {
            assert_eq!(seat.post("settings/completion", &[("completion", wrong)]).await.status, 400);
        }

        for wrong in ["", "/relative", "https://a.test/#x", "javascript:alert(1)", "https://u@a.test/"] {
            let page = seat.post("settings/redirect-uris", &[("uri", wrong)]).await;
            page.assert_page(400, "uri-error");
        }
        let uri = "https://app.test/<b>&\"x\"";
        let plain = "https://app.test/other?a=b&c=d";
        assert_eq!(seat.post("settings/redirect-uris", &[("uri", uri)]).await.status, 303);
        assert_eq!(seat.post("settings/redirect-uris", &[("uri", &format!(" {plain} "))]).await.status, 303);
        assert!(app.read().await.has_redirect_uri(&app.acme.workspace, plain).await.unwrap());
        let page = seat.get("settings").await;
        assert!(!page.text().contains("<b>") && page.text().contains("&lt;b&gt;"), "{}", page.text());
        assert_eq!(seat.post("settings/redirect-uris/remove", &[("uri", uri)]).await.status, 303);
        assert!(!app.read().await.has_redirect_uri(&app.acme.workspace, uri).await.unwrap());
        assert_eq!(seat.post("settings/redirect-uris/remove", &[("uri", uri)]).await.status, 404);

        let audit = seat.get("audit").await;
        for word in ["workspace.update", "redirect_uri.create", "redirect_uri.delete", "root", "127.0.0.1"] {
            assert!(audit.text().contains(word), "{word}: {}", audit.text());
        }
        let narrowed = seat.get("audit?about=redirect_uri").await;
        assert!(!narrowed.text().contains("workspace.update"));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    on_each(async |app| {
        let seat = Seated::new(app, "dev", Role::Developer).await;
        for (pairs, field) in [
            (&[("name", ""), ("scope-proxy", "on"), ("life", "30")][..], "name-error"),
            (&[("name", "x"), ("life", "30")], "scopes-error"),
            (&[("name", "x"), ("scope-proxy", "on"), ("life", "31")], "life-error"),
        ] {
            seat.post("keys", pairs).await.assert_page(400, field);
        }
        let foreign = [("name", "x"), ("scope-proxy", "on"), ("life", "30"), ("integration", "nosuch")];
        assert_eq!(seat.post("keys", &foreign).await.status, 404);

        let pairs =
            [("name", "server"), ("scope-management", "on"), ("life", "never"), ("integration", "sandbox")];
        let page = seat.post("keys", &pairs).await;
        let text = page.text().split("<code id=\"made\">").nth(1).expect("a key");
        let key = text.split('<').next().unwrap().to_owned();
        let list = async || {
            let request = Browser::new().request(Method::GET, &format!("{}/v1/connections", app.origin));
            let request = request.header("authorization", format!("Bearer {key}"));
            Browser::new().send(request, Default::default()).await.status.as_u16()
        };
        assert_eq!(list().await, 200);
        let later = seat.get("keys").await;
        assert!(!later.text().contains(&key) && later.text().contains(&key[..11]), "only how it begins");
        let keys = app.read().await.api_keys(&app.acme.workspace).await.unwrap();
        let made = keys.iter().find(|it| key.starts_with(&it.prefix)).unwrap();
        assert_eq!(made.integration_id.as_ref(), Some(&app.acme.integration));
        assert_eq!(seat.post("keys/revoke", &[("id", made.id.as_str())]).await.status, 303);
        assert_eq!(list().await, 401);
        assert_eq!(seat.post("keys/revoke", &[("id", made.id.as_str())]).await.status, 404);
        assert_eq!(seat.post("keys/revoke", &[("id", "x")]).await.status, 404);
        let globex = app.tenant("Globex").await;
        let theirs = app.read().await.api_keys(&globex.workspace).await.unwrap();
        assert_eq!(seat.post("keys/revoke", &[("id", theirs[0].id.as_str())]).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn the_overview_sums_up_what_was_called() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Viewer).await;
        seat.get("").await.assert_page(200, "Nobody has connected an account yet");
        let now = app.broker.clock.now();
        let add = async |minutes_ago: u64, class: u8, calls: u64| {
            let minute = now.minus(std::time::Duration::from_secs(60 * minutes_ago));
            let key = RollupKey {
                workspace_id: app.acme.workspace.clone(),
                minute: claviger_engine::time::Millis(minute.0 - minute.0 % 60_000),
                integration_id: app.acme.integration.clone(),
                connection_id: None,
                class,
            };
            let mut sums = Sums { calls, attempts: calls, ..Sums::default() };
            sums.spread.0[2] = calls;
            app.change(async |to| to.conn.any_add_call_rollups(&[CallRollup { key, sums }]).await).await;
        };
        add(5, 2, 1000).await;
        add(5, 5, 250).await;
        add(180, 2, 5000).await;
        add(3 * 1440, 4, 700).await;
        for (span, calls, failed) in [
            ("hour", "1,250", "250"),
            ("day", "6,250", "250"),
            ("week", "6,950", "950"),
            ("nosuch", "6,250", "250"),
        ] {
            let page = seat.get(&format!("?span={span}")).await;
            page.assert_page(200, &format!("<dd class=\"value\">{calls}</dd>"));
            page.assert_page(200, &format!("{failed} answered with 400 or above"));
            page.assert_page(200, "25 ms");
            page.assert_page(200, "Where calls fail");
        }
        assert_eq!(Span::ALL.map(|span| span.length().as_secs() / span.step().as_secs()), [60, 48, 42]);
    })
    .await;
}
