//! Signing in and out, and what a session is good for.

use std::time::Duration;

use claviger_engine::{domain::user::Role, secret::token, vault::hash};
use http::Method;

use super::desk::{PASSWORD, Seated, operator, sign_in};
use crate::support::{Browser, Options, TestApp, on_each, on_each_with};

const MINUTE: Duration = Duration::from_secs(60);
const COOKIE: &str = "claviger-operator";

fn sid(browser: &Browser) -> String {
    browser.cookies("127.0.0.1")[COOKIE].clone()
}

async fn with_cookie(app: &TestApp, line: &str) -> u16 {
    let request = Browser::new().request(Method::GET, &format!("{}/dashboard/account", app.origin));
    Browser::new().send(request.header("cookie", line), Default::default()).await.status.as_u16()
}

#[tokio::test]
async fn an_operator_signs_in_and_out() {
    on_each(async |app| {
        operator(app, "Root", &[(&app.acme.workspace, Role::Owner)]).await;
        let (browser, base) = (Browser::new(), format!("{}/dashboard/", app.origin));
        let sent = browser.get(&format!("{base}w/{}/keys", app.acme.client_id)).await;
        assert_eq!(sent.status, 302);
        let form = browser.get(&format!("{}{}", app.origin, sent.location())).await;
        form.assert_page(200, "name=\"next\" value=\"&#x2f;dashboard&#x2f;w&#x2f;");
        for (name, password) in [("root", "wrong"), ("nobody", PASSWORD), ("root", &PASSWORD[1..])] {
            let answer = sign_in(app, &browser, name, password).await;
            answer.assert_page(401, "The name or the password is not right.");
            assert!(answer.header("set-cookie").is_none());
        }
        let answer = sign_in(app, &browser, " ROOT ", PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/dashboard/"));
        let cookie = answer.header("set-cookie").unwrap().replace(&sid(&browser), "…");
        assert_eq!(cookie, format!("{COOKIE}=…; Path=/; HttpOnly; SameSite=Lax"));
        let home = browser.get(&base).await;
        assert_eq!(home.location(), format!("/dashboard/w/{}/", app.acme.client_id));

        let stored = app.read().await.any_operator_session(&sid(&browser)).await.unwrap();
        assert!(stored.is_none(), "only its hash is kept");
        let out = Seated { app, browser };
        let answer = out.browser.submit(&format!("{base}sign-out"), &[("csrf", &out.token().await)]).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/dashboard/sign-in"));
        let line = format!("{COOKIE}={}", sid(&Seated::known(app, "root").await.browser));
        assert_eq!(with_cookie(app, &line).await, 200);
        let rows = app.read().await.any_audits_of_none(&crate::support::app::ALL).await.unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.verb.as_str(), row.address.as_deref())).collect();
        assert_eq!(
            rows[..3],
            [
                ("operator.sign_in", Some("127.0.0.1")),
                ("operator.sign_out", Some("127.0.0.1")),
                ("operator.sign_in", Some("127.0.0.1"))
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_session_is_new_with_each_sign_in_and_ends() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Owner).await;
        let first = format!("{COOKIE}={}", sid(&seat.browser));
        assert_eq!(with_cookie(app, &first).await, 200);
        sign_in(app, &seat.browser, "root", PASSWORD).await;
        assert_ne!(first, format!("{COOKIE}={}", sid(&seat.browser)), "it is another one");
        assert_eq!(with_cookie(app, &first).await, 302, "and the one before has ended");

        let other = Seated::known(app, "root").await;
        let url = format!("{}/dashboard/sign-out-everywhere", app.origin);
        other.browser.submit(&url, &[("csrf", &other.token().await)]).await;
        for browser in [&seat.browser, &other.browser] {
            assert_eq!(with_cookie(app, &format!("{COOKIE}={}", sid(browser))).await, 302);
        }

        let idle = Seated::known(app, "root").await;
        app.pass(59 * MINUTE);
        assert_eq!(idle.get("").await.status, 200);
        for _ in 0..40 {
            app.pass(59 * MINUTE);
            let line = format!("{COOKIE}={}", sid(&idle.browser));
            if with_cookie(app, &line).await == 302 {
                return;
            }
            // Its use is noted in the background.
            let hash = hash::token(&sid(&idle.browser));
            let now = app.broker.clock.now();
            while app.read().await.any_operator_session(&hash).await.unwrap().unwrap().seen_at < now {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        panic!("a session that is used ends as well");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_idle_with_another_password_and_when_shut_out() {
    on_each(async |app| {
        let id = operator(app, "root", &[(&app.acme.workspace, Role::Owner)]).await;
        let seat = Seated::known(app, "root").await;
        app.pass(61 * MINUTE);
        assert_eq!(seat.get("").await.status, 302);

        let seat = Seated::known(app, "root").await;
        let other = Seated::known(app, "root").await;
        let url = format!("{}/dashboard/account/password", app.origin);
        let change = async |current: &str, wanted: &str, again: &str| {
            let token = seat.token().await;
            let pairs = [("current", current), ("password", wanted), ("again", again), ("csrf", &*token)];
            seat.browser.submit(&url, &pairs).await
        };
        let new = "another one entirely";
        change(PASSWORD, "short", "short").await.assert_page(400, "password-error");
        change(PASSWORD, new, "different").await.assert_page(400, "again-error");
        change("wrong", new, new).await.assert_page(400, "current-error");
        assert_eq!(other.get("").await.status, 200, "nothing was changed");
        assert_eq!(change(PASSWORD, new, new).await.status, 303);
        assert_eq!(seat.get("").await.status, 200);
        assert_eq!(other.get("").await.status, 302);
        assert_eq!(sign_in(app, &Browser::new(), "root", PASSWORD).await.status, 401);

        app.change(async |to| to.conn.any_disable_operator(&id, Some(to.now)).await).await;
        assert_eq!(seat.get("").await.status, 302);
        assert_eq!(sign_in(app, &Browser::new(), "root", new).await.status, 401);
        app.change(async |to| to.conn.any_disable_operator(&id, None).await).await;
        assert_eq!(seat.get("").await.status, 302, "what ended stays so");
    })
    .await;
}

#[tokio::test]
async fn a_users_session_never_opens_the_dashboard() {
    on_each(async |app| {
        let user = setup_user(app).await;
        let url = format!("{}/api/login/local", app.origin);
        let browser = Browser::new();
        let request = browser.request(Method::POST, &url).header("content-type", "application/json");
        let body = serde_json::json!({ "username": user, "password": PASSWORD }).to_string();
        assert_eq!(browser.send(request, body.into()).await.status, 200);
        let theirs = browser.cookies("127.0.0.1")["sid"].clone();
        let fresh = token().unwrap();
        for line in [
            format!("sid={theirs}"),
            format!("{COOKIE}={theirs}"),
            format!("__Host-{COOKIE}={theirs}"),
            format!("{COOKIE}={}", fresh.expose()),
            format!("{COOKIE}="),
        ] {
            assert_eq!(with_cookie(app, &line).await, 302, "{line}");
        }
        assert_eq!(sign_in(app, &Browser::new(), &user, PASSWORD).await.status, 401);

        // Nor does an operator's open what is for users.
        let seat = Seated::new(app, "root", Role::Owner).await;
        let request = Browser::new().request(Method::GET, &format!("{}/api/session", app.origin));
        let line = format!("sid={}", sid(&seat.browser));
        let answer = Browser::new().send(request.header("cookie", line), Default::default()).await;
        assert_eq!(answer.status, 401);
    })
    .await;
}

async fn setup_user(app: &TestApp) -> String {
    use claviger_engine::{secret::Secret, setup};
    let user = setup::NewUser {
        username: "alice".to_owned(),
        display_name: None,
        email: None,
        password: Some(Secret::new(PASSWORD)),
        superuser: true,
        permissions: Vec::new(),
    };
    app.change(async move |to| setup::user(to, &app.acme.workspace, user).await).await.username
}

#[tokio::test]
async fn passwords_are_tried_within_limits() {
    on_each_with(
        || Options { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Options::default() },
        async |app| {
            operator(app, "root", &[(&app.acme.workspace, Role::Owner)]).await;
            let attempt = async |password: &str| {
                let browser = Browser::new();
                let request = browser.request(Method::POST, &format!("{}/dashboard/sign-in", app.origin));
                let request = request.header("sec-fetch-site", "same-origin");
                let request = request.header("x-forwarded-for", "198.51.100.7");
                browser.form(request, &[("username", "root"), ("password", password)]).await
            };
            assert_eq!(attempt(PASSWORD).await.status, 303, "what is right does not count");
            for _ in 0..10 {
                assert_eq!(attempt("wrong").await.status, 401);
            }
            let limited = attempt(PASSWORD).await;
            limited.assert_page(429, "Too many tries");
            assert!(limited.header("retry-after").is_some());
            app.pass(6 * MINUTE);
            assert_eq!(attempt(PASSWORD).await.status, 303);
        },
    )
    .await;
}
