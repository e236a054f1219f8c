//! Calls of a connection's provider: what is asked arrives byte for byte with the customer's credential, what it answers
//! comes back, and nothing leads anywhere else.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use claviger_engine::limit::Rate;
use http::{Method, Request};
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::json;
use std::time::Duration;

use super::{
    admin, ask, assert_refused, customer,
    planted::{plant, provider, refreshes},
    send,
};
use crate::support::{
    Answer, Browser, Options, TestApp, Upstream, on_each, on_each_with, raw,
    upstream::{Head, say},
    wire,
};

const GET: Method = Method::GET;

/// Says back the body that came, with its type.
async fn echo(head: Head, body: Body) -> Response {
    let body = body.collect().await.expect("a whole body").to_bytes();
    let mut response = say(200, &[], body);
    if let Some(kind) = head.headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    response
}

/// A customer `alice` with a connection at a provider, whose base URL ends in `/api`; her token.
async fn connected(app: &TestApp, up: &Upstream) -> String {
    app.integrate(&app.acme, "up", &up.origin).await;
    plant(app, &app.acme, "up", "alice", "canary_alice").await;
    customer(app, &app.acme, "alice").await
}

async fn get(app: &TestApp, token: &str, rest: &str) -> Answer {
    ask(app, token, GET, &format!("/connections/up/proxy{rest}"), None).await
}

#[tokio::test]
async fn what_is_asked_arrives_as_it_is() {
    on_each(async |app| {
        let up = provider(echo).await;
        let alice = connected(app, &up).await;
        for (rest, target) in [
            ("/crm/v3/owners/", "/api/crm/v3/owners/"),
            ("/x/owners?a=b", "/api/x/owners?a=b"),
            ("/a%2Fb//c%ff/?x=%20&&y=+", "/api/a%2Fb//c%ff/?x=%20&&y=+"),
            ("//double//slash//", "/api//double//slash//"),
            ("", "/api/"),
            ("/", "/api/"),
            ("?a=%2F", "/api/?a=%2F"),
        ] {
            let answer = get(app, &alice, rest).await;
            assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
            let seen = up.calls().pop().expect("a call");
            assert_eq!(
                (seen.target.as_str(), seen.all("authorization")),
                (target, vec!["Bearer canary_alice"])
            );
        }
        for whole in ["/api", "/api/x//y?q=%20&u=@z", "/api/a%2Fb?x"] {
            let answer = get(app, &alice, &format!("/{}{whole}", up.origin)).await;
            assert_eq!(answer.status, 200, "{whole}: {}", answer.text());
            assert_eq!(up.calls().pop().expect("a call").target, whole);
        }
    })
    .await;
}

#[tokio::test]
async fn any_method_and_body_goes_through() {
    on_each(async |app| {
        let up = provider(echo).await;
        let alice = connected(app, &up).await;
        let large = Bytes::from(vec![b'x'; 300 * 1024]);
        for (method, kind, body) in [
            (Method::POST, "application/json", Bytes::from_static(br#"{"a": 1,  "b":null}"#)),
            (Method::PUT, "text/plain", large),
            (Method::PATCH, "application/octet-stream", Bytes::from_static(b"\x00\xff")),
            (Method::DELETE, "application/x-www-form-urlencoded", Bytes::new()),
            (Method::POST, "application/x-www-form-urlencoded", Bytes::new()),
        ] {
            let answer =
                send(app, &alice, method.clone(), "/connections/up/proxy/x", kind, body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(kind)));
            assert_eq!(answer.body, body);
            assert_eq!(up.calls().pop().expect("a call").method, method);
        }
        let options = ask(app, &alice, Method::OPTIONS, "/connections/up/proxy/x", None).await;
        assert_eq!(options.status, 200, "no preflight: the provider is asked");
    })
    .await;
}

#[tokio::test]
async fn what_tells_of_the_caller_stays_here_and_the_rest_goes_on() {
    on_each(async |app| {
        let up = provider(echo).await;
        let alice = connected(app, &up).await;
        let request = Request::builder().uri(format!("{}/connections/up/proxy/x", app.origin));
        let request = request.header("authorization", format!("Bearer {alice}"));
        let request =
            ["cookie", "bu-connection-id", "x-forwarded-for", "x-real-ip", "proxy-x", "x-request-id"]
                .into_iter()
                .fold(request, |request, name| request.header(name, "canary"));
        let request = request.header("origin", "https://shop.test").header("referer", "https://shop.test/");
        let request =
            request.header("membrane-api-version", "2025-10-21").header("sec-fetch-site", "cross-site");
        let request = request.header("x-custom", "1").header("accept", "text/csv");
        assert_eq!(Browser::new().send(request, Bytes::new()).await.status, 200);
        let seen = up.calls().pop().expect("a call");
        assert_eq!((seen.all("x-custom"), seen.all("accept")), (vec!["1"], vec!["text/csv"]));
        let mut names: Vec<_> = seen.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "host", "user-agent", "x-custom"]);
    })
    .await;
}

#[tokio::test]
async fn an_answer_comes_back_and_speaks_for_nobody_else() {
    on_each(async |app| {
        let origin = app.origin.clone();
        let up = provider(move |head: Head, _| {
            let to = match head.target.as_str() {
                "/api/away" => "https://files.test/x".to_owned(),
                "/api/ours" => format!("{origin}/connections/up"),
                _ => "/connections/up".to_owned(),
            };
            async move {
                let headers = [
                    ("content-type", "text/html"),
                    ("set-cookie", "a=b"),
                    ("access-control-allow-origin", "https://evil.test"),
                    ("access-control-allow-credentials", "true"),
                    ("content-security-policy", "default-src *"),
                    ("vary", "Accept"),
                    ("cache-control", "max-age=60"),
                    ("x-custom", "1"),
                    ("location", to.as_str()),
                ];
                say(302, &headers, "<script>")
            }
        })
        .await;
        let alice = connected(app, &up).await;
        let answer = get(app, &alice, "/away").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (302, "<script>"));
        for (name, value) in [
            ("set-cookie", None),
            ("access-control-allow-origin", Some("*")),
            ("access-control-allow-credentials", None),
            ("content-security-policy", Some("sandbox")),
            ("x-content-type-options", Some("nosniff")),
            ("vary", Some("Accept")),
            ("x-custom", Some("1")),
            ("location", Some("https://files.test/x")),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("claviger-request-id").is_some());
        for ours in ["/ours", "/relative"] {
            assert_eq!(get(app, &alice, ours).await.header("location"), None, "{ours}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_leads_out_of_the_base_or_to_another_host() {
    on_each(async |app| {
        let (up, evil) = (provider(echo).await, provider(echo).await);
        let alice = connected(app, &up).await;
        let port = up.origin.rsplit(':').next().expect("a port").to_owned();
        for rest in [
            "/../x".to_owned(),
            "/%2e%2e/x".to_owned(),
            "/a/%252e%252e/x".to_owned(),
            "/a/..;x/y".to_owned(),
            format!("/{}/api/x", evil.origin),
            format!("/{}/other", up.origin),
            format!("/{}/api/../x", up.origin),
            format!("/http://127.0.0.1:{port}@{}/api", evil.origin.trim_start_matches("http://")),
            "/https://169.254.169.254/latest".to_owned(),
            "/https://api.evil.test/x".to_owned(),
            "/https:/api.evil.test/x".to_owned(),
            "/https:".to_owned(),
        ] {
            let answer = get(app, &alice, &rest).await;
            assert_refused(&answer, 400, None);
        }
        assert_eq!((up.calls().len(), evil.seen().len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_401_refreshes_once_and_stands_where_that_fails() {
    on_each(async |app| {
        let up = provider(async |head: Head, _| match head.all("authorization").concat().as_str() {
            "Bearer good_again" => say(200, &[], "ok"),
            other => say(401, &[("x-why", "expired")], format!("provider says no to {}", other.len())),
        })
        .await;
        app.integrate(&app.acme, "up", &up.origin).await;
        plant(app, &app.acme, "up", "alice", "good").await;
        let dead = plant(app, &app.acme, "up", "bob", "dead").await;
        let (alice, bob) = (customer(app, &app.acme, "alice").await, customer(app, &app.acme, "bob").await);
        app.pass(Duration::from_secs(120));
        let answer = get(app, &alice, "/x").await;
        assert_eq!((answer.status.as_u16(), answer.text(), refreshes(&up)), (200, "ok", 1));

        // The refresh is refused: the caller reads the provider's own answer, and the connection needs its customer.
        let answer = get(app, &bob, "/x").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-why")), (401, Some("expired")));
        assert!(answer.text().starts_with("provider says no"), "{}", answer.text());
        assert_eq!(refreshes(&up), 2);
        let calls = up.calls().len();
        let refused = get(app, &bob, "/x").await;
        assert_refused(&refused, 400, Some("connection_is_defunct"));
        assert_eq!(refused.json()["type"], "connection");
        assert_eq!((up.calls().len(), refreshes(&up)), (calls, 2), "nothing is sent any more");
        let shown = ask(app, &bob, GET, &format!("/connections/{dead}"), None).await.json();
        assert_eq!(shown["disconnected"], true);
    })
    .await;
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    on_each(async |app| {
        let up = provider(async |_, body: Body| Response::new(body)).await;
        let alice = connected(app, &up).await;
        let (sender, pieces) = tokio::sync::mpsc::unbounded_channel::<&'static [u8]>();
        let pieces = futures_util::stream::unfold(pieces, async |mut pieces| {
            let piece = pieces.recv().await?;
            Some((Ok(http_body::Frame::data(Bytes::from_static(piece))), pieces))
        });
        let request = Request::builder().method("POST").uri(format!("{}/connections/up/proxy/x", app.origin));
        let request = request.header("authorization", format!("Bearer {alice}"));
        sender.send(b"first").expect("sent");
        let mut open =
            wire::open(request.body(wire::Outgoing::new(StreamBody::new(pieces))).expect("a request")).await;
        assert_eq!(open.next().await.as_deref(), Some(&b"first"[..]), "before the second is sent");
        sender.send(b"second").expect("sent");
        assert_eq!(open.next().await.as_deref(), Some(&b"second"[..]));
        drop(sender);
        assert_eq!(open.next().await, None);
    })
    .await;
}

/// What an answer says is left of the connection's calls.
fn left(answer: &Answer) -> Option<&str> {
    answer.header("ratelimit")
}

#[tokio::test]
async fn calls_are_counted_logged_and_refused_in_this_doors_words() {
    let calls = Rate::Per { count: 2, window: Duration::from_secs(60) };
    let options = || Options { calls, quota: true, ..Options::default() };
    on_each_with(options, async |app| {
        let up = provider(echo).await;
        let alice = connected(app, &up).await;
        let first = get(app, &alice, "/x?secret=canary_query").await;
        assert_eq!((first.status.as_u16(), left(&first)), (200, Some("\"claviger-connection\";r=1;t=60")));
        let whole = get(app, &alice, &format!("/{}/other?secret=canary_query", up.origin)).await;
        assert_refused(&whole, 400, None);
        let limited = get(app, &alice, "/x").await;
        assert_refused(&limited, 429, Some("rate_limit_exceeded"));
        assert!(limited.header("retry-after").is_some());
        assert_eq!(left(&limited), Some("\"claviger-connection\";r=0;t=60"));
        app.broker.logs.flush().await;
        let rows = app
            .read()
            .await
            .request_logs(&app.acme.workspace, &crate::support::app::ALL)
            .await
            .expect("rows");
        let mut said: Vec<_> =
            rows.iter().map(|row| (row.status, row.error.clone().unwrap_or_default())).collect();
        said.sort();
        let text = |text: &str| text.to_owned();
        assert_eq!(said, [(200, text("")), (400, text("bad_request")), (429, text("rate_limit_exceeded"))]);
        assert!(rows.iter().all(|row| row.user_id.is_none() && row.api_key_id.is_none()));
        assert!(!format!("{rows:?}").contains("canary"), "{rows:?}");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_said_to_wait_is_not_asked_meanwhile() {
    on_each(async |app| {
        let up = provider(async |_, _| say(429, &[("retry-after", "90")], "theirs")).await;
        let alice = connected(app, &up).await;
        let post = async || ask(app, &alice, Method::POST, "/connections/up/proxy/x", None).await;
        assert_eq!(post().await.text(), "theirs");
        let answer = post().await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("90")));
        assert_eq!(answer.json()["type"], "connection", "the matter of what is behind it");
        assert_eq!(answer.json()["key"], "rate_limit_exceeded");
        assert_eq!(up.calls().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_admin_calls_with_any_customers_connection_and_nobody_else_does() {
    on_each(async |app| {
        let up = provider(echo).await;
        let _alice = connected(app, &up).await;
        let id = app.connections(&app.acme).await.remove(0).id;
        let path = format!("/connections/{id}/proxy/x");
        let admin = admin(app, &app.acme).await;
        assert_eq!(ask(app, &admin, GET, &path, None).await.status, 200);
        let workspace = super::token(app, &app.acme, json!({})).await;
        assert_refused(&ask(app, &workspace, GET, &path, None).await, 403, Some("access_denied"));
        assert_refused(&ask(app, &app.acme.key, GET, &path, None).await, 401, Some("not_authenticated"));
        assert_refused(
            &ask(app, "", GET, &format!("{path}?token={admin}"), None).await,
            401,
            Some("not_authenticated"),
        );
        assert_eq!(up.calls().len(), 1);
        // At the other doors the connection is not there.
        assert_ne!(app.call(&app.acme.key, id.as_str(), "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_websocket_is_not_to_be_had_here() {
    on_each(async |app| {
        let up = provider(echo).await;
        let alice = connected(app, &up).await;
        let request = format!(
            "GET /connections/up/proxy/ws HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {alice}\r\nConnection: close, Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let answer = raw(&app.origin, request.as_bytes()).await;
        assert_eq!(answer.status, 501, "{}", answer.text());
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}
