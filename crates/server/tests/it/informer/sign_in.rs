//! Signing in and out: what is asked for, what is refused, and how often it may be tried.

mod hosts;
mod sessions;

use std::time::Duration;

use bytes::Bytes;
use claviger_engine::{id::UserId, setup::NewUser};
use http::{Method, header};
use serde_json::{Value, json};

use super::desk::{Desk, new_user, password, send, sid};
use crate::{
    openapi,
    support::{Answer, Browser, Options, TestApp, on_each, on_each_with},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Tries to sign in, as a program without a page, from an address behind a trusted proxy.
async fn attempt(app: &TestApp, from: &str, username: &str, password: &str) -> Answer {
    let browser = Browser::new();
    let request = browser.request(Method::POST, &format!("{}/api/login/local", app.origin));
    let body = json!({ "username": username, "password": password });
    send(&browser, request.header("x-forwarded-for", from), Some(&body)).await
}

fn behind_a_proxy() -> Options {
    Options { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Options::default() }
}

/// What somebody is answered who shows this cookie line.
async fn with_cookie(desk: &Desk<'_>, line: &str) -> Answer {
    desk.nobody().call(Method::GET, "/api/session", &[("cookie", line)], None).await
}

#[tokio::test]
async fn whoever_signs_in_is_somebody_until_signing_out() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let browser = Browser::new();
        let answer = desk.enter(&browser, " ALICE ", &password("alice")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let shown = json!({
            "user": {
                "username": "alice",
                "displayName": "alice",
                "email": "alice@example.com",
                "domain": "local",
                "enabled": true,
                "superuser": false,
                "_links": { "self": { "href": "/api/users/alice" } },
            },
            "locale": "en",
            "lang": "en",
        });
        assert_eq!(answer.json(), shown, "a page's script gets no sid, and nobody a jwt or a wsToken");
        let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
        assert_eq!(cookie.replace(&sid(&browser), "…"), "sid=…; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(answer.header("cache-control"), Some("no-store"));

        let alice = desk.sign_in("alice").await;
        let who = alice.get("/api/session").await;
        assert_eq!((who.status.as_u16(), who.json()), (200, shown));
        let sid = alice.sid();
        let out = alice.post("/api/logout", &json!({})).await;
        assert_eq!((out.status.as_u16(), out.text()), (204, ""));
        assert!(out.header("set-cookie").expect("a cookie").starts_with("sid=; Path=/; Max-Age=0; HttpOnly"));
        alice.get("/api/session").await.assert_hapi(401, "sign in");
        let replayed = [("cookie", &*format!("sid={sid}"))];
        let again = desk.nobody().call(http::Method::GET, "/api/session", &replayed, None).await;
        again.assert_hapi(401, "sign in");
    })
    .await;
}

#[tokio::test]
async fn there_are_two_ways_in_and_programs_are_told_the_sid() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let new = NewUser { display_name: Some("Ann B.".into()), email: None, ..new_user("Ann/B", &[]) };
        desk.make(NewUser { superuser: true, ..new }).await;
        for path in
            ["/api/login/local", "/api/login/local/", "/api/login/local?redirect=false", "/api/auth/login"]
        {
            let browser = Browser::new();
            let request = browser.request(Method::POST, &format!("{}{path}", app.origin));
            let body = json!({ "username": "ann/b", "password": password("Ann/B"), "mfaConfig": null });
            let answer = send(&browser, request, Some(&body)).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let shown = answer.json();
            assert_eq!(shown["sid"], sid(&browser), "{path}");
            assert_eq!(shown["user"]["displayName"], "Ann B.");
            assert_eq!((&shown["user"]["email"], &shown["user"]["superuser"]), (&Value::Null, &json!(true)));
            assert_eq!(shown["user"]["_links"]["self"]["href"], "/api/users/Ann%2FB");
            let line = format!("x=1; sid={}", sid(&browser));
            assert_eq!(with_cookie(&desk, &line).await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_not_right_says_why_and_signs_nobody_in() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let right = json!({ "username": "alice", "password": password("alice") });
        let with = |name: &str, value: Value| {
            let mut body = right.clone();
            body[name] = value;
            body
        };
        let post = async |path: &str, body: &Value| {
            let answer = desk.nobody().post(path, body).await;
            assert!(answer.header("set-cookie").is_none(), "{path} {body}");
            answer
        };
        post("/api/login/ldap", &right).await.assert_hapi(400, "domain: ");
        post("/api/login/Local", &right).await.assert_hapi(400, "domain: ");
        post("/api/login/local?redirect=true", &right).await.assert_hapi(400, "redirect: ");
        post("/api/login/local?redirect=1", &right).await.assert_hapi(400, "redirect: ");
        let mfa = json!({ "loginTicket": "x", "code": "1" });
        post("/api/login/local", &with("mfaConfig", mfa)).await.assert_hapi(400, "mfaConfig: ");
        post("/api/auth/login", &with("user", json!("x"))).await.assert_hapi(400, "body: ");
        post("/api/auth/login", &with("username", Value::Null)).await.assert_hapi(400, "username: ");
        post("/api/auth/login", &with("password", json!(""))).await.assert_hapi(400, "password: ");
        post("/api/auth/login", &with("password", json!(5))).await.assert_hapi(400, "password: ");
        post("/api/auth/login", &json!(["alice"])).await.assert_hapi(400, "body: ");
        post("/api/auth/login", &with("username", json!("x".repeat(70_000))))
            .await
            .assert_hapi(413, "too large");
        post("/api/auth", &right).await.assert_hapi(404, "nothing at this path");
        post("/api", &right).await.assert_hapi(404, "nothing at this path");
        desk.nobody().get("/api/auth/login").await.assert_hapi(405, "method");
        for kind in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"] {
            let browser = Browser::new();
            let request = browser.request(Method::POST, &format!("{}/api/auth/login", app.origin));
            let request = request.header(header::CONTENT_TYPE, kind);
            let answer = browser.send(request, Bytes::from(right.to_string())).await;
            answer.assert_hapi(415, "application/json");
        }
        let browser = Browser::new();
        let request = browser.request(Method::POST, &format!("{}/api/auth/login", app.origin));
        let request = request.header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
        assert_eq!(browser.send(request, Bytes::from(right.to_string())).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_alike() {
    on_each(async |app| {
        let desk = Desk::new(app);
        for name in ["alice", "bob"] {
            desk.user(name, &[]).await;
        }
        desk.make(NewUser { password: None, ..new_user("carol", &[]) }).await;
        let (ws, bob) = (&app.acme.workspace, desk.kept("bob").await.id);
        app.change(async |to| to.conn.disable_user(ws, &bob, Some(to.now)).await).await;
        let mut seen = Vec::new();
        for (name, given) in
            [("alice", "wrong"), ("bob", &*password("bob")), ("carol", "wrong"), ("nobody", "wrong")]
        {
            let answer = desk.enter(&Browser::new(), name, given).await;
            answer.assert_hapi(401, "Unable to log in");
            assert!(answer.header("set-cookie").is_none());
            seen.push(answer.text().to_owned());
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(desk.enter(&Browser::new(), "alice", &password("alice")).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn who_tries_too_often_has_to_wait() {
    on_each_with(behind_a_proxy, async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let right = password("alice");
        for _ in 0..12 {
            assert_eq!(
                attempt(app, "192.0.2.1", "alice", &right).await.status,
                200,
                "what is right does not count"
            );
        }
        for n in 0..10 {
            let name = if n % 2 == 0 { "alice" } else { " ALICE" };
            attempt(app, "192.0.2.1", name, "wrong").await.assert_hapi(401, "Unable");
        }
        for given in ["wrong", &right] {
            let answer = attempt(app, "192.0.2.1", "alice", given).await;
            answer.assert_hapi(429, "too many");
            assert_eq!(answer.header("retry-after"), Some("300"), "nothing is looked at");
        }
        assert_eq!(attempt(app, "192.0.2.2", "alice", &right).await.status, 200, "from elsewhere she can");
        app.pass(5 * MINUTE);
        assert_eq!(attempt(app, "192.0.2.1", "alice", &right).await.status, 200);

        for from in 10..15 {
            for _ in 0..10 {
                attempt(app, &format!("192.0.2.{from}"), "alice", "wrong").await.assert_hapi(401, "Unable");
            }
        }
        attempt(app, "192.0.2.20", "alice", &right).await.assert_hapi(429, "too many");
        app.pass(5 * MINUTE);
        assert_eq!(attempt(app, "192.0.2.20", "alice", &right).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_tries_many_names_has_to_wait() {
    on_each_with(behind_a_proxy, async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        for n in 0..100 {
            // An IPv6 network is one address.
            let from = format!("2001:db8:1:2::{n:x}");
            attempt(app, &from, &format!("name{n}"), "wrong").await.assert_hapi(401, "Unable");
        }
        attempt(app, "2001:db8:1:2:ffff::1", "alice", &password("alice")).await.assert_hapi(429, "too many");
        assert_eq!(attempt(app, "2001:db8:1:3::1", "alice", &password("alice")).await.status, 200);
        app.pass(5 * MINUTE);
        assert_eq!(attempt(app, "2001:db8:1:2::1", "alice", &password("alice")).await.status, 200);
    })
    .await;
}

/// How a page of somebody else's says where it is.
const ELSEWHERE: [&[(&str, &str)]; 6] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://evil.test")],
    &[("origin", "null")],
    &[("origin", "http://127.0.0.1")],
];

#[tokio::test]
async fn nobody_is_signed_in_from_elsewhere() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("mallory", &[]).await;
        let body = json!({ "username": "mallory", "password": password("mallory") });
        for path in ["/api/login/local", "/api/auth/login"] {
            for headers in ELSEWHERE {
                let answer = desk.nobody().call(Method::POST, path, headers, Some(&body)).await;
                answer.assert_hapi(403, &app.origin);
                assert!(answer.header("set-cookie").is_none(), "{headers:?}");
            }
            let own = [("origin", app.origin.as_str())];
            assert_eq!(desk.nobody().call(Method::POST, path, &own, Some(&body)).await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn with_a_cookie_nothing_is_changed_from_elsewhere() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.superuser("root").await;
        let root = desk.sign_in("root").await;
        let mut tried = 0;
        for operation in openapi::informer().into_iter().filter(|it| !matches!(it.method, Method::GET)) {
            if operation.path.contains("login") {
                continue;
            }
            let path = operation
                .path
                .replace("{id}", "sandbox")
                .replace("{principal}", "root")
                .replace("{", "")
                .replace("}", "");
            let body = json!({});
            for headers in ELSEWHERE.iter().copied().chain([&[][..]]) {
                // Without any word of where it comes from: a form of a page that hides it, or no page at all.
                let request = headers
                    .iter()
                    .fold(root.request(operation.method.clone(), &path), |request, (name, value)| {
                        request.header(*name, *value)
                    });
                let answer = send(&Browser::new(), request, Some(&body)).await;
                answer.assert_hapi(403, &app.origin);
                tried += 1;
            }
        }
        assert!(tried > 50, "{tried}");
        assert_eq!(root.get("/api/session").await.status, 200, "not even signed out");
        assert_eq!(root.get("/api/integrations/sandbox").await.status, 200);
        let own = [("origin", app.origin.as_str())];
        let made = root.call(Method::POST, "/api/tokens", &own, Some(&json!({}))).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let token = desk.with_token(made.json()["token"].as_str().unwrap());
        let made = token.call(Method::DELETE, made.header("location").unwrap(), ELSEWHERE[0], None).await;
        assert_eq!(made.status, 204, "who shows a token means it");
    })
    .await;
}

#[tokio::test]
async fn signing_out_without_a_session_is_fine() {
    on_each(async |app| {
        let desk = Desk::new(app);
        for path in ["/api/logout", "/api/auth/logout"] {
            assert_eq!(desk.nobody().post(path, &json!({})).await.status, 204);
            let stale = [("cookie", "sid=stale"), ("origin", app.origin.as_str())];
            assert_eq!(desk.nobody().call(Method::POST, path, &stale, None).await.status, 204);
        }
    })
    .await;
}

#[tokio::test]
async fn who_signs_in_and_out_is_written_down() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice: UserId = desk.user("alice", &[]).await.id;
        let seat = desk.sign_in("alice").await;
        seat.post("/api/auth/logout", &json!({})).await;
        let audits = app.read().await.audits(&app.acme.workspace, &crate::support::app::ALL).await.unwrap();
        let rows: Vec<_> = audits.iter().filter(|row| row.target == alice.as_str()).collect();
        let told: Vec<_> = rows.iter().map(|row| (row.verb.as_str(), row.actor.clone())).collect();
        let herself = format!("user:{alice}");
        assert_eq!(told[..2], [("user.sign_out", herself.clone()), ("user.sign_in", herself)]);
    })
    .await;
}
