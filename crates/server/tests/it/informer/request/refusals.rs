//! Answers of our own: whose request it is not, what it can't be, and when the provider is not there.

use std::time::Duration;

use claviger_engine::{
    access::{self, Attempt},
    domain::connection::Status,
    limit::Rate,
    secret::Secret,
    setup::{NewUser, user},
};
use tokio::net::TcpSocket;

use super::*;
use crate::{
    informer::token,
    support::{Options, on_each, on_each_with},
};

#[tokio::test]
async fn what_a_user_does_not_see_does_not_exist() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let _alice = connected(app, &id, "alice").await;
        let stranger = someone(app, &app.acme, "eve", &[]).await;
        let other = app.tenant("Other").await;
        let foreign = someone(app, &other, "root", &[]).await;
        for user in [&stranger, &foreign] {
            for selector in ["drive", id.as_str(), "unknown", "%ff", "int_x"] {
                let path = format!("/api/integrations/{selector}/request");
                let asked = json!({ "url": "x" });
                let answer = ask(app, &user.token, Method::POST, &path, Some(&asked)).await;
                assert_problem(&answer, 404, "integration not found");
                let answer = ask(app, &user.token, Method::GET, &format!("{path}/x"), None).await;
                assert_problem(&answer, 404, "integration not found");
            }
        }
        for caller in ["", "ut_wrong", &app.acme.key] {
            let path = "/api/integrations/drive/request";
            let answer = ask(app, caller, Method::POST, path, Some(&json!({ "url": "x" }))).await;
            assert_problem(&answer, 401, "");
            assert_problem(&ask(app, caller, Method::GET, path, None).await, 401, "");
        }
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn without_a_connection_the_next_step_is_told() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let _alice = connected(app, &id, "alice").await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        share(app, &id, &bob).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        for user in [&bob, &root] {
            let answer = post(app, user, &json!({ "url": "x" })).await;
            assert_problem(&answer, 404, "connect first, at GET /api/integrations/drive/connect");
            assert_problem(&get(app, user, "/x").await, 404, "/api/integrations/drive/connect");
        }
        assert_eq!(up.calls().len(), 0, "not even with a superuser's word is alice's used");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_rests_or_has_ended_is_not_used() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let ws = &app.acme.workspace;
        let connection = app.connections(&app.acme).await.remove(0);
        let now = app.broker.clock.now();
        app.change(async |to| {
            to.conn.set_connection_status(ws, &connection.id, Status::NeedsReauth, Some("why"), now).await
        })
        .await;
        assert_problem(&post(app, &alice, &json!({ "url": "x" })).await, 409, "authorized again: why");
        assert_eq!(up.calls().len(), 0);
        // What is switched off takes no new connections; those that are there go on.
        connect(app, "drive", &alice, "alice").await;
        let mut integration = app.integration(&app.acme, &id).await;
        integration.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(ws, &integration).await).await;
        assert_eq!(post(app, &alice, &json!({ "url": "x" })).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_only_reads_reads() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let reading =
            Someone { token: token(app, &app.acme, &alice.user.id, true).await, user: alice.user.clone() };
        for method in [json!(null), json!("GET"), json!("head")] {
            let answer = post(app, &reading, &json!({ "url": "x", "method": method })).await;
            assert_eq!(answer.status, 200, "{method}: {}", answer.text());
        }
        assert_eq!(get(app, &reading, "/x").await.status, 200);
        let before = up.calls().len();
        for method in ["POST", "PUT", "PATCH", "DELETE", "post"] {
            let answer = post(app, &reading, &json!({ "url": "x", "method": method })).await;
            assert_problem(&answer, 403, "only reads");
        }
        assert_eq!(up.calls().len(), before);
    })
    .await;
}

#[tokio::test]
async fn only_pages_of_our_own_ask_on_the_strength_of_a_cookie() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let new = NewUser {
            username: "signed-in".into(),
            display_name: None,
            email: None,
            password: Some(Secret::new("canary-password-1")),
            superuser: false,
            permissions: Vec::new(),
        };
        let user = app.change(async |to| user(to, &app.acme.workspace, new).await).await;
        let signed_in = Someone { token: token(app, &app.acme, &user.id, false).await, user };
        share(app, &id, &signed_in).await;
        connect(app, "drive", &signed_in, "signed-in").await;
        let attempt = Attempt {
            workspace: &app.acme.workspace,
            username: "signed-in",
            password: Secret::new("canary-password-1"),
            address: "127.0.0.1",
        };
        let sid = access::sign_in(&app.broker, attempt, None).await.unwrap().sid;
        let sid = format!("sid={}", sid.expose());
        let basic = "Basic c2lnbmVkLWluOmNhbmFyeS1wYXNzd29yZC0x";
        let bearer = format!("Bearer {}", alice.token);
        let path = format!("{}/api/integrations/drive/request", app.origin);

        for (shown, site, status) in [
            (("cookie", sid.as_str()), None, 200),
            (("cookie", &sid), Some("same-origin"), 200),
            (("cookie", &sid), Some("none"), 200),
            (("cookie", &sid), Some("same-site"), 403),
            (("cookie", &sid), Some("cross-site"), 403),
            (("cookie", &sid), Some("x"), 403),
            (("authorization", basic), None, 200),
            (("authorization", basic), Some("cross-site"), 403),
            (("authorization", &bearer), Some("cross-site"), 200),
        ] {
            let before = up.calls().len();
            let mut request = http::Request::get(format!("{path}/x")).header(shown.0, shown.1);
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            let answer = Browser::new().send(request, Bytes::new()).await;
            assert_eq!(answer.status, status, "{} {site:?}: {}", shown.0, answer.text());
            assert_eq!(up.calls().len() - before, usize::from(status == 200), "{} {site:?}", shown.0);
            if status == 403 {
                assert_problem(&answer, 403, "API token");
            }
        }
        for (origin, status) in
            [(None, 403), (Some("https://evil.test"), 403), (Some(app.origin.as_str()), 200)]
        {
            let mut request = http::Request::post(&path).header("cookie", &sid);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = Browser::new().send(request, Bytes::from(r#"{"url":"x"}"#)).await;
            assert_eq!(answer.status, status, "{origin:?}: {}", answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_by_name() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (body, words) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"url":"x"#, "body"),
            (r#"{"url":"x","uri":"canary"}"#, "body"),
            (r#"{"url":"x","url":"canary"}"#, "body"),
            ("{}", "url"),
            (r#"{"url":["canary"]}"#, "url"),
            (r#"{"url":"x","method":"TRACE"}"#, "method"),
            (r#"{"url":"x","method":"GET /canary HTTP/1.1\r\n"}"#, "method"),
            (r#"{"url":"x","headers":{"X-A":"canary\r\nX-Admin: 1"}}"#, "headers"),
            (r#"{"url":"x","headers":{"X-A\r\nX-Admin":"canary"}}"#, "headers"),
            (r#"{"url":"x","headers":{"X A":"canary"}}"#, "headers"),
            (r#"{"url":"x","headers":{"X-A":{"canary":1}}}"#, "headers"),
            (r#"{"url":"x","params":{"a":{"canary":1}}}"#, "params"),
            (r#"{"url":"x","params":"canary"}"#, "params"),
            (r#"{"url":"x","data":"\ud800canary"}"#, "data"),
        ] {
            let path = "/api/integrations/drive/request";
            let kind = "application/json";
            let answer =
                super::super::send(app, &alice.token, Method::POST, path, kind, Bytes::from(body)).await;
            assert_problem(&answer, 400, words);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        let large = format!(r#"{{"url":"x","data":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
        let path = "/api/integrations/drive/request";
        let answer =
            super::super::send(app, &alice.token, Method::POST, path, "a/b", Bytes::from(large)).await;
        assert_problem(&answer, 413, "too large");
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_can_not_be_reached_is_a_bad_gateway() {
    on_each(async |app| {
        let up = provider(echo).await;
        // Bound and not listening: nobody else gets the port, and nobody answers.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let base = format!("http://{}/v1", closed.local_addr().unwrap());
        let id = configured(app, &up, |config| config.base_url = Some(base)).await;
        let alice = connected(app, &id, "alice").await;
        let answer = post(app, &alice, &json!({ "url": "/x?canary", "method": "POST" })).await;
        assert_problem(&answer, 502, "");
        assert!(answer.header("claviger-request-id").is_some());
        assert!(!answer.text().contains("canary"), "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let hasty = || {
        let mut options = Options::default();
        options.outbound.header_timeout = Duration::from_millis(150);
        options
    };
    on_each_with(hasty, async |app| {
        let up = provider(|_, _| async {
            std::future::pending::<()>().await;
            say(200, &[], "")
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        assert_problem(&post(app, &alice, &json!({ "url": "x" })).await, 504, "");
        assert_problem(&get(app, &alice, "/x").await, 504, "");
        assert_eq!(up.calls().len(), 2, "what may have been acted on is not sent again");
    })
    .await;
}

#[tokio::test]
async fn a_passing_failure_is_retried_for_safe_methods_only() {
    on_each(async |app| {
        let up = provider(|_, _| async { say(503, &[("retry-after", "0")], "busy") }).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (method, tries) in [("GET", 3), ("POST", 1), ("DELETE", 1)] {
            let before = up.calls().len();
            let answer = post(app, &alice, &json!({ "url": "x", "method": method })).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (503, "busy"));
            assert_eq!(up.calls().len() - before, tries, "{method}");
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_go_on() {
    let calls = Rate::Per { count: 2, window: Duration::from_secs(60) };
    let twice = || Options { calls, quota: true, ..Options::default() };
    on_each_with(twice, async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let (alice, bob) = (connected(app, &id, "alice").await, connected(app, &id, "bob").await);
        assert_eq!(post(app, &alice, &json!({ "url": "x" })).await.status, 200);
        let second = get(app, &alice, "/x").await;
        let none = Some("\"claviger-connection\";r=0;t=60");
        assert_eq!((second.status.as_u16(), second.header("ratelimit")), (200, none));
        for answer in [post(app, &alice, &json!({ "url": "x" })).await, get(app, &alice, "/x").await] {
            assert_problem(&answer, 429, "too many requests with this connection (proxy_rate_limit)");
            assert_eq!((answer.header("retry-after"), answer.header("ratelimit")), (Some("60"), none));
        }
        assert_eq!(up.calls().len(), 2);
        assert_eq!(post(app, &bob, &json!({ "url": "x" })).await.status, 200, "each connection has its own");
        app.pass(Duration::from_secs(60));
        assert_eq!(post(app, &alice, &json!({ "url": "x" })).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_said_to_wait_is_not_asked_meanwhile() {
    on_each(async |app| {
        let up = provider(async |_, _| say(429, &[("retry-after", "90")], "theirs")).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let asked = json!({ "url": "x", "method": "POST" });
        assert_eq!(post(app, &alice, &asked).await.text(), "theirs");
        let before = up.calls().len();
        let answer = post(app, &alice, &asked).await;
        assert_problem(
            &answer,
            429,
            "the provider's own limit: it said to wait, and was not asked again. Retry-After says until when",
        );
        assert_eq!(answer.header("retry-after"), Some("90"));
        assert_eq!(up.calls().len(), before);
    })
    .await;
}
