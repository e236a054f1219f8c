//! What every page and answer of the app origin has in common, and what keeps it from being flooded.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use claviger_engine::{
    connect::{FLOW_LIFE, PENDING_FLOWS},
    domain::{audit::Actor, workspace::Completion},
    id::FlowId,
    limit::Rate,
};
use http::{Method, Request};
use ipnet::IpNet;

use crate::support::{Answer, Browser, CB, Leg, Options, TestApp, names, on_each, on_each_with, raw, value};

/// Asserts the headers of a page; `form` says whether it carries one. Gives the page's nonce.
#[track_caller]
fn assert_headers(page: &Answer, form: bool, what: &str) -> String {
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert_eq!(page.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{what}");
    let referrer = if form { "same-origin" } else { "no-referrer" };
    assert_eq!(page.header("referrer-policy"), Some(referrer), "{what}");
    assert!(page.header("cross-origin-opener-policy").is_none(), "{what}: the opener must stay reachable");
    assert!(page.header("set-cookie").is_none(), "{what}");

    let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("{what} has a policy"));
    let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
    for rule in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(rules.contains(&rule), "{what}: {rule} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    assert_eq!(policy.contains("script-src"), form, "{what}: {policy}");
    assert_eq!(rules.contains(&"form-action 'none'"), !form, "{what}: {policy}");
    assert_eq!(policy.contains("form-action"), !form, "{what}: its POST ends at another site");
    let nonce =
        policy.split("style-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert_eq!(nonce.len(), 43, "{what}");

    let text = page.text();
    assert!(text.contains(&format!("<style nonce=\"{nonce}\">")), "{what}");
    // A form has one script of ours, a file, and pictures of ours; other pages have none.
    let script = format!("<script nonce=\"{nonce}\" src=\"/page.js\" defer></script>");
    assert_eq!(text.matches(&script).count(), usize::from(form), "{what}");
    assert_eq!(policy.contains(&format!("script-src 'nonce-{nonce}'")), form, "{what}: {policy}");
    let lower = text.replace(&script, "").replace("<img src=\"&#x2f;", "").to_lowercase();
    for bad in
        ["<script", "javascript:", "<iframe", "<link", "src=", "style=", " onclick", "http-equiv=\"refresh"]
    {
        assert!(!lower.contains(bad), "{what} has {bad}");
    }
    nonce.to_owned()
}

#[tokio::test]
async fn every_page_keeps_to_itself() {
    on_each(async |app| {
        let browser = Browser::new();
        let mut nonces = BTreeSet::new();
        let callback = format!("{}/oauth2/callback/{}", app.origin, app.acme.integration);
        let wrong = [
            app.authorize_url(&app.acme, &[("redirect_uri", "https://evil.test/")]),
            app.authorize_url(&app.acme, &[("client_id", "nosuch")]),
            app.authorize_url(&app.acme, &[("integration_id", "nosuch")]),
            app.authorize_url(&app.acme, &[("integration_id", "")]),
            format!("{callback}?code=c&state=x"),
            format!("{}/oauth2/callback?code=c&state=x", app.origin),
            format!("{}/oauth-callback?code=c&state=x", app.origin),
            format!("{}/connect/{}", app.origin, FlowId::new()),
            format!("{}/connect/x", app.origin),
        ];
        for url in &wrong {
            let page = browser.get(url).await;
            assert_eq!(page.status, 400, "{url}");
            assert!(nonces.insert(assert_headers(&page, false, url)), "a nonce is used once");
        }
        for flow in ["x", FlowId::new().as_str()] {
            let page = browser.get(&format!("{}/connect/{flow}/done", app.origin)).await;
            assert_eq!(page.status, 404, "{}", page.text());
            assert!(nonces.insert(assert_headers(&page, false, "an end that is none")));
        }
        let request = browser.request(Method::POST, &callback);
        let page = browser.send(request, Bytes::from_static(b"a b")).await;
        assert!(nonces.insert(assert_headers(&page, false, "a wrong form_post")));

        app.complete(&app.acme, Completion::Confirm).await;
        let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
        let url = format!("{}{}", app.origin, began.location());
        for _ in 0..2 {
            let page = browser.get(&url).await;
            assert_eq!(page.status, 200);
            assert!(nonces.insert(assert_headers(&page, true, "the confirm page")), "a nonce is used once");
        }
        let page = browser.form(browser.request(Method::POST, &url), &[]).await;
        assert_eq!(page.status, 403);
        assert_headers(&page, false, "a refused form");
    })
    .await;
}

#[tokio::test]
async fn the_browser_cookie_is_kept_and_closed() {
    on_each(async |app| {
        let browser = Browser::new();
        let first = browser.get(&app.authorize_url(&app.acme, &[])).await;
        let line = first.header("set-cookie").expect("a cookie").to_owned();
        let (pair, attributes) = line.split_once("; ").unwrap();
        let (name, id) = pair.split_once('=').unwrap();
        assert_eq!((name, id.len()), ("claviger-browser", 43));
        assert_eq!(attributes, "Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", "loopback has no TLS");
        let again = browser.get(&app.authorize_url(&app.acme, &[])).await;
        assert_eq!(again.header("set-cookie"), Some(line.as_str()), "one id for all of a browser's flows");
        let other = Browser::new().get(&app.authorize_url(&app.acme, &[])).await;
        assert_ne!(other.header("set-cookie"), Some(line.as_str()));
    })
    .await;
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let public = || Options { public_url: Some("https://connect.test".to_owned()), ..Options::default() };
    on_each_with(public, async |app| {
        let browser =
            Browser::knowing("connect.test", app.origin.trim_start_matches("http://").parse().unwrap());
        // TLS ends in front of the server; the browser's side of it is left out here.
        let at = |url: &str| {
            url.replace(&app.origin, "http://connect.test").replace("https://connect", "http://connect")
        };
        let began = browser.get(&at(&app.authorize_url(&app.acme, &[]))).await;
        let line = began.header("set-cookie").expect("a cookie");
        assert!(line.starts_with("__Host-claviger-browser="), "{line}");
        assert!(line.ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"), "{line}");
        let leg = Leg::of(began.location());
        assert_eq!(
            leg.redirect_uri(),
            format!("https://connect.test/oauth2/callback/{}", app.acme.integration)
        );
        let back = at(&browser.consent(&leg, "alice", "allow").await);

        let cookies = browser.cookies("connect.test");
        let id = &cookies["__Host-claviger-browser"];
        let plain = Request::builder().uri(&back).header("cookie", format!("claviger-browser={id}"));
        // Another way to say the same callback, so that the flow is not taken by the wrong one.
        let began = browser.get(&at(&app.authorize_url(&app.acme, &[]))).await;
        let other = at(&browser.consent(&Leg::of(began.location()), "alice", "allow").await);
        let plain = plain.uri(&other);
        browser.send(plain, Bytes::new()).await.assert_page(400, "begun in another browser");

        assert_eq!(names(&browser.get(&back).await.redirect().1)[0], "connection_id");
        assert_eq!(app.sandbox.exchanges().await, 1);
    })
    .await;
}

fn three_flows() -> Options {
    Options { flows: Rate::Per { count: 3, window: Duration::from_secs(60) }, ..Options::default() }
}

/// Begins a flow as a browser behind these forwarding headers.
async fn begin(app: &TestApp, forwarded: &[&str]) -> Answer {
    let mut request = Request::builder().uri(app.authorize_url(&app.acme, &[]));
    for line in forwarded {
        request = request.header("x-forwarded-for", *line);
    }
    Browser::new().send(request, Bytes::new()).await
}

#[track_caller]
fn assert_limited(answer: &Answer, seconds: u64) {
    answer.assert_page(429, "Too many attempts");
    let retry: u64 = answer.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert_eq!(retry, seconds);
    assert_headers(answer, false, "too many");
}

#[tokio::test]
async fn flows_from_one_address_are_limited() {
    on_each_with(three_flows, async |app| {
        for _ in 0..5 {
            let wrong = app.authorize_url(&app.acme, &[("redirect_uri", "https://evil.test/")]);
            Browser::new().get(&wrong).await.assert_page(400, "redirect_uri");
        }
        for _ in 0..3 {
            assert_eq!(begin(app, &[]).await.status, 302, "what never began does not count");
        }
        assert_limited(&begin(app, &[]).await, 60);
        assert_limited(&begin(app, &["198.51.100.7"]).await, 60);
        app.pass(Duration::from_secs(45));
        assert_limited(&begin(app, &[]).await, 15);
        app.pass(Duration::from_secs(15));
        assert_eq!(begin(app, &[]).await.status, 302);
    })
    .await;
}

#[tokio::test]
async fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
    let behind = || {
        let trusted: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        Options { trusted, ..three_flows() }
    };
    on_each_with(behind, async |app| {
        for _ in 0..3 {
            assert_eq!(begin(app, &["198.51.100.1"]).await.status, 302);
        }
        for same in [
            &["198.51.100.1"][..],
            &["1.1.1.1, 198.51.100.1"],
            &["1.1.1.1", "198.51.100.1"],
            &["198.51.100.2, 198.51.100.1, 10.1.2.3"],
            &["nonsense, 198.51.100.1"],
            &["::ffff:198.51.100.1"],
        ] {
            assert_eq!(begin(app, same).await.status, 429, "{same:?} is the same address");
        }
        for other in [&["198.51.100.2"][..], &["198.51.100.1, 198.51.100.3"], &["2001:db8::1"], &[]] {
            assert_eq!(begin(app, other).await.status, 302, "{other:?} is another address");
        }
        for host in 1..=2 {
            assert_eq!(begin(app, &[&format!("2001:db8::{host:x}00")]).await.status, 302);
        }
        assert_eq!(begin(app, &["2001:db8::ffff:1"]).await.status, 429, "a /64 is one subscriber");
        assert_eq!(begin(app, &["2001:db8:0:1::1"]).await.status, 302, "another /64 is another");
    })
    .await;
}

#[tokio::test]
async fn pending_flows_of_a_workspace_are_bounded() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let browser = Browser::new();
        app.complete(&app.acme, Completion::Confirm).await;
        let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
        let first = FlowId::parse(began.location().strip_prefix("/connect/").unwrap()).unwrap();
        let template = app.read().await.any_flow(&first).await.unwrap().expect("a flow");
        let mut conn = app.broker.store.begin(Actor::System, app.broker.clock.now()).await.unwrap();
        for _ in 1..PENDING_FLOWS - 1 {
            let mut flow = template.clone();
            flow.id = FlowId::new();
            conn.create_flow(&app.acme.workspace, &flow).await.unwrap();
        }
        conn.commit().await.unwrap();
        assert_eq!(browser.get(&app.authorize_url(&app.acme, &[])).await.status, 302, "the last one");
        assert_limited(&browser.get(&app.authorize_url(&app.acme, &[])).await, FLOW_LIFE.as_secs());
        assert_eq!(
            browser.get(&app.authorize_url(&other, &[])).await.status,
            302,
            "another workspace goes on"
        );
        app.pass(FLOW_LIFE);
        assert_eq!(browser.get(&app.authorize_url(&app.acme, &[])).await.status, 302, "they expire");
    })
    .await;
}

#[tokio::test]
async fn health_says_alive_and_readiness_says_able() {
    on_each(async |app| {
        for path in ["/", "/healthz"] {
            let answer = Browser::new().get(&format!("{}{path}", app.origin)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(
                (&answer.json()["status"], &answer.json()["name"]),
                (&"ok".into(), &"claviger".into())
            );
        }
        let ready = Browser::new().get(&format!("{}/readyz", app.origin)).await;
        assert_eq!(ready.status, 200);
        assert_eq!(ready.json(), serde_json::json!({ "status": "ok", "database": "ok", "key": "ok" }));

        app.broker.store.close().await;
        let ready = Browser::new().get(&format!("{}/readyz", app.origin)).await;
        assert_eq!(ready.status, 503);
        assert_eq!(
            ready.json(),
            serde_json::json!({ "status": "failing", "database": "failing", "key": "ok" })
        );
        assert_eq!(Browser::new().get(&format!("{}/healthz", app.origin)).await.status, 200);

        // Everything else says so without a detail, in its own shape, and lets nobody in.
        let page = Browser::new().get(&app.authorize_url(&app.acme, &[])).await;
        assert!(page.status.is_server_error());
        assert_headers(&page, false, "without a database");
        let body = serde_json::json!({ "code": "c", "redirect_uri": CB });
        let answer = app.exchange(&app.acme.key, &body).await;
        assert!(answer.status.is_server_error());
        for answer in [&page, &answer] {
            for word in ["sql", "pool", "sqlite", "postgres", "panick"] {
                assert!(!answer.text().to_lowercase().contains(word), "{word}: {}", answer.text());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_says_so_in_one_shape() {
    on_each(async |app| {
        let browser = Browser::new();
        for path in [
            "/nosuch",
            "/v1",
            "/v1/nosuch",
            "/v2/connections",
            "/dev/landing",
            "/metrics",
            "//",
            "/authorize/",
            "/oauth2/callback/a/b",
            "/.env",
            "/connect/a/b",
        ] {
            let answer = browser.get(&format!("{}{path}", app.origin)).await;
            answer.assert_problem(404, "not_found");
        }
        for (method, path, allow) in [
            (Method::POST, "/authorize", "GET,HEAD"),
            (Method::GET, "/connection", "POST"),
            (Method::PUT, "/connection", "POST"),
            (Method::DELETE, "/oauth2/callback", "GET,HEAD,POST"),
            (Method::PATCH, "/connect/flow_x", "GET,HEAD,POST"),
            (Method::POST, "/healthz", "GET,HEAD"),
        ] {
            let request = browser.request(method.clone(), &format!("{}{path}", app.origin));
            let answer = browser.send(request, Bytes::new()).await;
            answer.assert_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_offered_yet_says_so() {
    on_each(async |app| {
        let browser = Browser::new();
        let nouns = ["me", "chat", "git", "tasks", "helpdesk", "crm", "drive", "calendar", "pm", "ticketing"];
        let mut paths = vec!["/mcp".to_owned(), "/v1/mcp".to_owned()];
        for noun in nouns {
            paths.extend(["", "/", "/x", "/x/y/z", "/x%2Fy"].map(|tail| format!("/v1/{noun}{tail}")));
        }
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let request = browser.request(method.clone(), &format!("{}{path}", app.origin));
                let answer = browser.send(request, Bytes::new()).await;
                answer.assert_problem(501, "not_supported");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn each_answer_carries_a_request_id_of_its_own() {
    on_each(async |app| {
        let browser = Browser::new();
        let done = browser.connect(app, &app.acme, &[]).await;
        let connection = value(&done.redirect().1, "connection_id").to_owned();
        let body = serde_json::json!({ "code": "c", "redirect_uri": CB });
        let answers = [
            done,
            browser.get(&format!("{}/", app.origin)).await,
            browser.get(&format!("{}/nosuch", app.origin)).await,
            browser.get(&app.authorize_url(&app.acme, &[])).await,
            browser.get(&app.authorize_url(&app.acme, &[("client_id", "x")])).await,
            app.exchange(&app.acme.key, &body).await,
            app.exchange("x", &body).await,
            app.call(&app.acme.key, &connection, "/me").await,
            app.call(&app.acme.key, &connection, "/status/404").await,
            app.call(&app.acme.key, "x", "/me").await,
            app.call("x", "x", "/me").await,
        ];
        let mut seen = BTreeSet::new();
        for answer in &answers {
            let id = answer.header("claviger-request-id").expect("a request id");
            let hex = id.strip_prefix("req_").expect("req_");
            assert!(hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            assert!(seen.insert(id.to_owned()), "{id} is there twice");
        }
        let theirs = "req_00000000000000000000000000000000";
        let request =
            Request::builder().uri(format!("{}/", app.origin)).header("claviger-request-id", theirs);
        let answer = browser.send(request, Bytes::new()).await;
        assert_ne!(answer.header("claviger-request-id"), Some(theirs), "ours is ours");
    })
    .await;
}

#[tokio::test]
async fn a_broken_request_breaks_nothing() {
    on_each(async |app| {
        for origin in [&app.origin, &app.proxy] {
            for request in [
                &b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: x\r\n\r\n"[..],
                b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: close\r\n\r\n0\r\n\r\n",
                b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            ] {
                let answer = raw(origin, request).await;
                assert!(!answer.status.is_server_error(), "{request:?}: {}", answer.status);
            }
        }
        assert_eq!(Browser::new().get(&format!("{}/healthz", app.origin)).await.status, 200);
    })
    .await;
}
