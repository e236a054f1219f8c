//! Limits on what one caller, or one provider, may take: who meets one is told which, and whoever leaves makes room.

use std::{convert::Infallible, num::NonZeroU32, time::Duration};

use bytes::Bytes;
use claviger_engine::{limit::at_once::AtOnce, proxy::Bounds};
use futures_util::{StreamExt as _, stream};
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Options, TestApp, Upstream, on_each_with,
    upstream::{Head, say},
    wire::{Outgoing, begin, call, nothing, open, send},
};

/// Answers at once, but below `/wait` never.
async fn waiting(head: Head, _: axum::body::Body) -> axum::response::Response {
    if head.target.contains("/wait") {
        std::future::pending::<()>().await;
    }
    say(200, &[], "")
}

fn bounded(bounds: Bounds) -> Options {
    Options { bounds, ..Options::default() }
}

/// Waits until a call passes.
async fn passes(app: &TestApp, id: &str) {
    for _ in 0..400 {
        if send(call(app, Method::GET, id, "/x")).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place is not free again");
}

#[tokio::test]
async fn calls_at_once_are_bounded_and_who_hangs_up_makes_room() {
    let connection = || AtOnce::new(NonZeroU32::new(1));
    let by_connection = move || bounded(Bounds { connection: connection(), ..Bounds::default() });
    on_each_with(by_connection, async |app| {
        let up = Upstream::start(waiting).await;
        let id = up.connect(app).await;
        let held = begin(call(app, Method::GET, &id, "/wait").body(nothing()).unwrap()).await;
        while up.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refused = send(call(app, Method::GET, &id, "/x")).await;
        refused.assert_problem(429, "concurrency_limit");
        assert!(refused.text().contains("proxy_connection_calls"), "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(up.calls().len(), 1, "nothing is sent for it");
        held.hang_up().await;
        passes(app, &id).await;
        assert_eq!(app.broker.bounds.connection.taken(), 0, "who is answered holds no place");
    })
    .await;
}

#[tokio::test]
async fn a_slow_host_is_bounded_by_itself() {
    let by_host = || bounded(Bounds { provider: AtOnce::new(NonZeroU32::new(1)), ..Bounds::default() });
    on_each_with(by_host, async |app| {
        let (slow, other) = (Upstream::start(waiting).await, Upstream::start(waiting).await);
        let (at_slow, at_other) = (slow.connect(app).await, other.connect(app).await);
        let held = begin(call(app, Method::GET, &at_slow, "/wait").body(nothing()).unwrap()).await;
        while slow.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refused = send(call(app, Method::GET, &at_slow, "/x")).await;
        refused.assert_problem(429, "concurrency_limit");
        assert!(refused.text().contains("proxy_provider_calls"), "{}", refused.text());
        assert_eq!(
            send(call(app, Method::GET, &at_other, "/x")).await.status,
            200,
            "another host has its own"
        );
        held.hang_up().await;
        passes(app, &at_slow).await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stalls_is_the_callers_fault() {
    let hasty = || bounded(Bounds { body: Some(Duration::from_millis(200)), ..Bounds::default() });
    on_each_with(hasty, async |app| {
        let up = Upstream::start(|_, body: axum::body::Body| async move {
            let _broken = body.collect().await;
            say(200, &[], "")
        });
        let up = up.await;
        let id = up.connect(app).await;
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"first")))]);
        let body = StreamBody::new(first.chain(stream::pending()));
        let request = call(app, Method::POST, &id, "/x").body(Outgoing::new(body)).unwrap();
        let mut answer = open(request).await;
        assert_eq!(answer.answer.status(), 408);
        let text = answer.next().await.expect("a body");
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("request_timeout") && text.contains("client_body_timeout"), "{text}");
    })
    .await;
}

/// Nobody has to be known for it: signing in begins with a body.
#[tokio::test]
async fn a_body_that_stalls_at_the_app_is_waited_for_no_longer() {
    let hasty = || bounded(Bounds { body: Some(Duration::from_millis(50)), ..Bounds::default() });
    on_each_with(hasty, async |app| {
        let request = "POST /api/auth/login HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n\
                       content-length: 100\r\n\r\n{";
        let mut socket = TcpStream::connect(app.origin.trim_start_matches("http://")).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("it ends").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
    })
    .await;
}
