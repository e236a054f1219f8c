//! What comes back: the provider's answer, streamed, and nothing in it that speaks for our origin.

use std::sync::Arc;

use http::Request;
use tokio::sync::{Mutex, mpsc};

use super::*;
use crate::support::{
    on_each,
    wire::{Open, nothing, open},
};

#[tokio::test]
async fn binary_answers_and_errors_pass_as_they_are() {
    on_each(async |app| {
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let sent = bytes.clone();
        let up = provider(move |head: Head, _| {
            let sent = sent.clone();
            async move {
                let status: u16 = head.target.trim_start_matches("/api/").parse().unwrap();
                say(status, &[("content-type", "application/pdf"), ("content-encoding", "x-theirs")], sent)
            }
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for status in [200, 206, 400, 401, 403, 404, 409, 422, 429, 500, 503, 599] {
            let asked = json!({ "url": status.to_string(), "method": "POST" });
            let answer = post(app, &alice, &asked).await;
            assert_eq!((answer.status.as_u16(), answer.body == bytes), (status, true), "{status}");
            assert_eq!(answer.header("content-type"), Some("application/pdf"));
            assert_eq!(answer.header("content-encoding"), Some("x-theirs"));
            assert_eq!(answer.header("content-length"), Some("300000"));
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_can_not_speak_for_our_origin() {
    const PAGE: &str = "<html><script>fetch('/api/tokens')</script></html>";
    on_each(async |app| {
        let up = provider(|_, _| async {
            let headers = [
                ("content-type", "text/html"),
                ("content-security-policy", "script-src *"),
                ("content-security-policy", "default-src *"),
                ("content-security-policy-report-only", "default-src *"),
                ("x-frame-options", "ALLOWALL"),
                ("set-cookie", "sid=canary; Path=/"),
                ("set-cookie2", "sid=canary"),
                ("access-control-allow-origin", "https://evil.test"),
                ("access-control-allow-credentials", "true"),
                ("clear-site-data", "\"cookies\""),
                ("strict-transport-security", "max-age=0"),
                ("public-key-pins", "pin"),
                ("alt-svc", "h2=\"evil.test:443\""),
                ("nel", "{}"),
                ("report-to", "{}"),
                ("reporting-endpoints", "a=\"https://evil.test\""),
                ("service-worker-allowed", "/"),
                ("refresh", "0; url=https://evil.test"),
                ("sourcemap", "/x"),
                ("www-authenticate", "Basic realm=\"Claviger\""),
                ("www-authenticate", "Bearer error=\"invalid_token\""),
                ("cache-control", "public, max-age=9999"),
                ("x-content-type-options", "theirs"),
                ("x-echo", "canary_alice"),
                ("connection", "x-hop"),
                ("x-hop", "1"),
                ("claviger-request-id", "theirs"),
                ("etag", "\"1\""),
                ("link", "<x>; rel=next"),
            ];
            say(200, &headers, PAGE)
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for answer in [post(app, &alice, &json!({ "url": "x" })).await, get(app, &alice, "/x").await] {
            assert_eq!((answer.status.as_u16(), answer.text()), (200, PAGE));
            let mut names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(
                names,
                [
                    "cache-control",
                    "claviger-request-id",
                    "content-length",
                    "content-security-policy",
                    "content-type",
                    "date",
                    "etag",
                    "link",
                    "www-authenticate",
                    "x-content-type-options",
                    "x-frame-options"
                ]
            );
            for (name, value) in [
                ("content-security-policy", "sandbox"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-store"),
                ("www-authenticate", "Bearer error=\"invalid_token\""),
                ("content-type", "text/html"),
            ] {
                assert_eq!(answer.header(name), Some(value));
            }
            assert!(answer.header("claviger-request-id").unwrap().starts_with("req_"));
            assert!(!format!("{:?}", answer.headers).contains("canary"));
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_without_its_body_ends() {
    on_each(async |app| {
        let up = provider(|head: Head, _| async move {
            let status = head.target.trim_start_matches("/api/").parse().unwrap();
            say(status, &[("content-length", "1234"), ("etag", "\"x\"")], Body::empty())
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for status in [200, 206, 302, 304, 404, 500] {
            let asked = json!({ "url": status.to_string(), "method": "HEAD" });
            let answer = post(app, &alice, &asked).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (status, 0));
            assert_eq!(answer.header("etag"), Some("\"x\""));
            assert_ne!(answer.header("content-length"), Some("1234"), "no body is announced");
            let path = format!("/api/integrations/drive/request/{status}");
            let answer = ask(app, &alice.token, Method::HEAD, &path, None).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (status, 0));
            assert_eq!(
                answer.header("content-length"),
                Some("1234"),
                "it names the length of what GET would bring"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_handed_back() {
    on_each(async |app| {
        let elsewhere = provider(echo).await;
        let to = format!("{}/api/elsewhere", elsewhere.origin);
        let target = to.clone();
        let up = provider(move |head: Head, _| {
            let target = target.clone();
            async move {
                let status = head.target.trim_start_matches("/api/").parse().unwrap();
                say(status, &[("location", target.as_str())], "moved")
            }
        })
        .await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for status in [301, 302, 303, 307, 308] {
            let answer = get(app, &alice, &format!("/{status}")).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (status, "moved"));
            assert_eq!(answer.header("location"), Some(to.as_str()));
        }
        assert_eq!(elsewhere.seen().len(), 0, "not followed");
    })
    .await;
}

/// A provider whose answer is what is sent through the channel.
async fn streaming() -> (Upstream, mpsc::Sender<Bytes>) {
    let (send, pieces) = mpsc::channel::<Bytes>(1);
    let pieces = Arc::new(Mutex::new(Some(pieces)));
    let up = provider(move |_, _| {
        let pieces = pieces.clone();
        async move {
            let pieces = pieces.lock().await.take().unwrap();
            let stream = futures_util::stream::unfold(pieces, |mut pieces| async {
                let piece = pieces.recv().await?;
                Some((Ok::<_, std::io::Error>(piece), pieces))
            });
            say(200, &[("content-type", "text/event-stream")], Body::from_stream(stream))
        }
    })
    .await;
    (up, send)
}

async fn listen(app: &TestApp, user: &Someone) -> Open {
    let request = Request::get(format!("{}/api/integrations/drive/request/x", app.origin));
    let request = request.header("authorization", format!("Bearer {}", user.token));
    open(request.body(nothing()).unwrap()).await
}

#[tokio::test]
async fn a_piece_of_an_answer_comes_before_the_next_is_sent() {
    on_each(async |app| {
        let (up, send) = streaming().await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let mut open = listen(app, &alice).await;
        assert_eq!(open.answer.headers()["content-security-policy"], "sandbox");
        for piece in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            send.send(Bytes::from(piece)).await.unwrap();
            assert_eq!(open.next().await.unwrap(), piece);
        }
        drop(send);
        assert!(open.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn who_hangs_up_is_heard_at_the_provider() {
    on_each(async |app| {
        let (up, send) = streaming().await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let mut open = listen(app, &alice).await;
        send.send(Bytes::from("first")).await.unwrap();
        assert_eq!(open.next().await.unwrap(), "first");
        drop(open);
        // The provider's body is dropped when its connection is gone.
        while send.send(Bytes::from("more")).await.is_ok() {}
    })
    .await;
}
